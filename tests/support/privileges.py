"""Run as an ordinary user, for tests of permissions in a session of root's, to whom they do not apply."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Generator
from contextlib import contextmanager

# From linux/capability.h: version 3 of the structures, and the capabilities that disregard permissions of files, and their owners.
_VERSION = 0x20080522
PERMISSIONS = 1 << 1 | 1 << 2
OWNERS = 1 << 3


@contextmanager
def respecting(what: int) -> Generator[None]:
    """Let `PERMISSIONS` or `OWNERS` of files apply to this thread during the block."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    # Effective, permitted and inheritable capabilities, of which the low words come first.
    words = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, words) == 0
    before = words[0]
    words[0] = before & ~what
    assert libc.capset(header, words) == 0
    try:
        yield
    finally:
        words[0] = before
        assert libc.capset(header, words) == 0
