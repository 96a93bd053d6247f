"""What one program takes: floating point operations, seconds, and bytes of temporaries."""

import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from texjax.synthesis import steps

# Measured on CPU: the share of a large matrix product's rate that a network reaches, where it is not timed.
EFFICIENCY = 0.4
# A program is timed where it seems to take so many seconds at most, and so many bytes.
TIMED, LARGEST = 2.0, 2**30


class Measured(NamedTuple):
    """What a program takes.

    flops: floating point operations. temporary: bytes beside arguments and results. lines: operations of its text.
    compiled: the program, or None.
    """

    flops: float
    seconds: float
    temporary: float
    lines: float
    compiled: Any


def measure(function: Any, counted: Any, compiling: bool, *arguments: Any) -> Measured:
    """Return what the program of a function takes for arguments of these shapes.

    counted: the same function by XLA, whose operations are counted; it may be the function itself. compiling: whether
    the function is compiled.
    """
    program = analyze(steps.compiled(function).trace(*arguments), compiling)
    if counted is not function:
        program = program._replace(flops=analyze(steps.compiled(counted).trace(*arguments), False).flops)
    return program._replace(seconds=_seconds(program, arguments)) if compiling else program


def analyze(traced: Any, compiling: bool) -> Measured:
    """Return what a traced program takes, without its time; not compiled, it has no temporaries either."""
    lowered = traced.lower()
    flops = lowered.cost_analysis().get("flops", 0.0) + _repeated(traced.jaxpr)
    compiled = lowered.compile() if compiling else None
    temporary = compiled.memory_analysis().temp_size_in_bytes if compiled else 0
    return Measured(flops, 0.0, temporary, lowered.as_text().count("\n"), compiled)


def _seconds(program: Measured, arguments: Any) -> float:
    """Seconds of a program: timed where it is short and small, else from the rate of a matrix product."""
    estimate = program.flops / (EFFICIENCY * rate())
    if estimate > TIMED or program.temporary > LARGEST:
        return estimate
    zeros = jax.tree.map(lambda array: jnp.zeros(array.shape, array.dtype), arguments)
    return _timed(lambda: program.compiled(*zeros))


def _timed(call: Callable[[], Any]) -> float:
    """The median seconds of calls, after a first one: at least three, and as many as take a second together."""
    jax.block_until_ready(call())
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < 1:
        begin = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _repeated(program: Any, times: int = 1) -> float:
    """Operations of all passes through a traced program's loops but the first, as the compiler counts only that one.

    A product and its sum count as two operations, and any other operation counts once for each number it returns.
    """
    flops = 0.0
    for line in program.eqns:
        inner = [part for part in jax.tree.leaves(line.params, is_leaf=_is_program) if _is_program(part)]
        often = times * line.params["length"] if line.primitive.name == "scan" else times
        flops += sum(_repeated(part, often) for part in inner)
        if not inner:
            flops += (times - 1) * _products(line) * sum(out.aval.size for out in line.outvars)
    return flops


def _is_program(part: Any) -> bool:
    return hasattr(part, "eqns")


def _products(line: Any) -> int:
    """Operations for each number that a line of a program returns."""
    if line.primitive.name != "dot_general":
        return 1
    (contracted, _), _ = line.params["dimension_numbers"]
    return 2 * math.prod(line.invars[0].aval.shape[axis] for axis in contracted)


@functools.cache
def rate() -> float:
    """Return floating point operations per second of a matrix product on this device, timed once."""
    n = 2048
    x = jnp.ones((n, n))
    product = jax.jit(jnp.matmul)
    return 2 * n**3 / _timed(lambda: product(x, x))
