"""The story: users, an order, what is refused, what is published, and the trace of it all."""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console

from shop.application.context import Actor, Context, Once
from shop.application.transactions.failures import StoreDefect
from shop.bootstrap.observability import read_spans
from shop.bootstrap.service import Shop
from shop.cli.spans import span_tree
from shop.demo.client import Client, Document, UnexpectedOutcome, say, show, step, unexpected
from shop.demo.service import Service
from shop.domain.money import Currency, Money, written
from shop.domain.orders import NewOrder, OrderLine
from shop.domain.result import Err, Ok, Result
from shop.domain.users import Role
from shop.domain.values import UserId

T = TypeVar("T")

ADA: Document = {"first_name": "Ada", "last_name": "Lovelace", "email": "Ada@example.org", "phone": "+44 20 7946 0018"}
GRACE: Document = {"first_name": "Grace", "last_name": "Hopper", "email": "grace@example.org"}
KATHERINE: Document = {"first_name": "Katherine", "last_name": "Johnson", "email": "katherine@example.org"}
VISITOR: Document = {"first_name": "Just", "last_name": "Visiting", "email": "visitor@example.org"}
PASSWORD = "correct horse battery"  # noqa: S105 of users of the demo alone
_ENTRIES = 1000
# A pipe has no width.
_PIPE_WIDTH = 160
PHONES = ("+1 202 555 0143", "+1 202 555 0186")
ENGINE = {"sku": "ENGINE-1", "title": "Analytical Engine, part 1", "quantity": 1, "unit_price": {"minor": 1_250_00, "currency": "EUR"}}
CARDS = {"sku": "CARD-7", "title": "Punched cards, box of 500", "quantity": 3, "unit_price": {"minor": 19_90, "currency": "EUR"}}


async def tell(service: Service) -> None:
    """Run all steps. Raises `UnexpectedOutcome`."""
    anyone = Client(service.http)
    ids = await _register(anyone)
    await _grant(service.shop, ids)
    ada, grace, katherine = await _log_in(service, ids)
    await _change_profile(grace)
    order = await _order(ada)
    await _move(ada, grace, order)
    await _refuse(ada, grace, order)
    await _roll_back(service.shop, ada)
    await _consume(service)
    await _search(grace)
    await _read(service, ada)
    await _audit(katherine, order)
    await _delete_a_visitor(anyone, service)
    await _log_out(ada, grace, katherine)
    await _trace(service, order)


async def _register(anyone: Client) -> dict[str, str]:
    step("Register three users: row, audit entry and event in one transaction")
    ids = {person["first_name"]: await _register_or_find(anyone, person) for person in (ADA, GRACE, KATHERINE)}
    again = {**ADA, "email": ADA["email"].upper(), "password": PASSWORD}
    await anyone.refused("email-taken", "POST", "/users", again)
    await anyone.refused("invalid-request", "POST", "/users", {**again, "is_admin": True})
    return ids


async def _register_or_find(anyone: Client, person: Document) -> str:
    answer = await anyone.send("POST", "/users", {**person, "password": PASSWORD}, headers={"Idempotency-Key": uuid.uuid4().hex})
    name = _name(person)
    if answer.is_success:
        user_id: str = answer.json()["id"]
        show(answer, f"{name}, id {user_id}")
        return user_id
    if not answer.json()["type"].endswith(":email-taken"):
        raise unexpected(answer)
    tokens = (await anyone.done("POST", "/sessions", _credentials(person))).json()
    user_id = tokens["user_id"]
    show(answer, f"{name} exists from an earlier run, id {user_id}")
    return user_id


async def _grant(shop: Shop, ids: dict[str, str]) -> None:
    step("Make one of them a clerk and one an administrator, as `shop roles grant` does")
    for person, role, title in ((GRACE, Role.CLERK, "a clerk"), (KATHERINE, Role.ADMIN, "an administrator")):
        _expect(await shop.users.grant(Context(Actor.admin("demo"), "demo"), UserId(uuid.UUID(ids[person["first_name"]])), role))
        say(f"{_name(person)} is {title} now")


