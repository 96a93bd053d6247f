"""A small VGG learns what a large one sees: batches, the losses of distillation, and one step of training.

The student sees what a texture optimizer meets: photographs, noise, and syntheses that the student itself has brought
half-way. Crops are float32 [n, size, size, 3], sRGB in [0, 1].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from texjax import types
from texjax.features import vgg

BLOCKS = (2, 2, 4)
# A pooling's projection is that of the convolution before it.
SOURCE = vgg.convolutions(BLOCKS)
CONVOLUTIONS = tuple(name for name, of in SOURCE.items() if of == name)
# What textures are usually optimized at, and so the pool's syntheses.
MATCHED = ("pool1", "conv2_2", "conv3_2", "conv3_4")
# Step of a synthesis, root mean square per pixel, at first and after every visit.
FIRST_STEP, FALL = 0.06, 0.94

Features = dict[str, jax.Array]


class Pool(NamedTuple):
    """Syntheses on their way, each with the crop whose texture it is to have, and the visits it has had."""

    images: jax.Array
    sources: jax.Array
    visits: jax.Array


class State(NamedTuple):
    """All that training changes. params: "student" and the "projections" of its layers to the teacher's."""

    step: jax.Array
    params: Any
    solver: Any
    pool: Pool


def network(widths: tuple[int, ...]) -> vgg.VGG:
    """Student or teacher; zero padding, as it is twice as fast as any other."""
    return vgg.VGG(BLOCKS, tuple(widths), "average", "same")


def batched(module: vgg.VGG, params: Any, images: jax.Array, layers: tuple[str, ...]) -> Features:
    """Features of mean-shifted images, [n, h, w, c] each."""
    return jax.vmap(lambda image: module.apply({"params": params}, image, layers))(images)  # pyright: ignore


def crops(key: types.PRNGKey, photos: jax.Array, count: int, size: int) -> jax.Array:
    """Random squares of photographs (uint8 [n, side, side, 3]), zoomed out as far as they go, turned and recolored."""
    side = photos.shape[1]

    def one(key: types.PRNGKey) -> jax.Array:
        which, zoom, corner, turn, tint = jax.random.split(key, 5)
        photo = photos[jax.random.randint(which, (), 0, len(photos))].astype(jnp.float32) / 255
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

    return jax.vmap(one)(jax.random.split(key, count))


def recolored(key: types.PRNGKey, image: jax.Array) -> jax.Array:
    """Another contrast, saturation, hue and brightness for half of the images."""
    use, mix, gain, shift = jax.random.split(key, 4)
    matrix = jnp.eye(3) + 0.25 * jax.random.normal(mix, (3, 3))
    center = image.mean((0, 1))[None, None]
    changed = (image - center) @ matrix * jnp.exp(0.4 * jax.random.normal(gain, ()))
    changed = center + changed + 0.12 * jax.random.normal(shift, (3,))[None, None]
    return jnp.where(jax.random.bernoulli(use, 0.5), changed, image)


def noisy(key: types.PRNGKey, images: jax.Array) -> jax.Array:
    """Noise over half of the images, from a trace to nothing but noise."""
    use, amount, fade, noise = jax.random.split(key, 4)
    shape = (len(images), 1, 1, 1)
    level = jax.random.bernoulli(use, 0.5, shape) * jax.random.uniform(amount, shape) ** 2 * 0.4
    keep = 1 - (level > 0) * jax.random.uniform(fade, shape) ** 2
    center = images.mean((1, 2), keepdims=True)
    return jnp.clip(center + keep * (images - center) + level * jax.random.normal(noise, images.shape), 0, 1)


def grams(features: jax.Array) -> jax.Array:
    """Second moments [n, c, c] of features [n, h, w, c]."""
    return jnp.einsum("nhwi,nhwj->nij", features, features) / features[0, ..., 0].size


def relative(found: jax.Array, wanted: jax.Array) -> jax.Array:
    """Mean over images of the squared error over the squared size; nearly empty images count less."""
    axes = tuple(range(1, wanted.ndim))
    size = jnp.sum(wanted**2, axes)
    return jnp.mean(jnp.sum((found - wanted) ** 2, axes) / (size + 0.1 * size.mean()))


def gram_slopes(
    apply: Callable[..., Features], images: jax.Array, sources: jax.Array, choice: jax.Array, metrics: Features
) -> jax.Array:
    """Gradient by the images of log E, [n, h, w, 3], summed over matched layers, where E = tr(D A D A).

    D = G(image) - G(source), and A = P P^T is the metric of the layer, so that E = ||P^T D P||^2 is the distance of the
    Gram matrices of projected features. The logarithm takes the scale of the layer out. choice: [n, layers of MATCHED],
    weights of the layers.
    """
    wanted = {name: grams(value) for name, value in apply(sources).items()}

    def error(name: str, features: jax.Array) -> jax.Array:
        product = (grams(features) - wanted[name]) @ metrics[name]
        return jnp.sum(product * product.swapaxes(1, 2), (1, 2))

    def value(images: jax.Array) -> jax.Array:
        found = apply(images)
        errors = [error(name, found[name]) for name in MATCHED]
        return jnp.sum(choice * jnp.log(jnp.stack(errors, 1) + 1e-12))

    return jax.grad(value)(images)


