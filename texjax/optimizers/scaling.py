"""The objective as the optimizers see it: a function of variables, scaled for float32, that carries the unscaled loss.

jaxopt's line searches take no step longer than 1 and want the strong Wolfe conditions. Where the gradient is small,
they fail silently and nothing is optimized. So the objective is multiplied by a constant that gives the first gradient
a root mean square of 0.45, which is of the order of the range of an image. The constant is an argument of the compiled
program, so another constant needs no other program.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from texjax import types
from texjax.optimizers import ranges

FIRST_GRADIENT = 0.45


class Evaluation(NamedTuple):
    """The unscaled loss without the range penalty, and the share of each term."""

    total: types.Scalar
    terms: dict[str, types.Scalar]


def scaled(objective: Callable[..., Any], handling: ranges.Range) -> Callable[..., Any]:
    """Return the jitted function (variables, scale, *args) -> ((scaled loss + penalty, Evaluation), gradient).

    It is jitted so that all its uses in a program share one tracing and lowering.
    """

    def value(variables: types.Images, scale: types.Scalar, *args: Any) -> tuple[types.Scalar, Evaluation]:
        total, terms = objective(handling.to_images(variables), *args)
        return scale * total + handling.penalty(variables), Evaluation(total, terms)

    return jax.jit(jax.value_and_grad(value, has_aux=True))


def first_scale(gradient: types.Images) -> types.Scalar:
    """Return the factor that gives the gradient a root mean square of 0.45, or 1 where the gradient vanishes."""
    size = rms(gradient)
    return jnp.where(size > 0, FIRST_GRADIENT / size, 1.0).astype(gradient.dtype)


def rms(x: types.Images) -> types.Scalar:
    """Return the root mean square, even of tiny gradients whose squares float32 cannot hold."""
    largest = jnp.max(jnp.abs(x))
    divisor = jnp.where(largest > 0, largest, 1)
    return divisor * jnp.sqrt(jnp.mean((x / divisor) ** 2))


def strong(tree: Any) -> Any:
    """Return the same arrays strongly typed, because an initial state must have the types of the state after a step."""
    return jax.tree.map(lambda x: lax.convert_element_type(x, jnp.asarray(x).dtype), tree)


def metrics(
    images: types.Images,
    evaluation: Evaluation,
    gradient: types.Images,
    scale: types.Scalar,
    evaluation_count: Any,
    failed: Any,
) -> dict[str, Any]:
    """Return the metrics that every optimizer reports.

    Args:
        images: before clipping to [0, 1].
        evaluation: of the images.
        gradient: of the scaled objective and the penalty.
        scale: the factor on the objective.
        evaluation_count: evaluations since the start.
        failed: whether the last line search failed.

    Returns:
        "loss" and "terms", unscaled; "gradient", the norm of the gradient divided by the scale; "evaluations";
        "failed"; "low" and "high", the least and the largest value of the images.
    """
    return {
        "loss": evaluation.total,
        "terms": evaluation.terms,
        "gradient": rms(gradient) * jnp.sqrt(float(gradient.size)) / scale,
        "evaluations": jnp.asarray(evaluation_count, jnp.int32),
        "failed": jnp.asarray(failed, bool),
        "low": images.min(),
        "high": images.max(),
    }
