"""Random interleavings of calls without a cursor, cursors and interruptions.

They never leave a connection out of step, and never return another call's rows.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import signal
from abc import abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg import errors, waiting
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextBinaryLoader

from .commands_project import Load

IDLE, INTRANS, INERROR = TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR

ECHO = "SELECT $1::int8, $2::text"
PLACES = "SELECT $1::int8 + 1, $2::text, now(), pg_backend_pid()"
SERIES = "SELECT n, $2::text FROM generate_series(1::int8, $1::int8) AS n"
DIVIDE = "SELECT 1 / ($1::int8 - $1::int8)"
SLEEP = "SELECT $1::int8, pg_sleep(0.01)::text"
INSERT = "INSERT INTO inserted SELECT $1::int8 FROM generate_series(1, $2::int4)"
SHAPE = "SELECT extra FROM shaped WHERE n = $1::int8"
EPOCH = "SELECT 'epoch'::timestamptz, $1::int8"

SCHEMA = """
DROP TABLE IF EXISTS inserted, shaped;
CREATE TABLE inserted (n int8);
CREATE TABLE shaped (n int8, extra int4);
INSERT INTO shaped VALUES (1, 7);
"""

KINDS = st.sampled_from(["direct", "direct", "direct", "cursor"])
TEXTS = st.sampled_from(["", "a", "é" * 40, "x" * 9_000, "y" * 200_000])


class InterruptedCall(Exception):
    """The call was interrupted by its task or by a signal."""


class Machine(RuleBasedStateMachine):
    """One connection, what is known of it, and an administrator's connection."""

    url: ClassVar[str]
    direct: ClassVar[Any]
    sent_rows: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.conn: Any = None
        self.admin = psycopg.connect(self.url, autocommit=True)
        self.admin.execute("SET lock_timeout = '50ms'")
        self.admin.execute(SCHEMA)
        self.tokens = itertools.count(10**12)
        self.integer = True
        self.killed = False
        # psycopg does not know that the server has dropped its statements.
        self.stale = False

    @initialize(autocommit=st.booleans(), threshold=st.sampled_from([0, 1, 5]), maximum=st.sampled_from([2, 100]))
    def open(self, *, autocommit: bool, threshold: int, maximum: int) -> None:
        self.autocommit, self.threshold, self.maximum = autocommit, threshold, maximum
        self.conn = self.connect()
        self.conn.prepare_threshold, self.conn.prepared_max = threshold, maximum
        self.killed = self.stale = False

    def reopen(self) -> None:
        self.close()
        self.open(autocommit=self.autocommit, threshold=self.threshold, maximum=self.maximum)

    def teardown(self) -> None:
        if self.conn is not None:
            self.close()
        self.admin.close()

    @abstractmethod
    def connect(self) -> Any: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def finish(self, how: str) -> None:
        """Commit or roll back."""

    @abstractmethod
    def call(self, kind: str, query: LiteralString | bytes, *params: object) -> Any:
        """Execute without a cursor, or with one, and return the rows, or their number."""

    @abstractmethod
    def interrupt(self, after: float, kind: str, query: LiteralString, *params: object) -> Any:
        """Call, and interrupt it after so many seconds."""

    @property
    def status(self) -> int:
        return int(self.conn.pgconn.transaction_status)

    @contextmanager
    def batches_that_fail(self, is_batch: bool) -> Generator[None]:
        """Remember that psycopg takes a statement for prepared where a batch with a cursor failed before it was."""
        try:
            yield
        except (psycopg.Error, InterruptedCall):
            self.stale = self.stale or is_batch
            raise

    def expect(self, kind: str, query: LiteralString, params: tuple[object, ...], wanted: Callable[[Any], object]) -> None:
        """Call, and raise unless the result is the wanted one, or an error that the connection's state explains."""
        before = self.status
        try:
            with self.batches_that_fail("batch" in kind):
                found = self.call(kind, query, *params)
        except errors.LockNotAvailable:
            return
        except (errors.OperationalError, errors.InterfaceError):
            assert self.killed or self.conn.closed
            self.reopen()
        except errors.InFailedSqlTransaction:
            assert before == INERROR
        except errors.InvalidSqlStatementName:
            assert self.stale
            # A large batch takes a cursor.
            assert before != IDLE or "cursor" in kind or "batch" in kind
        except errors.FeatureNotSupported:
            assert before != IDLE or "cursor" in kind
        else:
            assert before in {IDLE, INTRANS}
            assert not self.killed
            assert wanted(found)
            assert self.status == (before if before != IDLE or self.autocommit else INTRANS)

    @rule(kind=KINDS, text=TEXTS)
    def echo(self, kind: str, text: str) -> None:
        token = next(self.tokens)
        self.expect(kind, ECHO, (token, text), lambda found: found == [(token, text)])

    @rule(kind=KINDS, text=st.none() | TEXTS)
    def places(self, kind: str, text: str | None) -> None:
        token = next(self.tokens)
        self.expect(kind, PLACES, (token, text), lambda found: [row[:2] for row in found] == [(token + 1, text)])

    @rule(kind=KINDS, count=st.integers(0, 3_000))
    def series(self, kind: str, count: int) -> None:
        self.expect(kind, SERIES, (count, "z"), lambda found: found == [(n + 1, "z") for n in range(count)])

    @rule(count=st.integers(1, 200), text=TEXTS)
    def batch(self, count: int, text: str) -> None:
        rows = [(next(self.tokens), text) for _ in range(count)]
        self.expect("direct batch", ECHO, tuple(rows), lambda found: found == [[row] for row in rows])

    @rule(kind=KINDS)
    def shape(self, kind: str) -> None:
        self.expect(kind, SHAPE, (1,), lambda found: found == [(7 if self.integer else "7",)])

    @rule(kind=KINDS, count=st.integers(0, 5))
    def insert(self, kind: str, count: int) -> None:
        self.expect(f"{kind} count", INSERT, (next(self.tokens), count), lambda found: found == count)

    @rule(kind=KINDS)
    def epoch(self, kind: str) -> None:
        token, zone = next(self.tokens), None if self.conn.closed else self.conn.info.timezone
        self.expect(kind, EPOCH, (token,), lambda found: found[0][1] == token and found[0][0].tzinfo == zone)

    @rule(kind=KINDS)
    def divide(self, kind: str) -> None:
        before = self.status
        with pytest.raises(psycopg.Error) as caught:
            self.call(kind, DIVIDE, 1)
        if isinstance(caught.value, errors.DivisionByZero):
            assert before in {IDLE, INTRANS}
            assert self.status == (IDLE if self.autocommit and before == IDLE else INERROR)
        elif isinstance(caught.value, errors.OperationalError):
            assert self.killed
            self.reopen()
        else:
            assert self.stale or before == INERROR

    @rule(text=st.sampled_from(["a\0b", "\ud800"]))
    def unsendable(self, text: str) -> None:
        if self.killed:
            return
        with pytest.raises((errors.DataError, UnicodeEncodeError, errors.InFailedSqlTransaction)):
            self.call("direct", ECHO, 1, text)

    @rule(how=st.sampled_from(["commit", "rollback"]))
    def end(self, how: str) -> None:
        # psycopg forgets what was prepared when it sends a ROLLBACK.
        forgets = how == "rollback" and self.status != IDLE
        try:
            self.finish(how)
        except errors.OperationalError:
            assert self.killed
            self.reopen()
        self.stale = self.stale and not forgets

    def command(self, text: LiteralString | bytes) -> bool:
        """Execute with a cursor; return whether that worked."""
        try:
            self.call("cursor", text)
        except (errors.OperationalError, errors.InterfaceError):
            assert self.killed
            self.reopen()
            return False
        except (errors.InFailedSqlTransaction, errors.ActiveSqlTransaction):
            return False
        except errors.InvalidSqlStatementName:
            assert self.stale
            return False
        return True

    @rule(text=st.sampled_from(["DEALLOCATE ALL", "DISCARD ALL", "ROLLBACK"]))
    def forget(self, text: LiteralString) -> None:
        # psycopg looks at the result of a text that it has not counted yet.
        if self.command(f"{text} -- {next(self.tokens)}".encode()):
            # It looks at nothing while it prepares nothing.
            unseen = self.conn.prepare_threshold is None
            self.stale = unseen and (self.stale or text != "ROLLBACK")

    @rule(zone=st.sampled_from(["UTC", "Asia/Tokyo"]))
    def set_zone(self, zone: LiteralString) -> None:
        self.command(f"SET TimeZone = '{zone}'")

    @rule()
    def begin(self) -> None:
        if self.status == IDLE:
            self.command("BEGIN")

    @rule()
    def forget_unseen(self) -> None:
        if self.command("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"):
            self.stale = True

    @rule()
    def alter(self) -> None:
        kind = "text" if self.integer else "int4 USING extra::int4"
        try:
            self.admin.execute(f"ALTER TABLE shaped ALTER extra TYPE {kind}")
        except errors.LockNotAvailable:
            return
        self.integer = not self.integer

    @rule()
    def notify(self) -> None:
        if self.command("LISTEN interleaved"):
            self.end("commit")
            self.admin.execute("NOTIFY interleaved")

    @rule()
    def register(self) -> None:
        self.conn.adapters.register_loader("text", TextBinaryLoader)

    @rule(threshold=st.sampled_from([None, 0, 1]))
    def set_threshold(self, threshold: int | None) -> None:
        self.conn.prepare_threshold = threshold

    @rule()
    def kill(self) -> None:
        if self.killed:
            return
        self.admin.execute("SELECT pg_terminate_backend(%s, 60000)", (self.conn.info.backend_pid,))
        self.killed = True

    @rule(after=st.floats(0, 0.04), count=st.integers(0, 3))
    def cancel(self, after: float, count: int) -> None:
        """Cancel a call, or a batch of so many."""
        if self.killed:
            return
        before, token = self.status, next(self.tokens)
        wanted = [[(token, "")]] * count if count else [(token, "")]
        is_prepared = any(query == SLEEP.encode() for query, _ in self.conn._prepared._names)
        # A statement that the server has dropped is prepared anew by a cursor.
        takes_cursor = self.stale or self.conn.prepare_threshold is None or not is_prepared
        try:
            with self.batches_that_fail(count > 0):
                if count:
                    found = self.interrupt(after, "direct batch", SLEEP, *[(token,)] * count)
                else:
                    found = self.interrupt(after, "direct", SLEEP, token)
        except InterruptedCall:
            # A signal between two steps of a cursor leaves its query running.
            if takes_cursor and self.status == TransactionStatus.ACTIVE:
                self.reopen()
        except errors.QueryCanceled:
            return
        except errors.InFailedSqlTransaction:
            assert before == INERROR
        except errors.InvalidSqlStatementName:
            assert self.stale
        else:
            assert found == wanted

    @invariant()
    def in_step(self) -> None:
        if self.conn is None or self.killed:
            return
        if self.conn.closed:
            self.reopen()
        assert not self.conn.pgconn.pipeline_status
        assert self.status in {IDLE, INTRANS, INERROR}


