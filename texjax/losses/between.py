"""A loss between two images, for experiments outside of a config."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from texjax import errors, pyramid, types, validate


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
    validate.whole("octaves", octaves, 1)
    sources = source if isinstance(source, Sequence) else [source]
    if not sources:
        raise errors.TexjaxError("source is an empty list; give an image [height, width, 3], or a list of images.")

    def views(images: types.Images) -> list[types.View]:
        maps = [extractor(images, tuple(layers))]
        for count in range(1, octaves):
            height, width = images.shape[1:3]
            if not pyramid.size(min(height, width), padding):
                raise errors.TexjaxError(
                    f"the image is {width} x {height} px after {count} of {octaves} octaves, too small for the next; "
                    "give a larger image or fewer octaves."
                )
            images = jax.vmap(lambda level: pyramid.reduce(level, padding=padding))(images)
            maps.append(extractor(images, tuple(layers)))
        return [
            _checked(loss, types.View(octave, layer, weight, maps[octave][layer]))
            for octave in range(octaves)
            for layer, weight in layers.items()
        ]

    images = jnp.asarray(image)
    summaries = [loss.summarize(views(jnp.asarray(picture)[None])) for picture in sources]
    target, stack = loss.join(summaries), views(images if images.ndim == 4 else images[None])
    if loss.refresh is None:
        return loss.value(stack, target)
    return loss.value(stack, target, loss.refresh(stack, target, None, jax.random.key(0)))


def _checked(loss: types.Loss, view: types.View) -> types.View:
    """Return the view; raise TexjaxError where its layer is smaller than the loss needs."""
    height, width = view.features.shape[1:3]
    if min(height, width) < loss.least:
        raise errors.TexjaxError(
            f"layer {view.layer} is {width} x {height} at octave {view.octave}, and the loss needs at least "
            f"{loss.least} on each side; give a larger image, fewer octaves or a shallower layer."
        )
    return view
