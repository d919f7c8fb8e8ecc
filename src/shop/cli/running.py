"""How a command runs: settings, the composed service, and what becomes of an error."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.exceptions import TyperException

from shop.application.context import CURRENT_TRACE, Actor, Context
from shop.application.unit_of_work import StoreDefect
from shop.bootstrap import DatabaseNotReady, LoadedSettings, SettingsError, Shop, configure_logging, load_settings, open_shop
from shop.cli.output import ExitCode, Output, Problem
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

T = TypeVar("T")

_log = logging.getLogger("shop.cli")

_QUOTED = 60


@dataclass
class Session:
    """One call of the program: what its global options say."""

    output: Output
    file: Path | None
    overrides: dict[str, str]
    acting_user: UserId | None
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        actor = Actor.admin(_operator()) if self.acting_user is None else Actor.user(self.acting_user)
        self.context = Context(actor, "cli")

    def settings(self) -> LoadedSettings:
        """Load the settings and set logging up, or end with what is wrong."""
        try:
            loaded = load_settings(file=self.file, overrides=self.overrides)
        except SettingsError as error:
            raise self.failed(Problem("settings", "Settings", 500, str(error), ExitCode.SETTINGS)) from error
        configure_logging(loaded.settings.log_format, loaded.settings.log_level)
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        return loaded

    def run(self, work: Callable[[Shop], Awaitable[T]]) -> T:
        """Compose the service, do the work, and take it down again; or end with what is wrong."""
        settings = self.settings().settings

        async def composed() -> T:
            CURRENT_TRACE.set(self.context.trace_id)
            async with open_shop(settings) as shop:
                return await work(shop)

        return self.complete(composed())

    def complete(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end on a loop of its own; or end with what is wrong."""
        try:
            return asyncio.run(work)
        except KeyboardInterrupt:
            detail = "stopped by Ctrl-C; what was committed before is kept"
            raise self.failed(Problem("interrupted", "Interrupted", 503, detail, ExitCode.INTERRUPTED)) from None
        except DatabaseNotReady as error:
            raise self.failed(Problem("database-not-ready", "Database not ready", 503, str(error), ExitCode.UNAVAILABLE)) from error
        except (typer.Exit, TyperException):
            raise
        except Exception as error:
            _log.exception("the program or the schema is wrong")
            # Of another exception the text is not shown: it may quote what no one is to see.
            detail = (
                str(error) if isinstance(error, StoreDefect) else f"{type(error).__name__}: a mistake in the program; the log says where"
            )
            raise self.failed(Problem("defect", "Defect", 500, detail, ExitCode.DEFECT)) from error

    def value(self, result: Result[T, object]) -> T:
        """Give the value, or end with the error."""
        match result:
            case Ok(value):
                return value
            case Err(error):
                raise self.failed(Problem.of(error))

    def failed(self, problem: Problem) -> typer.Exit:
        """Write a problem, and give the exception that ends the program with it."""
        self.output.problem(problem, self.context.trace_id)
        return typer.Exit(problem.exit_code)


def session(context: typer.Context) -> Session:
    """Give the session of a command's call."""
    found: Session = context.obj
    return found


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Read `key=value`. Raises `typer.BadParameter`."""
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{shortened(pair)} is not of the form key=value")
        values[key.strip()] = value
    return values


def parse_uuid(text: str) -> uuid.UUID:
    """Read an id. Raises `typer.BadParameter`."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not an id") from None


def shortened(text: str) -> str:
    """Return the beginning of what was typed, for a message."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user that its system does not know.
        return f"uid {os.getuid()}"
