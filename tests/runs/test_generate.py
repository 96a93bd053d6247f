"""Pictures of trained generators, their files, and programs that are exported."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import texjax
from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.features.weights import catalog
from texjax.runs import export, generate, inputs, networks, run
from texjax.synthesis import generating


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main.main([str(word) for word in words])
    return exit_.value.code  # pyright: ignore[reportReturnType]


def picture(network: networks.Network, size: tuple[int, int], tile: int = 0, code=(1.0, 0.0)) -> np.ndarray:
    key = jax.random.key(3)
    parts = network.generator, network.handling, network.weights
    return generating.picture(*parts, np.array(code, np.float32), key, size, tile)


@settings(deadline=None, max_examples=5)
@given(st.integers(12, 40), st.integers(12, 40), st.sampled_from([8, 10]))
def test_tiles_equal_the_whole(network, width, height, tile):
    size = 2 * width, 2 * height
    whole, tiled = picture(network, size), picture(network, size, tile)
    assert whole.shape == (size[1], size[0], 3)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_the_halo_is_needed(network):
    """With less of a halo tiles would differ, so that the test above can fail."""
    narrow = network._replace(generator=network.generator._replace(halo=2))
    assert np.abs(picture(narrow, (48, 48), 8) - picture(network, (48, 48))).max() > 1e-4


def test_pictures_tile(network):
    """Rolled noise gives the rolled picture, across the edges too, so that no edge is special."""
    generator, weights = network.generator, network.weights
    noise = generator.draw(jax.random.key(0), texjax.types.Window(0, 0, 32, 32, (32, 32)))
    rolled = [np.roll(np.asarray(octave), 8 // 2**i, axis=1) for i, octave in enumerate(noise)]
    code = jnp.array([[1.0, 0.0]])
    first, second = (
        np.asarray(generator.apply(weights, [jnp.asarray(octave)[None] for octave in octaves], code))
        for octaves in (noise, rolled)
    )
    np.testing.assert_allclose(np.roll(first, 8, axis=2), second, atol=1e-5)


def test_mixes_lie_between_the_sources(network):
    """The normalization's scales are linear in the code, and the picture is a smooth function of it."""
    ends = [picture(network, (32, 32), code=code) for code in ((1.0, 0.0), (0.0, 1.0))]
    middle, near = (picture(network, (32, 32), code=code) for code in ((0.5, 0.5), (0.999, 0.001)))
    assert min(np.abs(middle - end).max() for end in ends) > 1e-3
    assert np.abs(near - ends[0]).max() < 0.1 * np.abs(ends[1] - ends[0]).max()


def test_a_file_holds_the_network(network, tmp_path):
    path = tmp_path / "copy.safetensors"
    networks.write(path, network.config, network.channels, network.sources, network.weights)
    again = networks.read(path)
    assert again.sources == ("red.png", "blue.png") and again.config == network.config
    jax.tree.map(np.testing.assert_array_equal, again.weights, network.weights)


