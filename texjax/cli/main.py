"""The `texjax` command.

Every module beside this one is a command, or a few that belong together. It has `add_parser(commands)`, which adds its
parser with the defaults `run`, the function of the parsed flags that carries the command out, and `overridable`,
whether that function also takes the words that override keys of a config.

Errors are one sentence on standard error: exit code 2 for what the user gave, 1 for what surrounds the program, 130
after Ctrl-C, 143 after SIGTERM and 129 after SIGHUP (the result so far is written). Warnings are one sentence there
too, each of them once. JAX is imported only once there is something to compute.
"""

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import texjax
from texjax import errors, interrupts
from texjax.cli import (
    devices,
    export,
    generate,
    measure,
    plan,
    report,
    resume,
    stylize,
    sweep,
    synthesize,
    train,
    transfer,
    weights,
)

CACHE_FAULT = (
    "the cache of compiled programs cannot be used, so that they are compiled anew; remove or mend its folder, which "
    "TEXJAX_COMPILATION_CACHE names, or else lies in the user's cache folder."
)
COMMANDS = (
    synthesize,
    transfer,
    train,
    generate,
    stylize,
    export,
    resume,
    plan,
    sweep,
    report,
    measure,
    weights,
    devices,
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `TexjaxError`s."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise errors.TexjaxError(f"{message[:1].lower()}{message[1:]}; see {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    try:
        with warnings.catch_warnings(), interrupts.handled():
            _show_warnings_as_sentences()
            _run(list(sys.argv[1:] if argv is None else argv))
            sys.stdout.flush()
        code = 0
    except errors.TexjaxError as error:
        print(f"texjax: {error}", file=sys.stderr)
        code = error.exit_code
    except interrupts.Interrupted as signal:
        code = signal.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        _drop_output()
        code = 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print(f"texjax: cannot write the output ({error.strerror}); free some space.", file=sys.stderr)
        code = 1
    sys.exit(code)


def _drop_output() -> None:
    """Send what Python still flushes at its end nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warnings_as_sentences() -> None:
    """Print each `TexjaxWarning` as a sentence, once, instead of with the line of code that gave it."""
    show, shown = warnings.showwarning, set()

    def print_once(message: Warning | str, category: type[Warning], *where: Any) -> None:
        text = CACHE_FAULT if "persistent compilation cache" in str(message) else str(message)
        if text != CACHE_FAULT and not issubclass(category, errors.TexjaxWarning):
            show(message, category, *where)
        elif text not in shown:
            shown.add(text)
            print(f"texjax: {text}", file=sys.stderr)

    warnings.showwarning = print_once


def _run(words: list[str]) -> None:
    flags, overrides = _split(words)
    args = _parser().parse_args(flags)
    if args.overridable:
        args.run(args, overrides)
    elif overrides:
        raise errors.TexjaxError(f"texjax {args.command} reads no config, and got {overrides[0]}; leave it out.")
    else:
        args.run(args)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words for the parser, and those that override config keys ("--config.key=value" or "--config.key value")."""
    flags, overrides, value_follows = [], [], False
    for word in words:
        if word.startswith("--config."):
            overrides.append(word)
            value_follows = "=" not in word
        elif value_follows:
            overrides.append(word)
            value_follows = False
        else:
            flags.append(word)
    return flags, overrides


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="texjax", description="Neural texture synthesis: new pictures with the look of given ones.")
    parser.add_argument("--version", action="version", version=f"texjax {texjax.__version__}")
    parser.set_defaults(overridable=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
