"""Nearest neighbors of patches by the cosine of the angle between them, exactly, in a given amount of memory.

Neither the similarities of all pairs nor all patches as rows are ever in memory: blocks of both are multiplied, as one
large matrix product each, and the best so far is kept.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import errors
from texjax.losses.search import patches

TYPES = {"float32": jnp.float32, "bf16": jnp.bfloat16}
DEAD = -2.0  # below every cosine
# Rows are gathered and scaled, products compared: about that many copies of each are alive at once.
COPIES = 2


class Match(NamedTuple):
    """Of each patch, its nearest one's number in the bank, and the cosine between the two."""

    index: Int[Array, "*m"]
    response: Float[Array, "*m"]


def check(precision: str, memory: int) -> None:
    """Raises TexjaxError for an unknown precision and where there is no memory."""
    if precision not in TYPES:
        raise errors.unknown("precision of matching", precision, TYPES)
    if memory < 1:
        raise errors.TexjaxError(f"matching may use {memory} bytes; give it some memory, such as 2**28.")


def blocks(queries: int, bank: int, length: int, memory: int) -> tuple[int, int]:
    """How many queries and how many patches of the bank are multiplied at once, of rows of `length` numbers.

    The blocks are as large and as square as fits `memory`, in bytes, at four a number; at least one row of each.
    """
    row, room = COPIES * length, memory // 4

    def other(side: int) -> int:
        return (room - side * row) // (row + COPIES * side)  # COPIES x side x other + row x (side + other) = room

    square = int((math.sqrt(row * row + COPIES * room) - row) / COPIES)
    width = _even(bank, other(_even(queries, square)))
    # Where the bank is the smaller one, what it leaves is the queries'.
    return _even(queries, other(width)), width


def _even(total: int, most: int) -> int:
    """The size of the fewest equal blocks, of at most `most`, that hold `total`."""
    return math.ceil(total / math.ceil(total / max(1, most)))


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
    """Of each of the queries [m] the nearest live patch of the bank; of several equally near, the first.

    centered: take off the mean of each patch. precision: of the products' factors, "float32" or "bf16"; sums are of
    float32. memory: bytes for the blocks; a patch is its own block where that is too little.
    """
    m, n = len(queries.corners), len(bank.corners)
    height, width = blocks(m, n, patch**2 * bank.pixels.shape[1], memory)

    @jax.custom_batching.sequential_vmap  # several images in turn: together they would take more memory
    def search(queries: patches.Patches, bank: patches.Patches) -> tuple[Array, Array]:
        def rows(of: patches.Patches, numbers: Int[Array, " b"]) -> Float[Array, "b k"]:
            return patches.unit(patches.rows_of(of, numbers, patch), centered).astype(TYPES[precision])

        def block(numbers: Int[Array, " b"]) -> tuple[Array, Array]:
            mine = rows(queries, numbers)

            def step(best: tuple[Array, Array], numbers: Int[Array, " c"]) -> tuple[tuple[Array, Array], None]:
                found = _products(mine, rows(bank, numbers))
                if bank.live is not None:
                    found = jnp.where(bank.live[numbers][None], found, DEAD)
                top, first = _largest(found, numbers)
                better = top > best[0]
                return (jnp.where(better, top, best[0]), jnp.where(better, first, best[1])), None

            none = jnp.full(height, -jnp.inf), jnp.zeros(height, jnp.int32)
            return lax.scan(step, none, _numbers(n, width))[0]

        return lax.map(block, _numbers(m, height))

    response, index = search(single(queries), single(bank))
    return Match(index.reshape(-1)[:m], response.reshape(-1)[:m])


def single(of: patches.Patches) -> patches.Patches:
    """The patches as constants in float32: which is nearest has no slope."""
    return of._replace(pixels=lax.stop_gradient(of.pixels).astype(jnp.float32))


def _numbers(total: int, size: int) -> Int[Array, "blocks size"]:
    """0 to total - 1 in blocks of one size; the last is filled up by repeating, which changes no first maximum."""
    padded = math.ceil(total / size) * size
    return jnp.minimum(jnp.arange(padded, dtype=jnp.int32), total - 1).reshape(-1, size)


def _products(a: Float[Array, "a k"], b: Float[Array, "b k"]) -> Float[Array, "a b"]:
    return lax.dot_general(
        a, b, (((1,), (1,)), ((), ())), precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32
    )


def _largest(found: Float[Array, "a b"], numbers: Int[Array, " b"]) -> tuple[Float[Array, " a"], Int[Array, " a"]]:
    """Each row's maximum, and the least of the numbers that have it.

    Not by argmax, which on CPU is no vector code: it takes ten times as long, a quarter of the product's time.
    """
    top = found.max(1)
    return top, jnp.where(found == top[:, None], numbers[None], jnp.iinfo(jnp.int32).max).min(1)
