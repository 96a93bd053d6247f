"""Snelgrove's multi-scale Gram objective in PyTorch, minimized by SciPy: an implementation to compare texjax with.

It shares no code with texjax, so an agreement of the two says something about both. Images are [h, w, 3], sRGB in
[0, 1].

    python experiments/bench/torch_snelgrove.py bark.jpg out.png --weights vgg19.h5 --octaves 4 --max-iter 500

W. X. Snelgrove. High-resolution multi-scale neural texture synthesis. SIGGRAPH Asia Technical Briefs 2017.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import scipy.optimize
import torch
import torch.nn.functional as F
from PIL import Image

BLOCKS = (2, 2, 4, 4, 4)  # convolutions of VGG-19 between poolings
LAYERS = tuple(
    name
    for block, count in enumerate(BLOCKS, start=1)
    for name in (*(f"conv{block}_{index}" for index in range(1, count + 1)), f"pool{block}")
)
BGR_MEAN = (103.939, 116.779, 123.68)
DEAD = 1e-4  # a channel whose mean activation is below this part of its layer's average is not normalized
KERNEL = (0.05, 0.25, 0.4, 0.25, 0.05)  # Burt and Adelson 1983, a = 0.4

Network = dict[str, tuple[torch.Tensor, torch.Tensor]]  # layer -> kernel [out, in, 3, 3], bias [out]


def load(path: str | Path, means: Mapping[str, np.ndarray] | None = None, dtype=torch.float32) -> Network:
    """Return the convolutions of a Keras-layout h5 file, in order.

    means: {layer: [c]}, mean activations after the ReLU. If given, every channel that is not dead is scaled to a mean
    activation of 1, as Gatys did.
    """
    network, input_scale = {}, np.ones(3)
    with h5py.File(path) as file:
        for layer in LAYERS:
            group = file.get(f"block{layer[4]}_conv{layer[-1]}")
            if not layer.startswith("conv") or group is None:
                continue
            kernel, bias = sorted((np.asarray(group[name], np.float64) for name in group), key=lambda a: -a.ndim)
            scale = np.ones_like(bias) if means is None else np.asarray(means[layer], np.float64)
            scale = np.where(scale > DEAD * scale.mean(), scale, 1)
            kernel, bias, input_scale = kernel * input_scale[:, None] / scale, bias / scale, scale
            weight = torch.as_tensor(kernel.transpose(3, 2, 0, 1).copy(), dtype=dtype)  # HWIO -> OIHW
            network[layer] = weight.contiguous(memory_format=torch.channels_last), torch.as_tensor(bias, dtype=dtype)
    return network


def convolve(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor, padding: str) -> torch.Tensor:
    """Convolve [1, i, h, w] with 3 x 3 kernels, then ReLU; the result is two pixels smaller if `padding` is "valid"."""
    if padding in ("reflect", "circular"):
        x = F.pad(x, (1, 1, 1, 1), mode=padding).contiguous(memory_format=torch.channels_last)
    return F.relu(F.conv2d(x, kernel, bias, padding=1 if padding == "same" else 0))


def downsample(x: torch.Tensor, pool: str, padding: str) -> torch.Tensor:
    """Pool [1, c, h, w] to half its size, rounded down if `padding` is "valid", else up."""
    odd = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
    if padding in ("reflect", "circular") and any(odd):
        x = F.pad(x, odd, mode=padding).contiguous(memory_format=torch.channels_last)
    ceil = padding == "same"  # the cells beyond the edge are not counted, as in TensorFlow
    if pool == "max":
        return F.max_pool2d(x, 2, ceil_mode=ceil)
    return F.avg_pool2d(x, 2, ceil_mode=ceil, count_include_pad=False)


def features(
    network: Network, image: torch.Tensor, layers: Sequence[str], pool: str = "average", padding: str = "valid"
) -> dict[str, torch.Tensor]:
    """Return {layer: [h', w', c]}, the activations of an image [h, w, 3] after the ReLU."""
    x = image.flip(-1) * 255 - torch.tensor(BGR_MEAN, dtype=image.dtype)
    x, out = x.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last), {}
    for layer in LAYERS[: max(map(LAYERS.index, layers)) + 1]:
        x = downsample(x, pool, padding) if layer.startswith("pool") else convolve(x, *network[layer], padding)
        out[layer] = x[0].permute(1, 2, 0)
    return {layer: out[layer] for layer in layers}


def pyramid(image: torch.Tensor, octaves: int, padding: str = "valid") -> list[torch.Tensor]:
    """Return the Gaussian octaves of an image [h, w, 3], itself first; `padding` is valid, reflect or circular."""
    row = torch.tensor(KERNEL, dtype=image.dtype)
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    levels = [image.permute(2, 0, 1)[None]]
    for _ in range(octaves - 1):
        x = levels[-1] if padding == "valid" else F.pad(levels[-1], (2, 2, 2, 2), mode=padding)
        levels.append(F.conv2d(x, kernel, stride=2, groups=3))
    return [level[0].permute(1, 2, 0) for level in levels]


def gram(feature: torch.Tensor) -> torch.Tensor:
    """Return the second moments [c, c] of features [h, w, c], averaged over pixels and divided by the channels."""
    flat = feature.reshape(-1, feature.shape[-1])
    return flat.T @ flat / flat.shape[0] / flat.shape[1]


class Settings(NamedTuple):
    """The settings of the objective.

    padding: of the network. pyramid_padding: of the pyramid. penalty: factor on the mean square of how far values are
    outside of [0, 1]. autocast: whether the network runs in bf16, with float32 pixels and Gram matrices.
    """

    octaves: int = 4
    layers: tuple[str, ...] = ("pool1", "conv3_2")
    pool: str = "average"
    padding: str = "valid"
    pyramid_padding: str = "valid"
    penalty: float = 0.0
    autocast: bool = False


DEFAULTS = Settings()


class Objective:
    """Sum over octaves and layers of the squared differences of Gram matrices, plus a penalty on the range."""

    def __init__(self, network: Network, source: np.ndarray, settings: Settings = DEFAULTS):
        """Compute the targets of a source [h, w, 3]; everything is computed at the network's precision."""
        self.network, self.settings = network, settings
        self.dtype = next(iter(network.values()))[0].dtype
        with torch.no_grad():
            self.targets = self.grams(torch.as_tensor(source, dtype=self.dtype))

    def grams(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the Gram matrices [c, c] of an image [h, w, 3], octave by octave and layer by layer."""
        octaves = pyramid(image, self.settings.octaves, self.settings.pyramid_padding)
        _, layers, pool, padding = self.settings[:4]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.autocast):
            maps = [features(self.network, octave, layers, pool, padding) for octave in octaves]
        return [gram(octave[layer].to(self.dtype)) for octave in maps for layer in layers]

    def value(self, image: torch.Tensor) -> torch.Tensor:
        """Return the scalar loss of an image [h, w, 3]."""
        pairs = zip(self.targets, self.grams(image), strict=True)
        loss = sum((target - matrix).square().sum() for target, matrix in pairs)
        outside = (image - image.clamp(0, 1)).square().mean()
        return loss + self.settings.penalty * outside if self.settings.penalty else loss

    def value_and_grad(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss of an image [h, w, 3] and its gradient [h, w, 3], at the network's precision."""
        leaf = torch.tensor(image, dtype=self.dtype, requires_grad=True)
        loss = self.value(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), gradient.numpy()


class Result(NamedTuple):
    """How a minimization ended.

    image: [h, w, 3], not clipped. losses, seconds: one entry for each evaluation. iterations, message: as SciPy says.
    """

    image: np.ndarray
    losses: list[float]
    seconds: list[float]
    iterations: int
    message: str


def minimize(
    objective: Objective,
    x0: np.ndarray,
    max_iter: int = 500,
    maxcor: int = 10,
    scale: float = 255.0,
    maxfun: int = 15000,
) -> Result:
    """Minimize by L-BFGS-B without bounds.

    Args:
        objective: to minimize.
        x0: the start [h, w, 3].
        max_iter: largest number of iterations.
        maxcor: number of curvature pairs.
        scale: SciPy's vector is float64 and `scale` times the image. The reference minimizes over pixel values, 255
            times the image; the scale changes the first step only.
        maxfun: largest number of evaluations, which the last line search may exceed.
    """
    losses, seconds, start = [], [], time.perf_counter()

    def evaluate(vector):
        loss, gradient = objective.value_and_grad(vector.reshape(x0.shape) / scale)
        losses.append(loss)
        seconds.append(time.perf_counter() - start)
        return loss, gradient.astype(np.float64).ravel() / scale

    options = {"maxiter": max_iter, "maxcor": maxcor, "maxfun": maxfun}
    vector = np.asarray(x0, np.float64).ravel() * scale
    end = scipy.optimize.minimize(evaluate, vector, method="L-BFGS-B", jac=True, tol=1e-9, options=options)
    return Result(end.x.reshape(x0.shape) / scale, losses, seconds, int(end.nit), str(end.message))


def read_image(path: str | Path, width: int | None = None) -> np.ndarray:
    """Read an image [h, w, 3], float64 in [0, 1], resized to `width` by Lanczos if that is given."""
    image = Image.open(path).convert("RGB")
    if width:
        image = image.resize((width, round(width * image.height / image.width)), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float64) / 255


def start_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return the reference's start [h, w, 3]: normal noise of deviation 1 around a pixel value of 10, of 255."""
    return (10 + np.random.default_rng(seed).standard_normal((height, width, 3))) / 255


def load_means(path: str | Path) -> dict[str, np.ndarray]:
    """Read channel means {layer: [c]} from a safetensors file, and leave out everything else in it."""
    from safetensors.numpy import load_file

    return {name: mean for name, mean in load_file(path).items() if name in LAYERS}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--weights", required=True, help="Keras-layout h5 file")
    parser.add_argument("--means", help="channel means (safetensors): normalize the network")
    parser.add_argument("--source-width", type=int)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--layers", nargs="+", default=["pool1", "conv3_2"])
    parser.add_argument("--pool", choices=["average", "max"], default="average")
    parser.add_argument("--padding", choices=["valid", "same", "reflect", "circular"], default="valid")
    parser.add_argument("--pyramid-padding", choices=["valid", "reflect", "circular"], default="valid")
    parser.add_argument("--penalty", type=float, default=0.0)
    parser.add_argument("--max-iter", type=int, default=500)
    parser.add_argument("--maxcor", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Synthesize one image."""
    args = parse_args()
    network = load(args.weights, load_means(args.means) if args.means else None)
    settings = Settings(args.octaves, tuple(args.layers), args.pool, args.padding, args.pyramid_padding, args.penalty)
    objective = Objective(network, read_image(args.source, args.source_width), settings)
    result = minimize(objective, start_image(args.size, args.size, args.seed), args.max_iter, args.maxcor)
    clipped = np.clip(result.image, 0, 1)
    Image.fromarray(np.round(clipped * 255).astype(np.uint8)).save(args.output)
    print(f"start {result.losses[0]:.6g}  end {min(result.losses):.6g}", end="  ")
    print(f"clipped {objective.value_and_grad(clipped)[0]:.6g}  seconds {result.seconds[-1]:.1f}", end="  ")
    print(f"iterations {result.iterations}  evaluations {len(result.losses)}  ({result.message})")


if __name__ == "__main__":
    main()
