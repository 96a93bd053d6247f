"""A small VGG learns what a large one sees: batches, the losses of distillation, and one step of training.

The student sees what a texture optimizer meets: photographs, noise, and syntheses that the student itself has brought
half-way. Crops are float32 [n, size, size, 3], sRGB in [0, 1].
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from texjax import types
from texjax.features import vgg

BLOCKS = (2, 2, 4)
# The convolution whose projection a layer has; a pooling has that of the convolution before it.
CONVOLUTION_OF = vgg.convolutions(BLOCKS)
CONVOLUTIONS = tuple(layer for layer, convolution in CONVOLUTION_OF.items() if layer == convolution)
# The layers at which textures are usually optimized; the syntheses in the pool are optimized at these too.
MATCHED = ("pool1", "conv2_2", "conv3_2", "conv3_4")
# Root mean square per pixel of a synthesis' first step, and the factor on it after every visit.
FIRST_STEP, FALL = 0.06, 0.94

Features = dict[str, jax.Array]


class Pool(NamedTuple):
    """Half-finished syntheses.

    images: [n, size, size, 3]. sources: for each of them the crop whose texture it shall have. visits: how many batches
    each of them has been in, [n].
    """

    images: jax.Array
    sources: jax.Array
    visits: jax.Array


class State(NamedTuple):
    """Everything that training changes. params: "student", and the "projections" of its layers to the teacher's."""

    step: jax.Array
    params: Any
    solver: Any
    pool: Pool


class Setup(NamedTuple):
    """What the functions of a training share.

    mean: the color [1, 1, 1, 3] that both networks take for zero. config: as configs/training/compact.py returns it.
    """

    student: vgg.VGG
    teacher: vgg.VGG
    teacher_params: Any
    mean: jax.Array
    solver: optax.GradientTransformation
    config: Any


def network(widths: tuple[int, ...]) -> vgg.VGG:
    """Return a student or teacher. Its padding is zero, which is twice as fast as any other."""
    return vgg.VGG(BLOCKS, tuple(widths), "average", "same")


def batched(module: vgg.VGG, params: Any, images: jax.Array, layers: tuple[str, ...]) -> Features:
    """Return the features [n, h, w, c] of mean-shifted images."""
    return jax.vmap(lambda image: module.apply({"params": params}, image, layers))(images)  # pyright: ignore


def crops(key: types.PRNGKey, photos: jax.Array, count: int, size: int) -> jax.Array:
    """Return random squares of photographs, zoomed out at random, flipped, turned and recolored.

    photos: uint8 [n, side, side, 3]. A crop that is zoomed out all the way shows a whole photograph.
    """
    side = photos.shape[1]

    def random_crop(key: types.PRNGKey) -> jax.Array:
        choice, zoom, corner, turn, tint = jax.random.split(key, 5)
        photo = photos[jax.random.randint(choice, (), 0, len(photos))].astype(jnp.float32) / 255
        factor = (size / side) ** jax.random.uniform(zoom, (), maxval=1.0)
        start = jax.random.uniform(corner, (2,)) * (side * factor - size)
        crop = jax.image.scale_and_translate(
            photo, (size, size, 3), (0, 1), jnp.stack([factor, factor]), -start, "linear"
        )
        flips = jax.random.bernoulli(turn, 0.5, (3,))
        crop = jnp.where(flips[0], crop[::-1], crop)
        crop = jnp.where(flips[1], crop[:, ::-1], crop)
        crop = jnp.where(flips[2], crop.transpose(1, 0, 2), crop)
        return jnp.clip(recolored(tint, crop), 0, 1)

    return jax.vmap(random_crop)(jax.random.split(key, count))


def recolored(key: types.PRNGKey, image: jax.Array) -> jax.Array:
    """Change contrast, saturation, hue and brightness with a probability of one half."""
    use, mix, gain, shift = jax.random.split(key, 4)
    matrix = jnp.eye(3) + 0.25 * jax.random.normal(mix, (3, 3))
    center = image.mean((0, 1))[None, None]
    changed = (image - center) @ matrix * jnp.exp(0.4 * jax.random.normal(gain, ()))
    changed = center + changed + 0.12 * jax.random.normal(shift, (3,))[None, None]
    return jnp.where(jax.random.bernoulli(use, 0.5), changed, image)


