"""Training of a generator that restyles photographs: its steps against the objective of each picture by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import config as configs
from texjax import errors
from texjax.synthesis import optimize, training


def config_with(**changes):
    """24 x 16 px, an octave of random filters, one style term and one of the content, two pictures a step."""
    common = {
        "features": {"name": "random", "channels": 4, "size": 3, "padding": "reflect"},
        "terms": {
            "gram": {"name": "gram", "layers": {"pixels": 1.0, "conv1_1": 0.5}},
            "content": {"name": "content", "layers": {"conv1_1": 2.0}, "group": "content", "weight": 3.0},
        },
        "generator": {"name": "residual", "widths": (2, 3, 4), "blocks": 0},
        "octaves": 1,
        "size": (24, 16),
        "max_iter": 4,
        "save_every": 2,
    }
    return configs.overridden(configs.load("feedforward/style:tiny"), common | changes)


def photographs(count: int):
    """Crops drawn from the number of the step."""
    return lambda step: np.random.default_rng(step).random((count, 16, 24, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def styles() -> list[np.ndarray]:
    return [np.random.default_rng(seed).random((24, 24, 3)).astype(np.float32) ** (seed + 1) for seed in (0, 1)]


def test_the_loss_is_that_of_each_picture_by_itself(styles):
    """The first step against `optimize.targets` and the objective, called for each picture with its own content."""
    config, crops = config_with(max_iter=1, save_every=1), photographs(4)
    prepared = training.prepare(config, {"sources": styles}, photographs=crops)
    weights, objective = prepared.first.state.weights, prepared.parts.objective
    network = prepared.parts.extractor.weights
    generator, handling = training.build_generator(config, 3, 2), training.to_images(config)
    codes = jnp.asarray([[1, 0], [1, 0], [0, 1], [0, 1]], jnp.float32)
    images = handling.to_images(jax.jit(generator.apply)(weights, jnp.asarray(crops(1)), codes))
    shares = []
    for image, photo, style in zip(images, crops(1), (0, 0, 1, 1), strict=True):
        pictures = {"sources": [styles[style]], "content": [photo]}
        targets = optimize.targets(prepared.parts, config.octaves, pictures)
        shares.append(objective.value(image[None], network, targets)[1])
    (now,) = prepared.iterates
    for term in ("gram", "content"):
        expected = np.mean([share[term] for share in shares])
        np.testing.assert_allclose(now.metrics["terms"][term][0, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(now.metrics["loss"][0, 0], np.mean([sum(share.values()) for share in shares]), rtol=1e-4)


def test_samples_are_of_the_first_photographs_and_going_on_gives_the_same_bytes(styles):
    pictures, crops = {"sources": styles[:1]}, photographs(2)
    prepared = training.prepare(config_with(), pictures, photographs=crops)
    # Each step takes the memory of the state before it.
    half, whole = (now._replace(state=jax.tree.map(np.array, now.state)) for now in prepared.iterates)
    generator, handling = training.build_generator(config_with(), 3, 1), training.to_images(config_with())
    expected = handling.to_images(jax.jit(generator.apply)(whole.state.weights, crops(0), np.ones((2, 1), np.float32)))
    np.testing.assert_allclose(whole.images[:, 0], expected, atol=1e-5)

    def load(images, state):
        assert images.shape == half.images.shape
        return half._replace(state=jax.tree.map(jnp.asarray, half.state))

    saved = optimize.Saved(0, load)
    (resumed,) = training.prepare(config_with(), pictures, None, saved, crops).iterates
    assert (half.step, resumed.step, whole.step) == (2, 4, 4)
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(resumed.state), whole.state)


@pytest.mark.parametrize("other", ["gram", "content"])
def test_a_term_that_counts_alone_falls(other: str, styles):
    config = config_with(**{f"terms.{other}.weight": 1e-9, "max_iter": 30, "save_every": 30})
    (last,) = training.prepare(config, {"sources": styles[:1]}, photographs=photographs(2)).iterates
    losses = last.metrics["loss"][:, 0]
    assert losses[-5:].mean() < 0.8 * losses[:5].mean()


def test_photographs_and_generator_have_to_suit_each_other(styles):
    pictures = {"sources": styles[:1]}
    with pytest.raises(errors.TexjaxError, match="restyles photographs, and none are given"):
        training.prepare(config_with(), pictures)
    texture = config_with(generator={"name": "pyramid", "widths": (2, 2)})
    with pytest.raises(errors.TexjaxError, match="makes textures of noise; leave the photographs out"):
        training.prepare(texture, pictures, photographs=photographs(2))


def test_turned_copies_of_the_photographs_are_refused(styles):
    config = configs.overridden(config_with(), {"terms.content.rotations": 1})
    with pytest.raises(errors.TexjaxError, match=r"terms.content.rotations is 1, .* set --config.terms.content.rotat"):
        training.prepare(config, {"sources": styles}, photographs=photographs(4))
