"""Reading of small files that settings name: never without an end, and never without a limit."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_MOST: Final = 65_536
# Seconds for who writes into a pipe, such as a program that fetches a secret.
_WRITTEN_WITHIN: Final = 10.0


def read_small_file(path: Path, *, is_regular: bool = False) -> bytes:
    """Return the content of a file of 64 KiB at most, or of a pipe, unless it has to be a regular file.

    Raises:
        OSError: it cannot be read, is larger, is not a regular file, or has not ended within ten seconds, as a pipe without a writer.
    """
    # Without waiting: a FIFO could not even be opened without a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if is_regular and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + _WRITTEN_WITHIN
    content = b""
    while len(content) <= _MOST:
        if not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise OSError(errno.ETIMEDOUT, f"it has not ended within {_WRITTEN_WITHIN:g} s")
        with suppress(BlockingIOError):
            chunk = os.read(descriptor, _MOST + 1 - len(content))
            if not chunk:
                return content
            content += chunk
    raise OSError(errno.EFBIG, f"it is larger than {_MOST // 1024} KiB")
