"""SIGINT, SIGTERM and SIGHUP: the run ends cleanly, with the exit code that shells expect, and never between two writes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """The program was asked to stop. As a KeyboardInterrupt, it makes psycopg cancel the query that runs."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


@contextmanager
def interruptible() -> Generator[None]:
    """Raise `Interrupted` inside the block when a signal asks the program to stop; a second signal has its default effect."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise Interrupted(number)

    before = _handlers()
    for each, handler in before.items():
        # Under nohup, SIGHUP is ignored and stays ignored.
        if handler is not signal.SIG_IGN:
            signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def uninterrupted() -> Generator[None]:
    """Defer signals until the end of the block. Handlers are replaced, since a mask would apply to one thread only."""
    held: list[int] = []
    before = _handlers()
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in held[:1]:
            signal.raise_signal(number)


def _handlers() -> dict[signal.Signals, Any]:
    # Python runs handlers in the main thread, and only that may set them.
    return {each: signal.getsignal(each) for each in _SIGNALS} if threading.current_thread() is threading.main_thread() else {}
