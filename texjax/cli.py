"""The `texjax` command.

Errors are one sentence on standard error: exit code 2 for what the user gave, 1 for what surrounds the program, 130
after Ctrl-C (the result so far is written). JAX is imported only once there is something to compute.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from texjax import config as configs
from texjax import errors, measure_command, weights

DEFAULT_CONFIG = "random"
JOIN_MODES = ("average", "max", "log_euclidean", "affine_invariant", "riemann")
# Flag -> key of the inter-frame term, and the value where the config has no such term and the flag is not given.
INTER_FRAME = {
    "if_weight": ("weight", 1.0),
    "if_shift": ("shift", 5.0),
    "if_order": ("order", 2),
    "if_distance_type": ("distance_type", "l2"),
    "if_octaves": ("octaves", 1),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise errors.TexjaxError(f"{message[:1].lower()}{message[1:]}; see {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    try:
        words = list(sys.argv[1:] if argv is None else argv)
        _run(words)
        code = 0
    except errors.TexjaxError as error:
        print(f"texjax: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run(words: list[str]) -> None:
    words, overrides = _split(words)
    args = _parser().parse_args(words)
    if args.command == "weights":
        weights.run(args)
    elif args.command == "measure":
        measure(args)
    else:
        synthesize(args, overrides)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words for our parser, and those that override config keys ("--config.key=value" or "--config.key value")."""
    ours, overrides, taking = [], [], False
    for word in words:
        if word.startswith("--config."):
            overrides.append(word)
            taking = "=" not in word
        elif taking:
            overrides.append(word)
            taking = False
        else:
            ours.append(word)
    return ours, overrides


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="texjax", description="Neural texture synthesis: new pictures with the look of given ones.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    _add_synthesize(commands)
    measure_command.add_parser(commands)
    weights.add_parser(commands)
    return parser


def _add_synthesize(commands: Any) -> None:
    parser = commands.add_parser(
        "synthesize",
        help="make pictures with the look of the sources",
        description="Make pictures with the look of the sources. Flags set keys of the config; what is not given stays "
        "as the config has it. --config.KEY=VALUE sets any key, and wins over a flag.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="pictures, or folders of pictures")
    add("--source", "-s", nargs="+", default=[], metavar="SOURCE", help="the same, as a flag")
    add(
        "--config", default=DEFAULT_CONFIG, metavar="FILE[:ARG]", help=f"one of {', '.join(configs.names())}, or a path"
    )
    add("--random-seed", type=int, metavar="N", help="of everything stochastic")
    add("--dry-run", action="store_true", help="print what would run, its memory and time, and stop")
    add("--run-dir", type=Path, metavar="DIR", help="write exactly there")
    add("--output-dir", type=Path, default=Path("outputs"), help="parent of fresh run directories (%(default)s)")
    add("--output-prefix", "-op", default="out", help="start of their names (%(default)s)")
    add("--output-width", "-ow", type=int, metavar="PX", help="width of the output")
    add("--output-height", "-oh", type=int, metavar="PX", help="its height, if not the width")
    add("--octaves", "-o", type=int, metavar="N", help="levels of the pyramid, full size included")
    add("--layers", "-l", nargs="+", metavar="LAYER", help="names such as pool1, or indices from 0 = conv1_1")
    add("--max-iter", "-m", type=int, metavar="N", help="iterations")
    add("--save-every", "-n", type=int, metavar="N", help="iterations between progress pictures")
    add("--source-scale", "-ss", type=float, metavar="X", help="factor to resize sources by")
    add("--source-width", "-sw", type=int, metavar="PX", help="width to resize sources to; wins over the factor")
    add("--padding-mode", "-p", metavar="MODE", help="valid, same, reflect or circular, of the network")
    add("--join-mode", "-j", metavar="MODE", help=f"of several sources: {', '.join(JOIN_MODES)}")
    add("--count", "-c", type=int, metavar="N", help="independent outputs; with any --if flag, frames of an animation")
    add("--mul", type=float, metavar="X", help="factor on the target Gram matrices, or on novelty's")
    add("--seed", metavar="KIND", help="start: random or symmetric (the random number seed is --random-seed)")
    add("--init", metavar="FILE", help="picture to start from")
    add("--data-dir", "-d", metavar="DIR", help="folder, or file, of the network's weights")
    add("--tol", type=float, metavar="X", help="relative decrease of the loss at which to stop")
    add("--if-weight", type=float, metavar="X", help="inter-frame loss: weight (1)")
    add("--if-shift", type=float, metavar="PX", help="inter-frame loss: shift to imitate (5)")
    add("--if-order", type=int, metavar="N", help="inter-frame loss: frames tied to each (2)")
    add("--if-distance-type", metavar="KIND", help="inter-frame loss: l2 or lap1 (l2)")
    add("--if-octaves", type=int, metavar="N", help="inter-frame loss: octaves, the finest (1)")


def resolve(args: argparse.Namespace, overrides: Sequence[str]) -> configs.Config:
    """The config with the flags and the overrides in it.

    Raises TexjaxError for a flag that has no meaning for this config.
    """
    if args.seed not in (None, "random", "symmetric"):
        raise errors.unknown("kind of start", args.seed, ("random", "symmetric"))
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
            "--seed symmetric and --init give the start as a whole; to set more of it, leave them out and give such as "
            "--config.init=\"{'name': 'symmetric', 'blur': 10.0}\"."
        )
    # A tuple given twice would be joined and not replaced.
    overridden = {word.partition("=")[0] for word in overrides}
    flags = [word for word in flags if word.partition("=")[0] not in overridden]
    config = configs.load(args.config, [*flags, *overrides])
    if _animated(args) and not _named(base, "inter_frame"):
        with config.unlocked():
            config.terms.inter_frame = _inter_frame(args)
    return config


