"""The `texjax synthesize` command, with the flags of subjective-functions as overrides of a config's keys.

The other commands that make pictures share most of these flags, and `run`: their parsers have the default `job`, the
function of flags and overrides that returns a `Job`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import errors, interrupts

DEFAULT_CONFIG = "texture"
DRY_RUN = "print what would run, its memory and time, and stop"
STARTS = ("random", "symmetric")
# Flag -> setting of the terms that it sets.
SETTINGS = {"mul": "mul", "join_mode": "join", "internal": "internal", "octave_step": "octave_step"}
# Flag -> key of the terms that tie frames together, which are those with the setting "shift".
FRAMES = {
    "if_weight": "weight",
    "if_shift": "shift",
    "if_order": "order",
    "if_distance_type": "distance_type",
    "if_octaves": "octaves",
}
# Where a config has no term that ties frames together, that of this config is added.
ANIMATION = "animation"


class Job(NamedTuple):
    """What a command is to run: arguments of `runs.run.synthesize`. pictures: group -> files."""

    config: configs.Config
    pictures: dict[str, list[Path]]


def add_parser(commands: Any) -> None:
    """Add `synthesize` to the subparsers of the `texjax` command."""
    parser = texture_parser(commands, "synthesize", "make pictures with the look of the sources")
    parser.add_argument("--dry-run", action="store_true", help=DRY_RUN)


def texture_parser(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    """Return a subparser with the flags of a synthesis."""
    parser = picture_parser(commands, name, purpose, DEFAULT_CONFIG)
    parser.set_defaults(job=job)
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="pictures, or folders of pictures")
    add("--source", "-s", nargs="+", default=[], metavar="SOURCE", help="pictures or folders too, as a flag")
    add(
        "--internal",
        action="store_const",
        const=True,
        help="novelty: make octaves and layers unlike each other, and not frames alone",
    )
    add("--octave-step", "-os", type=int, metavar="N", help="novelty: compare every N-th octave (1)")
    add("--seed", metavar="KIND", help="start: random or symmetric (the random number seed is --random-seed)")
    add("--init", "--init-from", metavar="FILE", help="picture to start from, or a trained generator, which makes one")
    add("--if-weight", type=float, metavar="X", help="inter-frame loss: weight (1)")
    add("--if-shift", type=float, metavar="PX", help="inter-frame loss: shift between frames to imitate (5)")
    add("--if-order", type=int, metavar="N", help="inter-frame loss: number of next frames each is compared with (2)")
    add("--if-distance-type", metavar="KIND", help="inter-frame loss: l2 or lap1 (l2)")
    add("--if-octaves", type=int, metavar="N", help="inter-frame loss: number of octaves, from the finest (1)")
    return parser


def picture_parser(commands: Any, name: str, purpose: str, default: str) -> argparse.ArgumentParser:
    """Return a subparser with the flags of all commands that make pictures. default: name of the config."""
    parser = commands.add_parser(
        name,
        help=purpose,
        description=f"{purpose[0].upper()}{purpose[1:]}. A flag sets a key of the config, and the config decides "
        "whatever no flag sets. --config.KEY=VALUE sets any key, and wins over a flag.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, overridable=True, **dict.fromkeys(("internal", "octave_step", "seed", *FRAMES)))
    add = parser.add_argument
    known = ", ".join(configs.names())
    add("--config", default=default, metavar="FILE[:ARG]", help=f"one of {known}, or a path (%(default)s)")
    add("--random-seed", type=int, metavar="N", help="seed of everything stochastic")
    add("--memory-budget", metavar="SIZE", help="memory that the run may take, such as 8GiB (what is free)")
    add("--run-dir", type=Path, metavar="DIR", help="write exactly there")
    add("--resume", action="store_true", help="with --run-dir: go on with the run there, if there is one")
    add("--output-dir", type=Path, default=Path("outputs"), help="parent of fresh run directories (%(default)s)")
    add("--output-prefix", "-op", default="out", help="start of their names (%(default)s)")
    add("--output-width", "-ow", type=int, metavar="PX", help="width of the output")
    add("--output-height", "-oh", type=int, metavar="PX", help="height of the output (the width)")
    add("--octaves", "-o", type=int, metavar="N", help="levels of the pyramid, full size included")
    add("--layers", "-l", nargs="+", metavar="LAYER", help="names such as pool1, or indices from 0 = conv1_1")
    add("--max-iter", "-m", "--num-iterations", type=int, metavar="N", help="iterations at full size")
    add("--save-every", "-n", type=int, metavar="N", help="iterations between progress pictures")
    add("--source-scale", "-ss", type=float, metavar="X", help="factor to resize sources by")
    add(
        "--source-width",
        "-sw",
        metavar="PX",
        help="width to resize sources to; wins over the factor; auto: as the network and the texture ask for",
    )
    add("--padding-mode", "-p", metavar="MODE", help="padding of the network: valid, same, reflect or circular")
    add("--join-mode", "-j", metavar="MODE", help="how several sources are joined, such as average or log_euclidean")
    add("--count", "-c", type=int, metavar="N", help="independent outputs; with any --if flag, frames of an animation")
    add("--mul", type=float, metavar="X", help="factor on the target Gram matrices, or on those of novelty")
    add("--data-dir", "-d", metavar="DIR", help="folder, or file, of the network's weights")
    add("--tol", type=float, metavar="X", help="relative decrease of the loss at which to stop")
    return parser


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Carry out the job of a command that makes pictures, or print its plan."""
    if args.resume and args.run_dir is None:
        raise errors.TexjaxError("--resume goes on with the run of a directory; name it by --run-dir DIR.")
    config, pictures = args.job(args, overrides)

    from texjax.cli import display
    from texjax.runs import plan, programs, records
    from texjax.synthesis import build, devices

    programs.keep()
    devices.join(config)
    with programs.device_errors():
        if args.dry_run:
            display.show_rows(plan.plan(config, pictures))
            return

        def directory(parts: build.Parts) -> Path:
            if args.run_dir is not None:
                return records.exact(args.run_dir)
            return records.fresh(args.output_dir, records.name(args.output_prefix, parts.layers, config))

        begun = _begun(args, config)
        carry_out(config, pictures, directory, begun)


