"""The commands `texjax transfer` and `texjax analogy`: their flags, and what they say of the config and the pictures.

Flags are those of neural-style and image-analogies where they mean the same here, beside those of `synthesize`; weights
are in the units of the config, whose docstring says which these are.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import errors
from texjax.cli import synthesize

STARTS = {
    "content": {"name": "crop", "of": "content"},  # the content is as large as the output, so this is all of it
    "random": {"name": "random_phase"},
}
# Flag -> the losses whose terms it weighs.
WEIGHTS = {
    "content_weight": ("content",),
    "style_weight": ("gram", "mean", "mrf"),
    "tv_weight": ("smoothness",),
    "analogy_weight": ("analogy",),
    "mrf_weight": ("mrf",),
    "nstyle_weight": ("gram",),
}


class Job(NamedTuple):
    """What to run: arguments of `run.synthesize`."""

    config: configs.Config
    paths: list[Path]
    others: dict[str, list[Path]]


def add_parser(commands: Any) -> None:
    """Add `transfer` and `analogy` to the subparsers of the `texjax` command."""
    parser = synthesize.made(commands, "transfer", "give a content the look of styles", default="multiscale_style")
    add = parser.add_argument
    add("content", metavar="CONTENT", help="the picture to keep")
    add("styles", nargs="*", metavar="STYLE", help="pictures, or folders of pictures, to look like")
    add("--style-weight", type=float, metavar="X", help="weight of each term that looks at the styles")
    add("--style-blend-weights", metavar="X,X", help="of several styles, one number each")
    _common(parser)
    parser = synthesize.made(
        commands, "analogy", "A is to A' as B is to the picture", default="analogies:network=compact"
    )
    add = parser.add_argument
    add("a", metavar="A", help="what A' was made of, as large as A'")
    add("a_prime", metavar="A_PRIME", help="what was made of A")
    add("content", metavar="B", help="of which the picture is made")
    add("--analogy-weight", "--analogy-w", type=float, metavar="X", help="weight of features of A' where B is like A")
    add("--mrf-weight", "--mrf-w", type=float, metavar="X", help="weight of being like patches of A'")
    add(
        "--nstyle-weight", "--nstyle-w", type=float, metavar="X", help="weight of having Gram matrices like those of A'"
    )
    _common(parser)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("--content-weight", "--b-content-w", type=float, metavar="X", help="weight of each term of the content")
    add("--tv-weight", "--tv-w", type=float, metavar="X", help="weight of smoothness, for pixels in [0, 1]")
    add("--style-scale", type=float, metavar="X", help="longer side of the sources in that of the output")
    add("--original-colors", action="store_const", const=True, help="keep the content's colors, take luminance only")
    add("--jitter", type=float, metavar="PX", help="move the picture by up to so much, and back, every 20 iterations")
    add("--color-jitter", type=float, metavar="X", help="likewise add colors, for pixels in [0, 1]")
    add("--max-size", type=int, metavar="PX", help="longer side of the output, at most; else as of the config's size")
    add("--init", metavar="START", help="random, content, or a picture to start from")


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Resolve the flags, and make pictures or print the plan."""
    synthesize.carry_out(args, *resolve(args, overrides))


def resolve(args: argparse.Namespace, overrides: Sequence[str]) -> Job:
    """The config with flags and overrides in it, and the pictures.

    Raises TexjaxError for a flag that has no meaning for this config, and for missing pictures.
    """
    from texjax import images

    if args.command == "analogy":
        paths = [Path(args.a_prime)]
        others = {"content": [Path(args.content)]}
        others["analogy"] = [Path(args.a), *paths, *others["content"]]
    else:
        if not args.styles:
            raise errors.TexjaxError("no style given; name at least one picture after the content.")
        paths, others = images.sources(args.styles), {"content": [Path(args.content)]}
    base = configs.load(args.config)
    overridden = {word.partition("=")[0] for word in overrides}
    words = {f"--config.{key}": value for key, value in _values(args, base).items()}
    if "--config.size" not in overridden:
        args.output_width, args.output_height = _size(args, base, images.load(args.content).shape)
    given = [f"{key}={value}" for key, value in words.items() if key not in overridden]
    return Job(synthesize.resolve(args, [*given, *overrides]), paths, others)


def _values(args: argparse.Namespace, base: configs.Config) -> dict[str, Any]:
    """Config keys and what the flags set them to."""
    values: dict[str, Any] = {}
    for flag, losses in WEIGHTS.items():
        if getattr(args, flag, None) is not None:
            values |= {f"terms.{name}.weight": getattr(args, flag) for name in _terms(flag, base, losses)}
    if getattr(args, "style_blend_weights", None) is not None:
        numbers = _numbers(args.style_blend_weights)
        values |= {f"terms.{name}.join_weights": numbers for name in _terms("style_blend_weights", base, ("gram",))}
    if args.style_scale is not None:
        values["source.fit"] = args.style_scale
    given = {"jitter.pixels": args.jitter, "jitter.color": args.color_jitter}
    values |= {key: value for key, value in given.items() if value is not None}
    if args.original_colors:
        values["output.original_colors"] = True
    if args.init in STARTS:
        values["init"], args.init = STARTS[args.init], None
    return values


def _terms(flag: str, base: configs.Config, losses: Sequence[str]) -> list[str]:
    """The names of the terms of these losses."""
    names = [name for name, term in base.terms.items() if term.name in losses]
    if not names:
        raise errors.TexjaxError(
            f"--{flag.replace('_', '-')} sets terms of loss {' or '.join(losses)}, and this config has none; use "
            f"another config, or leave the flag out."
        )
    return names


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise errors.TexjaxError(
            f"--style-blend-weights is '{text}'; give one number for each style, such as 3,1."
        ) from None


def _size(args: argparse.Namespace, base: configs.Config, shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the output: the content's, within the largest side; a side that is given decides."""
    from texjax.runs import inputs

    height, width = shape[:2]
    if args.max_size is not None and args.max_size < 1:
        raise errors.TexjaxError(f"--max-size is {args.max_size}; give a whole number from 1.")
    if args.output_width is not None and args.output_height is not None:
        return args.output_width, args.output_height
    if args.output_width is not None:
        return args.output_width, max(1, round(height * args.output_width / width))
    if args.output_height is not None:
        return max(1, round(width * args.output_height / height)), args.output_height
    return inputs.fitted(shape, args.max_size or max(base.size))
