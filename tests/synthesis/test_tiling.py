"""Values and gradients by tiles are those of the whole image."""

from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies

from tests.features import test_vgg
from texjax import errors, features, losses, types
from texjax.features import vgg
from texjax.synthesis import objective, scene, tiling

PADDINGS = ("valid", "same", "reflect", "circular")
PYRAMID = {"valid": "valid", "same": "reflect", "reflect": "reflect", "circular": "circular"}
DEEP = {"conv1_1": 1.0, "pool1": 0.3, "conv2_2": 1.0}
CONTENT, ANALOGY = types.Exemplars("content"), types.Exemplars("analogy")
TERMS = {
    "gram": types.Term("gram", losses.gram(), 1.0, {"pixels": 2.0, **DEEP}),
    "mean": types.Term("mean", losses.mean(), 2.0, {"pool1": 1.0, "conv1_1": 0.5}),
    "mrf": types.Term("mrf", losses.mrf(patch=3, stride=2), 0.01, {"pool1": 1.0}),
    "overlap": types.Term("overlap", losses.mrf(patch=2, stride=1, normalization="overlap"), 0.01, {"conv2_2": 1.0}),
    "content": types.Term("content", losses.content(), 3.0, {"conv2_2": 1.0}, exemplars=CONTENT),
    "analogy": types.Term("analogy", losses.analogy(), 0.01, {"pool1": 1.0}, exemplars=ANALOGY),
    "smoothness": types.Term("smoothness", losses.smoothness(form="power"), 0.01, {"pixels": 1.0}),
    "novelty": types.Term("novelty", losses.novelty(), 0.1, {"conv1_1": 1.0}),
    "inter_frame": types.Term("inter_frame", losses.inter_frame(order=1), 1e-3, {"pixels": 1.0}),
    "shifted_gram": types.Term("shifted_gram", losses.shifted_gram(shifts=(1, 2)), 1.0, {"pool1": 1.0}),
}


def double(tree: Any) -> Any:
    return jax.tree.map(lambda x: np.asarray(x, np.float64) if np.issubdtype(x.dtype, np.floating) else x, tree)


def both(
    terms: tuple[str, ...],
    padding: str,
    pool: str,
    tile: int,
    shape: tuple[int, int],
    octaves: int = 2,
    exact: bool = True,
) -> list[tuple[Any, np.ndarray, Any]]:
    """Value, shares, gradient and targets of two noise images, without and with tiles."""
    chosen = [TERMS[name] for name in terms]
    with jax.enable_x64(exact):
        extractor = vgg.extractor(test_vgg.random_weights(), vgg.VGG19, pool, padding, "float32", "xla")
        weights = double(extractor.weights) if exact else extractor.weights
        rng = np.random.default_rng(0)
        images, *pictures = (
            jnp.asarray(rng.random((n, *size, 3)) ** power, None if exact else jnp.float32)
            for n, size, power in ((2, shape, 2), (1, (45, 58), 1), (1, shape, 1), (3, shape, 1))
        )
        results = []
        for side in (0, tile):
            problem = objective.objective(extractor, chosen, octaves, PYRAMID[padding], tile=side)
            targets = {}
            for exemplars, group in zip((types.Exemplars(), CONTENT, ANALOGY), pictures, strict=True):
                if any(term.exemplars == exemplars for term in chosen):
                    summarize = jax.jit(problem.summarize, static_argnames="exemplars")
                    targets |= problem.join([summarize(weights, x, exemplars=exemplars) for x in group])
            run = jax.jit(jax.value_and_grad(problem.value, has_aux=True))
            (_, shares), gradient = run(images, weights, targets)
            results.append(jax.tree.map(np.asarray, (shares, gradient, targets)))
        return results


def check(results: list[Any], tolerance: float) -> None:
    (shares, gradient, targets), (tiled_shares, tiled, tiled_targets) = results
    for name, share in shares.items():
        assert share != 0
        np.testing.assert_allclose(tiled_shares[name], share, rtol=tolerance, err_msg=name)
    assert np.abs(tiled - gradient).max() <= tolerance * np.abs(gradient).max()
    for a, b in zip(jax.tree.leaves(tiled_targets), jax.tree.leaves(targets), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("padding", "pool"),
    [
        pytest.param("valid", "average", marks=[pytest.mark.slow, pytest.mark.thorough]),
        pytest.param("same", "max", marks=[pytest.mark.slow, pytest.mark.thorough]),
        pytest.param("reflect", "average", marks=[pytest.mark.slow, pytest.mark.thorough]),
        ("circular", "max"),
    ],
)
def test_terms_in_double_precision(padding, pool):
    # Every term with one padding, and those that need margins with the others, as compiling is what takes the time.
    terms = tuple(TERMS) if padding == "circular" else ("gram", "mrf", "smoothness")
    check(both(terms, padding, pool, 52 if padding == "circular" else 40, (75, 66)), 1e-12)


