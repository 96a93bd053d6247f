"""The commands `texjax transfer` and `texjax analogy`.

Their flags are those of neural-style and image-analogies where these mean the same here, beside those of `synthesize`.
Weights are in the units of the config, whose docstring says which these are.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from texjax import config as configs
from texjax import errors, validate
from texjax.cli import synthesize

STARTS = {
    "content": {"name": "crop", "group": "content"},  # the content is as large as the output, so the crop is all of it
    "random": {"name": "random_phase"},
}


def _with(setting: str) -> Callable[[configs.Config], list[str]]:
    """The terms that compare with the sources, and whose loss has that setting."""
    return lambda config: [name for name, t in config.terms.items() if setting in t and t.group == "sources"]


def _of_group(group: str) -> Callable[[configs.Config], list[str]]:
    """The terms that compare with that group of pictures."""
    return lambda config: [name for name, term in config.terms.items() if term.group == group]


# Flag -> a description of the terms whose weight it sets, and the function that finds them in a config.
WEIGHTS = {
    "content_weight": ("terms that compare with the content", _of_group("content")),
    "style_weight": ("terms that compare features with the styles", synthesize.feature_terms),
    "tv_weight": ("smoothness terms", _with("form")),
    "analogy_weight": ("terms that compare with the analogy", _of_group("analogy")),
    "mrf_weight": ("terms of patches", _with("patch")),
    "nstyle_weight": ("terms of Gram matrices", _with("join")),
}


def add_parser(commands: Any) -> None:
    """Add `transfer` and `analogy` to the subparsers of the `texjax` command."""
    parser = synthesize.picture_parser(commands, "transfer", "give a content the look of styles", "multiscale_style")
    parser.set_defaults(job=transfer_job)
    add = parser.add_argument
    add("content", metavar="CONTENT", help="the picture to keep")
    add("styles", nargs="*", metavar="STYLE", help="pictures, or folders of pictures, to look like")
    add("--style-weight", type=float, metavar="X", help="weight of each term that compares with the styles")
    add("--style-blend-weights", metavar="X,X", help="one number for each of several styles")
    _add_common_flags(parser)
    parser = synthesize.picture_parser(
        commands, "analogy", "make a picture that is to B as A' is to A", "analogies:network=compact"
    )
    parser.set_defaults(job=analogy_job)
    add = parser.add_argument
    add("a", metavar="A", help="the picture that A' was made of, as large as A'")
    add("a_prime", metavar="A_PRIME", help="the picture that was made of A")
    add("content", metavar="B", help="the picture to treat in the same way")
    add("--analogy-weight", "--analogy-w", type=float, metavar="X", help="weight of features of A' where B is like A")
    add("--mrf-weight", "--mrf-w", type=float, metavar="X", help="weight of being like patches of A'")
    add(
        "--nstyle-weight", "--nstyle-w", type=float, metavar="X", help="weight of having Gram matrices like those of A'"
    )
    _add_common_flags(parser)


def _add_common_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help=synthesize.DRY_RUN)
    add = parser.add_argument
    add("--content-weight", "--b-content-w", type=float, metavar="X", help="weight of each term of the content")
    add("--tv-weight", "--tv-w", type=float, metavar="X", help="weight of smoothness, for pixels in [0, 1]")
    add("--style-scale", type=float, metavar="X", help="longer side of the sources, as a multiple of the output's")
    add("--original-colors", action="store_const", const=True, help="keep the content's colors, take luminance only")
    add("--jitter", type=float, metavar="PX", help="move the picture by up to PX, and back, every 20 iterations")
    add("--color-jitter", type=float, metavar="X", help="likewise add colors of up to X, for pixels in [0, 1]")
    add("--max-size", type=int, metavar="PX", help="longer side of the output, at most (the config's longer side)")
    add("--init", metavar="START", help="random, content, or a picture to start from")


def transfer_job(args: argparse.Namespace, overrides: Sequence[str]) -> synthesize.Job:
    """Return the config and the pictures of `texjax transfer`. Raises as `synthesize.resolve` does."""
    from texjax import images

    if not args.styles:
        raise errors.TexjaxError("no style given; name at least one picture after the content.")
    return _job(args, overrides, {"sources": images.sources(args.styles), "content": [Path(args.content)]})


def analogy_job(args: argparse.Namespace, overrides: Sequence[str]) -> synthesize.Job:
    """Return the config and the pictures of `texjax analogy`. Raises as `synthesize.resolve` does."""
    a, a_prime, b = Path(args.a), Path(args.a_prime), Path(args.content)
    return _job(args, overrides, {"sources": [a_prime], "content": [b], "analogy": [a, a_prime, b]})


def _job(args: argparse.Namespace, overrides: Sequence[str], pictures: dict[str, list[Path]]) -> synthesize.Job:
    from texjax import images

    base = configs.load(args.config)
    overridden = {word.partition("=")[0] for word in overrides}
    values = {f"--config.{key}": value for key, value in _values(args, base).items()}
    flags = [f"{key}={value}" for key, value in values.items() if key not in overridden]
    config = synthesize.resolve(args, [*flags, *overrides], base)
    if "--config.size" not in overridden:
        size = _size(args, base, images.shape(args.content, config.source.max_pixels))
        config = configs.overridden(config, {"size": size})
    return synthesize.Job(config, pictures)


def _values(args: argparse.Namespace, base: configs.Config) -> dict[str, Any]:
    """Config keys and the values that the flags set."""
    values: dict[str, Any] = {}
    for flag, (what, find) in WEIGHTS.items():
        if getattr(args, flag, None) is not None:
            names = synthesize.require(flag, what, find(base))
            values |= {f"terms.{name}.weight": getattr(args, flag) for name in names}
    if getattr(args, "style_blend_weights", None) is not None:
        weights = numbers("--style-blend-weights", args.style_blend_weights, "style")
        names = synthesize.require("style_blend_weights", "terms of Gram matrices", _with("join_weights")(base))
        values |= {f"terms.{name}.join_weights": weights for name in names}
    flags = {"source.fit": args.style_scale, "jitter.pixels": args.jitter, "jitter.color": args.color_jitter}
    values |= {key: value for key, value in flags.items() if value is not None}
    if args.original_colors:
        values["output.original_colors"] = True
    if args.init in STARTS:
        values["init"], args.init = STARTS[args.init], None
    return values


def numbers(flag: str, text: str, each: str) -> tuple[float, ...]:
    """Return the numbers that a flag lists, one for each of something. Raises TexjaxError for other text."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise errors.TexjaxError(f"{flag} is '{text}'; give one number for each {each}, such as 3,1.") from None


def _size(args: argparse.Namespace, base: configs.Config, shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the output: the content's, at most as large as allowed; a side that is given decides."""
    from texjax.runs import inputs

    height, width = shape[:2]
    if args.max_size is not None:
        validate.whole("--max-size", args.max_size, 1)
    if args.output_width is not None and args.output_height is not None:
        return args.output_width, args.output_height
    if args.output_width is not None:
        return args.output_width, max(1, round(height * args.output_width / width))
    if args.output_height is not None:
        return max(1, round(width * args.output_height / height)), args.output_height
    return inputs.output_size(shape, args.max_size or max(base.size))
