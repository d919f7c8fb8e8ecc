"""The start of the program, from the first import on: what makes it faster is undone before the work of a command."""

from __future__ import annotations

import gc
import os


def begin() -> None:
    """Leave the imports to come alone."""
    # To look for garbage among what they make takes a fifth of the start, and there is none.
    gc.disable()


def find_no_plugins() -> None:
    """Let pydantic find no plugins, unless the environment says which: it would read the metadata of all that is installed."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def end() -> None:
    """Collect garbage from now on, if this is the program. What was imported stays, and is not looked at again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


begin()
