"""A convolution whose gradient is as fast inside a loop as outside it.

XLA on CPU has a fast path for convolutions with a plain HWIO kernel. The gradient that autodiff writes has its kernel
reversed and transposed instead; outside loops XLA rewrites it, inside `scan`, `map` or `while` it does not, and takes a
path that is 10 (jax 0.10) to 85 times (jax 0.12) slower. Unpadded convolutions miss the fast path of jax 0.10 as well.
So here the backward pass is again a plain forward convolution, with the kernel flipped explicitly, and every
convolution runs with padding k // 2 and is cropped afterwards where the network is unpadded.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def _plain(x: Array, kernel: Array, precision) -> Array:
    pads = [(k // 2, k // 2) for k in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (1, 1), pads, dimension_numbers=DIMENSIONS, precision=precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def same(
    x: Float[Array, "n h w i"], kernel: Float[Array, "kh kw i o"], precision: lax.PrecisionLike = None
) -> Float[Array, "n h w o"]:
    """Cross-correlation with stride 1 and zero padding; the kernel's sides are odd."""
    return _plain(x, kernel, precision)


def _forward(x, kernel, precision):
    return _plain(x, kernel, precision), (x, kernel)


def _backward(precision, residuals, cotangent):
    x, kernel = residuals
    flipped = jnp.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
    # The kernel's own gradient costs nothing where nobody asks for it: it is dead code then.
    _, pull = jax.vjp(lambda k: _plain(x, k, precision), kernel)
    return same(cotangent, flipped, precision), *pull(cotangent)


same.defvjp(_forward, _backward)


def general(
    lhs: Array, rhs: Array, window_strides, padding, *, dimension_numbers=None, precision=None, **settings
) -> Array:
    """`same` behind the signature of `lax.conv_general_dilated`, for Flax's `nn.Conv(conv_general_dilated=...)`.

    Padding "SAME" or "VALID"; stride 1, no dilation and no groups: the networks here use no others.
    """
    assert set(window_strides) == {1} and padding in ("SAME", "VALID"), (window_strides, padding)
    out: Any = same(lhs, rhs, precision)
    if padding == "SAME":
        return out
    (h, w), (kh, kw) = out.shape[1:3], rhs.shape[:2]
    return out[:, kh // 2 : h - kh // 2, kw // 2 : w - kw // 2]
