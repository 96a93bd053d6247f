"""A is to A' as B is to the image: features of A' where B is like A (Hertzmann et al. 2001; image-analogies)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types, validate
from texjax.losses import places
from texjax.losses.search import matching, patches

FeatureMap = Float[Array, "_ _ c"]  # of A, A' or B, whose sizes may differ


def analogy(*, patch: int = 1, full: bool = False, memory: int = 2**28) -> types.Loss:
    """Squared distance from patches of A' that are chosen once, as in image-analogies.

    M_i is the patch of A' at the place where A has the patch that is nearest, by cosine, to patch i of B. The loss is
    sum |F - M|^2, where M is the average of the M_i that overlap; or, if `full`, sum_i |P_i - M_i|^2 / patch^2 over the
    patches P_i of the image. Both are the same for patches of one pixel.

    The sum of a place is [], and its target is a `patches.Overlap`, from the three pictures A, A' and B in this order.
    B is as large as the image.

    Args:
        patch: side in pixels of the layer.
        full: compare patches and not their average.
        memory: bytes for the search, see `matching.exact`.

    Raises:
        TexjaxError: for a patch below 1 and no memory. The join raises where there are not three pictures, and where A
            and A' differ in size.
    """
    matching.check("float32", memory)
    validate.whole("patch of the analogy loss", patch, 1)

    def join(pictures: list[FeatureMap]) -> patches.Overlap:
        if len(pictures) != 3:
            raise errors.TexjaxError(f"an analogy has {len(pictures)} pictures; give three, A, A' and B.")
        return _nearest(*pictures, patch=patch, memory=memory)

    def measure(features: types.Feature, mask: types.Mask | None, target: patches.Overlap) -> Float[Array, ""]:
        if full:
            shares = patches.energy(features, target) / patch**2
        else:
            shares = ((features - target.mean) ** 2).sum(2)
        return (shares if mask is None else mask * shares).sum()

    return places.per_image(
        measure,
        lambda sums, target: sums,
        summarize=lambda features, mask: features,
        join=join,
        aligned=True,
        least=patch,
    )


def _nearest(a: FeatureMap, a_prime: FeatureMap, b: FeatureMap, *, patch: int, memory: int) -> patches.Overlap:
    """Average, where they overlap, the patches of A' [h', w', c] at the places of A that are nearest to those of B."""
    if a.shape != a_prime.shape:
        raise errors.TexjaxError(f"A is {_size(a)} at this layer and A' {_size(a_prime)}; give pictures of one size.")
    bank, queries = patches.extract([a], patch, 1), patches.extract([b], patch, 1)
    matches = matching.exact(queries, bank, patch=patch, memory=memory)
    grid = patches.grid(b.shape, patch, 1)
    bank_of_a_prime = bank._replace(pixels=a_prime.reshape(-1, a_prime.shape[2]))
    size = (b.shape[0], b.shape[1])
    return patches.assemble(bank_of_a_prime, matches.index.reshape(grid), jnp.ones(grid), size, patch, 1)


def _size(features: FeatureMap) -> str:
    return f"{features.shape[1]} x {features.shape[0]}"
