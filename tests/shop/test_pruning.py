"""The contracts of settled messages and dead letters, for PostgreSQL and in memory, and pruning on both."""

from __future__ import annotations

from datetime import datetime, timedelta

from shop.application.commands.pruning import MessagePruning, Pruned
from shop.application.context import Actor, Context
from shop.application.messaging.broker import Place
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.idempotent_consumer import IdempotentConsumer
from shop.application.messaging.messages import Message
from shop.application.messaging.sales import record_sales
from shop.application.transactions.runner import Transactions
from shop.domain.events import OrderPaid, OrderPlaced, UserDeleted, UserRegistered
from shop.domain.result import Ok

from .events import ORDER, TOTAL, USER, message
from .ports import Messaging

CONTEXT = Context(Actor.admin("clerk"), "pytest")


async def now(messaging: Messaging) -> datetime:
    async with messaging.begin() as uow:
        return await uow.repositories.messages.now()


async def later(messaging: Messaging) -> datetime:
    return await now(messaging) + timedelta(seconds=1)


async def publish(messaging: Messaging) -> list[Message]:
    async with messaging.pending.claim(100, 60) as batch:
        await batch.published({waiting.position: Place("SHOP", waiting.position) for waiting in batch.messages})
        return [waiting.message for waiting in batch.messages]


async def handle(messaging: Messaging, told: Message) -> None:
    async with messaging.inbox("sales").enter(told) as entry:
        await entry.handled()


async def is_known(messaging: Messaging, told: Message) -> bool:
    async with messaging.inbox("sales").enter(told) as entry:
        return entry.is_settled


async def prune_outbox(messaging: Messaging, before: datetime, at_most: int = 100) -> int:
    async with messaging.begin() as uow:
        pruned = await uow.repositories.messages.prune_outbox(before, at_most)
        await uow.commit()
    return pruned


async def prune_inbox(messaging: Messaging, before: datetime, at_most: int = 100) -> int:
    async with messaging.begin() as uow:
        pruned = await uow.repositories.messages.prune_inbox(before, at_most)
        await uow.commit()
    return pruned


# --- The outbox ---------------------------------------------------------------------------------------------------------


async def test_what_was_published_before_is_removed_and_what_was_published_since_is_not(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), UserDeleted(USER))
    await publish(messaging)
    between = await now(messaging)
    await publish(messaging)
    assert await prune_outbox(messaging, between) == 1
    assert await prune_outbox(messaging, between) == 0
    assert await prune_outbox(messaging, await later(messaging)) == 1


async def test_what_waits_and_what_was_given_up_stays_in_the_outbox(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))
    async with messaging.pending.claim(1, 60) as batch:
        await batch.refused(batch.messages[0].position, "too large", 0, is_final=True)
    assert await prune_outbox(messaging, await later(messaging)) == 0
    assert [consumer for consumer, *_ in await messaging.dead()] == ["relay"]
    assert [told.event_type for told in await publish(messaging)] == ["OrderPlaced"]


async def test_no_more_is_removed_from_the_outbox_at_once_than_was_asked_for(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))
    await publish(messaging)
    assert [await prune_outbox(messaging, await later(messaging), at_most=1) for _ in range(3)] == [1, 1, 0]


# --- The inbox ----------------------------------------------------------------------------------------------------------


async def test_what_was_handled_before_is_forgotten_and_what_was_handled_since_is_not(messaging: Messaging) -> None:
    first, second = message(UserRegistered(USER)), message(UserDeleted(USER))
    await handle(messaging, first)
    between = await now(messaging)
    await handle(messaging, second)
    assert await prune_inbox(messaging, between) == 1
    assert (await is_known(messaging, first), await is_known(messaging, second)) == (False, True)


async def test_no_more_is_forgotten_at_once_than_was_asked_for_and_the_oldest_first(messaging: Messaging) -> None:
    first, second = message(UserRegistered(USER)), message(UserDeleted(USER))
    await handle(messaging, first)
    await handle(messaging, second)
    assert await prune_inbox(messaging, await later(messaging), at_most=1) == 1
    assert (await is_known(messaging, first), await is_known(messaging, second)) == (False, True)


async def test_failures_and_dead_letters_stay_in_the_inbox(messaging: Messaging) -> None:
    paid, inbox = message(OrderPaid(ORDER, USER, TOTAL)), messaging.inbox("sales")
    await inbox.count_failure(paid, "a mistake")
    assert await prune_inbox(messaging, await later(messaging)) == 0
    await inbox.bury(paid)
    assert await prune_inbox(messaging, await later(messaging)) == 0
    assert len(await messaging.dead()) == 1


async def test_what_the_relay_may_publish_again_is_not_forgotten(messaging: Messaging) -> None:
    # The broker has it and a consumer handled it, and the relay died before it noted that.
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(1, 60) as batch:
        paid = batch.messages[0].message
    process = IdempotentConsumer(messaging.inbox("sales"), record_sales)
    assert await process(paid) is Verdict.HANDLED
    assert await prune_inbox(messaging, await later(messaging)) == 0
    assert await publish(messaging) == [paid]
    assert await process(paid) is Verdict.HANDLED
    assert [day.orders for day in await messaging.sales()] == [1]


async def test_what_the_outbox_still_has_is_not_forgotten_for_it_may_be_published_again(messaging: Messaging) -> None:
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    [paid] = await publish(messaging)
    await handle(messaging, paid)
    assert await prune_inbox(messaging, await later(messaging)) == 0
    assert await prune_outbox(messaging, await later(messaging)) == 1
    assert await prune_inbox(messaging, await later(messaging)) == 1


# --- The use case -------------------------------------------------------------------------------------------------------


async def audited(messaging: Messaging) -> list[tuple[str, str, dict[str, str]]]:
    async with messaging.open_reads() as reads:
        page = await reads.audit.page("messages", 10)
    return [(entry.actor, entry.action, entry.metadata) for entry in page.entries]


async def test_pruning_goes_by_batches_until_nothing_is_left_each_with_its_audit_entry(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPaid(ORDER, USER, TOTAL))
    for told in await publish(messaging):
        await handle(messaging, told)
    pruning = MessagePruning(Transactions(messaging.begin), timedelta(0), batch_size=1)
    outcomes = [await pruning.prune_batch(CONTEXT) for _ in range(3)]
    assert sum((outcome.value for outcome in outcomes if isinstance(outcome, Ok)), Pruned(0, 0)) == Pruned(2, 2)
    assert outcomes[-1] == Ok(Pruned(0, 0))
    assert await audited(messaging) == [("admin:clerk", "messages.prune", {"outbox": "1", "inbox": "1"})] * 2


async def test_what_is_younger_than_messages_are_kept_is_left_alone(messaging: Messaging) -> None:
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    for told in await publish(messaging):
        await handle(messaging, told)
    assert await MessagePruning(Transactions(messaging.begin), timedelta(days=1)).prune_batch(CONTEXT) == Ok(Pruned(0, 0))
    assert await audited(messaging) == []
