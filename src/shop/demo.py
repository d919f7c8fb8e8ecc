"""A story on real PostgreSQL, Redis and NATS: `python -m shop.demo`, with DATABASE_URL naming a migrated database.

REDIS_URL and NATS_URL name servers of your own; else both are started for the length of the story. It tells what it does and can be told
again: a second run meets the users of the first, and goes on with them.
Exit status: 0 told to its end; 1 the database is not ready, or an outcome was not the story's; 2 DATABASE_URL is missing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from shop.application.context import Actor, Context
from shop.application.unit_of_work import StoreDefect
from shop.bootstrap import DatabaseNotReady, Settings, SettingsError, Shop, load_settings, open_shop
from shop.domain.money import Currency, Money, written
from shop.domain.orders import NewOrder, Order, OrderLine, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, Profile, User, UserHasOrders
from shop.domain.values import EmailAddress, Password, PersonName, PhoneNumber, UserId
from shop.local_servers import ServerNotStarted, nats_server, redis_server

T = TypeVar("T")

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("Ada@example.org"), PhoneNumber("+44 20 7946 0018"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
VISITOR = Profile(PersonName("Just", "Visiting"), EmailAddress("visitor@example.org"))
GRACE_PHONES = (PhoneNumber("+1 202 555 0143"), PhoneNumber("+1 202 555 0186"))
PASSWORD = Password("correct horse battery")
PAGE_SIZE = 2


class StoryBroken(Exception):
    """An outcome that the story does not have."""


def main() -> int:
    """Tell the story, and give the exit status."""
    database_url = os.environ.get("DATABASE_URL", "")
    if not database_url:
        return _complain("DATABASE_URL is not set; it names the database, as in postgres://user@host/shop", status=2)
    try:
        with ExitStack() as stack:
            asyncio.run(tell(_settings(stack, database_url)))
    except (SettingsError, ServerNotStarted) as error:
        return _complain(str(error), status=1)
    except DatabaseNotReady as error:
        return _complain(f"{error}\nIs DATABASE_URL right, and has `dbmate up` been run on it?", status=1)
    except StoryBroken as error:
        return _complain(str(error), status=1)
    return 0


def _settings(stack: ExitStack, database_url: str) -> Settings:
    overrides = {"database_url": database_url}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-demo-")))
    if not os.environ.get("REDIS_URL"):
        overrides["redis_url"] = stack.enter_context(redis_server(folder)).url
    if not os.environ.get("NATS_URL"):
        nats = stack.enter_context(nats_server(folder))
        overrides |= {"nats_url": nats.url, "nats_monitoring_url": nats.monitoring_url}
    return load_settings(overrides=overrides).settings


async def tell(settings: Settings) -> None:
    """Tell the whole story. Raises `DatabaseNotReady` or `StoryBroken`."""
    async with open_shop(settings) as shop:
        ada, grace = await _register(shop)
        await _refuse_a_second_ada(shop)
        await _log_in(shop)
        await _update_profile(shop, grace)
        order = await _order(shop, ada)
        await _refuse(shop, ada, order)
        await _fail(shop, ada)
        await _consume(shop)
        await _read(shop, [ada, grace])
        await _audit(shop, order)
        await _come_and_go(shop)


async def _register(shop: Shop) -> list[User]:
    _step("Register two users: row, audit entry and event in one transaction")
    return [await _register_or_meet(shop, profile) for profile in (ADA, GRACE)]


async def _register_or_meet(shop: Shop, profile: Profile) -> User:
    match await shop.users.register(_anonymous(), profile, PASSWORD):
        case Ok(user):
            _say(f"registered {_sketch(user)}")
            return user
        case Err(EmailTaken(email)):
            user = _expect(await shop.users.authenticate(_anonymous(), email, PASSWORD.text))
            _say(f"already here from an earlier run: {_sketch(user)}")
            return user
        case Err(failure):
            raise _broken(str(failure))


async def _refuse_a_second_ada(shop: Shop) -> None:
    email = EmailAddress(ADA.email.text.upper())
    _step(f"Register {email}: the same address in another case")
    match await shop.users.register(_anonymous(), Profile(PersonName("Ada", "Again"), email), PASSWORD):
        case Ok(user):
            raise _broken(f"two users with one address: {user.id}")
        case Err(error):
            _say(f"refused: {error}")


async def _log_in(shop: Shop) -> None:
    _step("Log in, with the right password and with a wrong one")
    user = _expect(await shop.users.authenticate(_anonymous(), ADA.email, PASSWORD.text))
    _say(f"welcome, {user.profile.name}")
    match await shop.users.authenticate(_anonymous(), ADA.email, "guessed"):
        case Ok(_):
            raise _broken("a wrong password opens")
        case Err(error):
            _say(f"refused: {error}")


async def _update_profile(shop: Shop, user: User) -> None:
    _step(f"Update a profile: {user.profile.name} has another phone")
    phone = GRACE_PHONES[1] if user.profile.phone == GRACE_PHONES[0] else GRACE_PHONES[0]
    profile = Profile(user.profile.name, user.profile.email, phone)
    updated = _expect(await shop.users.update_profile(_as(user), user.id, profile, version=user.version))
    _say(f"phone: {user.profile.phone or 'none'} → {updated.profile.phone}, version {user.version} → {updated.version}")
    match await shop.users.update_profile(_as(user), user.id, profile, version=user.version):
        case Ok(_):
            raise _broken("an update was lost")
        case Err(error):
            _say(f"the same again, with the version of before: {error}")


async def _order(shop: Shop, user: User) -> Order:
    _step(f"{user.profile.name} orders: the order and its lines in one round trip")
    lines = [
        OrderLine("ENGINE-1", "Analytical Engine, part 1", 1, Money(1_250_00, Currency.EUR)),
        OrderLine("CARD-7", "Punched cards, box of 500", 3, Money(19_90, Currency.EUR)),
    ]
    order = _expect(await shop.orders.place(_as(user), _expect(NewOrder.of(user.id, lines))))
    _say(f"order {order.id}: {len(order.lines)} lines, {order.total}")
    order = _expect(await shop.orders.pay(_as(user), order.id))
    _say(f"{order.status}, version {order.version}")
    order = _expect(await shop.orders.ship(_clerk(), order.id))
    _say(f"{order.status}, version {order.version}")
    return order


async def _refuse(shop: Shop, user: User, order: Order) -> None:
    _step("Cancel the shipped order, and delete a user who has orders")
    match await shop.orders.cancel(_as(user), order.id):
        case Err(WrongStatus() as error):
            _say(f"refused: {error}")
        case outcome:
            raise _broken(str(outcome))
    match await shop.users.delete(_clerk(), user.id):
        case Err(UserHasOrders() as has_orders):
            _say(f"refused: {has_orders}; everything is as it was")
        case deletion:
            raise _broken(str(deletion))


async def _fail(shop: Shop, user: User) -> None:
    _step("A failure in the middle: the order is written, its audit entry does not fit, and all of it is rolled back")
    before = _expect(await shop.reads.order_history(user.id, PAGE_SIZE)).items[0]
    broken = Context(Actor.user(user.id), "demo", trace_id="longer than the column is " * 10)
    try:
        await shop.orders.place(broken, NewOrder(user.id, (OrderLine("CARD-7", "Punched cards", 1, Money(19_90, Currency.EUR)),)))
    except StoreDefect as defect:
        _say(f"PostgreSQL says {defect}")
    after = _expect(await shop.reads.order_history(user.id, PAGE_SIZE)).items[0]
    if before != after:
        raise _broken("an order without an audit entry")
    _say("there is no such order")


async def _consume(shop: Shop) -> None:
    _step("The events go from the outbox through NATS to their consumers")
    if shop.relay is None or shop.consumers is None:
        raise _broken("there is no broker")
    _say(f"relay: {await shop.relay.run_until_empty()} events published, {await shop.relay.run_until_empty()} on a second pass")
    sales = shop.consumers["sales"]
    handled = 0
    while await sales.run_once():
        handled += 1
    _say(f"consumer sales: {handled} events handled, each once in effect")
    for day in _expect(await shop.reads.daily_sales(datetime.now(UTC).date())):
        _say(f"sold on {day.day}: {day.orders} orders, {written(day.revenue_minor, day.currency)}")


async def _read(shop: Shop, users: list[User]) -> None:
    _step("Read: public profiles in one round trip, pages by opaque cursors, a summary")
    ids = [*(user.id for user in users), UserId(uuid.uuid4())]
    profiles = _expect(await shop.reads.public_profiles(ids))
    for user_id in ids:
        profile = profiles.get(user_id)
        _say(f"{user_id}  {'nobody' if profile is None else f'{profile.first_name} {profile.last_name}'}")
    page = _expect(await shop.reads.users(PAGE_SIZE))
    _say(f"{len(page.items)} users on a page, next cursor: {page.next_cursor or 'none, it is the last'}")
    for _ in range(2):
        hits = shop.cache.hits
        [totals] = _expect(await shop.reads.order_summary(users[0].id)).totals
        source = "Redis" if shop.cache.hits > hits else "PostgreSQL"
        _say(f"{users[0].profile.name}: {totals.orders} orders, {totals.shipped} shipped, {totals.spent} spent  (from {source})")


async def _audit(shop: Shop, order: Order) -> None:
    _step("What the audit log knows of the order")
    for entry in _expect(await shop.reads.audit_entries(f"order:{order.id}", size=10)).items:
        _say(f"{entry.at:%H:%M:%S.%f} {entry.action} by {entry.actor}: {entry.outcome} {entry.metadata}")


async def _come_and_go(shop: Shop) -> None:
    _step("Register a visitor, and delete it")
    visitor = await _register_or_meet(shop, VISITOR)
    _expect(await shop.users.delete(_as(visitor), visitor.id))
    match await shop.reads.public_profile(visitor.id):
        case Ok(_):
            raise _broken("a deleted user is still there")
        case Err(error):
            _say(f"gone: {error}")


def _anonymous() -> Context:
    return Context(Actor.anonymous(), "demo")


def _as(user: User) -> Context:
    return Context(Actor.user(user.id), "demo")


def _clerk() -> Context:
    return Context(Actor.admin("clerk"), "demo")


def _sketch(user: User) -> str:
    return f"{user.profile.name} <{user.profile.email}>, id {user.id}"


def _expect(result: Result[T, object]) -> T:
    match result:
        case Ok(value):
            return value
        case Err(error):
            raise _broken(str(error))


def _broken(message: str) -> StoryBroken:
    return StoryBroken(f"the story breaks here: {message}")


def _step(title: str) -> None:
    sys.stdout.write(f"\n▸ {title}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")


def _complain(message: str, *, status: int) -> int:
    sys.stderr.write(f"shop.demo: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
