"""The size of sources that are larger than needed, by hand."""

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors, images
from texjax.cli import main
from texjax.runs import inputs


@pytest.fixture
def config():
    """48 x 48 px, two octaves, and filters that see 11 px, so 22 px of the picture at octave 1."""
    return configs.load("random:tiny")


def grating(height, width, period):
    rows = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(width) / period)
    return np.broadcast_to(rows[None, :, None], (height, width, 3)).astype(np.float32)


def size(config, image, group="sources", position=0, like=None):
    return inputs.fit(config, group, position, image, like).shape[:2]


def test_four_times_the_output_is_the_most(config):
    """The longer side of 48 px allows 192."""
    with pytest.warns(errors.TexjaxWarning, match="400 x 200 px is reduced to 192 x 96 px, 4 times .*max_fit=0"):
        assert size(config, np.zeros((200, 400, 3), np.float32)) == (96, 192)
    config.size = (20, 48)
    with pytest.warns(errors.TexjaxWarning, match="reduced to 96 x 192"):
        assert size(config, np.zeros((400, 200, 3), np.float32)) == (192, 96)
    config.source.max_fit = 2.0
    with pytest.warns(errors.TexjaxWarning, match="2 times"):
        assert size(config, np.zeros((400, 200, 3), np.float32)) == (96, 48)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, (150, 192)),  # as long as allowed
        ({"max_fit": 0.0}, (150, 700)),
        ({"width": 600}, (129, 600)),  # 150 * 600 / 700 = 128.6
        ({"scale": 0.5}, (75, 350)),
        ({"fit": 10.0}, (103, 480)),  # 150 * 480 / 700 = 102.9
    ],
)
def test_a_size_that_is_given_wins(config, values, wanted):
    config.source.update(values)
    assert size(config, np.zeros((150, 192 if not values else 700, 3), np.float32)) == wanted


def test_contents_are_not_concerned(config):
    assert size(config, np.zeros((500, 500, 3), np.float32), "content") == (48, 48)


@pytest.mark.filterwarnings("default")
def test_the_command_says_so_once(tmp_path, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)).save(tmp_path / "a.png")
    words = ["synthesize", str(tmp_path / "a.png"), str(tmp_path / "a.png"), "--config", "random:tiny", "--dry-run"]
    with pytest.raises(SystemExit):
        main.main(words)
    output = capsys.readouterr()
    assert output.err.count("texjax: a source of 300 x 200 px is reduced to 192 x 128 px") == 1
    assert "192 x 128 px" in output.out


@pytest.mark.filterwarnings("default")
def test_the_flag_wins_over_the_keys_of_the_config(tmp_path, capsys):
    """The features alone would leave 220 px, and four times the output is 192 px."""
    images.save(tmp_path / "a.png", grating(200, 400, 40))
    words = ["synthesize", str(tmp_path / "a.png"), "--config", "random:tiny", "--dry-run", "--source-width", "auto"]
    with pytest.raises(SystemExit):
        main.main([*words, "--config.source.fit=0.1", "--config.source.scale=0.1"])
    output = capsys.readouterr()
    width = int(output.err.partition("is reduced to ")[2].split()[0])
    assert width == 192
    assert f"{width} x {width // 2} px" in output.out


@pytest.mark.parametrize(("period", "side"), [(20, 400), (40, 400), (44, 440)])
def test_features_are_to_be_seen_whole(config, period, side):
    """A period of P px is to be one of 22 px at most, so a width of W is reduced to 22 W / P; 20 px are seen as is."""
    config.source.auto_width, config.source.max_fit = True, 0.0
    with pytest.warns(errors.TexjaxWarning, match="features are about"):
        _, width = size(config, grating(200, side, period))
    assert width == pytest.approx(min(side, 22 / period * side), rel=0.15)


def test_the_output_is_to_hold_two_of_them(config):
    """30 px high, it holds two periods of 15 px."""
    config.source.auto_width, config.size = True, (48, 30)
    with pytest.warns(errors.TexjaxWarning):
        assert size(config, grating(200, 400, 40))[1] == pytest.approx(15 / 40 * 400, rel=0.15)


def test_one_photograph_at_two_sizes_is_reduced_to_one(config, test_data):
    config.source.auto_width, config.source.max_fit = True, 0.0
    photograph = images.load(test_data / "images" / "bark.jpg")
    with pytest.warns(errors.TexjaxWarning):
        one, two = (size(config, x) for x in (photograph, images.resize(photograph, scale=2.0)))
    assert one[1] < 0.7 * photograph.shape[1]
    np.testing.assert_allclose(one, two, rtol=0.02)


def test_a_prime_decides_for_a(config):
    config.source.auto_width, config.source.max_fit = True, 0.0
    a, a_prime = grating(200, 400, 100), grating(200, 400, 40)
    with pytest.warns(errors.TexjaxWarning):
        sizes = [size(config, image, "analogy", i, a_prime) for i, image in enumerate((a, a_prime))]
    assert sizes[0] == sizes[1]
    assert sizes[0][1] == pytest.approx(22 / 40 * 400, rel=0.15)
