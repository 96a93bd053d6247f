"""Joins of Gram matrices against SciPy's matrix functions, closed forms of matrices that commute, and invariances."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors, features, losses, types
from texjax.losses import joins
from texjax.synthesis import objective

pytestmark = pytest.mark.filterwarnings("ignore:logm result may be inaccurate:RuntimeWarning")  # by 1e-12

SPECTRAL = ("log_euclidean", "affine_invariant")
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(2, 4)


def definite(count: int, seed: int = 0, size: int = 5) -> np.ndarray:
    """Matrices [count, size, size] with eigenvalues from 0.05 to 20, each in random directions of its own."""
    rng = np.random.default_rng(seed)
    values = np.exp(rng.uniform(np.log(0.05), np.log(20), (count, size)))
    turns = scipy.stats.ortho_group(size, seed=rng).rvs(count)
    return np.stack([(q * v[None]) @ q.T for q, v in zip(turns, values, strict=True)])


def random_weights(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(count))


def singular(count: int, rank: int, size: int = 6, seed: int = 0) -> np.ndarray:
    """Gram matrices [count, size, size] in float32, each of features at `rank` pixels."""
    flat = np.random.default_rng(seed).standard_normal((count, rank, size)).astype(np.float32)
    return np.einsum("npi,npj->nij", flat, flat) / rank


def log(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.linalg.logm(matrix))


def whitened_log(mean: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """log(M^-1/2 A M^-1/2), by SciPy."""
    inverse = scipy.linalg.inv(scipy.linalg.sqrtm(mean))
    return log(inverse @ matrix @ inverse)


def scipy_karcher(moments: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The M with sum_i w_i log(M^-1/2 A_i M^-1/2) = 0, by SciPy's solver for the upper triangle of log M."""
    size = moments.shape[1]
    upper = np.triu_indices(size)

    def symmetric(triangle: np.ndarray) -> np.ndarray:
        half = np.zeros((size, size))
        half[upper] = triangle
        return half + half.T

    def residual(triangle: np.ndarray) -> np.ndarray:
        inverse = scipy.linalg.expm(-symmetric(triangle) / 2)
        values, vectors = np.linalg.eigh(inverse[None] @ moments @ inverse[None])  # logm takes fifty times as long
        return np.einsum("n,nij,nj,nkj->ik", weights, vectors, np.log(values), vectors)[upper]

    start = log(np.einsum("n,nij->ij", weights, moments)) * (1 - np.eye(size) / 2)
    solution = scipy.optimize.root(residual, start[upper], tol=1e-12)
    assert np.abs(solution.fun).max() < 1e-9
    return scipy.linalg.expm(symmetric(solution.x))


def reference(name: str, moments: Any, weights: np.ndarray, regularization: float) -> np.ndarray:
    """The join by NumPy and SciPy: f(A_i + e I) - e I for the joins f of definite matrices."""
    moments = np.asarray(moments, np.float64)
    average = np.einsum("n,nij->ij", weights, moments)
    if name in ("average", "max"):
        return average if name == "average" else moments.max(0)
    e = regularization * np.trace(average) / len(average) * np.eye(len(average))
    if name == "log_euclidean":
        return scipy.linalg.expm(np.einsum("n,nij->ij", weights, [log(moment + e) for moment in moments])) - e
    return scipy_karcher(moments + e[None], weights) - e


def check(actual: Any, want: Any, rtol: float = 1e-6) -> None:
    """Compare matrices entry by entry, in units of the largest entry."""
    np.testing.assert_allclose(actual, want, rtol=0, atol=rtol * np.abs(want).max())


@pytest.mark.parametrize("name", joins.NAMES)
@given(seed=SEEDS, count=COUNTS)
def test_joins_equal_scipy_in_any_order_of_the_sources(name: str, seed: int, count: int):
    moments, weights = definite(count, seed), random_weights(count, seed)
    order = np.random.default_rng(seed).permutation(count)
    joined = joins.join(name, list(moments[order]), weights[order], 1e-3)
    check(joined, reference(name, moments, weights, 1e-3))


def test_average_and_max_by_hand():
    moments = np.array([[[4.0, 1.0], [1.0, 2.0]], [[0.0, 3.0], [3.0, 6.0]]])
    np.testing.assert_array_equal(joins.average(moments, np.array([0.5, 0.5])), [[2, 2], [2, 4]])
    np.testing.assert_array_equal(joins.average(moments, np.array([0.25, 0.75])), [[1, 2.5], [2.5, 5]])
    np.testing.assert_array_equal(joins.maximum(moments, np.array([0.5, 0.5])), [[4, 3], [3, 6]])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_log_euclidean_equals_scipy(count: int):
    moments, weights = definite(count), random_weights(count)
    want = scipy.linalg.expm(sum(w * log(moment) for w, moment in zip(weights, moments, strict=True)))
    check(joins.log_euclidean(moments, weights), want, 1e-11)


