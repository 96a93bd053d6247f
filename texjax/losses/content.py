"""Features as they are in one picture: what a transfer keeps (Gatys et al. 2016, eq. 1)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types

# As for Gram matrices, each system divides in its own way. Per name: the factor on the sum of squared differences,
# given the number of features.
NORMALIZATIONS = {
    "mse": lambda n: 1 / n,  # CNNMRF, neural-style, NeuralImageSynthesis: the mean
    "gatys": lambda n: 0.5,  # the paper
    "sum": lambda n: 1.0,  # image-analogies
}


def content(*, normalization: str = "mse") -> types.Loss:
    """Squared distance from the content's features T, k sum_i (F_i - T_i)^2, place by place.

    measure: [h, w, c] -> {"sum": [] of squares, "count": [] number of features}.
    target: [h, w, c] features of the content, which is as large as the image.

    normalization: chooses k, see `NORMALIZATIONS`.

    Raises TexjaxError for an unknown normalization; its join, for more than one picture.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("content normalization", normalization, NORMALIZATIONS)

    def target(summaries: list[types.Feature]) -> types.Feature:
        if len(summaries) > 1:
            raise errors.TexjaxError(f"there are {len(summaries)} contents, and one picture can be kept; give one.")
        return summaries[0]

    def measure(features: types.Feature, target: types.Feature, mask: types.Mask | None) -> dict[str, Array]:
        weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
        squares = (features - target) ** 2 * weights[:, :, None]
        return {"sum": squares.sum(), "count": weights.sum() * features.shape[2]}

    def distance(sums: dict[str, Float[Array, ""]], target: types.Feature) -> types.Scalar:
        return sums["sum"] * NORMALIZATIONS[normalization](sums["count"])

    return types.Loss(lambda features, mask: features, target, measure, distance, aligned=True)
