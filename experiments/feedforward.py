"""Trained generators against the optimization that they were trained by: time, measures and pictures.

    python experiments/feedforward.py VGG19_WEIGHTS OUT_DIR NAME=SOURCE:RUN_DIR[:SINGLE_RUN_DIR]... [--size 512]

Each texture has the run directory of its training by config `feedforward/texture`, and perhaps that of a training at
one octave alone (`--config.octaves=1`). The Gram errors are those of VGG-19. Row "optimized" is config `texture`.
"repeats" is the correlation with the picture of another seed, the largest of all shifts: 1 where the network always
makes the same picture. OUT_DIR gets the pictures.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import texjax
from texjax.runs import programs

LAYERS = {"optimized": ("conv1_1", "conv1_2", "conv2_2", "conv3_2"), "held out": ("conv2_1", "conv3_1")}
COLUMNS = ("texture", "row", "training, s", "seconds", "Gram", "Gram, held out", "wavelet_kl", "bands", "repeats")


def repeats(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest circular correlation of two pictures [h, w, c], over all shifts."""
    spectra = [np.fft.fft2((image - image.mean((0, 1))).mean(-1)) for image in (first, second)]
    correlation = np.fft.ifft2(spectra[0] * spectra[1].conj()).real
    sizes = [np.sqrt((abs(spectrum) ** 2).mean()) for spectrum in spectra]
    return float(correlation.max() / (sizes[0] * sizes[1]))


def timed(make: Callable[[int], np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the pictures of two seeds, and the seconds of the second one, for which everything is compiled."""
    first, begin = make(0), time.perf_counter()
    return first, make(1), time.perf_counter() - begin


def row(
    network: texjax.types.Extractor, pictures: tuple[np.ndarray, np.ndarray, float], source: np.ndarray
) -> dict[str, float]:
    """Return the measures of the first picture, the seconds, and how much the second one repeats it."""
    first, second, seconds = pictures
    values = texjax.measure(first, source, extractor=network, layers=LAYERS["optimized"])
    held_out = texjax.measure(first, source, extractor=network, layers=LAYERS["held out"])
    return {
        "seconds": seconds,
        "Gram": values["gram_error"],
        "Gram, held out": held_out["gram_error"],
        "wavelet_kl": values["wavelet_kl"],
        "bands": values["bands"],
        "repeats": repeats(first, second),
    }


def compare(name: str, source: Path, runs: list[Path], size: int, vgg: texjax.types.Extractor, output: Path) -> None:
    """Print the rows of a texture, and write its pictures."""
    picture = texjax.images.load(source)
    makers: dict[str, Callable[[int], np.ndarray]] = {
        "optimized": lambda seed: texjax.synthesize(picture, size=(size, size), seed=seed)
    }
    for label, run in zip(("generated", "generated, one octave"), runs, strict=False):
        makers[label] = lambda seed, run=run: texjax.generate(run / "network.safetensors", size=(size, size), seed=seed)
    trainings = dict(zip(list(makers)[1:], runs, strict=False))
    for label, make in makers.items():
        pictures = timed(make)
        values = row(vgg, pictures, picture)
        texjax.images.save(output / f"{name}_{label.replace(', ', '_').replace(' ', '_')}.png", pictures[0])
        trained = json.loads((trainings[label] / "run.json").read_text())["seconds"] if label in trainings else 0
        numbers = [f"{values[column]:.3g}" for column in COLUMNS[3:]]
        print("|", " | ".join([name, label, f"{trained:.0f}" if trained else "", *numbers]), "|", flush=True)
    Image.fromarray(np.rint(picture[:size, :size] * 255).astype(np.uint8)).save(output / f"{name}_source.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="weight file of VGG-19")
    parser.add_argument("output", type=Path)
    parser.add_argument("textures", nargs="+", metavar="NAME=SOURCE:RUN_DIR[:SINGLE_RUN_DIR]")
    parser.add_argument("--size", type=int, default=512)
    args = parser.parse_args()
    programs.keep()
    args.output.mkdir(parents=True, exist_ok=True)
    vgg = texjax.features.vgg19(args.weights, padding="reflect")
    print("|", " | ".join(COLUMNS), "|\n|", " | ".join(["---"] * len(COLUMNS)), "|")
    for texture in args.textures:
        name, _, paths = texture.partition("=")
        source, *runs = map(Path, paths.split(":"))
        compare(name, source, runs, args.size, vgg, args.output)


if __name__ == "__main__":
    main()
