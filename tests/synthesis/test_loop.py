"""The loop: what it yields, when it stops, that chunks and batches change nothing, and how often it compiles."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, features, inits, losses, optimizers, types
from texjax.synthesis import loop, objective, steps

SHAPE = (1, 4, 5, 3)
WANTED = np.random.default_rng(0).uniform(0.2, 0.8, SHAPE).astype(np.float32)


def toy(images: jax.Array, wanted: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """sum_i c_i d_i^2 + 10 d_i^4 with d = x - wanted and c from 1 to 100."""
    difference = images - wanted
    square = (jnp.geomspace(1, 100, images.size).reshape(images.shape) * difference**2).sum()
    fourth = 10 * (difference**4).sum()
    return square + fourth, {"square": square, "fourth": fourth}


def numpy_toy(images: np.ndarray, wanted: np.ndarray = WANTED) -> tuple[float, float]:
    difference = images.astype(np.float64) - wanted
    return float((np.geomspace(1, 100, 60).reshape(SHAPE) * difference**2).sum()), float(10 * (difference**4).sum())


MINIMIZER = optimizers.lbfgs(toy)
PROGRAM = steps.program(MINIMIZER, 3)
# Compiled in a tenth of the time, where any minimizer will do.
ADAM = optimizers.adam(toy, learning_rate=0.05)
ADAM_PROGRAM = steps.program(ADAM, 4)


def keys(count: int, seed: int = 0) -> jax.Array:
    return jax.random.split(jax.random.key(seed), count)


def starts(count: int, seed: int = 0) -> jax.Array:
    """[count, 1, h, w, 3] noise."""
    noises = [inits.noise(key, SHAPE[1:], [], mean=0.5, deviation=0.2) for key in keys(count, seed)]
    return jnp.stack(noises)[:, None]


def iterates(count: int = 2, *, program=PROGRAM, images=None, wanted=WANTED, seed=0, **settings):
    images = starts(count, seed) if images is None else images
    settings = {"max_iter": 6, "save_every": 3, **settings}
    return list(loop.iterate(program, images, keys(len(images)), (jnp.asarray(wanted),), **settings))


def test_yields_the_start_and_every_chunk_in_one_call_each():
    calls = []

    def counting(*args: Any) -> Any:
        calls.append(args)
        return PROGRAM.run(*args)

    iterated = iterates(program=PROGRAM._replace(run=counting), max_iter=7)
    assert [iterate.step for iterate in iterated] == [0, 3, 6, 7]
    assert len(calls) == 4
    for iterate, rows in zip(iterated, (1, 3, 3, 1), strict=True):
        assert iterate.images.shape == (2, *SHAPE)
        assert set(iterate.metrics) == {"loss", "terms", "gradient", "evaluations", "failed", "low", "high"}
        assert all(values.shape == (rows, 2) for values in jax.tree.leaves(iterate.metrics))
        assert iterate.seconds > 0
    np.testing.assert_allclose(iterated[0].images, np.clip(starts(2), 0, 1), atol=1e-7)


def test_metrics_are_those_of_their_images():
    # Chunks of one step show every image; the rows of longer chunks must say the same.
    run: dict[str, Any] = dict(max_iter=8)
    single = iterates(program=steps.program(ADAM, 1), save_every=1, **run)
    rows = np.concatenate([iterate.metrics["loss"] for iterate in iterates(program=ADAM_PROGRAM, save_every=4, **run)])
    for iterate, row in zip(single, rows, strict=True):
        for i, images in enumerate(iterate.images):
            square, fourth = numpy_toy(images)
            assert iterate.metrics["terms"]["square"][0, i] == pytest.approx(square, rel=1e-3)
            assert iterate.metrics["terms"]["fourth"][0, i] == pytest.approx(fourth, rel=1e-3)
            assert row[i] == pytest.approx(square + fourth, rel=1e-3)
            assert iterate.metrics["low"][0, i] == images.min()
            assert iterate.metrics["high"][0, i] == images.max()
    assert (rows[-1] < rows[0]).all()


def test_chunks_change_no_byte():
    by_three, by_six = iterates(), iterates(program=steps.program(MINIMIZER, 6), save_every=6)
    assert [iterate.step for iterate in by_six] == [0, 6]
    assert by_three[-1].images.tobytes() == by_six[-1].images.tobytes()
    rows = [np.concatenate([i.metrics["loss"] for i in iterated]) for iterated in (by_three, by_six)]
    assert rows[0].tobytes() == rows[1].tobytes()


def test_the_same_seed_gives_the_same_bytes_and_another_others():
    first, again, other = (iterates(seed=seed)[-1].images for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes()
    assert np.abs(iterates(seed=1)[0].images - iterates(seed=0)[0].images).max() > 0.1
    assert first.tobytes() != other.tobytes()


def test_outputs_do_not_know_each_other():
    both, alone = iterates(2)[-1].images, iterates(images=starts(2)[1:])[-1].images
    np.testing.assert_allclose(both[1], alone[0], atol=1e-5)


def test_vmap_ends_where_map_does():
    mapped, together = iterates(max_iter=30), iterates(program=steps.program(MINIMIZER, 3, "vmap"), max_iter=30)
    assert together[-1].images.shape == (2, *SHAPE)
    for early in (1, 2):
        np.testing.assert_allclose(together[early].metrics["loss"], mapped[early].metrics["loss"], rtol=0.03)
    np.testing.assert_allclose(together[-1].images, mapped[-1].images, atol=0.02)


def test_unknown_batch_mode_is_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'vmap'"):
        steps.program(MINIMIZER, 3, "vmapp")


@pytest.mark.parametrize("count", [1, 2])
def test_tol_stops_at_the_first_chunk_that_ends_with_a_small_fall(count: int):
    run: dict[str, Any] = dict(program=ADAM_PROGRAM, save_every=4, max_iter=80)
    rows = np.concatenate([iterate.metrics["loss"] for iterate in iterates(count, **run)])
    assert len(rows) == 81
    changed = np.abs(rows[:-1] - rows[1:]) / rows[:-1]  # at [i - 1] in step i
    ends = {step: changed[step - 1].max() for step in range(4, 81, 4)}
    tol = float(1.001 * ends[12])
    want = next(step for step, change in ends.items() if change <= tol)
    assert want in (4, 8, 12)
    assert iterates(count, **run, tol=tol)[-1].step == want


def test_one_image_that_still_falls_keeps_all_going():
    images = jnp.concatenate([jnp.asarray(WANTED)[None], starts(1)])
    run: dict[str, Any] = dict(images=images, program=ADAM_PROGRAM, save_every=4, max_iter=8, tol=0.01)
    assert iterates(**run)[-1].step == 8
    # The minimum itself falls no further.
    assert iterates(**{**run, "images": images[:1]})[-1].step == 4


def test_patience_counts_failures_in_a_row_of_every_image():
    # L-BFGS at the minimum cannot go lower: every line search fails.
    images = jnp.concatenate([jnp.asarray(WANTED)[None], starts(1)])
    run: dict[str, Any] = dict(images=images[:1], max_iter=30, wanted=WANTED)
    for patience, last in ((1, 3), (3, 3), (4, 6), (7, 9)):
        assert iterates(**run, patience=patience)[-1].step == last
    assert iterates(**{**run, "images": images, "max_iter": 6}, patience=3)[-1].step == 6


@pytest.fixture
def compiled():
    """A list that gets an entry for every program that XLA compiles."""

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    events: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize(
    ("batch_mode", "name", "loss"),
    [
        ("map", "lbfgs", losses.gram()),
        ("vmap", "adam", losses.gram()),
        ("map", "adam", losses.mrf(patch=2, rematch=2)),
        ("vmap", "adam", losses.mrf(patch=2, rematch=3)),
    ],
)
def test_one_compilation_serves_sources_seeds_and_lengths(compiled: list[str], batch_mode: str, name: str, loss):
    extractor = features.random(size=3, channels=4)
    term = types.Term("term", loss, 1.0, {"conv1_1": 1.0, "pixels": 1.0})
    problem = objective.objective(extractor, [term], 2)
    minimizer = getattr(optimizers, name)(problem.value)
    program = steps.program(minimizer, 2, batch_mode, problem.refresh, problem.periods)
    summarize = jax.jit(problem.summarize)

    def run(seed: int, **settings: Any) -> None:
        source = jnp.asarray(np.random.default_rng(seed).random((16, 18, 3)), jnp.float32)
        args = (extractor.weights, problem.join([summarize(extractor.weights, source)]))
        noises = [inits.noise(key, (12, 14, 3), [], mean=0.5, deviation=0.1) for key in keys(2, seed)]
        images = jnp.stack(noises)[:, None]
        list(loop.iterate(program, images, keys(2, seed), args, save_every=2, **settings))

    run(0, max_iter=2)
    assert compiled
    compiled.clear()
    run(1, max_iter=5, tol=1e-9, patience=3)
    assert compiled == []
    assert program.run._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


def toy_with_choice(images: jax.Array, wanted: jax.Array, choice: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    return toy(images, choice)


@pytest.mark.parametrize("batch_mode", ["map", "vmap"])
def test_choices_are_refreshed_before_the_first_step_of_a_period(batch_mode: str):
    """Not before every step, in either mode; and each refresh moves every minimum of the toy by a tenth."""
    refreshed = []

    def refresh(images: jax.Array, wanted: jax.Array, previous: Any, key: Any, step: Any) -> jax.Array:
        jax.debug.callback(lambda step: refreshed.append(int(step)), step)
        return wanted if previous is None else previous + 0.1

    minimizer = optimizers.adam(toy_with_choice, learning_rate=0.05)
    program = steps.program(minimizer, 5, batch_mode, refresh, (3, 4))
    iterated = iterates(2, program=program, save_every=5, max_iter=9, tol=0.0)
    jax.effects_barrier()
    of_each = 2 if batch_mode == "map" else 1  # a batch calls back once
    assert sorted(refreshed) == sorted(of_each * [0, 3, 4, 6, 8])
    assert [iterate.step for iterate in iterated] == [0, 5, 9]
    for iterate, moved in zip(iterated, (0.0, 0.2, 0.4), strict=True):
        for i, images in enumerate(iterate.images):
            assert iterate.metrics["loss"][-1, i] == pytest.approx(sum(numpy_toy(images, WANTED + moved)), rel=1e-3)


@pytest.mark.parametrize("batch_mode", ["map", "vmap"])
def test_every_refresh_of_every_output_has_a_key_of_its_own(batch_mode: str):
    drawn = []

    def refresh(images: jax.Array, wanted: jax.Array, previous: Any, key: Any, step: Any) -> jax.Array:
        jax.debug.callback(lambda data: drawn.append(tuple(data.tolist())), jax.random.key_data(key))
        return wanted

    program = steps.program(optimizers.adam(toy_with_choice), 5, batch_mode, refresh, (2,))
    iterates(2, program=program, save_every=5, max_iter=7)
    jax.effects_barrier()
    assert len(drawn) == 8 and len(set(drawn)) == 8  # at the steps 0, 2, 4, 6 of two outputs


def test_a_choice_for_the_whole_run_is_as_if_fixed():
    def refresh(images: jax.Array, wanted: jax.Array, previous: Any, key: Any, step: Any) -> jax.Array:
        return wanted if previous is None else previous + 0.1

    for period in (6, 7):
        program = steps.program(optimizers.lbfgs(toy_with_choice), 3, "map", refresh, (period,))
        for one, fixed in zip(iterates(program=program), iterates(), strict=True):
            np.testing.assert_allclose(one.images, fixed.images, atol=1e-5)
            np.testing.assert_allclose(one.metrics["loss"], fixed.metrics["loss"], rtol=1e-4)


@pytest.mark.parametrize("batch_mode", ["map", "vmap"])
def test_the_loss_in_a_period_is_that_of_the_matches_at_its_start(batch_mode: str):
    """Pixels as patches, against NumPy: two outputs of two frames; a period is no whole number of chunks."""
    extractor = features.random(size=3, channels=4)
    loss = losses.mrf(patch=1, stride=1, bank_stride=1, rematch=3)
    problem = objective.objective(extractor, [types.Term("mrf", loss, 1.0, {"pixels": 1.0})], 1)
    minimizer = optimizers.adam(problem.value, learning_rate=0.05)
    source = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
    args = (extractor.weights, problem.join([problem.summarize(extractor.weights, jnp.asarray(source))]))
    stack = jnp.asarray(np.random.default_rng(1).random((2, 2, 4, 5, 3)), jnp.float32)

    def run(save_every: int) -> list[loop.Iterate]:
        program = steps.program(minimizer, save_every, batch_mode, problem.refresh, problem.periods)
        return list(loop.iterate(program, stack, keys(2), args, max_iter=8, save_every=save_every))

    bank, single = source.reshape(-1, 3), run(1)
    unit = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    for step, iterate in enumerate(single):
        start = single[3 * (max(step - 1, 0) // 3)].images
        expected = ((iterate.images - bank[(start @ unit.T).argmax(-1)]) ** 2).sum((1, 2, 3, 4))
        np.testing.assert_allclose(iterate.metrics["loss"][0], expected, rtol=1e-4)
    fours = run(4)
    assert [iterate.step for iterate in fours] == [0, 4, 8]
    rows = np.concatenate([iterate.metrics["loss"] for iterate in fours])
    np.testing.assert_allclose(rows, np.concatenate([iterate.metrics["loss"] for iterate in single]), rtol=1e-4)


def broken(calls: set[int]) -> steps.Program:
    """The program of Adam whose calls of these numbers, counted from 0, give a gradient that is no number."""
    count = itertools.count()

    def run(*args: Any) -> Any:
        state, images, log = ADAM_PROGRAM.run(*args)
        if next(count) in calls:
            log["gradient"] = log["gradient"].at[:, 0].set(jnp.nan)
            return state, images + jnp.nan, log
        return state, images, log

    return ADAM_PROGRAM._replace(run=run)


def test_steps_whose_gradient_is_no_number_are_taken_again_with_an_empty_history():
    plain = iterates(program=ADAM_PROGRAM, max_iter=12, save_every=4)
    again = iterates(program=broken({2}), max_iter=12, save_every=4)  # the start, four steps, and four that fail
    assert [now.step for now in again] == [0, 4, 8, 12] and [now.rollbacks for now in again] == [0, 0, 1, 1]
    np.testing.assert_array_equal(again[1].images, plain[1].images)
    # Adam without its moments is Adam that starts there.
    fresh = iterates(program=ADAM_PROGRAM, images=jnp.asarray(plain[1].images), max_iter=8, save_every=4)
    np.testing.assert_array_equal(again[-1].images, fresh[-1].images)
    assert not np.array_equal(again[-1].images, plain[-1].images)


def test_after_three_returns_the_iterate_is_yielded_as_it_is():
    last = iterates(program=broken(set(range(2, 99))), max_iter=12, save_every=4)[2]
    assert last.rollbacks == loop.ROLLBACKS == 3 and not loop.finite(last.metrics)


def test_going_on_from_an_iterate():
    whole = iterates(program=PROGRAM, max_iter=9)
    for index in range(3):
        first = next(itertools.islice(iterate_lazily(), index, None))
        rest = iterates(program=PROGRAM, max_iter=9, after=first)
        assert [now.step for now in rest] == [now.step for now in whole[index + 1 :]]
        np.testing.assert_array_equal(rest[-1].images, whole[-1].images)
    assert iterates(program=PROGRAM, max_iter=9, after=whole[-1]._replace(state=None)) == []


def iterate_lazily() -> Any:
    return loop.iterate(PROGRAM, starts(2), keys(2), (jnp.asarray(WANTED),), max_iter=9, save_every=3)
