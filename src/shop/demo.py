"""A short story on real rows: `python -m shop.demo`, with DATABASE_URL naming a migrated database.

It tells what it does and can be told again: a second run meets the users of the first, and goes on with them.
Exit status: 0 told to its end; 1 the database is not ready, or an outcome was not the story's; 2 DATABASE_URL is missing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from typing import TypeVar

from shop.application.user_directory import UserPageKey
from shop.bootstrap import DatabaseNotReady, Shop, open_shop
from shop.domain.result import Err, Ok, Result
from shop.domain.users import EmailTaken, NewUser, Profile, User, UserNotFound
from shop.domain.values import EmailAddress, PersonName, PhoneNumber, UserId

T = TypeVar("T")

ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("Ada@example.org"), PhoneNumber("+44 20 7946 0018"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
BARBARA = Profile(PersonName("Barbara", "Liskov"), EmailAddress("barbara@example.org"))
VISITOR = Profile(PersonName("Just", "Visiting"), EmailAddress("visitor@example.org"))

GRACE_PHONES = (PhoneNumber("+1 202 555 0143"), PhoneNumber("+1 202 555 0186"))
OLD_PASSWORD = "correct horse"  # noqa: S105 of invented people
NEW_PASSWORD = "battery staple"  # noqa: S105 as above
PAGE_SIZE = 2
PAGES_TOLD = 3


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
        await _count(shop)
        ada, grace, barbara = await _register(shop)
        await _refuse_a_second_ada(shop)
        await _find(shop, ada)
        await _update_profile(shop, grace)
        await _change_password(shop, barbara)
        await _read_public_profiles(shop, [ada, grace, barbara])
        await _list_pages(shop)
        await _come_and_go(shop)


async def _count(shop: Shop) -> None:
    _step("Who is here?")
    async with shop.transaction() as tx:
        count = await tx.directory.count()
    _say(f"{count} users" if count else "nobody yet")


async def _register(shop: Shop) -> list[User]:
    _step("Register three users, each with a hashed password")
    return [await _register_or_meet(shop, profile) for profile in (ADA, GRACE, BARBARA)]


async def _register_or_meet(shop: Shop, profile: Profile) -> User:
    password = await shop.passwords.hash(OLD_PASSWORD)
    async with shop.transaction() as tx:
        match await tx.users.add(NewUser(profile, password)):
            case Ok(user):
                _say(f"registered {_sketch(user)}")
                return user
            case Err(EmailTaken(email)):
                # The transaction goes on: the refused insert was undone to a savepoint.
                user = _expect(await tx.users.get_by_email(email))
                _say(f"already here from an earlier run: {_sketch(user)}")
                return user


async def _refuse_a_second_ada(shop: Shop) -> None:
    email = EmailAddress(ADA.email.text.upper())
    _step(f"Register {email}: the same address in another case")
    password = await shop.passwords.hash(OLD_PASSWORD)
    async with shop.transaction() as tx:
        match await tx.users.add(NewUser(Profile(PersonName("Ada", "Again"), email), password)):
            case Ok(user):
                raise _broken(f"two users with one address: {user.id}")
            case Err(error):
                _say(f"refused: {error}")


async def _find(shop: Shop, user: User) -> None:
    _step("Find one user by id, and by e-mail in another case")
    async with shop.transaction() as tx:
        by_id = _expect(await tx.users.get(user.id))
        by_email = _expect(await tx.users.get_by_email(EmailAddress(user.profile.email.text.lower())))
    if by_id != by_email:
        raise _broken(f"{by_id.id} and {by_email.id} should be one user")
    _say(f"both ways: {_sketch(by_id)}")


async def _update_profile(shop: Shop, user: User) -> None:
    _step(f"Update a profile: {user.profile.name} has another phone")
    phone = GRACE_PHONES[1] if user.profile.phone == GRACE_PHONES[0] else GRACE_PHONES[0]
    async with shop.transaction() as tx:
        updated = _expect(await tx.users.update_profile(user.id, Profile(user.profile.name, user.profile.email, phone)))
    _say(f"phone: {user.profile.phone or 'none'} → {updated.profile.phone}")
    _say(f"updated_at: {user.updated_at:%H:%M:%S.%f} → {updated.updated_at:%H:%M:%S.%f}")


async def _change_password(shop: Shop, user: User) -> None:
    _step(f"Change a password: {user.profile.name} swaps one for another")
    old, new = OLD_PASSWORD, NEW_PASSWORD
    if not await shop.passwords.verify(old, user.password):
        old, new = new, old
    password = await shop.passwords.hash(new)
    async with shop.transaction() as tx:
        _expect(await tx.users.update_password(user.id, password))
        stored = _expect(await tx.users.get(user.id)).password
    for label, text in (("old", old), ("new", new)):
        _say(f"the {label} one {'opens' if await shop.passwords.verify(text, stored) else 'does not open'}")


async def _read_public_profiles(shop: Shop, users: list[User]) -> None:
    _step("Read public profiles in one round trip, with an id that nobody has among them")
    nobody = UserId(uuid.uuid4())
    ids = [*(user.id for user in users), nobody]
    async with shop.transaction() as tx:
        profiles = await tx.directory.public_profiles(ids)
    for user_id in ids:
        profile = profiles.get(user_id)
        _say(f"{user_id}  {'nobody' if profile is None else f'{profile.first_name} {profile.last_name}'}")


async def _list_pages(shop: Shop) -> None:
    _step(f"List users by registration, {PAGE_SIZE} to a page")
    after: UserPageKey | None = None
    for number in range(1, PAGES_TOLD + 1):
        async with shop.transaction() as tx:
            page = await tx.directory.page(PAGE_SIZE, after)
        for user in page.users:
            _say(f"page {number}: {user.created_at:%Y-%m-%d %H:%M:%S}  {user.first_name} {user.last_name} <{user.email}>")
        after = page.following
        if after is None:
            return
    _say("and so on")


async def _come_and_go(shop: Shop) -> None:
    _step("Register a visitor, delete it, and look for it")
    visitor = await _register_or_meet(shop, VISITOR)
    async with shop.transaction() as tx:
        _expect(await tx.users.delete(visitor.id))
    async with shop.transaction() as tx:
        match await tx.users.get(visitor.id):
            case Ok(_):
                raise _broken("a deleted user is still there")
            case Err(UserNotFound() as error):
                _say(f"gone: {error}")


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
