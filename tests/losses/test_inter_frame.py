"""The inter-frame loss against loops over frames in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import config as configs
from texjax import errors, losses, types
from texjax.synthesis import build, objective

# The generating kernel of Burt & Adelson 1983 with a = 0.4.
KERNEL = np.array([0.05, 0.25, 0.4, 0.25, 0.05])


def stack(count: int, height: int = 8, width: int = 10, seed: int = 0) -> np.ndarray:
    """Frames [n, h, w, 3] in [0, 1]."""
    return np.random.default_rng(seed).random((count, height, width, 3)).astype(np.float32)


def l2(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square difference, in levels of 1/255."""
    return float(255 * np.sqrt(np.mean((a.astype(np.float64) - b) ** 2)))


def detail(frame: np.ndarray) -> np.ndarray:
    """What a blurred picture lacks, g - expand(reduce(g)), mirrored about the outermost pixels."""
    h, w = (expanding(n) @ reducing(n) for n in frame.shape[:2])
    return frame - np.einsum("ij,kl,jlc->ikc", h, w, frame.astype(np.float64))


def mirrored(i: int, n: int) -> int:
    """The index of pixel i of an axis of n pixels that is mirrored about its outermost pixels."""
    i = abs(i)
    return 2 * (n - 1) - i if i > n - 1 else i


