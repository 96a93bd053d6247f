"""Array aliases, the image convention and the contracts of the three exchangeable parts.

The convention, everywhere: an `image` is float32 `[h, w, 3]`, sRGB in [0, 1]; `images` is a stack `[n, h, w, 3]`.
Each extractor does its own channel order, scaling and mean shift inside. Arrays are channels-last.

The contracts are NamedTuples of pure functions: settings go in by closure, arrays by argument. Network weights and
targets are arguments of every jitted function and never captured constants.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Key, Num, PyTree

Image = Float[Array, "h w 3"]
Images = Float[Array, "n h w 3"]
Feature = Float[Array, "... h w c"]
Features = dict[str, Float[Array, "... _ _ _"]]
Mask = Float[Array, "h w"]
Scalar = Num[Array, ""]
PRNGKey = Key[Array, ""]
Weights = PyTree[Any]


class Grid(NamedTuple):
    """How a layer's outputs lie over the pixels of the image it is computed from (one axis; both axes are alike).

    stride: pixels between neighboring outputs.
    receptive: pixels that one output sees.
    spoiled: outputs, counted from a cut edge, that differ because the image was cut there and padded.
    size: number of outputs for an image side in pixels; 0 or less where the image is too small.
    """

    stride: int
    receptive: int
    spoiled: int
    size: Callable[[int], int]


class Extractor(NamedTuple):
    """A frozen network with named activations.

    weights: frozen arrays, to be passed back to `apply` as an argument.
    apply: (weights, image [h, w, 3], layers) -> {layer: [h', w', c]}; "pixels" is the image itself.
    layers: the names that `apply` knows.
    grid: layer -> Grid.
    """

    weights: Weights
    apply: Callable[..., Features]
    layers: tuple[str, ...]
    grid: Callable[[str], Grid]


class Loss(NamedTuple):
    """What is compared between an image and its sources, at one layer of one octave.

    What is measured adds over space: sums over tiles, devices and regions are sums of `measure`.

    summarize: (features [h, w, c], mask [h, w] or None) -> what is kept of one source. Jitted; one source at a time
        is in memory, so any number can be joined.
    join: (list of summaries) -> target, on the host.
    measure: (features, target, mask) -> sums over space.
    distance: (sums, target) -> scalar, or what `pool` makes one of.
    reach: pixels of the layer that an entry looks right and down (patches: k - 1, smoothness: 1).
    back: pixels of the layer that an entry looks left and up (patches that overlap: k - 1).
    stride: a tile begins at a multiple of so many pixels of the layer (patches lie on a grid).
    least: pixels of the layer needed on each side, where that is more than reach + 1.
    aligned: the target is a map over the image, to be cut like it (content, analogy), and not shared by all places.
    joint: measure and distance see the stack [n, h, w, c] and not one image (inter-frame, novelty).
    pool: (list of distances at a term's octaves and layers, times their weights) -> scalar.
    prepare: (features, target, what it gave before or None) -> what of an image holds for some steps, such as the
        matches of its patches; None where nothing does. Given to measure as a fourth argument; measure without it does
        as if prepared anew.
    period: steps that what is prepared holds for, before the first of which it is prepared; 1 leaves it to measure.
    """

    summarize: Callable[..., Any]
    join: Callable[..., Any]
    measure: Callable[..., Any]
    distance: Callable[..., Any]
    reach: int = 0
    aligned: bool = False
    joint: bool = False
    pool: Callable[[list[Any]], Any] = sum
    back: int = 0
    stride: int = 1
    prepare: Callable[..., Any] | None = None
    period: int = 1
    least: int = 1


class Minimizer(NamedTuple):
    """An optimizer of images as pure functions of a state that holds all it needs.

    Made by `name(objective, **settings)`.
    init: (images [n, h, w, 3], *args) -> state, which holds the first evaluation and its scaling.
    step: (state, *args) -> state, one iteration.
    renew: (state, *args) -> state, for other args than before: the same images and history, evaluated anew.
    read: state -> (images, metrics); metrics are those of `optimizers.scaling.metrics`.
    """

    init: Callable[..., Any]
    step: Callable[..., Any]
    renew: Callable[..., Any]
    read: Callable[[Any], tuple[Images, dict[str, Any]]]
