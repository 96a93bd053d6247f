"""Starts: noise by its statistics, blobs and pictures against SciPy and Pillow, and where their keys show."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from texjax import config as configs
from texjax import errors, inits
from texjax.images import quilting
from texjax.runs import inputs
from texjax.synthesis import optimize

SHAPE = (60, 80, 3)  # one for all, as every operation is compiled for each shape


def sources() -> list[jax.Array]:
    """Two of other sizes than the output, of one color each."""
    return [jnp.broadcast_to(jnp.array(color), (*size, 3)) for color, size in (((0.2, 0.4, 0.9), (5, 7)),)] + [
        jnp.broadcast_to(jnp.array((0.4, 0.4, 0.1)), (9, 3, 3))
    ]


NOISES = {
    # The sources' mean colors count the same: ([0.2, 0.4, 0.9] + [0.4, 0.4, 0.1]) / 2.
    "mean_color": (lambda key: inits.mean_color(key, SHAPE, sources(), deviation=0.05), (0.3, 0.4, 0.5), 0.05),
    "noise": (lambda key: inits.noise(key, SHAPE, sources(), mean=0.25, deviation=0.1), (0.25, 0.25, 0.25), 0.1),
}


@pytest.mark.parametrize("name", NOISES)
def test_is_gaussian_about_its_color(name: str):
    make, color, deviation = NOISES[name]
    image = np.asarray(make(jax.random.key(0)))
    assert image.shape == SHAPE
    assert image.dtype == np.float32
    # Five standard errors of a mean and of a deviation.
    n = SHAPE[0] * SHAPE[1]
    np.testing.assert_allclose(image.mean((0, 1)), color, atol=5 * deviation / np.sqrt(n), rtol=0)
    np.testing.assert_allclose(image.std((0, 1)), deviation, rtol=5 / np.sqrt(2 * n))
    standard = (image - np.array(color)) / deviation
    assert scipy.stats.kstest(standard.ravel(), "norm").pvalue > 1e-4
    # White: neighbors and channels know nothing of each other.
    for a, b in (
        (standard[1:], standard[:-1]),
        (standard[:, 1:], standard[:, :-1]),
        (standard[..., 1:], standard[..., :-1]),
    ):
        assert abs((a * b).mean()) < 5 / np.sqrt(a.size)


BIG = np.random.default_rng(0).random((90, 100, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    """A picture of 50 x 40 px."""
    path = tmp_path_factory.mktemp("pictures") / "start.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    return str(path)


def start(file: str) -> list[jax.Array]:
    """The picture of the file, as a run reads it."""
    return [jnp.asarray(Image.open(file)) / 255]


STARTS = {
    **{name: lambda key, file, make=make: make(key) for name, (make, _, _) in NOISES.items()},
    "symmetric": lambda key, file: inits.symmetric(key, SHAPE, []),
    "random_phase": lambda key, file: inits.random_phase(key, SHAPE, [jnp.asarray(BIG)]),
    "crop": lambda key, file: inits.crop(key, SHAPE, [jnp.asarray(BIG)]),
    "blocks": lambda key, file: inits.blocks(key, SHAPE, [jnp.asarray(BIG)]),
    "quilting": lambda key, file: inits.quilting(key, SHAPE, [jnp.asarray(BIG)], block=20),
    "picture": lambda key, file: inits.picture(key, SHAPE, start(file), path=file, deviation=0.1),
}


def test_all_are_here():
    assert set(STARTS) == set(inits.__all__)


@pytest.mark.parametrize("name", STARTS)
def test_the_key_alone_decides(name: str, file: str):
    make = STARTS[name]
    first, again, other = (np.asarray(make(jax.random.key(seed), file)) for seed in (0, 0, 1))
    assert first.shape == SHAPE
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05


@pytest.mark.parametrize("name", STARTS)
def test_can_be_traced(name: str, file: str):
    starts = jax.eval_shape(lambda: STARTS[name](jax.random.key(0), file))
    assert starts.shape == SHAPE


GRAY = np.array([123.68, 116.779, 103.939])  # mean color of ImageNet, by which VGG networks shift their input


@pytest.mark.parametrize(("blur", "shape"), [(30.0, (60, 80, 3)), (4.0, (61, 33, 3)), (8.0, (20, 16, 3))])
def test_symmetric_equals_scipy(blur: float, shape: tuple[int, int, int]):
    """In units of 0 to 255: gaussian_filter(x + its two flips) * 50 blur + 2 randn, about the mean color."""
    key = jax.random.key(3)
    x, second = (np.asarray(jax.random.normal(k, shape), np.float64) for k in jax.random.split(key))
    folded = x + np.flipud(x) + np.fliplr(x)
    channels = [scipy.ndimage.gaussian_filter(folded[..., k], blur, mode="reflect", truncate=8) for k in range(3)]
    want = (GRAY + np.stack(channels, -1) * blur * 50 + 2 * second) / 255
    assert want.std((0, 1)).min() > 5 / 255
    got = jax.jit(lambda key: inits.symmetric(key, shape, [], blur=blur))(key)
    np.testing.assert_allclose(got, want.clip(0, 1), atol=1e-5)


def test_symmetric_by_default_is_the_original():
    key = jax.random.key(0)
    want = inits.symmetric(key, SHAPE, [], blur=30.0, amplitude=50 / 255, deviation=2 / 255)
    np.testing.assert_array_equal(inits.symmetric(key, SHAPE, []), want)


def test_symmetric_blobs_resemble_their_mirror_images():
    # With flips u, l of a noise n, x = n + u n + l n: u x = u n + n + u l n shares two of three terms with x, so does
    # l x, and so does u l x = u l n + l n + u n: a correlation of 2/3, but where pixels are their own mirror images.
    starts = [np.asarray(inits.symmetric(jax.random.key(i), SHAPE, [], blur=2.0, deviation=0.0)) for i in range(20)]
    centered = np.stack(starts) - GRAY / 255
    for flipped in (centered[:, ::-1], centered[:, :, ::-1], centered[:, ::-1, ::-1]):
        assert np.corrcoef(centered.ravel(), flipped.ravel())[0, 1] == pytest.approx(2 / 3, abs=0.06)
    # sqrt(3 / (4 pi)) of the amplitude, 50 of 255, and a little more at the mirrored borders.
    assert centered.std() == pytest.approx(np.sqrt(3 / (4 * np.pi)) * 50 / 255, rel=0.06)


@given(seed=st.integers(0, 2**31 - 1), blur=st.floats(0, 1e4), amplitude=st.floats(-10, 10))
def test_symmetric_stays_in_range(seed: int, blur: float, amplitude: float):
    image = np.asarray(inits.symmetric(jax.random.key(seed), SHAPE, [], blur=blur, amplitude=amplitude))
    assert image.min() >= 0 and image.max() <= 1


@pytest.mark.parametrize("blur", [-1.0, float("nan"), float("inf")])
def test_a_blur_that_cannot_be(blur: float):
    with pytest.raises(errors.TexjaxError, match=f"blur of the symmetric start is {blur}"):
        inits.symmetric(jax.random.key(0), SHAPE, [], blur=blur)


def periodic_part(image: np.ndarray) -> np.ndarray:
    """Moisan's, by its definition: image - s, where s has mean 0 and the jumps between opposite edges as Laplacian."""
    height, width, _ = image.shape
    jumps = np.zeros(image.shape)
    jumps[0] += image[-1] - image[0]
    jumps[-1] -= image[-1] - image[0]
    jumps[:, 0] += image[:, -1] - image[:, 0]
    jumps[:, -1] -= image[:, -1] - image[:, 0]
    rows, columns = (np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) - 2 * np.eye(n) for n in (height, width))
    laplacian = np.kron(rows, np.eye(width)) + np.kron(np.eye(height), columns)
    smooth = np.linalg.lstsq(laplacian, jumps.reshape(-1, 3), rcond=None)[0].reshape(image.shape)
    return image - (smooth - smooth.mean((0, 1)))