class SyncMachine(Machine):
    """Interrupted by signals."""

    def connect(self) -> Any:
        return psycopg.connect(self.url, autocommit=self.autocommit, options="-c lock_timeout=50ms")

    def close(self) -> None:
        self.conn.close()

    def finish(self, how: str) -> None:
        getattr(self.conn, how)()

    def call(self, kind: str, query: LiteralString | bytes, *params: object) -> Any:
        match kind:
            case "direct":
                return list(self.direct.fetch_all(self.conn, query, params, binary=True))
            case "direct count":
                return self.direct.execute_count(self.conn, query, params)
            case "direct batch":
                sent = self.sent_rows(params)
                return list(self.direct.fetch_batch(self.conn, query, sent, iter(sent)))
            case _:
                cur = psycopg.RawCursor(self.conn)
                cur.execute(query, params or None, binary=bool(params))
                return cur.rowcount if "count" in kind else cur.fetchall() if cur.description else None

    def interrupt(self, after: float, kind: str, query: LiteralString, *params: object) -> Any:
        def ring(_: int, __: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, ring)
        # Hypothesis measures collections in a callback, and an interrupt there is lost.
        gc.disable()
        try:
            signal.setitimer(signal.ITIMER_REAL, max(after, 1e-5))
            try:
                return self.call(kind, query, *params)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            raise InterruptedCall from None
        finally:
            gc.enable()
            signal.signal(signal.SIGALRM, before)


