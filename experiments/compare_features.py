"""VGG-19, the compact network and random filters: what each makes of the same textures, and how long it takes.

    python experiments/compare_features.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--octaves 3]
        [--iterations 100] [--seeds 1] [--compact FILE]

Every network runs its shipped config for `iterations` steps at full size, with circular padding and the start of config
`texture`. The "equal time" rows are of the pictures after the seconds that the compact network took. Sources wider than
twice `size` are reduced to that; without pictures, the sources are the procedural exemplars. The script prints a
Markdown table of `texjax.measures`, with the Gram error of VGG-19 at layers that were optimized (pool1, conv3_2) and at
layers that were not. OUT_DIR gets the pictures and a contact sheet.
"""

from experiments import ablation

START = "--config.init={'name': 'random_phase'}"
CIRCULAR = ("--config.features.padding=circular", "--config.pyramid.padding=circular")


def main() -> None:
    parser = ablation.parser(__doc__, size=256, octaves=3, iterations=100)
    parser.add_argument("--compact", default="", help="another weight file for the compact network")
    args = parser.parse_intermixed_args()
    vgg = (f"--config.features.weights={args.weights}", START, *CIRCULAR)
    compact = (f"--config.features.weights={args.compact}", "--config.schedule.steps=()")
    ablation.compare(
        args,
        [
            ablation.Variant("VGG-19", "snelgrove", vgg),
            ablation.Variant("compact", "texture", compact),
            ablation.Variant("random", "random", (START,)),
            ablation.Variant("VGG-19, equal time", "snelgrove", vgg, as_long_as="compact"),
            ablation.Variant("random, equal time", "random", (START,), as_long_as="compact"),
        ],
    )


if __name__ == "__main__":
    main()
