"""The functions behind `import texjax`: arrays or paths in, arrays out. They write no files."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

from texjax import checks, errors, images, measures, progress, types
from texjax import config as configs
from texjax.runs import arrays, budget, inputs, networks, suiting
from texjax.runs import generate as generating
from texjax.synthesis import loop, optimize, schedule, training

Picture: TypeAlias = arrays.Picture
Pictures: TypeAlias = Picture | Sequence[Picture]
Config: TypeAlias = Any  # a name, a path, or a config that `texjax.config.load` returned


def synthesize(sources: Pictures, *, config: Config = "texture", **keys: Any) -> np.ndarray:
    """Make pictures with the look of the sources, by default as Snelgrove 2017 does (doi 10.1145/3145749.3149449).

    Args:
        sources: a picture or a list of pictures: paths, folders of pictures, or arrays of NumPy or JAX. An array is
            [h, w, 3], or [h, w] or [h, w, 1] for gray, floats in [0, 1] or uint8, sRGB. With alpha it is [h, w, 4] or
            [h, w, 2], and the key `source.alpha` says what alpha means, as in files.
        config: name of a shipped config, such as "snelgrove" or "texture:network=vgg19"; the path of a config file; or
            a config that `texjax.config.load` returned.
        **keys: keys of the config, such as size=(512, 512) for width and height in pixels, seed=1 or count=4. Nested
            keys are given by `**{"terms.gram.weight": 2.0}`; a mapping takes the place of a whole group.

    Returns:
        The picture [h, w, 3], float32 in [0, 1]; with several outputs or frames a stack [count x frames, h, w, 3]. If
        all pictures are gray, it has one channel, [h, w, 1], unless the key `output.channels` is 3.

    Raises:
        TexjaxError: for pictures, a config or keys that cannot be used, in one sentence.
    """
    settings = _config(config, keys)
    settings, fitted = _sources(settings, sources)
    return _run(settings, {"sources": fitted})


def transfer(content: Picture, styles: Pictures, *, config: Config = "multiscale_style", **keys: Any) -> np.ndarray:
    """Give a picture the look of styles and keep its content (Gatys et al. 2016, doi 10.1109/CVPR.2016.265).

    Args:
        content: the picture to keep, a path or an array as for `synthesize`.
        styles: a picture or a list of pictures to look like.
        config: as for `synthesize`; it needs terms of group "content".
        **keys: keys of the config, as for `synthesize`. Unless `size` is given, the output has the proportions of the
            content, is at most as long as the config's longer side, and is not larger than the content.

    Returns:
        As `synthesize`. The result of a content with transparency has its alpha as the last of four channels,
        [h, w, 4], where the key `source.alpha` is "auto" (the default) or "keep".

    Raises:
        TexjaxError: as `synthesize`.
    """
    settings = _config(config, keys)
    picture, alpha = arrays.layer(settings, "content", content)
    settings = _sized_like(settings, picture, keys)
    settings, fitted = _sources(settings, styles)
    pictures = {"sources": fitted, "content": [inputs.fit(settings, "content", 0, picture)]}
    return _run(settings, pictures, alpha)


def analogy(
    a: Picture, a_prime: Picture, b: Picture, *, config: Config = "analogies:network=compact", **keys: Any
) -> np.ndarray:
    """Make the picture that is to B as A' is to A (Hertzmann et al. 2001, doi 10.1145/383259.383295).

    Args:
        a: a picture, a path or an array as for `synthesize`.
        a_prime: what was made of A, as large as A.
        b: the picture to treat in the same way.
        config: as for `synthesize`; it needs terms of group "analogy".
        **keys: keys of the config, as for `transfer`.

    Returns:
        As `transfer`, with the alpha of B.

    Raises:
        TexjaxError: as `synthesize`, and where A and A' differ in size.
    """
    settings = _config(config, keys)
    layers = [arrays.layer(settings, "analogy", picture) for picture in (a, a_prime, b)]
    settings = _sized_like(settings, layers[2].color, keys)
    fitted = [inputs.fit(settings, "analogy", i, layer.color, layers[1].color) for i, layer in enumerate(layers)]
    names = [str(x) if isinstance(x, str | os.PathLike) else "" for x in (a, a_prime, b)]
    inputs.check_analogy(fitted, [(name, layer.color.shape) for name, layer in zip(names, layers, strict=True)])
    pictures = {"sources": [fitted[1]], "content": [fitted[2]], "analogy": fitted}
    return _run(suiting.settle(settings, [layers[1].color]), pictures, layers[2].alpha)


def iterate(
    sources: Pictures, *, content: Picture | None = None, config: Config = "texture", **keys: Any
) -> Iterator[loop.Iterate]:
    """Return an iterator over the steps of a synthesis or, with a content, of a transfer.

    The pictures, the config and its keys are checked at once, before the first iterate is asked for.

    Args:
        sources: as for `synthesize`, or the styles of a transfer.
        content: the picture to keep, as for `transfer`.
        config: as for `synthesize`.
        **keys: keys of the config, as for `synthesize`; `save_every` is the number of steps between two iterates.

    Returns:
        Iterates with `step`; `images` [count, frames, h, w, c], float32, not clipped to [0, 1], and without alpha;
        `loss` and `terms`, means over the outputs; `seconds` since the iterate before; `metrics` of every step, arrays
        [steps, count]; and `state`, all that the optimizer remembers, valid until the next iterate is asked for.

    Raises:
        TexjaxError: as `synthesize`.
    """
    settings = _config(config, keys)
    pictures: dict[str, list[np.ndarray]] = {}
    if content is not None:
        picture = _image(settings, "content", content)
        settings = _sized_like(settings, picture, keys)
        pictures["content"] = [inputs.fit(settings, "content", 0, picture)]
    settings, pictures["sources"] = _sources(settings, sources)
    pictures = inputs.in_channels(settings, pictures | _start(settings))
    return optimize.prepare(budget.fitted(settings, pictures), pictures).iterates


def train(
    sources: Pictures,
    *,
    photos: Sequence[str | os.PathLike[str]] = (),
    config: Config = "feedforward/texture",
    **keys: Any,
) -> networks.Network:
    """Train a generator that makes any amount of the sources' texture (Ulyanov et al. 2016, arXiv 1603.03417).

    Args:
        sources: as for `synthesize`; of several, each is a texture of its own, and pictures can be mixtures.
        photos: files or folders of photographs, for a config whose generator learns to restyle these.
        config: as for `synthesize`; it needs a `generator`.
        **keys: keys of the config, as for `synthesize`.

    Returns:
        The network, for `generate`.

    Raises:
        TexjaxError: as `synthesize`, and for a config without a generator.
    """
    settings = _config(config, keys)
    if "generator" not in settings:
        raise errors.TexjaxError("this config trains no generator; give one such as 'feedforward/texture'.")
    settings, fitted = _sources(settings, sources)
    pictures = inputs.in_channels(settings, {"sources": fitted})
    files = images.sources(photos) if photos else ()
    crops = inputs.photographs(settings, files, len(fitted), optimize.channels(pictures))
    last = _last(settings, training.prepare(settings, pictures, photographs=crops).iterates)
    names = [f"source {i}" for i in range(1, len(fitted) + 1)]
    return networks.network(settings, optimize.channels(pictures), names, jax.device_get(last.state.weights))


def generate(
    network: networks.Network | str | os.PathLike[str],
    *,
    size: tuple[int, int] = (512, 512),
    seed: int = 0,
    count: int = 1,
    mix: Sequence[float] = (),
    memory_budget: str = "",
) -> np.ndarray:
    """Make pictures by a trained generator, at once and of any size (Ulyanov et al. 2016, arXiv 1603.03417).

    Args:
        network: of `train`, or the path of the `network.safetensors` of `texjax train`.
        size: width and height in pixels; the pictures tile where these are multiples of `network.generator.multiple`.
        seed: of the noise.
        count: number of pictures.
        mix: how much of each source the pictures are to have, one number each; equal parts where it is empty.
        memory_budget: bytes for the computation, such as "2GiB"; "" for what is free.

    Returns:
        The picture [h, w, c], float32 in [0, 1]; of several a stack [count, h, w, c].

    Raises:
        TexjaxError: for a file that holds no network, and numbers that no picture can have.
    """
    loaded = network if isinstance(network, networks.Network) else networks.read(Path(network))
    wanted = generating.Wanted((size[0], size[1]), seed, count, tuple(mix), memory_budget)
    stack = np.stack(list(generating.pictures(loaded, wanted)))
    return stack[0] if count == 1 else stack


def measure(
    image: Picture,
    sources: Pictures,
    *,
    extractor: types.Extractor | None = None,
    layers: Sequence[str] = ("conv1_1", "pool1", "pool2", "conv3_2"),
    octaves: int = 4,
) -> dict[str, float]:
    """Compare a result with its sources in numbers; `texjax.measures` describes each, with the paper it is from.

    Args:
        image: the result, a path or an array as for `synthesize`; sides of at least 56 px, as of the sources.
        sources: a picture or a list of pictures.
        extractor: with a network, such as `texjax.features.vgg19(path)`, also the Gram error is measured.
        layers: of the Gram error.
        octaves: of the Gram error, at most: as many as fit.

    Returns:
        Name -> value. `texjax.measures.MEANINGS` says what is good.

    Raises:
        TexjaxError: for pictures that cannot be used or are too small, and for unknown layers.
    """
    settings = configs.defaults()
    result, originals = _image(settings, "result", image), _all_images(settings, "sources", sources)
    measures.check_sizes({"the result": result} | {f"source {i}": image for i, image in enumerate(originals, start=1)})
    if extractor is None:
        return measures.measure_all(result, originals)
    fitting = measures.largest_octaves(extractor, [result, *originals], layers=layers, octaves=octaves)
    return measures.measure_all(result, originals, extractor=extractor, layers=layers, octaves=fitting)


def _config(config: Config, keys: Mapping[str, Any]) -> configs.Config:
    base = configs.load(config) if isinstance(config, str) else config
    settings = configs.overridden(base, keys)
    checks.values(settings)
    return settings


def _sized_like(config: configs.Config, picture: np.ndarray, keys: Mapping[str, Any]) -> configs.Config:
    """The config with the size that a content asks for, where no size is given."""
    if "size" in keys:
        return config
    return configs.overridden(config, {"size": inputs.output_size(picture.shape, max(config.size))})


def _start(config: configs.Config) -> dict[str, list[np.ndarray]]:
    """The group of the picture to start from, where the config names one."""
    return inputs.load(config, inputs.with_start(config, {}))


def _run(config: configs.Config, pictures: dict[str, list[np.ndarray]], alpha: np.ndarray | None = None) -> np.ndarray:
    """Run to the end, with a progress bar, and return the pictures. alpha: of the content, for the result."""
    pictures = inputs.in_channels(config, pictures | _start(config))
    config = budget.fitted(config, pictures)
    last = _last(config, optimize.prepare(config, pictures).iterates)
    outputs = optimize.outputs(last, config, pictures).clip(0, 1)
    outputs = inputs.with_alpha(config, outputs, inputs.fit_alpha(config, alpha))
    return outputs[0] if len(outputs) == 1 else outputs


def _last(config: configs.Config, iterates: Iterator[loop.Iterate]) -> loop.Iterate:
    """Run to the end, with a progress bar, and return the last iterate."""
    last = None
    with progress.steps(schedule.total(config)) as watch:
        for last in iterates:
            if not loop.finite(last.metrics):
                raise errors.TexjaxError(
                    f"the loss is no number after step {last.step}; use smaller term weights, range 'penalty' or "
                    f"precision 'float32'."
                )
            watch(last)
    assert last is not None  # there is at least one step
    return last


def _sources(config: configs.Config, sources: Pictures) -> tuple[configs.Config, list[np.ndarray]]:
    """The config with what suits the sources, and these at the size that the config wants."""
    originals = _all_images(config, "sources", sources)
    fitted = [inputs.fit(config, "sources", i, image) for i, image in enumerate(originals)]
    return suiting.settle(config, originals), fitted


def _all_images(config: configs.Config, group: str, pictures: Pictures) -> list[np.ndarray]:
    """The pictures of a group as they are; a folder stands for the pictures in it."""
    several: list[Any] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
    if not several:
        raise errors.TexjaxError(f"the list of {group} is empty; give at least one picture.")
    loaded = []
    for picture in several:
        paths = images.sources(picture) if isinstance(picture, str | os.PathLike) else [picture]
        loaded += [_image(config, group, path) for path in paths]
    return loaded


def _image(config: configs.Config, group: str, picture: Picture) -> np.ndarray:
    """An image [h, w, 3], float32 in [0, 1], of a path or an array."""
    return arrays.layer(config, group, picture).color
