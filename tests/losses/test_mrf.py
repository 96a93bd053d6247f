"""The nearest-patch loss against loops over patches in NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses, types
from texjax.losses.search import matching

C, KEY = 3, jax.random.key(0)


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C], not negative, many of them 0."""
    return np.maximum(np.random.default_rng(seed).standard_normal((height, width, C)), 0).astype(np.float32)


def patches(features: np.ndarray, patch: int, stride: int) -> list[tuple[int, int, np.ndarray]]:
    """(row, column, values [patch, patch, C]) of each patch, row by row."""
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
    """(row, column, patch, its match) of each patch of the image whose match is good enough."""
    bank = [values for source in sources for _, _, values in patches(source, patch, bank_stride)]
    for y, x, query in patches(image, patch, stride):
        cosines = [cosine(query, values, centered) for values in bank]
        if max(cosines) >= confidence:
            yield y, x, query, bank[int(np.argmax(cosines))]


def energy(image, pairs):
    """The sum of |P - M|^2, and its slope."""
    value, slope = 0.0, np.zeros(image.shape)
    for y, x, query, match in pairs:
        value += ((query - match) ** 2).sum()
        slope[y : y + len(query), x : x + len(query)] += 2 * (query - match)
    return value, slope


def overlap(image, pairs):
    """CNNMRF: T = sum over patches of (match - patch) / their number; the slope is -T, the value 1/2 sum T^2."""
    total, count = np.zeros(image.shape), np.zeros((*image.shape[:2], 1))
    for y, x, query, match in pairs:
        total[y : y + len(query), x : x + len(query)] += match - query
        count[y : y + len(query), x : x + len(query)] += 1
    move = total / (count + 1e-10)
    return (move**2).sum() / 2, -move


def views(images, mask=None) -> list[types.View]:
    """One place, of a stack [n, h, w, c]."""
    return [types.View(0, "conv3_1", 1.0, jnp.asarray(images), mask)]


def target_of(loss: types.Loss, sources, masks=None) -> list[Any]:
    masks = masks or [None] * len(sources)
    return loss.join([loss.summarize(views(source[None], mask)) for source, mask in zip(sources, masks, strict=True)])


def refresh(loss: types.Loss, images, target: list[Any], previous: list[matching.Match] | None, key: jax.Array):
    assert loss.refresh is not None
    return loss.refresh(views(images), target, previous, key)


def evaluate(loss: types.Loss, image, sources, masks=None):
    """Value and gradient of an image [h, w, c]; matches that are held come from this image."""
    target = target_of(loss, sources, masks)
    choice = [refresh(loss, image[None], target, None, KEY)] if loss.refresh else []
    value = jax.jit(jax.value_and_grad(lambda features, *arguments: loss.value(views(features[None]), *arguments)))
    return value(jnp.asarray(image), target, *choice)


CNNMRF = {"patch": 3, "stride": 2, "bank_stride": 2, "centered": False, "confidence": 0.0}
OTHER = {"patch": 2, "stride": 3, "bank_stride": 1, "centered": True, "confidence": 0.6}


@pytest.mark.parametrize("normalization", [energy, overlap])
@pytest.mark.parametrize(("settings", "rematch"), [({}, 1), (OTHER, 1), (OTHER, 2)])  # CNNMRF's are the defaults
def test_value_and_gradient_equal_the_formula(normalization, settings, rematch: int):
    image, sources = maps(8, 9), [maps(6, 5, seed=1), maps(5, 7, seed=2)]
    numbers = CNNMRF | settings
    pairs = list(matches(image, sources, **numbers))
    every = patches(image, numbers["patch"], numbers["stride"])
    assert 0 < len(pairs) < len(every) if settings else len(pairs) == len(every)  # the threshold parts them
    expected, slope = normalization(image, pairs)
    loss = losses.mrf(**settings, normalization=normalization.__name__, rematch=rematch)
    value, gradient = evaluate(loss, image, sources)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-5)


def test_patches_of_zeros_make_no_nan():
    image, source = maps(6, 6), maps(6, 6, seed=1)
    image[:4, :4], source[1:5, 1:5] = 0, 0
    value, gradient = evaluate(losses.mrf(stride=1, bank_stride=1), image, [source])
    expected, slope = energy(image, matches(image, [source], 3, 1, 1, False, 0.0))
    assert float(value) == pytest.approx(expected, rel=1e-5)
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
    expected, _ = energy(image, matches(image, [source[2:7, 1:6]], 3, 1, 1, False, 0.0))
    assert float(evaluate(loss, image, [source], [jnp.asarray(mask)])[0]) == pytest.approx(expected, rel=1e-5)


def test_strided_measure_adds_over_tiles_that_begin_on_its_grid():
    loss = losses.mrf(normalization="overlap")
    image, (bank,), additive = maps(10, 6), target_of(loss, [maps(6, 5, seed=1)]), loss.additive
    assert additive is not None
    assert (additive.stride, additive.halo, additive.aligned) == (2, 2, False)

    @jax.jit
    def measure(tile, mask):
        return additive.measure(views(tile[None], mask)[0], bank)[0]

    first, second = np.zeros((6, 6), np.float32), np.zeros((8, 6), np.float32)
    first[:4], second[2:] = 1, 1  # rows 0 to 3 of 0 to 5, and 4 to 9 of 2 to 9
    parts = measure(image[:6], first) + measure(image[2:], second)
    assert float(parts) == pytest.approx(float(measure(image, np.ones((10, 6), np.float32))), rel=1e-5)


