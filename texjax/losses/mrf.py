"""Patches like some patch of the sources: Markov random fields of features (Li & Wand 2016, arXiv 1601.04589)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.losses.search import matching, patches, patchmatch

NORMALIZATIONS = ("energy", "overlap")
SEARCHES = ("exact", "patchmatch")


def mrf(
    *,
    patch: int = 3,
    stride: int = 2,
    bank_stride: int = 2,
    centered: bool = False,
    confidence: float = 0.0,
    normalization: str = "energy",
    search: str = "exact",
    steps: int = 5,
    precision: str = "float32",
    memory: int = 2**28,
    rematch: int = 1,
    seed: int = 0,
) -> types.Loss:
    """Distance of every patch P_i from the most similar patch M_i of the sources, held fixed (Li & Wand 2016, eq. 2).

    M_i = argmax_j <P_i, S_j> / |P_i| |S_j|, over the patches S_j of all sources; of several, the first; the similarity
    of a patch of zeros is 0. Turned and scaled copies of a source, see `texjax.images.copies`, are further sources.

    energy   sum_i |P_i - M_i|^2, the paper's. Analogy systems divide it by patch^2.
    overlap  1/2 sum |F - M|^2 over the pixels of the layer that any P_i covers, where M is the average of the M_i
             there: its slope, F - M, is what CNNMRF descends by (which reports a loss of 0).

    What differs from CNNMRF: with a stride above 1 there is no further patch at the right and lower edges where the
    last one ends before them. The defaults are its own, but for the normalization.

    measure: [h, w, c] -> [] the distance, of the pixels of the layer.
    target: `patches.Patches`, the bank.
    prepare: `matching.Match` [rows, columns], of the patches of an image.

    patch: side in pixels of the layer. stride, bank_stride: between patches of the image, and of a source.
    centered: compare patches less their means. confidence: patches with a lower similarity do not count.
    search: "exact", or "patchmatch": approximate, with so many `steps` from random matches or, of `prepare`, those
    before; `seed` is of its random numbers. precision, memory (bytes): see `matching.exact`.
    rematch: 1 matches in every evaluation; more, only in `prepare`, before the first of every so many steps of the
    optimizer. Of several terms each keeps to its own number. The loss then falls less in a step (`cnnmrf:tiny` at 96 px
    in 40 steps: with 10 to 4.8, with 1 to 4.0), so it is for where matching takes most of the time.

    Raises TexjaxError for unknown names and numbers that cannot be.
    """
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("MRF normalization", normalization, NORMALIZATIONS)
    if search not in SEARCHES:
        raise errors.unknown("search of patches", search, SEARCHES)
    matching.check(precision, memory)
    _check(1, patch=patch, stride=stride, bank_stride=bank_stride, steps=steps, rematch=rematch)
    _check(0, seed=seed)

    def summarize(features: types.Feature, mask: types.Mask | None) -> tuple[types.Feature, types.Mask | None]:
        return features, mask

    def target(summaries: list[tuple[patches.Map, patches.Mask | None]]) -> patches.Patches:
        maps, masks = zip(*summaries, strict=True)
        return patches.of(maps, patch, bank_stride, masks)

    def prepare(features: types.Feature, bank: patches.Patches, before: matching.Match | None) -> matching.Match:
        queries = patches.of([lax.stop_gradient(features)], patch, stride)
        grid = patches.grid(features.shape, patch, stride)
        if search == "exact":
            found = matching.exact(queries, bank, patch=patch, centered=centered, precision=precision, memory=memory)
            return jax.tree.map(lambda x: x.reshape(grid), found)
        first, rest = jax.random.split(jax.random.key(seed))
        field = patchmatch.start(first, grid, bank) if before is None else before.index
        hop = max(1, round(stride / bank_stride))
        return patchmatch.search(
            rest, queries, bank, field, patch=patch, hop=hop, steps=steps, centered=centered, memory=memory
        )

    def measure(
        features: types.Feature, target: patches.Patches, mask: types.Mask | None, held: matching.Match | None = None
    ) -> Float[Array, ""]:
        match = prepare(features, target, None) if held is None else held
        weights = (match.response >= confidence).astype(features.dtype)
        shape = features.shape[0], features.shape[1]
        nearest = patches.assemble(target, match.index, weights, shape, patch, stride)
        if normalization == "energy":
            local = patches.energy(features, nearest)
        else:
            local = jnp.where(nearest.count > 0, ((features - nearest.mean) ** 2).sum(2), 0) / 2
        return (local if mask is None else mask * local).sum()

    return types.Loss(
        summarize,
        target,
        measure,
        lambda sums, target: sums,
        reach=patch - 1,
        back=patch - 1,
        stride=stride,
        prepare=prepare,
        period=rematch,
    )


def _check(least: int, **numbers: Any) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise errors.TexjaxError(f"{name} of the MRF loss is {number}; give a whole number from {least}.")
