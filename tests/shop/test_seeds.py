"""The contract of a `SeedRepository`, for PostgreSQL and in memory, and the generated data."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from shop.application.commands.seed_data import SeedBatch, generate
from shop.application.commands.seeds import SeedCommands
from shop.application.context import Actor, Context
from shop.application.transactions.audit import AuditOutcome
from shop.application.transactions.runner import Transactions
from shop.domain.result import Ok
from shop.domain.users import NewUser
from shop.domain.values import EmailAddress, PasswordHash

from .ports import Messaging

HASH = PasswordHash("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
CONTEXT = Context(Actor.admin("clerk"), "pytest")


def batch(number: int = 7, users: int = 20) -> SeedBatch:
    [invented] = generate(number, users, HASH)
    return invented


def test_the_same_number_yields_the_same_data_and_another_yields_other_data() -> None:
    assert batch(7) == batch(7)
    assert {user.id for user in batch(7).users}.isdisjoint(user.id for user in batch(8).users)


def test_large_amounts_are_split_into_batches() -> None:
    batches = list(generate(7, 1200, HASH))
    assert len(batches) > 1
    assert len(set(chain.from_iterable((user.id for user in each.users) for each in batches))) == 1200


async def test_generated_data_is_written_unchanged(messaging: Messaging) -> None:
    invented = batch()
    async with messaging.begin() as uow:
        assert await uow.repositories.seeds.add(invented) == len(invented.users)
        await uow.commit()
    async with messaging.begin() as uow:
        assert [await uow.repositories.users.get(user.id) for user in invented.users] == [Ok(user) for user in invented.users]
        assert [await uow.repositories.orders.get(order.id) for order in invented.orders] == [Ok(order) for order in invented.orders]


async def test_existing_users_are_left_out_with_their_orders(messaging: Messaging) -> None:
    invented = batch()
    half = SeedBatch(invented.users[:10], ())
    async with messaging.begin() as uow:
        await uow.repositories.seeds.add(half)
        assert await uow.repositories.seeds.add(invented) == len(invented.users) - 10
        await uow.commit()
    old = {user.id for user in half.users}
    async with messaging.begin() as uow:
        found = [isinstance(await uow.repositories.orders.get(order.id), Ok) for order in invented.orders]
    assert found == [order.user_id not in old for order in invented.orders]


async def test_users_whose_address_is_taken_are_left_out_with_their_orders(messaging: Messaging) -> None:
    invented = batch()
    rival = invented.users[3]
    shouted = replace(rival.profile, email=EmailAddress(rival.profile.email.text.upper()))
    async with messaging.begin() as uow:
        assert isinstance(await uow.repositories.users.add(NewUser(shouted, HASH)), Ok)
        assert await uow.repositories.seeds.add(invented) == len(invented.users) - 1
        await uow.commit()
    async with messaging.begin() as uow:
        found = [isinstance(await uow.repositories.orders.get(order.id), Ok) for order in invented.orders]
    assert found == [order.user_id != rival.id for order in invented.orders]


async def test_a_batch_is_audited_unless_it_existed(messaging: Messaging) -> None:
    commands = SeedCommands(Transactions(messaging.begin))
    assert [await commands.write(CONTEXT, 7, batch()) for _ in range(2)] == [Ok(20), Ok(0)]
    async with messaging.open_reads() as reads:
        [entry] = (await reads.audit.page("seeds:7", 10)).entries
    assert (entry.actor, entry.action, entry.outcome, entry.metadata) == ("admin:clerk", "seeds.write", AuditOutcome.DONE, {"users": "20"})
