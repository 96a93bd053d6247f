"""What the padding of network and pyramid does to the borders: measure "seam", and the pictures repeated.

    python experiments/paddings.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--iterations 100] [--seeds 1]

The compact network, with each padding in network and pyramid alike ("same" has none in the pyramid, whose filter then
is unpadded). OUT_DIR gets the pictures, and `seams.png`: for each texture the middle of every result repeated 2 x 2, at
100 %, where the four copies meet.
"""

import ablation
import numpy as np

from texjax import images

PADDINGS = {"valid": "valid", "same": "valid", "reflect": "reflect", "circular": "circular"}


def corner(picture: np.ndarray) -> np.ndarray:
    """Where four copies meet, as large as one."""
    height, width = picture.shape[:2]
    return np.roll(picture, (height // 2, width // 2), (0, 1))


def main() -> None:
    args = ablation.parser(__doc__, size=256, octaves=3, iterations=100).parse_intermixed_args()
    variants = [
        ablation.Variant(name, "texture", (f"--config.features.padding={name}", f"--config.pyramid.padding={pyramid}"))
        for name, pyramid in PADDINGS.items()
    ]
    ablation.compare(args, variants)
    rows = [
        [corner(images.load(args.output / ablation.file_name(texture, name, 0))) for name in PADDINGS]
        for texture in ablation.sources(args.pictures, args.size)
    ]
    images.save(args.output / "seams.png", np.vstack([np.hstack(row) for row in rows]))


if __name__ == "__main__":
    main()
