"""The objective against the same sum composed in NumPy and SciPy, and against PyTorch's value and gradient."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from texjax import errors, features, losses, types
from texjax.features import vgg
from texjax.losses import places
from texjax.synthesis import objective, pictures

KERNEL = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
GOLDENS = Path(__file__).parents[1] / "goldens" / "snelgrove.npz"
EXTRACTOR = features.random(size=3, channels=4)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def octaves(image: np.ndarray, count: int) -> list[np.ndarray]:
    """Gaussian octaves without padding, by SciPy."""
    levels = [image.astype(np.float64)]
    while len(levels) < count:
        x = levels[-1]
        for axis in (0, 1):
            x = scipy.ndimage.correlate1d(x, KERNEL, axis)
        levels.append(x[2:-2:2, 2:-2:2])
    return levels


def activation(image: np.ndarray, layer: str) -> np.ndarray:
    """Of EXTRACTOR, by NumPy."""
    return image if layer == "pixels" else filtered(image, EXTRACTOR.weights["conv1_1"])


def filtered(image: Any, kernel: Any) -> np.ndarray:
    """Unpadded correlation with [k, k, 3, c], window by window, and ReLU."""
    kernel = np.asarray(kernel, np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image, np.float64), kernel.shape[:2], axis=(0, 1))
    return np.maximum(np.einsum("hwikl,klio->hwo", windows, kernel), 0)


def gram(x: np.ndarray) -> np.ndarray:
    """F'F / P / C."""
    return np.einsum("hwi,hwj->ij", x, x) / x.shape[0] / x.shape[1] / x.shape[2]


def share(image: np.ndarray, source: np.ndarray, octave: int, layer: str) -> float:
    """sum_ij (G - T)^2 of one layer of one octave (Snelgrove 2017)."""
    matrix, wanted = (gram(activation(octaves(x, octave + 1)[octave], layer)) for x in (image, source))
    return float(((matrix - wanted) ** 2).sum())


def term(name: str = "gram", weight: float = 1.0, layers=None, octave_weights=(), loss=None) -> types.Term:
    return types.Term(name, loss or losses.gram(), weight, layers or {"pixels": 1.0}, octave_weights)


def value(problem: objective.Objective, images: np.ndarray, *sources: np.ndarray, extractor=EXTRACTOR):
    """(scalar, shares) of a stack, compiled."""
    targets = problem.join([problem.summarize(extractor.weights, jnp.asarray(source)) for source in sources])
    return jax.jit(problem.value)(jnp.asarray(images), extractor.weights, targets)


def test_equals_the_sum_over_terms_octaves_and_layers():
    terms = [
        term("texture", 2.0, {"conv1_1": 0.5, "pixels": 3.0}, (1.0, 0.25)),
        term("color", 0.1, {"pixels": 1.0}),
    ]
    image, source = picture(12, 15), picture(13, 11, seed=1)
    total, shares = value(objective.objective(EXTRACTOR, terms, 2), image[None], source)
    of = {(octave, layer): share(image, source, octave, layer) for octave in (0, 1) for layer in ("conv1_1", "pixels")}
    texture = 2 * (0.5 * of[0, "conv1_1"] + 3 * of[0, "pixels"])
    texture += 2 * 0.25 * (0.5 * of[1, "conv1_1"] + 3 * of[1, "pixels"])
    color = 0.1 * (of[0, "pixels"] + of[1, "pixels"])
    assert float(shares["texture"]) == pytest.approx(texture, rel=1e-4)
    assert float(shares["color"]) == pytest.approx(color, rel=1e-4)
    assert float(total) == pytest.approx(texture + color, rel=1e-4)


def test_a_stack_is_summed():
    images, source = np.stack([picture(9, 10, seed) for seed in range(3)]), picture(13, 11, seed=5)
    total, _ = value(objective.objective(EXTRACTOR, [term()], 1), images, source)
    assert float(total) == pytest.approx(sum(share(image, source, 0, "pixels") for image in images), rel=1e-4)


