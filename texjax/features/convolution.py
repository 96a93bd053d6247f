"""A convolution whose gradient is as fast inside a loop as outside it.

XLA on CPU has a fast path for convolutions with a plain HWIO kernel. The gradient that autodiff derives has a reversed
and transposed kernel instead. XLA rewrites that kernel outside of loops, but not inside `scan`, `map` or `while`, where
it takes a path that is 10 (jax 0.10) to 85 times (jax 0.12) slower. Unpadded convolutions also miss the fast path of
jax 0.10. So the backward pass here is again a plain forward convolution, with an explicitly flipped kernel, and every
convolution runs with padding k // 2; for an unpadded network the result is cropped.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def _plain(x: Array, kernel: Array, precision: lax.PrecisionLike) -> Array:
    pads = [(side // 2, side // 2) for side in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=DIMENSIONS, precision=precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def same(
    x: Float[Array, "n h w i"], kernel: Float[Array, "kh kw i o"], precision: lax.PrecisionLike = None
) -> Float[Array, "n h w o"]:
    """Cross-correlate with stride 1 and zero padding; the sides of the kernel are odd."""
    return _plain(x, kernel, precision)


def _forward(x, kernel, precision):
    return _plain(x, kernel, precision), (x, kernel)


def _backward(precision, residuals, cotangent):
    x, kernel = residuals
    flipped = jnp.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
    # Where nobody asks for the kernel's own gradient it is dead code and costs nothing.
    _, vjp = jax.vjp(lambda k: _plain(x, k, precision), kernel)
    return same(cotangent, flipped, precision), *vjp(cotangent)


same.defvjp(_forward, _backward)


def general(
    lhs: Array, rhs: Array, window_strides, padding, *, dimension_numbers=None, precision=None, **settings
) -> Array:
    """Run `same` behind the signature of `lax.conv_general_dilated`, for Flax's `nn.Conv(conv_general_dilated=...)`.

    The padding is "SAME" or "VALID", with stride 1 and without dilation or groups: the networks here use nothing else.
    """
    assert set(window_strides) == {1} and padding in ("SAME", "VALID"), (window_strides, padding)
    padded: Any = same(lhs, rhs, precision)
    if padding == "SAME":
        return padded
    (h, w), (kh, kw) = padded.shape[1:3], rhs.shape[:2]
    return padded[:, kh // 2 : h - kh // 2, kw // 2 : w - kw // 2]
