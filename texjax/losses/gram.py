"""Second moments of features: what textures are matched by (Gatys et al. 2015, arXiv 1505.07376)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.losses import joins

# Each system divides its Gram matrices in its own way, so loss weights are not portable between them. Per name: the
# factor on the moments G = F^T F / pixels, and the factor on the sum of squared differences, given the channel count.
NORMALIZATIONS = {
    "pixels": lambda c: (1.0, 1.0),
    "pixels_channels": lambda c: (1 / c, 1.0),  # subjective-functions (Snelgrove 2017)
    "gatys": lambda c: (1.0, 1 / (4 * c**2)),  # DeepTextures, with its weight of 1e9 left to the term
    "neural_style": lambda c: (1 / c, 1 / c**2),  # jcjohnson/neural-style: mean squared error
}


def gram(
    *,
    normalization: str = "pixels_channels",
    mul: float = 1.0,
    join: str = "average",
    join_weights: Sequence[int | float] = (),
    join_position: float = 0.5,
    join_regularization: float = 1e-3,
) -> types.Loss:
    """Distance of Gram matrices (Gatys et al. 2015, eqs. 1 to 3): k sum_ij (s G_ij - mul s T_ij)^2.

    measure: [h, w, c] -> {"outer": [c, c] sum of outer products, "count": [] number of pixels}.
    target: [c, c] moments T per pixel, joined over the sources.

    normalization: chooses s and k, see `NORMALIZATIONS`. mul: factor on the target.
    join: how several sources become one target, see `joins`. join_weights: one per source, or none for all alike.
    join_position: of two sources, instead of weights: from 0, the first, to 1, the second.
    join_regularization: for joins of definite matrices, what is added to every eigenvalue before the join and taken off
    after it, in units of the mean one. Rounding to float32 leaves errors below about 1e-5 in these units.

    Raises TexjaxError for an unknown normalization or join and a regularization below 0; its join, for weights and a
    position that do not suit the sources and as `joins.join` does.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("Gram normalization", normalization, NORMALIZATIONS)
    if join not in joins.NAMES:
        raise errors.unknown("join", join, joins.NAMES)
    if not 0 <= join_regularization < np.inf:
        raise errors.TexjaxError(f"join_regularization is {join_regularization}; give a number from 0, such as 0.001.")

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> dict[str, Array]:
        flat = features.reshape(-1, features.shape[-1])
        weights = jnp.ones(len(flat), flat.dtype) if mask is None else mask.reshape(-1)
        weighted = flat if mask is None else flat * weights[:, None]
        outer = jnp.matmul(weighted.T, flat, precision=lax.Precision.HIGHEST)
        return {"outer": outer, "count": weights.sum()}

    def summarize(features: types.Feature, mask: types.Mask | None) -> Float[Array, "c c"]:
        sums = measure(features, None, mask)
        return sums["outer"] / sums["count"]

    def target(summaries: list[Float[Array, "c c"]]) -> Float[Array, "c c"]:
        weights = joins.normalized(join, len(summaries), join_weights, join_position)
        if len(summaries) == 1:
            return summaries[0]  # whatever the join; it may be a tracer here, as of a plan
        moments = [np.asarray(summary) for summary in summaries]
        return jnp.asarray(joins.join(join, moments, weights, join_regularization), summaries[0].dtype)

    def distance(sums: dict[str, Array], target: Float[Array, "c c"]) -> types.Scalar:
        scale, factor = NORMALIZATIONS[normalization](len(target))
        return factor * jnp.sum((scale * (sums["outer"] / sums["count"] - mul * target)) ** 2)

    return types.Loss(summarize, target, measure, distance)
