"""Patches that are each much nearer to one patch of the sources than to the others (Zhou et al., CVPR 2023).

The paper is "Neural Texture Synthesis with Guided Correspondence". Its loss is a contextual loss (Mechrez et al. 2018,
arXiv 1803.02077) of large patches, seen from those of the output, with a penalty for patches of the sources that many
patches of the output are like. Maps may guide which part of the source comes where, and which way it runs.

What differs from the authors' program (EliotChenKJ/Guided-Correspondence-Loss): the mean is that of all patches, not of
those that are drawn, no patch is drawn twice, and eps is larger.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import types, validate
from texjax.losses import directions, guides, places
from texjax.losses.search import matching, patches

EPSILON = 1e-5  # added to the least distance, which is 0 for a copy
DEAD = 1e6  # added to the distances of patches that the mask of their source leaves out
WINDOW = 9  # side in pixels of the layer, over which the directions of maps are averaged
# Arrays of about the size of a block's distances, and of its rows, that exist at once where there is a gradient.
DISTANCES, ROWS = 4, 3


class Target(NamedTuple):
    """The patches of the sources, their mean, and a guide for each of `Settings.guides`."""

    bank: patches.Patches
    mean: guides.Row
    guides: tuple[guides.Guide, ...]


class Choice(NamedTuple):
    """What is held for some steps at one place, for each of the n images of the stack.

    offset: [n, 2], the row and the column where the image's first patch begins.
    queries: [n, m], indices of the patches of the image that are compared.
    bank: [n, l], indices of the patches of the sources that they are compared with.
    penalty: [n, l], what is added to the distances from each of the latter.
    """

    offset: Int[Array, "*n 2"]
    queries: Int[Array, "*n m"]
    bank: Int[Array, "*n l"]
    penalty: Float[Array, "*n l"]


class Settings(NamedTuple):
    """The settings of the loss that its functions share; see `guided_correspondence`.

    guides: the weights of the guides that there are, of features and of directions.
    """

    patch: int
    stride: int
    bandwidth: float
    occurrence: float
    guides: tuple[float, ...]
    most: int
    memory: int


def guided_correspondence(
    *,
    patch: int = 7,
    stride: int = 3,
    bandwidth: float = 0.5,
    occurrence: float = 0.05,
    guidance: float = 0.0,
    orientation: float = 0.0,
    most: int = 2048,
    rematch: int = 1,
    memory: int = 2**28,
) -> types.Loss:
    """Mean over output patches t_i of -log max_j A_ij, where A_ij = softmax_j((1 - d_ij / (min_j d_ij + eps)) / h).

    The distance from patch r_j of the sources, whose mean over j is mu, is (Zhou et al., CVPR 2023)

        d_ij = max(0, (1 - cos(t_i - mu, r_j - mu)) / 2) + guidance g_ij + orientation o_ij + occurrence count_j l / m,

    where r_j is the nearest of l patches, by the summands before the last, for count_j of the m patches of the output.
    All summands but the first have no gradient. The loss is small where each t_i is far nearer to one r_j than to the
    others, and where the output uses all r_j equally often.

    With guidance or orientation the term is of group "analogy": A' is the source, A a map of it, such as labels or a
    gradient that somebody painted, and B such a map of the output. Then g_ij is the distance of the first summand
    between the patches of B and of A at the places of t_i and r_j, where the paper has the squared difference of the
    maps' values. And o_ij is (1 - cos) / 2 of the directions in the patches, as the vectors that `directions` returns,
    which for clear directions is the mean over the patch of sin^2 of the angle between those of B and of A, where the
    paper has 1 - |cos|. Turned copies of A and A' (key `rotations` of the term) have directions that the source lacks.

    Where the stride leaves rows or columns of the image, the first patch begins at a place that is drawn anew before
    every `rematch` steps, so that the patches reach all edges.

    A patch counts where its mask is above 0 at all of its pixels. The values do not add over tiles, as the counts look
    across the whole image. For a picture that is computed in tiles, give the term `octave_weights` of 0 for the octaves
    that are larger than a tile: with (0, 0, 1, 1, 1) it sees what a picture of 4096 px shows at 1024 px and below.

    Args:
        patch: side in pixels of the layer.
        stride: pixels between neighboring patches, of the image and of the sources.
        bandwidth: h; the smaller it is, the less do all patches but the nearest matter.
        occurrence: weight of the penalty for patches that are used often.
        guidance: weight of what the maps show, 0 without any.
        orientation: weight of the directions in which the maps run, 0 without any.
        most: patches of an image, and of the sources, that are compared at a place. Where there are more, so many are
            drawn anew before every `rematch` steps. The paper draws 10,000, which take 24 times as long.
        rematch: optimizer steps for which the patches that were drawn, and the counts, are held.
        memory: bytes for the blocks of patches whose distances are computed at once, with a gradient. Beside these the
            `most` patches of the sources are in memory.

    Raises:
        TexjaxError: for numbers out of range. With guidance or orientation the join raises where there are not three
            pictures, and where A and A' differ in size.
    """
    for name, number in dict(patch=patch, stride=stride, most=most, rematch=rematch).items():
        validate.whole(f"{name} of the guided correspondence loss", number, 1)
    validate.real("bandwidth of the guided correspondence loss", bandwidth, 1e-3, 1e3)
    validate.real("occurrence of the guided correspondence loss", occurrence, 0, 1e3)
    validate.real("guidance of the guided correspondence loss", guidance, 0, 1e3)
    validate.real("orientation of the guided correspondence loss", orientation, 0, 1e3)
    validate.whole("memory (bytes) of the guided correspondence loss", memory, 1, matching.LARGEST_MEMORY)
    weights = tuple(weight for weight in (guidance, orientation) if weight)
    settings = Settings(patch, stride, bandwidth, occurrence, weights, most, memory)

    def join(pictures: list[guides.Picture]) -> Target:
        if not weights:
            return Target(*guides.bank(pictures, patch, stride), ())
        maps, sources, b = guides.analogy(pictures)
        guiding = []
        if guidance:
            guiding.append(guides.Guide(*guides.bank(maps, patch, stride), b))
        if orientation:
            running = [(directions.directions(a, WINDOW), mask) for a, mask in maps]
            bank, mean = guides.bank(running, patch, stride)
            # Angles are compared as they are, and not by how they differ from a mean.
            guiding.append(guides.Guide(bank, jnp.zeros_like(mean), directions.directions(b, WINDOW)))
        return Target(*guides.bank(sources, patch, stride), tuple(guiding))

    def refresh(
        views: Sequence[types.View], targets: Sequence[Target], previous: Any, key: types.PRNGKey
    ) -> list[Choice]:
        choices = []
        for view, target, key_of_place in zip(views, targets, jax.random.split(key, len(views)), strict=True):
            choose = functools.partial(_choose, settings, view.mask, target)
            keys = jax.random.split(key_of_place, len(view.features))
            choices.append(_each_image(choose, lax.stop_gradient(view.features), keys))
        return choices

    def value(views: Sequence[types.View], targets: Sequence[Target], choices: Sequence[Choice]) -> types.Scalar:
        shares = []
        for view, target, choice in zip(views, targets, choices, strict=True):
            distance = functools.partial(_distance, settings, view.mask, target)
            shares.append(view.weight * _each_image(distance, view.features, choice).sum())
        return places.sum_of(shares)

    summarize = places.at_each_place(lambda features, mask: (features, mask))
    return types.Loss(
        summarize, places.join_each_place(join), value, refresh, rematch, least=max(patch, 2) if orientation else patch
    )


def _each_image(function: Callable[..., Any], *arguments: Any) -> Any:
    """The results for all images of a stack, one after the other, as together they would take more memory."""
    return lax.map(lambda of_image: function(*of_image), arguments)


def _choose(
    settings: Settings, mask: types.Mask | None, target: Target, features: types.Feature, key: types.PRNGKey
) -> Choice:
    """The patches of an image [h, w, c] and of the sources that are compared, with how often the latter are nearest."""
    *offset_keys, query_key, bank_key = jax.random.split(key, 4)
    rests = zip(offset_keys, _rest(settings, features), strict=True)
    offset = jnp.stack([jax.random.randint(key, (), 0, rest + 1, jnp.int32) for key, rest in rests])
    queries = _queries(settings, features, mask, offset)
    drawn, drawn_bank = (
        _draw(key, group, settings.most) for key, group in ((query_key, queries), (bank_key, target.bank))
    )
    live, live_bank = guides.live(queries, drawn), guides.live(target.bank, drawn_bank)
    excluded = DEAD * (1 - live_bank)
    nearest = _by_blocks(
        settings, queries, offset, drawn, target, drawn_bank, lambda distances: (distances + excluded[None]).argmin(1)
    )
    shares = jnp.zeros(len(drawn_bank)).at[nearest].add(live) / live.sum()
    return Choice(offset, drawn, drawn_bank, settings.occurrence * live_bank.sum() * shares + excluded)


def _rest(settings: Settings, features: guides.FeatureMap) -> tuple[int, int]:
    """Rows and columns that the image's patches leave."""
    height, width, _ = features.shape
    return (height - settings.patch) % settings.stride, (width - settings.patch) % settings.stride


