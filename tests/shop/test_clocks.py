"""Stored times never decrease, and come from the database: the clock of this machine may be wrong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from shop.application.transactions.unit_of_work import CollectedEvents
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Ok
from shop.domain.users import NewUser, Profile
from shop.domain.values import EmailAddress, PasswordHash, PersonName
from shop.infrastructure.postgres.health import PostgresHealth
from shop.infrastructure.postgres.queries import Queries
from shop.infrastructure.postgres.transactions.orders import PostgresOrderRepository
from shop.infrastructure.postgres.transactions.users import PostgresUserRepository

SOURCES = Path(__file__).parents[2] / "src" / "shop"
HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))


async def test_no_update_decreases_updated_at(queries: Queries, pg_users: PostgresUserRepository, conn: AsyncConnection[Any]) -> None:
    # As after a write of a transaction that began later, or before the clock was set back.
    orders = PostgresOrderRepository(queries, CollectedEvents())
    added = await pg_users.add(NewUser(ADA, HASH))
    assert isinstance(added, Ok)
    placed = await orders.add(NewOrder(added.value.id, (LINE,)))
    assert isinstance(placed, Ok)
    paid = placed.value.pay()
    assert isinstance(paid, Ok)
    await conn.execute("UPDATE users SET updated_at = '2100-01-01Z'")
    await conn.execute("UPDATE orders SET updated_at = '2100-01-01Z'")
    saved = await orders.save_status(paid.value)
    updated = await pg_users.save_profile(added.value)
    assert isinstance(updated, Ok)
    assert isinstance(await pg_users.save_password(updated.value), Ok)
    read = await pg_users.get(added.value.id)
    for result in (saved, updated, read):
        assert isinstance(result, Ok)
        assert result.value.updated_at.year == 2100


async def test_an_event_from_the_future_has_no_lag(conn: AsyncConnection[Any], database_url: str) -> None:
    await conn.execute(
        "INSERT INTO outbox (aggregate, event_type, payload, trace_id, occurred_at) VALUES ('a', 'b', '1', '', '2100-01-01Z')"
    )
    assert (await PostgresHealth(database_url, 60).outbox()).startswith("1 events pending, the oldest for 0 s")


def readings(path: Path) -> Iterator[str]:
    """Yield the places where a module reads the clock of this machine."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case (
                ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "utcnow" | "today")
                | ast.Attribute(value=ast.Name(id="time"), attr="time" | "time_ns")
            ):
                yield f"{path.relative_to(SOURCES)}:{node.lineno}"
            case _:
                pass


# The library adds this machine's clock to a remaining time, which is what is left when the clock is subtracted again.
_REMAINING_TIME = "infrastructure/redis/rates.py"


@pytest.mark.parametrize("package", ["domain", "application", "infrastructure/postgres", "infrastructure/nats", "infrastructure/redis"])
def test_no_decision_depends_on_the_clock_of_this_machine(package: str) -> None:
    places = [place for path in sorted((SOURCES / package).rglob("*.py")) for place in readings(path)]
    assert [place for place in places if not place.startswith(_REMAINING_TIME)] == []
