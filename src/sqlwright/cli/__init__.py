"""The command line: the only part of sqlwright that prints."""

from __future__ import annotations

import signal
import sys

from sqlwright.project.garbage import never_collected

__all__ = ["app"]


def app(prog_name: str | None = None) -> None:
    """Run the program."""
    # Before a command begins there is nothing to clean up, and Ctrl-C during an import would show a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sqlwright.cli import streams

    streams.prepare()
    status: str | int | None = None
    try:
        with never_collected():
            _run(prog_name)
    except SystemExit as ended:
        status = ended.code
    sys.exit(streams.exit_status(status))


def _run(prog_name: str | None) -> None:
    from sqlwright.cli.application import app as program

    program(prog_name=prog_name)
