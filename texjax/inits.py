"""Where an optimization starts.

Each function takes a key, the shape (height, width, channels) of the output, and pictures with as many channels, and
returns an image. A gray image has one channel, and a color image three.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import pyramid, types, validate
from texjax.features.weights import origins
from texjax.images import colors, light
from texjax.images import quilting as quilts

Sources = Sequence[types.AnyImage]
Shape = tuple[int, int, int]

__all__ = ["blocks", "crop", "mean_color", "noise", "picture", "quilting", "random_phase", "symmetric"]


def noise(key: types.PRNGKey, shape: Shape, sources: Sources, *, mean: float, deviation: float) -> types.Image:
    """Return Gaussian noise about one gray level. mean, deviation: in the image's units, [0, 1]."""
    return mean + deviation * jax.random.normal(key, shape)


def mean_color(key: types.PRNGKey, shape: Shape, sources: Sources, *, deviation: float) -> types.Image:
    """Return quiet Gaussian noise about the sources' mean color.

    Loud noise would stay in the picture for good, as colored speckle, because the usual layers hardly see it.

    deviation: in the image's units, [0, 1].
    """
    color = jnp.stack([source.mean((0, 1)) for source in sources]).mean(0)
    return color[None, None] + deviation * jax.random.normal(key, shape)


def random_phase(key: types.PRNGKey, shape: Shape, sources: Sources, *, contrast: float = 1.0) -> types.Image:
    """Return noise with the sources' mean color, spectrum and correlation of colors, but no other structure; it tiles.

    c + contrast / sqrt(n) sum_i (s_i - mean s_i) * w_i / sqrt(|s_i|), over n sources s_i (a random window of a source
    that is larger than the output, and its periodic part), with white noise w_i of deviation 1 and circular convolution
    *: the asymptotic discrete spot noise of Galerne, Gousseau and Morel 2011 (Random Phase Textures, IEEE TIP 20(1)),
    and the periodic plus smooth decomposition of Moisan (2011, JMIV 39).

    The finest detail, which optimizing hardly changes, is right from the start. Quiet white noise ends with too little
    fine detail, most of all along the diagonals.

    contrast: 1 is the sources' own contrast.
    """
    color = jnp.stack([source.mean((0, 1)) for source in sources]).mean(0)
    keys = jax.random.split(key, len(sources))
    noises = [_spot_noise(key, shape, jnp.asarray(source)) for key, source in zip(keys, sources, strict=True)]
    return color[None, None] + contrast * sum(noises, start=jnp.zeros(())) / len(sources) ** 0.5


def _spot_noise(key: types.PRNGKey, shape: Shape, source: Float[Array, "_ _ c"]) -> types.Image:
    """White noise convolved with a window of the source; it has a mean of about 0 and the window's covariances."""
    window_key, noise_key = jax.random.split(key)
    size = shape[:2]
    window_size = min(size[0], source.shape[0]), min(size[1], source.shape[1])
    spot = light.periodic(_window(window_key, window_size, source))
    spot = spot - spot.mean((0, 1), keepdims=True)
    spectrum = jnp.fft.rfft2(spot, size, axes=(0, 1), norm="backward")
    white = jnp.fft.rfft2(jax.random.normal(noise_key, size), axes=(0, 1))
    return jnp.fft.irfft2(spectrum * white[..., None], size, axes=(0, 1)) / (spot.shape[0] * spot.shape[1]) ** 0.5


def symmetric(
    key: types.PRNGKey,
    shape: Shape,
    sources: Sources,
    *,
    blur: int | float = 30.0,
    amplitude: float = 50 / 255,
    deviation: float = 2 / 255,
) -> types.Image:
    """Return soft blobs of color that resemble their mirror images: the symmetric start of subjective-functions.

    c + amplitude b G_b * (n + n_ud + n_lr) + deviation m, cut off at 0 and 1, with c the color that VGG networks take
    for zero, n and m white noise of deviation 1, n_ud and n_lr the noise n upside down and right to left, and G_b a
    Gaussian of standard deviation b pixels, mirrored at the borders. The factor b keeps the contrast of the blobs,
    about sqrt(3 / (4 pi)) amplitude, whatever their size.

    The defaults are the original's, in which the blur also mixes the frames of an animation.

    Args:
        key: of the noise.
        shape: (height, width, channels).
        sources: not used.
        blur: b in pixels.
        amplitude: in the image's units, [0, 1].
        deviation: in the image's units, [0, 1].

    Raises:
        TexjaxError: for a blur below 0.
    """
    validate.real("blur of the symmetric start", blur, 0)
    blob_key, noise_key = jax.random.split(key)
    white = jax.random.normal(blob_key, shape)
    blobs = _blur(white + white[::-1] + white[:, ::-1], blur)
    image = amplitude * blur * blobs + deviation * jax.random.normal(noise_key, shape)
    color = jnp.array(origins.CAFFE_MEAN)[None, None]
    if shape[2] == 1:
        color = colors.luminance(color)[..., None]
    return jnp.clip(color + image, 0, 1)


