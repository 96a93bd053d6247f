"""The nearest-patch loss against loops over patches in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses
from texjax.losses.search import matching

C = 3


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C], not negative, many of them 0."""
    return np.maximum(np.random.default_rng(seed).standard_normal((height, width, C)), 0).astype(np.float32)


def patches(features: np.ndarray, patch: int, stride: int) -> list[tuple[int, int, np.ndarray]]:
    """(row, column, [patch, patch, C]) of each, by rows."""
    return [
        (y, x, features[y : y + patch, x : x + patch].astype(np.float64))
        for y in range(0, features.shape[0] - patch + 1, stride)
        for x in range(0, features.shape[1] - patch + 1, stride)
    ]


def cosine(a: np.ndarray, b: np.ndarray, centered: bool) -> float:
    a, b = (x - x.mean() if centered else x for x in (a, b))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float((a * b).sum() / length) if length else 0.0


def matches(image, sources, patch, stride, bank_stride, centered, confidence):
    """(row, column, own patch, its match) of each patch of the image whose match is good enough."""
    bank = [b for source in sources for _, _, b in patches(source, patch, bank_stride)]
    for y, x, own in patches(image, patch, stride):
        found = [cosine(own, b, centered) for b in bank]
        if max(found) >= confidence:
            yield y, x, own, bank[int(np.argmax(found))]


def energy(image, pairs):
    """The sum of |P - M|^2, and its slope."""
    value, slope = 0.0, np.zeros(image.shape)
    for y, x, own, match in pairs:
        value += ((own - match) ** 2).sum()
        slope[y : y + len(own), x : x + len(own)] += 2 * (own - match)
    return value, slope


def overlap(image, pairs):
    """CNNMRF: T = sum over patches of (match - own) / their number; the slope is -T, the value 1/2 sum T^2."""
    total, count = np.zeros(image.shape), np.zeros((*image.shape[:2], 1))
    for y, x, own, match in pairs:
        total[y : y + len(own), x : x + len(own)] += match - own
        count[y : y + len(own), x : x + len(own)] += 1
    move = total / (count + 1e-10)
    return (move**2).sum() / 2, -move


def evaluate(loss, image, sources, masks=None):
    """Value and gradient."""
    masks = masks or [None] * len(sources)
    target = loss.join([loss.summarize(jnp.asarray(s), m) for s, m in zip(sources, masks, strict=True)])
    value = jax.jit(jax.value_and_grad(lambda x, t: loss.distance(loss.measure(x, t, None), t)))
    return value(jnp.asarray(image), target)


CNNMRF = {"patch": 3, "stride": 2, "bank_stride": 2, "centered": False, "confidence": 0.0}
OTHER = {"patch": 2, "stride": 3, "bank_stride": 1, "centered": True, "confidence": 0.6}


@pytest.mark.parametrize("normalization", [energy, overlap])
@pytest.mark.parametrize("given", [{}, OTHER])  # CNNMRF's are the defaults
def test_value_and_gradient_equal_the_formula(normalization, given):
    image, sources = maps(8, 9), [maps(6, 5, seed=1), maps(5, 7, seed=2)]
    numbers = CNNMRF | given
    pairs = list(matches(image, sources, **numbers))
    every = patches(image, numbers["patch"], numbers["stride"])
    assert 0 < len(pairs) < len(every) if given else len(pairs) == len(every)  # the threshold parts them
    want, slope = normalization(image, pairs)
    value, gradient = evaluate(losses.mrf(**given, normalization=normalization.__name__), image, sources)
    assert float(value) == pytest.approx(want, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5)


def test_patches_of_zeros_make_no_nan():
    image, source = maps(6, 6), maps(6, 6, seed=1)
    image[:4, :4], source[1:5, 1:5] = 0, 0
    value, gradient = evaluate(losses.mrf(stride=1, bank_stride=1), image, [source])
    want, slope = energy(image, matches(image, [source], 3, 1, 1, False, 0.0))
    assert float(value) == pytest.approx(want, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5)
    flat = np.ones_like(image)  # zeros, once they are centered
    dark, slope = evaluate(losses.mrf(centered=True, patch=2), flat, [flat])
    assert float(dark) == 0
    assert not np.asarray(slope).any()


