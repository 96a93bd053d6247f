"""The axial measure on gratings, whose power is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import measures

N = 80
# Waves per N pixels, (y, x): 0.4 cycles per pixel on an axis, 0.35 on a diagonal, 0.42 at 17 degrees, 0.2 on an axis.
AXIS, DIAGONAL, BETWEEN, COARSE = (0, 32), (20, 20), (10, 32), (16, 0)


def gratings(amplitudes: dict[tuple[int, int], float]) -> np.ndarray:
    y, x = np.mgrid[:N, :N] / N
    waves = sum(a * np.cos(2 * np.pi * (ky * y + kx * x)) for (ky, kx), a in amplitudes.items())
    return (0.5 + np.asarray(waves)).astype(np.float32)[:, :, None].repeat(3, 2)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


@settings(max_examples=10)
@given(axis=st.floats(0.05, 0.5), diagonal=st.floats(0.05, 0.5))
def test_gratings_by_hand(axis: float, diagonal: float):
    # Power is the square of the amplitude, and the source has equal power on the axis and the diagonal.
    source = gratings({AXIS: 0.2, DIAGONAL: 0.2})
    got = measures.axial(gratings({AXIS: axis, DIAGONAL: diagonal}), [source])
    assert got == pytest.approx(2 * math.log(axis / diagonal), abs=0.02)


def test_other_angles_frequencies_and_brightness_do_not_count():
    source = gratings({AXIS: 0.2, DIAGONAL: 0.2})
    more = gratings({AXIS: 0.2, DIAGONAL: 0.2, BETWEEN: 0.3, COARSE: 0.3})
    assert measures.axial(more, [source]) == pytest.approx(0, abs=0.02)
    assert measures.axial(more + np.float32(0.3), [source]) == pytest.approx(0, abs=0.02)


def test_a_jump_at_the_border_is_no_weave():
    # Without a window the jump from bright to dark would have more power on the axis than these faint gratings.
    source = gratings({AXIS: 0.02, DIAGONAL: 0.02})
    ramp = np.linspace(-0.4, 0.4, N, dtype=np.float32)[None, :, None]
    assert measures.axial(source + ramp, [source]) == pytest.approx(0, abs=0.05)


def test_several_sources_by_their_mean():
    sources = [gratings({AXIS: 0.1, DIAGONAL: 0.2}), gratings({AXIS: 0.4, DIAGONAL: 0.2})]
    assert measures.axial(gratings({AXIS: 0.2, DIAGONAL: 0.2}), sources) == pytest.approx(0, abs=0.02)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(90, 130))
def test_exchanging_rows_and_columns_changes_nothing(seed: int, height: int):
    picture = noise(height, 120, seed)
    assert measures.axial(picture, [picture]) == 0
    assert measures.axial(picture, [picture.swapaxes(0, 1)]) == pytest.approx(0, abs=1e-6)


def test_noise_of_two_sizes_is_alike():
    # Each mean is over thousands of frequencies, so it is accurate to a few hundredths.
    assert abs(measures.axial(noise(300, 400), [noise(420, 350, 1)])) < 0.1


def test_brighter_alternate_rows_and_columns_are_a_weave():
    # Brightening every second row and column adds waves of 1/2 cycle per pixel on the axes, the end of the band.
    weave = noise(96, 96)
    weave[::2] += 0.2
    weave[:, ::2] += 0.2
    assert measures.axial(weave, [noise(96, 96, 1)]) > 1


def test_flat_images_have_finite_values():
    flat = np.full((60, 70, 3), 0.5, np.float32)
    assert measures.axial(flat, [flat]) == 0
    assert math.isfinite(measures.axial(flat, [noise(60, 60)]))
