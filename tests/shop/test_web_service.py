"""What surrounds the operations over HTTP: keys, limits, traces, metrics, health, and how the server stops."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import stat
import threading
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import Redis

from shop.application.health import Check, Unhealthy
from shop.domain.users import Role
from shop.local_servers import redis_server
from shop.web import middleware
from shop.web.connections import Connections
from shop.web.middleware import Limits
from shop.web.server import Listening, Server
from tests.support.waiting import wait_until

from .servers import frozen
from .web import LINE, PASSWORD, Web, answers_at, bearer, listening, open_web, problem, served, write_key

pytestmark = [pytest.mark.long, pytest.mark.programs]


@pytest_asyncio.fixture
async def web(database_url: str) -> AsyncIterator[Web]:
    """The application on PostgreSQL alone."""
    async with open_web(database_url) as web:
        yield web


# Of the database and the use cases: no test waits for the end of these seconds.
PATIENT: dict[str, Any] = {"lock_timeout": 120.0, "statement_timeout": 120.0, "use_case_timeout": 120.0}


# --- Keys ---------------------------------------------------------------------------------------------------------------


async def test_a_write_is_carried_out_once_under_its_key(web: Web) -> None:
    ada = await web.person()
    body = {"user_id": ada.id, "lines": [LINE]}
    answers = [await ada("POST", "/orders", headers={"Idempotency-Key": "k1"}, json=body) for _ in range(2)]
    assert [(each.status_code, each.headers.get("idempotency-replayed")) for each in answers] == [(201, None), (201, "true")]
    assert answers[0].content == answers[1].content
    assert [answers[1].headers[name] for name in ("location", "etag")] == [f"/orders/{answers[0].json()['id']}", '"1"']
    other = await ada("POST", "/orders", headers={"Idempotency-Key": "k1"}, json={**body, "lines": [{**LINE, "quantity": 1}]})
    assert problem(other) == (422, "key-reused")
    assert problem(await ada("POST", "/orders", headers={"Idempotency-Key": "a b"}, json=body)) == (422, "invalid-request")
    assert len((await ada("GET", f"/users/{ada.id}/orders")).json()["items"]) == 1


async def test_no_password_is_in_a_fingerprint(web: Web) -> None:
    registration = {"first_name": "Ada", "last_name": "Lovelace", "email": "again@example.org", "password": PASSWORD}
    for password in (PASSWORD, "battery staple"):
        answer = await web.client.post("/users", headers={"Idempotency-Key": "k"}, json={**registration, "password": password})
        # The same request, as far as its fingerprint says: the first password holds.
        assert answer.status_code == 201
    assert (await web.client.post("/sessions", json={"email": "again@example.org", "password": PASSWORD})).status_code == 201


async def test_concurrent_requests_under_one_key_place_one_order(web: Web) -> None:
    ada = await web.person()
    body = {"user_id": ada.id, "lines": [LINE]}
    answers = await asyncio.gather(*(ada("POST", "/orders", headers={"Idempotency-Key": "k"}, json=body) for _ in range(20)))
    placed = [each for each in answers if each.status_code == 201]
    assert len({each.content for each in placed}) == 1
    assert {problem(each) for each in answers if each not in placed} <= {(409, "key-in-use")}
    assert len((await ada("GET", f"/users/{ada.id}/orders")).json()["items"]) == 1


async def test_a_client_whose_connection_broke_finds_out_by_its_key(database_url: str, tmp_path: Path) -> None:
    registration = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    async with open_web(database_url, **PATIENT) as web, listening(web, tmp_path) as client:
        async with await psycopg.AsyncConnection.connect(database_url) as conn:
            # The request waits for this transaction, and its client does not.
            await conn.execute("LOCK TABLE users IN EXCLUSIVE MODE")
            sent = asyncio.create_task(client.post("/users", json=registration, headers=headers))
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
                waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
                while await (await other.execute(waiting)).fetchone() is None:
                    assert not sent.done()
            sent.cancel()
            assert problem(await client.post("/users", json=registration, headers=headers)) == (409, "key-in-use")
        answer = await client.post("/users", json=registration, headers=headers)
        while answer.status_code == 409:
            answer = await client.post("/users", json=registration, headers=headers)
        assert answer.status_code == 201
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM answers)").fetchone() == (1, 1)


# --- Limits -------------------------------------------------------------------------------------------------------------


async def test_a_body_that_is_too_large_is_refused_whether_its_length_is_announced_or_not(database_url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    async with open_web(database_url, limits=Limits(body=1024)) as web:
        for content in (b" " * 2000, chunks()):
            refused = await web.client.post("/sessions", content=content, headers={"Content-Type": "application/json"})
            assert problem(refused) == (413, "body-too-large")


@pytest.mark.parametrize("with_redis", [False, True])
async def test_the_requests_of_an_address_are_limited_but_not_the_questions_of_operators(
    database_url: str, with_redis: bool, tmp_path: Path
) -> None:
    with redis_server(tmp_path) as redis:
        url = redis.url if with_redis else None
        async with open_web(database_url, url, http_rate_limit=3) as web, open_web(database_url, url, http_rate_limit=3) as second:
            answers = [await each.client.get(f"/users/{uuid.UUID(int=1)}/profile") for each in (web, web, second, second, web, web)]
            # Redis counts for all processes; without it each counts for itself.
            assert [each.status_code for each in answers] == ([404] * 3 + [429] * 3 if with_redis else [404] * 5 + [429])
            assert problem(answers[-1]) == (429, "too-many-requests")
            assert 0 < int(answers[-1].headers["retry-after"]) <= 120
            assert [(await web.client.get(path)).status_code for path in ("/livez", "/readyz", "/metrics")] == [200] * 3


async def test_without_redis_access_tokens_are_valid_and_nobody_logs_in(database_url: str, tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis:
        async with open_web(database_url, redis.url, http_rate_limit=1000, session_check_interval=0) as web:
            ada, grace = await web.person(), await web.person()
            tokens = await web.tokens("user1@example.org")

            async def unavailable() -> list[tuple[int, str]]:
                body = {"refresh_token": tokens["refresh_token"]}
                return [
                    problem(await web.client.post("/sessions", json={"email": "user1@example.org", "password": PASSWORD})),
                    problem(await web.client.post("/sessions/refresh", json=body)),
                    problem(await ada("GET", f"/users/{ada.id}/sessions")),
                    problem(await ada("DELETE", "/sessions/current")),
                ]

            with frozen(redis):
                assert (await ada("GET", f"/users/{ada.id}")).status_code == 200
                assert (await web.client.get(f"/users/{ada.id}/profile")).status_code == 200
                assert problem(await ada("GET", f"/users/{ada.id}/sessions")) == (503, "sessions-unavailable")
            redis.kill()
            assert await unavailable() == [(503, "sessions-unavailable")] * 4
            # The database alone ends all sessions of a user.
            assert (await ada("DELETE", f"/users/{ada.id}/sessions")).status_code == 204
            assert problem(await ada("GET", f"/users/{ada.id}")) == (401, "unauthenticated")
            assert (await grace("GET", f"/users/{grace.id}")).status_code == 200
            redis.start()
            # Its content is lost, so each session has ended, as soon as it is looked up again.
            while (await grace("GET", f"/users/{grace.id}")).status_code == 200:
                pass
            assert problem(await grace("GET", f"/users/{grace.id}")) == (401, "unauthenticated")


async def test_redis_has_no_token(database_url: str, redis_url: str) -> None:
    async with open_web(database_url, redis_url) as web:
        await web.person()
        tokens = await web.tokens("user1@example.org")
    client: Any = Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType] redis types its keyword arguments partially
    with client:
        content = b"".join(key + (client.dump(key) or b"") for key in client.scan_iter())
    assert b"shop:session:" in content
    secrets = [*tokens["refresh_token"].split("."), *tokens["access_token"].split(".")]
    assert [secret for secret in secrets if secret.encode() in content] == []


async def test_a_request_that_takes_too_long_ends_with_a_problem_and_changes_nothing(database_url: str, redis_url: str) -> None:
    hurry = open_web(database_url, redis_url, limits=Limits(seconds=0.5), **PATIENT)
    async with open_web(database_url, redis_url) as web, hurry as hurried:
        ada = await web.person()
        path = f"/orders/{(await ada.order())['id']}"
        async with await psycopg.AsyncConnection.connect(database_url) as conn:
            await conn.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
            assert problem(await hurried.client.post(f"{path}/payment", headers=ada.headers)) == (504, "timeout")
        assert (await ada("GET", path)).json()["status"] == "placed"


async def test_a_request_whose_commit_has_begun_in_time_is_carried_out_and_found_out_by_its_key(database_url: str, redis_url: str) -> None:
    hurry = open_web(database_url, redis_url, limits=Limits(seconds=0.5), **PATIENT)
    async with open_web(database_url, redis_url) as web, hurry as hurried:
        ada = await web.person()
        path, headers = f"/orders/{(await ada.order())['id']}/payment", {**ada.headers, "Idempotency-Key": "k"}
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
            await conn.execute("""
                CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$
            """)
            await conn.execute("""
                CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION wait_in_commit()
            """)
            in_commit = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'shop' AND query = 'COMMIT' AND wait_event = 'advisory'"
            while True:
                await conn.execute("SELECT pg_advisory_lock(1)")
                sent = asyncio.create_task(hurried.client.post(path, headers=headers))
                # On a busy machine the time may pass before the commit begins; then nothing was done, and it is sent again.
                while not sent.done() and await (await conn.execute(in_commit)).fetchone() is None:
                    pass
                is_in_commit = not sent.done()
                await asyncio.wait([sent], timeout=0.6)
                await conn.execute("SELECT pg_advisory_unlock_all()")
                assert problem(await sent) == (504, "timeout")
                if is_in_commit:
                    break
        answer = await web.client.post(path, headers=headers)
        assert (answer.status_code, answer.headers["idempotency-replayed"], answer.json()["status"]) == (200, "true", "paid")


async def test_a_lost_database_is_a_problem_and_the_server_is_not_ready(database_url: str, web: Web) -> None:
    ada = await web.person()
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE orders RENAME TO gone")
        defect = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [LINE]})
        assert problem(defect) == (500, "defect")
        assert defect.json()["detail"] == "a defect in the program; see the log"
        admin.execute("ALTER TABLE gone RENAME TO orders")

    async def lost() -> str:
        raise Unhealthy("postgres://ada:s3cret@host is gone")

    assert (await web.client.get("/readyz")).json()["ready"]
    web.state.checks = [Check("postgres", lost, is_required=True)]
    refused = await web.client.get("/readyz")
    assert (refused.status_code, refused.json()["dependencies"]) == (503, [{"name": "postgres", "is_healthy": False, "is_required": True}])
    assert (await web.client.get("/livez")).status_code == 200


async def test_a_parameter_that_an_operation_does_not_describe_is_refused_but_not_to_scrapers(web: Web) -> None:
    clerk = await web.person(Role.CLERK)
    for path in ("/orders", f"/users/{clerk.id}", "/.well-known/jwks.json"):
        refused = await clerk("GET", path, params={"statuss": "paid", "size_": 3})
        assert problem(refused) == (422, "invalid-request")
        assert [each["at"] for each in refused.json()["errors"]] == ["/query/size_", "/query/statuss"]
    assert (await clerk("GET", "/orders", params={"status": ["paid", "placed"], "size": 3})).status_code == 200
    assert [(await web.client.get(path, params={"x": "y"})).status_code for path in ("/livez", "/readyz", "/metrics")] == [200] * 3


async def test_every_parameter_that_would_be_ignored_is_refused(web: Web) -> None:
    clerk = await web.person(Role.CLERK)
    for path, operations in web.app.openapi()["paths"].items():
        for described in operations.get("get", {}).get("parameters", ()):
            name, schema = described["name"], described["schema"]
            if described["in"] != "query":
                continue
            is_list = schema.get("type") == "array"
            valid = {"integer": "1", "array": "x"}.get(schema.get("type"), "x")
            for query in (f"{name}=%FF", f"{name}=%ED%A0%80", *(() if is_list else (f"{name}={valid}&{name}={valid}",))):
                refused = await clerk("GET", f"{path.replace('{user_id}', clerk.id)}?{query}")
                assert problem(refused) == (422, "invalid-request"), (path, query)
                reason = "is not UTF-8" if "%" in query else "is sent more than once"
                assert refused.json()["errors"] == [{"at": f"/query/{name}", "reason": reason}]
            if schema.get("type") == "integer":
                assert problem(await clerk("GET", f"{path.replace('{user_id}', clerk.id)}?{name}=5.0")) == (422, "invalid-request"), path


async def test_what_the_client_has_is_not_sent_again(web: Web) -> None:
    ada = await web.person()
    order = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [LINE]})
    for path in (f"/users/{ada.id}", f"/orders/{order.json()['id']}"):
        shown = await ada("GET", path)
        tag = shown.headers["ETag"]
        for known in ([tag], ["*"], [f'"7", W/{tag}'], ['"7"', tag]):
            answer = await web.client.get(path, headers=[*ada.headers.items(), *(("If-None-Match", each) for each in known)])
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
            assert "content-length" not in answer.headers
        for unknown in ('"7"', tag.strip('"'), f"{tag} x", ""):
            assert (await ada("GET", path, headers={"If-None-Match": unknown})).content == shown.content
    assert (await ada("GET", f"/users/{uuid.uuid4()}", headers={"If-None-Match": "*"})).status_code == 403


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ('{"user_id": "%s", "user_id": "%s", "lines": []}', ["user_id"]),
        ('{"user_id": "%s", "lines": [{"sku": "A", "sku": "B", "title": "x", "title": "x"}], "x": "%s"}', ["sku", "title"]),
        (r'{"user_id": "%s", "\u0075ser_id": "%s", "\ud800": 1, "\ud800": 2}', ["user_id", "\\ud800"]),
        (r'{"\"é\n": "%s", "\"é\n": "%s", "\\ud800": 1, "\\ud800": 2}', ['\\"é\\n', "\\\\ud800"]),
    ],
)
async def test_a_name_in_an_object_of_the_body_is_sent_once(web: Web, order: str, names: list[str]) -> None:
    ada, eve = await web.person(), await web.person()
    headers = {**ada.headers, "Content-Type": "application/json"}
    refused = await web.client.post("/orders", content=order % (ada.id, eve.id), headers=headers)
    assert problem(refused) == (422, "invalid-request")
    # Where the object is cannot be said.
    assert refused.json()["errors"] == [{"at": "/body", "reason": f'an object has the name "{name}" more than once'} for name in names]


QUANTITY = '{"lines": [{"sku": "A", "title": "x", "quantity": %s, "unit_price": {"minor": 1, "currency": "EUR"}}], "user_id": "%s"}'


@pytest.mark.parametrize("number", ["1.00000000000000000001", "0.99999999999999999999", "9007199254740993.0"])
async def test_a_number_that_is_no_integer_is_not_rounded_to_one(web: Web, number: str) -> None:
    ada = await web.person()
    headers = {**ada.headers, "Content-Type": "application/json"}
    refused = await web.client.post("/orders", content=QUANTITY % (number, ada.id), headers=headers)
    assert problem(refused) == (422, "invalid-request")
    accepted = await web.client.post("/orders", content=QUANTITY % ("1.0e0", ada.id), headers=headers)
    assert accepted.status_code == 201, accepted.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_what_only_some_parsers_take_for_json_is_malformed(web: Web, number: str) -> None:
    ada = await web.person()
    headers = {**ada.headers, "Content-Type": "application/json"}
    for body in (number, QUANTITY % (number, ada.id)):
        assert problem(await web.client.post("/orders", content=body, headers=headers)) == (400, "malformed-body")


async def test_the_place_of_an_invalid_part_is_a_json_pointer_for_any_name(web: Web) -> None:
    ada = await web.person()
    order = {"user_id": ada.id, "lines": [{**LINE, "a/b": 1, "~1": 2, "": 3}], "/": 4}
    headers = {**ada.headers, "Content-Type": "application/json"}
    refused = await web.client.post("/orders?c/~d=1", content=json.dumps(order), headers=headers)
    assert problem(refused) == (422, "invalid-request")
    assert [each["at"] for each in refused.json()["errors"]] == ["/query/c~1~0d"]
    refused = await web.client.post("/orders", content=json.dumps(order), headers=headers)
    assert problem(refused) == (422, "invalid-request")
    assert {each["at"] for each in refused.json()["errors"]} == {
        "/body/lines/0/a~1b",
        "/body/lines/0/~01",
        "/body/lines/0/",
        "/body/~1",
    }


async def test_headers_that_are_no_lists_are_sent_once(web: Web) -> None:
    ada = await web.person()
    order = {"user_id": ada.id, "lines": [LINE]}
    for name, values in (
        ("Idempotency-Key", "ab"),
        ("Authorization", [ada.headers["Authorization"]] * 2),
        ("Content-Type", ["application/json"] * 2),
    ):
        others = [(key, value) for key, value in ada.headers.items() if key != name]
        refused = await web.client.post("/orders", json=order, headers=[*others, *((name, value) for value in values)])
        assert problem(refused) == (422, "invalid-request")
        assert refused.json()["errors"] == [{"at": f"/header/{name}", "reason": "is sent more than once"}]
    for encodings, status in ((["identity", "gzip"], 415), (["identity", "identity"], 201)):
        headers = [*ada.headers.items(), *(("Content-Encoding", each) for each in encodings)]
        assert (await web.client.post("/orders", json=order, headers=headers)).status_code == status


# --- Traces and metrics -------------------------------------------------------------------------------------------------


async def test_a_trace_is_continued_through_the_audit_log_and_the_response(
    database_url: str, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(middleware, "_tracer", provider.get_tracer("test"))
    ada = await web.person()
    exporter.clear()
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    body = {"user_id": ada.id, "lines": [LINE]}
    placed = await ada("POST", "/orders", headers={"traceparent": f"00-{trace}-{parent}-01"}, json=body)
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert span.context is not None
    assert (span.name, f"{span.parent.span_id:016x}") == ("POST /orders", parent)
    assert placed.headers["x-request-id"] == trace
    assert placed.headers["traceparent"] == f"00-{trace}-{span.context.span_id:016x}-01"
    with psycopg.connect(database_url) as conn:
        subject = f"order:{placed.json()['id']}"
        assert conn.execute("SELECT trace_id FROM audit_log WHERE subject = %s", [subject]).fetchone() == (trace,)
        assert conn.execute("SELECT trace_id FROM outbox WHERE aggregate = %s", [subject]).fetchone() == (trace,)


async def test_the_log_and_the_metrics_have_the_route_of_a_request_and_not_its_path(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "shop.http"):
        await web.client.get(f"/users/{uuid.UUID(int=1)}/profile?")
        await web.client.request("BREW", "/nowhere")
        assert (await web.client.get("/openapi.json")).json() == web.app.openapi()
        assert (await web.client.head("/openapi.json")).headers["allow"] == "GET"
    lines = [record.getMessage().partition(" in ")[0] for record in caplog.records]
    assert lines == ["GET /users/{user_id}/profile: 404", "OTHER unknown: 404", "GET /openapi.json: 200", "HEAD /openapi.json: 405"]
    metrics = (await web.client.get("/metrics")).text
    assert 'shop_http_requests_total{method="GET",route="/users/{user_id}/profile",status="404"} 1.0' in metrics
    assert 'shop_http_request_seconds_count{method="GET",route="/users/{user_id}/profile"} 1.0' in metrics


# --- The server ---------------------------------------------------------------------------------------------------------


def test_a_server_that_stops_is_not_ready_and_answers_what_it_has_accepted(database_url: str) -> None:
    registration = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
    patient = {f"SHOP_{name.upper()}": str(seconds) for name, seconds in PATIENT.items()}
    with served(database_url, SHOP_HTTP_DRAIN="300", SHOP_LOG_FORMAT="json", SHOP_LOG_LEVEL="info", **patient) as server:
        answers: list[httpx.Response] = []
        with psycopg.connect(database_url) as conn, psycopg.connect(database_url, autocommit=True) as other:
            conn.execute("LOCK TABLE users IN EXCLUSIVE MODE")
            client = threading.Thread(target=lambda: answers.append(httpx.post(f"{server.url}/users", json=registration, timeout=120)))
            client.start()
            waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
            wait_until(lambda: other.execute(waiting).fetchone(), "the request does not wait for the lock")
            server.process.terminate()
            wait_until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "the server is still ready")
            late = httpx.get(f"{server.url}/users/{uuid.UUID(int=1)}/profile")
            assert (late.status_code, late.headers["connection"]) == (404, "close")
            # The second signal ends the time in which it still accepts requests.
            server.process.terminate()
            wait_until(lambda: not answers_at(server.url), "the server still accepts connections")
        client.join()
        # Without a third signal, which would kill a process that has stopped serving.
        _, log = server.process.communicate(timeout=60)
    assert (answers[0].status_code, server.process.returncode) == (201, 0), log
    assert all(json.loads(line)["level"] in {"info", "warning"} for line in log.splitlines() if line.startswith("{"))


def test_two_programs_accept_each_others_cursors_and_refuse_a_key_that_is_removed_while_they_run(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    write_key(tmp_path, "leaked")
    (tmp_path / "signing").write_text("leaked", encoding="utf-8")
    settings = {"REDIS_URL": redis_url, "SHOP_TOKEN_KEYS": str(tmp_path), "SHOP_CURSOR_KEYS": "k" * 32}
    with served(database_url, **settings) as first, served(database_url, **settings) as second:
        for name in ("ada", "grace"):
            registration = {"first_name": "A", "last_name": "B", "email": f"{name}@example.org", "password": PASSWORD}
            assert httpx.post(f"{first.url}/users", json=registration).status_code == 201
        with psycopg.connect(database_url) as conn:
            conn.execute("UPDATE users SET role = 'admin'")

        def log_in() -> dict[str, str]:
            return bearer(httpx.post(f"{first.url}/sessions", json={"email": "ada@example.org", "password": PASSWORD}).json())

        before = log_in()

        def is_refused(url: str) -> bool:
            return httpx.get(f"{url}/users", headers=before).status_code == 401

        for path in ("/users", "/audit"):
            page = httpx.get(f"{first.url}{path}", params={"size": 1}, headers=before).json()
            following = {"size": 1, "cursor": page["next_cursor"]}
            other = httpx.get(f"{second.url}{path}", params=following, headers=before)
            assert (other.status_code, other.json()["items"] == page["items"]) == (200, False)
        write_key(tmp_path, "next")
        (tmp_path / "signing").write_text("next", encoding="utf-8")
        (tmp_path / "leaked.pem").unlink()
        for each in (first, second):
            wait_until(partial(is_refused, each.url), "the key is still accepted")
        assert [httpx.get(f"{each.url}/users", headers=log_in()).status_code for each in (first, second)] == [200, 200]
        codes, logs = zip(*(each.stop() for each in (first, second)), strict=True)
    assert codes == (0, 0)
    assert all("token_keys has changed: the key next signs, and accepted are next" in log for log in logs)


async def test_a_unix_socket_is_for_the_group_and_removed_with_its_server(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "shop.sock"
    async with listening(web, tmp_path) as client:
        assert (await client.get("/livez")).status_code == 200
        assert stat.filemode(path.stat().st_mode) == "srw-rw----"
        # Its file is replaced by a server that is started before this one has stopped, and which keeps it.
        path.unlink()
        path.touch()
    assert path.exists()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with listening(web, tmp_path) as client:
        assert (await client.get("/livez")).status_code == 200
    assert not path.exists()


async def test_a_server_on_any_free_port_reports_the_one_that_it_has(web: Web) -> None:
    found: list[str] = []
    server = Server(web.app, web.state, Listening("127.0.0.1", 0), found.append, drain=0, connections=Connections())
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://{found[0]}") as client:
        assert (await client.get("/livez")).status_code == 200
    server.should_exit = True
    await running
