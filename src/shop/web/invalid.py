"""The invalid parts of a request, as they are shown: a bounded number of them, each of a bounded length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from shop.web.problems import MAX_ERRORS, MAX_REASON, InvalidPart, Problem, Refused

__all__ = ["MAX_ERRORS", "invalid_request"]

# Longer than any name of the description. `~` and `/` are two characters of a pointer each.
_MAX_NAME: Final = 100


def invalid_request(found: Iterable[tuple[Sequence[str | int], str]]) -> Refused:
    """Return the refusal of a request, for the places of its invalid parts with the reasons. At most `MAX_ERRORS` of them are shown."""
    parts = [_part(place, reason) for place, reason in islice(found, MAX_ERRORS + 1)]
    detail = "the request does not match its description"
    if len(parts) > MAX_ERRORS:
        detail = f"{detail}; these are {MAX_ERRORS} of its invalid parts"
    return Refused(Problem.INVALID_REQUEST, detail, errors=parts[:MAX_ERRORS])


def _part(place: Sequence[str | int], reason: str) -> InvalidPart:
    for depth, step in enumerate(place):
        if isinstance(step, str) and len(step) > _MAX_NAME:
            # The place is that of the object which has it.
            place, reason = place[:depth], f"{reason}: a name of {len(step)} characters"
            break
    return InvalidPart(at=_pointer(place), reason=reason[:MAX_REASON])


def _pointer(steps: Iterable[str | int]) -> str:
    # RFC 6901, 3. A lone surrogate is no text of a response.
    shown = (str(step).encode(errors="backslashreplace").decode() for step in steps)
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in shown)
