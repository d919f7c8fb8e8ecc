"""The contract of a `UnitOfWork`, for PostgreSQL and in memory."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from shop.application.transactions.failures import TransactionConflict, UnitOfWorkClosed
from shop.application.transactions.unit_of_work import BeginUnitOfWork, UnitOfWork
from shop.domain.concurrency import ChangedMeanwhile
from shop.domain.events import OrderPaid, OrderPlaced, UserDeleted, UserPasswordChanged, UserProfileUpdated, UserRegistered
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Err, Ok
from shop.domain.users import NewUser, Profile, User
from shop.domain.values import EmailAddress, PasswordHash, PersonName, PhoneNumber

from .ports import Repositories

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
ADA = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"))
GRACE = Profile(PersonName("Grace", "Hopper"), EmailAddress("grace@example.org"))
LINE = OrderLine("BOOK-1", "A book", 1, Money(10_00, Currency.EUR))


class ChangedMyMind(Exception):
    """Raised by a block to roll back."""


async def add(uow: UnitOfWork[Repositories], profile: Profile) -> User:
    added = await uow.repositories.users.add(NewUser(profile, HASH))
    assert isinstance(added, Ok)
    return added.value


async def is_there(begin: BeginUnitOfWork[Repositories], profile: Profile) -> bool:
    async with begin() as uow:
        return isinstance(await uow.repositories.users.get_by_email(profile.email), Ok)


async def test_committed_writes_are_visible(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        await uow.commit()
    assert await is_there(begin, ADA)


async def test_uncommitted_writes_are_rolled_back(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        await add(uow, ADA)
    assert not await is_there(begin, ADA)


async def test_a_block_that_raises_writes_nothing(begin: BeginUnitOfWork[Repositories]) -> None:
    with suppress(ChangedMyMind):
        async with begin() as uow:
            await add(uow, ADA)
            raise ChangedMyMind
    assert not await is_there(begin, ADA)


async def test_uncommitted_writes_are_invisible_to_others(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        assert not await is_there(begin, ADA)
        await uow.commit()


async def test_a_savepoint_that_raises_undoes_only_its_own_writes(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        await add(uow, ADA)
        with suppress(ChangedMyMind):
            async with uow.savepoint():
                await add(uow, GRACE)
                raise ChangedMyMind
        await uow.commit()
    assert (await is_there(begin, ADA), await is_there(begin, GRACE)) == (True, False)


async def test_an_outer_savepoint_undoes_the_inner_one(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        with suppress(ChangedMyMind):
            async with uow.savepoint():
                async with uow.savepoint():
                    await add(uow, ADA)
                raise ChangedMyMind
        await add(uow, GRACE)
        await uow.commit()
    assert (await is_there(begin, ADA), await is_there(begin, GRACE)) == (False, True)


async def test_repositories_are_closed_with_their_unit_of_work(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        users = uow.repositories.users
    with pytest.raises(UnitOfWorkClosed):
        await users.get_by_email(ADA.email)


async def test_repositories_are_closed_by_the_commit(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        await uow.commit()
        with pytest.raises(UnitOfWorkClosed):
            await uow.repositories.users.get_by_email(ADA.email)
        with pytest.raises(UnitOfWorkClosed):
            await uow.commit()


async def test_the_later_of_two_writers_of_one_version_is_refused(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        ada = await add(uow, ADA)
        await uow.commit()
    outcomes: list[str] = []
    async with begin() as first, begin() as second:
        for uow, phone in ((first, "+1 555 0001"), (second, "+1 555 0002")):
            profile = Profile(ADA.name, ADA.email, PhoneNumber(phone))
            try:
                updated = await uow.repositories.users.save_profile(replace(ada, profile=profile))
                await uow.commit()
            except TransactionConflict:
                outcomes.append("conflict")
            else:
                outcomes.append("ok" if isinstance(updated, Ok) else "conflict")
                assert updated == Err(ChangedMeanwhile("user", ada.id)) or isinstance(updated, Ok)
    assert outcomes == ["ok", "conflict"]
    async with begin() as uow:
        kept = await uow.repositories.users.get(ada.id)
        assert isinstance(kept, Ok)
        assert kept.value.profile.phone == PhoneNumber("+1 555 0001")


async def test_the_events_of_saved_aggregates_are_collected_in_order(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        users, orders = uow.repositories.users, uow.repositories.orders
        ada, grace = await add(uow, ADA), await add(uow, GRACE)
        assert isinstance(await users.add(NewUser(ADA, HASH)), Err)
        assert isinstance(await users.save_profile(grace.update_profile(ADA)), Err)
        updated = await users.save_profile(ada.update_profile(ADA))
        assert isinstance(await users.save_password(ada.change_password(HASH)), Err)
        assert isinstance(updated, Ok)
        assert isinstance(await users.save_password(updated.value.change_password(HASH)), Ok)
        assert isinstance(await users.delete(grace.delete()), Ok)
        assert isinstance(await users.delete(grace.delete()), Err)
        placed = await orders.add(NewOrder(ada.id, (LINE,)))
        assert isinstance(placed, Ok)
        paid = placed.value.pay()
        assert isinstance(paid, Ok)
        saved = await orders.save_status(paid.value)
        assert isinstance(await orders.save_status(paid.value), Err)
        assert list(uow.events) == [
            UserRegistered(ada.id),
            UserRegistered(grace.id),
            UserProfileUpdated(ada.id),
            UserPasswordChanged(ada.id),
            UserDeleted(grace.id),
            OrderPlaced(placed.value.id, ada.id, LINE.total),
            OrderPaid(placed.value.id, ada.id, LINE.total),
        ]
        for result in (updated, placed, saved):
            assert isinstance(result, Ok)
            assert result.value.events == ()


async def test_the_events_of_a_savepoint_that_raises_are_dropped(begin: BeginUnitOfWork[Repositories]) -> None:
    async with begin() as uow:
        ada = await add(uow, ADA)
        with suppress(ChangedMyMind):
            async with uow.savepoint():
                await add(uow, GRACE)
                raise ChangedMyMind
        assert list(uow.events) == [UserRegistered(ada.id)]