@pytest.mark.parametrize("position", [0.0, 0.2, 0.5, 1.0])
def test_geodesic_equals_scipy(position: float):
    a, b = definite(2)
    root = scipy.linalg.sqrtm(a)
    inverse = scipy.linalg.inv(root)
    want = root @ scipy.linalg.fractional_matrix_power(inverse @ b @ inverse, position) @ root
    check(joins.geodesic(a, b, position), want, 1e-11)
    check(joins.affine_invariant(np.stack([a, b]), np.array([1 - position, position])), want, 1e-11)


def test_geodesic_in_another_form():
    # A (A^-1 B)^t, without roots of A.
    a, b = definite(2, seed=3)
    want = a @ scipy.linalg.fractional_matrix_power(scipy.linalg.solve(a, b), 0.3)
    check(joins.geodesic(a, b, 0.3), want, 1e-11)


@pytest.mark.parametrize("count", [3, 6])
def test_karcher_mean_solves_its_equation(count: int):
    moments, weights = definite(count), random_weights(count)
    mean = joins.karcher(moments, weights)
    logs = np.stack([whitened_log(mean, moment) for moment in moments])
    assert np.abs(logs).max() > 0.1
    np.testing.assert_allclose(np.tensordot(weights, logs, 1), 0, atol=1e-6)
    # The log-Euclidean mean, where the iteration starts, is another matrix.
    assert np.abs(mean - reference("log_euclidean", moments, weights, 0.0)).max() > 1e-3 * np.abs(mean).max()


def test_karcher_mean_has_the_least_cost_around():
    """Random matrices close to the mean M have a larger sum_i w_i d(M, A_i)^2, by SciPy's logarithms."""
    moments, weights, rng = definite(4), random_weights(4), np.random.default_rng(1)

    def cost(mean: np.ndarray) -> float:
        return sum(w * np.sum(whitened_log(mean, a) ** 2) for w, a in zip(weights, moments, strict=True))

    mean = joins.karcher(moments, weights)
    least = cost(mean)
    for _ in range(4):
        direction = rng.standard_normal(mean.shape)
        change = scipy.linalg.expm(1e-3 * (direction + direction.T))
        assert cost(change @ mean @ change.T) > least


@given(seed=SEEDS)
def test_karcher_mean_of_two_lies_on_their_geodesic(seed: int):
    moments, weights = definite(2, seed), random_weights(2, seed)
    a, b = moments
    want = a @ scipy.linalg.fractional_matrix_power(scipy.linalg.solve(a, b), weights[1])
    check(joins.karcher(moments, weights), want)


def test_karcher_mean_of_multiples_of_one_matrix():
    moments = np.stack([s * np.eye(3) for s in (1.0, 2.0, 4.0)])
    check(joins.karcher(moments, np.full(3, 1 / 3)), 2 * np.eye(3), 1e-12)


def test_a_mean_that_does_not_converge_is_an_error(monkeypatch):
    monkeypatch.setattr(joins, "ITERATIONS", 2)
    with pytest.raises(errors.TexjaxError, match=r"3 sources is off by .* after 2 iterations.*log_euclidean"):
        joins.karcher(definite(3), random_weights(3))


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, count=COUNTS)
def test_matrices_that_commute_have_the_geometric_means_of_their_eigenvalues(name: str, seed: int, count: int):
    rng, weights = np.random.default_rng(seed), random_weights(count, seed)
    values, turn = np.exp(rng.uniform(-3, 3, (count, 4))), scipy.stats.ortho_group(4, seed=rng).rvs()
    moments = np.stack([(turn * v[None]) @ turn.T for v in values])
    want = (turn * np.prod(values ** weights[:, None], axis=0)[None]) @ turn.T
    check(joins.join(name, list(moments), weights, 0.0), want)


@pytest.mark.parametrize("name", joins.NAMES)
@given(seed=SEEDS, factor=st.floats(1e-6, 1e6))
def test_joins_scale_with_their_sources(name: str, seed: int, factor: float):
    moments, weights = definite(3, seed), random_weights(3, seed)
    joined = joins.join(name, list(factor * moments), weights, 1e-3)
    check(joined, factor * reference(name, moments, weights, 1e-3))


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, factors=st.lists(st.floats(0.01, 100), min_size=3, max_size=3))
def test_factors_join_by_their_geometric_mean(name: str, seed: int, factors: list[float]):
    moments, weights = definite(3, seed), random_weights(3, seed)
    scaled = np.array(factors)[:, None, None] * moments
    want = np.prod(np.array(factors) ** weights) * reference(name, moments, weights, 0.0)
    check(joins.join(name, list(scaled), weights, 0.0), want)


