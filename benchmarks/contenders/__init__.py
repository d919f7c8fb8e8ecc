"""The contenders: each does the same to the same tables, in the way its own documentation recommends.

All of them use a connection in autocommit, so that a call is exactly one statement, and return one object with named fields per row. A
class of each colour opens what it needs in `opened`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from benchmarks.rows import NewPerson

Insert = Callable[[], object]
AwaitedInsert = Callable[[], Awaitable[object]]


class SyncContender(Protocol):
    """The operations measured in sync code."""

    def person(self, key: int) -> Any:
        """One row by its key."""
        ...

    def people(self, rows: int) -> list[Any]:
        """The first rows, in a list."""
        ...

    def add(self, person: NewPerson) -> Any:
        """Insert one row and return it."""
        ...

    def set_balance(self, key: int, balance: Decimal) -> int:
        """Update one row by its key and return the number of rows changed."""
        ...

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, Insert]:
        """The ways to insert many rows, by name; their input is prepared beforehand."""
        ...


class AsyncContender(Protocol):
    """Like `SyncContender`, awaited, and with its own pool."""

    async def person(self, key: int) -> Any:
        """One row by its key."""
        ...

    async def pooled_person(self, key: int) -> Any:
        """One row by its key, on any connection of the pool."""
        ...

    async def people(self, rows: int) -> list[Any]:
        """The first rows, in a list."""
        ...

    async def add(self, person: NewPerson) -> Any:
        """Insert one row and return it."""
        ...

    async def set_balance(self, key: int, balance: Decimal) -> int:
        """Update one row by its key and return the number of rows changed."""
        ...

    def inserts(self, people: Sequence[NewPerson]) -> Mapping[str, AwaitedInsert]:
        """The ways to insert many rows, by name."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A contender that also reads in batches, in either colour."""

    def lookups(self, keys: Iterable[int]) -> Mapping[str, Callable[[], Any]]:
        """The ways to read a row by each of the keys, by name; each returns a list of rows."""
        ...


@runtime_checkable
class Mixing(Protocol):
    """An async contender that also writes on its pool."""

    async def pooled_person(self, key: int) -> Any:
        """One row by its key, on any connection of the pool."""
        ...

    async def pooled_set_balance(self, key: int, balance: Decimal) -> int:
        """Update one row by its key, on any connection of the pool, and return the number of rows changed."""
        ...
