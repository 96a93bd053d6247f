"""Exact nearest neighbors of patches by the cosine of the angle between them, within a given amount of memory.

Neither the similarities of all pairs nor the rows of all patches are ever in memory. Blocks of queries are multiplied
with blocks of the bank, each pair of blocks as one large matrix product, and the best match so far is kept.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import errors, validate
from texjax.losses.search import patches

TYPES = {"float32": jnp.float32, "bf16": jnp.bfloat16}
# The bank is dealt out to so many groups. The nearest patch of each group is compared again in float32.
GROUPS = {"float32": 1, "bf16": 4}
DEAD = -2.0  # response of a dead patch, below every cosine
# Rows are gathered and then scaled, and products are compared, so about two copies of each exist at once.
COPIES = 2
LARGEST_MEMORY = 2**63 - 1


class Match(NamedTuple):
    """The nearest patch of each query.

    index: the index of the patch in the bank.
    response: the cosine between the query and the patch.
    """

    index: Int[Array, "*m"]
    response: Float[Array, "*m"]


def check(precision: str, memory: int) -> None:
    """Raise TexjaxError for an unknown precision or for a memory that is no whole number of bytes from 1."""
    if precision not in TYPES:
        raise errors.unknown("precision of matching", precision, TYPES)
    validate.whole("memory (bytes) of the patch search", memory, 1, LARGEST_MEMORY)


def blocks(queries: int, bank: int, length: int, memory: int) -> tuple[int, int]:
    """Return how many queries and how many patches of the bank are multiplied at once.

    The blocks are as large and as square as fits the memory, and hold at least one row each.

    Args:
        queries: number of queries.
        bank: number of patches in the bank.
        length: values in a row.
        memory: bytes for both blocks and their product, at four bytes a value.
    """
    row, room = COPIES * length, memory // 4

    def largest_beside(side: int) -> int:
        """Solve COPIES x side x other + row x (side + other) = room for the other side of a block."""
        return (room - side * row) // (row + COPIES * side)

    square = int((math.sqrt(row * row + COPIES * room) - row) / COPIES)
    width = even_size(bank, largest_beside(even_size(queries, square)))
    # A bank smaller than the square leaves room for more queries.
    return even_size(queries, largest_beside(width)), width


def even_size(total: int, largest: int) -> int:
    """Return the size of the fewest blocks of one size, at most `largest`, that hold `total`."""
    return math.ceil(total / math.ceil(total / max(1, largest)))


@functools.partial(jax.jit, static_argnames=("patch", "centered", "precision", "memory"))
def exact(
    queries: patches.Patches,
    bank: patches.Patches,
    *,
    patch: int,
    centered: bool = False,
    precision: str = "float32",
    memory: int = 2**28,
) -> Match:
    """Return the nearest live patch of the bank for each query; of several equally near patches, the first.

    Args:
        queries: m patches.
        bank: n patches.
        patch: side of a patch in pixels.
        centered: subtract the mean of each patch before comparing.
        precision: of the factors of the products, "float32" or "bf16"; sums are always of float32. With "bf16" the best
            four candidates are compared again in float32, and the response is that of float32.
        memory: bytes for the blocks. Where it is too little for one row of each, the blocks are single rows.

    Returns:
        Index and response [m].
    """
    m, n = len(queries.corners), len(bank.corners)
    height, width = blocks(m, n, patch**2 * bank.pixels.shape[1], memory)
    groups = GROUPS[precision]
    width = math.ceil(width / groups) * groups

    @jax.custom_batching.sequential_vmap  # several images one after the other, as together they would take more memory
    def search(queries: patches.Patches, bank: patches.Patches) -> tuple[Array, Array]:
        def unit_rows(group: patches.Patches, indices: Int[Array, " b"]) -> Float[Array, "b k"]:
            return patches.unit(patches.rows(group, indices, patch), centered)

        def match_block(query_indices: Int[Array, " b"]) -> tuple[Array, Array]:
            query_rows = unit_rows(queries, query_indices).astype(TYPES[precision])

            def step(best: tuple[Array, Array], bank_indices: Int[Array, " c"]) -> tuple[tuple[Array, Array], None]:
                cosines = _products(query_rows, unit_rows(bank, bank_indices).astype(TYPES[precision]))
                if bank.live is not None:
                    cosines = jnp.where(bank.live[bank_indices][None], cosines, DEAD)
                response, index = _largest(cosines, bank_indices, groups)
                better = response > best[0]
                return (jnp.where(better, response, best[0]), jnp.where(better, index, best[1])), None

            worst = jnp.full((height, groups), -jnp.inf), jnp.zeros((height, groups), jnp.int32)
            response, index = lax.scan(step, worst, index_blocks(n, width))[0]
            if groups > 1:
                response = compare_again(query_indices, index)
            top = response.max(1, keepdims=True)
            return top[:, 0], jnp.where(response == top, index, jnp.iinfo(jnp.int32).max).min(1)

        def compare_again(
            query_indices: Int[Array, " b"], candidates: Int[Array, "b groups"]
        ) -> Float[Array, "b groups"]:
            """The cosines between the queries and their candidates, in float32."""
            query_rows = unit_rows(queries, query_indices)

            def cosines(indices: Int[Array, " b"]) -> Float[Array, " b"]:
                values = (query_rows * unit_rows(bank, indices)).sum(1)
                return values if bank.live is None else jnp.where(bank.live[indices], values, DEAD)

            return lax.map(cosines, candidates.T).T  # one group after the other, to hold the rows of one alone

        return lax.map(match_block, index_blocks(m, height))

    response, index = search(as_constants(queries), as_constants(bank))
    return Match(index.reshape(-1)[:m], response.reshape(-1)[:m])


def as_constants(group: patches.Patches) -> patches.Patches:
    """Return the patches in float32 and without a gradient, as the choice of the nearest patch has none."""
    return group._replace(pixels=lax.stop_gradient(group.pixels).astype(jnp.float32))


def index_blocks(total: int, size: int) -> Int[Array, "blocks size"]:
    """Return 0 to total - 1 in blocks of one size; repeats of the last fill the last block and win no first maximum."""
    padded = math.ceil(total / size) * size
    return jnp.minimum(jnp.arange(padded, dtype=jnp.int32), total - 1).reshape(-1, size)


def _products(a: Float[Array, "a k"], b: Float[Array, "b k"]) -> Float[Array, "a b"]:
    """Return the inner products of all rows of a with all rows of b, summed in float32."""
    return lax.dot_general(
        a, b, (((1,), (1,)), ((), ())), precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )


def _largest(
    cosines: Float[Array, "a b"], indices: Int[Array, " b"], groups: int
) -> tuple[Float[Array, "a groups"], Int[Array, "a groups"]]:
    """Return the maximum of each group of columns of each row, and the least of the indices whose columns have it.

    This does without argmax, for which XLA emits no vector code on CPU: argmax takes ten times as long, a quarter of
    the product's time.
    """
    grouped = cosines.reshape(len(cosines), groups, -1)
    top = grouped.max(2)
    of_top = jnp.where(grouped == top[:, :, None], indices.reshape(1, groups, -1), jnp.iinfo(jnp.int32).max)
    return top, of_top.min(2)