def reducing(n: int) -> np.ndarray:
    """The matrix that blurs and halves an axis of n pixels."""
    matrix = np.zeros(((n + 1) // 2, n))
    for i in range(len(matrix)):
        for m in range(-2, 3):
            matrix[i, mirrored(2 * i + m, n)] += KERNEL[m + 2]
    return matrix


def expanding(n: int) -> np.ndarray:
    """The matrix that doubles an axis to n pixels.

    It puts zeros between the coarse pixels, which lie on the even fine ones, and lays twice the kernel over them. The
    coarse pixels are mirrored as the fine ones are.
    """
    matrix = np.zeros((n, (n + 1) // 2))
    for i in range(n):
        for m in range(-2, 3):
            at = mirrored(i - m, n)
            if at % 2 == 0:
                matrix[i, at // 2] += 2 * KERNEL[m + 2]
    return matrix


def lap1(octave: int):
    """2^(1 - o) times the mean absolute difference of details, in levels of 1/255."""
    return lambda a, b: float(255 * 2.0 ** (1 - octave) * np.mean(np.abs(detail(a) - detail(b))))


def target(source: np.ndarray, shift: float, distance=l2) -> float:
    """The mean of the distances by one move down and one more right, between whole pixels interpolated."""
    by_pixels = []
    for pixels in (int(np.floor(shift)), int(np.floor(shift)) + 1):
        down = np.roll(source, pixels, axis=0)
        by_pixels.append((distance(source, down) + distance(down, np.roll(down, pixels, axis=1))) / 2)
    return float(np.interp(shift - np.floor(shift), [0, 1], by_pixels))


def formula(frames: np.ndarray, target: float, order: int, distance=l2) -> float:
    total, n = 0.0, len(frames)
    for step in range(1, order + 1):
        total += sum((distance(frames[i], frames[(i + step) % n]) - step * target) ** 2 for i in range(n)) / n
    return total


def views(frames, octave: int = 0, mask=None) -> list[types.View]:
    """One place, of a stack of frames [n, h, w, 3]."""
    return [types.View(octave, "pixels", 1.0, jnp.asarray(frames), mask)]


def target_of(loss: types.Loss, *sources: np.ndarray, octave: int = 0):
    """The target of the place, a scalar."""
    (target,) = loss.join([loss.summarize(views(source[None], octave)) for source in sources])
    return target


@functools.cache
def compiled(loss: types.Loss, octave: int = 0, transform=lambda function: function):
    """The compiled loss of (frames, target of the place), or its gradient; compiled once for each."""
    return jax.jit(transform(lambda frames, target: loss.value(views(frames, octave), [target])))


def value(loss: types.Loss, frames: np.ndarray, target, octave: int = 0) -> float:
    return float(compiled(loss, octave)(jnp.asarray(frames), target))


def gradient(loss: types.Loss, frames: np.ndarray, target: float) -> np.ndarray:
    return np.asarray(compiled(loss, 0, jax.grad)(jnp.asarray(frames), jnp.array(target)))


@pytest.mark.parametrize("octave", [0, 1, 2])
@pytest.mark.parametrize("shift", [0, 1, 5.0, 2.25, 7.5, 13])
@pytest.mark.parametrize("kind", ["l2", "lap1"])
def test_target_equals_the_formula(kind: str, shift: float, octave: int):
    source, distance = stack(1, seed=1)[0], l2 if kind == "l2" else lap1(octave)
    summary = target_of(losses.inter_frame(shift=shift, distance_type=kind), source, octave=octave)
    assert float(summary) == pytest.approx(target(source, shift / 2**octave, distance), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "count", "order"), [("l2", 2, 1), ("l2", 5, 2), ("l2", 5, 4), ("lap1", 2, 1), ("lap1", 3, 2)]
)
def test_equals_the_formula(kind: str, count: int, order: int):
    frames, source, distance = stack(count) / 2, stack(1, 9, 7, seed=1)[0], l2 if kind == "l2" else lap1(1)
    loss = losses.inter_frame(shift=3, order=order, distance_type=kind, octaves=2)
    expected = formula(frames, target(source, 1.5, distance), order, distance)
    assert value(loss, frames, target_of(loss, source, octave=1), octave=1) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["l2", "lap1"])
def test_octaves_add_by_their_weights(kind: str):
    """Each octave has its own scale of the distance and its own share of the shift; some octaves may be left out."""
    frames, sources = (
        {octave: stack(count, 8 - octave, 9, seed=count + octave) for octave in (0, 2)} for count in (3, 1)
    )
    weights = {0: 2.0, 2: 0.5}

    def at_octaves(stacks: dict[int, np.ndarray]) -> list[types.View]:
        return [view._replace(weight=weights[o]) for o in stacks for view in views(stacks[o], o)]

    distances = {octave: l2 if kind == "l2" else lap1(octave) for octave in weights}
    shares = {
        o: weights[o] * formula(frames[o], target(sources[o][0], 6 / 2**o, distances[o]), 2, distances[o])
        for o in weights
    }
    for octaves, expected in ((1, shares[0]), (2, shares[0]), (3, shares[0] + shares[2])):
        loss = losses.inter_frame(shift=6, distance_type=kind, octaves=octaves)
        targets = loss.join([loss.summarize(at_octaves(sources))])
        assert float(loss.value(at_octaves(frames), targets)) == pytest.approx(expected, rel=1e-4)


def test_defaults_are_those_of_the_original():
    frames, source = stack(4), stack(1, 12, 12, seed=1)[0]
    loss = losses.inter_frame()
    expected = formula(frames, target(source, 5), 2)
    assert value(loss, frames, target_of(loss, source)) == pytest.approx(expected, rel=1e-4)


def test_a_case_by_hand():
    """Gray frames of 0, 30 and 90 levels: one step apart 30, 60 and 90, two steps 90, 30 and 60; t is 10."""
    frames = np.broadcast_to(np.array([0, 30, 90], np.float32)[:, None, None, None] / 255, (3, 2, 2, 3))
    expected = (20**2 + 50**2 + 80**2) / 3 + (70**2 + 10**2 + 40**2) / 3
    assert value(losses.inter_frame(), frames, jnp.array(10.0)) == pytest.approx(expected, rel=1e-5)


def test_the_first_source_counts():
    first, second = stack(1, seed=1)[0], stack(1, seed=2)[0]
    assert float(target_of(losses.inter_frame(), first, second)) == pytest.approx(target(first, 5), rel=1e-4)


@pytest.mark.parametrize(("count", "order"), [(1, 1), (2, 2), (3, 5)])
def test_frames_no_more_than_the_order_are_refused(count: int, order: int):
    """A frame would be compared with itself."""
    loss = losses.inter_frame(order=order)
    with pytest.raises(errors.TexjaxError, match=f"order of the inter-frame loss is {order} with frames {count}"):
        loss.value(views(stack(count)), [jnp.array(10.0)])


def test_only_l2_adds_over_tiles():
    assert losses.inter_frame(distance_type="l2").additive is not None
    assert losses.inter_frame(distance_type="lap1").additive is None


BY_KIND = {kind: losses.inter_frame(distance_type=kind) for kind in ("l2", "lap1")}


@given(seed=st.integers(0, 2**32 - 1), roll=st.integers(0, 6), kind=st.sampled_from(["l2", "lap1"]))
def test_the_loop_has_no_beginning(seed: int, roll: int, kind: str):
    frames, loss = stack(5, seed=seed), BY_KIND[kind]
    rolled = [value(loss, np.roll(x, roll, 0), jnp.array(20.0)) for x in (frames, frames[::-1])]
    assert rolled == pytest.approx([value(loss, frames, jnp.array(20.0))] * 2, rel=1e-4)


@pytest.mark.parametrize("kind", ["l2", "lap1"])
@pytest.mark.parametrize("target", [0.0, 20.0])
def test_equal_frames_have_a_slope(kind: str, target: float):
    """All frames are equal, or two of five."""
    for frames in (np.repeat(stack(1), 5, 0), stack(5)[[0, 0, 1, 2, 3]]):
        assert np.isfinite(gradient(BY_KIND[kind], frames, target)).all()


def test_gradient_equals_the_formula():
    """One pair of frames a distance D apart: d/da 2 (D - t)^2 / 2 = 2 (D - t) 255^2 (a - b) / (D P), P numbers."""
    frames, target, loss = stack(2), 30.0, losses.inter_frame(order=1)
    slopes = gradient(loss, frames, target)
    distance = l2(frames[0], frames[1])
    expected = 2 * (distance - target) * 255**2 * (frames[0] - frames[1]) / (distance * frames[0].size)
    np.testing.assert_allclose(slopes[0], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(slopes[1], -expected, rtol=1e-3, atol=1e-4)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 5))
def test_l2_adds_over_any_partition(seed: int, parts: int):
    frames, additive = stack(3, seed=seed), losses.inter_frame().additive
    assert additive is not None
    owner = np.random.default_rng(seed).integers(parts, size=frames.shape[1:3])
    masks = [jnp.asarray(owner == part, jnp.float32) for part in range(parts)]
    whole, *sums = (additive.measure(views(frames, mask=mask)[0], None) for mask in [None, *masks])
    jax.tree.map(lambda w, *x: np.testing.assert_allclose(np.sum(x, axis=0), w, rtol=1e-4), whole, *sums)
    assert whole["sum"].shape == (2, 3) and whole["count"] == frames[0].size


def test_octaves_of_a_run():
    """In a run, octave o sees level o of the circular pyramid, with its own weight and its own share of the shift.

    For octave 1, whose pixels are two of the image's, a shift of 4 is a shift of 2. The circular pyramid of a picture
    of even sides moves with the picture, so the source may be moved before it is reduced, as the original does.
    """
    config = configs.load("animation:tiny")
    frames, source = stack(3, 16, 20), stack(1, 16, 12, seed=1)[0]

    def share(**settings) -> float:
        config.terms.inter_frame.update(weight=2.0, shift=4.0, **settings)
        parts = build.parts(config)
        (term,) = [term for term in parts.terms if term.name == "inter_frame"]
        problem = objective.objective(parts.extractor, [term], 2, "circular")
        weights = parts.extractor.weights
        targets = problem.join([jax.jit(problem.summarize)(weights, jnp.asarray(source))])
        _, shares = jax.jit(problem.value)(jnp.asarray(frames), weights, targets)
        return float(shares["inter_frame"])

    def halved(image: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            blurred = np.sum([k * np.roll(image, 2 - m, axis) for m, k in enumerate(KERNEL)], axis=0)
            image = blurred[::2] if axis == 0 else blurred[:, ::2]
        return image

    down = np.roll(source, 4, 0)
    small = [halved(x) for x in (source, down, np.roll(down, 4, 1))]
    coarse_target = (l2(small[0], small[1]) + l2(small[1], small[2])) / 2
    fine = formula(frames, target(source, 4), 2)
    coarse = formula(np.stack([halved(frame) for frame in frames]), coarse_target, 2)
    assert share() == pytest.approx(2 * fine, rel=1e-4)
    assert share(octaves=2) == pytest.approx(2 * fine + 2 * coarse, rel=1e-4)
    assert share(octaves=2, octave_weights=(1.0, 0.25)) == pytest.approx(2 * fine + 0.5 * coarse, rel=1e-4)
    assert share(octaves=2, octave_weights=(0.0, 0.25)) == pytest.approx(0.5 * coarse, rel=1e-4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"shift": -1}, "shift of the inter-frame loss is -1; give a number from 0"),
        ({"shift": float("nan")}, "shift of the inter-frame loss is nan"),
        ({"octaves": 0}, "octaves of the inter-frame loss is 0; give a whole number from 1"),
        ({"order": 0}, "order of the inter-frame loss is 0; give a whole number from 1"),
        ({"distance_type": "l1"}, "l1.*did you mean"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.inter_frame(**setting)