def test_several_sources_of_several_sizes():
    image, sources = picture(12, 15), [picture(13, 11, seed=1), picture(8, 20, seed=2)]
    total, _ = value(objective.objective(EXTRACTOR, [term()], 2), image[None], *sources)
    want = 0.0
    for octave in (0, 1):
        wanted = np.mean([gram(octaves(source, 2)[octave]) for source in sources], 0)
        want += ((gram(octaves(image, 2)[octave]) - wanted) ** 2).sum()
    assert float(total) == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize(
    ("layers", "octave_weights", "weight", "convolutions"),
    [
        ({"pixels": 1.0, "conv1_1": 1.0}, (), 1.0, 3),
        ({"pixels": 1.0, "conv1_1": 0.0}, (), 1.0, 0),
        ({"conv1_1": 1.0}, (0.0, 1.0, 0.0), 1.0, 1),
        ({"conv1_1": 1.0}, (), 0.0, 0),
    ],
)
def test_what_weighs_nothing_is_not_computed(layers, octave_weights, weight, convolutions: int):
    terms = [term("a", weight, layers, octave_weights), term("color")]
    problem, image = objective.objective(EXTRACTOR, terms, 3), jnp.asarray(picture(32, 32))
    targets = jax.eval_shape(lambda x: problem.join([problem.summarize(EXTRACTOR.weights, x)]), image)
    traced = jax.make_jaxpr(problem.value)(image[None], EXTRACTOR.weights, targets)
    assert str(traced).count("conv_general_dilated") == convolutions
    summary = jax.make_jaxpr(problem.summarize)(EXTRACTOR.weights, image)
    assert str(summary).count("conv_general_dilated") == convolutions


def test_weights_and_targets_are_arguments():
    problem, images = objective.objective(EXTRACTOR, [term(layers={"conv1_1": 1.0})], 1), picture(9, 10)[None]
    evaluate: Any = jax.jit(problem.value)
    for seed in (1, 2):
        extractor, source = features.random(size=3, channels=4, seed=seed), picture(13, 11, seed)
        targets = problem.join([problem.summarize(extractor.weights, jnp.asarray(source))])
        total, _ = evaluate(images, extractor.weights, targets)
        matrix, wanted = (gram(filtered(x, extractor.weights["conv1_1"])) for x in (images[0], source))
        assert float(total) == pytest.approx(((matrix - wanted) ** 2).sum(), rel=1e-4)
    assert evaluate._cache_size() == 1


def test_a_loss_may_compare_images_of_the_stack():
    """Squared differences of neighboring images, over the number of values in one; there is no target."""

    def measure(view: types.View, target: object) -> Any:
        return ((view.features[1:] - view.features[:-1]) ** 2).sum()[None] / view.features[0].size

    neighbors = places.from_sums(measure, places.weighted_sum, summarize=places.no_summary, join=places.no_target)
    images = np.stack([picture(9, 10, seed) for seed in range(3)])
    terms = [term("neighbors", 0.5, loss=neighbors), term("own", 2.0)]
    source = picture(9, 10, seed=7)
    total, shares = value(objective.objective(EXTRACTOR, terms, 2), images, source)
    levels = [octaves(image, 2) for image in images]
    want = 0.5 * sum(((levels[i + 1][o] - levels[i][o]) ** 2).mean() for i in (0, 1) for o in (0, 1))
    own = 2 * sum(share(image, source, octave, "pixels") for image in images for octave in (0, 1))
    assert float(shares["neighbors"]) == pytest.approx(want, rel=1e-4)
    assert float(shares["own"]) == pytest.approx(own, rel=1e-4)
    assert float(total) == pytest.approx(want + own, rel=1e-4)


def test_views_count_octaves_from_the_full_size():
    seen = []

    def measure(view: types.View, target: object) -> Any:
        seen.append((view.octave, view.layer, view.weight))
        return view.features.sum((1, 2, 3))

    loss = places.from_sums(measure, places.weighted_sum, summarize=places.no_summary, join=places.no_target)
    terms = [term(layers={"pixels": 3.0, "conv1_1": 1.0}, octave_weights=(0.5, 2.0), loss=loss)]
    image = picture(12, 15)
    value(objective.objective(EXTRACTOR, terms, 2, first_octave=1), image[None], image)
    assert set(seen) == {(1, "pixels", 1.5), (1, "conv1_1", 0.5), (2, "pixels", 6.0), (2, "conv1_1", 2.0)}


def test_weights_that_cannot_be_are_refused():
    with pytest.raises(errors.TexjaxError, match="gram has 2 octave weights for 3 octaves"):
        objective.objective(EXTRACTOR, [term(octave_weights=(1.0, 1.0))], 3)
    with pytest.raises(errors.TexjaxError, match="every term weighs 0"):
        objective.objective(EXTRACTOR, [term(weight=0.0), term("b", layers={"pixels": 0.0})], 3)


@pytest.fixture(scope="module")
def goldens() -> dict[str, np.ndarray]:
    with np.load(GOLDENS) as file:
        return dict(file)


