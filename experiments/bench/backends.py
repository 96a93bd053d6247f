"""Value and gradient of a network to conv3_2: texjax by XLA and by oneDNN, and PyTorch where it is installed.

    python experiments/bench/backends.py [--weights VGG19.h5] [--sizes 128 256 512 1024] [--paddings valid circular]
        [--gram] [--repeats 7]

The networks are the compact one and, with --weights, VGG-19. The value is the mean square of the activations of pool1
and conv3_2 or, with --gram, of their Gram matrices. All backends take turns, as others may use the machine too. The
table has medians of wall time, of processor time (all threads together), GFLOP/s of the convolutions by wall time, how
many times as fast as XLA that is, and the relative error of the gradient beside XLA's in float32.
"""

import argparse
import contextlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from texjax import features, types

LAYERS = ("pool1", "conv3_2")
HAS_TORCH = importlib.util.find_spec("torch") is not None


def by_texjax(build: Callable[..., types.Extractor], gram: bool, **settings: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return the gradient as a function of the image, for the network that `build` returns with these settings."""
    extractor = build(**settings)

    def value(weights: types.Weights, image: jax.Array) -> jax.Array:
        if gram:
            assert extractor.moments is not None
            arrays = [sums.outer / sums.count for sums in extractor.moments(weights, image, (), LAYERS)[1].values()]
        else:
            arrays = list(extractor.apply(weights, image, LAYERS).values())
        return sum((jnp.mean(x**2) for x in arrays), start=jnp.zeros(()))

    compiled = jax.jit(jax.value_and_grad(value, 1))
    return lambda image: np.asarray(compiled(extractor.weights, image)[1])


def by_torch(extractor: types.Extractor, padding: str, gram: bool, bf16: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Return the same by PyTorch: eager, channels-last, and with bf16 under autocast."""
    import torch

    from experiments.bench import torch_snelgrove

    weights = jax.tree.map(lambda x: torch.as_tensor(np.array(x)), extractor.weights)
    convolutions = {
        name: (part["kernel"].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last), part["bias"])
        for name, part in weights.items()
        if name != "mean"
    }

    def value(image: Any) -> Any:
        x = (image - weights["mean"]).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        total = 0.0
        for layer in torch_snelgrove.LAYERS[: torch_snelgrove.LAYERS.index(LAYERS[-1]) + 1]:
            if layer in convolutions:
                x, last = torch_snelgrove.convolve(x, *convolutions[layer], padding), layer
            else:
                x = torch_snelgrove.downsample(x, "average", padding)
            if layer in LAYERS:
                flat = x[0].permute(1, 2, 0).reshape(-1, x.shape[1])
                flat = flat @ weights[last]["readout"] if "readout" in weights[last] else flat
                total = total + ((flat.T @ flat / len(flat) if gram else flat).float() ** 2).mean()
        return total

    def gradient(image: np.ndarray) -> np.ndarray:
        variable = torch.tensor(image, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16) if bf16 else contextlib.nullcontext():
            loss = value(variable)
        loss.backward()
        return variable.grad.numpy()

    return gradient


def operations(extractor: types.Extractor, size: int) -> float:
    """Return the floating point operations of the convolutions, forward and back to the image."""
    names = [name for name in extractor.layers if name.startswith("conv")]
    names = names[: names.index(LAYERS[-1]) + 1]
    return sum(4.0 * extractor.grid(name).size(size) ** 2 * extractor.weights[name]["kernel"].size for name in names)


def race(functions: dict[str, Callable], image: np.ndarray, repeats: int) -> dict[str, tuple[float, float, np.ndarray]]:
    """Return wall time and processor time (medians, seconds) and the result of each function."""
    results = {name: function(image) for name, function in functions.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function(image)
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    medians = {name: [statistics.median(column) for column in zip(*t, strict=True)] for name, t in times.items()}
    return {name: (*medians[name], results[name]) for name in functions}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--paddings", nargs="+", default=["valid", "circular"])
    parser.add_argument("--gram", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()

    def vgg19(**settings: Any) -> types.Extractor:
        return features.vgg19(args.weights, **settings)

    networks = {"compact": features.compact} | ({"vgg19": vgg19} if args.weights else {})
    head = ("network", "px", "padding", "backend", "wall ms", "CPU ms", "GFLOP/s", "x XLA", "error of the gradient")
    print("|", " | ".join(head), "|")
    print("|", " | ".join("---" for _ in head), "|")
    for size in args.sizes:
        image = np.random.default_rng(0).random((size, size, 3), np.float32)
        for padding in args.paddings:
            for network, build in networks.items():
                functions = {
                    f"{backend} {precision}": by_texjax(
                        build, args.gram, padding=padding, backend=backend, precision=precision
                    )
                    for backend, precision in (("xla", "float32"), ("onednn", "float32"), ("onednn", "bf16"))
                }
                extractor = build(padding=padding, backend="xla")
                if HAS_TORCH:
                    for name, bf16 in (("torch float32", False), ("torch bf16", True)):
                        functions[name] = by_torch(extractor, padding, args.gram, bf16)
                report(
                    f"{network} | {size} | {padding}",
                    race(functions, image, args.repeats),
                    operations(extractor, size),
                )


def report(label: str, results: dict[str, tuple[float, float, np.ndarray]], flops: float) -> None:
    """Print a line for each backend."""
    reference, _, exact = results["xla float32"]
    for name, (wall, cpu, gradient) in results.items():
        error = np.linalg.norm(gradient - exact) / np.linalg.norm(exact)
        speed = f"{flops / wall / 1e9:.0f} | {reference / wall:.2f}"
        print(f"| {label} | {name} | {1e3 * wall:.1f} | {1e3 * cpu:.1f} | {speed} | {error:.1e} |", flush=True)


if __name__ == "__main__":
    main()
