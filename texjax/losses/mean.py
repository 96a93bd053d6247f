"""First moments of features: the mean features that DeepTextures matches beside the Gram matrices."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types
from texjax.losses import places


def mean() -> types.Loss:
    """Distance of mean features: sum_i (m_i - t_i)^2 / (2 c), the normalization of DeepTextures (Gatys et al. 2015).

    The sums of a place are {"sum": [c], "count": [] number of pixels}, and its target is the mean feature [c], averaged
    over the sources.
    """

    def measure(features: types.Feature, mask: types.Mask | None, target: object = None) -> dict[str, Array]:
        weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
        return {"sum": (features * weights[..., None]).sum((0, 1)), "count": weights.sum()}

    def summarize(features: types.Feature, mask: types.Mask | None) -> Float[Array, " c"]:
        sums = measure(features, mask)
        return sums["sum"] / sums["count"]

    def join(means: list[Float[Array, " c"]]) -> Float[Array, " c"]:
        return jnp.stack(means).mean(0)

    def distance(sums: dict[str, Array], target: Float[Array, " c"]) -> types.Scalar:
        return jnp.sum((sums["sum"] / sums["count"] - target) ** 2) / (2 * len(target))

    return places.per_image(measure, distance, summarize=summarize, join=join)