def crop(test_data: Path, goldens, which: str) -> np.ndarray:
    """A part of the picture over 255, float64."""
    top, left, height, width = goldens[f"{which}_crop"]
    whole = np.asarray(Image.open(test_data / "images" / "bark.jpg").convert("RGB"))
    part = whole[top : top + height, left : left + width]
    if part.sum() != goldens[f"{which}_sum"]:
        pytest.skip("this JPEG decoder gives other pixels than the one the goldens were made with")
    return part / 255


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        ("normalized", "float32"),
        pytest.param("raw", "float32", marks=pytest.mark.slow),
        pytest.param("normalized", "float64", marks=pytest.mark.slow),
        pytest.param("raw", "float64", marks=pytest.mark.slow),
    ],
)
def test_snelgrove_equals_pytorch(goldens, test_data: Path, kind: str, precision: str):
    source, image = crop(test_data, goldens, "source"), crop(test_data, goldens, "image")
    image = image + 0.2 * (np.random.default_rng(0).random(image.shape) - 0.5)
    path = str(test_data / "weights" / "vgg19_notop_block1-3.h5")
    extractor = features.vgg19(weights=path, normalize=kind == "normalized")
    problem = objective.objective(extractor, [term(layers={layer: 1.0 for layer in goldens["layers"].tolist()})], 3)
    with jax.enable_x64(precision == "float64"):
        source, image = jnp.asarray(source, precision), jnp.asarray(image, precision)
        targets = jax.jit(problem.summarize)(extractor.weights, source)
        evaluate = jax.jit(jax.value_and_grad(problem.value, has_aux=True))
        (loss, _), gradient = evaluate(image[None], extractor.weights, problem.join([targets]))
        assert gradient.dtype == precision
    got = np.asarray(gradient, np.float64).ravel()[goldens["index"]]
    error = np.abs(got - goldens[f"{kind}_gradient_float64"]).max() / goldens[f"{kind}_max"]
    assert float(loss) == pytest.approx(float(goldens[f"{kind}_loss_float64"]), rel=1e-5)
    assert error < (1e-6 if precision == "float64" else 2e-3)
    assert np.linalg.norm(gradient) == pytest.approx(float(goldens[f"{kind}_norm"]), rel=1e-4)


def small_vgg() -> types.Extractor:
    """VGG-19 to conv3_2 with one channel per layer; sizes do not depend on the channels."""
    names = [name for name, width in vgg.operations(vgg.VGG19, vgg.WIDTHS)[:9] if width]
    arrays = {"kernel": np.ones((3, 3, 1, 1), np.float32), "bias": np.zeros(1, np.float32)}
    first = {"kernel": np.ones((3, 3, 3, 1), np.float32), "bias": np.zeros(1, np.float32)}
    weights = {"mean": np.zeros(3, np.float32), **{name: arrays for name in names}, "conv1_1": first}
    return vgg.extractor(weights, vgg.VGG19, "average", "valid", "float32")


SNELGROVE = [term(layers={"pool1": 1.0, "conv3_2": 1.0})]


# From the sizes worked out for subjective-functions: relu3_2 sees 32 px, an octave is floor((n - 5) / 2) + 1.
@pytest.mark.parametrize(("count", "smallest"), [(1, 32), (2, 67), (3, 137), (4, 277), (5, 557), (6, 1117)])
def test_smallest_size_by_octaves(count: int, smallest: int):
    extractor = small_vgg()
    for size in ((smallest, smallest), (smallest, 3000), (3000, smallest)):
        pictures.check_size("the output", size, extractor, SNELGROVE, count, "valid")
    for size in ((smallest - 1, smallest - 1), (3000, smallest - 1), (smallest - 1, 3000)):
        with pytest.raises(errors.TexjaxError, match=f"at least {smallest} px"):
            pictures.check_size("the output", size, extractor, SNELGROVE, count, "valid")


def test_size_error_says_what_is_possible():
    with pytest.raises(errors.TexjaxError) as caught:
        pictures.check_size("source a.png", (640, 512), small_vgg(), SNELGROVE, 5, "valid")
    text = str(caught.value)
    assert text.startswith("source a.png is 640 x 512 px, but 5 octaves down to layer conv3_2 need at least 557 px")
    assert "use at most 4 octaves, or a picture of 557 px or more" in text
    with pytest.raises(errors.TexjaxError, match="no number of octaves fits"):
        pictures.check_size("the output", (31, 500), small_vgg(), SNELGROVE, 2, "valid")


def test_size_counts_what_is_used_only():
    # pool1 sees 6 px; the last octave is not used by conv3_2, which needs 32 of the first.
    terms = [term("a", layers={"pool1": 1.0}), term("b", layers={"conv3_2": 1.0}, octave_weights=(1.0, 0.0))]
    pictures.check_size("the output", (32, 32), small_vgg(), terms, 2, "valid")
    with pytest.raises(errors.TexjaxError, match="at least 32 px"):
        pictures.check_size("the output", (31, 31), small_vgg(), terms, 2, "valid")
    # A loss that looks one pixel right and down needs two: 36 px for two of conv3_2.
    wide = term("c", layers={"conv3_2": 1.0}, loss=losses.gram()._replace(least=2))
    pictures.check_size("the output", (36, 36), small_vgg(), [wide], 1, "valid")
    with pytest.raises(errors.TexjaxError, match="at least 36 px"):
        pictures.check_size("the output", (35, 36), small_vgg(), [wide], 1, "valid")
    with pytest.raises(errors.TexjaxError, match="did you mean 'valid'"):
        pictures.check_size("the output", (99, 99), small_vgg(), terms, 2, "vald")


