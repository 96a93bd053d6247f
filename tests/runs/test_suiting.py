"""Terms for textures that repeat: kept, weighed by octaves, or left out."""

import warnings

import numpy as np
import pytest

from texjax import config as configs
from texjax import errors
from texjax.runs import budget, suiting
from texjax.synthesis import build


def checkerboard(side: int = 128, cell: int = 16) -> np.ndarray:
    y, x = np.mgrid[:side, :side] // cell
    return np.repeat(((y + x) % 2 * 0.8)[..., None], 3, -1).astype(np.float32)


def noise(side: int = 128) -> np.ndarray:
    return np.random.default_rng(0).random((side, side, 3)).astype(np.float32)


def counting(config: configs.Config) -> list[str]:
    return sorted(term.name for term in build.parts(config).terms)


def settled(words: list[str], *sources: np.ndarray) -> configs.Config:
    return suiting.with_terms(configs.load("texture", words), sources)


def test_a_lattice_counts_and_is_told():
    with pytest.warns(
        errors.TexjaxWarning, match=r"repeats after \d+ px .* variance\).*--config.terms.autocorrelation.weight=0"
    ):
        config = settled(["--config.size=(1024, 512)", "--config.octaves=5"], checkerboard())
    # Octaves of 1024, 512, 256, 128 and 64 px.
    assert config.terms.autocorrelation.octave_weights == (0.0, 0.0, 1.0, 1.0, 1.0)
    assert counting(config) == ["autocorrelation", "gram"]


def test_an_output_that_does_not_repeat_has_no_lags_that_wrap_around():
    assert counting(settled(["--config.features.padding=valid"], checkerboard())) == ["gram"]


@pytest.mark.parametrize("sources", [[noise()], [noise(), checkerboard()]])
def test_without_a_lattice_everything_is_as_without_the_term(sources: list[np.ndarray]):
    assert counting(settled([], *sources)) == ["gram"]


def test_octave_weights_that_a_config_names_are_kept():
    words = ["--config.octaves=3", "--config.terms.autocorrelation.octave_weights=(1.0, 0.5, 0.0)"]
    with pytest.warns(errors.TexjaxWarning):
        terms = settled(words, checkerboard()).terms
    assert terms.autocorrelation.octave_weights == (1.0, 0.5, 0.0)


def test_a_picture_whose_octaves_are_all_large_has_no_such_term():
    assert counting(settled(["--config.size=(4096, 4096)", "--config.octaves=2"], checkerboard())) == ["gram"]


@pytest.mark.parametrize("words", [["--config.terms.autocorrelation.weight=0"], []])
def test_it_can_be_chosen(words: list[str]):
    words = words or ["--config.terms.autocorrelation.when=always"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = settled(words, checkerboard())
    assert config.terms.to_dict() == configs.load("texture", words).terms.to_dict()


def test_large_pictures_are_cut_into_tiles_all_the_same():
    words = ["--config.size=(2048, 2048)", "--config.octaves=5", "--config.memory_budget=2GiB"]
    with pytest.warns(errors.TexjaxWarning):
        config = settled(words, checkerboard())
    tiles = budget._possible_tiles(config, build.parts(config))
    assert tiles and min(tiles) >= 256
    whole = configs.overridden(config, {"terms.autocorrelation.octave_weights": ()})
    assert budget._possible_tiles(whole, build.parts(whole)) == []
