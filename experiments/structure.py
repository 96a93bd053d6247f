"""Lattices and irregular textures, by each loss that sees structure, by patches, and by the methods of the ancestry.

    python experiments/structure.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--octaves 3] [--seeds 1]
        [--methods NAME...]

Textures are the drawn materials and the pictures. A picture is reduced to twice the width `size` if it is wider, its
upper left part of that size is the source, and its lower right part is the "other crop". The other crop of a drawn
material is that of another seed. Its row shows what a picture of the same texture has that copies nothing: a method
with lower Gram errors at coarse octaves copies. Configs run with the steps that they ship with. The method
portilla_simoncelli needs the extra `baselines` and has to be named. The script prints a
Markdown table and the means, and writes the pictures and a contact sheet into OUT_DIR.
"""

from pathlib import Path

import numpy as np

from experiments import ablation, baselines, exemplars
from experiments.bench import timed

CONFIGS = {
    "texture": ("texture", ()),
    "without the lattice": ("texture", ("--config.terms.autocorrelation.weight=0.0",)),
    "shifted_gram": ("shifted_gram", ()),
    "spectrum": ("spectrum", ()),
    "sliced_wasserstein": ("sliced_wasserstein", ()),
    "guided_correspondence": ("guided_correspondence", ()),
    # Its one octave is that of each of three sizes, and its source is not reduced here.
    "cnnmrf": ("cnnmrf:network=compact", ("--config.octaves=1", "--config.source.fit=1.0")),
}


def main() -> None:
    parser = ablation.parser(__doc__, size=256, octaves=3, iterations=0)
    methods = [*CONFIGS, *baselines.BASELINES]
    usual = [name for name in methods if name != "portilla_simoncelli"]
    parser.add_argument("--methods", nargs="+", default=usual, choices=methods)
    args = parser.parse_intermixed_args()
    textures = {name: draw(args.size) for name, draw in exemplars.MATERIALS.items()}
    others = {name: draw(args.size, 1) for name, draw in exemplars.MATERIALS.items()}
    for path in args.pictures:
        textures[path.name], others[path.name] = _crops(path, args.size)
    variants = [
        ablation.Variant(name, *CONFIGS[name])
        if name in CONFIGS
        else ablation.Variant(name, draw=baselines.BASELINES[name])
        for name in args.methods
    ]
    ablation.compare(args, variants, textures, others)


def _crops(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two parts of a picture that have no pixel in common, where it is large enough."""
    picture = timed.source(path, size)
    height, width = (min(size, side // 2) for side in picture.shape[:2])
    return picture[:height, :width], picture[-height:, -width:]


if __name__ == "__main__":
    main()
