"""What fits into memory is computed as a whole, and else in tiles, or with a shorter history."""

import json
from typing import Any

import jax
import numpy as np
import psutil
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.runs import budget, records, run
from texjax.synthesis import build

GIB = 2**30
PICTURES = {"sources": [np.zeros((256, 256, 3), np.float32)]}


def config(side: int, size: str = "", spec: str = "texture", **keys: Any) -> Any:
    # By XLA everywhere, as estimates differ between backends.
    keys = {"size": (side, side), "memory_budget": size, "features.backend": "xla", **keys}
    return configs.overridden(configs.load(spec), keys)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * 2**30), ("8 gb", 8e9), ("500MB", 5e8), ("2e9", 2e9), ("1.5Gi", 1.5 * 2**30), ("64k", 64e3), ("7", 7)],
)
def test_sizes_in_words(text, size):
    assert budget.parse(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "8 apples", "-1GB", "0", "1.2.3GB", "8TiB"])
def test_other_words_are_refused(text):
    with pytest.raises(errors.TexjaxError, match="give bytes with a unit, such as 8GiB"):
        budget.parse(text)


def test_what_fits_is_not_changed():
    asked = config(512, "8GiB")
    assert budget.fitted(asked, PICTURES) == asked


def test_what_does_not_fit_is_computed_in_tiles_and_told():
    with pytest.warns(errors.TexjaxWarning, match=r"into 3\.0 GiB the run has tile 1024; it takes about 2\.8 GiB"):
        settled = budget.fitted(config(1536, "3GiB"), PICTURES)
    assert 256 <= settled.tile < 1536 and settled.optimizer.history_size == 10


def test_a_shorter_history_comes_after_tiles():
    asked = config(4096, "8GiB")
    with pytest.warns(errors.TexjaxWarning, match=r"has tile 1024 and optimizer\.history_size 5; .* about 7\.4"):
        assert budget.fitted(asked, PICTURES).optimizer.history_size == 5


def test_what_cannot_fit_is_refused_with_the_largest_size_that_does():
    with pytest.raises(errors.TexjaxError, match=r"4\.0 GiB are its budget; the largest .* -ow (\d+) -oh") as raised:
        budget.fitted(config(8192, "4GiB"), PICTURES)
    side = int(str(raised.value).split("-ow ")[1].split()[0])
    assert budget.choose(config(side, "4GiB"), PICTURES)[0] is not None
    assert budget.choose(config(side + 256, "4GiB"), PICTURES)[0] is None


def test_a_tile_of_the_config_is_kept():
    assert {choice.tile for choice in budget.choices(config(4096, tile=640), PICTURES)} == {640}


def test_the_record_of_a_run_has_what_was_chosen(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    asked = configs.overridden(configs.load("texture:tiny"), {"size": (96, 96), "tile": 88, "schedule.steps": ()})
    run.synthesize(asked, {"sources": [tmp_path / "a.png"]}, lambda parts: records.exact(tmp_path / "run"))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["tile"], record["history_size"]) == (88, 10)


def test_terms_that_do_not_add_have_no_tiles():
    asked = config(1024, spec="cnnmrf:network=compact", **dict[str, Any]({"terms.mrf.rematch": 5}))
    assert {choice.tile for choice in budget.choices(asked, PICTURES)} == {0}


def test_terms_that_wrap_around_have_tiles_where_the_network_does_too():
    repeats = config(1024, spec="shifted_gram")
    ends = configs.overridden(repeats, {"features.padding": "reflect"})
    several = [{choice.tile for choice in budget.choices(asked, PICTURES)} for asked in (repeats, ends)]
    assert len(several[0]) > 1 and several[1] == {0}


def test_less_than_is_free_is_refused_as_a_fault_of_the_machine(monkeypatch):
    monkeypatch.setattr(budget, "free", lambda: GIB)
    with pytest.raises(errors.EnvironmentFault, match=r"1\.0 GiB are free"):
        budget.fitted(config(8192), PICTURES)


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert list(budget._left_in_containers(tmp_path)) == [2_000_000_000]
    (tmp_path / "memory.max").write_text("max\n")
    assert list(budget._left_in_containers(tmp_path)) == []


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a device tells its own memory")
def test_free_memory_is_at_most_that_of_the_machine():
    assert 0 < budget.free() <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("side", "tile"),
    [(256, 0), pytest.param(512, 256, marks=pytest.mark.slow)],
)
def test_the_estimate_is_about_what_the_program_takes(side, tile):
    """Arguments, results and temporaries of the compiled program, without the process and what oneDNN takes."""
    asked = config(side, tile=tile, **{"features.backend": "xla"})
    parts = build.parts(asked)
    images = jax.ShapeDtypeStruct((1, 1, side, side, 3), np.float32)
    summary = jax.eval_shape(parts.objective.summarize, parts.extractor.weights, PICTURES["sources"][0])
    args = parts.extractor.weights, jax.eval_shape(parts.objective.join, [summary])
    keys = jax.random.split(jax.random.key(0), 1)
    state = jax.eval_shape(parts.program.empty, images, keys, *args)
    run: Any = parts.program.run
    program = run.lower(images, state, keys, True, 0, 0, *args).compile().memory_analysis()
    taken = program.argument_size_in_bytes + program.output_size_in_bytes - program.alias_size_in_bytes
    taken += program.temp_size_in_bytes
    said = budget.memory(asked, parts, PICTURES, tile, 10) - budget.process(asked, parts)
    assert taken / 1.1 < said < 1.8 * taken
