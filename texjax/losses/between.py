"""A loss between two images, for experiments outside of a config."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from texjax import errors, pyramid, types


def between(
    loss: types.Loss,
    extractor: types.Extractor,
    image: types.AnyImages,
    source: types.AnyImage | Sequence[types.AnyImage],
    *,
    layers: Mapping[str, float],
    octaves: int = 1,
    padding: str = "valid",
) -> types.Scalar:
    """Return the loss of an image against a source: the sum over octaves and layers that a term of a config has.

    The result is a scalar with a gradient to the image, and the function can be jitted and mapped. With several octaves
    it is the multi-scale loss of Snelgrove 2017.

    Args:
        loss: such as `texjax.losses.gram()`.
        extractor: such as `texjax.features.compact()`.
        image: [h, w, 3], sRGB in [0, 1], or a stack [n, h, w, 3], over which the loss is summed.
        source: [h', w', 3], or a list of such images.
        layers: layer -> weight.
        octaves: levels of the Gaussian pyramid, full size included.
        padding: of the pyramid, "valid", "reflect" or "circular".

    Raises:
        TexjaxError: for an unknown layer or padding, no layers, and an image that is too small or has another shape.
    """
    if not layers:
        raise errors.TexjaxError("no layer given; give layers={name: weight}, such as layers={'pool1': 1.0}.")
    pyramid.check(padding)

    def views(images: types.Images) -> list[types.View]:
        levels = [images]
        while len(levels) < octaves:
            levels.append(jax.vmap(lambda level: pyramid.reduce(level, padding))(levels[-1]))
        maps = [extractor(level, tuple(layers)) for level in levels]
        return [
            types.View(octave, layer, weight, maps[octave][layer])
            for octave in range(octaves)
            for layer, weight in layers.items()
        ]

    images = jnp.asarray(image)
    sources = source if isinstance(source, Sequence) else [source]
    summaries = [loss.summarize(views(jnp.asarray(picture)[None])) for picture in sources]
    target, stack = loss.join(summaries), views(images if images.ndim == 4 else images[None])
    if loss.refresh is None:
        return loss.value(stack, target)
    return loss.value(stack, target, loss.refresh(stack, target, None, jax.random.key(0)))