def _queries(
    settings: Settings, features: guides.FeatureMap, mask: types.Mask | None, offset: Int[Array, "2"]
) -> patches.Patches:
    """The patches of an image [h, w, c], the first of which begins at the offset."""
    height, width = (side - rest for side, rest in zip(features.shape[:2], _rest(settings, features), strict=True))
    seen = lax.dynamic_slice(features, (*offset, jnp.int32(0)), (height, width, features.shape[2]))
    mask = None if mask is None else lax.dynamic_slice(mask, (*offset,), (height, width))
    return patches.extract([seen], settings.patch, settings.stride, [mask])


def _draw(key: types.PRNGKey, group: patches.Patches, most: int) -> Int[Array, " m"]:
    """The indices of all patches or, where these are more than `most`, of so many of them, of live ones first."""
    count = len(group.corners)
    if count <= most:
        return jnp.arange(count, dtype=jnp.int32)
    ranks = jax.random.uniform(key, (count,)) + guides.live(group, jnp.arange(count))
    return lax.top_k(ranks, most)[1]


def _distance(
    settings: Settings, mask: types.Mask | None, target: Target, features: types.Feature, choice: Choice
) -> types.Scalar:
    """The loss of an image [h, w, c]."""
    queries = _queries(settings, features, mask, choice.offset)

    def losses(distances: Float[Array, "b l"]) -> Float[Array, " b"]:
        distances = distances + choice.penalty[None]
        least = distances.min(1, keepdims=True)
        # -log max_j softmax_j(x_ij) = log sum_j exp(x_ij - max_j x_ij), and the nearest patch has the largest x.
        return jnp.log(jnp.exp((least - distances) / ((least + EPSILON) * settings.bandwidth)).sum(1))

    live = guides.live(queries, choice.queries)
    values = _by_blocks(settings, queries, choice.offset, choice.queries, target, choice.bank, losses)
    return (live * values).sum() / live.sum()


