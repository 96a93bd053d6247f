"""The flags of `texjax synthesize`, those of subjective-functions, as overrides of a config's keys.

Other commands that make pictures have most of them too.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from texjax import config as configs
from texjax import errors

DEFAULT_CONFIG = "texture"
STARTS = ("random", "symmetric")
JOIN_MODES = ("average", "max", "log_euclidean", "affine_invariant", "riemann")
# Flag -> key of the inter-frame term, and the value where the config has no such term and the flag is not given.
INTER_FRAME = {
    "if_weight": ("weight", 1.0),
    "if_shift": ("shift", 5.0),
    "if_order": ("order", 2),
    "if_distance_type": ("distance_type", "l2"),
    "if_octaves": ("octaves", 1),
}


def add_parser(commands: Any) -> None:
    """Add `synthesize` to the subparsers of the `texjax` command."""
    parser = made(commands, "synthesize", "make pictures with the look of the sources", DEFAULT_CONFIG)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="pictures, or folders of pictures")
    add("--source", "-s", nargs="+", default=[], metavar="SOURCE", help="the same, as a flag")
    add(
        "--internal",
        action="store_const",
        const=True,
        help="novelty: octaves and layers unlike each other, and not frames alone",
    )
    add("--octave-step", "-os", type=int, metavar="N", help="novelty: look at every N-th octave (1)")
    add("--seed", metavar="KIND", help="start: random or symmetric (the random number seed is --random-seed)")
    add("--init", metavar="FILE", help="picture to start from")
    add("--if-weight", type=float, metavar="X", help="inter-frame loss: weight (1)")
    add("--if-shift", type=float, metavar="PX", help="inter-frame loss: shift to imitate (5)")
    add("--if-order", type=int, metavar="N", help="inter-frame loss: frames tied to each (2)")
    add("--if-distance-type", metavar="KIND", help="inter-frame loss: l2 or lap1 (l2)")
    add("--if-octaves", type=int, metavar="N", help="inter-frame loss: octaves, the finest (1)")


def made(commands: Any, name: str, purpose: str, default: str) -> argparse.ArgumentParser:
    """A subparser with the flags that all commands have that make pictures. default: config."""
    parser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}. Flags set keys of the config; what is not given stays as the "
        "config has it. --config.KEY=VALUE sets any key, and wins over a flag.",
        allow_abbrev=False,
    )
    parser.set_defaults(**dict.fromkeys(("internal", "octave_step", "seed", *INTER_FRAME)), overridable=True)
    add = parser.add_argument
    known = ", ".join(configs.names())
    add("--config", default=default, metavar="FILE[:ARG]", help=f"one of {known}, or a path (%(default)s)")
    add("--random-seed", type=int, metavar="N", help="of everything stochastic")
    add("--dry-run", action="store_true", help="print what would run, its memory and time, and stop")
    add("--run-dir", type=Path, metavar="DIR", help="write exactly there")
    add("--output-dir", type=Path, default=Path("outputs"), help="parent of fresh run directories (%(default)s)")
    add("--output-prefix", "-op", default="out", help="start of their names (%(default)s)")
    add("--output-width", "-ow", type=int, metavar="PX", help="width of the output")
    add("--output-height", "-oh", type=int, metavar="PX", help="its height, if it is not to follow from the width")
    add("--octaves", "-o", type=int, metavar="N", help="levels of the pyramid, full size included")
    add("--layers", "-l", nargs="+", metavar="LAYER", help="names such as pool1, or indices from 0 = conv1_1")
    add("--max-iter", "-m", "--num-iterations", type=int, metavar="N", help="iterations, at full size")
    add("--save-every", "-n", type=int, metavar="N", help="iterations between progress pictures")
    add("--source-scale", "-ss", type=float, metavar="X", help="factor to resize sources by")
    add("--source-width", "-sw", type=int, metavar="PX", help="width to resize sources to; wins over the factor")
    add("--padding-mode", "-p", metavar="MODE", help="valid, same, reflect or circular, of the network")
    add("--join-mode", "-j", metavar="MODE", help=f"of several sources: {', '.join(JOIN_MODES)}")
    add("--count", "-c", type=int, metavar="N", help="independent outputs; with any --if flag, frames of an animation")
    add("--mul", type=float, metavar="X", help="factor on the target Gram matrices, or on novelty's")
    add("--data-dir", "-d", metavar="DIR", help="folder, or file, of the network's weights")
    add("--tol", type=float, metavar="X", help="relative decrease of the loss at which to stop")
    return parser


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Resolve the flags, and make pictures or print the plan."""
    from texjax import images

    config = resolve(args, overrides)
    given = [*args.sources, *args.source]
    if not given:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures.")
    carry_out(args, config, images.sources(given), {})