@given(seed=SEEDS, count=COUNTS)
def test_affine_invariant_commutes_with_linear_maps_of_the_channels(seed: int, count: int):
    moments, weights = definite(count, seed), random_weights(count, seed)
    change = np.random.default_rng(seed).standard_normal((5, 5)) + 4 * np.eye(5)
    joined = joins.affine_invariant(change[None] @ moments @ change.T[None], weights)
    check(joined, change @ scipy_karcher(moments, weights) @ change.T)


@pytest.mark.parametrize("name", SPECTRAL)
def test_joins_commute_with_rotations_of_the_channels(name: str):
    moments, weights = definite(3), random_weights(3)
    rotation = scipy.stats.ortho_group(5, seed=7).rvs()
    joined = joins.join(name, list(rotation[None] @ moments @ rotation.T[None]), weights, 1e-3)
    check(joined, rotation @ reference(name, moments, weights, 1e-3) @ rotation.T)


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, count=COUNTS)
def test_determinants_join_by_their_geometric_mean(name: str, seed: int, count: int):
    moments, weights = definite(count, seed), random_weights(count, seed)
    sign, log_determinant = np.linalg.slogdet(joins.join(name, list(moments), weights, 0.0))
    assert sign == 1
    assert log_determinant == pytest.approx(weights @ np.linalg.slogdet(moments)[1], abs=1e-6)


@pytest.mark.parametrize("name", joins.NAMES)
@pytest.mark.parametrize("rank", [2, 9])
def test_sources_that_agree_give_what_they_agree_on(name: str, rank: int):
    moment = singular(1, rank)[0]
    check(joins.join(name, [moment] * 3, np.full(3, 1 / 3), 1e-3), moment)


@pytest.mark.parametrize("name", SPECTRAL)
@pytest.mark.parametrize("rank", [1, 4])
def test_singular_matrices(name: str, rank: int):
    """f(A_i + e I) - e I by SciPy, with e a hundredth of the average's mean eigenvalue; channel 2 is dead."""
    moments, weights = singular(2, rank), np.array([0.3, 0.7])
    moments[:, 2] = moments[:, :, 2] = 0
    e = 0.01 * np.trace(0.3 * moments[0].astype(float) + 0.7 * moments[1].astype(float)) / 6
    a, b = (moment.astype(float) + e * np.eye(6) for moment in moments)
    if name == "log_euclidean":
        want = scipy.linalg.expm(0.3 * log(a) + 0.7 * log(b))
    else:
        want = a @ scipy.linalg.fractional_matrix_power(scipy.linalg.solve(a, b), 0.7)
    joined = joins.join(name, list(moments), weights, 0.01)
    check(joined, want - e * np.eye(6), 1e-9)
    np.testing.assert_array_equal(joined, joined.T)
    assert np.linalg.eigvalsh(joined)[0] > -1e-6 * np.abs(joined).max()
    np.testing.assert_allclose(joined[2], 0, atol=1e-9 * np.abs(joined).max())


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, rank=st.integers(1, 5), count=COUNTS)
def test_joins_stay_semidefinite(name: str, seed: int, rank: int, count: int):
    moments, weights = singular(count, rank, seed=seed), random_weights(count, seed)
    joined = joins.join(name, list(moments), weights, 1e-3)
    assert np.isfinite(joined).all()
    # Up to the rounding of the sources to float32.
    assert np.linalg.eigvalsh(joined)[0] > -1e-6 * np.trace(np.tensordot(weights, moments.astype(float), 1))


@pytest.mark.parametrize(("pixels", "channels"), [(10, 24), (500, 16)])
def test_traces_are_in_order(pixels: int, channels: int):
    """Karcher <= log-Euclidean (Bhatia & Grover 2012) <= average (as the logarithm is operator concave).

    The matrices are in float32 and of positive features, whose largest eigenvalue is nearly all of the trace.
    """
    flat = np.random.default_rng(0).random((4, pixels, channels)).astype(np.float32)
    moments = list(np.einsum("npi,npj->nij", flat, flat) / pixels)
    names = ("affine_invariant", "log_euclidean", "average")
    traces = [np.trace(joins.join(name, moments, np.full(4, 0.25), 1e-3)) for name in names]
    assert 0 < traces[0] < traces[1] < traces[2]


@pytest.mark.parametrize("name", joins.NAMES)
def test_dead_layers_stay_dead(name: str):
    np.testing.assert_array_equal(joins.join(name, [np.zeros((3, 3))] * 2, np.full(2, 0.5), 1e-3), np.zeros((3, 3)))


