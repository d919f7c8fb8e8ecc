"""The keys of cursors, as a setting: text that nobody can guess, separated by commas or white space."""

from __future__ import annotations

import re
from typing import Final

_SHORTEST: Final = 32


def cursor_keys(text: str) -> list[bytes]:
    """Return the keys; the first one signs. Raises ValueError, which quotes no key."""
    keys = [key for key in re.split(r"[,\s]+", text) if key]
    short = [str(number) for number, key in enumerate(keys, start=1) if len(key) < _SHORTEST]
    if short:
        which = f"key {short[0]} is" if len(short) == 1 else f"keys {', '.join(short)} are"
        raise ValueError(f"{which} shorter than {_SHORTEST} characters; openssl rand -hex 32 makes one")
    return [key.encode() for key in keys]


def shown_cursor_keys(text: str) -> str:
    """Return how many keys there are."""
    return f"{len(keys)} of them" if (keys := cursor_keys(text)) else ""
