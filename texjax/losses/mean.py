"""First moments of features: the mean feature maps that DeepTextures matches beside the Gram matrices."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types


def mean() -> types.Loss:
    """Distance of mean features: sum_i (m_i - t_i)^2 / (2 c), the normalization of Gatys et al.'s DeepTextures.

    measure: [h, w, c] -> {"sum": [c], "count": [] number of pixels}.
    target: [c] mean features, averaged over the sources.
    """

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> dict[str, Array]:
        weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
        return {"sum": (features * weights[..., None]).sum((0, 1)), "count": weights.sum()}

    def summarize(features: types.Feature, mask: types.Mask | None) -> Float[Array, " c"]:
        sums = measure(features, None, mask)
        return sums["sum"] / sums["count"]

    def target(summaries: list[Float[Array, " c"]]) -> Float[Array, " c"]:
        return jnp.stack(summaries).mean(0)

    def distance(sums: dict[str, Array], target: Float[Array, " c"]) -> types.Scalar:
        return jnp.sum((sums["sum"] / sums["count"] - target) ** 2) / (2 * len(target))

    return types.Loss(summarize, target, measure, distance)
