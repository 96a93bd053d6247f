"""Jitter: rounds by hand, and a run of rounds against the same steps taken one round after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import config as configs
from texjax.synthesis import jitter, loop, optimize


def config_with(**changes):
    return configs.overridden(
        configs.load("random:tiny"), {key.replace("__", "."): value for key, value in changes.items()}
    )


def test_without_jitter_one_round_changes_nothing():
    (only,) = jitter.rounds(config_with(max_iter=70))
    images = np.random.default_rng(0).random((2, 1, 5, 7, 3), np.float32)
    assert only.steps == 70
    np.testing.assert_array_equal(only.apply(images), images)
    np.testing.assert_array_equal(only.undo(images), images)


@given(st.integers(1, 100), st.integers(1, 40), st.integers(0, 2**31 - 1), st.integers(0, 3))
def test_rounds(max_iter: int, every: int, seed: int, below: int):
    """As many as it takes, moved by whole pixels within the limits, pixels halved with every octave below."""
    config = config_with(max_iter=max_iter, seed=seed, jitter__pixels=12.0, jitter__color=0.1, jitter__every=every)
    rounds = list(jitter.rounds(config, below))
    assert len(rounds) == -(-max_iter // every)
    assert [part.steps for part in rounds[:-1]] == [every] * (len(rounds) - 1)
    assert sum(part.steps for part in rounds) == max_iter
    assert all(abs(n) <= round(12 / 2**below) for part in rounds for n in part.shift)
    assert all(np.abs(part.color).max() <= 0.1 for part in rounds)


def test_rounds_differ_and_the_seed_decides():
    config = config_with(max_iter=60, jitter__pixels=30.0, jitter__color=0.1)
    first, again = list(jitter.rounds(config)), list(jitter.rounds(config))
    other = list(jitter.rounds(configs.overridden(config, {"seed": 1})))
    assert len({part.shift for part in first}) == 3
    assert [part.shift for part in first] == [part.shift for part in again] != [part.shift for part in other]


def test_a_move_by_hand():
    """Down by one and right by two of three: the last row comes first, and columns a b c become b c a."""
    part = jitter.Round(1, (1, 2), np.array([0.5, 0.0, -0.25], np.float32))
    image = np.zeros((2, 3, 3), np.float32)
    image[..., 0] = [[1, 2, 3], [4, 5, 6]]
    moved = part.apply(image)
    np.testing.assert_array_equal(moved[..., 0], [[5.5, 6.5, 4.5], [2.5, 3.5, 1.5]])
    np.testing.assert_array_equal(moved[..., 2], np.full((2, 3), -0.25))
    np.testing.assert_array_equal(part.undo(moved), image)


@pytest.mark.parametrize("color", [0.0, 0.05])
def test_a_run_is_its_rounds_one_after_the_other(color: float):
    config = config_with(max_iter=5, jitter__pixels=9.0, jitter__color=color, jitter__every=2)
    source = np.random.default_rng(3).random((48, 48, 3), np.float32)
    prepared = optimize.prepare(config, {"sources": [source]})
    iterates, parts = list(prepared.iterates), prepared.parts
    args = (parts.extractor.weights, optimize.targets(parts, config.octaves, {"sources": [source]}))
    expected = prepared.first.images
    for part in jitter.rounds(config):
        begin = jnp.asarray(np.roll(expected, part.shift, (2, 3)) + part.color)
        *_, last = loop.iterate(
            parts.program,
            begin,
            jax.random.split(jax.random.key(0), 1),
            args,
            max_iter=part.steps,
            save_every=config.save_every,
        )
        expected = np.roll(last.images - part.color, tuple(-n for n in part.shift), (2, 3))
    assert [now.step for now in iterates] == [0, 2, 4, 5]
    assert sum(len(now.metrics["loss"]) for now in iterates[1:]) == 5
    np.testing.assert_array_equal(iterates[-1].images, expected)
