"""Pictures of a trained generator, as arrays and in a run directory."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from texjax import checks, errors, validate
from texjax import config as configs
from texjax.runs import budget, networks, records
from texjax.synthesis import generating


class Wanted(NamedTuple):
    """What a generator is to make.

    size: width and height in pixels. mix: how much of each source, () for equal shares. budget: see `budget.parse`; ""
    is what is free.
    """

    size: tuple[int, int]
    seed: int = 0
    count: int = 1
    mix: tuple[float, ...] = ()
    budget: str = ""


def pictures(network: networks.Network, wanted: Wanted) -> Iterator[Float[np.ndarray, "_ _ _"]]:
    """Yield pictures [h, w, c] in [0, 1].

    Raises:
        TexjaxError: For a size, seed, count or mix that no picture can have, for a network that restyles photographs,
            and where the memory is too small for any tile.
    """
    if network.generator.draw is None:
        raise errors.TexjaxError("this network restyles photographs, and generates none; use texjax stylize.")
    for name, side in zip(("width", "height"), wanted.size, strict=True):
        validate.whole(name, side, 1)
    validate.whole("seed", wanted.seed, 0)
    validate.whole("count", wanted.count, 1)
    code = code_of(network, wanted.mix)
    width, height = (generating.rounded_up(side, network.generator) for side in wanted.size)
    if (width, height) != wanted.size:
        warnings.warn(
            f"pictures of this network tile where their sides are multiples of {network.generator.multiple} px; "
            f"these are cut from {width} x {height} px.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
    memory = budget.parse(wanted.budget) if wanted.budget else budget.free()
    parts = network.generator, network.handling, network.weights
    tile = generating.fitting_tile(*parts, len(network.sources), (width, height), memory)
    for i in range(wanted.count):
        key = jax.random.fold_in(jax.random.key(wanted.seed), i)
        whole = generating.picture(*parts, code, key, (width, height), tile)
        yield whole[: wanted.size[1], : wanted.size[0]]


def code_of(network: networks.Network, mix: Sequence[float]) -> Float[np.ndarray, " k"]:
    """Return the shares of the sources, which add up to 1; equal ones for an empty mix.

    Raises:
        TexjaxError: If there is not one number for each source, or one is negative, or all are 0.
    """
    sources = network.sources
    mix = mix or (1.0,) * len(sources)
    if len(mix) != len(sources) or min(mix) < 0 or not 0 < sum(mix) < float("inf"):
        raise errors.TexjaxError(
            f"the mix is {', '.join(map(str, mix))}, and the network has learned {len(sources)} sources "
            f"({', '.join(sources)}); give one number for each, not below 0 and not all 0."
        )
    return np.array(mix, np.float32) / np.float32(sum(mix))


def run(
    network: networks.Network, wanted: Wanted, path: Path, directory: Callable[[], Path], overrides: Sequence[str] = ()
) -> list[Path]:
    """Make pictures in a run directory, and return their paths.

    Args:
        network: That makes them.
        wanted: What it is to make.
        path: Of the network's file, for the records.
        directory: Called before the pictures are written, to make the directory.
        overrides: Words that change the network's config, of which the group `output` counts.

    Raises:
        TexjaxError: As `pictures`, and for overrides that do not fit.
    """
    begin = time.perf_counter()
    for word in overrides:
        if word.startswith("--config.") and not word.startswith("--config.output."):
            raise errors.TexjaxError(
                f"{word} is of the training, which is over; texjax generate takes --config.output.KEY=VALUE alone."
            )
    config = configs.overridden_by_words(network.config, overrides)
    config = configs.overridden(config, {"size": wanted.size, "seed": wanted.seed, "count": wanted.count})
    checks.values(config)
    stack = np.stack(list(pictures(network, wanted)))
    about = {"config": config.to_dict(), "network_sha256": networks.digest(path), "mix": list(wanted.mix)}
    where = directory()
    record = records.begin(where, about, {}, "", config)
    results = records.write_results(where, stack, config.output, about)
    records.end(where, record, "finished", 0, time.perf_counter() - begin, results=results)
    return results