def test_files_that_are_no_networks(trained, tmp_path):
    with pytest.raises(errors.TexjaxError, match="does not exist"):
        networks.read(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("no network")
    with pytest.raises(errors.TexjaxError, match="cannot be read as a network"):
        networks.read(tmp_path / "text")
    with pytest.raises(errors.TexjaxError, match="holds no trained generator"):
        networks.read(catalog.project_folder() / "compact.safetensors")
    data = bytearray(trained.read_bytes())
    data[-3] ^= 1
    (tmp_path / "changed").write_bytes(data)
    with pytest.raises(errors.TexjaxError, match="is damaged"):
        networks.read(tmp_path / "changed")


def test_a_network_of_another_generator_is_refused(trained, network, tmp_path):
    """A file whose parameters do not fit its config, although its digest is right."""
    weights = {"params": {"Dense_0": {"bias": np.zeros(3, np.float32)}}}
    path = tmp_path / "other.safetensors"
    networks.write(path, network.config, 3, network.sources, weights)
    with pytest.raises(errors.TexjaxError, match="parameters are not those of its generator"):
        networks.read(path)
    assert safetensors.numpy.load_file(trained)


def test_the_command(trained, tmp_path, capsys):
    where = tmp_path / "pictures"
    words = ("generate", trained, "-ow", 48, "-oh", 32, "-c", 2, "--random-seed", 5, "--mix", "1,3", "--run-dir", where)
    assert command(*words) == 0
    paths = capsys.readouterr().out.split()
    assert paths == [str(where / f"image_000{i}.png") for i in range(2)]
    first, second = (np.asarray(Image.open(path)) for path in paths)
    assert first.shape == (32, 48, 3) and (first != second).any()
    wanted = texjax.generate(str(trained), size=(48, 32), seed=5, count=2, mix=(0.25, 0.75))
    np.testing.assert_array_equal(first, np.rint(wanted[0] * 255).astype(np.uint8))
    record = json.loads((where / "run.json").read_text())
    assert record["status"] == "finished" and record["network_sha256"] == networks.digest(trained)
    assert json.loads((where / "config.json").read_text())["size"] == [48, 32]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-ow", 0), "width is 0"),
        (("-c", 0), "count is 0"),
        (("--mix", "1,2,3"), "has learned 2 sources (red.png, blue.png)"),
        (("--mix", "1,x"), "--mix is '1,x'"),
        (("--mix", "0,0"), "not all 0"),
        (("--memory-budget", "1"), "larger --memory-budget"),
        (("--config.output.bitz=8",), "did you mean"),
        (("--config.seed=3",), "takes --config.output.KEY=VALUE alone"),
    ],
)
def test_bad_input(words, text, trained, tmp_path, capsys):
    assert command("generate", trained, "--run-dir", tmp_path / "run", *words) == 2
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_size_that_does_not_tile_is_told(network):
    with pytest.warns(errors.TexjaxWarning, match="multiples of 2 px; these are cut from 34 x 32 px"):
        (cut,) = generate.pictures(network, generate.Wanted((33, 31)))
    (whole,) = generate.pictures(network, generate.Wanted((34, 32)))
    np.testing.assert_array_equal(cut, whole[:31, :33])


def test_less_memory_means_smaller_tiles(network):
    parts = network.generator, network.handling, network.weights, 2, (512, 512)
    tiles = [generating.fitting_tile(*parts, memory) for memory in (2**34, 2**23, 2**21)]
    assert tiles[0] == 0 < tiles[2] < tiles[1] < 512


def test_the_exported_program_makes_the_same_picture(network, trained, tmp_path, capsys):
    path = tmp_path / "program"
    assert command("export", trained, path, "-ow", 48, "-oh", 32) == 0
    program = jax.export.deserialize(bytearray(path.read_bytes()))
    assert set(program.platforms) == {"cpu", "cuda", "tpu"}
    code = np.array([0.25, 0.75], np.float32)
    exported = program.call(np.uint32(7), code)
    (ours,) = generate.pictures(network, generate.Wanted((48, 32), seed=7, mix=(1.0, 3.0)))
    np.testing.assert_allclose(exported, ours, atol=1e-6)
    with pytest.raises(errors.TexjaxError, match="multiples of 2"):
        export.program(network, (33, 32))


def test_training_wants_a_generator(capsys, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert command("train", tmp_path / "a.png", "--config", "texture:tiny") == 2
    assert "trains no generator; give one of feedforward/" in capsys.readouterr().err


def test_a_synthesis_starts_from_a_generated_picture(trained, network, training_config, sources, tmp_path):
    """The first loss of the run is that of the generated picture."""
    config = training_config()
    words = [f"--config.init={{'name': 'picture', 'path': '{trained}'}}"]
    changes = {key: config[key].to_dict() for key in ("features", "terms")}
    base = configs.overridden(
        configs.load("texture:tiny"), changes | {"size": (64, 32), "schedule.steps": (), "seed": 4}
    )
    started = configs.overridden_by_words(base, words)
    pictures = inputs.load(started, inputs.with_start(started, {"sources": sources[:1]}))
    (generated,) = generate.pictures(network, generate.Wanted((64, 32), seed=4))
    np.testing.assert_array_equal(pictures["init"][0], generated)
    where = tmp_path / "run"
    where.mkdir()
    run.synthesize(started, {"sources": sources[:1]}, lambda parts: where)
    record = json.loads((where / "run.json").read_text())
    assert record["init"][0]["name"] == trained.name and record["status"] == "finished"
