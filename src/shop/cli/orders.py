"""Commands for orders."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from shop.application.order_commands import MoveError
from shop.application.unit_of_work import Failure
from shop.bootstrap import Shop
from shop.cli.running import Session, parse_uuid, session, shortened
from shop.cli.users import AfterOption, SizeOption, UserArgument
from shop.domain.money import Money
from shop.domain.orders import NewOrder, Order, OrderId, OrderLine
from shop.domain.result import Result
from shop.domain.values import UserId

app = typer.Typer(no_args_is_help=True, help="Orders.")

# A title may hold colons, and no other part does.
_LINE = re.compile(r"(?P<sku>[^:]*):(?P<title>.*):(?P<quantity>[0-9]+):(?P<price>[^:]*)", re.DOTALL)
_MOST_DIGITS = 9

OrderArgument = Annotated[uuid.UUID, typer.Argument(parser=parse_uuid, metavar="ORDER", help="The order's id.")]


@app.command()
def place(
    context: typer.Context,
    user: UserArgument,
    line: Annotated[list[str], typer.Option(help="SKU:TITLE:QUANTITY:PRICE, as in MUG-01:Mug:2:9.90 EUR. Once for each line.")],
) -> None:
    """Place an order."""
    here = session(context)
    new = here.value(NewOrder.of(UserId(user), [_line(here, text) for text in line]))
    here.output.record(_shown(here.value(here.run(lambda shop: shop.orders.place(here.context, new)))))


@app.command()
def pay(context: typer.Context, order: OrderArgument) -> None:
    """Note that an order was paid."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.pay(here.context, OrderId(order))))


@app.command()
def ship(context: typer.Context, order: OrderArgument) -> None:
    """Note that an order left the house."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.ship(here.context, OrderId(order))))


@app.command()
def cancel(context: typer.Context, order: OrderArgument) -> None:
    """Cancel an order."""
    here = session(context)
    _move(here, here.run(lambda shop: shop.orders.cancel(here.context, OrderId(order))))


@app.command()
def history(context: typer.Context, user: UserArgument, size: SizeOption = 20, after: AfterOption = None) -> None:
    """List a user's orders, newest first."""
    here = session(context)
    page = here.value(here.run(lambda shop: shop.reads.order_history(UserId(user), size, after)))
    rows = [{**item.model_dump(mode="json"), "total": str(item.total)} for item in page.items]
    here.output.listing(rows, columns=["id", "status", "total", "line_count", "placed_at"], cursor=page.next_cursor)


@app.command()
def summary(context: typer.Context, user: UserArgument) -> None:
    """Sum up a user's orders, by currency."""
    here = session(context)
    found = here.value(here.run(lambda shop: shop.reads.order_summary(UserId(user))))
    rows = [{**item.model_dump(mode="json"), "spent": str(item.spent)} for item in found.totals]
    here.output.listing(rows, columns=["orders", "placed", "paid", "shipped", "cancelled", "spent", "last_placed_at"])


@app.command()
def sales(context: typer.Context, days: Annotated[int, typer.Option(min=1, max=3650, help="How many days back.")] = 30) -> None:
    """List what was sold on each day, as far as `shop consume` has come."""
    here = session(context)
    since = datetime.now(UTC).date() - timedelta(days=days)

    async def work(shop: Shop) -> list[dict[str, Any]]:
        return [item.model_dump(mode="json") for item in here.value(await shop.reads.daily_sales(since))]

    here.output.listing(here.run(work), columns=["day", "currency", "orders", "revenue_minor"])


def _line(here: Session, text: str) -> OrderLine:
    written = _LINE.fullmatch(text)
    if written is None:
        raise typer.BadParameter(f"{shortened(text)} is not of the form SKU:TITLE:QUANTITY:PRICE")
    # More digits than any quantity has, and than Python reads: no quantity either way.
    quantity = int(written["quantity"][:_MOST_DIGITS])
    return here.value(OrderLine.parse(written["sku"], written["title"], quantity, here.value(Money.parse(written["price"]))))


def _move(here: Session, moved: Result[Order, MoveError | Failure]) -> None:
    here.output.record(_shown(here.value(moved)))


def _shown(order: Order) -> dict[str, Any]:
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
