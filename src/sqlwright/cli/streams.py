"""The standard streams of the program: a write never fails, and the first failure is kept until the exit status is decided."""

from __future__ import annotations

import errno
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, TextIO

# EX_IOERR of sysexits.h: it says nothing about the input.
OUTPUT_LOST = 74
# What a shell says of a program that SIGPIPE has ended, as it ends most programs.
_NO_READER = 141
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
    # A missing one would be the first file or socket that is opened, also by other programs. Writes to stdout must still fail.
    for descriptor, flags in ((0, os.O_RDWR), (1, os.O_RDONLY), (2, os.O_RDWR)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)
    # They are None if they were closed.
    if sys.stdout is sys.__stdout__:
        sys.stdout = _unfailing(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _unfailing(2, sys.stderr)
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


def exit_status(status: str | int | None) -> str | int | None:
    """Return the program's exit status. Say if its output is lost; the status does, unless it is already that of an error."""
    failure = flushed()
    if failure is None:
        return status
    if isinstance(failure, BrokenPipeError):
        # Whoever reads has seen enough.
        return status or _NO_READER
    sys.stderr.write(f"error: cannot write the output: {failure.strerror}\n")
    return status or OUTPUT_LOST


def _unfailing(descriptor: int, stream: TextIO | None) -> TextIOWrapper:
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "backslashreplace")
    is_by_lines = descriptor == 2 or os.isatty(descriptor)  # noqa: PLR2004 - stderr
    return TextIOWrapper(BufferedWriter(_Unfailing(descriptor, "w", closefd=False)), encoding, errors, line_buffering=is_by_lines)