class AsyncMachine(Machine):
    """Interrupted by the cancellation of tasks; many tasks share the connection, which moves between event loops."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # psycopg's lock stays with the event loop on which two tasks wanted it.
        self.settled = False
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        self.loop.close()

    def connect(self) -> Any:
        self.settled = False
        connecting = psycopg.AsyncConnection.connect(self.url, autocommit=self.autocommit, options="-c lock_timeout=50ms")
        return self.loop.run_until_complete(connecting)

    def close(self) -> None:
        self.loop.run_until_complete(self.conn.close())

    def finish(self, how: str) -> None:
        self.loop.run_until_complete(getattr(self.conn, how)())

    def call(self, kind: str, query: LiteralString | bytes, *params: object) -> Any:
        return self.loop.run_until_complete(self.acall(kind, query, *params))

    async def acall(self, kind: str, query: LiteralString | bytes, *params: object) -> Any:
        match kind:
            case "direct":
                return list(await self.direct.afetch_all(self.conn, query, params, binary=True))
            case "direct count":
                return await self.direct.aexecute_count(self.conn, query, params)
            case "direct batch":
                sent = self.sent_rows(params)
                return list(await self.direct.afetch_batch(self.conn, query, sent, iter(sent)))
            case _:
                cur = psycopg.AsyncRawCursor(self.conn)
                await cur.execute(query, params or None, binary=bool(params))
                return cur.rowcount if "count" in kind else await cur.fetchall() if cur.description else None

    def interrupt(self, after: float, kind: str, query: LiteralString, *params: object) -> Any:
        async def cancel() -> Any:
            task = asyncio.ensure_future(self.acall(kind, query, *params))
            await asyncio.sleep(after)
            task.cancel()
            if next(self.tokens) % 2:
                # A second one, while the first is dealt with.
                await asyncio.sleep(0)
                task.cancel()
            return await task

        try:
            return self.loop.run_until_complete(cancel())
        except asyncio.CancelledError:
            raise InterruptedCall from None

    @rule()
    def change_loop(self) -> None:
        if self.settled:
            return
        self.loop.close()
        self.loop = asyncio.new_event_loop()

    @rule(cancelled=st.lists(st.booleans(), min_size=2, max_size=6), text=TEXTS, with_cursors=st.booleans())
    def many_tasks(self, *, cancelled: list[bool], text: str, with_cursors: bool) -> None:
        if self.killed or self.stale or self.status == INERROR:
            return
        self.settled = True
        tokens = [next(self.tokens) for _ in cancelled]
        kinds = ["cursor" if with_cursors and token % 2 else "direct" for token in tokens]

        async def run() -> list[Any]:
            tasks = [asyncio.ensure_future(self.acall(kind, ECHO, token, text)) for kind, token in zip(kinds, tokens, strict=True)]
            await asyncio.sleep(0)
            for task, cancel in zip(tasks, cancelled, strict=True):
                if cancel:
                    task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

        for found, token, cancel in zip(self.loop.run_until_complete(run()), tokens, cancelled, strict=True):
            if isinstance(found, asyncio.CancelledError):
                assert cancel
            elif isinstance(found, errors.InFailedSqlTransaction | errors.OperationalError):
                assert any(cancelled)
            else:
                assert found == [(token, text)]


def run(machine: type[Machine], load: Load, database: str, examples: int) -> None:
    machine.url, machine.direct, machine.sent_rows = database, load("_direct"), load("_rows").SentRows
    # What happens depends on time, so an example cannot be made smaller.
    limits = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(machine, settings=limits)


@pytest.fixture
def calls() -> str:
    return "direct"


@pytest.fixture(autouse=True)
def _no_yield(monkeypatch: pytest.MonkeyPatch) -> None:
    # psycopg 3.3.9 loses results if it is cancelled as it yields to a loop that was busy, and its pipeline can then wait forever.
    monkeypatch.setattr(waiting, "MAX_BUSY_TIME", math.inf)


@pytest.mark.parametrize("machine", [SyncMachine, AsyncMachine])
def test_a_connection_stays_in_step(load: Load, database: str, machine: type[Machine]) -> None:
    run(machine, load, database, 5)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [SyncMachine, AsyncMachine])
def test_a_connection_stays_in_step_for_long(load: Load, database: str, machine: type[Machine]) -> None:
    run(machine, load, database, 300)