def noisy(key: types.PRNGKey, images: jax.Array) -> jax.Array:
    """Add noise to half of the images, from a trace of it to nothing but noise."""
    use, amount, fade, noise = jax.random.split(key, 4)
    shape = (len(images), 1, 1, 1)
    level = jax.random.bernoulli(use, 0.5, shape) * jax.random.uniform(amount, shape) ** 2 * 0.4
    contrast = 1 - (level > 0) * jax.random.uniform(fade, shape) ** 2
    center = images.mean((1, 2), keepdims=True)
    return jnp.clip(center + contrast * (images - center) + level * jax.random.normal(noise, images.shape), 0, 1)


def grams(features: jax.Array) -> jax.Array:
    """Return the second moments [n, c, c] of features [n, h, w, c]."""
    return jnp.einsum("nhwi,nhwj->nij", features, features) / features[0, ..., 0].size


def relative(values: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the mean over images of the squared error divided by the target's squared size.

    A tenth of the mean size is added to each size, so that nearly empty images count less.
    """
    axes = tuple(range(1, targets.ndim))
    size = jnp.sum(targets**2, axes)
    return jnp.mean(jnp.sum((values - targets) ** 2, axes) / (size + 0.1 * size.mean()))


def gram_slopes(
    apply: Callable[..., Features], images: jax.Array, sources: jax.Array, weights: jax.Array, metrics: Features
) -> jax.Array:
    """Return the gradient by the images of the weighted sum over matched layers of log E, where E = tr(D A D A).

    D = G(image) - G(source) are Gram matrices, and A = P P^T is the metric of the layer. So E = ||P^T D P||^2 is the
    distance of the Gram matrices of projected features. The logarithm takes the scale of the layer out.

    Args:
        apply: images -> features at the layers `MATCHED`.
        images: [n, h, w, 3].
        sources: [n, h, w, 3].
        weights: of the layers for each image, [n, layers].
        metrics: layer -> A.
    """
    targets = {name: grams(value) for name, value in apply(sources).items()}

    def error(name: str, features: jax.Array) -> jax.Array:
        product = (grams(features) - targets[name]) @ metrics[name]
        return jnp.sum(product * product.swapaxes(1, 2), (1, 2))

    def value(images: jax.Array) -> jax.Array:
        features = apply(images)
        errors = [error(name, features[name]) for name in MATCHED]
        return jnp.sum(weights * jnp.log(jnp.stack(errors, 1) + 1e-12))

    return jax.grad(value)(images)


def training(
    teacher: types.Weights, schedule: Callable, config: Any
) -> tuple[Callable[..., State], Callable[..., tuple[State, dict[str, jax.Array]]]]:
    """Return the functions (key, photos) -> state and (state, key, photos) -> (state, losses).

    Args:
        teacher: canonical weights, normalized.
        schedule: step -> learning rate.
        config: as configs/training/compact.py returns it.
    """
    setup = Setup(
        network(config.widths),
        network(vgg.WIDTHS[:3]),
        {name: value for name, value in teacher.items() if name != "mean"},
        teacher["mean"][None, None, None],
        optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule, b2=0.99)),
        config,
    )
    return functools.partial(_init, setup), functools.partial(_step, setup)


def _init(setup: Setup, key: types.PRNGKey, photos: jax.Array) -> State:
    config, teacher = setup.config, setup.teacher_params
    student_key, projection_key, crop_key, noise_key = jax.random.split(key, 4)
    params = setup.student.init(student_key, jnp.zeros((config.size, config.size, 3)), CONVOLUTIONS)["params"]
    channels = {name: width for name, width in vgg.operations(BLOCKS, tuple(config.widths)) if width}
    projections = {
        name: jax.random.normal(jax.random.fold_in(projection_key, i), (channels[name], teacher[name]["bias"].shape[0]))
        / channels[name] ** 0.5
        for i, name in enumerate(CONVOLUTIONS)
    }
    params = {"student": params, "projections": projections}
    sources = crops(crop_key, photos, config.pool, config.size)
    pool = Pool(_fresh(noise_key, sources), sources, jnp.zeros(config.pool, int))
    return State(jnp.zeros((), int), params, setup.solver.init(params), pool)


def _fresh(key: types.PRNGKey, sources: jax.Array) -> jax.Array:
    """Return starts of syntheses: quiet noise about the mean colors of the sources."""
    return sources.mean((1, 2), keepdims=True) + 0.02 * jax.random.normal(key, sources.shape)


def _visit(setup: Setup, key: types.PRNGKey, state: State, photos: jax.Array) -> tuple[jax.Array, Pool]:
    """Take the next syntheses a little further; those that have had all their visits start anew from other crops."""
    config, pool, count = setup.config, state.pool, setup.config.syntheses
    places = (state.step * count + jnp.arange(count)) % config.pool
    old = (pool.visits[places] >= config.visits)[:, None, None, None]
    crop_key, noise_key, weight_key = jax.random.split(key, 3)
    sources = jnp.where(old, crops(crop_key, photos, count, config.size), pool.sources[places])
    images = jnp.where(old, _fresh(noise_key, sources), pool.images[places])
    visits = jnp.where(old[:, 0, 0, 0], 0, pool.visits[places])
    length = (FIRST_STEP * FALL**visits)[:, None, None, None]
    projections = {name: state.params["projections"][CONVOLUTION_OF[name]] for name in MATCHED}
    metrics = {name: projection @ projection.T for name, projection in projections.items()}

    def apply(images: jax.Array) -> Features:
        return batched(setup.student, state.params["student"], images - setup.mean, MATCHED)

    for i in range(config.iterations):
        weights = jax.random.dirichlet(jax.random.fold_in(weight_key, i), jnp.ones(len(MATCHED)), (count,))
        slope = gram_slopes(apply, images, sources, weights, metrics)
        size = jnp.sqrt(jnp.mean(slope**2, (1, 2, 3), keepdims=True)) + 1e-12
        images = jnp.clip(images - length * slope / size, 0, 1)
    changed = Pool(
        pool.images.at[places].set(images),
        pool.sources.at[places].set(sources),
        pool.visits.at[places].set(visits + 1),
    )
    return images, changed


def _losses(setup: Setup, params: Any, batch: jax.Array, targets: Features) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Return the loss of the student, and all losses by name, those of the layers' features among them.

    batch: mean-shifted images. targets: the teacher's features of them.
    """
    features = batched(setup.student, params["student"], batch, CONVOLUTIONS)
    projected = {name: features[name] @ params["projections"][name] for name in CONVOLUTIONS}
    of_features = {name: relative(projected[name], targets[name]) for name in CONVOLUTIONS}
    of_grams = [relative(grams(projected[name]), grams(targets[name])) for name in CONVOLUTIONS]
    means = {"features": jnp.stack(list(of_features.values())).mean(), "grams": jnp.stack(of_grams).mean()}
    total = sum((setup.config.losses[name] * value for name, value in means.items()), start=jnp.zeros(()))
    return total, {"loss": total, **means, **of_features}


def _step(setup: Setup, state: State, key: types.PRNGKey, photos: jax.Array) -> tuple[State, dict[str, jax.Array]]:
    crop_key, noise_key, visit_key = jax.random.split(jax.random.fold_in(key, state.step), 3)
    photo_crops = crops(crop_key, photos, setup.config.photos, setup.config.size)
    images, pool = _visit(setup, visit_key, state, photos)
    batch = jnp.concatenate([noisy(noise_key, photo_crops), images]) - setup.mean
    targets = batched(setup.teacher, setup.teacher_params, batch, CONVOLUTIONS)
    gradients, losses = jax.grad(lambda params: _losses(setup, params, batch, targets), has_aux=True)(state.params)
    updates, solver_state = setup.solver.update(gradients, state.solver, state.params)
    params: Any = optax.apply_updates(state.params, updates)
    return State(state.step + 1, params, solver_state, pool), losses
