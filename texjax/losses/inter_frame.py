"""The distance between frames of an animation: as far as the source is from itself, moved by a few pixels.

With f the layer "pixels" of octave o (0 is the full size), in levels of 1/255:
l2    d = sqrt(mean (f_i - f_j)^2), with slope 0 where frames are equal, so that frames have to start apart.
lap1  d = 2^(1-o) mean |l_i - l_j|, where l = f - expand(reduce(f)) is the octave of the Laplacian pyramid.

What differs from the original: the source is moved within the octave, by shift / 2^o of its pixels, and not before
it is reduced; and l is computed from the octave itself, mirrored at the borders. So lap1, unlike l2, does not add
over tiles: within some four pixels of a cut it would see the cut.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, pyramid, types, validate
from texjax.losses import places

# Differences are counted in 8-bit levels, as in the original, so that its weight of 1 keeps its meaning.
LEVELS = 255


class Distance(NamedTuple):
    """A distance between frames: `root` of the mean of `size` of the differences between transformed frames.

    base: the frames are multiplied by base^(1 - o) at octave o.
    """

    transform: Callable[[types.Feature], types.Feature]
    size: Callable[[Array], Array]
    root: Callable[[Array], Array]
    base: float
    adds_over_tiles: bool


def _root(x: Array) -> Array:
    """The square root, with slope 0 at 0, where the slope of the square root is infinite."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)


def _detail(octave: types.Feature) -> types.Feature:
    """The octave of the Laplacian pyramid that belongs to an octave [h, w, c] of the Gaussian pyramid."""
    coarser = pyramid.reduce(octave, padding="reflect")
    return octave - pyramid.expand(coarser, (octave.shape[0], octave.shape[1]), padding="reflect")


DISTANCES = {
    "l2": Distance(lambda frame: frame, jnp.square, _root, base=1.0, adds_over_tiles=True),
    "lap1": Distance(_detail, jnp.abs, lambda x: x, base=2.0, adds_over_tiles=False),
}


def inter_frame(*, shift: int | float = 5.0, order: int = 2, distance_type: str = "l2", octaves: int = 1) -> types.Loss:
    """sum_{s=1..order} mean_i (d_s(i) - s t)^2, over the frames i of a loop (Snelgrove 2017, subjective-functions).

    d_s(i) is the distance between the frames f_i and f_(i+s) mod n at one octave. The target t is the distance between
    the first source and itself moved by `shift` pixels down, averaged with the distance after moving it to the right;
    pixels that leave at one side enter at the other. Between whole pixels t is interpolated linearly.

    The sums of a place are {"sum": [order, n] over pixels and channels, "count": [] number of summands}, and its target
    is the scalar t of the first source.

    Args:
        shift: pixels of octave 0.
        order: how many of the next frames each frame is compared with, less than the number of frames.
        distance_type: "l2" or "lap1", see the module's docstring.
        octaves: how many octaves are compared, at most, counted from the full size.

    Raises:
        TexjaxError: for an unknown distance and numbers out of range; its value, where there are too few frames.
    """
    if distance_type not in DISTANCES:
        raise errors.unknown("inter-frame distance", distance_type, DISTANCES)
    validate.real("shift of the inter-frame loss", shift, 0)
    validate.whole("order of the inter-frame loss", order, 1)
    validate.whole("octaves of the inter-frame loss", octaves, 1)
    kind = DISTANCES[distance_type]

    def summarize(views: Sequence[types.View]) -> list[types.Scalar]:
        summaries = []
        for view in views:
            whole, part = divmod(shift / 2**view.octave, 1)
            near, far = (_distance_when_moved(kind, view, int(whole) + more) for more in (0, 1))
            summaries.append(near + part * (far - near))
        return summaries

    def measure(view: types.View, target: object) -> dict[str, Array]:
        frames = len(view.features)
        if order >= frames:
            raise errors.TexjaxError(
                f"order of the inter-frame loss is {order} with frames {frames}; give more frames than that, such as "
                f"--config.frames={max(8, 2 * order)}."
            )
        return _sums(kind, view, order)

    def distance(
        all_sums: Sequence[dict[str, Array]], views: Sequence[types.View], targets: Sequence[Float[Array, ""]]
    ) -> types.Scalar:
        steps, total = jnp.arange(1, order + 1)[:, None], jnp.zeros(())
        for s, view, target in zip(all_sums, views, targets, strict=True):
            if view.octave < octaves:
                total += view.weight * ((kind.root(s["sum"] / s["count"]) - target * steps) ** 2).mean(1).sum()
        return total

    loss = places.from_sums(measure, distance, summarize=summarize, join=lambda summaries: summaries[0])
    return loss if kind.adds_over_tiles else loss._replace(additive=None)


def _sums(kind: Distance, view: types.View, order: int) -> dict[str, Array]:
    """Sums over pixels and channels of the sizes of differences between each frame and the next ones, [order, n]."""
    frames = LEVELS * kind.base ** (1 - view.octave) * jax.vmap(kind.transform)(view.features)
    weights = jnp.ones(frames.shape[1:3], frames.dtype) if view.mask is None else view.mask
    sums = [
        (kind.size(frames - jnp.roll(frames, -step, 0)) * weights[None, :, :, None]).sum((1, 2, 3))
        for step in range(1, order + 1)
    ]
    return {"sum": jnp.stack(sums), "count": weights.sum() * frames.shape[-1]}


def _distance_when_moved(kind: Distance, view: types.View, pixels: int) -> types.Scalar:
    """The mean distance of a source from itself moved down, and moved to the right."""
    source = view.features[0]
    down = jnp.roll(source, pixels, 0)
    moved = view._replace(features=jnp.stack([source, down, jnp.roll(down, pixels, 1)]))
    sums = _sums(kind, moved, 1)
    # The third difference, from the last frame to the first, is that of both moves at once.
    return kind.root(sums["sum"] / sums["count"])[0, :2].mean()
