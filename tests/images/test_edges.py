"""Edges that fit: drawn pictures that tile by construction, and windows of them that do not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import exemplars
from texjax import images
from texjax.images import edges


@given(st.integers(1, 2), st.integers(1, 2), st.floats(0, 6), st.integers(0, 2**31 - 1))
def test_waves_tile_over_whole_periods_alone(columns: int, rows: int, phase: float, seed: int):
    y, x = np.mgrid[:72, :96]
    waves = np.sin(2 * np.pi * columns * x / 96 + phase) + np.sin(2 * np.pi * rows * y / 72 + phase)
    noise = np.random.default_rng(seed).normal(0, 0.001, (72, 96, 3))
    image = (0.5 + 0.2 * waves[..., None] + noise).astype(np.float32)
    assert edges.fit(image)


def test_three_quarters_of_a_wave_do_not_tile():
    """The sine is 0 at one edge and -1 at the other."""
    wave = np.sin(2 * np.pi * np.arange(96) / 96)
    image = np.broadcast_to(0.5 + 0.2 * wave[None, :, None], (80, 96, 3)).astype(np.float32)
    assert edges.fit(image)
    assert not edges.fit(image[:, :73])
    assert not edges.fit(image[:, :73].swapaxes(0, 1))


@pytest.mark.parametrize("name", ["pebbles", "bricks", "lichen"])
def test_drawn_materials_tile_also_resized(name: str):
    image = getattr(exemplars, name)(128, 0)
    assert edges.fit(image)
    assert edges.fit(images.resize(image, width=150))
    assert not edges.fit(image[:, :100]) or not edges.fit(image[:90])


def test_photographs_do_not_tile(test_data: Path):
    for name in ("bark.jpg", "embark_1.jpg", "embark_2.jpg", "embark_3.jpg", "embark_bricks.png"):
        image = images.load(test_data / "images" / name)
        assert not edges.fit(image) and not edges.fit(images.resize(image, width=200)), name
    for name in ("uneven_light.png", "pale_uneven.png"):
        assert not edges.fit(images.load(test_data / "cases" / name)), name
