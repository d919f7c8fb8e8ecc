"""A demo against real PostgreSQL, Redis and NATS servers: `python -m shop.demo`, with DATABASE_URL set to a migrated database.

REDIS_URL and NATS_URL are optional; by default both servers are started for the duration of the demo. It prints each step. It can be
repeated: a second run continues with the users of the first. With `--trace`, it shows the queries of each step in the end.
Exit status: 0 success; 1 the database is not ready, or a step had an unexpected outcome; 2 DATABASE_URL is not set.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_tracer, set_tracer_provider
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from shop.application.context import Actor, Context, Once
from shop.application.transactions.failures import StoreDefect
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


class UnexpectedOutcome(Exception):
    """A step of the demo had an unexpected outcome."""


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo, and return the exit status."""
    parser = argparse.ArgumentParser(prog="shop.demo", description="A demo against real servers.")
    parser.add_argument("--trace", action="store_true", help="Show the spans of the queries of each step.")
    spans = _kept_spans() if parser.parse_args(arguments).trace else None
    database_url = os.environ.get("DATABASE_URL", "")
    if not database_url:
        return _fail_with("DATABASE_URL is not set; set it to the database, as in postgres://user@host/shop", status=2)
    try:
        with ExitStack() as stack:
            asyncio.run(run(_settings(stack, database_url)))
    except (SettingsError, ServerNotStarted) as error:
        return _fail_with(str(error), status=1)
    except DatabaseNotReady as error:
        return _fail_with(f"{error}\nCheck DATABASE_URL, and apply the migrations with `dbmate up`.", status=1)
    except UnexpectedOutcome as error:
        return _fail_with(str(error), status=1)
    if spans is not None:
        _show(spans.get_finished_spans())
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


async def run(settings: Settings) -> None:
    """Run all steps. Raises `DatabaseNotReady` or `UnexpectedOutcome`."""
    span = get_tracer("shop.demo").start_as_current_span
    async with open_shop(settings) as shop:
        with span("register"):
            ada, grace = await _register(shop)
            await _refuse_a_second_ada(shop)
        with span("log in"):
            await _log_in(shop)
        with span("update profile"):
            await _update_profile(shop, grace)
        with span("order"):
            order = await _order(shop, ada)
        with span("refuse"):
            await _refuse(shop, ada, order)
        with span("roll back"):
            await _roll_back(shop, ada)
        with span("publish and consume"):
            await _consume(shop)
        with span("read"):
            await _read(shop, [ada, grace])
            await _audit(shop, order)
        with span("delete"):
            await _delete_a_visitor(shop)


async def _register(shop: Shop) -> list[User]:
    _step("Register two users: row, audit entry and event in one transaction")
    return [await _register_or_find(shop, profile) for profile in (ADA, GRACE)]


async def _register_or_find(shop: Shop, profile: Profile) -> User:
    match await shop.users.register(_anonymous(), profile, PASSWORD):
        case Ok(user):
            _say(f"registered {_sketch(user)}")
            return user
        case Err(EmailTaken(email)):
            user = _expect(await shop.users.authenticate(_anonymous(), email, PASSWORD.text))
            _say(f"exists from an earlier run: {_sketch(user)}")
            return user
        case Err(failure):
            raise _unexpected(str(failure))


async def _refuse_a_second_ada(shop: Shop) -> None:
    email = EmailAddress(ADA.email.text.upper())
    _step(f"Register {email}, which differs only in case")
    match await shop.users.register(_anonymous(), Profile(PersonName("Ada", "Again"), email), PASSWORD):
        case Ok(user):
            raise _unexpected(f"two users with one address: {user.id}")
        case Err(error):
            _say(f"refused: {error}")


async def _log_in(shop: Shop) -> None:
    _step("Log in with the right password, and with a wrong one")
    user = _expect(await shop.users.authenticate(_anonymous(), ADA.email, PASSWORD.text))
    _say(f"welcome, {user.profile.name}")
    match await shop.users.authenticate(_anonymous(), ADA.email, "guessed"):
        case Ok(_):
            raise _unexpected("a wrong password was accepted")
        case Err(error):
            _say(f"refused: {error}")


async def _update_profile(shop: Shop, user: User) -> None:
    _step(f"Update the profile of {user.profile.name}: another phone number")
    phone = GRACE_PHONES[1] if user.profile.phone == GRACE_PHONES[0] else GRACE_PHONES[0]
    profile = Profile(user.profile.name, user.profile.email, phone)
    updated = _expect(await shop.users.update_profile(_as(user), user.id, profile, version=user.version))
    _say(f"phone: {user.profile.phone or 'none'} → {updated.profile.phone}, version {user.version} → {updated.version}")
    match await shop.users.update_profile(_as(user), user.id, profile, version=user.version):
        case Ok(_):
            raise _unexpected("a lost update")
        case Err(error):
            _say(f"refused with the previous version: {error}")


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
            raise _unexpected(str(outcome))
    match await shop.users.delete(_clerk(), user.id):
        case Err(UserHasOrders() as has_orders):
            _say(f"refused: {has_orders}; nothing was changed")
        case deletion:
            raise _unexpected(str(deletion))


