"""Nearest neighbors of patches by PatchMatch, approximately (Barnes et al. 2009, doi 10.1145/1576246.1531330).

A good match of a patch is, moved along, likely one of the patch beside it. So each patch tries its four neighbors'
matches, moved, and random ones ever nearer to its own, and keeps the best; and again. What differs from the paper: all
patches take such a step at once, as hardware wants it, and the first of the random ones is from the whole bank, which
may be of many maps.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import types
from texjax.losses.search import matching, patches

RADII = 5  # random candidates within the map, the radius from half of it on halved each time

Field = Int[Array, "rows columns"]


@functools.partial(jax.jit, static_argnames=("patch", "hop", "steps", "centered", "memory"))
def search(
    key: types.PRNGKey,
    queries: patches.Patches,
    bank: patches.Patches,
    field: Field,
    *,
    patch: int,
    hop: int,
    steps: int,
    centered: bool = False,
    memory: int = 2**28,
) -> matching.Match:
    """A near patch of the bank for each of the queries, those of one map, in a field [rows, columns].

    field: numbers of patches to start from, see `start`; how near they are is always found anew. hop: patches of the
    bank that lie between two neighbors' matches, as do the neighbors. steps: at least 1. centered, memory: see
    `matching.exact`.
    """

    def step(i: Array, found: matching.Match) -> matching.Match:
        field = found.index
        tried = jnp.stack([field, *_moved(bank, field, hop), *_drawn(jax.random.fold_in(key, i), bank, field)])
        return _best(queries, bank, tried, patch, centered, memory)

    queries, bank = matching.single(queries), matching.single(bank)
    return lax.fori_loop(0, steps, step, matching.Match(field, jnp.zeros(field.shape)))


def start(key: types.PRNGKey, shape: tuple[int, int], bank: patches.Patches) -> Field:
    """A random patch of the bank for each place of the field."""
    return jax.random.randint(key, shape, 0, len(bank.corners), jnp.int32)


def _place(bank: patches.Patches, field: Field) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    """Row and column of each patch within its map's patches, and that map's entry in `grids`."""
    first, rows, columns = (
        bank.grids[jnp.searchsorted(bank.grids[:, 0], field, side="right") - 1, i] for i in range(3)
    )
    return ((field - first) // columns, (field - first) % columns), (first, rows, columns)


def _number(place: tuple[Array, Array], grid: tuple[Array, Array, Array]) -> Field:
    """The patch at a row and column of the map, or the nearest there is."""
    first, rows, columns = grid
    return first + jnp.clip(place[0], 0, rows - 1) * columns + jnp.clip(place[1], 0, columns - 1)


def _moved(bank: patches.Patches, field: Field, hop: int) -> list[Field]:
    """What the matches of the four neighbors propose: those above, below, to the left and to the right."""
    (row, column), grid = _place(bank, field)
    down, up = _number((row + hop, column), grid), _number((row - hop, column), grid)
    right, left = _number((row, column + hop), grid), _number((row, column - hop), grid)
    return [
        jnp.concatenate([field[:1], down[:-1]]),
        jnp.concatenate([up[1:], field[-1:]]),
        jnp.concatenate([field[:, :1], right[:, :-1]], axis=1),
        jnp.concatenate([left[:, 1:], field[:, -1:]], axis=1),
    ]


def _drawn(key: types.PRNGKey, bank: patches.Patches, field: Field) -> list[Field]:
    """Random patches: one of the whole bank, and some of the map of each match, ever nearer to it."""
    (row, column), grid = _place(bank, field)
    anywhere, around = jax.random.split(key)
    out = [start(anywhere, (field.shape[0], field.shape[1]), bank)]
    for radius, of_radius in enumerate(jax.random.split(around, RADII), start=1):
        way = jax.random.uniform(of_radius, (2, *field.shape), minval=-1, maxval=1) / 2**radius
        steps = [jnp.round(part * side).astype(jnp.int32) for part, side in zip(way, grid[1:], strict=True)]
        out.append(_number((row + steps[0], column + steps[1]), grid))
    return out


def _best(
    queries: patches.Patches,
    bank: patches.Patches,
    tried: Int[Array, "tries rows columns"],
    patch: int,
    centered: bool,
    memory: int,
) -> matching.Match:
    """The candidate most like each query; the first of several equally like it."""
    flat = tried.reshape(len(tried), -1)
    length, total = patch**2 * bank.pixels.shape[1], flat.shape[1]
    size = min(total, max(1, memory // (4 * length * 2 * matching.COPIES)))

    def block(numbers: Int[Array, " b"]) -> tuple[Float[Array, " b"], Int[Array, " b"]]:
        mine = patches.unit(patches.rows_of(queries, numbers, patch), centered)

        def response(candidates: Int[Array, " b"]) -> Float[Array, " b"]:
            found = (mine * patches.unit(patches.rows_of(bank, candidates, patch), centered)).sum(1)
            return found if bank.live is None else jnp.where(bank.live[candidates], found, matching.DEAD)

        found = lax.map(response, flat[:, numbers])
        best = found.argmax(0)
        return found.max(0), jnp.take_along_axis(flat[:, numbers], best[None], 0)[0]

    numbers = jnp.minimum(jnp.arange(math.ceil(total / size) * size), total - 1).reshape(-1, size)
    found, index = (x.reshape(-1)[:total].reshape(tried.shape[1:]) for x in lax.map(block, numbers))
    return matching.Match(index, found)
