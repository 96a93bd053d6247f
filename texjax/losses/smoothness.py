"""Neighboring pixels alike: no source, only less noise."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types


def _size(d: Array) -> Array:
    """|d|, with slope 0 at 0, where that of `jnp.abs` is 1."""
    return jnp.where(d != 0, jnp.abs(d), 0)


# Of the differences of a pixel from those on its right and below, per channel. Pixels being in [0, 1], a weight that a
# system gives for levels up to 255 is to be multiplied by 255 to the power that the name stands beside.
FORMS: dict[str, Callable[[Array, Array], Array]] = {
    "squared": lambda dx, dy: (dx**2 + dy**2) / 2,  # 2; CNNMRF, neural-style
    "absolute": lambda dx, dy: _size(dx) + _size(dy),  # 1; the anisotropic total variation
    "power": lambda dx, dy: (dx**2 + dy**2) ** 1.25,  # 2.5; image-analogies
}


def smoothness(*, form: str = "squared") -> types.Loss:
    """Sum over pixels and channels of a function of the two differences, such as (dx^2 + dy^2) / 2, see `FORMS`.

    As in CNNMRF and image-analogies, pixels of the last row and column have no differences of their own. Meant for the
    layer "pixels".

    measure: [h, w, c] -> [] the sum.
    target: nothing; sources are not looked at.

    Raises TexjaxError for an unknown form.
    """
    if form not in FORMS:
        raise errors.unknown("form of smoothness", form, FORMS)

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> Float[Array, ""]:
        own = features[:-1, :-1]
        local = FORMS[form](features[:-1, 1:] - own, features[1:, :-1] - own)
        return (local if mask is None else local * mask[:-1, :-1, None]).sum()

    return types.Loss(lambda features, mask: (), lambda summaries: (), measure, lambda sums, target: sums, reach=1)