@pytest.mark.parametrize("size", [(20, 24), (11, 13)])
def test_random_phase_has_the_spectrum_of_its_source(size: tuple[int, int]):
    """All channels are one noise times the source's own waves; of that noise, a wave's mean power is 1."""
    source = BIG[: size[0], : size[1]] * np.array([1, 0.5, 0.2], np.float32) + BIG[: size[0], : size[1], ::-1] * 0.3
    image = np.asarray(inits.random_phase(jax.random.key(0), (20, 24, 3), [jnp.asarray(source)]), np.float64)
    spot = periodic_part(source.astype(np.float64))
    color = source.mean((0, 1))
    want = np.fft.fft2(spot - color, (20, 24), axes=(0, 1)) / np.sqrt(size[0] * size[1])
    noise = np.fft.fft2(image - color, axes=(0, 1)) / np.where(want == 0, 1, want)
    noise[0, 0] = 0  # of the mean, which is the color alone
    np.testing.assert_allclose(noise, noise[..., [1, 1, 1]], rtol=1e-2, atol=1e-2)
    power = np.abs(noise[..., 1].ravel()[1:]) ** 2 / (20 * 24)
    # Powers are exponentially distributed, of mean and deviation 1; each but four comes twice.
    assert power.mean() == pytest.approx(1, abs=5 / np.sqrt(240))
    assert power.std() == pytest.approx(1, abs=0.5)