def _blur(image: types.Image, deviation: int | float) -> types.Image:
    """Gaussian blur, mirrored at the borders, by cosine transforms, which cost the same for any deviation.

    The term of k half waves over n pixels is multiplied by exp(-(deviation pi k / n)^2 / 2).
    """
    height, width, _ = image.shape
    rows, columns = (jnp.exp(-((deviation * jnp.pi * jnp.arange(n) / n) ** 2) / 2) for n in (height, width))
    waves = jax.scipy.fft.dctn(image, axes=(0, 1), norm="ortho")
    return jax.scipy.fft.idctn(waves * rows[:, None, None] * columns[None, :, None], axes=(0, 1), norm="ortho")


def crop(key: types.PRNGKey, shape: Shape, sources: Sources) -> types.Image:
    """Return a random window of a random source; a source smaller than the output is mirrored at its edges."""
    source_key, window_key = jax.random.split(key)
    which = jax.random.randint(source_key, (), 0, len(sources))
    return lax.select_n(which, *(_window(window_key, shape[:2], jnp.asarray(source)) for source in sources))


def _window(key: types.PRNGKey, size: tuple[int, int], source: Float[Array, "_ _ c"]) -> types.Image:
    vertical, horizontal = jax.random.split(key)
    rows = _places(vertical, size[0], source.shape[0])
    columns = _places(horizontal, size[1], source.shape[1])
    return source[rows][:, columns]


def _places(key: types.PRNGKey, count: int, side: int) -> Int[Array, " count"]:
    """`count` neighboring places along a side, from a random one; where the side ends, they turn back."""
    begin = jax.random.randint(key, (), 0, side - count + 1 if count <= side else 2 * side)
    at = (begin + jnp.arange(count)) % (2 * side)
    return jnp.minimum(at, 2 * side - 1 - at)


def blocks(key: types.PRNGKey, shape: Shape, sources: Sources, *, block: int = 32) -> types.Image:
    """Return square windows of the sources side by side, each drawn as by `crop`, whether they fit together or not.

    Args:
        key: of the choice.
        shape: (height, width, channels).
        sources: what windows are taken from.
        block: side of a window in pixels; the last ones of a row and of a column are cut off.

    Raises:
        TexjaxError: for a block of less than one pixel.
    """
    validate.whole("block of the blocks start", block, 1)
    rows, columns = (-(-side // block) for side in shape[:2])
    keys = jax.random.split(key, (rows, columns))
    windows = jax.vmap(jax.vmap(lambda key: crop(key, (block, block, shape[2]), sources)))(keys)
    return windows.swapaxes(1, 2).reshape(rows * block, columns * block, shape[2])[: shape[0], : shape[1]]


def quilting(key: types.PRNGKey, shape: Shape, sources: Sources, *, block: int = 32, tile: bool = True) -> types.Image:
    """Return windows of the sources sewn together (Efros and Freeman 2001); see `texjax.images.quilting`.

    NumPy sews on the host, with random numbers that the key is the seed of.

    Args:
        key: of the choice.
        shape: (height, width, channels).
        sources: what windows are taken from.
        block: side of a window in pixels; a smaller side of a source or of the output takes its place.
        tile: whether the quilt continues over its edges.

    Raises:
        TexjaxError: for a block of less than one pixel.
    """
    validate.whole("block of the quilting start", block, 1)

    def sew(words: Array | np.ndarray, *pictures: Array | np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(np.asarray(words))
        return quilts.quilt(pictures, shape[:2], rng, block=block, tile=tile)

    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.pure_callback(sew, result, jax.random.key_data(key), *sources, vmap_method="sequential")


def picture(key: types.PRNGKey, shape: Shape, sources: Sources, *, path: str, deviation: float = 0.0) -> types.Image:
    """Return the only source, resized to the output by Lanczos (three lobes), with Gaussian noise added.

    path: of the picture that a run reads this source from, with the limits of `config.source`, or of a trained
        generator, which makes one. deviation: of the noise, in the image's units, [0, 1]; without noise several outputs
        are all alike.
    """
    image = pyramid.stretch(jnp.asarray(sources[0]), shape[:2])
    return image + deviation * jax.random.normal(key, shape)
