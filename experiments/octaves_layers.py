"""Few layers over many octaves, or many layers at one: Snelgrove's claim, tried.

    python experiments/octaves_layers.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--iterations 100] [--seeds 1]

"Snelgrove S" is pool1 and conv3_2 at S octaves, "Gatys S" the layers of Gatys et al. 2015 (conv1_1, pool1, pool2,
pool3, pool4) at S, as many of them as the weight file has and the coarsest octave has room for; both with VGG-19,
circular padding and the start of config `texture`. Prints a Markdown table of `texjax.measures`; OUT_DIR gets the
pictures and a contact sheet.
"""

import ablation
import compare_features

from texjax import features

GATYS = ("conv1_1", "pool1", "pool2", "pool3", "pool4")
SMALLEST = 8  # cells of a layer's map to speak of statistics


def layers(known: tuple[str, ...], size: int, octaves: int) -> dict[str, float]:
    """Those of Gatys' that are known and large enough at the coarsest octave."""
    side = size >> (octaves - 1)
    return {name: 1.0 for i, name in enumerate(GATYS) if name in known and side >> i >= SMALLEST}


def main() -> None:
    parser = ablation.parser(__doc__, size=256, octaves=3, iterations=100)
    args = parser.parse_intermixed_args()
    known = features.vgg19(weights=args.weights).layers
    common = (f"--config.features.weights={args.weights}", compare_features.START, *compare_features.CIRCULAR)
    cases = [(f"Snelgrove {n}", {"pool1": 1.0, "conv3_2": 1.0}, n) for n in range(1, args.octaves + 1)]
    cases += [(f"Gatys {n}", layers(known, args.size, n), n) for n in (1, args.octaves)]
    variants = [
        ablation.Variant(name, "snelgrove", (*common, f"--config.octaves={n}", f"--config.terms.gram.layers={chosen}"))
        for name, chosen, n in cases
    ]
    ablation.compare(args, variants)


if __name__ == "__main__":
    main()
