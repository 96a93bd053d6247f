"""Array aliases, the image convention and the contracts of the three exchangeable parts.

The convention, everywhere: an `image` is float32 `[h, w, c]`, sRGB in [0, 1], with c = 3, or c = 1 where it is gray;
`images` is a stack `[n, h, w, c]`. Networks take three channels, which `synthesis.scene` makes of a gray image. Each
extractor does its own channel order, scaling and mean shift inside. Arrays are channels-last.

The contracts are NamedTuples of pure functions: settings go in by closure, arrays by argument. Network weights and
targets are arguments of every jitted function and never captured constants.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Num, PyTree

from texjax import errors

Image = Float[Array, "h w c"]
Images = Float[Array, "n h w c"]
# What public functions take: arrays of NumPy or JAX, whose sizes need not agree with those of other arguments.
AnyImage = Float[Array | np.ndarray, "_ _ _"]
AnyImages = Float[Array | np.ndarray, "*n _ _ _"]
Feature = Float[Array, "... h w c"]
Features = dict[str, Float[Array, "... _ _ _"]]
Mask = Float[Array, "h w"]
Scalar = Num[Array, ""]
PRNGKey = Key[Array, ""]
PRNGKeys = Key[Array, " n"]
Weights = PyTree[Any]
# {layer: (rows [h'], columns [w'])}, 1 or 0: the pixels of the layer that count, where both their row and column do.
Masks = dict[str, tuple[Float[Array, "_"], Float[Array, "_"]]]


class Grid(NamedTuple):
    """How the outputs of a layer lie over the pixels of the image, along one axis; both axes are alike.

    stride: pixels between neighboring outputs.
    receptive: pixels that one output depends on.
    spoiled: outputs, counted from a cut edge, that differ because the image was cut there and padded.
    size: number of outputs for an image side in pixels; 0 or less where the image is too small.
    """

    stride: int
    receptive: int
    spoiled: int
    size: Callable[[int], int]

    def smallest_side(self) -> int:
        """Return the smallest image side, in pixels, for which the layer has an output."""
        return next(side for side in itertools.count(1) if self.size(side) > 0)


class Moments(NamedTuple):
    """Second moments of the features of a layer, as sums over its pixels.

    outer: [c, c], the sum of F_p F_p^T; [n, c, c] for a stack of images.
    count: [], the number of pixels, or the sum of their mask; [n] for a stack.
    """

    outer: Float[Array, "*n c c"]
    count: Float[Array, "*n"]


# No NamedTuple: jax.jit keeps weak references to the functions it compiles, which tuples do not allow.
@dataclasses.dataclass(frozen=True, eq=False)
class Extractor:
    """A frozen network with named activations; it can be called, and it is compared and hashed by identity.

    weights: frozen arrays, to be passed back to `apply` as an argument.
    apply: (weights, image [h, w, 3], layers) -> {layer: [h', w', c]}, without checks; "pixels" is the image itself.
    layers: the names that `apply` knows.
    grid: layer -> Grid.
    moments: (weights, image [h, w, 3], layers, layers of moments, masks or None) -> ({layer: [h', w', c]},
        {layer: Moments}), where the network has a faster way to second moments than through the features; else None.
        With masks those pixels of each layer count in its moments whose row and column do.
    circular: whether the network continues images periodically at their edges.
    """

    weights: Weights
    apply: Callable[..., Features]
    layers: tuple[str, ...]
    grid: Callable[[str], Grid]
    moments: Callable[..., tuple[Features, dict[str, Moments]]] | None = None
    circular: bool = False

    def __call__(self, image: Array | np.ndarray, layers: Sequence[str]) -> Features:
        """Return the features of an image, or of each image of a stack, at the named layers.

        This works inside `jax.jit`, `jax.grad` and `jax.vmap`, and as `jax.jit(extractor, static_argnums=1)`. There the
        weights become constants of the compiled program; `apply` takes them as an argument.

        Args:
            image: [h, w, 3] or a stack [n, h, w, 3], floats, sRGB in [0, 1].
            layers: names out of `self.layers`, such as ("conv1_1", "pool2").

        Returns:
            {layer: [h', w', c]}, or {layer: [n, h', w', c]} for a stack.

        Raises:
            TexjaxError: for an unknown layer, an array of another shape or of integers, and an image that is too small.
        """
        images = jnp.asarray(image)
        self._check(images, layers)

        def features(image: Array) -> Features:
            return self.apply(self.weights, image, tuple(layers))

        return jax.vmap(features)(images) if images.ndim == 4 else features(images)

    def _check(self, images: Array, layers: Sequence[str]) -> None:
        """Raise TexjaxError unless the layers exist, and the images have the shape, type and size that they need."""
        if isinstance(layers, str):
            raise errors.TexjaxError(f"layers is the string '{layers}'; give a tuple of names, such as ('{layers}',).")
        sides = {layer: self.grid(layer).smallest_side() for layer in layers}
        if images.ndim not in (3, 4) or images.shape[-1] != 3:
            raise errors.TexjaxError(
                f"the image has shape {list(images.shape)}; give [height, width, 3], or a stack [n, height, width, 3]."
            )
        if not jnp.issubdtype(images.dtype, jnp.floating):
            raise errors.TexjaxError(
                f"the image holds values of type {images.dtype}; give floats in [0, 1] (divide uint8 by 255)."
            )
        height, width = images.shape[-3:-1]
        largest = max(sides.values(), default=0)
        if min(height, width) < largest:
            layer = next(layer for layer in layers if sides[layer] == largest)
            raise errors.TexjaxError(
                f"the image is {width} x {height} px, and layer {layer} needs at least {largest} px on each side; give "
                "a larger image or a shallower layer."
            )


class View(NamedTuple):
    """What a loss sees of a stack of images at one place: one layer of one octave.

    octave: counted from the full-size picture, at the smaller resolutions of a schedule as well.
    layer: name of the layer.
    weight: octave weight times layer weight; the weight of the term is applied to the loss as a whole.
    features: [n, h, w, c], of the n images of the stack.
    mask: [h, w] in [0, 1], how much each pixel of the layer counts; None where all of them count.
    moments: the second moments of the features, where the loss reads nothing else; the features are then empty.
    """

    octave: int
    layer: str
    weight: float
    features: Float[Array, "n h w c"]
    mask: Mask | None = None
    moments: Moments | None = None


class Additive(NamedTuple):
    """How a loss is computed from sums over space, so that tiles, regions and devices can each add their share.

    measure: (view, target of the place) -> sums over the pixels of the layer, for the stack. Each pixel's share is
        multiplied by the mask.
    distance: (list of the sums at all places, views, target) -> scalar. It reads the octaves and weights of the
        views, and no features.
    halo: pixels of the layer that a pixel's share depends on, to every side.
    stride: a tile has to begin at a multiple of so many pixels of the layer.
    aligned: the target at a place is a map over the image, so that a tile needs its part of the target.
    circular: the first pixels of the layer are neighbors of the last ones, so that the sums add over tiles only where
        the network wraps around too.
    """

    measure: Callable[..., Any]
    distance: Callable[..., Scalar]
    halo: int = 0
    stride: int = 1
    aligned: bool = False
    circular: bool = False


class Loss(NamedTuple):
    """What is compared between a stack of images and their sources. `losses.places` has helpers that build one.

    summarize: (views of one source, a stack of one) -> summary. It is jitted, and one source at a time is in memory.
    join: (list of summaries, one for each source) -> target. It runs on the host.
    value: (views of the stack, target) -> scalar; with `refresh`, (views, target, choice) -> scalar.
    refresh: (views, target, previous choice or None, key) -> choice: what is chosen anew before the first of every
        `period` steps of the optimizer and is constant in between, such as matches or random projections. The choice
        is kept apart from the target, as each output has its own choice while all outputs share one target.
    period: optimizer steps between two refreshes.
    additive: how the value follows from sums over space; None where it does not, as then tiles cannot compute it.
    least: pixels of the layer that the loss needs on each side.
    moments: whether the loss reads nothing of the features but their second moments, so that `View.moments` suffices.
    """

    summarize: Callable[..., Any]
    join: Callable[..., Any]
    value: Callable[..., Scalar]
    refresh: Callable[..., Any] | None = None
    period: int = 1
    additive: Additive | None = None
    least: int = 1
    moments: bool = False


class Exemplars(NamedTuple):
    """Which pictures a term compares with.

    group: "sources", "content" (the picture that a transfer keeps) or "analogy" (A, A' and B).
    rotations: turned copies beside each picture, steps to either side, see `images.copies`.
    scales: enlarged and reduced copies likewise.
    """

    group: str = "sources"
    rotations: int = 0
    scales: int = 0


class Term(NamedTuple):
    """One named line of a config: a loss, its weight, and where and with what it compares.

    layers: layer -> weight.
    octave_weights: one weight for each octave, or empty for 1 everywhere.
    exemplars: the pictures that the target is computed from.
    """

    name: str
    loss: Loss
    weight: float
    layers: dict[str, float]
    octave_weights: tuple[float, ...] = ()
    exemplars: Exemplars = Exemplars()

    def places(self, octaves: int) -> dict[tuple[int, str], float]:
        """Return (octave, layer) -> octave weight times layer weight, without the places that weigh 0.

        Raises TexjaxError where the number of octave weights is not that of the octaves.
        """
        octave_weights = self.octave_weights or (1.0,) * octaves
        if len(octave_weights) != octaves:
            raise errors.TexjaxError(
                f"term {self.name} has {len(octave_weights)} octave weights for {octaves} octaves; give one each, or "
                f"none."
            )
        return {
            (octave, layer): octave_weight * layer_weight
            for octave, octave_weight in enumerate(octave_weights)
            for layer, layer_weight in self.layers.items()
            if self.weight * octave_weight * layer_weight
        }


class Minimizer(NamedTuple):
    """An optimizer of images, as pure functions of a state that holds everything the optimizer remembers.

    A minimizer is built by `name(objective, **settings)`, where objective(images, *args) -> (loss, terms).

    init: (images [n, h, w, 3], *args) -> state, which holds the first evaluation and its scaling.
    step: (state, *args) -> state after one iteration.
    renew: (state, *args) -> state with the same images and history, evaluated with changed arguments.
    read: state -> (images, metrics); the metrics are those of `optimizers.scaling.metrics`.
    """

    init: Callable[..., Any]
    step: Callable[..., Any]
    renew: Callable[..., Any]
    read: Callable[[Any], tuple[Images, dict[str, Any]]]


class Window(NamedTuple):
    """A part of a picture, in pixels; beyond an edge it goes on at the opposite one.

    top, left: row and column of the whole picture where it begins; they may be traced. height, width: of the window.
    whole: height and width of the whole picture.
    """

    top: Any
    left: Any
    height: int
    width: int
    whole: tuple[int, int]


class Generator(NamedTuple):
    """A network that makes pictures at once, as pure functions of its parameters.

    A generator is built by `name(channels, sources, **settings)`, for images of so many channels and so many sources.
    What it returns are variables, which a range handling of the optimizers turns into images. `codes` [n, sources] say
    how much of each source the pictures are to have; a row adds up to 1.

    init: key -> parameters, {"params": ...} and perhaps {"batch_stats": ...}.
    draw: (key, window) -> noise of that window of a picture, the same in every window that has a pixel; None for a
        generator that restyles photographs, whose inputs are images [h, w, c] instead.
    train: (parameters, inputs [n, ...], codes) -> (variables [n, h, w, c], parameters with new statistics).
    apply: (parameters, inputs [n, ...], codes) -> variables [n, h, w, c].
    multiple: sides of windows and pictures, and places of windows, are multiples of so many pixels.
    halo: pixels at the edges of a window that differ from those of the whole picture, a multiple of `multiple`; None
        where a pixel depends on the whole picture.
    """

    init: Callable[..., Any]
    draw: Callable[..., Any] | None
    train: Callable[..., Any]
    apply: Callable[..., Any]
    multiple: int = 1
    halo: int | None = None
