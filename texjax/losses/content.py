"""Features of one picture, place by place: what a transfer keeps (Gatys et al. 2016, eq. 1)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.losses import places

OtherFeature = Float[Array, "_ _ _"]  # of a picture whose size may be another

# Each system divides in its own way, as for Gram matrices. Each entry maps the number of features to k, the factor on
# the sum of squared differences.
NORMALIZATIONS = {
    "mse": lambda n: 1 / n,  # CNNMRF, neural-style, NeuralImageSynthesis: the mean
    "gatys": lambda n: 0.5,  # the paper
    "sum": lambda n: 1.0,  # image-analogies
}


def content(*, normalization: str = "mse") -> types.Loss:
    """Squared distance from the features T of the content, k sum_i (F_i - T_i)^2, place by place.

    The sums of a place are {"sum": [] of squares, "count": [] number of features}, and its target is the content's
    features [h, w, c]; the content is as large as the image.

    Args:
        normalization: chooses k, see `NORMALIZATIONS`.

    Raises:
        TexjaxError: for an unknown normalization. The join raises for more than one picture.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("content normalization", normalization, NORMALIZATIONS)

    def only(contents: list[types.Feature]) -> types.Feature:
        if len(contents) > 1:
            raise errors.TexjaxError(
                f"there are {len(contents)} contents, and one picture can be kept; give one, without rotations or "
                f"scales."
            )
        return contents[0]

    def measure(features: types.Feature, mask: types.Mask | None, target: OtherFeature) -> dict[str, Array]:
        if features.shape != target.shape:
            raise errors.TexjaxError(
                f"the content is {_size(target)} at a layer where the image is {_size(features)}; give pictures "
                f"of one size."
            )
        weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
        squares = (features - target) ** 2 * weights[:, :, None]
        return {"sum": squares.sum(), "count": weights.sum() * features.shape[2]}

    def distance(sums: dict[str, Float[Array, ""]], target: OtherFeature) -> types.Scalar:
        return sums["sum"] * NORMALIZATIONS[normalization](sums["count"])

    return places.per_image(measure, distance, summarize=lambda features, mask: features, join=only, aligned=True)


def _size(features: OtherFeature) -> str:
    return f"{features.shape[1]} x {features.shape[0]}"
