"""A story on real rows: `python -m shop.demo`, with DATABASE_URL naming a migrated database.

It tells what it does and can be told again: a second run meets the users of the first, and goes on with them.
Exit status: 0 told to its end; 1 the database is not ready, or an outcome was not the story's; 2 DATABASE_URL is missing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from typing import TypeVar

from shop.application.context import Actor, Context
from shop.bootstrap import DatabaseNotReady, Shop, open_shop
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, Profile, User, UserHasOrders
from shop.domain.values import EmailAddress, Password, PersonName, PhoneNumber, UserId

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
        asyncio.run(tell(database_url))
    except DatabaseNotReady as error:
        return _complain(f"{error}\nIs DATABASE_URL right, and has `dbmate up` been run on it?", status=1)
    except StoryBroken as error:
        return _complain(str(error), status=1)
    return 0


async def tell(database_url: str) -> None:
    """Tell the whole story. Raises `DatabaseNotReady` or `StoryBroken`."""
    async with open_shop(database_url) as shop:
        ada, grace = await _register(shop)
        await _refuse_a_second_ada(shop)
        await _log_in(shop)
        await _update_profile(shop, grace)
        order = await _order(shop, ada)
        await _refuse(shop, ada, order)
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


async def _read(shop: Shop, users: list[User]) -> None:
    _step("Read: public profiles in one round trip, pages by opaque cursors, a summary")
    ids = [*(user.id for user in users), UserId(uuid.uuid4())]
    profiles = _expect(await shop.reads.public_profiles(ids))
    for user_id in ids:
        profile = profiles.get(user_id)
        _say(f"{user_id}  {'nobody' if profile is None else f'{profile.first_name} {profile.last_name}'}")
    page = _expect(await shop.reads.users(PAGE_SIZE))
    _say(f"{len(page.items)} users on a page, next cursor: {page.next_cursor or 'none, it is the last'}")
    for totals in _expect(await shop.reads.order_summary(users[0].id)).totals:
        _say(f"{users[0].profile.name}: {totals.orders} orders, {totals.shipped} shipped, {totals.spent} spent")


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
