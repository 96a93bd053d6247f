"""Differences of neighboring pixels: a loss without a source that takes noise away."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.losses import places


def _absolute(x: Array) -> Array:
    """|x|, with slope 0 at 0, where the slope of `jnp.abs` is 1."""
    return jnp.where(x != 0, jnp.abs(x), 0)


# Functions of the differences to the pixels on the right and below, per channel. Pixels are in [0, 1] here: multiply a
# weight that a system gives for levels up to 255 by 255 to the power that the comment names.
FORMS: dict[str, Callable[[Array, Array], Array]] = {
    "squared": lambda dx, dy: (dx**2 + dy**2) / 2,  # power 2; CNNMRF, neural-style
    "absolute": lambda dx, dy: _absolute(dx) + _absolute(dy),  # power 1; the anisotropic total variation
    "power": lambda dx, dy: (dx**2 + dy**2) ** 1.25,  # power 2.5; image-analogies
}


def smoothness(*, form: str = "squared") -> types.Loss:
    """Sum over pixels and channels of a function of the two differences, such as (dx^2 + dy^2) / 2.

    The last row and column have no differences of their own, as in CNNMRF (Li & Wand 2016) and image-analogies. The
    loss is meant for the layer "pixels", its measure is the sum [], and it compares with no source.

    Args:
        form: the function of the differences, see `FORMS`.

    Raises:
        TexjaxError: for an unknown form.
    """
    if form not in FORMS:
        raise errors.unknown("form of smoothness", form, FORMS)

    def measure(view: types.View, target: object) -> Float[Array, " n"]:
        pixels = view.features[:, :-1, :-1]
        shares = FORMS[form](view.features[:, :-1, 1:] - pixels, view.features[:, 1:, :-1] - pixels)
        weights = 1 if view.mask is None else view.mask[None, :-1, :-1, None]
        return (shares * weights).sum((1, 2, 3))

    return places.from_sums(
        measure, places.weighted_sum, summarize=places.no_summary, join=places.no_target, halo=1, least=2
    )
