"""The rules of orders and money, in the domain."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.domain.events import Event, OrderCancelled, OrderPaid, OrderPlaced, OrderShipped
from shop.domain.money import Currency, Money, written
from shop.domain.orders import MAX_LINES, NewOrder, Order, OrderLine, OrderStatus, UnacceptableOrder, WrongStatus
from shop.domain.result import Err, Ok, Result
from shop.domain.values import InvalidValue, OrderId, UserId

ONE_EURO = Money(100, Currency.EUR)
LINE = OrderLine("BOOK-1", "A book", 2, Money(12_50, Currency.EUR))
USER = UserId(uuid.UUID(int=7))
monies = st.builds(Money, st.integers(0, 10**12), st.just(Currency.EUR))


def order(status: OrderStatus) -> Order:
    now = datetime.now(UTC)
    return Order(OrderId(uuid.UUID(int=1)), USER, (LINE,), status, placed_at=now, updated_at=now, version=1)


# --- Money --------------------------------------------------------------------------------------------------------------


@given(monies, monies, monies)
def test_money_adds_up_in_any_order(a: Money, b: Money, c: Money) -> None:
    assert Money.total([a, b, c]) == Money.total([c, b, a]) == (a + b) + c


@given(st.integers(), st.sampled_from(Currency))
def test_a_balance_of_any_size_is_formatted_without_rounding(minor: int, currency: Currency) -> None:
    text, _, code = written(minor, currency).partition(" ")
    assert (int(text.replace(".", "")), code) == (minor, currency)


def test_a_negative_balance_and_a_currency_without_decimals_are_formatted() -> None:
    assert (written(-5, Currency.EUR), written(-1200, Currency.JPY)) == ("-0.05 EUR", "-1200 JPY")


@given(st.builds(Money, st.integers(0, 10**15), st.sampled_from(Currency)))
def test_formatted_money_parses_to_itself(money: Money) -> None:
    assert Money.parse(str(money)) == Ok(money)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12.345 EUR", "has more decimals than the 2 of EUR"),
        ("12.5 JPY", "has more decimals than the 0 of JPY"),
        ("12.50 XXX", "is not in one of EUR, GBP, JPY, USD"),
        ("-1 EUR", "is not of the form 12.50 EUR"),
        ("1e9 EUR", "is not of the form 12.50 EUR"),
        ("9" * 20 + " EUR", "is too large"),
    ],
)
def test_an_invalid_amount_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert Money.parse(text) == Err(InvalidValue("amount", reason))


def test_currencies_cannot_be_mixed() -> None:
    with pytest.raises(ValueError, match="cannot add USD to EUR"):
        Money.total([ONE_EURO, Money(1, Currency.USD)])


def test_a_sum_of_nothing_has_no_currency() -> None:
    with pytest.raises(ValueError, match="no amounts"):
        Money.total([])


# --- What is ordered ----------------------------------------------------------------------------------------------------


def test_an_order_has_at_least_one_line() -> None:
    assert NewOrder.of(USER, []) == Err(UnacceptableOrder("has no lines"))


def test_an_order_has_a_maximum_of_lines() -> None:
    assert isinstance(NewOrder.of(USER, [LINE] * MAX_LINES), Ok)
    assert NewOrder.of(USER, [LINE] * (MAX_LINES + 1)) == Err(UnacceptableOrder("has more than 100 lines"))


def test_an_order_has_one_currency() -> None:
    other = OrderLine("BOOK-2", "Another", 1, Money(1, Currency.GBP))
    assert NewOrder.of(USER, [LINE, other]) == Err(UnacceptableOrder("mixes currencies"))


def test_the_total_is_the_sum_of_all_lines() -> None:
    assert NewOrder.of(USER, [LINE, LINE]) == Ok(NewOrder(USER, (LINE, LINE)))
    assert order(OrderStatus.PLACED).total == Money(25_00, Currency.EUR)


def test_the_largest_order_has_a_total() -> None:
    line = OrderLine("A", "a", 1000, Money(10**9, Currency.EUR))
    assert Money.total(line.total for line in [line] * MAX_LINES).minor == 10**14


@pytest.mark.parametrize(
    ("sku", "title", "quantity", "price", "what"),
    [
        ("book 1", "A", 1, ONE_EURO, "SKU"),
        ("", "A", 1, ONE_EURO, "SKU"),
        ("A" * 41, "A", 1, ONE_EURO, "SKU"),
        ("A", " ", 1, ONE_EURO, "title"),
        ("A", "a\nb", 1, ONE_EURO, "title"),
        ("A", "A", 0, ONE_EURO, "quantity"),
        ("A", "A", 1001, ONE_EURO, "quantity"),
        ("A", "A", 1, Money(10**9 + 1, Currency.EUR), "price"),
    ],
)
def test_an_invalid_line_is_refused_with_the_reason(sku: str, title: str, quantity: int, price: Money, what: str) -> None:
    parsed = OrderLine.parse(sku, title, quantity, price)
    assert isinstance(parsed, Err)
    assert parsed.error.what == what


# --- Transitions ---------------------------------------------------------------------------------------------------------

P, D, S, C = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.SHIPPED, OrderStatus.CANCELLED


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize(
    ("move", "wanted", "allowed"), [(Order.pay, D, {P}), (Order.ship, S, {D}), (Order.cancel, C, {P, D})], ids=["pay", "ship", "cancel"]
)
def test_an_order_makes_only_allowed_transitions_and_raises_their_event(
    move: Callable[[Order], Result[Order, WrongStatus]], wanted: OrderStatus, allowed: set[OrderStatus], status: OrderStatus
) -> None:
    before = order(status)
    refund = before.total if status is OrderStatus.PAID else None
    events: dict[OrderStatus, Event] = {
        OrderStatus.PAID: OrderPaid(before.id, USER, before.total),
        OrderStatus.SHIPPED: OrderShipped(before.id, USER),
        OrderStatus.CANCELLED: OrderCancelled(before.id, USER, refund),
    }
    moved = move(before)
    if status in allowed:
        assert moved == Ok(replace(before, status=wanted))
        assert isinstance(moved, Ok)
        assert moved.value.events == (events[wanted],)
    else:
        assert moved == Err(WrongStatus(before.id, status, wanted))
        assert before.events == ()


def test_a_placed_order_raises_its_event() -> None:
    placed = NewOrder(USER, (LINE,)).placed(OrderId(uuid.UUID(int=1)), datetime.now(UTC))
    assert placed.events == (OrderPlaced(placed.id, USER, Money(25_00, Currency.EUR)),)