async def _roll_back(shop: Shop, user: User) -> None:
    _step("Fail in the middle of a transaction: the order is written, the key of its request is too long, and everything is rolled back")
    before = _expect(await shop.reads.order_history(user.id, PAGE_SIZE)).items[0]
    broken = Context(Actor.user(user.id), "demo", once=Once("longer than the column is " * 10, b"1", lambda _: b""))
    try:
        await shop.orders.place(broken, NewOrder(user.id, (OrderLine("CARD-7", "Punched cards", 1, Money(19_90, Currency.EUR)),)))
    except StoreDefect as defect:
        _say(f"PostgreSQL: {defect}")
    after = _expect(await shop.reads.order_history(user.id, PAGE_SIZE)).items[0]
    if before != after:
        raise _unexpected("an order that was rolled back exists")
    _say("the order does not exist")


async def _consume(shop: Shop) -> None:
    _step("Publish the events of the outbox through NATS to their consumers")
    if shop.relay is None or shop.consumers is None:
        raise _unexpected("there is no broker")
    _say(f"relay: {await shop.relay.run_until_empty()} events published, {await shop.relay.run_until_empty()} in a second pass")
    sales = shop.consumers["sales"]
    handled = 0
    while settled := await sales.run_once():
        handled += settled
    _say(f"consumer sales: {handled} events handled, each with effect once")
    for day in _expect(await shop.reads.daily_sales(datetime.now(UTC).date())):
        _say(f"sales on {day.day}: {day.orders} orders, {written(day.revenue_minor, day.currency)}")


async def _read(shop: Shop, users: list[User]) -> None:
    _step("Query public profiles in one round trip, pages with opaque cursors, and a cached summary")
    ids = [*(user.id for user in users), UserId(uuid.uuid4())]
    profiles = _expect(await shop.reads.public_profiles(ids))
    for user_id in ids:
        profile = profiles.get(user_id)
        _say(f"{user_id}  {'unknown' if profile is None else f'{profile.first_name} {profile.last_name}'}")
    page = _expect(await shop.reads.users(PAGE_SIZE))
    _say(f"{len(page.items)} users on a page, next cursor: {page.next_cursor or 'none'}")
    for _ in range(2):
        hits = shop.cache.hits
        [totals] = _expect(await shop.reads.order_summary(users[0].id)).totals
        source = "Redis" if shop.cache.hits > hits else "PostgreSQL"
        _say(f"{users[0].profile.name}: {totals.orders} orders, {totals.shipped} shipped, {totals.spent} spent  (from {source})")


async def _audit(shop: Shop, order: Order) -> None:
    _step("List the audit log of the order")
    for entry in _expect(await shop.reads.audit_entries(f"order:{order.id}", size=10)).items:
        _say(f"{entry.at:%H:%M:%S.%f} {entry.action} by {entry.actor}: {entry.outcome} {entry.metadata}")


async def _delete_a_visitor(shop: Shop) -> None:
    _step("Register a visitor, and delete the visitor")
    visitor = await _register_or_find(shop, VISITOR)
    _expect(await shop.users.delete(_as(visitor), visitor.id))
    match await shop.reads.public_profile(visitor.id):
        case Ok(_):
            raise _unexpected("a deleted user still exists")
        case Err(error):
            _say(f"deleted: {error}")


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
            raise _unexpected(str(error))


def _unexpected(message: str) -> UnexpectedOutcome:
    return UnexpectedOutcome(f"unexpected outcome: {message}")


def _kept_spans() -> InMemorySpanExporter:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    set_tracer_provider(provider)
    return spans


def _show(spans: Sequence[ReadableSpan]) -> None:
    """Print the spans as a tree."""
    _step("Trace: each query by its name, its operation and table, and its time")
    trees: dict[int, Tree] = {}
    root = Tree("shop", hide_root=True)
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        said = span.attributes or {}
        line = Text(span.name)
        line.append(f"  {said.get('db.operation.name', '')} {said.get('db.collection.name', '')}".rstrip(), style="dim")
        line.append(f"  {((span.end_time or 0) - (span.start_time or 0)) / 1e6:.1f} ms", style="cyan")
        line.append(f"  {span.status.description}" if span.status.description else "", style="red")
        parent = trees.get(span.parent.span_id, root) if span.parent else root
        context = span.get_span_context()
        tree = parent.add(line)
        if context is not None:
            trees[context.span_id] = tree
    Console(highlight=False).print(root)


def _step(title: str) -> None:
    sys.stdout.write(f"\n▸ {title}\n")


def _say(line: str) -> None:
    sys.stdout.write(f"  {line}\n")


def _fail_with(message: str, *, status: int) -> int:
    sys.stderr.write(f"shop.demo: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
