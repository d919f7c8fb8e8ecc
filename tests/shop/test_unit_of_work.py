"""What a `UnitOfWork` promises, kept by PostgreSQL's and by the one in memory."""

from __future__ import annotations

from contextlib import suppress

import pytest

from shop.application.unit_of_work import BeginUnitOfWork, TransactionConflict, UnitOfWork, UnitOfWorkClosed
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile, User
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))


class ChangedMyMind(Exception):
    """What a block raises that wants nothing kept."""


async def add(uow: UnitOfWork, profile: Profile) -> User:
    added = await uow.users.add(NewUser(profile, HASH))
    assert isinstance(added, Ok)
    return added.value


async def is_there(begin: BeginUnitOfWork, profile: Profile) -> bool:
    async with begin() as uow:
        return isinstance(await uow.users.get_by_email(profile.email), Ok)


async def test_what_was_committed_is_there(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        await uow.commit()
    assert await is_there(begin, ADA)


async def test_what_was_not_committed_is_not(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        await add(uow, ADA)
    assert not await is_there(begin, ADA)


async def test_a_block_that_raises_leaves_nothing_behind(begin: BeginUnitOfWork) -> None:
    with suppress(ChangedMyMind):
        async with begin() as uow:
            await add(uow, ADA)
            raise ChangedMyMind
    assert not await is_there(begin, ADA)


async def test_others_do_not_see_what_is_not_committed_yet(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        assert not await is_there(begin, ADA)
        await uow.commit()


async def test_a_savepoint_that_raises_is_undone_and_what_was_before_is_kept(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        with suppress(ChangedMyMind):
            async with uow.savepoint():
                await add(uow, GRACE)
                raise ChangedMyMind
        await uow.commit()
    assert (await is_there(begin, ADA), await is_there(begin, GRACE)) == (True, False)


async def test_an_inner_savepoint_goes_with_the_outer_one(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        with suppress(ChangedMyMind):
            async with uow.savepoint():
                async with uow.savepoint():
                    await add(uow, ADA)
                raise ChangedMyMind
        await add(uow, GRACE)
        await uow.commit()
    assert (await is_there(begin, ADA), await is_there(begin, GRACE)) == (False, True)


async def test_repositories_are_closed_with_their_unit_of_work(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        users = uow.users
    with pytest.raises(UnitOfWorkClosed):
        await users.get_by_email(ADA.email)


async def test_repositories_are_closed_by_the_commit(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        await uow.commit()
        with pytest.raises(UnitOfWorkClosed):
            await uow.users.get_by_email(ADA.email)
        with pytest.raises(UnitOfWorkClosed):
            await uow.commit()


async def test_of_two_who_read_the_same_the_later_to_write_loses_no_update(begin: BeginUnitOfWork) -> None:
    async with begin() as uow:
        ada = await add(uow, ADA)
        await uow.commit()
    outcomes: list[str] = []
    async with begin() as first, begin() as second:
        for uow, phone in ((first, "+1 555 0001"), (second, "+1 555 0002")):
            profile = Profile(ADA.name, ADA.email, PhoneNumber(phone))
            try:
                updated = await uow.users.update_profile(ada.id, profile, version=ada.version)
                await uow.commit()
            except TransactionConflict:
                outcomes.append("conflict")
            else:
                outcomes.append("ok" if isinstance(updated, Ok) else "conflict")
                assert updated == Err(ChangedMeanwhile("user", ada.id)) or isinstance(updated, Ok)
    assert outcomes == ["ok", "conflict"]
    async with begin() as uow:
        kept = await uow.users.get(ada.id)
        assert isinstance(kept, Ok)
        assert kept.value.profile.phone == PhoneNumber("+1 555 0001")