def nearest(image: np.ndarray, source: np.ndarray, octave: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Of each pixel of an octave the pixel of the source with the largest cosine, and its number."""
    bank = octaves(source, octave + 1)[octave].reshape(-1, 3)
    unit = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    own = octaves(image, octave + 1)[octave].reshape(-1, 3)
    return [(x, bank[n], n) for x, n in ((x, int((unit @ x).argmax())) for x in own)]


def pixels(period: int, search: str = "exact") -> types.Loss:
    return losses.mrf(patch=1, stride=1, bank_stride=1, rematch=period, search=search)


def numbers(choice: Any, frame: int) -> list[list[int]]:
    """The patches of the bank that are matched at each place."""
    return [np.asarray(match.index[frame]).reshape(-1).tolist() for match in choice]


def test_choices_are_refreshed_each_at_its_period():
    terms = [term("two", loss=pixels(2)), term("three", 2.0, loss=pixels(3)), term("every", loss=pixels(1)), term()]
    problem = objective.objective(EXTRACTOR, [*terms, term("off", 0.0, loss=pixels(5))], 2)
    assert problem.periods == (2, 3)
    source = picture(13, 11, seed=5)
    then, now = (np.stack([picture(9, 10, seed) for seed in seeds]) for seeds in ((0, 1), (2, 3)))
    targets = problem.join([problem.summarize(EXTRACTOR.weights, jnp.asarray(source))])
    refresh = jax.jit(problem.refresh)
    key = jax.random.key(0)
    first = refresh(jnp.asarray(then), EXTRACTOR.weights, targets, None, key, 0)
    assert set(first) == {"two", "three"}
    for step, names in ((2, {"two"}), (3, {"three"}), (6, {"two", "three"}), (7, set())):
        choices = refresh(jnp.asarray(now), EXTRACTOR.weights, targets, first, key, step)
        for name in ("two", "three"):
            for frame, image in enumerate(now if name in names else then):
                want = [[n for *_, n in nearest(image, source, octave)] for octave in (0, 1)]
                assert numbers(choices[name], frame) == want

    total, shares = jax.jit(problem.value)(jnp.asarray(now), EXTRACTOR.weights, targets, first)
    want = 0.0  # of the images now from the matches of those before
    for image, before in zip(now, then, strict=True):
        for octave in (0, 1):
            own = octaves(image, octave + 1)[octave].reshape(-1, 3)
            matches = np.stack([match for _, match, _ in nearest(before, source, octave)])
            want += ((own - matches) ** 2).sum()
    assert float(shares["two"]) == pytest.approx(want, rel=1e-4)
    assert float(shares["three"]) == pytest.approx(2 * want, rel=1e-4)
    fresh = sum(((x - match) ** 2).sum() for image in now for o in (0, 1) for x, match, _ in nearest(image, source, o))
    assert float(shares["every"]) == pytest.approx(fresh, rel=1e-4)
    assert float(total) == pytest.approx(sum(float(x) for x in shares.values()), rel=1e-5)
    assert fresh < 0.9 * want


def test_patchmatch_goes_on_from_its_matches_with_new_candidates():
    """Similarities only rise. With the key of the search before, hardly anything would be found."""
    problem = objective.objective(EXTRACTOR, [term(loss=pixels(2, "patchmatch"))], 1)
    image = jnp.asarray(picture(24, 24)[None])
    targets = problem.join([problem.summarize(EXTRACTOR.weights, jnp.asarray(picture(24, 24, seed=1)))])
    refresh, choices, similarities = jax.jit(problem.refresh), None, []
    for step in (0, 2, 4, 6):
        key = jax.random.fold_in(jax.random.key(0), step)
        choices = refresh(image, EXTRACTOR.weights, targets, choices, key, step)
        similarities.append(float(choices["gram"][0].response.mean()))
    assert similarities == sorted(set(similarities))
    first = refresh(image, EXTRACTOR.weights, targets, None, jax.random.key(0), 0)["gram"][0].index
    other = refresh(image, EXTRACTOR.weights, targets, None, jax.random.key(1), 0)["gram"][0].index
    assert (np.asarray(first) != np.asarray(other)).mean() > 0.1


def test_nothing_is_refreshed_that_is_matched_in_every_evaluation():
    assert objective.objective(EXTRACTOR, [term(loss=pixels(1)), term("gram")], 2).periods == ()
    assert objective.objective(EXTRACTOR, [term(loss=pixels(1, "patchmatch"))], 2).periods == (1,)