def carry_out(
    args: argparse.Namespace, config: configs.Config, paths: Sequence[Path], others: Mapping[str, Sequence[Path]]
) -> None:
    """Run or plan, and say where the pictures are."""
    from texjax.cli import display
    from texjax.runs import plan, programs, records
    from texjax.runs import run as runner
    from texjax.synthesis import build, schedule

    programs.keep()
    with programs.device_errors():
        if args.dry_run:
            display.show_plan(plan.plan(config, paths, others))
            return

        def directory(parts: build.Parts) -> Path:
            if args.run_dir is not None:
                return records.exact(args.run_dir)
            return records.fresh(args.output_dir, records.name(args.output_prefix, parts.layers, config))

        with display.progress(schedule.total(config)) as watch:
            result = runner.synthesize(config, paths, directory, watch, others)
    display.show_result(result)
    if result.status == "interrupted":
        raise KeyboardInterrupt


def resolve(args: argparse.Namespace, overrides: Sequence[str]) -> configs.Config:
    """The config with the flags and the overrides in it.

    Raises TexjaxError for a flag that has no meaning for this config.
    """
    if args.seed not in (None, *STARTS):
        raise errors.unknown("kind of start", args.seed, STARTS)
    if args.seed is not None and args.init is not None:
        raise errors.TexjaxError("--seed and --init both choose the start; leave one of them out.")
    if args.join_mode not in (None, *JOIN_MODES):
        raise errors.unknown("join mode", args.join_mode, JOIN_MODES)
    base = configs.load(args.config)
    flags = _flag_overrides(args, base)
    if any(word.startswith("--config.init=") for word in flags) and any(
        word.startswith("--config.init.") for word in overrides
    ):
        raise errors.TexjaxError(
            "--seed and --init give the start as a whole; to set more of it, leave them out and give such as "
            "--config.init=\"{'name': 'symmetric', 'blur': 10.0}\"."
        )
    # A tuple given twice would be joined and not replaced.
    overridden = {word.partition("=")[0] for word in overrides}
    flags = [word for word in flags if word.partition("=")[0] not in overridden]
    config = configs.load(args.config, [*flags, *overrides])
    if _animated(args) and not _named(base, "inter_frame"):
        with config.unlocked():
            config.terms.inter_frame = _inter_frame(args)
    if args.octave_step is not None:
        _skip_octaves(config, args.octave_step)
    return config


def _animated(args: argparse.Namespace) -> bool:
    """Whether a flag asks for an animation; then --count is its frames, as it always is in subjective-functions."""
    return any(getattr(args, flag) is not None for flag in INTER_FRAME)


def _inter_frame(args: argparse.Namespace) -> dict[str, Any]:
    """The term of the inter-frame loss that the flags describe."""
    given = {key: getattr(args, flag) for flag, (key, _) in INTER_FRAME.items() if getattr(args, flag) is not None}
    term = dict(name="inter_frame", layers=dict(pixels=1.0), octave_weights=())
    return term | dict(INTER_FRAME.values()) | given


