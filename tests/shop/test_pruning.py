"""The contracts of settled messages and dead letters, for PostgreSQL and in memory, and pruning on both."""

from __future__ import annotations

from datetime import datetime, timedelta

from shop.application.commands.pruning import MessagePruning, Pruned, Pruning
from shop.application.context import Actor, Context
from shop.application.messaging.broker import Place
from shop.application.messaging.consumer import Verdict
from shop.application.messaging.messages import Message
from shop.application.transactions.runner import Transactions
from shop.domain.events import OrderPaid, OrderPlaced, UserDeleted, UserRegistered

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


async def handle(messaging: Messaging, sent: Message) -> None:
    async with messaging.inbox("sales").enter(sent) as entry:
        await entry.handled()


async def is_known(messaging: Messaging, sent: Message) -> bool:
    async with messaging.inbox("sales").enter(sent) as entry:
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


async def test_messages_published_before_a_time_are_removed(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), UserDeleted(USER))
    await publish(messaging)
    between = await now(messaging)
    await publish(messaging)
    assert await prune_outbox(messaging, between) == 1
    assert await prune_outbox(messaging, between) == 0
    assert await prune_outbox(messaging, await later(messaging)) == 1


async def test_pending_messages_and_dead_letters_stay_in_the_outbox(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))
    async with messaging.pending.claim(1, 60) as batch:
        await batch.refused(batch.messages[0].position, "too large", 0, is_final=True)
    assert await prune_outbox(messaging, await later(messaging)) == 0
    assert [consumer for consumer, *_ in await messaging.dead()] == ["relay"]
    assert [sent.event_type for sent in await publish(messaging)] == ["OrderPlaced"]


async def test_no_more_than_the_maximum_is_removed_from_the_outbox(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPlaced(ORDER, USER, TOTAL))
    await publish(messaging)
    assert [await prune_outbox(messaging, await later(messaging), at_most=1) for _ in range(3)] == [1, 1, 0]


# --- The inbox ----------------------------------------------------------------------------------------------------------


async def test_messages_handled_before_a_time_are_removed(messaging: Messaging) -> None:
    first, second = message(UserRegistered(USER)), message(UserDeleted(USER))
    await handle(messaging, first)
    between = await now(messaging)
    await handle(messaging, second)
    assert await prune_inbox(messaging, between) == 1
    assert (await is_known(messaging, first), await is_known(messaging, second)) == (False, True)


async def test_no_more_than_the_maximum_is_removed_from_the_inbox_oldest_first(messaging: Messaging) -> None:
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


async def test_a_message_that_the_relay_may_publish_again_stays_in_the_inbox(messaging: Messaging) -> None:
    # Published and handled, but the relay died before it recorded that.
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(1, 60) as batch:
        paid = batch.messages[0].message
    process = messaging.process()
    assert await process(paid) is Verdict.HANDLED
    assert await prune_inbox(messaging, await later(messaging)) == 0
    assert await publish(messaging) == [paid]
    assert await process(paid) is Verdict.HANDLED
    assert [day.orders for day in await messaging.sales()] == [1]


async def test_a_message_that_is_still_in_the_outbox_stays_in_the_inbox(messaging: Messaging) -> None:
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


async def test_pruning_removes_batches_with_an_audit_entry_each(messaging: Messaging) -> None:
    await messaging.write(UserRegistered(USER), OrderPaid(ORDER, USER, TOTAL))
    for sent in await publish(messaging):
        await handle(messaging, sent)
    pruning = MessagePruning(Transactions(messaging.begin), timedelta(0), timedelta(0), batch_size=1)
    assert await pruning.prune(CONTEXT) == Pruning(Pruned(2, 2, 0, 0), [])
    assert await pruning.prune(CONTEXT) == Pruning(Pruned(), [])
    removed = [{name: "1"} for name in ("inbox", "inbox", "outbox", "outbox")]
    assert await audited(messaging) == [("admin:clerk", "messages.prune", each) for each in removed]


async def test_messages_within_the_retention_are_not_removed(messaging: Messaging) -> None:
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    for sent in await publish(messaging):
        await handle(messaging, sent)
    pruning = MessagePruning(Transactions(messaging.begin), timedelta(days=1), timedelta(days=1))
    assert await pruning.prune(CONTEXT) == Pruning(Pruned(), [])
    assert await audited(messaging) == []
