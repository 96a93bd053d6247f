"""Errors a user can cause or must know of: one sentence that says what was got, what is possible, what to do."""

import difflib
from collections.abc import Iterable


class TexjaxError(Exception):
    """What the user gave cannot be used; the command ends with exit code 2."""

    exit_code = 2


class EnvironmentFault(TexjaxError):
    """What surrounds the program failed (disk, network, rights); the command ends with exit code 1."""

    exit_code = 1


def unknown(what: str, got: object, known: Iterable[str]) -> TexjaxError:
    """An error for a name that is none of `known`, suggesting the nearest right one.

    >>> str(unknown("layer", "conv3-2", ["conv3_1", "conv3_2"]))
    "unknown layer 'conv3-2'; did you mean 'conv3_2'? Known: conv3_1, conv3_2."
    """
    known = list(known)
    near = difflib.get_close_matches(str(got), known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else ""
    # A long list would bury the hint.
    listed = f"Known: {', '.join(known)}." if not near or len(known) <= 24 else ""
    return TexjaxError(f"unknown {what} '{got}'; {' '.join(filter(None, (hint, listed)))}")