def _begun(args: argparse.Namespace, config: configs.Config) -> Any:
    """The run to go on with, if --resume asks for it and the directory holds one."""
    from texjax.runs import archive, resume

    if not args.resume or not (args.run_dir / archive.RUN_FILE).exists():
        return None
    begun = resume.begun(args.run_dir)
    resume.check_config(begun, config)
    return begun


def carry_out(config: configs.Config, pictures: Any, directory: Any, begun: Any) -> None:
    """Make a run with a progress bar, print its result, and end as an interrupt asks; arguments of `runs.run`."""
    from texjax import progress
    from texjax.cli import display
    from texjax.runs import run as runner
    from texjax.synthesis import schedule

    with progress.steps(schedule.total(config)) as watch:
        result = runner.synthesize(config, pictures, directory, watch, begun=begun)
    display.show_result(result)
    if result.status == "interrupted":
        interrupts.check()
        raise KeyboardInterrupt


def job(args: argparse.Namespace, overrides: Sequence[str]) -> Job:
    """Return the config with flags and overrides in it, and the sources. Raises as `resolve` does."""
    from texjax import images

    config = resolve(args, overrides)
    words = [*args.sources, *args.source]
    if not words:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures.")
    return Job(config, {"sources": images.sources(words)})


def resolve(args: argparse.Namespace, overrides: Sequence[str], base: configs.Config | None = None) -> configs.Config:
    """Return the config with the flags and the overrides in it. base: the config that --config names, if it is loaded.

    Raises TexjaxError for a flag that has no meaning for this config.
    """
    if args.seed not in (None, *STARTS):
        raise errors.unknown("kind of start", args.seed, STARTS)
    if args.seed is not None and args.init is not None:
        raise errors.TexjaxError("--seed and --init both choose the start; leave one of them out.")
    base = configs.load(args.config) if base is None else base
    flags = _flag_overrides(args, base)
    if any(word.startswith("--config.init=") for word in flags) and any(
        word.startswith("--config.init.") for word in overrides
    ):
        raise errors.TexjaxError(
            "--seed and --init give the start as a whole; to set more of it, leave them out and give such as "
            "--config.init=\"{'name': 'symmetric', 'blur': 10.0}\"."
        )
    # An override wins over a flag. Both of them given, ml_collections would join tuples instead of replacing them.
    overridden = {word.partition("=")[0] for word in overrides}
    flags = [word for word in flags if word.partition("=")[0] not in overridden]
    config = configs.overridden_by_words(base, [*flags, *overrides])
    return _with_frames(args, config, overridden) if _animated(args) else config


def _animated(args: argparse.Namespace) -> bool:
    """Whether a flag asks for an animation; then --count is its frames, as it always is in subjective-functions."""
    return any(getattr(args, flag) is not None for flag in FRAMES)


