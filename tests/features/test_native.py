"""Networks by oneDNN against the same networks by XLA in float64, and when oneDNN is used.

`python -m texjax.features.native_build` compiles the library; without it the tests of numbers are skipped.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import test_vgg
from jax import export, lax

from texjax import types
from texjax.features import native, native_library, random_filters, vgg

ROOT = Path(__file__).parents[2]
LIBRARY = native_library.load()
built = pytest.mark.skipif(isinstance(LIBRARY, str), reason=str(LIBRARY))
LAYERS = ("conv1_1", "conv1_2", "pool1", "conv2_1")
MOMENTS = ("conv1_2", "pool1", "conv2_2")
# Of float32 where many summands cancel each other; XLA's own float32 is as far off.
TOLERANCE = 2e-5
Pair = tuple[Any, Any]


@pytest.fixture(autouse=True)
def on_cpu():
    if jax.default_backend() != "cpu":
        pytest.skip("oneDNN runs on CPU alone")


def extractor(backend: str = "onednn", padding: str = "valid", pool: str = "average", precision: str = "float32"):
    return vgg.extractor(test_vgg.random_weights(), vgg.VGG19, pool, padding, precision, backend)


def loss(extract: Any, weights: Any, image: jax.Array, layers: tuple[str, ...] = LAYERS) -> jax.Array:
    """A sum over the layers and the second moments whose gradient differs from place to place, and is not symmetric."""
    if extract.moments:
        maps, moments = extract.moments(weights, image, layers, MOMENTS)
    else:
        maps, moments = extract.apply(weights, image, layers), {}
    arrays = [*maps.values(), *(sums.outer / sums.count for sums in moments.values())]
    return sum(
        ((x - 0.5) ** 2 * jnp.cos(jnp.arange(x.size, dtype=x.dtype).reshape(x.shape))).mean() for x in arrays
    ) + jnp.zeros((), image.dtype)


def double(x: Any) -> Any:
    return jax.tree.map(lambda array: jnp.asarray(np.asarray(array), jnp.float64), x)


def exact(function: Any, extract: Any, *arguments: Any) -> Any:
    """The function of the XLA extractor and the arguments, in float64."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, function(extract, *double(arguments)))


def error(got: Any, want: Any) -> float:
    """The largest relative error among arrays, each by the norm of its difference."""
    pairs = zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True)
    distances = [(np.linalg.norm(np.asarray(a, np.float64) - b), np.linalg.norm(b)) for a, b in pairs]
    return max(float(distance / max(norm, 1e-12)) for distance, norm in distances)


def gradients(extract: Any, weights: Any, image: jax.Array) -> Any:
    """Value, and gradients with respect to the weights that the layers use and to the image."""
    used = {name: weights[name] for name in ("mean", "conv1_1", "conv1_2", "conv2_1", "conv2_2")}

    def value(used: Any, image: jax.Array) -> jax.Array:
        return loss(extract, weights | used, image)

    return jax.jit(jax.value_and_grad(value, (0, 1)))(used, image)


@built
@pytest.mark.parametrize("padding", native.PADDINGS)
@pytest.mark.parametrize(("pool", "size"), [("average", (57, 44)), ("max", (41, 58))])
def test_value_and_gradients_equal_those_in_double_precision(padding: str, pool: str, size: tuple[int, int]):
    image, weights = test_vgg.random_image(*size), test_vgg.random_weights()
    want = exact(gradients, extractor("xla", padding, pool), weights, image)
    assert error(gradients(extractor("onednn", padding, pool), weights, image), want) < TOLERANCE


@built
@pytest.mark.parametrize(
    ("padding", "layers"),
    list(zip(native.PADDINGS, [("conv1_1",), ("pool1",), ("conv1_2", "pool3"), ("pixels", "conv2_1")], strict=True)),
)
def test_any_layers_can_be_asked_for(padding: str, layers: tuple[str, ...]):
    image, weights = test_vgg.random_image(47, 46), test_vgg.random_weights()
    apply = jax.jit(extractor("onednn", padding).apply, static_argnums=2)
    want = exact(lambda e, w, x: e.apply(w, x, layers), extractor("xla", padding), weights, image)
    assert error(apply(weights, image, layers), want) < TOLERANCE


@built
@pytest.mark.parametrize("padding", native.PADDINGS)
@pytest.mark.parametrize("names", [((), ("conv2_2",)), (("conv2_1",), ("conv1_1", "pool2")), ((), ("pool1", "pixels"))])
def test_moments_need_no_layers(padding: str, names: tuple[tuple[str, ...], tuple[str, ...]]):
    image, weights = test_vgg.random_image(39, 50), test_vgg.random_weights()
    run: Any = jax.jit(cast(Any, extractor("onednn", padding).moments), static_argnums=(2, 3))
    want = exact(lambda e, w, x: e.moments(w, x, *names), extractor("xla", padding), weights, image)
    assert error(run(weights, image, *names), want) < TOLERANCE


