"""Joins: the Gram matrices of several sources become one target, in float64 on the host.

Let A_i [c, c] be the matrix of source i and w_i its weight, with sum_i w_i = 1:

average           sum_i w_i A_i: the statistics of a picture that gives each source w_i of its area.
max               the largest value of each entry; it takes no weights, and need not be positive semidefinite.
log_euclidean     exp(sum_i w_i log A_i) (Arsigny et al. 2006, doi 10.1002/mrm.20965).
affine_invariant  the matrix M with the least sum_i w_i d(M, A_i)^2, where d(A, B) = |log(A^-1/2 B A^-1/2)| (Pennec et
                  al. 2006, doi 10.1007/s11263-005-3222-z): see `geodesic` for two sources, `karcher` for more.
riemann           another name of affine_invariant, which follows the geodesics of that metric.

The last three need positive definite matrices. For matrices that commute they are the geometric means of the
eigenvalues. A Gram matrix is singular where a channel is dead or the layer has fewer pixels than channels, so such a
join f is computed as f(A_i + e I) - e I, where e = regularization x the mean eigenvalue of the average, which is its
trace / c. As the eigenvalues of f(A_i + e I) are at least e, the result is positive semidefinite. Sources that agree
give the matrix they agree on, dead channels stay dead, and nothing of e is left in the target.

What differs from subjective-functions: its log_euclidean adds 0.05 I to F^T F / pixels / c and leaves it in the target,
its affine_invariant lacks a logarithm, and its riemann joins the first two sources only.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from texjax import errors

ITERATIONS = 200
TOLERANCE = 1e-7  # of the residual of `karcher`: its Frobenius norm over the square root of the channels

Moment = Float64[np.ndarray, "c c"]
Moments = Float64[np.ndarray, "n c c"]
SourceWeights = Float64[np.ndarray, " n"]  # of sum 1


def average(moments: Moments, weights: SourceWeights) -> Moment:
    """Return the arithmetic mean, sum_i w_i A_i."""
    return np.tensordot(weights, moments, 1)


def maximum(moments: Moments, weights: SourceWeights) -> Moment:
    """Return the largest value of each entry; the weights are ignored."""
    return moments.max(0)


def log_euclidean(moments: Moments, weights: SourceWeights) -> Moment:
    """Return the mean exp(sum_i w_i log A_i) of positive definite matrices (Arsigny et al. 2006)."""
    logs = np.stack([_spectral(moment, np.log) for moment in moments])
    return _spectral(average(logs, weights), np.exp)


def affine_invariant(moments: Moments, weights: SourceWeights) -> Moment:
    """Return the Riemannian mean of positive definite matrices, in closed form for two; raises as `karcher` does."""
    if len(moments) == 2:
        return geodesic(moments[0], moments[1], weights[1])
    return karcher(moments, weights)


def geodesic(a: Moment, b: Moment, position: int | float) -> Moment:
    """Return A^1/2 (A^-1/2 B A^-1/2)^t A^1/2 for positive definite A and B (Pennec et al. 2006).

    The position t runs from 0, which gives A, to 1, which gives B.
    """
    root, inverse = _roots(a)
    return root @ _spectral(inverse @ b @ inverse, lambda values: values**position) @ root


def karcher(moments: Moments, weights: SourceWeights) -> Moment:
    """Return the matrix M with S = sum_i w_i log(M^-1/2 A_i M^-1/2) = 0, for positive definite A_i.

    The iteration is M <- M^1/2 exp(s S) M^1/2 from the log-Euclidean mean, with the step size s of Bini & Iannazzo 2013
    (doi 10.1016/j.laa.2011.08.052). Let 2 l_i be the logarithm of the condition number of M^-1/2 A_i M^-1/2. The second
    derivatives of sum_i w_i d(M, A_i)^2 / 2 lie between 1 and h = sum_i w_i l_i / tanh(l_i), so s = 2 / (1 + h) shrinks
    the error to (h - 1) / (h + 1) of itself or less.

    Raises:
        TexjaxError: where `ITERATIONS` iterations do not reach the tolerance.
    """
    mean, error = log_euclidean(moments, weights), np.inf
    for _ in range(ITERATIONS):
        root, inverse = _roots(mean)
        decompositions = [np.linalg.eigh(inverse @ moment @ inverse) for moment in moments]
        logs = np.stack([_compose(np.log(values), vectors) for values, vectors in decompositions])
        residual = average(logs, weights)
        error = np.linalg.norm(residual) / np.sqrt(len(residual))
        if error <= TOLERANCE:
            return mean
        # l is 0 where A_i is a multiple of the mean. There l / tanh(l) is 1, its limit.
        half_logs = np.array([max(np.log(values[-1] / values[0]) / 2, 1e-9) for values, _ in decompositions])
        largest_curvature = weights @ (half_logs / np.tanh(half_logs))
        mean = root @ _spectral(2 / (1 + largest_curvature) * residual, np.exp) @ root
    raise errors.TexjaxError(
        f"the affine-invariant mean of {len(moments)} sources is off by {error:.1g} after {ITERATIONS} iterations; "
        f"raise join_regularization, or use join 'log_euclidean'."
    )


ENTRYWISE: dict[str, Callable[[Moments, SourceWeights], Moment]] = {"average": average, "max": maximum}
SPECTRAL: dict[str, Callable[[Moments, SourceWeights], Moment]] = {
    "log_euclidean": log_euclidean,
    "affine_invariant": affine_invariant,
    "riemann": affine_invariant,
}
NAMES = (*ENTRYWISE, *SPECTRAL)


def normalized(
    name: str, count: int, weights: Sequence[int | float] = (), position: int | float = 0.5
) -> SourceWeights:
    """Return the weights, of sum 1, that a join gives to its sources.

    Args:
        name: of the join.
        count: number of sources.
        weights: one for each source, in any unit; empty weighs all sources alike.
        position: for two sources and instead of weights, from 0, the first source alone, to 1, the second alone.

    Raises:
        TexjaxError: for weights that are not one for each source, are negative or all 0; for a position outside [0, 1],
            for other than two sources or beside weights; and for weights or a position where the join is "max".
    """
    if position != 0.5:
        _check_position(name, count, weights, position)
        weights = (1 - position, position)
    elif weights:
        _check_weights(name, count, weights)
    unnormalized = np.array(weights or (1,) * count, np.float64)
    return unnormalized / unnormalized.sum()


def _check_position(name: str, count: int, weights: Sequence[int | float], position: int | float) -> None:
    """Raise TexjaxError for a position that `normalized` cannot use."""
    if name == "max":
        raise errors.TexjaxError(f"join_position is {position:g}, but join 'max' takes no position; leave it out.")
    if weights:
        raise errors.TexjaxError(
            "join_weights and join_position are both given, but both weigh the sources; leave one of them out."
        )
    if count != 2 or not 0 <= position <= 1:
        raise errors.TexjaxError(
            f"join_position is {position:g} for {count} source{'s' * (count != 1)}; give a number from 0 to 1 for two "
            f"sources, or join_weights for more."
        )


def _check_weights(name: str, count: int, weights: Sequence[int | float]) -> None:
    """Raise TexjaxError for weights that `normalized` cannot use."""
    if name == "max":
        raise errors.TexjaxError(f"join_weights is {tuple(weights)}, but join 'max' takes no weights; leave them out.")
    if len(weights) != count:
        raise errors.TexjaxError(
            f"join_weights has {len(weights)} number{'s' * (len(weights) != 1)} for {count} "
            f"source{'s' * (count != 1)}; give one for each source, or none."
        )
    if not (min(weights) >= 0 and 0 < sum(weights) < np.inf):
        raise errors.TexjaxError(f"join_weights is {tuple(weights)}; give numbers from 0, not all of them 0.")


def join(name: str, moments: Sequence[np.ndarray], weights: SourceWeights, regularization: float) -> Moment:
    """Return the joined Gram matrix of several sources.

    Args:
        name: of the join, one of `NAMES`.
        moments: the Gram matrix [c, c] of each source.
        weights: from `normalized`.
        regularization: e in units of the mean eigenvalue, see the top of the module; joins that need no definite
            matrices ignore it.

    Raises:
        TexjaxError: for matrices of different sizes; for matrices that are not definite because the regularization is
            too small; and as `karcher` does.
    """
    sizes = sorted({len(moment) for moment in moments})
    if len(sizes) > 1:
        raise errors.TexjaxError(
            f"Gram matrices of {' and '.join(map(str, sizes))} channels cannot be joined; use one network."
        )
    stacked = np.stack(moments).astype(np.float64)
    if name in ENTRYWISE:
        return ENTRYWISE[name](stacked, weights)
    # A matrix that weighs nothing need not be definite.
    stacked, weights = stacked[weights > 0], weights[weights > 0]
    # A single matrix is its own mean. The zeros of a dead layer have no logarithm.
    if len(stacked) == 1 or not stacked.any():
        return stacked[0]
    shift = regularization * np.trace(average(stacked, weights)) / sizes[0] * np.eye(sizes[0])
    definite = stacked + shift[None]
    _check_definite(name, definite)
    joined = SPECTRAL[name](definite, weights) - shift
    return (joined + joined.T) / 2  # because rounding leaves products not exactly symmetric


def _check_definite(name: str, moments: Moments) -> None:
    """Raise TexjaxError where a least eigenvalue cannot be told from 0 in float64."""
    values = np.linalg.eigvalsh(moments)
    if (values[:, 0] <= len(values[0]) * np.finfo(np.float64).eps * values[:, -1]).any():
        raise errors.TexjaxError(
            f"join '{name}' needs positive definite Gram matrices, but a source has a singular one, as dead channels "
            f"or few pixels give; raise join_regularization."
        )


def _roots(matrix: Moment) -> tuple[Moment, Moment]:
    """Return A^1/2 and A^-1/2."""
    values, vectors = np.linalg.eigh(matrix)
    return _compose(np.sqrt(values), vectors), _compose(1 / np.sqrt(values), vectors)


def _spectral(matrix: Moment, function: Callable[[np.ndarray], np.ndarray]) -> Moment:
    """Apply a function to a symmetric matrix: V f(L) V^T, where L are its eigenvalues and V its eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    return _compose(function(values), vectors)


def _compose(values: Float64[np.ndarray, " c"], vectors: Moment) -> Moment:
    """Return V diag(l) V^T."""
    return (vectors * values[None]) @ vectors.T
