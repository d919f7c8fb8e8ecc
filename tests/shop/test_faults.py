"""Campaigns under faults: what was acknowledged is there, nothing happened twice, and nothing was read that no promise allows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shop.domain.values import OrderId, UserId
from shop.local_servers import LocalServer, nats_server

from .faults.campaign import Scale, run
from .faults.history import Answer, History, Operation, OrderSeen, TotalsSeen, Verdict
from .faults.history_check import Entry, Event, Stored, check

pytestmark = [pytest.mark.long, pytest.mark.programs]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[LocalServer]:
    """The NATS server of this test: its stream has no other events."""
    with nats_server(tmp_path) as server:
        yield server


async def test_a_short_campaign_finds_nothing(database_url: str, nats: LocalServer, redis_url: str) -> None:
    scale = Scale(operations=300, seed=7, accounts=3, list_clients=4, seconds=60, between_outages=1.0)
    report = await run(database_url, redis_url, nats.url, scale)
    assert report.operations >= 300
    assert report.faults.total() > 0
    assert report.violations == []


@pytest.mark.slow
async def test_a_long_campaign_finds_nothing(database_url: str, nats: LocalServer, redis_url: str) -> None:
    report = await run(database_url, redis_url, nats.url, Scale(operations=10_000, seed=1, seconds=600))
    assert report.operations >= 10_000
    assert report.faults.total() > 0
    assert report.violations == []


# --- The checker finds what it is to find ---------------------------------------------------------------------------------


ACCOUNT = UserId(uuid.UUID(int=1))
ORDER = OrderId(uuid.UUID(int=2))
SUBJECT = f"order:{ORDER}"


def placed_and_paid() -> tuple[History, Stored]:
    """Return a history of an order that was placed and paid and read, and what is stored then."""
    place = Operation("place", ACCOUNT, None, None, 1, [Answer("t1", Verdict.DONE, ORDER, 1)], 2)
    pay = Operation(
        "pay", ACCOUNT, ORDER, "key", 3, [Answer("t2", Verdict.UNKNOWN), Answer("t3", Verdict.DONE, ORDER, 2, is_replayed=True)], 4
    )
    history = History([place, pay], [OrderSeen(ORDER, 2, "paid", 5, 6)], [TotalsSeen(ACCOUNT, 1, 0, 5, 6)])
    there = Stored(
        [Entry(1, "order.place", SUBJECT, "done", "placed", "t1"), Entry(2, "order.pay", SUBJECT, "done", "paid", "t2")],
        {str(ORDER): (str(ACCOUNT), "paid", 2)},
        [Event(1, "m1", SUBJECT, "OrderPlaced", "t1", True), Event(2, "m2", SUBJECT, "OrderPaid", "t2", True)],
        [("m1", SUBJECT), ("m2", SUBJECT)],
        dead=0,
        sales=1,
        totals={str(ACCOUNT): (1, 0)},
    )
    return history, there


def kinds(history: History, there: Stored) -> set[str]:
    return {violation.partition(":")[0] for violation in check(history, there)}


def test_a_right_history_is_right() -> None:
    assert check(*placed_and_paid()) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"orders": {}}, "lost"),
        ({"audit": ()}, "lost"),
        ({"effects": [("m1", SUBJECT)]}, "events"),
        ({"effects": [("m1", SUBJECT), ("m2", SUBJECT), ("m2", SUBJECT)]}, "events"),
        ({"effects": [("m2", SUBJECT), ("m1", SUBJECT)]}, "events"),
        ({"events": ()}, "events"),
        ({"sales": 2}, "events"),
        ({"dead": 1}, "events"),
        ({"totals": {str(ACCOUNT): (0, 0)}}, "stale"),
        ({"orders": {str(ORDER): (str(ACCOUNT), "shipped", 3)}}, "audit"),
    ],
)
def test_what_is_stored_wrongly_is_found(changes: dict[str, Any], kind: str) -> None:
    history, there = placed_and_paid()
    assert kind in kinds(history, replace(there, **changes))


def test_what_happened_twice_is_found() -> None:
    history, there = placed_and_paid()
    again = Entry(3, "order.pay", SUBJECT, "done", "paid", "t3")
    assert "twice" in kinds(history, replace(there, audit=[*there.audit, again]))


def test_what_failed_and_happened_is_found() -> None:
    history, there = placed_and_paid()
    history.operations[1].answers[:] = [Answer("t2", Verdict.FAILED)]
    assert "phantom" in kinds(history, there)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (OrderSeen(ORDER, 1, "placed", 5, 6), "stale"),
        (OrderSeen(ORDER, 2, "shipped", 5, 6), "dirty"),
        (OrderSeen(ORDER, 2, "paid", 1, 2), "future"),
    ],
)
def test_a_wrong_read_of_an_order_is_found(seen: OrderSeen, kind: str) -> None:
    history, there = placed_and_paid()
    history.orders_seen[:] = [seen]
    assert kind in kinds(history, there)


@pytest.mark.parametrize(("seen", "kind"), [(TotalsSeen(ACCOUNT, 0, 0, 5, 6), "stale"), (TotalsSeen(ACCOUNT, 1, 1, 5, 6), "future")])
def test_wrong_totals_are_found(seen: TotalsSeen, kind: str) -> None:
    history, there = placed_and_paid()
    history.totals_seen[:] = [seen]
    assert kind in kinds(history, there)