async def _log_in(service: Service, ids: dict[str, str]) -> list[Client]:
    step("Log in with a wrong password and with the right ones, and refresh a session")
    await Client(service.http).refused("wrong-credentials", "POST", "/sessions", {**_credentials(ADA), "password": "guessed"})
    people = [Client(service.http, ids[person["first_name"]]) for person in (ADA, GRACE, KATHERINE)]
    for client, person in zip(people, (ADA, GRACE, KATHERINE), strict=True):
        opened = await client.done("POST", "/sessions", _credentials(person))
        client.tokens = opened.json()
        show(opened, f"welcome, {person['first_name']}; the access token is valid for {client.tokens['expires_in']} s")
    ada = people[0]
    refreshed = await Client(service.http).done("POST", "/sessions/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    show(refreshed, "two new tokens; the old refresh token is used up")
    ada.tokens = refreshed.json()
    return people


async def _change_profile(grace: Client) -> None:
    step("Change a phone number: If-Match names the version that was read")
    path = f"/users/{grace.id}"
    read = await grace.done("GET", path)
    tag, before = read.headers["ETag"], read.json()["phone"]
    show(read, f"phone {before or 'none'}, ETag {tag}")
    phone = {"phone": PHONES[1] if before == PHONES[0] else PHONES[0]}
    await grace.refused("precondition-required", "PATCH", path, phone)
    changed = await grace.done("PATCH", path, phone, headers={"If-Match": tag})
    show(changed, f"phone {changed.json()['phone']}, ETag {changed.headers['ETag']}")
    await grace.refused("precondition-failed", "PATCH", path, phone, headers={"If-Match": tag})


async def _order(ada: Client) -> Document:
    step("Place an order, and send the request again, as after a lost answer: one order under one Idempotency-Key")
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body: Document = {"user_id": ada.id, "lines": [ENGINE, CARDS]}
    placed = await ada.done("POST", "/orders", body, headers=key)
    order: Document = placed.json()
    show(placed, f"{_sketch(order)}; {len(order['lines'])} lines, order {order['id']}")
    again = await ada.done("POST", "/orders", body, headers=key)
    if again.content != placed.content or again.headers.get("Idempotency-Replayed") != "true":
        raise UnexpectedOutcome(f"unexpected outcome: two orders under one key: {order['id']} and {again.json()['id']}")
    show(again, f"the same order {order['id']}, replayed")
    await ada.refused("key-reused", "POST", "/orders", {**body, "lines": [CARDS]}, headers=key)
    return order


async def _move(ada: Client, grace: Client, order: Document) -> None:
    step("Pay the order; only a clerk ships it")
    path = f"/orders/{order['id']}"
    paid = await ada.done("POST", f"{path}/payment", headers={"If-Match": '"1"'})
    show(paid, _sketch(paid.json()))
    await ada.refused("not-allowed", "POST", f"{path}/shipment")
    shipped = await grace.done("POST", f"{path}/shipment")
    show(shipped, _sketch(shipped.json()))


async def _refuse(ada: Client, grace: Client, order: Document) -> None:
    step("Cancel the shipped order, delete a user who has orders, and place an order in two currencies")
    await ada.refused("wrong-status", "POST", f"/orders/{order['id']}/cancellation")
    await ada.refused("user-has-orders", "DELETE", f"/users/{ada.id}", headers={"If-Match": "*"})
    dollars = {**CARDS, "unit_price": {"minor": 2_50, "currency": "USD"}}
    await ada.refused("unacceptable-order", "POST", "/orders", {"user_id": ada.id, "lines": [ENGINE, dollars]})
    await grace.refused("order-not-found", "GET", f"/orders/{uuid.uuid4()}")


async def _roll_back(shop: Shop, ada: Client) -> None:
    # No request can do this: the service takes nothing of a request that PostgreSQL would refuse.
    step("Fail in the middle of a transaction: PostgreSQL refuses to store the Idempotency-Key, and the order before it is rolled back")
    before = (await ada.done("GET", f"/users/{ada.id}/orders?size=1")).json()
    user_id = UserId(uuid.UUID(ada.id))
    broken = Context(Actor.user(user_id), "demo", once=Once("longer than the column is " * 10, b"1", lambda _: b""))
    try:
        await shop.orders.place(broken, NewOrder(user_id, (OrderLine("CARD-7", "Punched cards", 1, Money(19_90, Currency.EUR)),)))
    except StoreDefect as defect:
        say(f"PostgreSQL: {defect}")
    after = await ada.done("GET", f"/users/{ada.id}/orders?size=1")
    if before["items"] != after.json()["items"]:
        raise UnexpectedOutcome("unexpected outcome: an order that was rolled back exists")
    show(after, "the newest order is the one from before")


async def _consume(service: Service) -> None:
    step("Wait until the relay has published all events, and the consumers have handled them")
    await service.wait_for_consumers()
    say(f"nothing is pending; the consumers are {', '.join(service.shop.consumers or ())}")
    for day in _expect(await service.shop.reads.daily_sales(datetime.now(UTC).date())):
        say(f"sales on {day.day}: {_counted(day.orders)}, {written(day.revenue_minor, day.currency)}")


async def _search(grace: Client) -> None:
    step("Find orders with filters, in pages both ways")
    await _place_small_order(grace)
    wanted = "/orders?last_name=hop&status=placed&sort=largest&size=1"
    first = await grace.done("GET", wanted)
    show(first, _page(first.json()))
    cursor = first.json()["next_cursor"]
    second = await grace.done("GET", f"{wanted}&cursor={cursor}")
    show(second, _page(second.json()))
    back = await grace.done("GET", f"{wanted}&cursor={second.json()['previous_cursor']}")
    if back.json()["items"] != first.json()["items"]:
        raise unexpected(back)
    show(back, f"{_page(back.json())}, as before")
    await grace.refused("invalid-cursor", "GET", f"/orders?sort=newest&cursor={cursor}")


async def _place_small_order(grace: Client) -> None:
    for line in (CARDS, {**CARDS, "quantity": 1}):
        placed = await grace.done("POST", "/orders", {"user_id": grace.id, "lines": [line]})
        show(placed, _sketch(placed.json()))


async def _read(service: Service, ada: Client) -> None:
    step("Read a summary twice: the second one is cached")
    for _ in range(2):
        hits = service.shop.cache.hits
        read = await ada.done("GET", f"/users/{ada.id}/orders/totals")
        [totals] = read.json()["totals"]
        source = "Redis" if service.shop.cache.hits > hits else "PostgreSQL"
        show(read, f"{_counted(totals['orders'])}, {totals['shipped']} shipped, {_money(totals['spent'])}  (from {source})")
    metrics = await ada.done("GET", "/metrics")
    show(metrics, "the metrics of all servers, in Prometheus's format, among them:")
    for line in metrics.text.splitlines():
        if line.startswith(("shop_cache_lookups_total", "shop_outbox_pending", "shop_consumer_lag")):
            say(f"  {line}")


async def _audit(katherine: Client, order: Document) -> None:
    step("Read the audit log of the order, as an administrator")
    entries = await katherine.done("GET", f"/audit?subject=order:{order['id']}")
    show(entries, f"{len(entries.json()['items'])} entries:")
    for entry in entries.json()["items"]:
        details = " ".join(f"{name}={value}" for name, value in entry["metadata"].items())
        say(f"  {entry['at'][11:23]} {entry['action']} by {entry['actor']}: {entry['outcome']} {details}".rstrip())


async def _delete_a_visitor(anyone: Client, service: Service) -> None:
    step("Register a visitor, and delete the visitor")
    visitor = Client(service.http, await _register_or_find(anyone, VISITOR))
    visitor.tokens = (await visitor.done("POST", "/sessions", _credentials(VISITOR))).json()
    show(await visitor.done("DELETE", f"/users/{visitor.id}", headers={"If-Match": "*"}), "deleted")
    await anyone.refused("user-not-found", "GET", f"/users/{visitor.id}/profile")


async def _log_out(*people: Client) -> None:
    step("Log out")
    for client, person in zip(people, (ADA, GRACE, KATHERINE), strict=True):
        show(await client.done("DELETE", "/sessions/current"), f"{_name(person)} is logged out")
    await people[0].refused("unauthenticated", "GET", f"/users/{people[0].id}")


async def _trace(service: Service, order: Document) -> None:
    step(f"The trace of the order, from its requests to their effects: as `shop trace {order['id']}` shows it")
    # Those of the audit log, as the command finds them: also of what was refused.
    entries = _expect(await service.shop.reads.audit_entries(f"order:{order['id']}", _ENTRIES)).items
    say("Each line has its duration, and +… ms is when it began, counted from the start of its trace.")
    sys.stdout.flush()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(span_tree(read_spans(service.spans, {entry.trace_id for entry in entries})))


def _name(person: Document) -> str:
    return f"{person['first_name']} {person['last_name']}"


def _counted(orders: int) -> str:
    return f"{orders} {'order' if orders == 1 else 'orders'}"


def _credentials(person: Document) -> Document:
    return {"email": person["email"], "password": PASSWORD}


def _sketch(order: Document) -> str:
    return f"{order['status']}, {_money(order['total'])}, version {order['version']}"


def _page(page: Document) -> str:
    [order] = page["items"]
    return f"{order['status']}, {_money(order['total'])}"


def _money(money: Document) -> str:
    return written(money["minor"], Currency(money["currency"]))


def _expect(result: Result[T, object]) -> T:
    match result:
        case Ok(value):
            return value
        case Err(error):
            raise UnexpectedOutcome(f"unexpected outcome: {error}")