def masks(extract: Any, height: int, width: int, first: int) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Two intervals of the rows and one of the columns of each layer of moments."""
    flags = {}
    for layer in (*MOMENTS, "pixels"):
        rows, columns = (np.arange(extract.grid(layer).size(side)) for side in (height, width))
        among_rows = (rows < first) | (rows >= len(rows) - 2)
        flags[layer] = jnp.asarray(among_rows, jnp.float32), jnp.asarray((columns >= 3) & (columns < 9), jnp.float32)
    return flags


@built
@pytest.mark.parametrize("padding", native.PADDINGS)
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_moments_of_some_rows_and_columns(padding: str, precision: str):
    """Values and gradients, and those of a batch of masks; against features times a mask, by NumPy in float64."""
    image, weights = test_vgg.random_image(45, 38), test_vgg.random_weights()
    extract, reference = extractor("onednn", padding, precision=precision), extractor("xla", padding)
    names = (*MOMENTS, "pixels")

    def value(image: jax.Array, flags: Any) -> Any:
        sums = cast(Any, extract.moments)(weights, image, (), names, flags)[1]
        total = sum(
            ((s.outer - 1) ** 2 * jnp.cos(jnp.arange(s.outer.size).reshape(s.outer.shape))).sum()
            for s in (s._replace(outer=s.outer / s.count) for s in sums.values())
        )
        return total, sums

    def by_features(image: jax.Array, flags: Any) -> Any:
        maps, total, sums = reference.apply(double(weights), image, names), 0.0, {}
        for name, features in maps.items():
            rows, columns = flags[name]
            part = features * rows[:, None, None] * columns[None, :, None]
            outer, count = jnp.einsum("hwi,hwj->ij", part, features), rows.sum() * columns.sum()
            matrix = outer / count
            total += ((matrix - 1) ** 2 * jnp.cos(jnp.arange(matrix.size).reshape(matrix.shape))).sum()
            sums[name] = types.Moments(outer, count)
        return total, sums

    tolerance = TOLERANCE if precision == "float32" else 4e-2
    batch = [masks(extract, 45, 38, first) for first in (0, 4)]
    got = jax.jit(jax.vmap(jax.grad(value, has_aux=True), (None, 0)))(
        image, jax.tree.map(lambda *x: jnp.stack(x), *batch)
    )
    for i, flags in enumerate(batch):
        with jax.enable_x64(True):
            want = jax.grad(by_features, has_aux=True)(double(image), double(flags))
        assert error(jax.tree.map(lambda x, i=i: x[i], got), jax.tree.map(np.asarray, want)) < tolerance


@built
@pytest.mark.parametrize(("padding", "size"), list(zip(native.PADDINGS, (7, 3, 7, 5), strict=True)))
def test_random_filters(padding: str, size: int):
    image = test_vgg.random_image(23, 30)
    by_native, by_xla = (
        random_filters.random(size=size, channels=20, padding=padding, backend=backend) for backend in ("onednn", "xla")
    )

    def value(extract: Any, weights: Any, image: jax.Array) -> Any:
        return jax.value_and_grad(lambda w, x: loss(extract, w, x, ("conv1_1",)), (0, 1))(weights, image)

    want = exact(value, by_xla, by_xla.weights, image)
    assert error(value(by_native, by_native.weights, image), want) < TOLERANCE


def bf16_error(precision: str, backend: str, image: jax.Array) -> tuple[float, float]:
    """Relative errors of layers and of the image's gradient."""
    extract, weights = extractor(backend, precision=precision), test_vgg.random_weights()
    layers = exact(lambda e, w, x: e.apply(w, x, LAYERS), extractor("xla"), weights, image)
    gradient = exact(lambda e, w, x: gradients(e, w, x)[1][1], extractor("xla"), weights, image)
    return (
        error(extract.apply(weights, image, LAYERS), layers),
        error(gradients(extract, weights, image)[1][1], gradient),
    )


@built
def test_bfloat16_is_as_near_as_that_of_xla():
    image = test_vgg.random_image(60, 57)
    ours, theirs = (bf16_error("bf16", backend, image) for backend in ("onednn", "xla"))
    # Of 8 bits: 2^-9 for each rounding, of which a layer takes two or three.
    assert 1e-4 < ours[0] < 1.2 * theirs[0] < 0.02
    assert ours[1] < 1.2 * theirs[1]


@built
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_batch_equals_its_images_bit_by_bit(precision: str):
    extract, weights = extractor(padding="circular", precision=precision), test_vgg.random_weights()
    images = jnp.stack([test_vgg.random_image(40, 44, seed) for seed in range(6)]).reshape(2, 3, 40, 44, 3)

    def value_and_gradient(image: jax.Array) -> Any:
        return jax.value_and_grad(lambda x: loss(extract, weights, x))(image)

    together = jax.jit(jax.vmap(jax.vmap(value_and_gradient)))
    program: Any = together.lower(images).compile().as_text()
    calls = program.count('custom_call_target="texjax_')
    assert calls == 2  # forward and backward, once for all images
    got = together(images)
    for index in np.ndindex(2, 3):
        want = jax.jit(value_and_gradient)(images[index])
        np.testing.assert_array_equal(got[1][index], want[1])


