"""Orders."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from shop.application.reads.models import OrderDetails, OrderSummary, Page
from shop.application.reads.searches import OrderFilter, OrderSort
from shop.domain.money import Currency
from shop.domain.orders import Order, OrderStatus
from shop.domain.values import OrderId
from shop.web.documents import ETAG, SHOWN, created
from shop.web.models import Instant, OrderPlacement, Text
from shop.web.pages import MAX_CHOICES, Cursor, Size
from shop.web.problems import Problem, documented
from shop.web.replies import Reply
from shop.web.requests import Key, Known, LoggedIn, MatchedIfGiven, unless_known, value
from shop.web.routing import router_of

router = router_of("orders", "/orders")

_MOVE: dict[int | str, dict[str, Any]] = {
    **documented(Problem.ORDER_NOT_FOUND, Problem.WRONG_STATUS, Problem.PRECONDITION_FAILED, write=True, key=True),
    200: ETAG,
}


@router.post(
    "",
    status_code=201,
    response_model=OrderDetails,
    responses={
        **documented(Problem.USER_NOT_FOUND, Problem.INVALID_VALUE, Problem.UNACCEPTABLE_ORDER, write=True, body=True, key=True),
        201: created("order_id", "show_order", "pay_order", "ship_order", "cancel_order"),
    },
)
async def place_order(caller: LoggedIn, body: OrderPlacement, idempotency_key: Key = None) -> Response:
    """Place an order."""
    new = body.order()
    return await caller.perform(
        lambda context: caller.shop.orders.place(context, new),
        lambda order: Reply.of(OrderDetails.of(order), 201, version=order.version, location=f"/orders/{order.id}"),
        key=idempotency_key,
        body=body,
    )


@router.get("", response_model=Page[OrderSummary], responses=documented(Problem.INVALID_CURSOR))
async def find_orders(
    caller: LoggedIn,
    status: Annotated[tuple[OrderStatus, ...], Query(max_length=MAX_CHOICES, description="One of these states.")] = (),
    currency: Currency | None = None,
    placed_since: Annotated[Instant | None, Query(description="Placed at this time or later.")] = None,
    placed_before: Annotated[Instant | None, Query(description="Placed before this time.")] = None,
    last_name: Annotated[Text | None, Query(description="How the customer's last name begins, in any case.")] = None,
    sort: OrderSort = "newest",
    size: Size = 20,
    cursor: Cursor = None,
) -> Page[OrderSummary]:
    """Find orders. `next_cursor` and `previous_cursor` are cursors of the same filters and the same order."""
    wanted = OrderFilter(status, currency, placed_since, placed_before, last_name)
    return value(await caller.reads.find_orders(wanted, sort, size, cursor))


@router.get("/{order_id}", response_model=OrderDetails, responses={**documented(Problem.ORDER_NOT_FOUND), **SHOWN})
async def show_order(caller: LoggedIn, order_id: UUID, known: Known) -> Response:
    """Show an order."""
    order = value(await caller.reads.order(OrderId(order_id)))
    return unless_known(known, Reply.of(order, version=order.version))


@router.post("/{order_id}/payment", response_model=OrderDetails, responses=_MOVE)
async def pay_order(caller: LoggedIn, order_id: UUID, versions: MatchedIfGiven, idempotency_key: Key = None) -> Response:
    """Mark an order as paid."""
    return await caller.perform(
        lambda context: caller.shop.orders.pay(context, OrderId(order_id), versions), _shown, key=idempotency_key, is_conditional=True
    )


@router.post("/{order_id}/shipment", response_model=OrderDetails, responses=_MOVE)
async def ship_order(caller: LoggedIn, order_id: UUID, versions: MatchedIfGiven, idempotency_key: Key = None) -> Response:
    """Mark an order as shipped."""
    return await caller.perform(
        lambda context: caller.shop.orders.ship(context, OrderId(order_id), versions), _shown, key=idempotency_key, is_conditional=True
    )


@router.post("/{order_id}/cancellation", response_model=OrderDetails, responses=_MOVE)
async def cancel_order(caller: LoggedIn, order_id: UUID, versions: MatchedIfGiven, idempotency_key: Key = None) -> Response:
    """Cancel an order; what was paid for it is to be refunded."""
    return await caller.perform(
        lambda context: caller.shop.orders.cancel(context, OrderId(order_id), versions), _shown, key=idempotency_key, is_conditional=True
    )


def _shown(order: Order) -> Reply:
    return Reply.of(OrderDetails.of(order), version=order.version)