def test_in_single_precision():
    check(both(("gram", "mrf"), "circular", "average", 48, (83, 70), exact=False), 1e-5)


@pytest.mark.slow
@hypothesis.settings(max_examples=2)
@hypothesis.given(
    strategies.lists(strategies.sampled_from(sorted(TERMS)), min_size=1, max_size=4, unique=True),
    strategies.sampled_from(PADDINGS),
    strategies.sampled_from(("average", "max")),
    strategies.integers(52, 70),
    strategies.tuples(strategies.integers(60, 160), strategies.integers(60, 160)),
    strategies.integers(1, 2),
)
def test_any_terms_sizes_and_tiles(terms, padding, pool, tile, shape, octaves):
    hypothesis.assume(padding == "circular" or "shifted_gram" not in terms)  # which wraps around
    check(both(tuple(terms), padding, pool, tile, shape, octaves), 1e-12)


def test_moments_of_an_extractor_that_has_no_faster_way():
    """Masks on the features: against the moments of all features by NumPy."""
    extractor = features.random(size=3, channels=4, padding="reflect")
    term = types.Term("gram", losses.gram(), 1.0, {"conv1_1": 1.0})
    image = jnp.asarray(np.random.default_rng(0).random((50, 61, 3)), jnp.float32)
    problem = objective.objective(extractor, [term], 1, "reflect", tile=20)
    (target,) = problem.join([problem.summarize(extractor.weights, image)])["gram"]
    maps = np.asarray(extractor(image, ("conv1_1",))["conv1_1"], np.float64).reshape(-1, 4)
    np.testing.assert_allclose(target, maps.T @ maps / len(maps), rtol=1e-5)


def problem_of(loss: types.Loss, tile: int, octave_weights: tuple[float, ...] = ()) -> tuple[Any, types.Extractor]:
    extractor = test_vgg.small(padding="circular", backend="xla")
    terms = [types.Term("odd", loss, 1.0, {"pool1": 1.0}, octave_weights)]
    return objective.objective(extractor, terms, 2, "circular", tile=tile), extractor


def test_terms_that_do_not_add_are_refused_by_name():
    loss = losses.gram()._replace(additive=None)
    image = test_vgg.random_image(64, 64)
    problem, extractor = problem_of(loss, 60)
    with pytest.raises(errors.TexjaxError, match=r"octave 0 has 64 x 64 px, .* term odd does not add over tiles"):
        problem.summarize(extractor.weights, image)
    problem, extractor = problem_of(loss, 60, (0.0, 1.0))  # the second octave fits into a tile
    targets = problem.join([problem.summarize(extractor.weights, image)])
    assert problem.value(test_vgg.random_image(64, 64, 1)[None], extractor.weights, targets)[0] > 0


def test_terms_that_wrap_around_are_refused_where_the_network_does_not():
    """The sources of such a term may be cut, as their features are looked at as a whole."""
    extractor = test_vgg.small(padding="reflect", backend="xla")
    term = types.Term("wraps", losses.shifted_gram(shifts=(1,)), 1.0, {"pool1": 1.0})
    problem = objective.objective(extractor, [term], 1, "reflect", tile=40)
    targets = problem.join([problem.summarize(extractor.weights, test_vgg.random_image(48, 48))])
    with pytest.raises(errors.TexjaxError, match="term wraps adds over tiles only where the picture repeats"):
        problem.value(test_vgg.random_image(48, 48, 1)[None], extractor.weights, targets)


def test_tiles_that_are_too_small_are_refused():
    problem, extractor = problem_of(losses.gram(), 12)
    with pytest.raises(errors.TexjaxError, match="tiles have 12 px, where the network and the terms need 17"):
        problem.summarize(extractor.weights, test_vgg.random_image(64, 64))


def test_there_is_no_gradient_to_the_weights():
    problem, extractor = problem_of(losses.gram(), 40)
    image = test_vgg.random_image(64, 64)
    targets = problem.join([problem.summarize(extractor.weights, image)])
    with pytest.raises(NotImplementedError, match="to the image alone"):
        jax.grad(lambda weights: problem.value(image[None], weights, targets)[0])(extractor.weights)


def test_an_octave_that_fits_is_not_cut():
    setup = scene.Setup(test_vgg.small(), TERMS, (), 2, "valid", 0, scene.Analysis(test_vgg.small(), "valid"), tile=64)
    terms = [TERMS["gram"]]
    assert tiling.cut(setup, 0, (1, 64, 30, 3), terms) is None
    tiles = tiling.cut(setup, 0, (1, 65, 30, 3), terms)
    assert tiles is not None and (len(tiles.columns.starts), tiles.columns.side) == (1, 30)
    assert len(tiles.rows.starts) == 2