def _by_blocks(
    settings: Settings,
    queries: patches.Patches,
    offset: Int[Array, "2"],
    drawn: Int[Array, " m"],
    target: Target,
    drawn_bank: Int[Array, " l"],
    function: Callable[[Float[Array, "b l"]], Array],
) -> Array:
    """The function [b, l] -> [b] of the distances of patches and of their guides, block by block of those drawn.

    The distance is max(0, (1 - cos) / 2).
    """
    pairs = [(1.0, queries, target.bank, target.mean)]
    for weight, guide in zip(settings.guides, target.guides, strict=True):
        wanted = _queries(settings, guide.output, None, offset)
        pairs.append((weight, wanted, guide.bank, guide.mean))

    def unit_rows(group: patches.Patches, mean: guides.Row, indices: Int[Array, " b"]) -> Float[Array, "b k"]:
        return patches.unit(patches.rows(group, indices, settings.patch) - mean[None], centered=False)

    # The gradient of a block is computed from the block again, so that no block's distances outlive it.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def of_block(positions: Int[Array, " b"]) -> Array:
        distances = []
        for (weight, group, _, mean), rows in zip(pairs, bank_rows, strict=True):
            cosines = jnp.matmul(unit_rows(group, mean, drawn[positions]), rows.T, precision=lax.Precision.HIGHEST)
            distances.append(weight * jnp.maximum(0, (1 - cosines) / 2))
        return function(functools.reduce(operator.add, distances))

    bank_rows = [unit_rows(bank, mean, drawn_bank) for _, _, bank, mean in pairs]
    values_of_one = len(pairs) * (DISTANCES * len(drawn_bank) + ROWS * len(target.mean))
    size = matching.even_size(len(drawn), settings.memory // 4 // values_of_one)
    return lax.map(of_block, matching.index_blocks(len(drawn), size)).reshape(-1)[: len(drawn)]
