"""VGG against activations computed by PyTorch, a NumPy network written here, and what `Grid` promises."""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax.extend import core
from PIL import Image

from texjax import errors, features
from texjax.features import vgg

GOLDENS = Path(__file__).parents[1] / "goldens" / "vgg19.npz"
PADDINGS = ("valid", "same", "reflect", "circular")
POOLS = ("average", "max")
WIDTHS = (4, 5, 6)
LAYERS = (
    *("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2"),
    *("conv3_1", "conv3_2", "conv3_3", "conv3_4", "pool3"),
)


def random_weights(seed: int = 0) -> dict:
    """A small VGG-19 of three blocks: {"mean": [3], "conv1_1": {"kernel": [3, 3, 3, 4], "bias": [4]}, ...}."""
    rng, before = np.random.default_rng(seed), 3
    weights: dict = {"mean": jnp.array([0.4, 0.5, 0.6], jnp.float32)}
    for name in LAYERS:
        if name.startswith("conv"):
            width = WIDTHS[int(name[4]) - 1]
            kernel = rng.standard_normal((3, 3, before, width)) * np.sqrt(2 / (9 * before))
            bias = 0.1 * rng.standard_normal(width)
            weights[name] = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
            before = width
    return weights


def random_image(height: int, width: int, seed: int = 0) -> jax.Array:
    """Uniform noise [h, w, 3]."""
    return jnp.asarray(np.random.default_rng(seed).random((height, width, 3)), jnp.float32)


@functools.cache  # so that the programs compiled for it are shared too
def small(pool: str = "average", padding: str = "valid", backend: str = "auto"):
    """An extractor with random weights, which needs no file."""
    return vgg.extractor(random_weights(), vgg.VGG19, pool, padding, "float32", backend)


