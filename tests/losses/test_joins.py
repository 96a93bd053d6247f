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

from texjax import errors, features, losses
from texjax.cli import synthesize
from texjax.losses import joins
from texjax.synthesis import objective

SPECTRAL = ("log_euclidean", "affine_invariant")
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(2, 4)


def definite(count: int, seed: int = 0, size: int = 5) -> np.ndarray:
    """[count, size, size], eigenvalues from 0.05 to 20 along directions of each matrix's own."""
    rng = np.random.default_rng(seed)
    values = np.exp(rng.uniform(np.log(0.05), np.log(20), (count, size)))
    turns = scipy.stats.ortho_group(size, seed=rng).rvs(count)
    return np.stack([(q * v[None]) @ q.T for q, v in zip(turns, values, strict=True)])


def weights_of(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(count))


def singular(count: int, rank: int, size: int = 6, seed: int = 0) -> np.ndarray:
    """Gram matrices of `rank` pixels each, float32."""
    flat = np.random.default_rng(seed).standard_normal((count, rank, size)).astype(np.float32)
    return np.einsum("npi,npj->nij", flat, flat) / rank


def log(matrix: np.ndarray) -> np.ndarray:
    return np.asarray(scipy.linalg.logm(matrix))


def whitened_log(mean: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """log(M^-1/2 A M^-1/2), by SciPy."""
    inverse = scipy.linalg.inv(scipy.linalg.sqrtm(mean))
    return log(inverse @ matrix @ inverse)


def check(got: Any, want: Any, rtol: float = 1e-6) -> None:
    """Entries are compared in units of the largest."""
    np.testing.assert_allclose(got, want, rtol=0, atol=rtol * np.abs(want).max())


def test_the_command_names_all():
    assert set(synthesize.JOIN_MODES) == set(joins.NAMES)


def test_riemann_is_another_name():
    moments, weights = list(definite(3)), weights_of(3)
    want = joins.join("affine_invariant", moments, weights, 1e-3)
    np.testing.assert_array_equal(joins.join("riemann", moments, weights, 1e-3), want)


def test_average_and_max_by_hand():
    moments = np.array([[[4.0, 1.0], [1.0, 2.0]], [[0.0, 3.0], [3.0, 6.0]]])
    np.testing.assert_array_equal(joins.average(moments, np.array([0.5, 0.5])), [[2, 2], [2, 4]])
    np.testing.assert_array_equal(joins.average(moments, np.array([0.25, 0.75])), [[1, 2.5], [2.5, 5]])
    np.testing.assert_array_equal(joins.maximum(moments, np.array([0.5, 0.5])), [[4, 3], [3, 6]])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_log_euclidean_equals_scipy(count: int):
    moments, weights = definite(count), weights_of(count)
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
    moments, weights = definite(count), weights_of(count)
    mean = joins.karcher(moments, weights)
    slopes = np.stack([whitened_log(mean, moment) for moment in moments])
    assert np.abs(slopes).max() > 0.1
    np.testing.assert_allclose(np.tensordot(weights, slopes, 1), 0, atol=1e-6)
    # It is not the log-Euclidean mean, where the iteration starts.
    assert np.abs(mean - joins.log_euclidean(moments, weights)).max() > 1e-3 * np.abs(mean).max()


def test_karcher_mean_is_the_nearest():
    """No matrix close by has a smaller sum_i w_i d(M, A_i)^2, by SciPy's logarithms."""
    moments, weights, rng = definite(4), weights_of(4), np.random.default_rng(1)

    def cost(mean: np.ndarray) -> float:
        return sum(w * np.sum(whitened_log(mean, a) ** 2) for w, a in zip(weights, moments, strict=True))

    mean = joins.karcher(moments, weights)
    least = cost(mean)
    for _ in range(4):
        way = rng.standard_normal(mean.shape)
        turn = scipy.linalg.expm(1e-3 * (way + way.T))
        assert cost(turn @ mean @ turn.T) > least


@given(seed=SEEDS)
def test_karcher_mean_of_two_lies_on_their_geodesic(seed: int):
    moments, weights = definite(2, seed), weights_of(2, seed)
    check(joins.karcher(moments, weights), joins.geodesic(moments[0], moments[1], float(weights[1])))


def test_karcher_mean_that_needs_no_step():
    moments = np.stack([s * np.eye(3) for s in (1.0, 2.0, 4.0)])
    check(joins.karcher(moments, np.full(3, 1 / 3)), 2 * np.eye(3), 1e-12)


def test_a_mean_that_does_not_converge_is_an_error(monkeypatch):
    monkeypatch.setattr(joins, "ITERATIONS", 2)
    with pytest.raises(errors.TexjaxError, match=r"3 sources is off by .* after 2 iterations.*log_euclidean"):
        joins.karcher(definite(3), weights_of(3))


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, count=COUNTS)
def test_matrices_that_commute_have_the_geometric_means_of_their_eigenvalues(name: str, seed: int, count: int):
    rng, weights = np.random.default_rng(seed), weights_of(count, seed)
    values, turn = np.exp(rng.uniform(-3, 3, (count, 4))), scipy.stats.ortho_group(4, seed=rng).rvs()
    moments = np.stack([(turn * v[None]) @ turn.T for v in values])
    want = (turn * np.prod(values ** weights[:, None], axis=0)[None]) @ turn.T
    check(joins.join(name, list(moments), weights, 0.0), want)


