"""A network of convolutions on CPU by oneDNN, which uses more of the processor than the convolutions of XLA.

`texjax/native` holds the C++ source; `native_build` compiles it, and without that everything runs by XLA. Two calls of
XLA's FFI, forward and backward, compute a whole network each, so that between layers the numbers stay as oneDNN wants
them. Other platforms than CPU, float64 images and second derivatives take XLA's path.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from texjax.features import grids, native_library

PADDINGS = ("valid", "same", "reflect", "circular")

Params = Sequence[dict[str, Array]]  # kernel [k, k, i, o] and bias [o] of each convolution
Maps = tuple[Array, ...]  # [h, w, c] of layers, and [c, c] of moments
# [h + w] for each layer of moments: 1 or 0, whether each row and then each column of it counts; none where all do.
Masks = tuple[Array, ...]


class Chain(NamedTuple):
    """A network, as the library's calls take it.

    sides: of the kernel of each operation, a convolution with bias and ReLU; 0 for a pooling of 2 x 2.
    channels: that each operation returns.
    sizes: [h, w] that each operation returns.
    layers: the operations whose results are returned.
    moments: the operations of whose results X [pixels, c] the second moments X^T X are returned.
    image: [h, w, c] of the image.
    max: whether poolings take the largest value, or else the average.
    bf16: whether the numbers are bfloat16, with sums of float32, or else float32.
    """

    sides: tuple[int, ...]
    channels: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    layers: tuple[int, ...]
    moments: tuple[int, ...]
    image: tuple[int, int, int]
    padding: str
    max: bool = False
    bf16: bool = False

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of a call."""
        lists = {
            **{"sides": self.sides, "channels": self.channels, "shape": self.image},
            **{"layers": self.layers, "moments": self.moments},
        }
        numbers = {"padding": PADDINGS.index(self.padding), "max": self.max, "bf16": self.bf16}
        return {
            **{name: np.array(values, np.int64) for name, values in lists.items()},
            **{name: np.int64(value) for name, value in numbers.items()},
        }

    def results(self) -> list[jax.ShapeDtypeStruct]:
        """Return the shapes of the layers and of the moments."""
        layers = [(*self.sizes[i], self.channels[i]) for i in self.layers]
        moments = [(self.channels[i], self.channels[i]) for i in self.moments]
        return [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in layers + moments]

    def kept(self) -> jax.ShapeDtypeStruct:
        """Return the shape of what the forward call keeps for the backward call, see `Network` in `network.h`."""
        total = 0
        shapes = zip((self.image[:2], *self.sizes), (self.image[2], *self.channels), (*self.sides, 0), strict=True)
        for (height, width), channels, side in shapes:
            border = 0 if self.padding == "valid" else side // 2
            total += math.ceil((height + 2 * border) * (width + 2 * border) * channels / 64) * 64
        return jax.ShapeDtypeStruct((total,), jnp.bfloat16 if self.bf16 else jnp.float32)


