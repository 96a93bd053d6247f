"""Patches like some patch of the sources: Markov random fields of features (Li & Wand 2016, arXiv 1601.04589).

The most similar patch of the sources to patch P_i of the image is M_i = argmax_j <P_i, S_j> / |P_i| |S_j|, over the
patches S_j of all sources. Of equally similar patches the first is taken, and the similarity of a patch of zeros is 0.
Turned and scaled copies of a source, see `texjax.images.copies`, count as further sources. There are two
normalizations:

energy   sum_i |P_i - M_i|^2, the paper's loss. Analogy systems divide it by patch^2.
overlap  1/2 sum |F - M|^2 over the pixels of the layer that any P_i covers, where M is the average of the M_i that
         cover a pixel. The slope, F - M, is what CNNMRF descends by (which reports a loss of 0).

What differs from CNNMRF: with a stride above 1, no further patch is added at the right and lower edges where the
last patch ends before them. The defaults are CNNMRF's, but for the normalization.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types, validate
from texjax.losses import places
from texjax.losses.search import matching, patches, patchmatch

NORMALIZATIONS = ("energy", "overlap")
SEARCHES = ("exact", "patchmatch")

FeatureMap = Float[Array, "_ _ c"]  # of a source, whose size may differ from that of other sources
LayerMask = Float[Array, "_ _"]


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
) -> types.Loss:
    """Distance of every patch P_i from the most similar patch M_i of the sources, held fixed (Li & Wand 2016, eq. 2).

    The sum of a place is [], and its target is the bank of patches, `patches.Patches`. Where matches are held, the
    choice of a place is the `matching.Match` [n, rows, columns] of the patches of every image.

    Args:
        patch: side in pixels of the layer.
        stride: pixels between neighboring patches of the image.
        bank_stride: pixels between neighboring patches of a source.
        centered: compare patches after subtracting their means.
        confidence: patches with a lower similarity do not count.
        normalization: "energy" or "overlap", see the module's docstring.
        search: "exact", or "patchmatch", which is approximate: every search improves the matches before it by `steps`
            steps with new random candidates.
        steps: of PatchMatch.
        precision: of the products, see `matching.exact`.
        memory: bytes for the search, see `matching.exact`.
        rematch: optimizer steps between two searches. With 1 the exact search matches anew in every evaluation, within
            line searches too; PatchMatch matches before every step. A larger number makes the loss fall less in a step
            (`cnnmrf:tiny` at 96 px in 40 steps: to 4.8 with 10, to 4.0 with 1), so it is for where the search takes
            most of the time. Terms keep to their own numbers.

    Raises:
        TexjaxError: for unknown names and numbers out of range.
    """
    numbers = dict(patch=patch, stride=stride, bank_stride=bank_stride, steps=steps, rematch=rematch)
    _check(normalization, search, precision, memory, numbers)
    settings = Settings(patch, stride, bank_stride, centered, confidence, normalization, steps, precision, memory)

    def join(sources: list[tuple[FeatureMap, LayerMask | None]]) -> patches.Patches:
        maps, masks = zip(*sources, strict=True)
        return patches.extract(maps, patch, bank_stride, masks)

    def measure(features: types.Feature, mask: types.Mask | None, bank: patches.Patches) -> Float[Array, ""]:
        return _distance(settings, features, mask, bank, _match_exactly(settings, features, bank))

    loss = places.per_image(
        measure,
        lambda sums, bank: sums,
        summarize=lambda features, mask: (features, mask),
        join=join,
        halo=patch - 1,
        stride=stride,
        least=patch,
    )
    if search == "exact" and rematch == 1:
        return loss
    return _with_held_matches(loss, settings, search, rematch)


def _check(normalization: str, search: str, precision: str, memory: int, numbers: dict[str, Any]) -> None:
    """Raise TexjaxError for unknown names and for numbers below 1."""
    if normalization not in NORMALIZATIONS:
        raise errors.unknown("MRF normalization", normalization, NORMALIZATIONS)
    if search not in SEARCHES:
        raise errors.unknown("search of patches", search, SEARCHES)
    matching.check(precision, memory)
    for name, number in numbers.items():
        validate.whole(f"{name} of the MRF loss", number, 1)


class Settings(NamedTuple):
    """The settings of the loss that its functions share; see `mrf`."""

    patch: int
    stride: int
    bank_stride: int
    centered: bool
    confidence: float
    normalization: str
    steps: int
    precision: str
    memory: int


def _match_exactly(settings: Settings, features: types.Feature, bank: patches.Patches) -> matching.Match:
    """The nearest patch of the bank for every patch of features [h, w, c], in a field [rows, columns]."""
    queries = patches.extract([lax.stop_gradient(features)], settings.patch, settings.stride)
    matches = matching.exact(
        queries,
        bank,
        patch=settings.patch,
        centered=settings.centered,
        precision=settings.precision,
        memory=settings.memory,
    )
    return jax.tree.map(lambda x: x.reshape(patches.grid(features.shape, settings.patch, settings.stride)), matches)


def _improve(
    settings: Settings,
    features: types.Feature,
    bank: patches.Patches,
    previous: matching.Match | None,
    key: types.PRNGKey,
) -> matching.Match:
    """Matches that PatchMatch finds from the previous ones, or from random ones."""
    queries = patches.extract([lax.stop_gradient(features)], settings.patch, settings.stride)
    start_key, search_key = jax.random.split(key)
    if previous is None:
        field = patchmatch.start(start_key, patches.grid(features.shape, settings.patch, settings.stride), bank)
    else:
        field = previous.index
    return patchmatch.search(
        search_key,
        queries,
        bank,
        field,
        patch=settings.patch,
        hop=max(1, round(settings.stride / settings.bank_stride)),
        steps=settings.steps,
        centered=settings.centered,
        memory=settings.memory,
    )


def _distance(
    settings: Settings,
    features: types.Feature,
    mask: types.Mask | None,
    bank: patches.Patches,
    match: matching.Match,
) -> Float[Array, ""]:
    """The loss of features [h, w, c] whose patches have these matches."""
    weights = (match.response >= settings.confidence).astype(features.dtype)
    shape = features.shape[0], features.shape[1]
    nearest = patches.assemble(bank, match.index, weights, shape, settings.patch, settings.stride)
    if settings.normalization == "energy":
        shares = patches.energy(features, nearest)
    else:
        shares = jnp.where(nearest.count > 0, ((features - nearest.mean) ** 2).sum(2), 0) / 2
    return (shares if mask is None else mask * shares).sum()


def _with_held_matches(loss: types.Loss, settings: Settings, search: str, rematch: int) -> types.Loss:
    """The loss whose matches are its choice, searched anew before every `rematch` steps.

    Matches that are held are fields over the whole image, which a tile would have to cut: sums over tiles are refused.
    """

    def refresh(
        views: Sequence[types.View],
        banks: Sequence[patches.Patches],
        previous: Sequence[matching.Match] | None,
        key: types.PRNGKey,
    ) -> list[matching.Match]:
        if search == "exact":
            match_all = jax.vmap(functools.partial(_match_exactly, settings), (0, None))
            return [match_all(view.features, bank) for view, bank in zip(views, banks, strict=True)]
        count = len(views[0].features)
        keys = [jax.random.split(key_of_place, count) for key_of_place in jax.random.split(key, len(views))]
        improve_all = jax.vmap(functools.partial(_improve, settings), (0, None, 0, 0))
        earlier = previous or [None] * len(views)
        return [
            improve_all(view.features, bank, matches, keys_of_images)
            for view, bank, matches, keys_of_images in zip(views, banks, earlier, keys, strict=True)
        ]

    def value(
        views: Sequence[types.View], banks: Sequence[patches.Patches], matches: Sequence[matching.Match]
    ) -> types.Scalar:
        sums = [
            jax.vmap(functools.partial(_distance, settings), (0, None, None, 0))(view.features, view.mask, bank, match)
            for view, bank, match in zip(views, banks, matches, strict=True)
        ]
        return places.weighted_sum(sums, views, banks)

    return loss._replace(value=value, refresh=refresh, period=rematch, additive=None)
