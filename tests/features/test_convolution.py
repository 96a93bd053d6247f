"""The convolution against SciPy, its gradients against sums and differences, and the form they are compiled in."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax import lax

from texjax.features import convolution

SHAPE, KERNEL = (2, 6, 7, 3), (3, 5, 3, 4)


def arrays(*shapes: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def correlate(x: np.ndarray, kernel: np.ndarray, mode: str) -> np.ndarray:
    """[n, h, w, i], [kh, kw, i, o] -> [n, h', w', o], plane by plane by SciPy."""
    out = [
        [
            sum(scipy.signal.correlate(image[..., i], kernel[..., i, o], mode) for i in range(kernel.shape[2]))
            for o in range(kernel.shape[3])
        ]
        for image in x
    ]
    return np.moveaxis(np.array(out), 1, -1)


@pytest.mark.parametrize("kernel_shape", [KERNEL, (1, 1, 3, 2)])
def test_same_equals_scipy(kernel_shape: tuple[int, ...]):
    x, kernel = arrays(SHAPE, kernel_shape)
    with jax.enable_x64(True):
        got: Any = convolution.same(jnp.asarray(x), jnp.asarray(kernel))
    np.testing.assert_allclose(got, correlate(x, kernel, "same"), atol=1e-13, rtol=0)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_general_equals_scipy_and_the_original(padding: str):
    x, kernel = arrays(SHAPE, KERNEL)
    settings: Any = dict(dimension_numbers=convolution.DIMENSIONS)
    with jax.enable_x64(True):
        got = convolution.general(jnp.asarray(x), jnp.asarray(kernel), (1, 1), padding, **settings)
        original = lax.conv_general_dilated(jnp.asarray(x), jnp.asarray(kernel), (1, 1), padding, **settings)
    np.testing.assert_allclose(got, correlate(x, kernel, padding.lower()), atol=1e-13, rtol=0)
    np.testing.assert_allclose(got, original, atol=1e-13, rtol=0)


def test_strides_and_explicit_padding_are_refused():
    x, kernel = jnp.ones((1, 6, 6, 3)), jnp.ones((3, 3, 3, 4))
    for strides, padding in (((2, 2), "SAME"), ((1, 1), [(1, 1), (1, 1)])):
        with pytest.raises(AssertionError):
            convolution.general(x, kernel, strides, padding)


def energy(x: jax.Array, kernel: jax.Array, probe: jax.Array, padding: str) -> jax.Array:
    """A function with second derivatives that are not zero."""
    return (probe * jnp.tanh(convolution.general(x, kernel, (1, 1), padding))).sum()


def numpy_energy(x: np.ndarray, kernel: np.ndarray, probe: np.ndarray, padding: str) -> float:
    return float((probe * np.tanh(correlate(x, kernel, padding.lower()))).sum())


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("argument", [0, 1])
def test_gradient_equals_finite_differences(padding: str, argument: int):
    x, kernel = arrays(SHAPE, KERNEL)
    (probe,) = arrays(correlate(x, kernel, padding.lower()).shape, seed=1)
    with jax.enable_x64(True):
        gradient = np.asarray(
            jax.grad(energy, argument)(jnp.asarray(x), jnp.asarray(kernel), jnp.asarray(probe), padding)
        )
    for seed in range(3):
        (direction,) = arrays((x, kernel)[argument].shape, seed=2 + seed)

        def value(step: float, direction: np.ndarray = direction) -> float:
            moved = [x, kernel]
            moved[argument] = moved[argument] + step * direction
            return numpy_energy(moved[0], moved[1], probe, padding)

        slope = (value(1e-5) - value(-1e-5)) / 2e-5
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("argument", [0, 1])
def test_second_order_equals_finite_differences(padding: str, argument: int):
    x, kernel = arrays(SHAPE, KERNEL)
    (probe,) = arrays(correlate(x, kernel, padding.lower()).shape, seed=1)
    (direction,) = arrays((x, kernel)[argument].shape, seed=2)

    def value(step: float) -> float:
        moved = [x, kernel]
        moved[argument] = moved[argument] + step * direction
        return numpy_energy(moved[0], moved[1], probe, padding)

    with jax.enable_x64(True):
        points, way, weight = [jnp.asarray(x), jnp.asarray(kernel)], jnp.asarray(direction), jnp.asarray(probe)

        def slope(at: jax.Array) -> jax.Array:
            here = [at if i == argument else point for i, point in enumerate(points)]
            return (jax.grad(energy, argument)(here[0], here[1], weight, padding) * way).sum()

        curvature = float((jax.grad(slope)(points[argument]) * way).sum())
    want = (value(1e-4) - 2 * value(0) + value(-1e-4)) / 1e-8
    assert curvature == pytest.approx(want, rel=1e-4)


def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=convolution.DIMENSIONS)


def in_scan(convolve, steps: int = 3):
    """Descent on the square of a convolution: (x, kernel) -> x after `steps` steps."""

    def descend(x: jax.Array, kernel: jax.Array) -> jax.Array:
        def body(x, _):
            return x - 0.01 * jax.grad(lambda x: (convolve(x, kernel) ** 2).sum())(x), None

        return lax.scan(body, x, None, steps)[0]

    return descend


def test_gradient_in_a_scan_equals_the_gradient_outside():
    x, kernel = (jnp.asarray(array, jnp.float32) for array in arrays((1, 6, 7, 3), (3, 3, 3, 4)))
    got, want = jax.jit(in_scan(convolution.same))(x, kernel), jnp.asarray(x)
    for _ in range(3):
        want = want - 0.01 * jax.grad(lambda x: (plain(x, kernel) ** 2).sum())(want)
    np.testing.assert_allclose(got, want, atol=1e-5, rtol=0)


def layouts(convolve) -> set[str]:
    """The layouts in which the two convolutions of a scan read their kernels, before XLA: "0,1,i,o" is plain."""
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((1, 32, 32, 8), (3, 3, 8, 16))]
    text = jax.jit(in_scan(convolve)).lower(*shapes).as_text()
    # dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {..., reverse = [false, false]}
    calls = [line.replace(" ", "") for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(calls) == 2, "one forward, one backward"
    assert all("reverse=[false,false]" in call for call in calls)
    return {re.findall(r"\]x\[(.*?)\]->", call)[0] for call in calls}


def test_no_kernel_is_read_transposed_in_a_loop():
    assert layouts(convolution.same) == {"0,1,i,o"}
    # Autodiff of the plain convolution transposes the kernel, which is why this module exists.
    assert layouts(plain) == {"0,1,i,o", "0,1,o,i"}