def chain(
    operations: Sequence[tuple[str, int | None]],
    layers: Sequence[str],
    moments: Sequence[str],
    shape: tuple[int, ...],
    padding: str,
    **settings: bool,
) -> Chain:
    """Return a network of convolutions of 3 x 3 and of poolings.

    operations: names, and channels or None for a pooling. shape: [h, w, c] of the image.
    """
    names, channels = [name for name, _ in operations], []
    for _, width in operations:
        channels.append(channels[-1] if width is None else width)
    height, width, depth = shape
    sizes = [grids.of_network(names, padding, name).size for name in names]
    return Chain(
        sides=tuple(0 if width is None else 3 for _, width in operations),
        channels=tuple(channels),
        sizes=tuple((size(height), size(width)) for size in sizes),
        layers=tuple(names.index(layer) for layer in layers),
        moments=tuple(names.index(layer) for layer in moments),
        image=(height, width, depth),
        padding=padding,
        **settings,
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def activations(chain: Chain, other: Callable[..., Maps], image: Array, params: Params, masks: Masks = ()) -> Maps:
    """Return the layers and the moments of `chain` for a float32 image [h, w, c]. There is no gradient to the masks.

    other: the same function of (image, params, masks) by XLA, for other platforms and second derivatives.
    """

    def native(image: Array, params: Params, masks: Masks) -> Maps:
        return _call("texjax_forward", chain, chain.results(), image, *_flat(params), *masks)

    return lax.platform_dependent(image, params, masks, cpu=native, default=other)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _with_maps(chain: Chain, other: Callable, image: Array, params: Params, masks: Masks) -> tuple[Maps, Array]:
    """The layers and the moments, and all maps of the network for the way back."""
    kept = chain.kept()

    def native(image: Array, params: Params, masks: Masks) -> tuple[Maps, Array]:
        *layers, maps = _call("texjax_forward", chain, [*chain.results(), kept], image, *_flat(params), *masks)
        return tuple(layers), maps

    def by_xla(image: Array, params: Params, masks: Masks) -> tuple[Maps, Array]:
        return other(image, params, masks), jnp.zeros(kept.shape, kept.dtype)

    return lax.platform_dependent(image, params, masks, cpu=native, default=by_xla)


def _forward(chain: Chain, other: Callable, image: Array, params: Params, masks: Masks) -> tuple[Maps, Any]:
    layers, maps = cast(Any, _with_maps)(chain, other, image, params, masks)
    return layers, (image, params, masks, maps)


def _backward(chain: Chain, other: Callable, residuals: Any, cotangents: Maps) -> tuple[Array, Params, None]:
    return *cast(Any, _pullback)(chain, other, *residuals, cotangents), None


activations.defvjp(_forward, _backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _pullback(
    chain: Chain, other: Callable, image: Array, params: Params, masks: Masks, maps: Array, cotangents: Maps
) -> tuple[Array, Params]:
    """The gradients of image and parameters, by two calls: the one that nobody asks for is dead code."""
    like_image = jax.ShapeDtypeStruct(image.shape, image.dtype)
    like_params = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in _flat(params)]

    def call(like: list[jax.ShapeDtypeStruct], params: Params, masks: Masks, maps: Array, cotangents: Maps) -> Any:
        return _call("texjax_backward", chain, like, maps, *_flat(params), *cotangents, *masks)

    def of_image(image: Array, *operands: Any) -> Array:
        return call([like_image], *operands)[0]

    def of_params(image: Array, *operands: Any) -> Params:
        flat = iter(call(like_params, *operands))
        return [dict(zip(("kernel", "bias"), pair, strict=True)) for pair in zip(flat, flat, strict=True)]

    def by_xla(which: int) -> Callable[..., Any]:
        return lambda image, params, masks, maps, cotangents: _by_xla(other, image, params, masks, cotangents)[which]

    arguments = (image, params, masks, maps, cotangents)
    return (
        lax.platform_dependent(*arguments, cpu=of_image, default=by_xla(0)),
        lax.platform_dependent(*arguments, cpu=of_params, default=by_xla(1)),
    )


def _by_xla(other: Callable, image: Array, params: Params, masks: Masks, cotangents: Maps) -> tuple[Array, Params]:
    return jax.vjp(lambda image, params: other(image, params, masks), image, params)[1](cotangents)


# Second derivatives: of the functions that XLA computes, which these two equal.
def _with_maps_forward(chain: Chain, other: Callable, *arguments: Any) -> tuple[Any, Any]:
    return _with_maps(chain, other, *arguments), arguments


def _with_maps_backward(chain: Chain, other: Callable, residuals: Any, cotangents: Any) -> Any:
    image, params, masks = residuals
    return *_by_xla(other, image, params, masks, cotangents[0]), None


def _pullback_forward(chain: Chain, other: Callable, *arguments: Any) -> tuple[Any, Any]:
    return cast(Any, _pullback)(chain, other, *arguments), arguments


def _pullback_backward(chain: Chain, other: Callable, residuals: Any, cotangents: Any) -> Any:
    image, params, masks, maps, of_layers = residuals

    def gradients(image: Array, params: Params, of_layers: Maps) -> tuple[Array, Params]:
        return _by_xla(other, image, params, masks, of_layers)

    of_image, of_params, of_cotangents = jax.vjp(gradients, image, params, of_layers)[1](cotangents)
    return of_image, of_params, None, jnp.zeros_like(maps), of_cotangents


_with_maps.defvjp(_with_maps_forward, _with_maps_backward)
_pullback.defvjp(_pullback_forward, _pullback_backward)


def _call(target: str, chain: Chain, results: Sequence[jax.ShapeDtypeStruct], *operands: Array) -> Any:
    native_library.load()
    # Each vmap adds an axis in front of all operands, of size 1 where an operand is not mapped: a batch is one call.
    return tuple(jax.ffi.ffi_call(target, results, vmap_method="expand_dims")(*operands, **chain.attributes()))


def _flat(params: Params) -> list[Array]:
    return [part[name] for part in params for name in ("kernel", "bias")]
