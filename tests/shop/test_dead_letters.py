"""Replaying and discarding dead letters, for PostgreSQL and in memory."""

from __future__ import annotations

import uuid

import pytest

from shop.application.context import Actor, Context
from shop.application.messaging.consumer import Failed, Verdict
from shop.application.messaging.dead_letters import DeadLetters, ReplayFailed
from shop.application.messaging.messages import Message, read_message
from shop.application.messaging.sales import SalesLedger, record_sales
from shop.application.reads.dead_letters import DeadLetterNotFound
from shop.application.reads.models import DeadLetter
from shop.application.transactions.runner import Transactions
from shop.domain.events import Event, OrderPaid
from shop.domain.result import Err, Ok

from .events import ORDER, TOTAL, USER, message
from .ports import Messaging, Repositories

CONTEXT = Context(Actor.admin("clerk"), "pytest")


class Clerk:
    """Deals with dead letters of the consumer `sales`, whose handler fails as long as it is broken."""

    def __init__(self, messaging: Messaging) -> None:
        self.messaging = messaging
        self.is_broken = True
        self.letters = DeadLetters(Transactions(messaging.begin), {"sales": self.replay})

    async def handle(self, event: Event, sent: Message, ledger: SalesLedger) -> None:
        await record_sales(event, sent, ledger)
        if self.is_broken:
            raise RuntimeError("a mistake")

    async def replay(self, event: Event, sent: Message, stores: Repositories) -> Verdict:
        await self.handle(event, sent, stores.sales)
        return Verdict.HANDLED

    async def deliver(self, sent: Message) -> Verdict | Failed:
        return await self.messaging.process(self.handle, attempts=1)(sent)

    async def sold(self) -> int:
        return sum(day.orders for day in await self.messaging.sales())

    async def audited(self) -> list[tuple[str, str, dict[str, str]]]:
        async with self.messaging.open_reads() as reads:
            page = await reads.audit.page(None, 100, None)
        return [(entry.action, entry.outcome, entry.metadata) for entry in reversed(page.entries)]


async def test_a_replayed_letter_takes_effect_once_and_is_audited(messaging: Messaging) -> None:
    clerk, paid = Clerk(messaging), message(OrderPaid(ORDER, USER, TOTAL))
    assert await clerk.deliver(paid) is Verdict.DEAD
    clerk.is_broken = False
    assert await clerk.letters.replay(CONTEXT, "sales", paid.id) == Ok(None)
    assert (await clerk.sold(), await messaging.dead()) == (1, [])
    assert await clerk.letters.replay(CONTEXT, "sales", paid.id) == Err(DeadLetterNotFound("sales", paid.id))
    assert await clerk.deliver(paid) is Verdict.HANDLED
    assert await clerk.sold() == 1
    replay, again = await clerk.audited()
    assert replay == ("messages.replay", "done", {"consumer": "sales"})
    assert again == ("messages.replay", "refused", {"reason": "DeadLetterNotFound"})


async def test_a_letter_that_fails_again_stays_and_has_no_effect(messaging: Messaging) -> None:
    clerk, paid = Clerk(messaging), message(OrderPaid(ORDER, USER, TOTAL))
    await clerk.deliver(paid)
    assert await clerk.letters.replay(CONTEXT, "sales", paid.id) == Err(ReplayFailed("RuntimeError"))
    assert (await clerk.sold(), len(await messaging.dead())) == (0, 1)
    assert await clerk.audited() == [("messages.replay", "failed", {"reason": "MessageUnhandled"})]


async def test_a_letter_that_is_no_event_cannot_be_replayed(messaging: Messaging) -> None:
    clerk, unreadable = Clerk(messaging), read_message(b"not a message")
    await clerk.deliver(unreadable)
    assert await clerk.letters.replay(CONTEXT, "sales", unreadable.id) == Err(ReplayFailed("unknown event type Unreadable"))