def _skip_octaves(config: configs.Config, step: int) -> None:
    """Let every octave of the novelty terms weigh 0 but those at multiples of `step`."""
    if step < 1:
        raise errors.TexjaxError(f"--octave-step is {step}; give a whole number from 1.")
    for name in _set_by("octave_step", config):
        term = config.terms[name]
        weights = tuple(term.octave_weights) or (1.0,) * config.octaves
        term.octave_weights = tuple(0.0 if at % step else weight for at, weight in enumerate(weights))


def _flag_overrides(args: argparse.Namespace, base: configs.Config) -> list[str]:
    """The flags as overrides of the config's keys."""
    keys = {
        "random_seed": "seed",
        "octaves": "octaves",
        "max_iter": "max_iter",
        "save_every": "save_every",
        "source_scale": "source.scale",
        "source_width": "source.width",
        "count": "frames" if _animated(args) else "count",
        "tol": "tol",
        "data_dir": "features.weights",
        "padding_mode": "features.padding",
    }
    given = {key: getattr(args, flag) for flag, key in keys.items() if getattr(args, flag) is not None}
    if args.seed == "symmetric":
        given["init"] = {"name": "symmetric"}
    if args.seed == "random" and base.init.name not in ("noise", "mean_color", "random_phase"):
        given["init"] = {"name": "noise", "mean": 10 / 255, "deviation": 1 / 255}  # subjective-functions' start
    if args.init is not None:
        given["init"] = {"name": "picture", "path": args.init}
    if args.data_dir is not None and "weights" not in base.features:
        raise errors.TexjaxError(f"--data-dir: features '{base.features.name}' read no weights; leave the flag out.")
    if args.padding_mode is not None:
        given["pyramid.padding"] = "reflect" if args.padding_mode == "same" else args.padding_mode
    width, height = args.output_width, args.output_height
    if width is not None or height is not None:
        width = base.size[0] if width is None else width
        given["size"] = (width, width if height is None else height)
    for flag, key in {"mul": "mul", "join_mode": "join", "layers": "layers", "internal": "internal"}.items():
        value = getattr(args, flag)
        if value is not None:
            value = dict.fromkeys(layers(value), 1.0) if flag == "layers" else value
            given |= {f"terms.{name}.{key}": value for name in _set_by(flag, base)}
    for flag, (key, _) in INTER_FRAME.items():
        if getattr(args, flag) is not None:
            given |= {f"terms.{name}.{key}": getattr(args, flag) for name in _named(base, "inter_frame")}
    return [f"--config.{key}={value}" for key, value in given.items()]


def _set_by(flag: str, config: configs.Config) -> list[str]:
    """The names of the terms of Gram matrices that a flag sets: all, but for flags that only one of the losses has."""
    only = {"join_mode": "gram", "internal": "novelty", "octave_step": "novelty"}.get(flag)
    names = [name for loss in ("gram", "novelty") if only in (None, loss) for name in _named(config, loss)]
    if not names:
        kind = "novelty" if only == "novelty" else "Gram"
        raise errors.TexjaxError(
            f"--{flag.replace('_', '-')} sets {kind} terms, and this config has none; use --config.terms."
        )
    return names


def _named(config: configs.Config, loss: str) -> list[str]:
    """The names of the terms of a loss."""
    return [name for name, term in config.terms.items() if term.name == loss]


def layers(words: Sequence[str]) -> list[str]:
    """Layer names; an index counts VGG-19's layers from 0 = conv1_1, as subjective-functions does."""
    from texjax.features import vgg

    order = [name for name, _ in vgg.operations(vgg.VGG19, vgg.WIDTHS)]
    out = []
    for word in words:
        if word.lstrip("-").isdigit():
            if not 0 <= int(word) < len(order):
                raise errors.TexjaxError(
                    f"layer index {word} does not exist; give 0 ({order[0]}) to {len(order) - 1}, or names."
                )
            word = order[int(word)]
        out.append(word)
    return out
