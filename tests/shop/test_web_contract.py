"""The contract of each operation over HTTP, written by hand: a request that succeeds, its answer, and who gets which one."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import schemathesis

from shop.domain.users import Role

from .web import LINE, PASSWORD, Person, Web, bearer, open_web, problem

PAGE = Path(__file__).parents[2] / "docs" / "http.md"

# Its types are generic, and the parameters are not public.
openapi: Any = schemathesis.openapi

CALLERS = ("anonymous", "self", "customer", "clerk", "admin")
# As in the table of the page. `self` is whose user, order or session it is.
WHO = {
    "anyone": set(CALLERS),
    "logged in": set(CALLERS) - {"anonymous"},
    "self, clerk, admin": {"self", "clerk", "admin"},
    "self, admin": {"self", "admin"},
    "clerk, admin": {"clerk", "admin"},
    "admin": {"admin"},
}
PROMISED_HEADERS = ("etag", "location", "cache-control", "idempotency-replayed")

Known = Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """A request that succeeds, and what is promised of its answer.

    `fields` are the names in its object, `items` those in the objects of a listing, and `order` is the order that there must be.
    """

    request: str
    who: str
    status: int
    fields: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Callable[[Known], object] = lambda _: None
    if_match: str = ""
    has_key: bool = False
    order: str = ""
    items: str = ""
    content_type: str = "application/json"


USER = "created_at email first_name id last_name phone role updated_at version"
ORDER = "id lines placed_at status total updated_at user_id version"
ENTRY = "action actor at id metadata origin outcome subject trace_id"
SESSION = "ends_at id is_current opened_at origin refreshed_at"
ORDER_SUMMARY = "id line_count placed_at status total updated_at"
TOKENS = "access_token expires_in refresh_expires_in refresh_token session_id token_type user_id"
PAGE_BOTH_WAYS = "items next_cursor previous_cursor"
SIZE = {"size": "5"}


def filters(event: str, **others: str) -> dict[str, str]:
    return {f"{event}_since": "2026-01-01T00:00:00Z", f"{event}_before": "2100-01-01T00:00:00Z", **SIZE, **others}


CONTRACTS = {
    "register_user": Contract(
        "POST /users",
        "anyone",
        201,
        USER,
        {"etag": '"1"', "location": "/users/{id}"},
        body=lambda known: {"first_name": "A", "last_name": "B", "email": f"new-{known['email']}", "password": PASSWORD},
        has_key=True,
    ),
    "find_users": Contract(
        "GET /users",
        "clerk, admin",
        200,
        PAGE_BOTH_WAYS,
        query=filters("registered", part="e", last_name="l", email="u", role="customer", sort="newest"),
        items=USER,
    ),
    "show_user": Contract("GET /users/{user_id}", "self, clerk, admin", 200, USER, {"etag": '"1"'}),
    "update_user": Contract(
        "PATCH /users/{user_id}",
        "self, admin",
        200,
        USER,
        {"etag": '"2"'},
        body=lambda _: {"last_name": "Hopper"},
        if_match="required",
        has_key=True,
    ),
    "delete_user": Contract("DELETE /users/{user_id}", "self, admin", 204, if_match="required", has_key=True),
    "erase_user": Contract("DELETE /users/{user_id}/personal-data", "self, admin", 204, if_match="required", has_key=True, order="placed"),
    "change_password": Contract(
        "PUT /users/{user_id}/password",
        "self, admin",
        204,
        body=lambda _: {"old": PASSWORD, "new": "battery staple"},
        if_match="optional",
        has_key=True,
    ),
    "grant_role": Contract("PUT /users/{user_id}/role", "admin", 204, body=lambda _: {"role": "clerk"}, if_match="optional", has_key=True),
    "show_profile": Contract("GET /users/{user_id}/profile", "anyone", 200, "first_name id last_name"),
    "list_orders_of_user": Contract(
        "GET /users/{user_id}/orders", "self, clerk, admin", 200, PAGE_BOTH_WAYS, query=SIZE, order="placed", items=ORDER_SUMMARY
    ),
    "show_order_totals": Contract("GET /users/{user_id}/orders/totals", "self, clerk, admin", 200, "totals user_id"),
    "list_sessions": Contract("GET /users/{user_id}/sessions", "self, admin", 200, "items", items=SESSION),
    "log_out_everywhere": Contract("DELETE /users/{user_id}/sessions", "self, admin", 204),
    "end_session": Contract("DELETE /users/{user_id}/sessions/{session_id}", "self, admin", 204),
    "log_in": Contract(
        "POST /sessions",
        "anyone",
        201,
        TOKENS,
        {"cache-control": "no-store"},
        body=lambda known: {"email": known["email"], "password": PASSWORD},
    ),
    "refresh_session": Contract(
        "POST /sessions/refresh",
        "anyone",
        200,
        TOKENS,
        {"cache-control": "no-store"},
        body=lambda known: {"refresh_token": known["refresh_token"]},
    ),
    "list_keys": Contract("GET /.well-known/jwks.json", "anyone", 200, "keys"),
    "place_order": Contract(
        "POST /orders",
        "self, clerk, admin",
        201,
        ORDER,
        {"etag": '"1"', "location": "/orders/{id}"},
        body=lambda known: {"user_id": known["user_id"], "lines": [LINE]},
        has_key=True,
    ),
    "find_orders": Contract(
        "GET /orders",
        "clerk, admin",
        200,
        PAGE_BOTH_WAYS,
        query=filters("placed", status="placed", currency="EUR", last_name="l", sort="largest"),
        order="placed",
        items=ORDER_SUMMARY,
    ),
    "show_order": Contract("GET /orders/{order_id}", "self, clerk, admin", 200, ORDER, {"etag": '"1"'}, order="placed"),
    "pay_order": Contract(
        "POST /orders/{order_id}/payment",
        "self, clerk, admin",
        200,
        ORDER,
        {"etag": '"2"'},
        if_match="optional",
        has_key=True,
        order="placed",
    ),
    "ship_order": Contract(
        "POST /orders/{order_id}/shipment", "clerk, admin", 200, ORDER, {"etag": '"3"'}, if_match="optional", has_key=True, order="paid"
    ),
    "cancel_order": Contract(
        "POST /orders/{order_id}/cancellation",
        "self, clerk, admin",
        200,
        ORDER,
        {"etag": '"2"'},
        if_match="optional",
        has_key=True,
        order="placed",
    ),
    "list_sales": Contract("GET /sales", "clerk, admin", 200, "items", query={"days": "7"}),
    "list_audit_entries": Contract("GET /audit", "admin", 200, PAGE_BOTH_WAYS, query={"subject": "user:{user_id}", **SIZE}, items=ENTRY),
    "show_liveness": Contract("GET /livez", "anyone", 200, "alive"),
    "show_readiness": Contract("GET /readyz", "anyone", 200, "dependencies is_stopping ready"),
    "show_metrics": Contract("GET /metrics", "anyone", 200, content_type="text/plain"),
    # The last one: it ends the sessions of all callers.
    "log_out": Contract("DELETE /sessions/current", "logged in", 204),
}


async def test_the_operations_are_those_of_the_contract_and_of_the_page(database_url: str) -> None:
    async with open_web(database_url) as web:
        described = [(path, method, each) for path, of in web.app.openapi()["paths"].items() for method, each in of.items()]
    requests = {each["operationId"]: f"{method.upper()} {path}" for path, method, each in described}
    assert requests == {name: contract.request for name, contract in CONTRACTS.items()}
    found = dict[str, tuple[set[str], str, bool, bool]]()
    for path, method, each in described:
        parameters = {(parameter["in"], parameter["name"]) for parameter in each.get("parameters", ())}
        if_match = ("required" if "428" in each["responses"] else "optional") if ("header", "if-match") in parameters else ""
        query = {name for place, name in parameters if place == "query"} - {"cursor"}
        found[f"{method.upper()} {path}"] = (query, if_match, ("header", "Idempotency-Key") in parameters, "security" in each)
    contracts = {
        contract.request: (set(contract.query), contract.if_match, contract.has_key, contract.who != "anyone")
        for contract in CONTRACTS.values()
    }
    assert found == contracts
    shown = dict[str, tuple[set[str], str, bool, str]]()
    section = PAGE.read_text(encoding="utf-8").partition("\n## Operations\n")[2].partition("\n## ")[0]
    for row in re.findall(r"^\| (`.*)\|$", section, re.MULTILINE):
        operations, who, if_match, key = (cell.strip() for cell in row.split("|"))
        for operation in re.findall("`([^`]+)`", operations):
            request, _, query = operation.partition("?")
            shown[request] = (set(query.split("&")) - {"", "cursor"}, if_match, key == "yes", who)
    # The description does not describe itself.
    assert shown.pop("GET /openapi.json") == (set(), "", False, "anyone")
    expected = {contract.request: (*contracts[contract.request][:3], contract.who) for contract in CONTRACTS.values()}
    assert shown == expected


@dataclass
class Service:
    """The application, with logins of a user in each role, and new users on demand."""

    web: Web
    schema: Any
    logins: Mapping[str, Mapping[str, str]]

    async def user(self, order: str) -> dict[str, str]:
        """Register a user, with an order if one is needed, and return what a request may name."""
        user = {"first_name": "Ada", "last_name": "Lovelace", "email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD}
        registered = await self.web.client.post("/users", json=user)
        known: dict[str, str] = {**user, "user_id": registered.json()["id"], **await self.web.tokens(user["email"])}
        if order:
            person = Person(self.web, known["user_id"], bearer(known))
            known["order_id"] = (await person.order())["id"]
            if order == "paid":
                assert (await person("POST", f"/orders/{known['order_id']}/payment")).status_code == 200
        return known

    async def send(self, name: str, known: Known, caller: str, headers: Mapping[str, str], content: bytes | None = None) -> httpx.Response:
        """Send the request of a contract, with this content instead of its body if there is one. The answer must match the description."""
        contract = CONTRACTS[name]
        method, path = contract.request.split(" ")
        credentials = bearer(known) if caller == "self" else self.logins[caller]
        response = await self.web.client.request(
            method,
            path.format_map(known),
            headers={**credentials, **headers, **({} if content is None else {"Content-Type": "application/json"})},
            content=content,
            params={each: value.format_map(known) for each, value in contract.query.items()},
            json=contract.body(known) if content is None else None,
        )
        operation = self.schema[path][method]
        assert str(response.status_code) in operation.definition.raw["responses"]
        operation.validate_response(response)
        return response


def check(contract: Contract, response: httpx.Response) -> None:
    """Check an answer to a request that succeeds."""
    assert response.status_code == contract.status, response.text
    document: dict[str, Any] = response.json() if contract.fields else {}
    assert " ".join(sorted(document)) == contract.fields
    if contract.items:
        assert " ".join(sorted(document["items"][0])) == contract.items
    if contract.status == 204:
        assert (response.content, "content-type" in response.headers) == (b"", False)
    else:
        assert response.headers["content-type"].partition(";")[0] == contract.content_type
    promised = {name: value.format_map(document) for name, value in contract.headers.items()}
    assert {name: response.headers[name] for name in PROMISED_HEADERS if name in response.headers} == promised


@asynccontextmanager
async def opened(database_url: str) -> AsyncGenerator[Service]:
    """Compose the application, with its logins."""
    async with open_web(database_url) as web:
        logins: dict[str, dict[str, str]] = {"anonymous": {}} | {role.value: (await web.person(role)).headers for role in Role}
        yield Service(web, openapi.from_dict(web.app.openapi()), logins)


def current(contract: Contract) -> dict[str, str]:
    """Return the condition that is true for what the request names."""
    return {"If-Match": '"2"' if contract.order == "paid" else '"1"'} if contract.if_match else {}


def caller_of(contract: Contract) -> str:
    """Return a caller whose request succeeds."""
    return "self" if contract.who in {"anyone", "logged in"} else "admin"


async def test_every_operation_without_a_body_refuses_one(database_url: str) -> None:
    tested = 0
    async with opened(database_url) as service:
        known = {**await service.user("paid"), "session_id": "0" * 32}
        for name, contract in CONTRACTS.items():
            if contract.body(known) is not None:
                continue
            tested += 1
            for content in (b"{}", b"{bad", b'{"amount": 5}', b" "):
                refused = await service.send(name, known, caller_of(contract), current(contract), content)
                assert problem(refused) == (422, "invalid-request"), (name, content)
                assert refused.json()["errors"] == [{"at": "/body", "reason": "this operation has no body"}]
            empty = await service.send(name, await service.user(contract.order), caller_of(contract), current(contract), b"")
            check(contract, empty)
    assert tested > 15


async def test_every_write_looks_at_a_condition_or_refuses_it(database_url: str) -> None:
    tested = 0
    async with opened(database_url) as service:
        for name, contract in CONTRACTS.items():
            if contract.request.startswith("GET "):
                continue
            tested += 1
            known = await service.user(contract.order)
            caller = caller_of(contract)
            for tags in ('"999"', '"0", W/"1", W/"2"', "none"):
                refused = await service.send(name, known, caller, {"If-Match": tags})
                if contract.if_match:
                    assert problem(refused) == (412, "precondition-failed"), name
                else:
                    assert problem(refused) == (422, "invalid-request"), name
                    assert refused.json()["errors"] == [{"at": "/header/If-Match", "reason": "this operation is not conditional"}]
            unknown = await service.send(name, known, caller, {**current(contract), "If-None-Match": "*"})
            assert problem(unknown) == (422, "invalid-request"), name
            assert unknown.json()["errors"] == [{"at": "/header/If-None-Match", "reason": "this operation is not conditional"}]
            # Nothing was changed: what the request names has its version and its sessions.
            check(contract, await service.send(name, known, caller, current(contract)))
    assert tested == 15


async def test_every_operation_keeps_its_contract_with_every_caller(database_url: str) -> None:
    async with opened(database_url) as service:
        for name, contract in CONTRACTS.items():
            await keeps(service, name, contract)


async def keeps(service: Service, name: str, contract: Contract) -> None:
    version = current(contract)
    known = await service.user(contract.order)
    for caller in sorted(set(CALLERS) - WHO[contract.who]):
        # To them, there is no such order.
        refused = (404, "order-not-found") if caller == "customer" and contract.order and "{order_id}" in contract.request else None
        expected = (401, "unauthenticated") if caller == "anonymous" else refused or (403, "not-allowed")
        answer = await service.send(name, known, caller, version)
        assert problem(answer) == expected, (name, caller)
        assert answer.headers.get("www-authenticate") == ("Bearer" if caller == "anonymous" else None)
    for caller in sorted(WHO[contract.who]):
        if not contract.request.startswith("GET"):
            known = await service.user(contract.order)
        if contract.if_match and caller == "admin":
            assert problem(await service.send(name, known, caller, {"If-Match": '"77"'})) == (412, "precondition-failed"), name
        if contract.if_match == "required" and caller == "admin":
            assert problem(await service.send(name, known, caller, {})) == (428, "precondition-required"), name
        key = {"Idempotency-Key": uuid.uuid4().hex} if contract.has_key else {}
        answer = await service.send(name, known, caller, {**version, **key})
        check(contract, answer)
        if contract.has_key and caller == "admin":
            # A caller who is deleted, or whose password is changed, is no longer logged in.
            repeated = await service.send(name, known, caller, {**version, **key})
            assert repeated.headers.get("idempotency-replayed") == "true", repeated.text
            assert (repeated.status_code, repeated.content) == (answer.status_code, answer.content)
