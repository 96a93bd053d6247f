"""Second moments of features: what textures are matched by (Gatys et al. 2015, arXiv 1505.07376)."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types

# Each system divides its Gram matrices in its own way, so loss weights are not portable between them. Per name: the
# factor on the moments G = F^T F / pixels, and the factor on the sum of squared differences, given the channel count.
NORMALIZATIONS = {
    "pixels": lambda c: (1.0, 1.0),
    "pixels_channels": lambda c: (1 / c, 1.0),  # subjective-functions (Snelgrove 2017)
    "gatys": lambda c: (1.0, 1 / (4 * c**2)),  # DeepTextures, with its weight of 1e9 left to the term
    "neural_style": lambda c: (1 / c, 1 / c**2),  # jcjohnson/neural-style: mean squared error
}
JOINS = {"average": lambda moments: jnp.mean(moments, 0)}


def gram(*, normalization: str = "pixels_channels", mul: float = 1.0, join: str = "average") -> types.Loss:
    """Distance of Gram matrices (Gatys et al. 2015, eqs. 1 to 3): k sum_ij (s G_ij - mul s T_ij)^2.

    measure: [h, w, c] -> {"outer": [c, c] sum of outer products, "count": [] number of pixels}.
    target: [c, c] moments T per pixel, joined over the sources.

    normalization: chooses s and k, see `NORMALIZATIONS`. mul: factor on the target. join: over several sources.

    Raises TexjaxError for an unknown normalization or join.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("Gram normalization", normalization, NORMALIZATIONS)
    if join not in JOINS:
        raise errors.unknown("join", join, JOINS)

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
        return JOINS[join](jnp.stack(summaries))

    def distance(sums: dict[str, Array], target: Float[Array, "c c"]) -> types.Scalar:
        scale, factor = NORMALIZATIONS[normalization](len(target))
        return factor * jnp.sum((scale * (sums["outer"] / sums["count"] - mul * target)) ** 2)

    return types.Loss(summarize, target, measure, distance)
