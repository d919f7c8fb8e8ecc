"""`shop orders`."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shop.application.reads.searches import OrderFilter, OrderSort
from shop.cli.running import CursorOption, Session, SizeOption, UserArgument, in_utc, parse_uuid, session, shortened
from shop.domain.money import Currency, Money
from shop.domain.orders import NewOrder, Order, OrderLine, OrderStatus
from shop.domain.result import Result
from shop.domain.values import OrderId, UserId

if TYPE_CHECKING:
    from shop.application.commands.orders import MoveError
    from shop.application.reads.models import OrderDetails
    from shop.application.transactions.failures import Failure
    from shop.bootstrap.service import Shop

app = typer.Typer(no_args_is_help=True, help="Orders.")

# Only the title may contain colons.
_LINE = re.compile(r"(?P<sku>[^:]*):(?P<title>.*):(?P<quantity>[0-9]+):(?P<price>[^:]*)", re.DOTALL)
_MAX_DIGITS = 9
_ENTRIES = 10
_SHOWN_OF_ENTRY = {"at", "actor", "action", "origin", "outcome", "metadata"}

OrderArgument = Annotated[uuid.UUID, typer.Argument(parser=parse_uuid, metavar="ORDER", help="Id of the order.")]


@app.command()
def place(
    context: typer.Context,
    user: UserArgument,
    line: Annotated[list[str], typer.Option(help="SKU:TITLE:QUANTITY:PRICE, as in MUG-01:Mug:2:9.90 EUR; repeat for each line.")],
) -> None:
    """Place an order."""
    here = session(context)
    new = here.value(NewOrder.of(UserId(user), [_line(here, text) for text in line]))
    here.output.record(_shown(here.value(here.run(lambda shop: shop.orders.place(here.context, new)))))


@app.command()
def pay(context: typer.Context, order: OrderArgument) -> None:
    """Mark an order as paid."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.pay(here.context, OrderId(order))))


@app.command()
def ship(context: typer.Context, order: OrderArgument) -> None:
    """Mark an order as shipped."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.ship(here.context, OrderId(order))))


@app.command()
def cancel(context: typer.Context, order: OrderArgument) -> None:
    """Cancel an order."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.cancel(here.context, OrderId(order))))


@app.command()
def show(context: typer.Context, order: OrderArgument) -> None:
    """Show an order with its lines, and the latest entries of the audit log about it."""
    here = session(context)

    async def work(shop: Shop) -> dict[str, Any]:
        reads = here.reads(shop)
        # First, so that the entry of this command is not among them.
        entries = here.value(await reads.audit_entries(f"order:{order}", _ENTRIES, None))
        found = here.value(await reads.order(OrderId(order)))
        return {**_details(found), "audit": [entry.model_dump(mode="json", include=_SHOWN_OF_ENTRY) for entry in entries.items]}

    here.output.record(here.run(work))


@app.command()
def history(context: typer.Context, user: UserArgument, size: SizeOption = 20, cursor: CursorOption = None) -> None:
    """List a user's orders, newest first."""
    here = session(context)
    page = here.value(here.run(lambda shop: here.reads(shop).order_history(UserId(user), size, cursor)))
    rows = [{**item.model_dump(mode="json"), "total": str(item.total)} for item in page.items]
    here.output.listing(rows, columns=["id", "status", "total", "line_count", "placed_at"], cursor=page.next_cursor)


@app.command()
def find(
    context: typer.Context,
    status: Annotated[list[OrderStatus] | None, typer.Option(help="Orders in this state; repeat for others.")] = None,
    currency: Annotated[Currency | None, typer.Option(help="Orders in this currency.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Orders placed at this time (UTC) or later.")] = None,
    before: Annotated[datetime | None, typer.Option(help="Orders placed before this time (UTC).")] = None,
    customer: Annotated[str | None, typer.Option(help="How the customer's last name begins.")] = None,
    order: Annotated[OrderSort, typer.Option(help="What comes first.")] = "newest",
    size: SizeOption = 20,
    cursor: CursorOption = None,
) -> None:
    """Find orders. Filters that are not given do not apply."""
    here = session(context)
    wanted = OrderFilter(tuple(status or ()), currency, in_utc(since), in_utc(before), customer)
    page = here.value(here.run(lambda shop: here.reads(shop).find_orders(wanted, order, size, cursor)))
    rows = [{**item.model_dump(mode="json"), "total": str(item.total)} for item in page.items]
    columns = ["id", "status", "total", "line_count", "placed_at"]
    here.output.pages(rows, columns=columns, following=page.next_cursor, preceding=page.previous_cursor)


@app.command()
def summary(context: typer.Context, user: UserArgument) -> None:
    """Show the totals of a user's orders, by currency."""
    here = session(context)
    found = here.value(here.run(lambda shop: here.reads(shop).order_summary(UserId(user))))
    rows = [{**item.model_dump(mode="json"), "spent": str(item.spent)} for item in found.totals]
    here.output.listing(rows, columns=["orders", "placed", "paid", "shipped", "cancelled", "spent", "last_placed_at"])


@app.command()
def sales(context: typer.Context, days: Annotated[int, typer.Option(min=1, max=3650, help="Number of days.")] = 30) -> None:
    """List the sales of each day, as far as `shop consume sales` has handled events."""
    here = session(context)
    since = datetime.now(UTC).date() - timedelta(days=days)

    async def work(shop: Shop) -> list[dict[str, Any]]:
        return [item.model_dump(mode="json") for item in here.value(await here.reads(shop).daily_sales(since))]

    here.output.listing(here.run(work), columns=["day", "currency", "orders", "revenue_minor"])


def _line(here: Session, text: str) -> OrderLine:
    written = _LINE.fullmatch(text)
    if written is None:
        raise typer.BadParameter(f"{shortened(text)} is not of the form SKU:TITLE:QUANTITY:PRICE")
    # Longer numbers are no valid quantity, and int() refuses thousands of digits.
    quantity = int(written["quantity"][:_MAX_DIGITS])
    return here.value(OrderLine.parse(written["sku"], written["title"], quantity, here.value(Money.parse(written["price"]))))


def _move(here: Session, moved: Result[Order, MoveError | Failure]) -> None:
    here.output.record(_shown(here.value(moved)))


def _shown(order: Order) -> dict[str, Any]:
    from shop.application.reads.models import OrderDetails

    return _details(OrderDetails.of(order))


def _details(order: OrderDetails) -> dict[str, Any]:
    return {
        "id": order.id,
        "user_id": order.user_id,
        "status": order.status,
        "total": str(order.total),
        "lines": [f"{line.quantity} × {line.sku} {line.title}, {line.unit_price} each" for line in order.lines],
        "placed_at": order.placed_at.isoformat(),
        "updated_at": order.updated_at.isoformat(),
        "version": order.version,
    }
