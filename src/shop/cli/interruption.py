"""Ctrl-C before the work of a command, from the first import on (there is nothing to undo), and after it (there is nothing to stop)."""

from __future__ import annotations

import os
import signal
import sys
import threading

MESSAGE = "stopped by Ctrl-C; what was already committed is kept"
STATUS = 130


def begin() -> None:
    """Exit at once at Ctrl-C, unless it is ignored, and at a pipe without a reader, from now on."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def end() -> bool:
    """Raise exceptions for both, as Python does by default. Return whether this is the program, and Ctrl-C is not ignored."""
    is_ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _stop
    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return is_ours


def ignore() -> None:
    """Ignore Ctrl-C from now on: the work is over, and only its outcome remains to be written."""
    # Not by a function: Python resets signals with one before it ends, and Ctrl-C would kill it then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stop(*_: object) -> None:
    # The file descriptors, since a stream may be in use, or missing.
    if "--json" in sys.argv:
        # Modules that Python has not imported for itself would be a while in which Ctrl-C is an error.
        import json

        _write(1, json.dumps({"type": "urn:shop:problem:interrupted", "title": "Interrupted", "status": 503, "detail": MESSAGE}))
    else:
        _write(2, f"shop: {MESSAGE}")
    os._exit(STATUS)


def _write(descriptor: int, line: str) -> None:
    try:
        os.write(descriptor, f"{line}\n".encode())
    except OSError:
        return


begin()
