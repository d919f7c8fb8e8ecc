"""Transactions that append to lists and read them, through the service's own unit of work, its retries and its answers under a key."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection

from shop.application.context import Actor, Context, Once
from shop.application.transactions.answers import AlreadyAnswered
from shop.application.transactions.failures import OutcomeUnknown, TransactionConflict
from shop.application.transactions.operation import Operation
from shop.application.transactions.runner import Retries, Transactions
from shop.application.transactions.unit_of_work import BeginUnitOfWork, UnitOfWork
from shop.domain.result import Err, Ok, Result
from shop.infrastructure.postgres.pool import Pool
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.unit_of_work import Isolation, PostgresUnitOfWork, units_of_work

from .cycles import ALWAYS, Anomaly, Append, Finding, Outcome, Read, Step, Transaction, check

SCHEMA: Final = "CREATE TABLE faults.lists (key int PRIMARY KEY, elements int[] NOT NULL, version int NOT NULL DEFAULT 1)"

# Lists that are written at the same time, and after how many appends another one takes the place of one, so that reads stay small.
_ACTIVE: Final = 6
_APPENDS: Final = 30


@dataclass(frozen=True, slots=True)
class Level:
    """How transactions run: the isolation level, and whether they write only the version that they read, as the aggregates do."""

    isolation: Isolation
    is_guarded: bool
    forbidden: frozenset[Anomaly]

    def __str__(self) -> str:
        return f"{self.isolation}{', guarded by versions' if self.is_guarded else ''}"


_SNAPSHOT: Final = ALWAYS | {Anomaly.G_SINGLE, Anomaly.LOST_UPDATE}
LEVELS: Final = (
    Level(Isolation.READ_COMMITTED, False, ALWAYS),
    Level(Isolation.READ_COMMITTED, True, ALWAYS | {Anomaly.LOST_UPDATE}),
    Level(Isolation.REPEATABLE_READ, False, _SNAPSHOT),
    Level(Isolation.SERIALIZABLE, False, _SNAPSHOT | {Anomaly.G2_ITEM}),
)
"""What each level promises: PostgreSQL's manual, 13.2; its repeatable read is snapshot isolation. Of serializable it keeps all but
`Anomaly.G2_OF_COMMITS`."""


async def _read(conn: AsyncConnection[Any], *, key: int) -> tuple[tuple[int, ...], int]:
    row = await (await conn.execute("SELECT elements, version FROM faults.lists WHERE key = %s", [key])).fetchone()
    return ((), 0) if row is None else (tuple(row[0]), row[1])


async def _append(conn: AsyncConnection[Any], *, key: int, value: int) -> None:
    await conn.execute(
        """
        INSERT INTO faults.lists (key, elements) VALUES (%s, ARRAY[%s::int])
        ON CONFLICT (key) DO UPDATE SET elements = lists.elements || excluded.elements, version = lists.version + 1
        """,
        [key, value],
    )


async def _append_to(conn: AsyncConnection[Any], *, key: int, value: int, version: int) -> bool:
    if version == 0:
        insert = "INSERT INTO faults.lists (key, elements) VALUES (%s, ARRAY[%s::int]) ON CONFLICT DO NOTHING"
        cur = await conn.execute(insert, [key, value])
    else:
        update = "UPDATE faults.lists SET elements = elements || %s::int, version = version + 1 WHERE key = %s AND version = %s"
        cur = await conn.execute(update, [value, key, version])
    return cur.rowcount == 1


class Lists:
    """The repository of the lists. `committing` is when the COMMIT of its transaction was sent, and when it was answered."""

    def __init__(self, queries: Queries) -> None:
        self._query = queries
        self._versions: dict[int, int] = {}
        self.committing: tuple[float, float] | None = None

    def timed(self, commit: Callable[[], Awaitable[None]]) -> Callable[[], Coroutine[Any, Any, None]]:
        """Return the function that commits with the times recorded."""

        async def commit_timed() -> None:
            started = time.monotonic()
            # Without an answer, it may take effect at any time.
            self.committing = started, math.inf
            await commit()
            self.committing = started, time.monotonic()

        return commit_timed

    async def read(self, key: int) -> tuple[int, ...]:
        """Return the values of a list."""
        values, self._versions[key] = await self._query(_read, key=key)
        return values

    async def append(self, key: int, value: int) -> None:
        """Append a value."""
        await self._query(_append, key=key, value=value)

    async def append_to_what_was_read(self, key: int, value: int) -> None:
        """Append a value, if the list still has the version that was read."""
        if not await self._query(_append_to, key=key, value=value, version=self._versions[key]):
            raise TransactionConflict("the list was changed")
        self._versions[key] += 1


def _lists_on(begin: BeginUnitOfWork[Any]) -> BeginUnitOfWork[Lists]:
    @asynccontextmanager
    async def begin_lists() -> AsyncGenerator[UnitOfWork[Lists]]:
        async with begin() as uow:
            assert isinstance(uow, PostgresUnitOfWork)
            # Transactions of lists in random order often wait for each other.
            await uow._conn.execute("SET LOCAL deadlock_timeout = '20ms'")  # pyright: ignore[reportPrivateUsage] for tests
            lists = Lists(uow._queries)  # pyright: ignore[reportPrivateUsage] for tests
            uow.repositories = lists  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue] in place of the service's
            uow.commit = lists.timed(uow.commit)  # type: ignore[method-assign] # pyright: ignore[reportAttributeAccessIssue] with the times
            yield uow  # type: ignore[misc] # pyright: ignore[reportReturnType] as above

    def begin_one() -> AbstractAsyncContextManager[UnitOfWork[Lists]]:
        return begin_lists()

    return begin_one


@dataclass
class Keys:
    """Numbers for lists and values, none of which is used twice."""

    first: int
    chance: Random
    value: int = 0
    appends: Counter[int] = field(default_factory=Counter[int])

    def __post_init__(self) -> None:
        self._active = [self.first + number for number in range(_ACTIVE)]

    def key(self) -> int:
        """Return a list that is in use."""
        return self.chance.choice(self._active)

    def append(self) -> Append:
        """Return the next append, to a list that is in use."""
        self.value += 1
        key = self.key()
        self.appends[key] += 1
        if self.appends[key] == _APPENDS:
            self._active[self._active.index(key)] = max(self._active) + 1
        return Append(key, self.value)


@dataclass
class ListHistory:
    """The transactions of a level, each attempt as one of its own."""

    transactions: list[Transaction] = field(default_factory=list[Transaction])
    operations: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    defects: list[str] = field(default_factory=list[str])


Work: TypeAlias = Callable[[Operation[Lists]], Awaitable[Result[int, Any]]]


class ListClient:
    """Runs transactions of one to four steps, one after the other."""

    def __init__(self, level: Level, pool: Pool, keys: Keys, history: ListHistory) -> None:
        self._level = level
        self._keys = keys
        self._history = history
        self._transactions = Transactions(_lists_on(units_of_work(pool, level.isolation)), retries=Retries(attempts=5, deadline=8))

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Work as long as `goes_on` is true."""
        while goes_on():
            self._history.operations += 1
            try:
                await self._run_one()
            except Exception as error:  # noqa: BLE001 - whatever the service raises is a defect
                self._history.defects.append(f"{type(error).__name__}: {error}")

    async def _run_one(self) -> None:
        chance = self._keys.chance
        plan = [chance.random() < 0.5 for _ in range(chance.randint(1, 4))]
        attempts: list[tuple[list[Step], Lists]] = []
        committed: set[int] = set()

        async def work(operation: Operation[Lists]) -> Result[int, Any]:
            await operation.claim_key()
            # Appended values are unique in each attempt, so that one that was reported as rolled back is recognised if it was not.
            attempts.append(([], operation.repositories))
            for is_append in plan:
                await self._step(operation.repositories, attempts[-1][0], is_append=is_append)
            if once is not None:
                await operation.done("lists")
            operation.commit()
            return Ok(len(attempts) - 1)

        once = Once(f"{chance.getrandbits(128):032x}", b"", lambda number: str(number).encode()) if chance.random() < 0.3 else None
        context = Context(Actor.system("lists"), "faults", once=once)
        result = await self._transactions.run(context, "lists", work)
        is_open = False
        match result:
            case Ok(number):
                committed.add(number)
            case Err(AlreadyAnswered(answer)):
                committed.add(int(answer))
            case Err(OutcomeUnknown()):
                is_open = True
            case Err():
                pass
        self._history.outcomes["done" if committed else "unknown" if is_open else "failed"] += 1
        self._history.outcomes["repeated attempts"] += max(0, len(attempts) - 1)
        for number, (steps, lists) in enumerate(attempts):
            outcome = Outcome.COMMITTED if number in committed else Outcome.UNKNOWN if is_open else Outcome.ABORTED
            self._history.transactions.append(Transaction(tuple(steps), outcome, lists.committing))

    async def _step(self, lists: Lists, steps: list[Step], *, is_append: bool) -> None:
        if not is_append:
            key = self._keys.key()
            steps.append(Read(key, await lists.read(key)))
            return
        append = self._keys.append()
        if self._level.is_guarded:
            steps.append(Read(append.key, await lists.read(append.key)))
        # Recorded before: it may take effect without an answer.
        steps.append(append)
        await (lists.append_to_what_was_read if self._level.is_guarded else lists.append)(append.key, append.value)


