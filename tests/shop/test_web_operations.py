"""The operations over HTTP, each with its outcomes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import pytest_asyncio

from shop.application.reads.searches import UserFilter
from shop.bootstrap.service import open_shop
from shop.bootstrap.settings import Settings
from shop.domain.result import Ok
from shop.domain.users import Role
from shop.infrastructure.postgres.connection import Connection

from .web import LINE, PASSWORD, Person, Web, open_web, problem

UNKNOWN = uuid.UUID(int=1)


@pytest_asyncio.fixture
async def web(database_url: str) -> AsyncIterator[Web]:
    """The application on PostgreSQL alone."""
    async with open_web(database_url) as web:
        yield web


async def test_a_user_from_registration_to_deletion(web: Web) -> None:
    ada = await web.person()
    shown = await ada("GET", f"/users/{ada.id}")
    assert (shown.status_code, shown.headers["etag"], shown.json()["role"]) == (200, '"1"', "customer")
    changed = await ada("PATCH", f"/users/{ada.id}", headers={"If-Match": '"1"'}, json={"last_name": "Hopper", "phone": "+44 20 7946 0018"})
    assert (changed.status_code, changed.headers["etag"], changed.json()["last_name"]) == (200, '"2"', "Hopper")
    unchanged = await ada("PATCH", f"/users/{ada.id}", headers={"If-Match": '"2"'}, json={"phone": None})
    assert (unchanged.json()["phone"], unchanged.json()["last_name"]) == (None, "Hopper")
    profile = await web.client.get(f"/users/{ada.id}/profile")
    assert profile.json() == {"id": ada.id, "first_name": "Ada", "last_name": "Hopper"}
    assert (await ada("DELETE", f"/users/{ada.id}", headers={"If-Match": '"3"'})).status_code == 204
    assert problem(await ada("GET", f"/users/{ada.id}")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "change",
    [{"email": "x"}, {"first_name": ""}, {"last_name": "A" * 101}, {"phone": "abc"}, {"first_name": "Ada", "email": "x"}],
    ids=str,
)
async def test_an_invalid_value_is_refused_before_the_use_case_begins(web: Web, database_url: str, change: dict[str, str]) -> None:
    ada = await web.person()
    refused = await ada("PATCH", f"/users/{ada.id}", headers={"If-Match": "*", "Idempotency-Key": "1"}, json=change)
    assert problem(refused) == (422, "invalid-value")
    # A defect calls an operator.
    metrics = (await web.client.get("/metrics")).text.splitlines()
    counted = [line for line in metrics if line.startswith("shop_use_cases_total") and "user.update_profile" in line]
    assert counted
    assert all(line.endswith(" 0.0") for line in counted)
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT * FROM audit_log WHERE action = 'user.update_profile'").fetchall() == []


async def test_registrations_that_are_refused(web: Web) -> None:
    body = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
    assert (await web.client.post("/users", json=body)).status_code == 201
    assert problem(await web.client.post("/users", json=body)) == (409, "email-taken")
    assert problem(await web.client.post("/users", json={**body, "email": "ada"})) == (422, "invalid-value")
    assert problem(await web.client.post("/users", json={**body, "password": "short"})) == (422, "invalid-value")
    unknown = await web.client.post("/users", json={**body, "admin": True})
    assert problem(unknown) == (422, "invalid-request")
    assert unknown.json()["errors"] == [{"at": "/body/admin", "reason": "Extra inputs are not permitted"}]
    assert problem(await web.client.post("/users", content="{", headers={"Content-Type": "application/json"})) == (400, "malformed-body")


async def test_users_are_listed_in_pages(web: Web) -> None:
    clerk = await web.person(Role.CLERK)
    others = [(await web.person()).id for _ in range(2)]
    first = (await clerk("GET", "/users", params={"size": 2})).json()
    second = (await clerk("GET", "/users", params={"size": 2, "cursor": first["next_cursor"]})).json()
    assert [user["id"] for user in first["items"] + second["items"]] == [clerk.id, *others]
    assert second["next_cursor"] is None
    assert problem(await clerk("GET", "/users", params={"cursor": "x"})) == (400, "invalid-cursor")


async def test_users_are_found_by_filters_in_pages_both_ways(web: Web) -> None:
    clerk = await web.person(Role.CLERK)
    people = [clerk.id, *[(await web.person()).id for _ in range(3)]]

    async def found(**filters: object) -> list[str]:
        answered = await clerk("GET", "/users", params=filters)
        assert answered.status_code == 200, answered.text
        return [user["id"] for user in answered.json()["items"]]

    assert await found() == people
    assert await found(part="LACE user2@") == [people[1]]
    assert await found(email="USER3@", last_name="love") == [people[2]]
    assert await found(role=["clerk", "admin"]) == [clerk.id]
    assert await found(role="customer", sort="newest") == people[:0:-1]
    assert await found(registered_before="2026-01-01T00:00:00Z") == []
    assert await found(registered_since="2026-01-01T00:00:00+01:00", part="e.org") == people
    newest = (await clerk("GET", "/users", params={"part": "example", "sort": "newest", "size": 3})).json()
    older = {"part": "example", "sort": "newest", "size": 3, "cursor": newest["next_cursor"]}
    last = (await clerk("GET", "/users", params=older)).json()
    assert [user["id"] for user in newest["items"] + last["items"]] == people[::-1]
    assert (last["next_cursor"], await found(**{**older, "cursor": last["previous_cursor"]})) == (None, people[:0:-1])
    assert problem(await clerk("GET", "/users", params={"part": "a\0"})) == (422, "invalid-request")


async def test_only_cursors_that_the_service_has_signed_are_accepted(database_url: str) -> None:
    old, new = "o" * 32, "n" * 32

    async def taken(web: Web, clerk: Person) -> dict[str, str]:
        """The cursor of the second page of each listing."""
        paths = ("/users", "/users?part=a", "/orders", f"/users/{clerk.id}/orders", "/audit")
        return {path: (await clerk("GET", path, params={"size": 1})).json()["next_cursor"] for path in paths}

    async def statuses(web: Web, clerk: Person, cursors: Mapping[str, str]) -> set[int]:
        return {(await clerk("GET", path, params={"cursor": cursor})).status_code for path, cursor in cursors.items()}

    async with open_web(database_url, cursor_keys=old) as web:
        clerk = await web.person(Role.ADMIN)
        await web.person()
        for _ in range(2):
            await clerk.order()
        before = await taken(web, clerk)
        assert await statuses(web, clerk, before) == {200}
    async with open_web(database_url, cursor_keys=f"{new} {old}") as web:
        clerk = Person(web, clerk.id, await web.log_in("user1@example.org"))
        assert await statuses(web, clerk, before) == {200}
        after = await taken(web, clerk)
    async with open_web(database_url, cursor_keys=new) as web:
        clerk = Person(web, clerk.id, await web.log_in("user1@example.org"))
        assert await statuses(web, clerk, after) == {200}
        assert await statuses(web, clerk, before) == {400}
        assert problem(await clerk("GET", "/orders", params={"cursor": before["/orders"]})) == (400, "invalid-cursor")
    async with open_web(database_url) as web:
        # Of the process alone.
        clerk = Person(web, clerk.id, await web.log_in("user1@example.org"))
        assert await statuses(web, clerk, await taken(web, clerk)) == {200}
        assert await statuses(web, clerk, after) == {400}
    loaded = Settings.model_validate({"database_url": database_url})
    async with open_shop(loaded, is_trusted=True) as shop:
        page = await shop.reads.find_users(UserFilter(), "oldest", 1)
        audit = await shop.reads.audit_entries(None, 1)
        assert isinstance(page, Ok)
        assert isinstance(audit, Ok)
    async with open_web(database_url) as web:
        clerk = Person(web, clerk.id, await web.log_in("user1@example.org"))
        unsigned = {"/users": str(page.value.next_cursor), "/audit": str(audit.value.next_cursor)}
        assert await statuses(web, clerk, unsigned) == {400}


async def test_personal_data_are_erased_and_orders_stay(web: Web) -> None:
    ada, clerk, admin = await web.person(), await web.person(Role.CLERK), await web.person(Role.ADMIN)
    order = await ada.order()
    path = f"/users/{ada.id}/personal-data"
    assert problem(await admin("DELETE", path, headers={"If-Match": '"7"'})) == (412, "precondition-failed")
    assert (await ada("GET", f"/users/{ada.id}")).json()["email"] == "user1@example.org"
    under_a_key = {"If-Match": '"1"', "Idempotency-Key": "k1"}
    erased = await admin("DELETE", path, headers=under_a_key)
    assert (erased.status_code, erased.content) == (204, b"")
    repeated = await admin("DELETE", path, headers=under_a_key)
    assert (repeated.status_code, repeated.headers["idempotency-replayed"]) == (204, "true")
    assert problem(await admin("DELETE", path, headers={"If-Match": "*"})) == (404, "user-not-found")
    assert problem(await ada("GET", f"/users/{ada.id}")) == (401, "unauthenticated")
    assert (await clerk("GET", f"/orders/{order['id']}")).json() == order
    assert [user["id"] for user in (await clerk("GET", "/users")).json()["items"]] == [clerk.id, admin.id]
    # Users may do it themselves.
    grace = await web.person()
    assert (await grace("DELETE", f"/users/{grace.id}/personal-data", headers={"If-Match": "*"})).status_code == 204
    assert problem(await grace("DELETE", f"/users/{grace.id}/personal-data", headers={"If-Match": "*"})) == (401, "unauthenticated")
    assert problem(await admin("GET", path)) == (405, "method-not-allowed")


async def test_sales_are_those_of_the_last_days(web: Web, database_url: str) -> None:
    clerk = await web.person(Role.CLERK)
    assert problem(await clerk("GET", "/sales", params={"days": 0})) == (422, "invalid-request")
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO daily_sales SELECT current_date - days, 'EUR', days, 100 * days FROM unnest(ARRAY[3, 40]) AS days")
    day = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
    recent = {"day": day, "currency": "EUR", "orders": 3, "revenue_minor": 300}
    assert (await clerk("GET", "/sales")).json() == {"items": [recent]}
    assert [each["orders"] for each in (await clerk("GET", "/sales", params={"days": 50})).json()["items"]] == [3, 40]


async def test_an_order_from_placing_to_shipping(web: Web) -> None:
    ada, clerk = await web.person(), await web.person(Role.CLERK)
    order = await ada.order()
    assert (order["status"], order["total"], order["lines"]) == ("placed", {"minor": 2500, "currency": "EUR"}, [LINE])
    path = f"/orders/{order['id']}"
    assert (await ada("GET", path)).json() == order
    paid = await ada("POST", f"{path}/payment")
    assert (paid.status_code, paid.headers["etag"], paid.json()["status"]) == (200, '"2"', "paid")
    assert problem(await ada("POST", f"{path}/payment")) == (409, "wrong-status")
    assert (await clerk("POST", f"{path}/shipment")).json()["status"] == "shipped"
    assert problem(await clerk("POST", f"{path}/cancellation")) == (409, "wrong-status")
    assert problem(await ada("DELETE", f"/users/{ada.id}", headers={"If-Match": "*"})) == (409, "user-has-orders")
    assert problem(await clerk("POST", f"/orders/{UNKNOWN}/payment")) == (404, "order-not-found")
    assert problem(await clerk("GET", f"/orders/{UNKNOWN}")) == (404, "order-not-found")


async def test_orders_that_are_refused(web: Web) -> None:
    ada, clerk = await web.person(), await web.person(Role.CLERK)
    dollars = {**LINE, "unit_price": {"minor": 1, "currency": "USD"}}
    mixed = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [LINE, dollars]})
    assert problem(mixed) == (422, "unacceptable-order")
    assert problem(await ada("POST", "/orders", json={"user_id": ada.id, "lines": [{**LINE, "sku": "a b"}]})) == (422, "invalid-value")
    assert problem(await ada("POST", "/orders", json={"user_id": ada.id, "lines": []})) == (422, "invalid-request")
    assert problem(await clerk("POST", "/orders", json={"user_id": str(UNKNOWN), "lines": [LINE]})) == (404, "user-not-found")


async def test_orders_are_found_by_filters_and_listed_for_their_user(web: Web) -> None:
    ada, clerk = await web.person(), await web.person(Role.CLERK)
    orders = [(await ada.order())["id"] for _ in range(3)]
    await ada("POST", f"/orders/{orders[0]}/payment")

    async def found(**filters: object) -> list[str]:
        answered = await clerk("GET", "/orders", params=filters)
        assert answered.status_code == 200, answered.text
        return [order["id"] for order in answered.json()["items"]]

    assert await found(sort="oldest") == orders
    newest = (await clerk("GET", "/orders", params={"size": 2})).json()
    older = (await clerk("GET", "/orders", params={"size": 2, "cursor": newest["next_cursor"]})).json()
    assert [order["id"] for order in newest["items"] + older["items"]] == orders[::-1]
    assert await found(size=2, cursor=older["previous_cursor"]) == orders[:0:-1]
    assert problem(await clerk("GET", "/orders", params={"sort": "largest", "cursor": newest["next_cursor"]})) == (400, "invalid-cursor")
    assert await found(status=["paid", "shipped"]) == orders[:1]
    assert await found(currency="USD") == []
    assert await found(last_name="love", placed_since="2026-01-01T00:00:00Z") == orders[::-1]
    assert await found(placed_before="2026-01-01T00:00:00+01:00") == []
    assert problem(await clerk("GET", "/orders", params={"placed_since": "2026-01-01"})) == (422, "invalid-request")
    first = (await ada("GET", f"/users/{ada.id}/orders", params={"size": 2})).json()
    second = (await ada("GET", f"/users/{ada.id}/orders", params={"size": 2, "cursor": first["next_cursor"]})).json()
    assert [order["id"] for order in first["items"] + second["items"]] == orders[::-1]
    totals = (await ada("GET", f"/users/{ada.id}/orders/totals")).json()["totals"]
    assert [(each["orders"], each["paid"], each["spent"]["minor"]) for each in totals] == [(3, 1, 2500)]


async def test_the_audit_log_names_the_user_of_the_session_and_the_trace_of_the_request(web: Web) -> None:
    ada, admin = await web.person(), await web.person(Role.ADMIN)
    placed = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [LINE]})
    entries = (await admin("GET", "/audit", params={"subject": f"order:{placed.json()['id']}"})).json()["items"]
    assert [(entry["actor"], entry["action"], entry["origin"].split("/")[0], entry["trace_id"]) for entry in entries] == [
        (f"user:{ada.id}", "order.place", "http 127.0.0.1 python-httpx", placed.headers["x-request-id"])
    ]


@pytest.mark.parametrize("with_redis", [False, True])
async def test_sessions_end_by_logging_out_here_or_everywhere_and_with_the_password(
    database_url: str, with_redis: bool, request: pytest.FixtureRequest
) -> None:
    redis_url: str | None = request.getfixturevalue("redis_url") if with_redis else None
    async with open_web(database_url, redis_url) as web:
        ada, other = await web.person(), await web.person()
        second, third = await web.log_in("user1@example.org"), await web.log_in("USER1@example.org")

        async def works(headers: dict[str, str]) -> bool:
            return (await web.client.get(f"/users/{ada.id}", headers=headers)).status_code == 200

        assert (await ada("DELETE", "/sessions/current")).status_code == 204
        assert [await works(each) for each in (ada.headers, second, third)] == [False, True, True]
        assert (await web.client.delete(f"/users/{ada.id}/sessions", headers=second)).status_code == 204
        assert [await works(each) for each in (second, third)] == [False, False]
        fourth = await web.log_in("user1@example.org")
        change = {"old": PASSWORD, "new": "battery staple"}
        assert (await web.client.put(f"/users/{ada.id}/password", headers=fourth, json=change)).status_code == 204
        assert not await works(fourth)
        assert await works(await web.log_in("user1@example.org", "battery staple"))
        assert (await other("GET", f"/users/{other.id}")).status_code == 200


async def test_logins_that_are_refused(web: Web) -> None:
    await web.person()
    wrong = {"email": "user1@example.org", "password": "guessed"}
    answers = [await web.client.post("/sessions", json=wrong) for _ in range(11)]
    assert [problem(each) for each in answers] == [(401, "wrong-credentials")] * 10 + [(429, "too-many-attempts")]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900
    for authorization in ("Bearer x", "Basic x", ""):
        refused = await web.client.get(f"/users/{UNKNOWN}", headers={"Authorization": authorization})
        assert problem(refused) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_role_is_granted_and_revoked_from_the_next_request_on(web: Web, conn: Connection) -> None:
    ada, admin = await web.person(), await web.person(Role.ADMIN)
    assert problem(await ada("GET", "/users")) == (403, "not-allowed")
    assert problem(await ada("PUT", f"/users/{ada.id}/role", json={"role": "admin"})) == (403, "not-allowed")
    assert (await admin("PUT", f"/users/{ada.id}/role", json={"role": "clerk"})).status_code == 204
    assert (await ada("GET", "/users")).status_code == 200
    for _ in range(2):
        assert (await admin("PUT", f"/users/{ada.id}/role", json={"role": "customer"})).status_code == 204
    assert problem(await ada("GET", "/users")) == (403, "not-allowed")
    # The second time was no change.
    cur = await conn.execute("SELECT count(*) FROM outbox WHERE event_type = 'UserRoleChanged' AND aggregate = %s", [f"user:{ada.id}"])
    assert await cur.fetchone() == (2,)


async def test_what_is_nowhere_and_what_is_not_supported(web: Web) -> None:
    assert problem(await web.client.get("/nowhere")) == (404, "no-such-resource")
    refused = await web.client.put("/users")
    assert problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, POST"
    assert problem(await web.client.post("/users", content="{}", headers={"Content-Type": "text/plain"})) == (415, "unsupported-media-type")
    for parameters in ("; charset=utf-16", ";charset=latin-1", '; charset="iso-8859-1"', "; charset=utf-8; charset=utf-16"):
        headers = {"Content-Type": f"application/json{parameters}"}
        assert problem(await web.client.post("/users", content="{}", headers=headers)) == (415, "unsupported-media-type")
    for encoding in ("utf-16", "utf-16-le", "utf-32-be"):
        headers = {"Content-Type": "application/json"}
        assert problem(await web.client.post("/users", content="{}".encode(encoding), headers=headers)) == (415, "unsupported-media-type")
    encoded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert problem(await web.client.post("/users", content="{}", headers=encoded)) == (415, "unsupported-media-type")
    merge = {"Content-Type": "application/merge-patch+json; charset=utf-8"}
    assert problem(await web.client.post("/users", content="{}", headers=merge)) == (422, "invalid-request")


async def test_integers_are_what_the_description_calls_integers(web: Web) -> None:
    ada = await web.person()
    for size, expected in (("1_0", 422), ("+1", 422), ("1.0", 422), ("", 422), ("1", 200)):
        assert (await ada("GET", f"/users/{ada.id}/orders", params={"size": size})).status_code == expected
    for quantity, expected in ((2.0, 201), (2.5, 422), ("2", 422), (True, 422), (1e300, 422)):
        order = {"user_id": ada.id, "lines": [{**LINE, "quantity": quantity}]}
        assert (await ada("POST", "/orders", json=order)).status_code == expected


# --- Preconditions ------------------------------------------------------------------------------------------------------


async def test_a_change_requires_the_current_version(web: Web) -> None:
    ada = await web.person()
    path, change = f"/users/{ada.id}", {"last_name": "Hopper"}
    for stale in ('"2"', '"0"', 'W/"1"', "1", '"3", "2"', '"99999999999"', '"1" "2"', '"1", *', '"x, "1""', ","):
        assert problem(await ada("PATCH", path, headers={"If-Match": stale}, json=change)) == (412, "precondition-failed")
        assert problem(await ada("DELETE", path, headers={"If-Match": stale})) == (412, "precondition-failed")
    assert (await ada("PATCH", path, headers={"If-Match": "*"}, json=change)).headers["etag"] == '"2"'
    assert (await ada("PATCH", path, headers={"If-Match": '"1" , W/"9",, "2", "x,y"'}, json=change)).headers["etag"] == '"3"'
    several = [*ada.headers.items(), ("If-Match", '"3"'), ("If-Match", 'W/"4", "5"')]
    assert (await web.client.patch(path, headers=several, json=change)).headers["etag"] == '"4"'
    # White space of Unicode, which is none of HTTP.
    odd = {b"Authorization": ada.headers["Authorization"].encode(), b"If-Match": b'"4"\xa0'}
    assert problem(await web.client.patch(path, headers=odd, json=change)) == (412, "precondition-failed")
    several = [*ada.headers.items(), ("If-Match", "*"), ("If-Match", '"4"')]
    assert problem(await web.client.patch(path, headers=several, json=change)) == (412, "precondition-failed")


async def test_a_move_of_an_order_may_name_its_version(web: Web) -> None:
    ada = await web.person()
    path = f"/orders/{(await ada.order())['id']}"
    assert problem(await ada("POST", f"{path}/payment", headers={"If-Match": '"2"'})) == (412, "precondition-failed")
    assert (await ada("POST", f"{path}/payment", headers={"If-Match": '"1"'})).headers["etag"] == '"2"'
    assert (await ada("POST", f"{path}/cancellation")).headers["etag"] == '"3"'


async def test_counters_of_failures_begin_at_zero_so_that_the_first_one_is_an_increase(web: Web) -> None:
    metrics = (await web.client.get("/metrics")).text
    for line in (
        'shop_use_cases_total{outcome="unknown",use_case="order.pay"} 0.0',
        'shop_use_cases_total{outcome="defect",use_case="user.register"} 0.0',
        'shop_http_requests_total{method="POST",route="/orders/{order_id}/payment",status="503"} 0.0',
    ):
        assert line in metrics.splitlines()
    assert "_created" not in metrics
