"""The `texjax` command.

Errors are one sentence on standard error: exit code 2 for what the user gave, 1 for what surrounds the program, 130
after Ctrl-C (the result so far is written). JAX is imported only once there is something to compute.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from texjax import errors, flags, measure_command, report_command, sweep_command, transfer_command, weights


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
    elif args.command == "sweep":
        sweep_command.run(args, overrides)
    elif args.command == "report":
        report_command.run(args)
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
    flags.add_parser(commands)
    transfer_command.add_parsers(commands)
    sweep_command.add_parser(commands)
    report_command.add_parser(commands)
    measure_command.add_parser(commands)
    weights.add_parser(commands)
    return parser


def _job(args: argparse.Namespace, overrides: Sequence[str]) -> transfer_command.Job:
    """The config and the pictures that were named."""
    if args.command != "synthesize":
        return transfer_command.resolve(args, overrides)
    from texjax import images

    config = flags.resolve(args, overrides)
    given = [*args.sources, *args.source]
    if not given:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures.")
    return transfer_command.Job(config, images.sources(given), {})


def synthesize(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """`texjax synthesize`, `transfer`, `analogy`: resolve, run or plan, and say where the pictures are."""
    config, paths, others = _job(args, overrides)

    from texjax import assembly, display, plan, programs, records, run, schedule

    programs.keep()
    with programs.device_errors():
        if args.dry_run:
            display.show_plan(plan.plan(config, paths, others))
            return

        def directory(parts: assembly.Parts) -> Path:
            if args.run_dir is not None:
                return records.exact(args.run_dir)
            return records.fresh(args.output_dir, records.name(args.output_prefix, parts.layers, config))

        with display.progress(schedule.total(config)) as watch:
            result = run.synthesize(config, paths, directory, watch, others)
    display.show_result(result)
    if result.status == "interrupted":
        raise KeyboardInterrupt


def measure(args: argparse.Namespace) -> None:
    """`texjax measure`: compare, and say what had to be left out."""
    layers = flags.layers(args.layers)
    from texjax import display, measures, programs

    programs.keep()
    with programs.device_errors():
        values, notes = measure_command.measure(args, layers)
    display.show_measures(values, measures.MEANINGS, args.json)
    for note in notes:
        print(f"texjax: {note}", file=sys.stderr)
