"""In-process subscribers to domain events."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import psycopg
import pytest

from shop.application.commands.passwords import PasswordHasher
from shop.application.context import Actor, Context
from shop.application.messaging.subscribers import Subscriber
from shop.bootstrap.service import Adapters, open_shop
from shop.bootstrap.settings import Settings
from shop.domain.events import Event, OrderPaid, UserProfileUpdated, UserRegistered
from shop.domain.result import Err, Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PersonName

CONTEXT = Context(Actor.admin("clerk"), "pytest")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))


async def test_subscribers_see_committed_events_of_their_types_and_fail_alone(
    database_url: str, cheap_hasher: PasswordHasher, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[Event, int]] = []

    async def fail(events: Sequence[Event]) -> None:
        raise RuntimeError("a mistake")

    async def record(events: Sequence[Event]) -> None:
        with psycopg.connect(database_url) as conn:
            [[users]] = conn.execute("SELECT count(*) FROM users").fetchall()
        seen.extend((event, users) for event in events)

    async def never(events: Sequence[Event]) -> None:
        raise AssertionError(events)

    subscribers = (
        Subscriber((UserRegistered,), fail),
        Subscriber((UserRegistered, UserProfileUpdated), record),
        Subscriber((OrderPaid,), never),
    )
    adapters = Adapters(passwords=cheap_hasher, subscribers=subscribers)
    async with open_shop(Settings.model_validate({"database_url": database_url}), adapters) as shop:
        registered = await shop.users.register(CONTEXT, ADA, Password("correct horse"))
        assert isinstance(registered, Ok)
        # Refused, and so without an event.
        assert isinstance(await shop.users.register(CONTEXT, ADA, Password("correct horse")), Err)
    assert seen == [(UserRegistered(registered.value.id), 1)]
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["a subscriber failed after the commit"]