def test_sources_are_matched_within_their_masks():
    """The bank of a masked source is that of the part which the mask leaves."""
    image, source, mask = maps(6, 6), maps(8, 7, seed=1), np.zeros((8, 7), np.float32)
    mask[2:7, 1:6] = 1
    loss = losses.mrf(stride=1, bank_stride=1)
    want, _ = energy(image, matches(image, [source[2:7, 1:6]], 3, 1, 1, False, 0.0))
    assert float(evaluate(loss, image, [source], [jnp.asarray(mask)])[0]) == pytest.approx(want, rel=1e-5)


def test_strided_measure_adds_over_tiles_that_begin_on_its_grid():
    loss = losses.mrf(normalization="overlap")
    image, target, measure = (
        jnp.asarray(maps(10, 6)),
        loss.join([loss.summarize(jnp.asarray(maps(6, 5, seed=1)), None)]),
        jax.jit(loss.measure),
    )
    first, second = np.zeros((6, 6), np.float32), np.zeros((8, 6), np.float32)
    first[:4], second[2:] = 1, 1  # rows 0 to 3 of 0 to 5, and 4 to 9 of 2 to 9
    assert (loss.stride, loss.back, loss.reach) == (2, 2, 2)
    parts = measure(image[:6], target, jnp.asarray(first)) + measure(image[2:], target, jnp.asarray(second))
    assert float(parts) == pytest.approx(float(measure(image, target, None)), rel=1e-5)


def test_held_matches_are_used_and_may_be_prepared_for_a_stack():
    loss = losses.mrf(rematch=10)
    assert loss.period == 10
    assert loss.prepare is not None
    target = loss.join([loss.summarize(jnp.asarray(maps(7, 7, seed=1)), None)])
    stack = jnp.stack([jnp.asarray(maps(7, 7, seed=seed)) for seed in (2, 3)])
    held = jax.jit(jax.vmap(loss.prepare, (0, None, None)))(stack, target, None)
    assert held.index.shape == (2, 3, 3)
    other = stack[::-1]
    got = jax.jit(jax.vmap(loss.measure, (0, None, None, 0)))(other, target, None, held)
    bank = [b for _, _, b in patches(maps(7, 7, seed=1), 3, 2)]
    for value, image, index in zip(got, np.asarray(other), np.asarray(held.index), strict=True):
        pairs = [(y, x, own, bank[n]) for (y, x, own), n in zip(patches(image, 3, 2), index.reshape(-1), strict=True)]
        assert float(value) == pytest.approx(energy(image, pairs)[0], rel=1e-5)


def test_patchmatch_goes_on_from_the_matches_before():
    loss = losses.mrf(stride=1, bank_stride=1, search="patchmatch", steps=1)
    assert loss.prepare is not None
    target = loss.join([loss.summarize(jnp.asarray(maps(16, 16, seed=1)), None)])
    image, prepare = jnp.asarray(maps(12, 12)), jax.jit(loss.prepare)
    held = matching.Match(jnp.zeros((10, 10), jnp.int32), jnp.ones((10, 10)))  # found anew, whatever it was
    found = []
    for _ in range(8):
        held = prepare(image, target, held)
        found.append(float(held.response.mean()))
    assert found == sorted(found)
    assert found[0] + 0.02 < found[-1] < 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalization": "energie"}, "did you mean 'energy'"),
        ({"search": "patch_match"}, "did you mean 'patchmatch'"),
        ({"precision": "float16"}, "unknown precision"),
        ({"patch": 0}, "patch of the MRF loss is 0; give a whole number from 1"),
        ({"rematch": 0}, "rematch of the MRF loss is 0"),
        ({"rematch": True}, "rematch of the MRF loss is True; give a whole number"),
        ({"seed": -1}, "seed of the MRF loss is -1; give a whole number from 0"),
        ({"memory": 0}, "0 bytes"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.mrf(**settings)