def run(extractor, image, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The activations [h, w, c] of the layers, computed by one compiled program."""
    maps = jax.jit(extractor.apply, static_argnums=2)(extractor.weights, image, layers)
    return {layer: np.asarray(x) for layer, x in maps.items()}


def numpy_convolve(x: np.ndarray, weights: dict, padding: str) -> np.ndarray:
    """[h, w, i] -> [h, w, o]: pad by one pixel, correlate channel by channel, and apply the ReLU."""
    modes: Any = {"same": "constant", "reflect": "reflect", "circular": "wrap"}
    if padding != "valid":
        x = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode=modes[padding])
    kernel, bias = np.asarray(weights["kernel"], np.float64), np.asarray(weights["bias"], np.float64)
    inputs, outputs = range(kernel.shape[2]), range(kernel.shape[3])
    sums = [sum(scipy.signal.correlate2d(x[..., i], kernel[..., i, o], "valid") for i in inputs) for o in outputs]
    return np.maximum(np.stack(sums, -1) + bias, 0)


def numpy_pool(x: np.ndarray, pool: str, padding: str) -> np.ndarray:
    """[h, w, c] -> half as large, window by window; with padding "same" the edge may cut a window."""
    if padding in ("reflect", "circular"):
        odd = ((0, x.shape[0] % 2), (0, x.shape[1] % 2), (0, 0))
        mode: Any = {"reflect": "reflect", "circular": "wrap"}[padding]
        x = np.pad(x, odd, mode=mode)
    up = 0 if padding == "valid" else 1
    rows, columns = ((n + up) // 2 for n in x.shape[:2])
    reduce = np.mean if pool == "average" else np.max
    return np.array(
        [[reduce(x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(0, 1)) for j in range(columns)] for i in range(rows)]
    )


def numpy_network(weights: dict, image, pool: str, padding: str, last: str) -> dict[str, np.ndarray]:
    """The activations [h, w, c] of the layers down to `last`, in float64."""
    x, maps = np.asarray(image, np.float64) - np.asarray(weights["mean"], np.float64), {}
    for name in LAYERS[: LAYERS.index(last) + 1]:
        pooling = name.startswith("pool")
        x = maps[name] = numpy_pool(x, pool, padding) if pooling else numpy_convolve(x, weights[name], padding)
    return maps


def count_convolutions(jaxpr: core.Jaxpr) -> int:
    """The number of convolutions in a program and in the programs that it calls."""
    called = (getattr(value, "jaxpr", value) for eqn in jaxpr.eqns for value in eqn.params.values())
    direct = sum(eqn.primitive.name == "conv_general_dilated" for eqn in jaxpr.eqns)
    return direct + sum(count_convolutions(program) for program in called if isinstance(program, core.Jaxpr))


def cost(extractor, layers: tuple[str, ...], side: int = 40) -> int:
    """The number of convolutions that `layers` of an image take."""
    traced = jax.make_jaxpr(lambda image: extractor.apply(extractor.weights, image, layers))
    return count_convolutions(traced(jnp.zeros((side, side, 3))).jaxpr)


@pytest.fixture(scope="module")
def goldens() -> dict[str, np.ndarray]:
    with np.load(GOLDENS) as file:
        return dict(file)


@pytest.fixture
def golden_crop(goldens, test_data: Path) -> jax.Array:
    """The picture [h, w, 3] that the goldens were computed from."""
    top, left, height, width = goldens["crop"]
    crop = np.asarray(Image.open(test_data / "images" / "bark.jpg").convert("RGB"))[top : top + height]
    crop = crop[:, left : left + width]
    if crop.sum() != goldens["crop_sum"]:
        pytest.skip("this JPEG decoder gives other pixels than the one the goldens were made with")
    return jnp.asarray(crop / 255, jnp.float32)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pool", POOLS)
def test_activations_equal_pytorch(goldens, golden_crop, test_data: Path, pool: str, padding: str):
    path = str(test_data / "weights" / "vgg19_notop_block1-3.h5")
    extractor = features.vgg19(weights=path, pool=pool, padding=padding, normalize=False)
    # Compiled as in a synthesis: one program for all layers.
    maps = jax.jit(extractor.apply, static_argnums=2)(extractor.weights, golden_crop, LAYERS)
    for layer in LAYERS:
        (row,) = np.flatnonzero(goldens["case"] == f"{pool}/{padding}/{layer}")
        got, largest = np.asarray(maps[layer], np.float64), goldens["max"][row]
        assert got.shape == tuple(goldens["shape"][row]), layer
        error = np.abs(got.ravel()[goldens["index"][row]] - goldens["value"][row]).max()
        assert error <= 1e-4 * largest, layer
        assert got.max() == pytest.approx(largest, rel=1e-4), layer
        assert got.mean() == pytest.approx(goldens["mean"][row], rel=1e-4), layer
        assert np.linalg.norm(got) == pytest.approx(goldens["norm"][row], rel=1e-4), layer


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pool", POOLS)
def test_equals_numpy_network(pool: str, padding: str):
    # Before the poolings the sides are 57 and 58, 29, and 15; unpadded 53 and 54, 22 and 23, and 3.
    extractor, image = small(pool, padding), random_image(57, 58)
    want = numpy_network(random_weights(), image, pool, padding, LAYERS[-1])
    got = run(extractor, image, LAYERS)
    for layer in LAYERS:
        assert got[layer].shape == want[layer].shape, layer
        error = np.abs(got[layer] - want[layer]).max()
        assert error <= 1e-5 * np.abs(want[layer]).max(), layer


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("height", "width"), [(5, 6), (7, 20), (33, 31), (52, 75)])
def test_grid_size_is_the_size(padding: str, height: int, width: int):
    extractor = small(padding=padding)
    sizes = {layer: tuple(extractor.grid(layer).size(n) for n in (height, width)) for layer in LAYERS}
    fitting = tuple(layer for layer in LAYERS if min(sizes[layer]) > 0)
    image = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    maps = jax.eval_shape(lambda x: extractor.apply(extractor.weights, x, fitting), image)
    assert {layer: maps[layer].shape[:2] for layer in fitting} == {layer: sizes[layer] for layer in fitting}
    assert "conv1_1" in fitting


@pytest.mark.parametrize(("layer", "receptive", "stride"), [("conv1_1", 3, 1), ("pool1", 6, 2), ("conv3_2", 32, 4)])
def test_grid_of_the_layers_in_use(layer: str, receptive: int, stride: int):
    grid = small().grid(layer)
    circular = small(padding="circular").grid(layer)
    assert (grid.receptive, grid.stride) == (circular.receptive, circular.stride) == (receptive, stride)
    assert (grid.smallest_side(), circular.smallest_side()) == (receptive, 1)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_smallest_image_of_a_valid_network_is_its_receptive_field(layer: str):
    grid = small().grid(layer)
    assert grid.size(grid.receptive) == 1
    assert grid.size(grid.receptive - 1) <= 0
    assert grid.size(grid.receptive + grid.stride - 1) == 1
    assert grid.size(grid.receptive + grid.stride) == 2


def supports(extractor, layer: str, side: int) -> list[np.ndarray]:
    """The rows [k] of a square image on which the outputs at (0, 0) and (1, 1) depend.

    With positive weights every ReLU is open, and no contribution cancels another.
    """
    weights = jax.tree.map(lambda x: jnp.abs(x) + 0.01, extractor.weights) | {"mean": jnp.zeros(3)}
    gradient = jax.jit(jax.grad(lambda x, at: extractor.apply(weights, x, (layer,))[layer][at, at].sum()))
    image = random_image(side, side)
    return [np.flatnonzero(np.abs(np.asarray(gradient(image, at))).max(axis=(1, 2))) for at in (0, 1)]


@pytest.mark.parametrize("layer", ["conv1_1", "pool1", "conv2_2", "conv3_2", "pool3"])
def test_receptive_field_is_the_support_of_the_gradient(layer: str):
    extractor = small()
    grid = extractor.grid(layer)
    for at, rows in enumerate(supports(extractor, layer, grid.receptive + 2 * grid.stride)):
        np.testing.assert_array_equal(rows, np.arange(grid.receptive) + at * grid.stride)


@pytest.mark.parametrize("padding", PADDINGS)
def test_spoiled_outputs_are_the_ones_that_a_cut_changes(padding: str):
    extractor, start, side, layers = small(padding=padding), 32, 64, ("pool1", "conv2_1", "conv3_2", "pool3")
    image = random_image(56, 128)
    whole, cut = run(extractor, image, layers), run(extractor, image[:, start : start + side], layers)
    for layer in layers:
        grid, n = extractor.grid(layer), cut[layer].shape[1]
        same = whole[layer][:, start // grid.stride :][:, :n]
        wrong = np.flatnonzero(np.abs(same - cut[layer]).max(axis=(0, 2)) > 1e-5)
        assert set(wrong) <= set(range(grid.spoiled)) | set(range(n - grid.spoiled, n)), layer
        if grid.spoiled:
            assert {grid.spoiled - 1, n - grid.spoiled} <= set(wrong), layer  # no more than necessary


def test_only_needed_layers_are_computed():
    extractor = small(backend="xla")
    assert cost(extractor, ()) == cost(extractor, ("pixels",)) == 0
    assert cost(extractor, ("conv1_1",)) == 1
    assert cost(extractor, ("pool1",)) == cost(extractor, ("conv1_1", "pool1", "pixels")) == 2
    assert cost(extractor, ("pool1", "conv3_2")) == cost(extractor, ("conv3_2", "pool1")) == 6
    assert cost(extractor, ("pool3",), side=60) == 8


def test_pixels_are_the_image():
    extractor, image = small(), random_image(9, 8)
    np.testing.assert_array_equal(run(extractor, image, ("pixels",))["pixels"], image)
    grid = extractor.grid("pixels")
    assert (grid.stride, grid.receptive, grid.spoiled, grid.size(9)) == (1, 1, 0, 9)


@pytest.mark.parametrize("pool", POOLS)
def test_circular_network_commutes_with_rolling(pool: str):
    extractor, image, layers = small(pool, "circular"), random_image(48, 32), ("pool1", "conv3_2", "pool3")
    whole, rolled = (run(extractor, x, layers) for x in (image, jnp.roll(image, (24, -8), (0, 1))))
    for layer in layers:
        stride = extractor.grid(layer).stride
        want = np.roll(whole[layer], (24 // stride, -8 // stride), (0, 1))
        np.testing.assert_allclose(rolled[layer], want, atol=1e-6 * np.abs(want).max(), rtol=0)


@pytest.mark.parametrize("padding", ["valid", "same", "reflect"])
def test_other_networks_do_not_wrap(padding: str):
    extractor, image = small(padding=padding), random_image(48, 32)
    plain, rolled = (run(extractor, x, ("conv3_2",))["conv3_2"] for x in (image, jnp.roll(image, 4, 0)))
    assert np.abs(rolled - np.roll(plain, 1, 0)).max() > 1e-3


# Each padding and each pooling once; the activations of all pairs are compared with NumPy above.
@pytest.mark.parametrize(
    ("pool", "padding"), [("average", "valid"), ("max", "same"), ("max", "reflect"), ("average", "circular")]
)
def test_gradient_equals_finite_differences(pool: str, padding: str):
    extractor, image = small(pool, padding), random_image(35, 37)
    layer = "conv3_2"
    direction = np.random.default_rng(1).standard_normal(image.shape)

    def activation(step: float) -> np.ndarray:
        moved = np.asarray(image, np.float64) + step * direction
        return numpy_network(random_weights(), moved, pool, padding, layer)[layer]

    probe = np.random.default_rng(2).standard_normal(activation(0.0).shape)

    def value(step: float) -> float:
        return float((activation(step) * probe).sum())

    weights = jnp.asarray(probe, jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: (extractor.apply(extractor.weights, x, (layer,))[layer] * weights).sum()))
    inner = (np.asarray(gradient(image), np.float64) * direction).sum()
    slope = (value(1e-7) - value(-1e-7)) / 2e-7
    assert abs(inner - slope) < 1e-5 * np.linalg.norm(gradient(image)) * np.linalg.norm(direction)


def test_gradient_reaches_the_weights():
    extractor, image = small(), random_image(35, 37)
    gradient = jax.jit(jax.grad(lambda w: extractor.apply(w, image, ("conv3_2",))["conv3_2"].sum()))(extractor.weights)
    for name in ("mean", "conv1_1", "conv2_2", "conv3_2"):
        assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(gradient[name])), name


def test_double_images_keep_their_precision():
    with jax.enable_x64(True):
        image = jnp.asarray(np.random.default_rng(0).random((34, 33, 3)))
        got = run(small(), image, ("conv3_2",))["conv3_2"]
    want = numpy_network(random_weights(), image, "average", "valid", "conv3_2")["conv3_2"]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, atol=1e-12, rtol=0)


def test_bfloat16_features_are_near_the_exact_ones():
    image = random_image(40, 40)
    extractor = vgg.extractor(random_weights(), vgg.VGG19, "average", "valid", "bf16")
    got = run(extractor, image, ("conv3_2",))["conv3_2"]
    want = numpy_network(random_weights(), image, "average", "valid", "conv3_2")["conv3_2"]
    assert got.dtype == np.float32
    # Nearer than the 8 bits of bfloat16 allow over six layers, further than float32 would be.
    error = np.abs(got - want).max() / np.abs(want).max()
    assert 1e-4 < error < 0.05


def test_readouts_apply_to_what_is_returned_only():
    """[h, w, c] @ [c, c'] of a convolution, and of the pooling after it; the next layer takes [h, w, c]."""
    weights, image = random_weights(), random_image(20, 22)
    rng = np.random.default_rng(1)
    readouts = {name: rng.standard_normal((len(weights[name]["bias"]), 3)) for name in weights if name != "mean"}
    with_readouts = {
        name: {**weights[name], "readout": jnp.asarray(readout, jnp.float32)} for name, readout in readouts.items()
    }
    extractor = vgg.extractor({"mean": weights["mean"], **with_readouts}, vgg.VGG19, "average", "same", "float32")
    convolution_of = {"conv1_1": "conv1_1", "pool1": "conv1_2", "conv2_2": "conv2_2"}
    plain = numpy_network(weights, image, "average", "same", "conv2_2")
    got = run(extractor, image, tuple(convolution_of))
    for layer, convolution in convolution_of.items():
        want = plain[layer] @ readouts[convolution]
        np.testing.assert_allclose(got[layer], want, rtol=1e-4, atol=1e-5)


def test_layer_names_count_as_in_subjective_functions():
    """That program counts VGG-19's layers from 0; its default layers are 2 (pool1) and 7 (conv3_2)."""
    names = vgg.layer_names(vgg.VGG19)
    assert tuple(names[: len(LAYERS)]) == LAYERS
    assert (names[2], names[7], len(names), names[-1]) == ("pool1", "conv3_2", 16 + 5, "pool5")
    assert vgg.layer_names(vgg.VGG16)[6:10] == ["conv3_1", "conv3_2", "conv3_3", "pool3"]
    assert vgg.operations((1, 2), (8, 9)) == [
        *(("conv1_1", 8), ("pool1", None)),
        *(("conv2_1", 9), ("conv2_2", 9), ("pool2", None)),
    ]


def test_layers_are_the_ones_that_the_weights_hold():
    assert small().layers == ("pixels", *LAYERS)
    with pytest.raises(errors.TexjaxError, match=r"conv4_1.*pool3"):
        small().grid("conv4_1")
    with pytest.raises(errors.TexjaxError, match="did you mean 'conv3_2'"):
        small().grid("conv3-2")


@pytest.mark.parametrize(("setting", "right"), [({"pool": "avrage"}, "average"), ({"padding": "vaild"}, "valid")])
def test_unknown_settings_are_refused(setting: dict[str, str], right: str):
    with pytest.raises(errors.TexjaxError, match=f"did you mean '{right}'"):
        small(**setting)