@pytest.mark.parametrize("name", [n for n in joins.NAMES if n != "max"])
@given(seed=SEEDS, count=COUNTS)
def test_the_order_of_the_sources_does_not_matter(name: str, seed: int, count: int):
    moments, weights = definite(count, seed), weights_of(count, seed)
    order = np.random.default_rng(seed).permutation(count)
    got = joins.join(name, list(moments[order]), weights[order], 1e-3)
    check(got, joins.join(name, list(moments), weights, 1e-3))


@pytest.mark.parametrize("name", joins.NAMES)
@given(seed=SEEDS, factor=st.floats(1e-6, 1e6))
def test_scales_with_its_sources(name: str, seed: int, factor: float):
    moments, weights = definite(3, seed), weights_of(3, seed)
    got = joins.join(name, list(factor * moments), weights, 1e-3)
    check(got, factor * joins.join(name, list(moments), weights, 1e-3))


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, factors=st.lists(st.floats(0.01, 100), min_size=3, max_size=3))
def test_factors_join_by_their_geometric_mean(name: str, seed: int, factors: list[float]):
    moments, weights = definite(3, seed), weights_of(3, seed)
    scaled = np.array(factors)[:, None, None] * moments
    want = np.prod(np.array(factors) ** weights) * joins.join(name, list(moments), weights, 0.0)
    check(joins.join(name, list(scaled), weights, 0.0), want)


@given(seed=SEEDS, count=COUNTS)
def test_affine_invariant_follows_any_linear_map_of_the_channels(seed: int, count: int):
    moments, weights = definite(count, seed), weights_of(count, seed)
    change = np.random.default_rng(seed).standard_normal((5, 5)) + 4 * np.eye(5)
    got = joins.affine_invariant(change[None] @ moments @ change.T[None], weights)
    check(got, change @ joins.affine_invariant(moments, weights) @ change.T)