def _with_frames(args: argparse.Namespace, config: configs.Config, overridden: set[str]) -> configs.Config:
    """The config with the terms that tie frames together, and what the flags say of them."""
    terms = _terms_with(config, "shift")
    if not terms:
        animation = configs.load(ANIMATION)
        terms = _terms_with(animation, "shift")
        with config.unlocked():
            for name in terms:
                config.terms[name] = animation.terms[name]
                # The defaults of subjective-functions.
                config.terms[name].update(weight=1.0, shift=5.0)
    values = {key: getattr(args, flag) for flag, key in FRAMES.items() if getattr(args, flag) is not None}
    changes = {f"terms.{name}.{key}": value for name in terms for key, value in values.items()}
    changes = {key: value for key, value in changes.items() if f"--config.{key}" not in overridden}
    return configs.overridden(config, changes)


def _flag_overrides(args: argparse.Namespace, base: configs.Config) -> list[str]:
    """The flags as overrides of the config's keys, but for those of an animation's frames."""
    keys = {
        "random_seed": "seed",
        "octaves": "octaves",
        "max_iter": "max_iter",
        "save_every": "save_every",
        "memory_budget": "memory_budget",
        "source_scale": "source.scale",
        "count": "frames" if _animated(args) else "count",
        "tol": "tol",
        "data_dir": "features.weights",
        "padding_mode": "features.padding",
    }
    values = {key: getattr(args, flag) for flag, key in keys.items() if getattr(args, flag) is not None}
    values |= _start(args, base) | _source_width(args.source_width)
    if args.data_dir is not None and "weights" not in base.features:
        raise errors.TexjaxError(f"--data-dir: features '{base.features.name}' read no weights; leave the flag out.")
    if args.padding_mode is not None:
        values["pyramid.padding"] = "reflect" if args.padding_mode == "same" else args.padding_mode
    width, height = args.output_width, args.output_height
    if width is not None or height is not None:
        width = base.size[0] if width is None else width
        values["size"] = (width, width if height is None else height)
    for flag, setting in SETTINGS.items():
        if getattr(args, flag) is not None:
            names = require(flag, f"terms with the setting '{setting}'", _terms_with(base, setting))
            values |= {f"terms.{name}.{setting}": getattr(args, flag) for name in names}
    if args.layers is not None:
        mapping = dict.fromkeys(layers(args.layers), 1.0)
        names = require("layers", "terms that compare features with sources", feature_terms(base))
        values |= {f"terms.{name}.layers": mapping for name in names}
    return [f"--config.{key}={value}" for key, value in values.items()]


def _source_width(text: str | None) -> dict[str, Any]:
    """The keys that --source-width sets: a number of pixels, or auto."""
    if text is None:
        return {}
    if text != "auto" and not text.isdecimal():
        raise errors.TexjaxError(f"--source-width is '{text}'; give a number of pixels, or auto.")
    return {"source.auto_width": text == "auto", "source.width": 0 if text == "auto" else int(text)}


def _start(args: argparse.Namespace, base: configs.Config) -> dict[str, Any]:
    """The start that --seed or --init asks for."""
    if args.init is not None:
        return {"init": {"name": "picture", "path": args.init}}
    if args.seed == "symmetric":
        return {"init": {"name": "symmetric"}}
    if args.seed == "random" and base.init.name not in ("noise", "mean_color", "random_phase"):
        return {"init": {"name": "noise", "mean": 10 / 255, "deviation": 1 / 255}}  # that of subjective-functions
    return {}


def _terms_with(config: configs.Config, setting: str) -> list[str]:
    """The names of the terms whose loss has that setting."""
    return [name for name, term in config.terms.items() if setting in term]


def feature_terms(config: configs.Config) -> list[str]:
    """Return the names of the terms of features of the sources: all but smoothness ("form") and frames ("shift").

    Terms for textures that repeat keep layers of their own.
    """
    terms = {n: term for n, term in config.terms.items() if term.group == "sources" and term.when == "always"}
    return [name for name, term in terms.items() if not {"form", "shift"} & set(term)]


def require(flag: str, what: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names of terms that a flag sets. Raises TexjaxError where there are none; what: describes them."""
    if not names:
        raise errors.TexjaxError(
            f"--{flag.replace('_', '-')} sets {what}, and this config has none; use another config, or leave the flag "
            f"out."
        )
    return names


def layers(words: Sequence[str]) -> list[str]:
    """Return layer names; an index counts VGG-19's layers from 0 = conv1_1, as subjective-functions does.

    Raises TexjaxError for an index that does not exist.
    """
    from texjax.features import vgg

    order = vgg.layer_names(vgg.VGG19)
    names = []
    for word in words:
        if word.lstrip("-").isdigit():
            if not 0 <= int(word) < len(order):
                raise errors.TexjaxError(
                    f"layer index {word} does not exist; give 0 ({order[0]}) to {len(order) - 1}, or names."
                )
            word = order[int(word)]
        names.append(word)
    return names