def training(
    teacher: types.Weights, schedule: Callable, config: Any
) -> tuple[Callable[..., State], Callable[..., tuple[State, dict[str, jax.Array]]]]:
    """The functions (key, photos) -> state and (state, key, photos) -> (state, losses).

    teacher: canonical weights, normalized. schedule: step -> learning rate. config: that of configs/training.
    """
    small, large = network(config.widths), network(vgg.WIDTHS[:3])
    known = {name: value for name, value in teacher.items() if name != "mean"}
    shift = teacher["mean"][None, None, None]
    solver = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule, b2=0.99))

    def init(key: types.PRNGKey, photos: jax.Array) -> State:
        first, second, third, fourth = jax.random.split(key, 4)
        params = small.init(first, jnp.zeros((config.size, config.size, 3)), CONVOLUTIONS)["params"]
        channels = {name: width for name, width in vgg.operations(BLOCKS, tuple(config.widths)) if width}
        projections = {
            name: jax.random.normal(jax.random.fold_in(second, i), (channels[name], known[name]["bias"].shape[0]))
            / channels[name] ** 0.5
            for i, name in enumerate(CONVOLUTIONS)
        }
        params = {"student": params, "projections": projections}
        sources = crops(third, photos, config.pool, config.size)
        pool = Pool(fresh(fourth, sources), sources, jnp.zeros(config.pool, int))
        return State(jnp.zeros((), int), params, solver.init(params), pool)

    def fresh(key: types.PRNGKey, sources: jax.Array) -> jax.Array:
        return sources.mean((1, 2), keepdims=True) + 0.02 * jax.random.normal(key, sources.shape)

    def visit(key: types.PRNGKey, state: State, photos: jax.Array) -> tuple[jax.Array, Pool]:
        """Take the next syntheses a little further; those that are old start anew from other crops."""
        pool, count = state.pool, config.syntheses
        at = (state.step * count + jnp.arange(count)) % config.pool
        old = (pool.visits[at] >= config.visits)[:, None, None, None]
        crop, noise, pick = jax.random.split(key, 3)
        sources = jnp.where(old, crops(crop, photos, count, config.size), pool.sources[at])
        images = jnp.where(old, fresh(noise, sources), pool.images[at])
        visits = jnp.where(old[:, 0, 0, 0], 0, pool.visits[at])
        step = (FIRST_STEP * FALL**visits)[:, None, None, None]
        matrices = {name: state.params["projections"][SOURCE[name]] for name in MATCHED}
        metrics = {name: matrix @ matrix.T for name, matrix in matrices.items()}
        for i in range(config.iterations):
            choice = jax.random.dirichlet(jax.random.fold_in(pick, i), jnp.ones(len(MATCHED)), (count,))
            slope = gram_slopes(
                lambda x: batched(small, state.params["student"], x - shift, MATCHED), images, sources, choice, metrics
            )
            size = jnp.sqrt(jnp.mean(slope**2, (1, 2, 3), keepdims=True)) + 1e-12
            images = jnp.clip(images - step * slope / size, 0, 1)
        pool = Pool(
            pool.images.at[at].set(images), pool.sources.at[at].set(sources), pool.visits.at[at].set(visits + 1)
        )
        return images, pool

    def step(state: State, key: types.PRNGKey, photos: jax.Array) -> tuple[State, dict[str, jax.Array]]:
        crop, noise, visiting = jax.random.split(jax.random.fold_in(key, state.step), 3)
        clean = crops(crop, photos, config.photos, config.size)
        images, pool = visit(visiting, state, photos)
        batch = jnp.concatenate([noisy(noise, clean), images]) - shift
        wanted = batched(large, known, batch, CONVOLUTIONS)

        def loss(params: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
            found = batched(small, params["student"], batch, CONVOLUTIONS)
            projected = {name: found[name] @ params["projections"][name] for name in CONVOLUTIONS}
            errors = {name: relative(projected[name], wanted[name]) for name in CONVOLUTIONS}
            of_grams = [relative(grams(projected[name]), grams(wanted[name])) for name in CONVOLUTIONS]
            parts = {"features": jnp.stack(list(errors.values())).mean(), "grams": jnp.stack(of_grams).mean()}
            total = sum((config.losses[name] * value for name, value in parts.items()), start=jnp.zeros(()))
            return total, {"loss": total, **parts, **errors}

        grads, metrics = jax.grad(loss, has_aux=True)(state.params)
        updates, after = solver.update(grads, state.solver, state.params)
        params: Any = optax.apply_updates(state.params, updates)
        return State(state.step + 1, params, after, pool), metrics

    return init, step
