"""Second moments of features: what textures are matched by (Gatys et al. 2015, arXiv 1505.07376)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import core
from jaxtyping import Array, Float

from texjax import errors, moments, types, validate
from texjax.losses import joins, places

# Each system divides its Gram matrices in its own way, so loss weights are not portable between systems. Each entry
# maps the number of channels c to s, the factor on the moments G = F^T F / pixels, and k, the factor on the sum of
# squares.
NORMALIZATIONS = {
    "pixels": lambda c: (1.0, 1.0),
    "pixels_channels": lambda c: (1 / c, 1.0),  # subjective-functions (Snelgrove 2017)
    "gatys": lambda c: (1.0, 1 / (4 * c**2)),  # DeepTextures; its weight of 1e9 is left to the term
    "neural_style": lambda c: (1 / c, 1 / c**2),  # jcjohnson/neural-style: mean squared error
}


def gram(
    *,
    normalization: str = "pixels_channels",
    mul: int | float = 1.0,
    join: str = "average",
    join_weights: Sequence[Any] = (),
    join_position: int | float = 0.5,
    join_regularization: int | float = 1e-3,
    together: bool = False,
) -> types.Loss:
    """Distance of Gram matrices (Gatys et al. 2015, eqs. 1 to 3): k sum_ij (s G_ij - mul s T_ij)^2.

    The sums of a place are `types.Moments`, and its target is the [c, c] matrix T of moments per pixel, joined over the
    sources.

    Args:
        normalization: chooses s and k, see `NORMALIZATIONS`.
        mul: factor on the target.
        join: how the matrices of several sources become one target, see `joins`.
        join_weights: one number for each source; empty weighs all sources alike.
        join_position: for two sources and instead of weights, from 0, the first source alone, to 1, the second alone.
        join_regularization: joins of definite matrices add this to every eigenvalue before the join and subtract it
            afterwards, in units of the mean eigenvalue; rounding to float32 leaves errors below about 1e-5 of these.
        together: add the moments of all images of a stack first, so that the stack as a whole is to have the sources'
            moments, and each image may differ from them. The distance counts once for each image.

    Raises:
        TexjaxError: for unknown names and numbers out of range. The join raises for weights and a position that do not
            suit the sources, and as `joins.join` does.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("Gram normalization", normalization, NORMALIZATIONS)
    if join not in joins.NAMES:
        raise errors.unknown("join", join, joins.NAMES)
    validate.real("mul", mul)
    validate.real("join_regularization", join_regularization, 0)
    for i, weight in enumerate(join_weights):
        validate.real(f"join_weights[{i}]", weight)

    def measure(view: types.View, target: object = None) -> types.Moments:
        if view.moments is not None:
            return view.moments
        return jax.vmap(moments.second, (0, None))(view.features, view.mask)

    def summarize(views: Sequence[types.View]) -> list[Float[Array, "c c"]]:
        return [_moments_of_one(view) for view in views]

    def join_sources(matrices: list[Float[Array, "c c"]]) -> Float[Array, "c c"]:
        weights = joins.normalized(join, len(matrices), join_weights, join_position)
        return _joined(matrices, lambda matrices: joins.join(join, matrices, weights, join_regularization))

    def distance(sums: types.Moments, target: Float[Array, "c c"]) -> types.Scalar:
        scale, factor = NORMALIZATIONS[normalization](len(target))
        return factor * jnp.sum((scale * (sums.outer / sums.count - mul * target)) ** 2)

    of_each = places.total(distance)

    def of_all(sums: Sequence[types.Moments], *rest: Any) -> types.Scalar:
        return of_each([jax.tree.map(_added, of_place) for of_place in sums], *rest)

    loss = places.from_sums(
        measure, of_all if together else of_each, summarize=summarize, join=places.join_each_place(join_sources)
    )
    return loss._replace(moments=True)


def _added(of_images: Array) -> Array:
    """The sum over the images of a stack, in the place of each of them."""
    return jnp.broadcast_to(of_images.sum(0, keepdims=True), of_images.shape)


def _moments_of_one(view: types.View) -> Float[Array, "c c"]:
    """The moments per pixel of a stack of one source, whose features are not copied for a batch of products."""
    if view.moments is not None:
        return view.moments.outer[0] / view.moments.count[0]
    sums = moments.second(view.features[0], view.mask)
    return sums.outer / sums.count


def _joined(matrices: list[Float[Array, "c c"]], join: Callable[[list[np.ndarray]], np.ndarray]) -> Float[Array, "c c"]:
    """The join of several matrices, on the host in float64; inside a compiled function it is a callback to the host."""
    if len(matrices) == 1:
        return matrices[0]  # one source is its own join

    def on_host(*arrays: Array) -> np.ndarray:
        return join([np.asarray(array) for array in arrays]).astype(matrices[0].dtype)

    if any(isinstance(matrix, core.Tracer) for matrix in matrices):
        shape = jax.ShapeDtypeStruct(matrices[0].shape, matrices[0].dtype)
        return jax.pure_callback(on_host, shape, *matrices, vmap_method="sequential")
    return jnp.asarray(on_host(*matrices))