@pytest.mark.parametrize("name", SPECTRAL)
def test_follows_a_turn_of_the_channels(name: str):
    moments, weights = definite(3), weights_of(3)
    turn = scipy.stats.ortho_group(5, seed=7).rvs()
    got = joins.join(name, list(turn[None] @ moments @ turn.T[None]), weights, 1e-3)
    check(got, turn @ joins.join(name, list(moments), weights, 1e-3) @ turn.T)


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, count=COUNTS)
def test_determinants_join_by_their_geometric_mean(name: str, seed: int, count: int):
    moments, weights = definite(count, seed), weights_of(count, seed)
    got = np.linalg.slogdet(joins.join(name, list(moments), weights, 0.0))
    assert got[0] == 1
    assert got[1] == pytest.approx(weights @ np.linalg.slogdet(moments)[1], abs=1e-6)


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
    got = joins.join(name, list(moments), weights, 0.01)
    check(got, want - e * np.eye(6), 1e-9)
    np.testing.assert_array_equal(got, got.T)
    assert np.linalg.eigvalsh(got)[0] > -1e-6 * np.abs(got).max()
    np.testing.assert_allclose(got[2], 0, atol=1e-9 * np.abs(got).max())


@pytest.mark.parametrize("name", SPECTRAL)
@given(seed=SEEDS, rank=st.integers(1, 5), count=COUNTS)
def test_what_is_joined_stays_semidefinite(name: str, seed: int, rank: int, count: int):
    moments, weights = singular(count, rank, seed=seed), weights_of(count, seed)
    got = joins.join(name, list(moments), weights, 1e-3)
    assert np.isfinite(got).all()
    # But for the rounding of the matrices to float32.
    assert np.linalg.eigvalsh(got)[0] > -1e-6 * np.trace(joins.average(moments.astype(float), weights))


@pytest.mark.parametrize(("pixels", "channels"), [(10, 24), (500, 16)])
def test_traces_are_in_the_known_order(pixels: int, channels: int):
    """Of positive features, whose first eigenvalue is nearly all, in float32.

    tr Karcher <= tr log-Euclidean (Bhatia & Grover 2012) <= tr average (as the logarithm is operator concave).
    """
    flat = np.random.default_rng(0).random((4, pixels, channels)).astype(np.float32)
    moments = list(np.einsum("npi,npj->nij", flat, flat) / pixels)
    names = ("affine_invariant", "log_euclidean", "average")
    traces = [np.trace(joins.join(name, moments, np.full(4, 0.25), 1e-3)) for name in names]
    assert 0 < traces[0] < traces[1] < traces[2]


@pytest.mark.parametrize("name", joins.NAMES)
def test_dead_layers(name: str):
    np.testing.assert_array_equal(joins.join(name, [np.zeros((3, 3))] * 2, np.full(2, 0.5), 1e-3), np.zeros((3, 3)))


@pytest.mark.parametrize("name", SPECTRAL)
def test_what_weighs_nothing_changes_nothing(name: str):
    moments, singular_one = definite(3), np.zeros((5, 5))
    want = joins.join(name, list(moments), np.full(3, 1 / 3), 0.0)
    check(joins.join(name, [singular_one, *moments], np.array([0, *[1 / 3] * 3]), 0.0), want, 1e-12)
    check(joins.join(name, [singular_one, moments[0]], np.array([0.0, 1.0]), 0.0), moments[0], 1e-12)


@pytest.mark.parametrize("name", SPECTRAL)
def test_singular_matrices_without_regularization_are_refused(name: str):
    with pytest.raises(errors.TexjaxError, match=f"'{name}' needs positive definite.*join_regularization"):
        joins.join(name, list(singular(2, 3)), np.full(2, 0.5), 0.0)


def test_matrices_of_several_sizes_are_refused():
    with pytest.raises(errors.TexjaxError, match="2 and 3 channels"):
        joins.join("average", [np.eye(3), np.eye(2)], np.full(2, 0.5), 1e-3)


