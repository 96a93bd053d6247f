"""The pyramid of noise, layer by layer in NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, generators, types

WIDTHS = (3, 5, 4)  # finest first
SIZE = (12, 20)


class Reference:
    """The forward pass in float64; `train` normalizes by the statistics of the stack, and keeps them."""

    def __init__(self, weights: Any, codes: np.ndarray, train: bool):
        self.params, self.statistics = (jax.tree.map(np.float64, weights[key]) for key in ("params", "batch_stats"))
        self.codes, self.train = codes, train
        self.batch: dict[str, dict[str, np.ndarray]] = {}

    def convolved(self, x: np.ndarray, number: int) -> np.ndarray:
        """3 x 3 pixels over opposite edges, each neighbor at a time."""
        kernel = self.params[f"Conv_{number}"]["kernel"]
        return np.sum([np.roll(x, (1 - i, 1 - j), (1, 2)) @ kernel[i, j] for i in range(3) for j in range(3)], axis=0)

    def normalized(self, x: np.ndarray, number: int) -> np.ndarray:
        name = f"CodedNorm_{number}"
        self.batch[name] = {"mean": x.mean((0, 1, 2)), "var": x.var((0, 1, 2))}
        used = self.batch[name] if self.train else self.statistics[name]["BatchNorm_0"]
        scale, offset = (self.codes @ self.params[name][key] for key in ("scales", "offsets"))
        x = (x - used["mean"]) / np.sqrt(used["var"] + 1e-5)
        return x * scale[:, None, None] + offset[:, None, None]

    def images(self, octaves: list[np.ndarray]) -> np.ndarray:
        number, x = 0, np.zeros((0,))
        for level in reversed(range(len(WIDTHS))):
            x = octaves[level] if number == 0 else np.concatenate([x.repeat(2, 1).repeat(2, 2), octaves[level]], -1)
            for _ in range(2):
                x = self.normalized(self.convolved(x, number), number)
                x, number = np.where(x > 0, x, 0.01 * x), number + 1
        return x @ self.params["Dense_0"]["kernel"] + self.params["Dense_0"]["bias"]


@pytest.fixture(scope="module")
def problem() -> tuple[types.Generator, Any, list[jax.Array], np.ndarray]:
    """A generator for two sources with random parameters and statistics, noise of two pictures, and their codes."""
    generator, rng = generators.pyramid(3, 2, widths=WIDTHS), np.random.default_rng(0)
    shapes = jax.eval_shape(generator.init, jax.random.key(0))
    weights = jax.tree.map(lambda x: jnp.asarray(rng.uniform(-1, 1, x.shape), x.dtype), shapes)
    weights["batch_stats"] = jax.tree.map(lambda x: jnp.abs(x) + 0.1, weights["batch_stats"])
    octaves = [rng.uniform(-1, 1, (2, SIZE[0] // 2**i, SIZE[1] // 2**i, 3)) for i in range(len(WIDTHS))]
    codes = np.array([[1.0, 0.0], [0.3, 0.7]])
    return generator, weights, [jnp.asarray(x, jnp.float32) for x in octaves], codes


def test_noise_enters_at_every_octave(problem):
    """Each octave's is drawn of a key of its own."""
    draw: Any = problem[0].draw
    octaves = jax.jit(lambda key: draw(key, types.Window(0, 0, *SIZE, SIZE)))(jax.random.key(0))
    assert [x.shape for x in octaves] == [(12, 20, 3), (6, 10, 3), (3, 5, 3)]
    assert not np.intersect1d(octaves[0], octaves[1]).size


def test_apply_equals_numpy(problem):
    generator, weights, octaves, codes = problem
    expected = Reference(weights, codes, train=False).images([np.asarray(x, np.float64) for x in octaves])
    images = jax.jit(generator.apply)(weights, octaves, jnp.asarray(codes, jnp.float32))
    assert expected.std() > 0.1
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_train_equals_numpy_and_returns_the_running_means(problem):
    """A twentieth of each statistic is that of the stack."""
    generator, weights, octaves, codes = problem
    reference = Reference(weights, codes, train=True)
    expected = reference.images([np.asarray(x, np.float64) for x in octaves])
    images, renewed = jax.jit(generator.train)(weights, octaves, jnp.asarray(codes, jnp.float32))
    np.testing.assert_allclose(images, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    for name, batch in reference.batch.items():
        for key, value in batch.items():
            mixed = 0.95 * reference.statistics[name]["BatchNorm_0"][key] + 0.05 * value
            np.testing.assert_allclose(renewed["batch_stats"][name]["BatchNorm_0"][key], mixed, rtol=1e-4, atol=1e-5)
    assert set(renewed["batch_stats"]) == set(reference.batch)


def test_sides_are_multiples_of_a_pixel_of_the_coarsest_octave():
    for widths, multiple in (((4,), 1), ((4, 4), 2), ((4,) * 6, 32)):
        assert generators.pyramid(3, 1, widths=widths).multiple == multiple


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((), "the number of generator.widths is 0; give a whole number from 1 to 10"),
        ((1,) * 11, "the number of generator.widths is 11"),
        ((4, 0), r"generator.widths\[1\] is 0; give a whole number from 1 to 512"),
    ],
)
def test_bad_widths_are_refused(widths: Any, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        generators.pyramid(3, 1, widths=widths)