@dataclass(frozen=True)
class Checked:
    """What was found at a level."""

    level: Level
    history: ListHistory
    findings: list[Finding]

    @property
    def violations(self) -> list[str]:
        """What the level forbids."""
        return [
            *(f"defect: {each}" for each in self.history.defects),
            *(f"{self.level}: {finding}{self._steps(finding)}" for finding in self.findings if finding.anomaly in self.level.forbidden),
        ]

    def _steps(self, finding: Finding) -> str:
        """Return what the transactions of a finding did, a line for each: the same seed does not show it again."""
        own = ((number, self.history.transactions[number]) for number in finding.transactions)
        return "".join(f"\n    {number}: {each.outcome.name}, {', '.join(map(str, each.steps))}" for number, each in own)

    def __str__(self) -> str:
        found = dict(Counter(str(finding.anomaly) for finding in self.findings))
        return f"{self.level}: {self.history.operations} transactions, {dict(self.history.outcomes)}, anomalies {found}"


async def run_level(
    number: int, pool: Pool, seed: int, operations: int, clients: int, is_late: Callable[[], bool]
) -> tuple[Level, ListHistory]:
    """Run transactions of one level."""
    level, history = LEVELS[number], ListHistory()
    keys = Keys((number + 1) * 10_000_000, Random(f"{seed} {level}"), value=number * 100_000_000)  # noqa: S311 repeatable
    running = [ListClient(level, pool, keys, history) for _ in range(clients)]
    await asyncio.gather(*(each.run(lambda: history.operations < operations and not is_late()) for each in running))
    return level, history


async def check_level(conn: AsyncConnection[Any], level: Level, history: ListHistory) -> Checked:
    """Check the history of a level, when nothing is in progress any more."""
    keys = {step.key for each in history.transactions for step in each.steps}
    rows = await (await conn.execute("SELECT key, elements FROM faults.lists WHERE key = ANY(%s)", [list(keys)])).fetchall()
    return Checked(level, history, check(history.transactions, dict(rows)))