async def test_a_discarded_letter_never_takes_effect(messaging: Messaging) -> None:
    clerk, paid = Clerk(messaging), message(OrderPaid(ORDER, USER, TOTAL))
    await clerk.deliver(paid)
    assert await clerk.letters.discard(CONTEXT, "sales", paid.id) == Ok(None)
    clerk.is_broken = False
    assert await clerk.deliver(paid) is Verdict.HANDLED
    assert (await clerk.sold(), await messaging.dead()) == (0, [])
    assert await clerk.audited() == [("messages.discard", "done", {"consumer": "sales"})]


async def refused(messaging: Messaging) -> uuid.UUID:
    """Write an event that the broker refuses for good."""
    await messaging.write(OrderPaid(ORDER, USER, TOTAL))
    async with messaging.pending.claim(1, 60) as batch:
        [pending] = batch.messages
        await batch.refused(pending.position, "too large", 60, is_final=True)
    return pending.message.id


async def test_a_letter_of_the_relay_is_published_again(messaging: Messaging) -> None:
    message_id = await refused(messaging)
    assert await Clerk(messaging).letters.replay(CONTEXT, "relay", message_id) == Ok(None)
    async with messaging.pending.claim(1, 60) as batch:
        assert [(each.message.id, each.attempts) for each in batch.messages] == [(message_id, 0)]
    assert await messaging.dead() == []


async def test_a_discarded_letter_of_the_relay_is_not_published(messaging: Messaging) -> None:
    message_id = await refused(messaging)
    assert await Clerk(messaging).letters.discard(CONTEXT, "relay", message_id) == Ok(None)
    async with messaging.pending.claim(1, 60) as batch:
        assert not batch.messages
    assert await messaging.dead() == []


@pytest.mark.parametrize("consumer", ["sales", "relay", "unheard"])
async def test_only_a_dead_letter_can_be_dealt_with(messaging: Messaging, consumer: str) -> None:
    clerk, paid = Clerk(messaging), message(OrderPaid(ORDER, USER, TOTAL))
    clerk.is_broken = False
    assert await clerk.deliver(paid) is Verdict.HANDLED
    missing = Err(DeadLetterNotFound(consumer, paid.id))
    assert await clerk.letters.replay(CONTEXT, consumer, paid.id) == missing
    assert await clerk.letters.discard(CONTEXT, consumer, paid.id) == missing
    async with messaging.open_reads() as reads:
        assert await reads.dead_letters.get(consumer, paid.id) is None
    refused = ("refused", {"reason": "DeadLetterNotFound"})
    assert await clerk.audited() == [("messages.replay", *refused), ("messages.discard", *refused)]


async def test_a_letter_is_shown_with_its_message(messaging: Messaging) -> None:
    clerk, paid = Clerk(messaging), message(OrderPaid(ORDER, USER, TOTAL))
    await clerk.deliver(paid)
    unpublished = await refused(messaging)
    async with messaging.open_reads() as reads:
        kept, waiting = await reads.dead_letters.get("sales", paid.id), await reads.dead_letters.get("relay", unpublished)
    assert kept is not None
    assert Message.model_validate(kept.message) == paid
    assert waiting is not None
    assert (waiting.last_error, Message.model_validate(waiting.message).payload) == ("too large", paid.payload)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
async def test_pages_of_any_size_contain_every_letter_of_both_tables_once_newest_first(messaging: Messaging, size: int) -> None:
    clerk = Clerk(messaging)
    for _ in range(2):
        await refused(messaging)
        for _ in range(2):
            await clerk.deliver(message(OrderPaid(ORDER, USER, TOTAL)))
    async with messaging.open_reads() as reads:
        whole = (await reads.dead_letters.page(100)).letters
        found, after = list[DeadLetter](), None
        while True:
            page = await reads.dead_letters.page(size, after)
            found += page.letters
            after = page.following
            if after is None:
                break
            assert len(page.letters) == size
    assert (len(found), found) == (6, list(whole))
    assert [each.dead_at for each in found] == sorted((each.dead_at for each in found), reverse=True)
    assert {each.consumer for each in found} == {"sales", "relay"}


async def test_a_page_of_letters_has_at_least_1(messaging: Messaging) -> None:
    async with messaging.open_reads() as reads:
        with pytest.raises(ValueError, match="a page has at least one dead letter, not 0"):
            await reads.dead_letters.page(0)