@pytest.mark.parametrize(
    ("count", "given_weights", "position", "want"),
    [
        (1, (), 0.5, [1]),
        (3, (), 0.5, [1 / 3, 1 / 3, 1 / 3]),
        (3, (1, 0, 3), 0.5, [0.25, 0, 0.75]),
        (2, (), 0.25, [0.75, 0.25]),
        (2, (), 1.0, [0, 1]),
        (1, (7.0,), 0.5, [1]),
    ],
)
def test_weights(count: int, given_weights: tuple[float, ...], position: float, want: list[float]):
    np.testing.assert_allclose(joins.normalized("average", count, given_weights, position), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "count", "given_weights", "position", "words"),
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
        ("average", 2, (1.0, 2.0), 0.25, "leave one of them out"),
        ("max", 2, (1.0, 2.0), 0.5, "join_weights .* 'max' takes none"),
        ("max", 2, (), 0.25, "join_position .* 'max' takes none"),
    ],
)
def test_weights_that_cannot_be(name, count, given_weights, position, words):
    with pytest.raises(errors.TexjaxError, match=words):
        joins.normalized(name, count, given_weights, position)


EXTRACTOR = features.random(size=3, channels=4)


def moments_of(image: np.ndarray) -> np.ndarray:
    """F^T F / pixels of EXTRACTOR's layer, in float64."""
    found = np.asarray(EXTRACTOR.apply(EXTRACTOR.weights, jnp.asarray(image), ("conv1_1",))["conv1_1"], np.float64)
    return np.einsum("hwi,hwj->ij", found, found) / (found.shape[0] * found.shape[1])


def expected(name: str, a: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """By SciPy; e as a thousandth of the average's mean eigenvalue, and the Karcher mean by its equation, solved."""
    if name == "max":
        return np.maximum(np.maximum(a[0], a[1]), a[2])
    plain = np.einsum("n,nij->ij", weights, a)
    if name == "average":
        return plain
    e = 1e-3 * np.trace(plain) / 4 * np.eye(4)
    if name == "log_euclidean":
        return scipy.linalg.expm(np.einsum("n,nij->ij", weights, [log(x + e) for x in a])) - e

    upper = np.triu_indices(4)

    def symmetric(x: np.ndarray) -> np.ndarray:
        out = np.zeros((4, 4))
        out[upper] = x
        return out + out.T

    def slope(x: np.ndarray) -> np.ndarray:
        mean = scipy.linalg.expm(symmetric(x))
        return np.einsum("n,nij->ij", weights, [whitened_log(mean, one + e) for one in a])[upper]

    half = log(plain + e) * (1 - np.eye(4) / 2)
    solved = np.asarray(scipy.optimize.fsolve(slope, half[upper], xtol=1e-12))
    return scipy.linalg.expm(symmetric(solved)) - e


@pytest.mark.filterwarnings("ignore:logm result may be inaccurate:RuntimeWarning")  # by 1e-12
@pytest.mark.parametrize("name", [n for n in joins.NAMES if n != "riemann"])
def test_three_sources_through_the_objective(name: str):
    """Sources of several sizes, the third with one color only, weighed 1, 2 and 3 where the join takes weights."""
    rng = np.random.default_rng(0)
    sources = [rng.random((12, 9, 3)), rng.random((8, 15, 3)) ** 3, np.full((7, 7, 3), 0.5)]
    sources = [source.astype(np.float32) for source in sources]
    given_weights = () if name == "max" else (1.0, 2.0, 3.0)
    loss = losses.gram(normalization="pixels", join=name, join_weights=given_weights)
    made = objective.objective(EXTRACTOR, [objective.Term("gram", loss, 1.0, {"conv1_1": 1.0})], 1)
    targets = made.join([made.summarize(EXTRACTOR.weights, jnp.asarray(source)) for source in sources])
    want = expected(name, np.stack([moments_of(source) for source in sources]), np.array([1, 2, 3]) / 6)
    (got,) = targets["gram"]
    assert got.dtype == jnp.float32
    check(got, want, 1e-4)
    image = rng.random((10, 11, 3)).astype(np.float32)
    value, _ = made.value(jnp.asarray(image)[None], EXTRACTOR.weights, targets)
    assert float(value) == pytest.approx(np.sum((moments_of(image) - want) ** 2), rel=1e-3)
