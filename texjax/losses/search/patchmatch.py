"""Approximate nearest neighbors of patches by PatchMatch (Barnes et al. 2009, doi 10.1145/1576246.1531330).

If a patch has a good match, the patch beside it is likely matched well by the patch beside that match. So each query
tries its own match, the matches of its four neighbors, shifted accordingly (propagation), and random patches ever
nearer to its own match (random search), and keeps the best of them. This step is repeated.

Two things differ from the paper: all queries take a step at once, as parallel hardware wants it, and the first random
patch is from the whole bank, which may be of several maps.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import types
from texjax.losses.search import matching, patches

# Random patches around a match, in its own map. The search radius is half of the map for the first of them and halves
# with each further one.
RADII = 5

# The nearest-neighbor field of the paper: the index in the bank of the match of each query.
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
    """Improve the matches of the queries in a bank.

    Args:
        key: for the random patches.
        queries: the patches of one map.
        bank: the patches to match with.
        field: the matches to start from, see `start`. Their responses are always computed anew.
        patch: side of a patch in pixels.
        hop: rows or columns of the bank's patches that correspond to one row or column of the queries.
        steps: how often every query tries new candidates, at least 1.
        centered: see `matching.exact`.
        memory: see `matching.exact`.

    Returns:
        Index and response [rows, columns].
    """

    def step(i: Array, match: matching.Match) -> matching.Match:
        field = match.index
        step_key = jax.random.fold_in(key, i)
        candidates = jnp.stack([field, *_propagation(bank, field, hop), *_random_search(step_key, bank, field)])
        return _best(queries, bank, candidates, patch, centered, memory)

    queries, bank = matching.as_constants(queries), matching.as_constants(bank)
    return lax.fori_loop(0, steps, step, matching.Match(field, jnp.zeros(field.shape)))


def start(key: types.PRNGKey, shape: tuple[int, int], bank: patches.Patches) -> Field:
    """Return a field of `shape` with random patches of the bank."""
    return jax.random.randint(key, shape, 0, len(bank.corners), jnp.int32)


def _position(bank: patches.Patches, field: Field) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    """Return the row and column of each patch in the grid of its map, and the map's entry in `Patches.grids`."""
    map_index = jnp.searchsorted(bank.grids[:, 0], field, side="right") - 1
    first, row_count, column_count = (bank.grids[map_index, i] for i in range(3))
    return ((field - first) // column_count, (field - first) % column_count), (first, row_count, column_count)


def _index(position: tuple[Array, Array], grid: tuple[Array, Array, Array]) -> Field:
    """Return the index of the patch at a row and column of a map's grid, or of the nearest one inside the grid."""
    first, row_count, column_count = grid
    row, column = jnp.clip(position[0], 0, row_count - 1), jnp.clip(position[1], 0, column_count - 1)
    return first + row * column_count + column


def _propagation(bank: patches.Patches, field: Field, hop: int) -> list[Field]:
    """Return the shifted matches of the neighbors above, below, to the left and to the right of each query."""
    (row, column), grid = _position(bank, field)
    below, above = _index((row + hop, column), grid), _index((row - hop, column), grid)
    right, left = _index((row, column + hop), grid), _index((row, column - hop), grid)
    return [
        jnp.concatenate([field[:1], below[:-1]]),
        jnp.concatenate([above[1:], field[-1:]]),
        jnp.concatenate([field[:, :1], right[:, :-1]], axis=1),
        jnp.concatenate([left[:, 1:], field[:, -1:]], axis=1),
    ]


def _random_search(key: types.PRNGKey, bank: patches.Patches, field: Field) -> list[Field]:
    """Return random patches: one from the whole bank, and `RADII` from the map of each match, ever nearer to it."""
    (row, column), grid = _position(bank, field)
    bank_key, map_key = jax.random.split(key)
    candidates = [start(bank_key, (field.shape[0], field.shape[1]), bank)]
    for halvings, radius_key in enumerate(jax.random.split(map_key, RADII), start=1):
        fractions = jax.random.uniform(radius_key, (2, *field.shape), minval=-1, maxval=1) / 2**halvings
        down, right = (
            jnp.round(fraction * side).astype(jnp.int32) for fraction, side in zip(fractions, grid[1:], strict=True)
        )
        candidates.append(_index((row + down, column + right), grid))
    return candidates


def _best(
    queries: patches.Patches,
    bank: patches.Patches,
    candidates: Int[Array, "count rows columns"],
    patch: int,
    centered: bool,
    memory: int,
) -> matching.Match:
    """Return the candidate with the largest cosine for each query; of several equally near ones, the first."""
    flat = candidates.reshape(len(candidates), -1)
    length, total = patch**2 * bank.pixels.shape[1], flat.shape[1]
    size = min(total, max(1, memory // (4 * length * 2 * matching.COPIES)))

    def match_block(query_indices: Int[Array, " b"]) -> tuple[Float[Array, " b"], Int[Array, " b"]]:
        query_rows = patches.unit(patches.rows(queries, query_indices, patch), centered)

        def cosines(bank_indices: Int[Array, " b"]) -> Float[Array, " b"]:
            bank_rows = patches.unit(patches.rows(bank, bank_indices, patch), centered)
            products = (query_rows * bank_rows).sum(1)
            return products if bank.live is None else jnp.where(bank.live[bank_indices], products, matching.DEAD)

        responses = lax.map(cosines, flat[:, query_indices])
        best = responses.argmax(0)
        return responses.max(0), jnp.take_along_axis(flat[:, query_indices], best[None], 0)[0]

    blocks = jnp.minimum(jnp.arange(math.ceil(total / size) * size), total - 1).reshape(-1, size)
    response, index = (x.reshape(-1)[:total].reshape(candidates.shape[1:]) for x in lax.map(match_block, blocks))
    return matching.Match(index, response)