@pytest.mark.parametrize("name", SPECTRAL)
def test_a_source_of_weight_0_changes_nothing(name: str):
    """It may even be singular, without regularization."""
    moments, zeros = definite(3), np.zeros((5, 5))
    want = reference(name, moments, np.full(3, 1 / 3), 0.0)
    check(joins.join(name, [zeros, *moments], np.array([0, *[1 / 3] * 3]), 0.0), want)
    check(joins.join(name, [zeros, moments[0]], np.array([0.0, 1.0]), 0.0), moments[0], 1e-12)


@pytest.mark.parametrize("name", SPECTRAL)
def test_singular_matrices_without_regularization_are_refused(name: str):
    with pytest.raises(errors.TexjaxError, match=f"'{name}' needs positive definite.*join_regularization"):
        joins.join(name, list(singular(2, 3)), np.full(2, 0.5), 0.0)


def test_matrices_of_different_sizes_are_refused():
    with pytest.raises(errors.TexjaxError, match="2 and 3 channels"):
        joins.join("average", [np.eye(3), np.eye(2)], np.full(2, 0.5), 1e-3)


@pytest.mark.parametrize(
    ("count", "source_weights", "position", "want"),
    [
        (1, (), 0.5, [1]),
        (3, (), 0.5, [1 / 3, 1 / 3, 1 / 3]),
        (3, (1, 0, 3), 0.5, [0.25, 0, 0.75]),
        (2, (), 0.25, [0.75, 0.25]),
        (2, (), 1.0, [0, 1]),
        (1, (7.0,), 0.5, [1]),
    ],
)
def test_weights_are_normalized(count: int, source_weights: tuple[float, ...], position: float, want: list[float]):
    np.testing.assert_allclose(joins.normalized("average", count, source_weights, position), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "count", "source_weights", "position", "words"),
    [
        ("average", 3, (1.0, 2.0), 0.5, "2 numbers for 3 sources"),
        ("riemann", 1, (1.0, 2.0), 0.5, "2 numbers for 1 source;"),
        ("average", 2, (1.0,), 0.5, "1 number for 2 sources"),
        ("average", 2, (1.0, -1.0), 0.5, "numbers from 0"),
        ("average", 2, (0.0, 0.0), 0.5, "not all of them 0"),
        ("average", 2, (1.0, float("nan")), 0.5, "numbers from 0"),
        ("average", 2, (), 1.5, "join_position is 1.5 for 2 sources"),
        ("average", 2, (), float("nan"), "join_position is nan"),
        ("average", 3, (), 0.25, "join_position is 0.25 for 3 sources"),
        ("average", 2, (1.0, 2.0), 0.25, "both given.*leave one of them out"),
        ("max", 2, (1.0, 2.0), 0.5, "join_weights .* 'max' takes no weights"),
        ("max", 2, (), 0.25, "join_position .* 'max' takes no position"),
    ],
)
def test_unusable_weights_are_refused(name, count, source_weights, position, words):
    with pytest.raises(errors.TexjaxError, match=words):
        joins.normalized(name, count, source_weights, position)


EXTRACTOR = features.random(size=3, channels=4)


def moments_of(image: np.ndarray) -> np.ndarray:
    """F^T F / pixels of EXTRACTOR's layer, in float64."""
    maps = EXTRACTOR.apply(EXTRACTOR.weights, jnp.asarray(image), ("conv1_1",))
    flat = np.asarray(maps["conv1_1"], np.float64).reshape(-1, 4)
    return flat.T @ flat / len(flat)


@pytest.mark.parametrize("name", [n for n in joins.NAMES if n != "riemann"])
def test_three_sources_through_the_objective(name: str):
    """The sources differ in size, the third has a single color, and all but "max" weigh them 1, 2 and 3."""
    rng = np.random.default_rng(0)
    sources = [rng.random((12, 9, 3)), rng.random((8, 15, 3)) ** 3, np.full((7, 7, 3), 0.5)]
    sources = [source.astype(np.float32) for source in sources]
    source_weights = () if name == "max" else (1.0, 2.0, 3.0)
    loss = losses.gram(normalization="pixels", join=name, join_weights=source_weights)
    problem = objective.objective(EXTRACTOR, [types.Term("gram", loss, 1.0, {"conv1_1": 1.0})], 1)
    targets = problem.join([problem.summarize(EXTRACTOR.weights, jnp.asarray(source)) for source in sources])
    want = reference(name, [moments_of(source) for source in sources], np.array([1, 2, 3]) / 6, 1e-3)
    (target,) = targets["gram"]
    assert target.dtype == jnp.float32
    check(target, want, 1e-4)
    image = rng.random((10, 11, 3)).astype(np.float32)
    value, _ = problem.value(jnp.asarray(image)[None], EXTRACTOR.weights, targets)
    assert float(value) == pytest.approx(np.sum((moments_of(image) - want) ** 2), rel=1e-3)
