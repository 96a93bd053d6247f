"""Makes snelgrove.npz: value and gradient of the multi-scale Gram objective by PyTorch. Run by hand, with torch.

    TEXJAX_TEST_DATA=... python tests/goldens/make_snelgrove.py

The objective: 3 octaves (valid), pool1 and conv3_2 with weight 1, average pooling, padding valid, no penalty. The
source is a crop of images/bark.jpg over 255; the image is another crop over 255, plus 0.2 * (u - 0.5) where u is
np.random.default_rng(0).random([h, w, 3]). For each `kind` of weights, "raw" and, if the shipped channel means exist,
"normalized", and each `precision`, "float64" and "float32", the file holds
    {kind}_loss_{precision} [] and {kind}_gradient_{precision} [k], at the flat `index` [k] of [h, w, 3];
    {kind}_norm [] and {kind}_max [], of the whole float64 gradient (Euclidean, and largest absolute);
    source_crop, image_crop [4] as top, left, height, width; source_sum, image_sum of their bytes, which tell decoders
    apart; layers; means_sum, the sum of all channel means in the file.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "experiments" / "bench"))
import torch_snelgrove as reference  # noqa: E402

SOURCE, IMAGE = (300, 200, 150, 160), (900, 500, 144, 144)  # top, left, height, width
MEANS = ROOT / "weights" / "vgg19_channel_means.safetensors"
SETTINGS = reference.Settings(octaves=3)


def crop(data: Path, box: tuple[int, int, int, int]) -> np.ndarray:
    """A part of the picture, uint8 [h, w, 3]."""
    top, left, height, width = box
    image = Image.open(data / "images" / "bark.jpg").convert("RGB")
    return np.asarray(image)[top : top + height, left : left + width]


def evaluate(kind: str, weights: Path, means, source: np.ndarray, image: np.ndarray, index: np.ndarray) -> dict:
    """The entries of one kind of weights."""
    out = {}
    for precision in ("float64", "float32"):
        network = reference.load(weights, means, getattr(torch, precision))
        loss, gradient = reference.Objective(network, source, SETTINGS).value_and_grad(image)
        print(kind, precision, loss, np.abs(gradient).max())
        out[f"{kind}_loss_{precision}"] = loss
        out[f"{kind}_gradient_{precision}"] = gradient.ravel()[index]
        if precision == "float64":
            out |= {f"{kind}_norm": np.linalg.norm(gradient), f"{kind}_max": np.abs(gradient).max()}
    return out


def main() -> None:
    """Compute all kinds and write the file."""
    data = Path(os.environ["TEXJAX_TEST_DATA"])
    source, image = crop(data, SOURCE), crop(data, IMAGE)
    noise = 0.2 * (np.random.default_rng(0).random(image.shape) - 0.5)
    index = np.arange(1, 513, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(image.size)
    index = index.astype(np.int32)
    kinds = {"raw": None} | ({"normalized": reference.load_means(MEANS)} if MEANS.exists() else {})
    entries = dict(source_crop=SOURCE, image_crop=IMAGE, source_sum=source.sum(), image_sum=image.sum(), index=index)
    entries |= dict(layers=np.array(SETTINGS.layers))
    for kind, means in kinds.items():
        weights = data / "weights" / "vgg19_notop_block1-3.h5"
        entries |= evaluate(kind, weights, means, source / 255, image / 255 + noise, index)
        if means is not None:
            entries["means_sum"] = sum(mean.astype(np.float64).sum() for mean in means.values())
    np.savez_compressed(HERE / "snelgrove.npz", **entries)


if __name__ == "__main__":
    main()
