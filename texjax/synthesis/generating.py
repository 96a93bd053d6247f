"""Pictures of a trained generator, in tiles where the whole would not fit into memory.

A pixel of such a picture depends on no more of the noise than the generator's halo, and noise is a function of the
place. So a tile is computed from a window with a halo around it, and equals the same part of the whole picture.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.optimizers import ranges
from texjax.synthesis import steps

TILES = (4096, 2048, 1024, 512, 256, 128, 64, 32)
PROBE = 256  # pixels, the side of the window by which the memory is measured


def picture(
    generator: types.Generator,
    handling: ranges.Range,
    weights: types.Weights,
    code: Float[Array | np.ndarray, " k"],
    key: types.PRNGKey,
    size: tuple[int, int],
    tile: int = 0,
) -> Float[np.ndarray, "h w c"]:
    """Return a picture in [0, 1] of a generator; pictures of equal keys, codes and sizes are equal, whatever the tile.

    Args:
        generator: one that draws noise.
        handling: what turns the generator's variables into images.
        weights: of the generator.
        code: how much of each source the picture is to have, adding up to 1.
        key: of the noise.
        size: width and height in pixels, multiples of `generator.multiple`.
        tile: pixels of the largest side of a tile, a multiple likewise; 0 computes the whole picture at once.
    """
    width, height = size
    spans = [_spans(side, tile, generator) for side in (height, width)]
    canvas: Any = None
    for (top, rows, cut_top), (left, columns, cut_left) in itertools.product(*spans):
        part = types.Window(top - cut_top, left - cut_left, rows + 2 * cut_top, columns + 2 * cut_left, (height, width))
        with_halo = np.asarray(_program(generator, handling)(weights, jnp.asarray(code), key, *part))
        pixels = with_halo[cut_top : cut_top + rows, cut_left : cut_left + columns]
        if canvas is None:
            canvas = np.empty((height, width, pixels.shape[-1]), np.float32)
        canvas[top : top + rows, left : left + columns] = pixels
    return canvas


def window(
    generator: types.Generator,
    handling: ranges.Range,
    weights: types.Weights,
    code: Float[Array, " k"],
    key: types.PRNGKey,
    part: types.Window,
) -> Float[Array, "h w c"]:
    """Return that part of a picture in [0, 1], whose pixels within the halo are others than those of the picture.

    The arguments are those of `picture`, and the function can be compiled.
    """
    draw: Any = generator.draw
    batch = jax.tree.map(lambda x: x[None], draw(key, part))
    return handling.to_images(generator.apply(weights, batch, code[None]))[0].clip(0, 1)


def rounded_up(side: int, generator: types.Generator) -> int:
    """Return the least side, in pixels, that the generator makes and that is not below `side`."""
    return -(-side // generator.multiple) * generator.multiple


def _spans(side: int, tile: int, generator: types.Generator) -> list[tuple[int, int, int]]:
    """The tiles along one axis as (begin, length, halo); all have one length, so that the last ones may overlap."""
    if not tile or generator.halo is None or tile + 2 * generator.halo >= side:
        return [(0, side, 0)]
    return [(min(begin, side - tile), tile, generator.halo) for begin in range(0, side, tile)]


@functools.lru_cache(maxsize=8)
def _program(generator: types.Generator, handling: ranges.Range) -> Any:
    """The compiled function of a window; sizes are constants of the program, and places are not."""

    def program(weights: Any, code: Any, key: Any, top: Any, left: Any, height: int, width: int, whole: Any) -> Any:
        return window(generator, handling, weights, code, key, types.Window(top, left, height, width, whole))

    return steps.compiled(program, "height", "width", "whole")


def fitting_tile(
    generator: types.Generator,
    handling: ranges.Range,
    weights: types.Weights,
    sources: int,
    size: tuple[int, int],
    memory: int,
) -> int:
    """Return the largest tile whose computation fits into so many bytes, or 0 where the whole picture does.

    The bytes for each pixel are those that the compiler states for a small window.

    Raises:
        TexjaxError: where not even the smallest tile fits, or the generator needs the picture as a whole and it does
            not fit.
    """
    side = rounded_up(PROBE, generator)
    shapes = jax.eval_shape(lambda: (jnp.zeros(sources), jax.random.key(0), jnp.zeros((), int), jnp.zeros((), int)))
    program = _program(generator, handling).lower(weights, *shapes, side, side, (side, side)).compile()
    per_pixel = program.memory_analysis().temp_size_in_bytes / side**2
    possible = [0, *(t for t in TILES if t % generator.multiple == 0 and t < max(size))]
    if generator.halo is None:
        possible = [0]
    for tile in possible:
        sides = [length + 2 * halo for side in size for _, length, halo in _spans(side, tile, generator)[:1]]
        if per_pixel * math.prod(sides) <= memory:
            return tile
    least = per_pixel * math.prod(sides)
    raise errors.TexjaxError(
        f"the smallest tile takes about {least / 2**30:.2f} GiB, and {memory / 2**30:.2f} GiB may be used; give a "
        f"larger --memory-budget."
    )
