"""The rows that are read and written."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

COLUMNS = ("id", "name", "email", "phone", "born", "seen", "balance", "active")


@dataclass(slots=True)
class Person:
    """A row of `people`, as hand-written code would declare it."""

    id: int
    name: str
    email: str
    phone: str | None
    born: dt.date
    seen: dt.datetime
    balance: Decimal
    active: bool


class NewPerson(NamedTuple):
    """A row to be."""

    name: str
    email: str
    phone: str | None
    born: dt.date
    seen: dt.datetime
    balance: Decimal
    active: bool


def new_people(count: int) -> list[NewPerson]:
    """Return new rows, all different."""
    return [
        NewPerson(
            name=f"name {number}",
            email=f"person{number}@example.org",
            phone=None if number % 2 else "+1 202 555 0100",
            born=dt.date(1990, 1, 1) + dt.timedelta(days=number),
            seen=dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(minutes=number),
            balance=Decimal(number * 5) / 4,
            active=number % 3 == 0,
        )
        for number in range(1, count + 1)
    ]


def plain(row: Any) -> tuple[object, ...]:
    """Return the values of a row of any contender."""
    return tuple(getattr(row, column) for column in COLUMNS)