def test_random_phase_of_several_sources():
    """Mean color of the means, covariance of the covariances; contrast scales what is about the mean."""
    flat, busy = jnp.full((30, 30, 3), 0.25), jnp.asarray(BIG[:60, :80])
    key = jax.random.key(1)
    full, half = (np.asarray(inits.random_phase(key, SHAPE, [flat, busy], contrast=c)) for c in (1.0, 0.5))
    means = (0.25 + BIG[:60, :80].mean((0, 1))) / 2
    np.testing.assert_allclose(full.mean((0, 1)), means, atol=1e-3)
    np.testing.assert_allclose(half - means, (full - means) / 2, atol=1e-5)
    want = (BIG[:60, :80] - BIG[:60, :80].mean((0, 1))).std((0, 1)) / np.sqrt(2)
    np.testing.assert_allclose(full.std((0, 1)), want, rtol=0.1)


def offsets(window: np.ndarray, whole: np.ndarray) -> list[tuple[int, int]]:
    """Where `window` is found in `whole`."""
    views = np.lib.stride_tricks.sliding_window_view(whole, window.shape[:2], axis=(0, 1))
    matches = (views == np.moveaxis(window, -1, 0)[None, None]).all((2, 3, 4))
    return [(int(y), int(x)) for y, x in np.argwhere(matches)]


def test_crop_is_a_window_anywhere():
    source = BIG[:7, :9]
    keys = [jax.random.key(seed) for seed in range(120)]
    matches = [offsets(np.asarray(inits.crop(key, (5, 6, 3), [jnp.asarray(source)])), source) for key in keys]
    assert all(len(places) == 1 for places in matches)
    # 3 x 4 places; one that is as likely as all others is missed in 120 trials once in 34,000 times.
    assert {places[0] for places in matches} == {(y, x) for y in range(3) for x in range(4)}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 4), (5, 3), (6, 6)])
@settings(max_examples=6)
@given(seed=st.integers(0, 2**31 - 1))
def test_crop_of_a_small_source_goes_on_mirrored(height: int, width: int, seed: int):
    """Windows of NumPy's own mirrored continuation; 9 x 11 of a source of up to 6 x 6."""
    source = BIG[:height, :width]
    window = np.asarray(inits.crop(jax.random.key(seed), (9, 11, 3), [jnp.asarray(source)]))
    assert offsets(window, np.pad(source, ((9, 24), (11, 24), (0, 0)), mode="symmetric"))


def test_crop_long_in_one_direction():
    source = BIG[:4, :30]
    window = np.asarray(inits.crop(jax.random.key(1), (10, 12, 3), [jnp.asarray(source)]))
    assert offsets(window, np.pad(source, ((4, 20), (0, 0), (0, 0)), mode="symmetric"))


def test_crop_of_the_whole_is_the_whole():
    np.testing.assert_array_equal(inits.crop(jax.random.key(0), BIG.shape, [jnp.asarray(BIG)]), BIG)


def test_crop_takes_every_source():
    flat = [jnp.full((n, 8, 3), level) for n, level in ((3, 0.0), (9, 0.25), (20, 0.5))]
    levels = [float(inits.crop(jax.random.key(seed), (5, 5, 3), flat)[0, 0, 0]) for seed in range(60)]
    assert all(levels.count(level) > 8 for level in (0.0, 0.25, 0.5))


def test_blocks_are_windows_of_the_sources():
    """Each of another place; of two sources, both are seen."""
    sources = [BIG[:20, :30], BIG[40:, 40:]]
    image = np.asarray(inits.blocks(jax.random.key(0), (45, 64, 3), [jnp.asarray(s) for s in sources], block=15))
    places = []
    for y, x in itertools.product(range(0, 45, 15), range(0, 64, 15)):
        window = image[y : y + 15, x : x + 15]
        places += [(i, *place) for i, source in enumerate(sources) for place in offsets(window, source)]
    assert len(places) == 15
    assert len(set(places)) > 10
    assert {place[0] for place in places} == {0, 1}


@pytest.mark.parametrize("tile", [False, True])
def test_quilting_is_a_quilt(tile: bool):
    """That of the seed that the key consists of, within a program and under vmap too."""
    keys, sources = jax.random.split(jax.random.key(7)), [BIG[:30, :40], BIG[40:, 40:]]
    arrays = [jnp.asarray(source) for source in sources]

    def image(key: jax.Array) -> jax.Array:
        return inits.quilting(key, (33, 36, 3), arrays, block=16, tile=tile)

    want = [
        quilting.quilt(
            sources, (33, 36), np.random.default_rng(np.asarray(jax.random.key_data(k))), block=16, tile=tile
        )
        for k in keys
    ]
    np.testing.assert_array_equal(image(keys[0]), want[0])
    np.testing.assert_array_equal(jax.jit(jax.vmap(image))(keys), want)


