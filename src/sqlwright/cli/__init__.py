"""The command line: the only part of sqlwright that prints."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from sqlwright.project.garbage import never_collected

__all__ = ["app"]


def app(prog_name: str | None = None) -> None:
    """Run the program."""
    # Before a command begins there is nothing to clean up, and Ctrl-C during an import would show a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        try:
            with never_collected():
                _run(prog_name)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        # The disk is full, or the reader has gone: Python would try again at exit and show a traceback.
        with open(os.devnull, "wb") as nowhere, suppress(OSError):  # noqa: PTH123 - a path of Python's own
            os.dup2(nowhere.fileno(), 1)
        if not isinstance(error, BrokenPipeError):
            with suppress(OSError):
                sys.stderr.write(f"error: cannot write the output: {error.strerror}\n")
        raise SystemExit(1) from None


def _run(prog_name: str | None) -> None:
    from sqlwright.cli.application import app as program

    program(prog_name=prog_name)
