"""The standard streams of the program: a write never fails, and the first failure is kept until the exit status is decided."""

from __future__ import annotations

import errno
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO

# No terminal is 10,000 columns wide.
_WIDTH_DIGITS = 4


class _Unfailing(FileIO):
    """A file that loses what cannot be written. `failure` is the first one."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, and return the number of bytes."""
        try:
            written: int | None = super().write(data)
            if written is None:
                # A buffer would raise the same without the failure being kept.
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        except OSError as error:
            self.failure = self.failure or error
            return memoryview(data).nbytes
        return written


def prepare() -> None:
    """Open the streams that are missing, and make writes to stdout and stderr unfailing, unless a caller has replaced the stream."""
    # A missing one would be the first socket that is opened. Writes to stdout must still fail: its reader would miss them.
    for descriptor, flags in ((0, os.O_RDWR), (1, os.O_RDONLY), (2, os.O_RDWR)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)
    # They are None if they were closed.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _unfailing(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _unfailing(2, sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Where the terminal cannot encode a character, write it escaped.
            stream.reconfigure(errors="backslashreplace")
    # Rich would fit its lines to any width: to one of 0 by printing nothing, to a huge one in as much memory.
    width = os.environ.get("COLUMNS", "")
    if not (width.isascii() and width.isdigit() and width.strip("0") and len(width) <= _WIDTH_DIGITS):
        os.environ.pop("COLUMNS", None)


def flushed() -> OSError | None:
    """Flush stdout, and return the first failure of all that was written to it."""
    sys.stdout.flush()
    match sys.stdout:
        case TextIOWrapper(buffer=BufferedWriter(raw=_Unfailing(failure=failure))):
            return failure
        case _:
            return None


def _unfailing(descriptor: int, stream: TextIO | None) -> TextIOWrapper:
    encoding = getattr(stream, "encoding", "utf-8")
    is_by_lines = descriptor == 2 or os.isatty(descriptor)  # noqa: PLR2004 stderr
    return TextIOWrapper(BufferedWriter(_Unfailing(descriptor, "w", closefd=False)), encoding, line_buffering=is_by_lines)
