"""How far the frames of an animation are apart: as far as the source is from itself, moved by a few pixels."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, pyramid, types

# Differences are counted in 8-bit levels, as the original does, which leaves its weight of 1 its meaning.
LEVELS = 255


class Measure(NamedTuple):
    """A distance between frames: `root` of the mean of `size` of the differences of what `look` makes of a frame."""

    look: Callable[[types.Feature], types.Feature]
    size: Callable[[Array], Array]
    root: Callable[[Array], Array]


def _root(x: Array) -> Array:
    """The square root, with slope 0 at 0, where that of the square root is infinite."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)


def _detail(level: types.Feature) -> types.Feature:
    """The level of the Laplacian pyramid that belongs to a level [h, w, c] of the Gaussian one."""
    return level - pyramid.expand(pyramid.reduce(level, "reflect"), (level.shape[0], level.shape[1]), "reflect")


DISTANCES = {
    "l2": Measure(lambda frame: frame, jnp.square, _root),
    "lap1": Measure(_detail, jnp.abs, lambda x: x),
}


def inter_frame(*, shift: int | float = 5.0, order: int = 2, distance_type: str = "l2", octave: int = 0) -> types.Loss:
    """sum_{s=1..order} mean_i (d_s(i) - s t)^2, of frames i in a loop (Snelgrove 2017, subjective-functions).

    d_s(i) is the distance between the frames f_i and f_(i+s) mod n at one octave, and t, the target, that between the
    first source and itself moved by `shift` pixels down, averaged with that on moving it to the right; what leaves at
    one side comes in at the other. Between whole pixels, t is interpolated linearly.

    With f the layer "pixels" of the octave o, in levels of 1/255:
    l2    d = sqrt(mean (f_i - f_j)^2), with slope 0 where frames are equal: they have to start apart.
    lap1  d = 2^(1-o) mean |l_i - l_j|, l = f - expand(reduce(f)) the level of the Laplacian pyramid.

    What differs from the original: the source is moved within the octave, by shift / 2^o of its pixels, and not before
    it is reduced; and l is made from the octave itself, mirrored at the borders. So lap1, unlike l2, does not add over
    tiles: within some four pixels of a cut it sees the cut.

    measure: [n, h, w, c] -> {"sum": [order, n] over pixels and channels, "count": [] number of those}.
    target: [] t of the first source; the others are not looked at.

    shift: in pixels of octave 0. order: less than n. distance_type: "l2" or "lap1". octave: o.

    Raises TexjaxError for an unknown distance, a shift below 0 and an order or octave that cannot be.
    """
    if distance_type not in DISTANCES:
        raise errors.unknown("inter-frame distance", distance_type, DISTANCES)
    if not 0 <= shift < math.inf:
        raise errors.TexjaxError(f"the inter-frame shift is {shift}; give a number of pixels from 0, such as 5.")
    if order < 1 or octave < 0:
        raise errors.TexjaxError(f"the inter-frame order is {order} at octave {octave}; give at least 1, and 0.")
    look, size, root = DISTANCES[distance_type]
    scale = LEVELS * (2.0 ** (1 - octave) if distance_type == "lap1" else 1.0)

    def sums(frames: types.Feature, steps: int, mask: types.Mask | None) -> dict[str, Array]:
        seen = scale * jax.vmap(look)(frames)
        weights = jnp.ones(seen.shape[1:3], seen.dtype) if mask is None else mask
        total = [
            (size(seen - jnp.roll(seen, -step, 0)) * weights[None, :, :, None]).sum((1, 2, 3))
            for step in range(1, steps + 1)
        ]
        return {"sum": jnp.stack(total), "count": weights.sum() * seen.shape[-1]}

    def moved(source: types.Feature, pixels: int, mask: types.Mask | None) -> types.Scalar:
        down = jnp.roll(source, pixels, 0)
        found = sums(jnp.stack([source, down, jnp.roll(down, pixels, 1)]), 1, mask)
        # The third difference, from last to first, is of both moves at once.
        return root(found["sum"] / found["count"])[0, :2].mean()

    def summarize(features: types.Feature, mask: types.Mask | None) -> types.Scalar:
        whole, part = divmod(shift / 2**octave, 1)
        near, far = (moved(features, int(whole) + more, mask) for more in (0, 1))
        return near + part * (far - near)

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> dict[str, Array]:
        return sums(features, order, mask)

    def distance(sums: dict[str, Array], target: Float[Array, ""]) -> types.Scalar:
        steps = jnp.arange(1, order + 1)[:, None]
        return ((root(sums["sum"] / sums["count"]) - target * steps) ** 2).mean(1).sum()

    return types.Loss(summarize, lambda summaries: summaries[0], measure, distance, joint=True)
