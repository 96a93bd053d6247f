"""Where a run starts, coarse to fine, and weights of layers: what each does to the finest detail, and at what cost.

    python experiments/starts.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--octaves 3] [--iterations 100]
        [--seeds 1] [--network vgg19]

The start "quiet" is the mean color with noise of deviation 2 of 255, "phase" has the sources' spectrum with random
phases, "half" is that at half contrast, "blocks" are windows of the source side by side, and "quilt" has them sewn
together. The layers "reference" are pool1 and conv3_2 with equal weights, and "shallow" are those of config `texture`.
Coarse to fine, with two sizes before the full one, takes `iterations` / 2
steps at each of the three sizes. Measure "axial" is the weave along rows and columns, 0 for a part of the source.
OUT_DIR gets the pictures and a contact sheet.
"""

from experiments import ablation

STARTS = {
    "quiet": "{'name': 'mean_color', 'deviation': 0.0078}",
    "half": "{'name': 'random_phase', 'contrast': 0.5}",
    "phase": "{'name': 'random_phase'}",
    "blocks": "{'name': 'blocks'}",
    "quilt": "{'name': 'quilting'}",
}
LAYERS = {"reference": ("--config.terms.gram.layers={'pool1': 1.0, 'conv3_2': 1.0}",), "shallow": ()}


def main() -> None:
    parser = ablation.parser(__doc__, size=256, octaves=3, iterations=100)
    parser.add_argument("--network", default="compact", choices=["compact", "vgg19"])
    args = parser.parse_intermixed_args()
    common = (f"--config.features.weights={args.weights}",) if args.network == "vgg19" else ()
    half = args.iterations // 2
    schedules = {
        "one stage": ["--config.schedule.steps=()"],
        "coarse to fine": [f"--config.schedule.steps=({half}, {half})", f"--config.max_iter={half}"],
    }
    cases = [(layers, start, "one stage") for layers in LAYERS for start in STARTS]
    cases += [("shallow", start, "coarse to fine") for start in ("quiet", "phase")]
    variants = [
        ablation.Variant(
            ", ".join((layers, start, schedule)),
            f"texture:network={args.network}",
            (*common, *LAYERS[layers], f"--config.init={STARTS[start]}", *schedules[schedule]),
        )
        for layers, start, schedule in cases
    ]
    ablation.compare(args, variants)


if __name__ == "__main__":
    main()