@pytest.mark.parametrize("settings", [{"rematch": 2}, {"search": "patchmatch"}, {"search": "patchmatch", "rematch": 3}])
def test_held_matches_do_not_add_over_tiles(settings):
    """A tile would have to cut the field of matches too."""
    loss = losses.mrf(**settings)
    assert loss.refresh is not None
    assert loss.additive is None
    assert loss.period == settings.get("rematch", 1)


def test_exact_matches_of_every_evaluation_are_no_choice():
    loss = losses.mrf()
    assert loss.refresh is None
    assert loss.additive is not None


@pytest.mark.parametrize("settings", [{"rematch": 10}, {"search": "patchmatch"}])
def test_each_image_of_a_stack_has_its_own_choice_which_is_used(settings):
    """The value of other images is that of the matches held, whichever these are."""
    loss = losses.mrf(**settings)
    target = target_of(loss, [maps(7, 7, seed=1)])
    stack = np.stack([maps(7, 7, seed=seed) for seed in (2, 3)])
    (choice,) = jax.jit(lambda stack, key: refresh(loss, stack, target, None, key))(stack, KEY)
    assert choice.index.shape == choice.response.shape == (2, 3, 3)
    assert (choice.index[0] != choice.index[1]).any()
    bank = [values for _, _, values in patches(maps(7, 7, seed=1), 3, 2)]
    expected = 0.0
    for image, index, response in zip(stack, choice.index, choice.response, strict=True):
        for (_, _, query), n, cos in zip(patches(image, 3, 2), index.reshape(-1), response.reshape(-1), strict=True):
            assert float(cos) == pytest.approx(cosine(query, bank[n], False), rel=1e-5)
    for image, index in zip(stack[::-1], choice.index, strict=True):
        pairs = zip(patches(image, 3, 2), index.reshape(-1), strict=True)
        expected += energy(image, [(y, x, query, bank[n]) for (y, x, query), n in pairs])[0]
    assert float(loss.value(views(stack[::-1]), target, [choice])) == pytest.approx(expected, rel=1e-5)


def test_patchmatch_goes_on_from_the_matches_before():
    """Every refresh improves the matches, and their responses are computed anew, whatever they were."""
    loss = losses.mrf(stride=1, bank_stride=1, search="patchmatch", steps=1)
    image, source = maps(12, 12), maps(16, 16, seed=1)
    target = target_of(loss, [source])
    improve = jax.jit(lambda choice, key: refresh(loss, image[None], target, choice, key))
    choice = [matching.Match(jnp.zeros((1, 10, 10), jnp.int32), jnp.ones((1, 10, 10)))]
    similarities = []
    for key in jax.random.split(KEY, 8):
        choice = improve(choice, key)
        similarities.append(float(choice[0].response.mean()))
    assert similarities == sorted(similarities)
    bank = [values for _, _, values in patches(source, 3, 1)]
    best = np.mean([max(cosine(query, values, False) for values in bank) for _, _, query in patches(image, 3, 1)])
    assert similarities[0] + 0.02 < similarities[-1] <= best + 1e-6


def test_patchmatch_draws_other_candidates_from_another_key():
    """Between two refreshes with one key, a patch would try the same random candidates again."""
    loss = losses.mrf(stride=1, bank_stride=1, search="patchmatch", steps=1)
    target = target_of(loss, [maps(16, 16, seed=1)])
    improve = jax.jit(lambda choice, key: refresh(loss, maps(12, 12)[None], target, choice, key))
    key, other_key = jax.random.split(KEY)
    for previous in (None, improve(None, KEY)):
        first, again, other = (improve(previous, k)[0].index for k in (key, key, other_key))
        np.testing.assert_array_equal(first, again)
        assert (first != other).mean() > 0.1


def test_patchmatch_draws_other_candidates_at_each_place_and_image():
    """The same features are seen twice at two places, so that only random numbers make four different choices."""
    loss = losses.mrf(stride=1, bank_stride=1, search="patchmatch", steps=1)
    image = jnp.asarray(maps(12, 12))
    (bank,) = target_of(loss, [maps(16, 16, seed=1)])
    places = 2 * views(jnp.stack([image, image]))
    assert loss.refresh is not None
    choices = loss.refresh(places, [bank, bank], None, KEY)
    fields = [np.asarray(match.index[n]) for match in choices for n in (0, 1)]
    for n, field in enumerate(fields):
        assert all((field != other).mean() > 0.3 for other in fields[:n])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalization": "energie"}, "did you mean 'energy'"),
        ({"search": "patch_match"}, "did you mean 'patchmatch'"),
        ({"precision": "float16"}, "unknown precision"),
        ({"patch": 0}, "patch of the MRF loss is 0; give a whole number from 1"),
        ({"rematch": 0}, "rematch of the MRF loss is 0"),
        ({"rematch": True}, "rematch of the MRF loss is True; give a whole number"),
        ({"memory": 0}, r"memory \(bytes\) of the patch search is 0"),
    ],
)
def test_unknown_names_and_numbers_out_of_range_are_refused(settings, message):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.mrf(**settings)
