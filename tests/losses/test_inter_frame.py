"""The inter-frame loss against loops over frames in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import config as configs
from texjax import errors, losses
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
    i = abs(i)
    return 2 * (n - 1) - i if i > n - 1 else i


def reducing(n: int) -> np.ndarray:
    out = np.zeros(((n + 1) // 2, n))
    for i in range(len(out)):
        for m in range(-2, 3):
            out[i, mirrored(2 * i + m, n)] += KERNEL[m + 2]
    return out


def expanding(n: int) -> np.ndarray:
    """Zeros between the coarse pixels, which lie on the even fine ones, and twice the kernel over them, mirrored."""
    out = np.zeros((n, (n + 1) // 2))
    for i in range(n):
        for m in range(-2, 3):
            at = mirrored(i - m, n)
            if at % 2 == 0:
                out[i, at // 2] += 2 * KERNEL[m + 2]
    return out


def lap1(octave: int):
    """2^(1 - o) times the mean absolute difference of details, in levels of 1/255."""
    return lambda a, b: float(255 * 2.0 ** (1 - octave) * np.mean(np.abs(detail(a) - detail(b))))


def target(source: np.ndarray, shift: float, distance=l2) -> float:
    """The mean of the distances by one move down and one more right, between whole pixels interpolated."""
    found = []
    for pixels in (int(np.floor(shift)), int(np.floor(shift)) + 1):
        down = np.roll(source, pixels, axis=0)
        found.append((distance(source, down) + distance(down, np.roll(down, pixels, axis=1))) / 2)
    return float(np.interp(shift - np.floor(shift), [0, 1], found))


def loss_of(frames: np.ndarray, wanted: float, order: int, distance=l2) -> float:
    total, n = 0.0, len(frames)
    for step in range(1, order + 1):
        total += sum((distance(frames[i], frames[(i + step) % n]) - step * wanted) ** 2 for i in range(n)) / n
    return total


@functools.cache
def compiled(loss, of=lambda function: function):
    """`of` the loss of (frames, target); once for each."""
    return jax.jit(of(lambda frames, target: loss.distance(loss.measure(frames, target, None), target)))


def value(loss, frames: np.ndarray, target) -> float:
    return float(compiled(loss)(jnp.asarray(frames), target))


def gradient(loss, frames: np.ndarray, target: float) -> np.ndarray:
    return np.asarray(compiled(loss, jax.grad)(jnp.asarray(frames), jnp.array(target)))


@pytest.mark.parametrize("octave", [0, 1, 2])
@pytest.mark.parametrize("shift", [0, 1, 5.0, 2.25, 7.5, 13])
@pytest.mark.parametrize("kind", ["l2", "lap1"])
def test_target_equals_the_formula(kind: str, shift: float, octave: int):
    source, distance = stack(1, seed=1)[0], l2 if kind == "l2" else lap1(octave)
    got = losses.inter_frame(shift=shift, distance_type=kind, octave=octave).summarize(jnp.asarray(source), None)
    assert float(got) == pytest.approx(target(source, shift / 2**octave, distance), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "count", "order"), [("l2", 2, 1), ("l2", 5, 2), ("l2", 5, 4), ("lap1", 2, 1), ("lap1", 3, 2)]
)
def test_equals_the_formula(kind: str, count: int, order: int):
    frames, source, distance = stack(count) / 2, stack(1, 9, 7, seed=1)[0], l2 if kind == "l2" else lap1(1)
    loss = losses.inter_frame(shift=3, order=order, distance_type=kind, octave=1)
    wanted = loss.join([loss.summarize(jnp.asarray(source), None)])
    assert value(loss, frames, wanted) == pytest.approx(
        loss_of(frames, target(source, 1.5, distance), order, distance), rel=1e-4
    )


def test_defaults_are_those_of_the_original():
    frames, source = stack(4), stack(1, 12, 12, seed=1)[0]
    loss = losses.inter_frame()
    wanted = loss.summarize(jnp.asarray(source), None)
    assert value(loss, frames, wanted) == pytest.approx(loss_of(frames, target(source, 5), 2), rel=1e-4)


def test_a_case_by_hand():
    """Gray frames of 0, 30 and 90 levels: one step apart 30, 60 and 90, two steps 90, 30 and 60; t is 10."""
    frames = np.broadcast_to(np.array([0, 30, 90], np.float32)[:, None, None, None] / 255, (3, 2, 2, 3))
    want = (20**2 + 50**2 + 80**2) / 3 + (70**2 + 10**2 + 40**2) / 3
    assert value(losses.inter_frame(), frames, jnp.array(10.0)) == pytest.approx(want, rel=1e-5)


def test_the_first_source_counts():
    assert losses.inter_frame().join([jnp.array(1.0), jnp.array(5.0)]) == 1


BY_KIND = {kind: losses.inter_frame(distance_type=kind) for kind in ("l2", "lap1")}


@given(seed=st.integers(0, 2**32 - 1), roll=st.integers(0, 6), kind=st.sampled_from(["l2", "lap1"]))
def test_the_loop_has_no_beginning(seed: int, roll: int, kind: str):
    frames, loss = stack(5, seed=seed), BY_KIND[kind]
    found = [value(loss, np.roll(x, roll, 0), jnp.array(20.0)) for x in (frames, frames[::-1])]
    assert found == pytest.approx([value(loss, frames, jnp.array(20.0))] * 2, rel=1e-4)


@pytest.mark.parametrize("kind", ["l2", "lap1"])
@pytest.mark.parametrize("wanted", [0.0, 20.0])
def test_equal_frames_have_a_slope(kind: str, wanted: float):
    """All equal, and two of five."""
    for frames in (np.repeat(stack(1), 5, 0), stack(5)[[0, 0, 1, 2, 3]]):
        assert np.isfinite(gradient(BY_KIND[kind], frames, wanted)).all()


def test_gradient_equals_the_formula():
    """One pair of frames a distance D apart: d/da 2 (D - t)^2 / 2 = 2 (D - t) 255^2 (a - b) / (D P), P numbers."""
    frames, wanted, loss = stack(2), 30.0, losses.inter_frame(order=1)
    found = gradient(loss, frames, wanted)
    apart = l2(frames[0], frames[1])
    want = 2 * (apart - wanted) * 255**2 * (frames[0] - frames[1]) / (apart * frames[0].size)
    np.testing.assert_allclose(found[0], want, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[1], -want, rtol=1e-3, atol=1e-4)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 5))
def test_l2_adds_over_any_partition(seed: int, parts: int):
    frames, loss = stack(3, seed=seed), losses.inter_frame()
    owner = np.random.default_rng(seed).integers(parts, size=frames.shape[1:3])
    sums = [loss.measure(jnp.asarray(frames), None, jnp.asarray(owner == part, jnp.float32)) for part in range(parts)]
    whole = loss.measure(jnp.asarray(frames), None, None)
    jax.tree.map(lambda w, *x: np.testing.assert_allclose(np.sum(x, axis=0), w, rtol=1e-4), whole, *sums)
    assert whole["sum"].shape == (2, 3) and whole["count"] == frames[0].size


def test_an_animation_is_a_term_for_each_octave():
    """Of a run's config: octave o sees the level o of the circular pyramid, with weights and a shift of its own.

    For octave 1, whose pixels are two of the image's, a shift of 4 is one of 2; the circular pyramid of a picture of
    even sides moves with it, so the source may be moved before it is reduced, as the original does.
    """
    config = configs.load("animation:tiny")
    config.terms.inter_frame.update(octaves=2, weight=2.0, octave_weights=(1.0, 0.25), shift=4.0)
    terms = [term for term in build.parts(config).terms if term.name.startswith("inter_frame")]
    assert [term.name for term in terms] == ["inter_frame.0", "inter_frame.1"]
    extractor = build.parts(config).extractor
    made = objective.objective(extractor, terms, 2, "circular")
    frames, source = stack(3, 16, 20), stack(1, 16, 12, seed=1)[0]
    targets = made.join([jax.jit(made.summarize)(extractor.weights, jnp.asarray(source))])
    _, shares = jax.jit(made.value)(jnp.asarray(frames), extractor.weights, targets)

    def halved(image: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            blurred = np.sum([k * np.roll(image, 2 - m, axis) for m, k in enumerate(KERNEL)], axis=0)
            image = blurred[::2] if axis == 0 else blurred[:, ::2]
        return image

    down = np.roll(source, 4, 0)
    small = [halved(x) for x in (source, down, np.roll(down, 4, 1))]
    wanted = (l2(small[0], small[1]) + l2(small[1], small[2])) / 2
    assert float(shares["inter_frame.0"]) == pytest.approx(2 * loss_of(frames, target(source, 4), 2), rel=1e-4)
    coarse = np.stack([halved(frame) for frame in frames])
    assert float(shares["inter_frame.1"]) == pytest.approx(0.5 * loss_of(coarse, wanted, 2), rel=1e-4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"shift": -1}, "shift is -1"),
        ({"shift": float("nan")}, "shift is nan"),
        ({"order": 0}, "order is 0"),
        ({"distance_type": "l1"}, "l1.*did you mean"),
    ],
)
def test_what_cannot_be(setting, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.inter_frame(**setting)
