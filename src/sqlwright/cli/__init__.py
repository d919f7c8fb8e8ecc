"""The command line: the only part of sqlwright that prints."""

from __future__ import annotations

import signal

__all__ = ["app"]


def app(prog_name: str | None = None) -> None:
    """Run the program."""
    # Until a command has begun there is nothing to clear up, and Ctrl-C in the middle of an import would show a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sqlwright.cli.application import app as program

    program(prog_name=prog_name)
