"""Errors and warnings for users, one sentence each: what was given, what is possible and what to do."""

import difflib
from collections.abc import Iterable


class TexjaxError(Exception):
    """The input cannot be used; the command ends with exit code 2."""

    exit_code = 2


class EnvironmentFault(TexjaxError):
    """Disk, network or permissions failed; the command ends with exit code 1."""

    exit_code = 1


class TexjaxWarning(UserWarning):
    """The input can be used, but not all of it, or not as it stands; the message is one sentence."""


def unknown(what: str, got: object, known: Iterable[str]) -> TexjaxError:
    """Return the error for a name that is not among the known ones; it suggests the most similar of these.

    >>> str(unknown("layer", "conv3-2", ["conv3_1", "conv3_2"]))
    "unknown layer 'conv3-2'; did you mean 'conv3_2'? Known: conv3_1, conv3_2."

    Args:
        what: What the name stands for, such as "layer".
        got: The name that was given.
        known: All valid names.
    """
    known = list(known)
    similar = difflib.get_close_matches(str(got), known, n=1, cutoff=0.5)
    suggestion = f"did you mean '{similar[0]}'?" if similar else ""
    # A long list after the suggestion would hide it.
    listed = f"Known: {', '.join(known)}." if not similar or len(known) <= 24 else ""
    return TexjaxError(f"unknown {what} '{got}'; {' '.join(filter(None, (suggestion, listed)))}")
