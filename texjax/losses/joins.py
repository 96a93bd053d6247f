"""Joins: the Gram matrices of several sources become one target, in float64 on the host.

With A_i a source's matrix [c, c] and w_i its weight, sum_i w_i = 1:

average           sum_i w_i A_i: the statistics of a picture that gives each source w_i of its area.
max               the largest of each entry; takes no weights, and need not be positive semidefinite.
log_euclidean     exp(sum_i w_i log A_i) (Arsigny et al. 2006, doi 10.1002/mrm.20965).
affine_invariant  the point with the least sum_i w_i d(M, A_i)^2, d(A, B) = |log(A^-1/2 B A^-1/2)| (Pennec et al. 2006,
                  doi 10.1007/s11263-005-3222-z): see `geodesic` for two sources, `karcher` for more.
riemann           another name of affine_invariant: the geodesics of that metric.

The last three are the geometric means of eigenvalues where matrices commute, and are for positive definite matrices. A
Gram matrix is singular where a channel is dead or the layer has fewer pixels than channels, so these joins f are taken
as f(A_i + e I) - e I, with e = regularization x the mean eigenvalue of the matrices' average, trace / c. As f does not
fall below the least eigenvalue of what it joins, this is positive semidefinite; sources that agree give what they agree
on, dead channels stay dead, and nothing of e is left in the target.

What differs from subjective-functions: its log_euclidean adds 0.05 I to F^T F / pixels / c and leaves it in the target,
its affine_invariant lacks a logarithm, and its riemann is of the first two sources only.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from texjax import errors

ITERATIONS = 200
TOLERANCE = 1e-7  # root mean square, per channel, of the logarithm by which a mean is off

Moment = Float64[np.ndarray, "c c"]
Moments = Float64[np.ndarray, "n c c"]
Weights = Float64[np.ndarray, " n"]


def average(moments: Moments, weights: Weights) -> Moment:
    """The arithmetic mean, sum_i w_i A_i."""
    return np.tensordot(weights, moments, 1)


def maximum(moments: Moments, weights: Weights) -> Moment:
    """The largest of each entry; `weights` mean nothing here."""
    return moments.max(0)


def log_euclidean(moments: Moments, weights: Weights) -> Moment:
    """The mean of positive definite matrices exp(sum_i w_i log A_i) (Arsigny et al. 2006)."""
    logs = np.stack([_spectral(moment, np.log) for moment in moments])
    return _spectral(average(logs, weights), np.exp)


def affine_invariant(moments: Moments, weights: Weights) -> Moment:
    """The Riemannian mean of positive definite matrices: for two of them in closed form. Raises as `karcher` does."""
    if len(moments) == 2:
        return geodesic(moments[0], moments[1], weights[1])
    return karcher(moments, weights)


def geodesic(a: Moment, b: Moment, position: int | float) -> Moment:
    """A^1/2 (A^-1/2 B A^-1/2)^t A^1/2: from A, at t = 0, to B, at t = 1 (Pennec et al. 2006), both definite."""
    root, inverse = _roots(a)
    return root @ _spectral(inverse @ b @ inverse, lambda values: values**position) @ root


def karcher(moments: Moments, weights: Weights) -> Moment:
    """The M with S = sum_i w_i log(M^-1/2 A_i M^-1/2) = 0, of positive definite matrices A_i.

    By M <- M^1/2 exp(s S) M^1/2 from the log-Euclidean mean, with the step of Bini & Iannazzo 2013 (doi
    10.1016/j.laa.2011.08.052): second derivatives lie between 1 and h = sum_i w_i l_i / tanh(l_i), 2 l_i the logarithm
    of the condition number of M^-1/2 A_i M^-1/2, and s = 2 / (1 + h) shrinks errors to (h - 1) / (h + 1) or less.

    Raises TexjaxError where that takes more than `ITERATIONS` steps.
    """
    mean, error = log_euclidean(moments, weights), np.inf
    for _ in range(ITERATIONS):
        root, inverse = _roots(mean)
        pairs = [np.linalg.eigh(inverse @ moment @ inverse) for moment in moments]
        slope = average(np.stack([_compose(np.log(values), vectors) for values, vectors in pairs]), weights)
        error = np.linalg.norm(slope) / np.sqrt(len(slope))
        if error <= TOLERANCE:
            return mean
        # The logarithm is 0 for a multiple of the mean, where l / tanh(l) is 1.
        spreads = np.array([max(np.log(values[-1] / values[0]) / 2, 1e-9) for values, _ in pairs])
        steepest = weights @ (spreads / np.tanh(spreads))
        mean = root @ _spectral(2 / (1 + steepest) * slope, np.exp) @ root
    raise errors.TexjaxError(
        f"the affine-invariant mean of {len(moments)} sources is off by {error:.1g} after {ITERATIONS} iterations; "
        f"raise join_regularization, or use join 'log_euclidean'."
    )


ENTRYWISE: dict[str, Callable[[Moments, Weights], Moment]] = {"average": average, "max": maximum}
SPECTRAL: dict[str, Callable[[Moments, Weights], Moment]] = {
    "log_euclidean": log_euclidean,
    "affine_invariant": affine_invariant,
    "riemann": affine_invariant,
}
NAMES = (*ENTRYWISE, *SPECTRAL)


def normalized(name: str, count: int, weights: Sequence[int | float] = (), position: int | float = 0.5) -> Weights:
    """The weights, of sum 1, that a join gives to `count` sources.

    weights: one per source, in any unit, or none for all alike. position: instead, of two sources: from 0, the first
    alone, to 1, the second.

    Raises TexjaxError for weights that are not one per source, are negative or all 0; for a position outside [0, 1],
    not between two sources or beside weights; and for either of them where the join is "max".
    """
    if position != 0.5:
        _check_position(name, count, weights, position)
        weights = (1 - position, position)
    elif weights:
        _check_weights(name, count, weights)
    given = np.array(weights or (1,) * count, np.float64)
    return given / given.sum()


def _check_position(name: str, count: int, weights: Sequence[int | float], position: int | float) -> None:
    if name == "max":
        raise errors.TexjaxError(f"join_position is {position:g}, and join 'max' takes none; leave it out.")
    if weights:
        raise errors.TexjaxError("join_weights and join_position say the same in two ways; leave one of them out.")
    if count != 2 or not 0 <= position <= 1:
        raise errors.TexjaxError(
            f"join_position is {position:g} for {count} source{'s' * (count != 1)}; give 0 to 1 for two sources, and "
            f"join_weights for more."
        )


def _check_weights(name: str, count: int, weights: Sequence[int | float]) -> None:
    if name == "max":
        raise errors.TexjaxError(f"join_weights is {tuple(weights)}, and join 'max' takes none; leave them out.")
    if len(weights) != count:
        raise errors.TexjaxError(
            f"join_weights has {len(weights)} number{'s' * (len(weights) != 1)} for {count} "
            f"source{'s' * (count != 1)}; give one each, or none."
        )
    if not (min(weights) >= 0 and 0 < sum(weights) < np.inf):
        raise errors.TexjaxError(f"join_weights is {tuple(weights)}; give numbers from 0, not all of them 0.")


def join(name: str, moments: Sequence[np.ndarray], weights: Weights, regularization: float) -> Moment:
    """The Gram matrices [c, c] of the sources, joined; `weights` are those of `normalized`.

    regularization: of the joins that need definite matrices, in units of the mean eigenvalue, see above. 0 for none.

    Raises TexjaxError for matrices of several sizes or, with too little regularization, that are not definite, and as
    `karcher` does.
    """
    sizes = sorted({len(moment) for moment in moments})
    if len(sizes) > 1:
        raise errors.TexjaxError(
            f"Gram matrices of {' and '.join(map(str, sizes))} channels cannot be joined; take one network for all."
        )
    stacked = np.stack(moments).astype(np.float64)
    if name in ENTRYWISE:
        return ENTRYWISE[name](stacked, weights)
    # What weighs nothing need not be definite either.
    stacked, weights = stacked[weights > 0], weights[weights > 0]
    # One matrix is its own mean, and of a dead layer's zeros there is no logarithm.
    if len(stacked) == 1 or not stacked.any():
        return stacked[0]
    shift = regularization * np.trace(average(stacked, weights)) / sizes[0] * np.eye(sizes[0])
    definite = stacked + shift[None]
    _check_definite(name, definite)
    joined = SPECTRAL[name](definite, weights) - shift
    return (joined + joined.T) / 2  # exactly symmetric, which products of rounded numbers are not


def _check_definite(name: str, moments: Moments) -> None:
    """Raises TexjaxError where an eigenvalue is not above what rounding makes of 0."""
    values = np.linalg.eigvalsh(moments)
    if (values[:, 0] <= len(values[0]) * np.finfo(np.float64).eps * values[:, -1]).any():
        raise errors.TexjaxError(
            f"join '{name}' needs positive definite Gram matrices, and a source has a singular one, as with dead "
            f"channels or few pixels; raise join_regularization."
        )


def _roots(matrix: Moment) -> tuple[Moment, Moment]:
    """A^1/2 and A^-1/2."""
    values, vectors = np.linalg.eigh(matrix)
    return _compose(np.sqrt(values), vectors), _compose(1 / np.sqrt(values), vectors)


def _spectral(matrix: Moment, function: Callable[[np.ndarray], np.ndarray]) -> Moment:
    """A function of a symmetric matrix: V f(L) V^T, for its eigenvalues L and eigenvectors V."""
    values, vectors = np.linalg.eigh(matrix)
    return _compose(function(values), vectors)


def _compose(values: Float64[np.ndarray, " c"], vectors: Moment) -> Moment:
    """V diag(l) V^T."""
    return (vectors * values[None]) @ vectors.T