@pytest.mark.parametrize("name", ["blocks", "quilting"])
def test_a_block_that_cannot_be(name: str):
    with pytest.raises(errors.TexjaxError, match=f"block of the {name} start is 0"):
        getattr(inits, name)(jax.random.key(0), SHAPE, sources(), block=0)


@pytest.mark.parametrize("shape", [(40, 50), (60, 80), (17, 90)])
def test_picture_equals_pillow(shape: tuple[int, int], file: str):
    """Pillow's own Lanczos on floats, which rounds its weights a little."""
    floats = np.asarray(Image.open(file), np.float32) / 255
    channels = [Image.fromarray(np.ascontiguousarray(floats[..., k])) for k in range(3)]
    want = np.stack([np.asarray(c.resize((shape[1], shape[0]), Image.Resampling.LANCZOS)) for c in channels], -1).clip(
        0, 1
    )
    got = np.asarray(inits.picture(jax.random.key(0), (*shape, 3), start(file), path=file))
    np.testing.assert_allclose(got, want, atol=1e-5)
    assert got.min() >= 0 and got.max() <= 1


def test_picture_with_noise(file: str):
    key = jax.random.key(0)
    plain = inits.picture(key, SHAPE, start(file), path=file)
    noisy = inits.picture(key, SHAPE, start(file), path=file, deviation=0.1)
    assert float(jnp.std(noisy - plain)) == pytest.approx(0.1, rel=5 / np.sqrt(2 * plain.size))


@pytest.mark.parametrize("name", ["symmetric", "crop", "quilting", "picture"])
def test_a_run_starts_so(name: str, file: str):
    spec = {"picture": {"path": file, "deviation": 0.1}}.get(name, {})
    changes = {"size": (SHAPE[1], SHAPE[0]), "count": 3, "seed": 5, "init": {"name": name, **spec}}
    config = configs.overridden(configs.load("random:tiny"), changes)
    sources = start(file) if name == "picture" else [jnp.asarray(BIG)]
    keys = [jax.random.fold_in(jax.random.key(5), i) for i in range(3)]
    want = [getattr(inits, name)(key, SHAPE, sources, **spec) for key in keys]
    group = "init" if name == "picture" else "sources"
    np.testing.assert_array_equal(optimize.start(config, {group: sources}), jnp.stack(want)[:, None])
    assert not np.array_equal(want[0], want[1])


def test_a_picture_to_start_from_is_read_like_the_others(file: str):
    """With the limits of the config, and as large as the output; see `pyramid.stretch` for the filter."""
    changes = {"init": {"name": "picture", "path": file}, "size": (SHAPE[1], SHAPE[0]), "source.max_pixels": 2000}
    config = configs.overridden(configs.load("random:tiny"), changes)
    (image,) = inputs.load(config, inputs.with_start(config, {}))["init"]
    np.testing.assert_allclose(image, inits.picture(jax.random.key(0), SHAPE, start(file), path=file), atol=1e-6)
    with pytest.raises(errors.TexjaxError, match=r"50 x 40 = 2,000 pixels .* limit of 1,999"):
        inputs.load(configs.overridden(config, {"source.max_pixels": 1999}), inputs.with_start(config, {}))
    config = configs.overridden(config, {"init.path": "nowhere.png"})
    with pytest.raises(errors.TexjaxError, match=r"nowhere\.png: no such file"):
        inputs.load(config, inputs.with_start(config, {}))


@pytest.mark.parametrize("name", inits.__all__)
def test_a_gray_start_is_that_of_equal_channels(name: str, file: str):
    """Where a start has one noise for all channels, or none, a gray source and its copy in color start alike."""
    gray = jnp.asarray(BIG[..., :1])
    settings: dict[str, dict[str, Any]] = {
        "noise": {"mean": 0.4, "deviation": 0.0},
        "mean_color": {"deviation": 0.0},
        "picture": {"path": file},
    }
    key, function = jax.random.key(3), getattr(inits, name)
    image = function(key, (60, 80, 1), [gray], **settings.get(name, {}))
    assert image.shape == (60, 80, 1)
    if name != "symmetric":
        color = function(key, SHAPE, [jnp.repeat(gray, 3, axis=2)], **settings.get(name, {}))
        np.testing.assert_allclose(jnp.repeat(image, 3, axis=2), color, atol=1e-6)
        return
    flat = function(key, (60, 80, 1), [gray], amplitude=0.0, deviation=0.0)
    bgr = np.array([103.939, 116.779, 123.68])  # Caffe's mean
    assert float(flat[0, 0, 0]) == pytest.approx(bgr @ [0.114, 0.587, 0.299] / 255, abs=1e-6)
