"""Runs commands: settings, the composed service, errors, and the parameters that several commands share."""

from __future__ import annotations

import getpass
import logging
import os
import signal
import socket
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.exceptions import TyperException

from shop.application.context import CURRENT_TRACE, Actor, Context
from shop.cli import interruption, starting
from shop.cli.output import ExitCode, Output, Problem, defect
from shop.domain.result import Err, Ok, Result
from shop.domain.values import UserId

# Imported by what uses them: a help text, and a command line that is wrong, need none of it.
if TYPE_CHECKING:
    import asyncio

    from opentelemetry.trace import Tracer

    from shop.application.messaging.broker import BrokerUnavailable
    from shop.application.reads.guarded import GuardedReads
    from shop.bootstrap.adapters import Broker
    from shop.bootstrap.service import Shop
    from shop.bootstrap.settings import LoadedSettings, Settings

T = TypeVar("T")

_log = logging.getLogger("shop.cli")

_QUOTED = 60
_STOPPING = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Session:
    """One call of the program, with its global options."""

    output: Output
    file: Path | None
    overrides: dict[str, str]
    acting_user: UserId | None
    command: str = "shop"
    # What a command of several transactions has done so far: a problem that ends it reports that, too.
    done: Callable[[], Mapping[str, Any]] = dict
    context: Context = field(init=False)
    _loaded: LoadedSettings | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        # Who may run the program may do everything.
        self.context = Context(Actor.admin(_operator()), f"cli {socket.gethostname()}"[:100])

    def settings(self) -> LoadedSettings:
        """Load the settings and configure logging and tracing, the first time, or exit with the problem."""
        if self._loaded is not None:
            return self._loaded
        from shop.bootstrap.observability import configure_logging, configure_tracing
        from shop.bootstrap.settings import SettingsError, load_settings

        try:
            loaded = load_settings(file=self.file, overrides=self.overrides)
        except SettingsError as error:
            raise self.failed(Problem("settings", "Settings", 500, str(error), ExitCode.SETTINGS)) from error
        settings = loaded.settings
        configure_logging(settings.log_format, settings.log_level)
        configure_tracing(settings.tracing, Path(settings.trace_file), settings.trace_file_limit)
        for warning in loaded.warnings:
            _log.warning("%s", warning)
        self._loaded = loaded
        return loaded

    def run(self, work: Callable[[Shop], Awaitable[T]], *, is_traced: bool = True, waits: bool = False) -> T:
        """Run the work with the composed service, or exit with the problem.

        What it does is one trace, unless it serves others: then `is_traced` is false, and each request or message has its own. What runs
        until it is stopped `waits` for PostgreSQL at its start; SIGTERM and SIGINT end that with status 0, since there is nothing to stop.
        """
        from shop.bootstrap.observability import prepare_log_lines
        from shop.bootstrap.service import open_shop

        settings = self.settings().settings
        if not is_traced:
            # What serves others may have no file descriptor left for an import when it has something to log.
            prepare_log_lines()

        async def composed() -> T:
            CURRENT_TRACE.set(self.context.trace_id)
            # Who runs a command may do everything, and passes a cursor from one process to the next.
            async with AsyncExitStack() as stack:
                opening = stack.enter_async_context(open_shop(settings, is_trusted=is_traced, waits=waits))
                shop = await (_unless_stopped(opening) if waits else opening)
                with self._span() if is_traced else nullcontext():
                    if self.acting_user is not None:
                        actor = self.value(await shop.users.act_as(self.context, self.acting_user))
                        self.context = replace(self.context, actor=actor)
                    return await work(shop)

        return self.complete(composed)

    @contextmanager
    def _span(self) -> Generator[None]:
        """Begin the span of the command, whose trace is the one of log lines, the audit log and events."""
        with _tracer().start_as_current_span(self.command, record_exception=False, set_status_on_exception=False) as span:
            if span.is_recording():
                self.context = replace(self.context, trace_id=f"{span.get_span_context().trace_id:032x}")
                CURRENT_TRACE.set(self.context.trace_id)
            yield

    def administer(self, work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
        """Run the work of the owner of the tables, without the service, or exit with the problem."""
        settings = self.settings().settings
        return self.complete(lambda: work(settings))

    def reads(self, shop: Shop) -> GuardedReads:
        """Return the queries whose use is recorded in the audit log."""
        from shop.application.reads.guarded import GuardedReads

        return GuardedReads(shop.reads, shop.trail, self.context)

    def complete(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run the work in a new event loop, or exit with the problem. From the end of the work on, Ctrl-C is ignored."""
        import asyncio

        from shop.application.transactions.failures import CommitOutcomeUnknown
        from shop.bootstrap.administration import DatabaseNotReady, NotTheOwner

        starting.end()
        is_program = interruption.end()

        async def whole() -> T:
            try:
                return await work()
            finally:
                if is_program:
                    interruption.ignore()

        try:
            return asyncio.run(whole())
        except KeyboardInterrupt:
            raise self.failed(Problem("interrupted", "Interrupted", 503, interruption.MESSAGE, ExitCode.INTERRUPTED)) from None
        except DatabaseNotReady as error:
            raise self.failed(Problem("database-not-ready", "Database not ready", 503, str(error), ExitCode.UNAVAILABLE)) from error
        except NotTheOwner as error:
            raise self.failed(Problem("not-the-owner", "Not the owner", 403, str(error), ExitCode.REFUSED)) from error
        except CommitOutcomeUnknown as error:
            raise self.failed(Problem("outcome-unknown", "Outcome unknown", 500, str(error), ExitCode.TRY_AGAIN)) from error
        except (typer.Exit, TyperException):
            raise
        except Exception as error:
            from shop.application.transactions.failures import StoreDefect

            _log.exception("defect in the program or the schema")
            problem = defect(error)
            raise self.failed(replace(problem, detail=str(error)) if isinstance(error, StoreDefect) else problem) from error
        finally:
            # Again: a loop that handled the signal resets it when it is closed.
            if is_program:
                interruption.ignore()

    def value(self, result: Result[T, object]) -> T:
        """Return the value, or exit with the error."""
        match result:
            case Ok(value):
                return value
            case Err(error):
                from shop.cli.problems import problem_of

                raise self.failed(problem_of(error))

    def failed(self, problem: Problem) -> typer.Exit:
        """Write a problem with what was done before, and return the exception that exits with its status."""
        self.output.problem(problem, self.context.trace_id, self.done())
        return typer.Exit(problem.exit_code)


def session(context: typer.Context) -> Session:
    """Return the session of a call."""
    current: Session = context.obj
    current.command = context.command_path
    return current


async def _unless_stopped(opening: Coroutine[Any, Any, T]) -> T:
    """Wait for the service, or exit with status 0 if SIGTERM or SIGINT arrives meanwhile."""
    import asyncio

    loop, task, is_stopped = asyncio.get_running_loop(), asyncio.current_task(), False
    assert task is not None  # noqa: S101 a coroutine runs in one

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True
        task.cancel()

    for number in _STOPPING:
        loop.add_signal_handler(number, stop)
    try:
        return await opening
    except asyncio.CancelledError:
        if not is_stopped:
            raise
        raise typer.Exit from None
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


async def until_stopped(
    here: Session, shop: Shop, name: str, work: Callable[[asyncio.Event], Awaitable[int]], metrics_port: int | None
) -> int:
    """Run work until SIGTERM or SIGINT, announce its status under this name, and serve its metrics, if there is a port."""
    import asyncio

    from shop.application.messaging.status import announcing

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        if metrics_port is not None:
            try:
                here.output.note(f"metrics on port {stack.enter_context(shop.metrics.served(metrics_port))}")
            except OSError as error:
                detail = f"--metrics-port: {metrics_port} cannot be used: {error.strerror}"
                raise here.failed(Problem("settings", "Settings", 500, detail, ExitCode.SETTINGS)) from error
        if shop.broker is not None:
            await stack.enter_async_context(announcing(name, shop.broker))
            await stack.enter_async_context(preparing(here, shop.broker))
        here.output.note("running; stop with Ctrl-C")
        return await work(stop)


@asynccontextmanager
async def preparing(here: Session, broker: Broker) -> AsyncGenerator[None]:
    """Prepare the broker for a program that publishes or receives, which waits for one that does not answer.

    Exits with the problem if no waiting makes the broker usable, now or later in the block.
    """
    from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable

    try:
        try:
            await broker.prepare()
        except BrokerMisconfigured:
            raise
        except BrokerUnavailable as error:
            _log.debug("the broker is not prepared yet: %s", error)
        yield
    except BrokerMisconfigured as error:
        raise here.failed(Problem("broker-misconfigured", "Broker misconfigured", 500, str(error), ExitCode.SETTINGS)) from error


def no_broker(here: Session) -> typer.Exit:
    """Write that there is no broker, and return the exception that exits with its status."""
    return here.failed(Problem("settings", "Settings", 500, "nats_url: is not set, and events need a broker", ExitCode.SETTINGS))


def broker_of(here: Session, shop: Shop) -> Broker:
    """Return the broker. Without one, write that, and raise the exception that exits with its status."""
    if shop.broker is None:
        raise no_broker(here)
    return shop.broker


def broker_unavailable(here: Session, error: BrokerUnavailable) -> typer.Exit:
    """Write that the broker is unavailable, and return the exception that exits with its status."""
    detail = f"the broker is unavailable: {error}"
    return here.failed(Problem("broker-unavailable", "Broker unavailable", 503, detail, ExitCode.UNAVAILABLE))


def no_shared_sessions(here: Session) -> typer.Exit:
    """Write that sessions are out of reach, and return the exception that exits with its status."""
    detail = "redis_url: is not set, so sessions are in the memory of each server"
    return here.failed(Problem("settings", "Settings", 500, detail, ExitCode.SETTINGS))


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Parse `key=value`. Raises `typer.BadParameter`."""
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{shortened(pair)} is not of the form key=value")
        values[key.strip()] = value
    return values


def parse_uuid(text: str) -> uuid.UUID:
    """Parse an id. Raises `typer.BadParameter`."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{shortened(text)} is not an id") from None


def shortened(text: str) -> str:
    """Return the beginning of an argument, for a message."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


UserArgument = Annotated[uuid.UUID, typer.Argument(parser=parse_uuid, metavar="USER", help="Id of the user.")]
MetricsPortOption = Annotated[
    int | None,
    typer.Option("--metrics-port", min=0, max=65535, help="Serve metrics over HTTP on this port of all addresses; 0: any free one."),
]
SizeOption = Annotated[int, typer.Option("--size", min=1, max=1000, help="Items per page.")]
CursorOption = Annotated[str | None, typer.Option("--cursor", help="Cursor of a page, as the page before or after it shows it.")]


def in_utc(moment: datetime | None) -> datetime | None:
    """Return a time of the command line, which is in UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def _tracer() -> Tracer:
    from opentelemetry import trace

    return trace.get_tracer("shop.cli")


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user that its system does not know.
        return f"uid {os.getuid()}"