@built
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_weights_can_be_mapped(axes: tuple[int | None, int | None]):
    """Some operands of a call have the axis of the batch then, and some do not."""
    images = jnp.stack([test_vgg.random_image(34, 36, seed) for seed in range(2)])
    both = [test_vgg.random_weights(seed) for seed in range(2)]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *both)
    arguments = (stacked if axes[0] == 0 else both[0], images if axes[1] == 0 else images[0])
    got = jax.vmap(lambda w, x: gradients(extractor(), w, x), axes)(*arguments)
    for i in range(2):
        weights, image = both[i if axes[0] == 0 else 0], images[i if axes[1] == 0 else 0]
        want = exact(gradients, extractor("xla"), weights, image)
        assert error(jax.tree.map(lambda array, i=i: array[i], got), want) < TOLERANCE


@built
def test_inside_loops_and_checkpoints():
    image, weights, steps = test_vgg.random_image(38, 36), test_vgg.random_weights(), 3

    def descent(extract: Any, weights: Any, image: jax.Array) -> Any:
        value = jax.value_and_grad(jax.checkpoint(lambda x: loss(extract, weights, x)))

        def step(x: jax.Array, _: Any) -> Any:
            y, gradient = value(x)
            return x - 0.1 * gradient, y

        def body(carry: Any) -> Any:
            return carry[0] + 1, step(carry[1], None)[0]

        scanned, values = lax.scan(step, image, length=steps)
        looped = lax.while_loop(lambda carry: carry[0] < steps, body, (jnp.zeros((), jnp.int32), image))[1]
        through = jax.grad(lambda x: lax.scan(step, x, length=1)[1].sum())(image)
        return scanned, values, looped, through

    got = jax.jit(lambda w, x: descent(extractor(), w, x))(weights, image)
    assert error(got, exact(descent, extractor("xla"), weights, image)) < TOLERANCE


@built
def test_second_derivatives_are_those_of_xla():
    image, weights = test_vgg.random_image(34, 36), test_vgg.random_weights()

    def curvature(extract: Any, weights: Any, image: jax.Array) -> Any:
        return jax.grad(lambda x: (jax.grad(lambda y: loss(extract, weights, y))(x) ** 2).sum())(image)

    got = jax.jit(lambda w, x: curvature(extractor(), w, x))(weights, image)
    assert error(got, exact(curvature, extractor("xla"), weights, image)) < TOLERANCE


@built
def test_changed_weights_are_packed_anew():
    """The library keeps kernels in the form that oneDNN wants."""
    extract, image = extractor(), test_vgg.random_image(34, 36)
    apply = jax.jit(extract.apply, static_argnums=2)
    for seed in (0, 1, 0):
        weights = test_vgg.random_weights(seed)
        want = exact(lambda e, w, x: e.apply(w, x, LAYERS), extractor("xla"), weights, image)
        assert error(apply(weights, image, LAYERS), want) < TOLERANCE


@built
def test_nothing_that_is_no_number_is_hidden():
    image = test_vgg.random_image(34, 36).at[20, 20].set(jnp.nan)
    assert jnp.isnan(loss(extractor(), test_vgg.random_weights(), image))


@built
def test_other_platforms_and_double_precision_get_no_call():
    image, weights = test_vgg.random_image(34, 36), test_vgg.random_weights()
    function = jax.jit(lambda w, x: gradients(extractor(), w, x))
    exported = {
        platform: export.export(
            function,
            platforms=[platform],
            disabled_checks=[export.DisabledSafetyCheck.custom_call(name) for name in CALLS],
        )(weights, image)
        for platform in ("cpu", "cuda")
    }
    assert all(name in exported["cpu"].mlir_module() for name in CALLS)
    assert not any(name in exported["cuda"].mlir_module() for name in CALLS)
    with jax.enable_x64(True):
        assert "texjax_" not in str(jax.make_jaxpr(function)(*double((weights, image))))


CALLS = ("texjax_forward", "texjax_backward")
ON_FOUR_DEVICES = """
import concurrent.futures, jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import test_native, test_vgg
assert len(jax.devices()) == 4
extract, weights = test_native.extractor(), test_vgg.random_weights()
images = jnp.stack([test_vgg.random_image(40, 44, seed) for seed in range(4)])
gradient = jax.jit(jax.vmap(jax.grad(lambda x: test_native.loss(extract, weights, x))))
want = np.asarray(gradient(images))
mesh = Mesh(np.array(jax.devices()), ("batch",))
np.testing.assert_array_equal(gradient(jax.device_put(images, NamedSharding(mesh, PartitionSpec("batch")))), want)
placed = [jax.device_put(images, device) for device in jax.devices()]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for got in pool.map(gradient, placed * 4):
        np.testing.assert_array_equal(got, want)
"""


@built
def test_several_devices_and_threads():
    """In a process of its own: the number of devices is set before JAX starts. Each result is the same, bit by bit."""
    environment = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = run_python(ON_FOUR_DEVICES, environment)
    assert done.returncode == 0, done.stderr[-3000:]


def run_python(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "features")])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
