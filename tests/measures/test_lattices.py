"""Periodicity of lattices, as they are, jittered and lost."""

import numpy as np
import pytest

from texjax import measures

CELL = 16


def lattice(jitter: float = 0.0, seed: int = 0) -> np.ndarray:
    """Discs on a square lattice of 16 px, 96 px on each side, each moved by Gaussian noise of `jitter` pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96]
    picture = np.zeros((96, 96))
    for row in range(6):
        for column in range(6):
            cy, cx = CELL * (np.array([row, column]) + 0.5) + jitter * rng.standard_normal(2)
            picture = np.maximum(picture, np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18))
    return np.repeat(picture[..., None], 3, -1).astype(np.float32)


def test_a_lattice_and_its_loss():
    source = lattice()
    assert measures.periodicity(source, [source]) == 0
    values = [measures.periodicity(lattice(jitter), [source]) for jitter in (1.0, 2.0, 6.0)]
    assert values == sorted(values) and 0 < values[0] < 0.5 and values[-1] > 0.6


def test_a_shifted_lattice_is_as_good():
    assert measures.periodicity(np.roll(lattice(), (5, 9), (0, 1)), [lattice()]) == pytest.approx(0, abs=0.05)


def test_more_repetition_is_negative():
    assert measures.periodicity(lattice(), [lattice(2.0)]) < -0.1


def test_several_sources_by_their_mean():
    loose, strict, result = lattice(2.0), lattice(), lattice(1.0, seed=1)
    alone = [measures.periodicity(result, [source]) for source in (loose, strict)]
    assert measures.periodicity(result, [loose, strict]) == pytest.approx(np.mean(alone))
