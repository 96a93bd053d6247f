"""Maps that guide which part of a source comes where: the pictures A, A' and B of an analogy, patch by patch."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import errors
from texjax.losses.search import patches

FeatureMap = Float[Array, "_ _ c"]  # of a source, whose size may differ from that of other sources
LayerMask = Float[Array, "_ _"]
Picture = tuple[FeatureMap, LayerMask | None]
Row = Float[Array, " k"]  # the values of a patch


class Guide(NamedTuple):
    """A map that says which part of the source belongs where.

    bank: the patches of the source's map, of A, at the places of the source's own patches.
    mean: what is subtracted from the patches before they are compared.
    output: the output's map, of B, as large as the image.
    """

    bank: patches.Patches
    mean: Row
    output: FeatureMap


def bank(pictures: Sequence[Picture], patch: int, stride: int) -> tuple[patches.Patches, Row]:
    """Return the patches of pictures, and the mean of the live ones."""
    maps, masks = zip(*pictures, strict=True)
    group = patches.extract(maps, patch, stride, masks)
    return group, _mean_patch(group, patch)


def analogy(pictures: Sequence[Picture]) -> tuple[Sequence[Picture], Sequence[Picture], FeatureMap]:
    """Return the copies of A with the masks of A', the copies of A', and B.

    Raises TexjaxError for pictures that are not as many of A, then of A', then of B; and where A and A' differ in size.
    """
    count, rest = divmod(len(pictures), 3)
    if rest or not count:
        raise errors.TexjaxError(
            f"guidance compares A, A' and B, and there are {len(pictures)} pictures; give the term group 'analogy'."
        )
    maps, sources = pictures[:count], pictures[count : 2 * count]
    for (a, _), (source, _) in zip(maps, sources, strict=True):
        if a.shape != source.shape:
            raise errors.TexjaxError(
                f"A is {a.shape[1]} x {a.shape[0]} at this layer and A' {source.shape[1]} x {source.shape[0]}; give "
                "pictures of one size."
            )
    # Copies are ordered by their angles and sizes, from less to more, so that B itself is the one in the middle.
    b, _ = pictures[2 * count + count // 2]
    return [(a, mask) for (a, _), (_, mask) in zip(maps, sources, strict=True)], sources, b


def live(group: patches.Patches, indices: Int[Array, " m"]) -> Float[Array, " m"]:
    """Return 1 for the patches that the masks leave, and 0 for others."""
    return jnp.ones(len(indices)) if group.live is None else group.live[indices].astype(jnp.float32)


@functools.partial(jax.jit, static_argnames="patch")
def _mean_patch(group: patches.Patches, patch: int) -> Row:
    """The mean of the live patches of a group."""
    indices = jnp.arange(len(group.corners))
    alive = live(group, indices)

    def mean_pixel(place: Int[Array, ""]) -> Float[Array, " c"]:
        pixels = patches.pixel(group, indices, (place // patch, place % patch))
        return (alive[:, None] * pixels).sum(0) / alive.sum()

    return lax.map(mean_pixel, jnp.arange(patch**2, dtype=jnp.int32)).reshape(-1)