def _animated(args: argparse.Namespace) -> bool:
    """Whether a flag asks for an animation; then --count is its frames, as it always is in subjective-functions."""
    return any(getattr(args, flag) is not None for flag in INTER_FRAME)


def _inter_frame(args: argparse.Namespace) -> dict[str, Any]:
    """The term of the inter-frame loss that the flags describe."""
    given = {key: getattr(args, flag) for flag, (key, _) in INTER_FRAME.items() if getattr(args, flag) is not None}
    term = dict(name="inter_frame", layers=dict(pixels=1.0), octave_weights=())
    return term | dict(INTER_FRAME.values()) | given


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
    for flag, key in {"mul": "mul", "join_mode": "join", "layers": "layers"}.items():
        value = getattr(args, flag)
        if value is not None:
            value = dict.fromkeys(_layers(value), 1.0) if flag == "layers" else value
            given |= {f"terms.{name}.{key}": value for name in _gram_terms(base, flag)}
    for flag, (key, _) in INTER_FRAME.items():
        if getattr(args, flag) is not None:
            given |= {f"terms.{name}.{key}": getattr(args, flag) for name in _named(base, "inter_frame")}
    return [f"--config.{key}={value}" for key, value in given.items()]


def _gram_terms(config: configs.Config, flag: str) -> list[str]:
    """The names of the terms of Gram matrices, which some flags set."""
    names = _named(config, "gram") + (_named(config, "novelty") if flag != "join_mode" else [])
    if not names:
        raise errors.TexjaxError(
            f"--{flag.replace('_', '-')} sets Gram terms, and this config has none; use --config.terms."
        )
    return names


def _named(config: configs.Config, loss: str) -> list[str]:
    """The names of the terms of a loss."""
    return [name for name, term in config.terms.items() if term.name == loss]


def _layers(words: Sequence[str]) -> list[str]:
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


def synthesize(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """`texjax synthesize`: resolve, run or plan, and say where the pictures are."""
    from texjax import images

    config = resolve(args, overrides)
    given = [*args.sources, *args.source]
    if not given:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures.")
    paths = images.sources(given)

    from texjax import display, plan, records, run

    display.prepare_jax()
    with display.device_errors():
        if args.dry_run:
            display.show_plan(plan.plan(config, paths))
            return

        def directory(parts: run.Parts) -> Path:
            if args.run_dir is not None:
                return records.exact(args.run_dir)
            return records.fresh(args.output_dir, records.name(args.output_prefix, parts.layers, config))

        with display.progress(config.max_iter) as watch:
            result = run.synthesize(config, paths, directory, watch)
    display.show_result(result)
    if result.status == "interrupted":
        raise KeyboardInterrupt


def measure(args: argparse.Namespace) -> None:
    """`texjax measure`: compare, and say what had to be left out."""
    layers = _layers(args.layers)
    from texjax import display, measures

    display.prepare_jax()
    with display.device_errors():
        values, notes = measure_command.measure(args, layers)
    display.show_measures(values, measures.MEANINGS, args.json)
    for note in notes:
        print(f"texjax: {note}", file=sys.stderr)
