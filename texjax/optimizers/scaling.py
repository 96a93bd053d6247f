"""The objective as the optimizers see it: of free variables, scaled for float32, with the true loss carried along.

jaxopt's line searches never step further than 1 and want strong Wolfe conditions: where the gradient is small they fail
without a word and nothing is optimized. So the objective is multiplied by a constant that makes the root mean square of
the first gradient 0.45, the order of the whole range of an image. The constant is an argument, hence never recompiled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from texjax import types
from texjax.optimizers import ranges

FIRST_GRADIENT = 0.45


class Loss(NamedTuple):
    """The unscaled loss without the range penalty, and its terms."""

    total: types.Scalar
    terms: dict[str, types.Scalar]


def scaled(objective: Callable[..., Any], handling: ranges.Range) -> Callable[..., Any]:
    """(free, scale, *args) -> ((scaled loss + penalty, Loss), gradient), jitted: its copies share one compilation."""

    def value(free: types.Images, scale: types.Scalar, *args: Any) -> tuple[types.Scalar, Loss]:
        total, terms = objective(handling.image(free), *args)
        return scale * total + handling.penalty(free), Loss(total, terms)

    return jax.jit(jax.value_and_grad(value, has_aux=True))


def first_scale(gradient: types.Images) -> types.Scalar:
    """The factor that makes the root mean square of `gradient` equal to 0.45; 1 where the gradient vanishes."""
    size = rms(gradient)
    return jnp.where(size > 0, FIRST_GRADIENT / size, 1.0).astype(gradient.dtype)


def rms(x: types.Images) -> types.Scalar:
    """Root mean square, safe for the tiny gradients whose squares float32 cannot hold."""
    largest = jnp.max(jnp.abs(x))
    divisor = jnp.where(largest > 0, largest, 1)
    return divisor * jnp.sqrt(jnp.mean((x / divisor) ** 2))


def strong(tree: Any) -> Any:
    """The same arrays, strongly typed: a first state must have the types of the state after a step."""
    return jax.tree.map(lambda x: lax.convert_element_type(x, jnp.asarray(x).dtype), tree)


def metrics(
    images: types.Images, loss: Loss, gradient: types.Images, scale: types.Scalar, evaluations: Any, failed: Any
) -> dict[str, Any]:
    """What every optimizer reports.

    The unscaled loss, its terms, the unscaled gradient's norm, evaluations so far, whether the last line search failed,
    and the images' range before clipping.
    """
    return {
        "loss": loss.total,
        "terms": loss.terms,
        "gradient": rms(gradient) * jnp.sqrt(float(gradient.size)) / scale,
        "evaluations": jnp.asarray(evaluations, jnp.int32),
        "failed": jnp.asarray(failed, bool),
        "low": images.min(),
        "high": images.max(),
    }
