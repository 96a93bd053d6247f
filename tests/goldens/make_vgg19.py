"""Makes vgg19.npz: VGG-19 activations by PyTorch, which texjax's network is tested against. Run by hand, with torch.

    TEXJAX_TEST_DATA=... python tests/goldens/make_vgg19.py

The arrays have one row per case "pool/padding/layer" (unnormalized weights, float64, a crop of images/bark.jpg):
    case [n], shape [n, 3] as h, w, c; index [n, k] into the flattened activation and value [n, k] there;
    norm (Euclidean), mean, max [n]; crop [4] as top, left, height, width; crop_sum, which tells decoders apart.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "experiments" / "bench"))
import torch_snelgrove as reference  # noqa: E402

CROP = (300, 200, 96, 81)  # top, left, height, width; an odd side on purpose
LAYERS = reference.LAYERS[: reference.LAYERS.index("pool3") + 1]
SAMPLES = 224


def picture(data: Path) -> np.ndarray:
    """The crop, uint8 [h, w, 3]."""
    top, left, height, width = CROP
    image = Image.open(data / "images" / "bark.jpg").convert("RGB")
    return np.asarray(image)[top : top + height, left : left + width]


def positions(shape: tuple[int, ...]) -> np.ndarray:
    """[k] flat indices: spread over the whole map, and the last channels of the four corners, where padding shows."""
    height, width, channels = shape
    spread = np.arange(1, SAMPLES + 1, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(np.prod(shape))
    corners = [np.ravel_multi_index((y, x, 0), shape) for y in (0, height - 1) for x in (0, width - 1)]
    ends = (np.array(corners)[:, None] + np.arange(channels - 8, channels)).ravel()
    return np.concatenate([spread.astype(np.int64), ends]).astype(np.int32)


def row(case: str, activation: np.ndarray) -> dict[str, object]:
    """One case's entries, from its activation [h, w, c]."""
    index = positions(activation.shape)
    return {
        "case": case,
        "shape": activation.shape,
        "index": index,
        "value": activation.ravel()[index].astype(np.float32),
        "norm": np.linalg.norm(activation),
        "mean": activation.mean(),
        "max": activation.max(),
    }


def main() -> None:
    """Compute all cases and write the file."""
    data = Path(os.environ["TEXJAX_TEST_DATA"])
    network = reference.load(data / "weights" / "vgg19_notop_block1-3.h5", dtype=torch.float64)
    crop = picture(data)
    image, rows = torch.as_tensor(crop / 255.0), []
    for padding in ("valid", "same", "reflect", "circular"):
        for pool in ("average", "max"):
            maps = reference.features(network, image, LAYERS, pool, padding)
            rows += [row(f"{pool}/{padding}/{layer}", maps[layer].numpy()) for layer in LAYERS]
    rows.sort(key=lambda entry: entry["shape"])  # equal indices next to each other: a smaller file
    table = {key: np.array([entry[key] for entry in rows]) for key in rows[0]}
    np.savez_compressed(HERE / "vgg19.npz", crop=np.array(CROP), crop_sum=crop.sum(), **table)


if __name__ == "__main__":
    main()
