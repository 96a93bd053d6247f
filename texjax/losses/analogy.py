"""A is to A' as B is to the image: features of A' where B is like A (Hertzmann et al. 2001; image-analogies)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.losses.search import matching, patches


def _target(
    a: patches.Map, a_prime: patches.Map, b: types.Feature, *, patch: int, memory: int = 2**28
) -> patches.Overlap:
    """Of each patch of b [h, w, c] the patch of a' where the nearest one of a lies, averaged where they overlap.

    a, a_prime: [h', w', c], of one size. patch: side in pixels of the layer. memory: see `matching.exact`.
    """
    if a.shape != a_prime.shape:
        raise errors.TexjaxError(f"A is {_size(a)} at this layer and A' {_size(a_prime)}; give pictures of one size.")
    bank, queries = patches.of([a], patch, 1), patches.of([b], patch, 1)
    found = matching.exact(queries, bank, patch=patch, memory=memory)
    grid = patches.grid(b.shape, patch, 1)
    primed = bank._replace(pixels=a_prime.reshape(-1, a_prime.shape[2]))
    return patches.assemble(primed, found.index.reshape(grid), jnp.ones(grid), (b.shape[0], b.shape[1]), patch, 1)


def _size(features: patches.Map) -> str:
    return f"{features.shape[1]} x {features.shape[0]}"


def analogy(*, patch: int = 1, full: bool = False, memory: int = 2**28) -> types.Loss:
    """Squared distance from patches of A', chosen once, as in image-analogies.

    With M_i the patch of A' at the place of the patch of A that is nearest, by cosine, to the patch i of B:
    sum |F - M|^2, where M is the average of the M_i that overlap; or, if `full`, sum_i |P_i - M_i|^2 / patch^2 over the
    patches P_i of the image. The two are one for patches of one pixel.

    measure: [h, w, c] -> [] the sum.
    target: `patches.Overlap`, of the sources A, A' and B in this order; B is as large as the image.

    patch: side in pixels of the layer. memory: see `matching.exact`.

    Raises TexjaxError for a patch below 1 and no memory; its join, where there are not three sources, and where
    A and A' differ in size.
    """
    matching.check("float32", memory)
    if patch < 1:
        raise errors.TexjaxError(f"patch of the analogy loss is {patch}; give at least 1.")

    def join(summaries: list[patches.Map]) -> patches.Overlap:
        if len(summaries) != 3:
            raise errors.TexjaxError(f"an analogy has {len(summaries)} sources; give three pictures, A, A' and B.")
        return _target(*summaries, patch=patch, memory=memory)

    def measure(features: types.Feature, target: patches.Overlap, mask: types.Mask | None) -> Float[Array, ""]:
        if full:
            local = patches.energy(features, target) / patch**2
        else:
            local = ((features - target.mean) ** 2).sum(2)
        return (local if mask is None else mask * local).sum()

    return types.Loss(
        lambda features, mask: features, join, measure, lambda sums, target: sums, aligned=True, least=patch
    )
