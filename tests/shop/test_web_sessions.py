"""Sessions over HTTP: how they are opened, continued and ended, how attempts are throttled, and what is recorded of it."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shop.application.context import Actor, Context
from shop.application.rates import network_of
from shop.bootstrap.service import open_shop
from shop.bootstrap.settings import Settings
from shop.domain.result import Ok
from shop.domain.users import Profile, Role
from shop.domain.values import EmailAddress, Password, PersonName, UserId
from shop.local_servers import redis_server
from shop.web.server import Listening, open_server

from .web import KEYS, PASSWORD, Person, Web, bearer, open_web, problem, write_key

EMAIL = "user1@example.org"
NEW_PASSWORD = "battery staple"
HASHING = ("user.register", "user.authenticate", "user.change_password")

CLIENT = f"http 127.0.0.1 python-httpx/{httpx.__version__}"


def login(email: str) -> str:
    return f"login:{hashlib.sha256(email.encode()).hexdigest()}"


@pytest_asyncio.fixture
async def web(database_url: str) -> AsyncIterator[Web]:
    """The application on PostgreSQL alone."""
    async with open_web(database_url) as web:
        yield web


async def works(web: Web, ada: Person, tokens: dict[str, Any]) -> bool:
    return (await web.client.get(f"/users/{ada.id}", headers=bearer(tokens))).status_code == 200


async def refreshed(web: Web, tokens: dict[str, Any]) -> dict[str, Any] | None:
    answer = await web.client.post("/sessions/refresh", json={"refresh_token": tokens["refresh_token"]})
    if answer.status_code == 200:
        assert answer.headers["cache-control"] == "no-store"
        found: dict[str, Any] = answer.json()
        return found
    assert problem(answer) == (401, "session-ended")
    assert answer.headers["www-authenticate"] == "Bearer"
    return None


def audited(database_url: str, *actions: str) -> list[tuple[str, str, str, str, dict[str, str]]]:
    with psycopg.connect(database_url) as conn:
        rows = conn.execute(
            "SELECT actor, action, subject, outcome::text, metadata FROM audit_log WHERE action = ANY(%s) ORDER BY id", [list(actions)]
        )
        return list(rows)


# --- Continuing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_redis", [False, True])
async def test_a_refresh_token_is_used_once_and_its_second_use_ends_the_session(
    database_url: str, with_redis: bool, request: pytest.FixtureRequest
) -> None:
    async with open_web(database_url, request.getfixturevalue("redis_url") if with_redis else None) as web:
        ada = await web.person()
        first, other = await web.tokens(EMAIL), await web.tokens(EMAIL)
        second = await refreshed(web, first)
        assert second is not None
        assert (second["session_id"], second["user_id"], second["expires_in"]) == (first["session_id"], ada.id, 300)
        assert first["refresh_token"] != second["refresh_token"]
        assert first["refresh_expires_in"] - 60 < second["refresh_expires_in"] <= first["refresh_expires_in"] == 12 * 3600
        # The access token of before is valid until it expires.
        assert [await works(web, ada, each) for each in (first, second)] == [True, True]
        assert await refreshed(web, first) is None
        assert await refreshed(web, second) is None
        assert [await works(web, ada, each) for each in (first, second, other)] == [False, False, True]
    session = {"reason": "ReusedToken", "session": first["session_id"]}
    assert audited(database_url, "session.refresh") == [("anonymous", "session.refresh", f"user:{ada.id}", "refused", session)]


async def test_who_knows_the_id_of_a_session_neither_continues_nor_ends_it(web: Web) -> None:
    await web.person()
    tokens = await web.tokens(EMAIL)
    family, part = tokens["refresh_token"].split(".")
    for guess in (
        tokens["session_id"],
        f"{part}.{family}",
        f"{'A' * 43}.{part}",
        f"{family}.",
        family,
        tokens["access_token"],
        "",
        "x" * 1024,
    ):
        assert await refreshed(web, {"refresh_token": guess}) is None
    assert await refreshed(web, tokens) is not None


async def test_of_concurrent_refreshes_at_most_one_succeeds(web: Web) -> None:
    await web.person()
    tokens = await web.tokens(EMAIL)
    answers = await asyncio.gather(*(refreshed(web, tokens) for _ in range(5)))
    assert len([each for each in answers if each is not None]) <= 1
    assert await refreshed(web, tokens) is None


async def test_a_refresh_without_the_database_does_not_use_the_token_up(database_url: str, redis_url: str) -> None:
    async with open_web(database_url, redis_url) as web:
        await web.person()
        tokens = await web.tokens(EMAIL)
    async with open_web(database_url, redis_url, pool_wait_timeout=0.3, pool_min_size=0, pool_max_size=1) as web:
        with_all: Any = web.shop.users
        # The only connection is held.
        async with with_all._transactions._begin():
            answer = await web.client.post("/sessions/refresh", json={"refresh_token": tokens["refresh_token"]})
            assert problem(answer) == (503, "unavailable")
        assert await refreshed(web, tokens) is not None


# --- Ending -------------------------------------------------------------------------------------------------------------


async def test_sessions_are_listed_and_ended_one_by_one(web: Web, database_url: str) -> None:
    ada, other, admin = await web.person(), await web.person(), await web.person(Role.ADMIN)
    tokens = await web.tokens(EMAIL)
    listed = (await web.client.get(f"/users/{ada.id}/sessions", headers=bearer(tokens))).json()["items"]
    assert [(each["id"] == tokens["session_id"], each["is_current"], each["origin"]) for each in listed] == [
        (True, True, CLIENT),
        (False, False, CLIENT),
    ]
    path = f"/users/{ada.id}/sessions"
    assert problem(await other("GET", path)) == (403, "not-allowed")
    assert problem(await other("DELETE", f"{path}/{tokens['session_id']}")) == (403, "not-allowed")
    # Of another user, it is not found.
    assert problem(await admin("DELETE", f"/users/{other.id}/sessions/{tokens['session_id']}")) == (404, "session-not-found")
    assert problem(await admin("GET", f"/users/{uuid.UUID(int=1)}/sessions")) == (404, "user-not-found")
    assert await works(web, ada, tokens)
    assert (await ada("DELETE", f"{path}/{tokens['session_id']}")).status_code == 204
    assert problem(await ada("DELETE", f"{path}/{tokens['session_id']}")) == (404, "session-not-found")
    assert not await works(web, ada, tokens)
    assert await refreshed(web, tokens) is None
    assert len((await ada("GET", path)).json()["items"]) == 1
    session = {"session": tokens["session_id"]}
    assert audited(database_url, "session.end") == [
        (f"user:{other.id}", "session.end", f"user:{ada.id}", "refused", {"reason": "NotAllowed"}),
        (f"user:{admin.id}", "session.end", f"user:{other.id}", "refused", {"reason": "SessionNotFound"}),
        (f"user:{ada.id}", "session.end", f"user:{ada.id}", "done", session),
        (f"user:{ada.id}", "session.end", f"user:{ada.id}", "refused", {"reason": "SessionNotFound"}),
    ]


@pytest.mark.parametrize("way", ["password", "everywhere", "deletion"])
async def test_all_sessions_end_in_all_processes_from_the_next_request_on(database_url: str, redis_url: str, way: str) -> None:
    # The second process remembers for a minute that the sessions are open.
    async with open_web(database_url, redis_url) as web, open_web(database_url, redis_url, session_check_interval=60) as second:
        ada = await web.person()
        sessions = [await web.tokens(EMAIL), await second.tokens(EMAIL)]
        assert [await works(second, ada, each) for each in sessions] == [True, True]
        ended = {
            "password": ("PUT", f"/users/{ada.id}/password", {"old": PASSWORD, "new": NEW_PASSWORD}),
            "everywhere": ("DELETE", f"/users/{ada.id}/sessions", None),
            "deletion": ("DELETE", f"/users/{ada.id}", None),
        }[way]
        condition = {"If-Match": "*"} if way == "deletion" else {}
        assert (await ada(*ended[:2], json=ended[2], headers=condition)).status_code == 204
        assert [await works(process, ada, each) for process in (web, second) for each in sessions] == [False] * 4
        assert [await refreshed(process, each) for process, each in zip((web, second), sessions, strict=True)] == [None, None]
        if way != "deletion":
            tokens = await second.tokens(EMAIL, NEW_PASSWORD if way == "password" else PASSWORD)
            assert await works(web, ada, tokens)
            listed = (await web.client.get(f"/users/{ada.id}/sessions", headers=bearer(tokens))).json()["items"]
            assert [each["id"] for each in listed] == [tokens["session_id"]]


@pytest.mark.parametrize("way", ["password", "everywhere"])
async def test_a_login_during_the_end_of_all_sessions_opens_one_if_its_password_is_still_right(web: Web, way: str) -> None:
    ada = await web.person()
    ada_id, system = UserId(uuid.UUID(ada.id)), Context(Actor.system("test"), "pytest")
    hasher: Any = web.shop.users
    verify = hasher._passwords.verify

    async def verified(password: str, hashed: Any) -> bool:
        is_right: bool = await verify(password, hashed)
        hasher._passwords.verify = verify
        if way == "password":
            assert await web.shop.users.change_password(system, ada_id, PASSWORD, Password(NEW_PASSWORD)) == Ok(None)
        else:
            assert await web.shop.sessions.end_all(system, ada_id) == Ok(None)
        return is_right

    hasher._passwords.verify = verified
    if way == "password":
        attempt = await web.client.post("/sessions", json={"email": EMAIL, "password": PASSWORD})
        assert problem(attempt) == (401, "wrong-credentials")
    opened = await web.log_in(EMAIL, NEW_PASSWORD if way == "password" else PASSWORD)
    assert len((await web.client.get(f"/users/{ada.id}/sessions", headers=opened)).json()["items"]) == 1


async def test_a_session_that_another_process_ended_is_refused_within_the_interval(database_url: str, redis_url: str) -> None:
    async with open_web(database_url, redis_url) as web, open_web(database_url, redis_url, session_check_interval=0.2) as second:
        ada = await web.person()
        tokens = await web.tokens(EMAIL)
        assert await works(second, ada, tokens)
        assert (await web.client.delete("/sessions/current", headers=bearer(tokens))).status_code == 204
        assert not await works(web, ada, tokens)
        while await works(second, ada, tokens):
            pass


@pytest.mark.parametrize("with_redis", [True, False], ids=["in Redis", "in the process"])
async def test_a_signed_token_whose_session_is_no_session_of_its_user_is_refused(
    database_url: str, redis_url: str, *, with_redis: bool
) -> None:
    async with open_web(database_url, redis_url if with_redis else None) as web:
        ada, ben = await web.person(), await web.person()
        key: Any = load_pem_private_key((Path(KEYS["token_keys"]) / "test.pem").read_bytes(), None)
        theirs = ben.headers["Authorization"].removeprefix("Bearer ")
        header, claims = jwt.get_unverified_header(theirs), jwt.decode(theirs, options={"verify_signature": False})
        for forged in ({"sub": ada.id}, {"sid": "\ud800"}, {"sid": "\0"}, {"sid": uuid.uuid4().hex}, {"gen": float("inf")}):
            token = jwt.encode({**claims, **forged}, key, "EdDSA", headers=header)
            answer = await web.client.get(f"/users/{ada.id}", headers={"Authorization": f"Bearer {token}"})
            assert problem(answer) == (401, "unauthenticated"), forged


async def test_a_leaked_key_is_replaced_in_a_running_service(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.infrastructure.tokens._INTERVAL", 0.0)
    write_key(tmp_path, "leaked")
    (tmp_path / "signing").write_text("leaked", encoding="utf-8")
    keys: dict[str, Any] = {"token_keys": str(tmp_path), "token_signing_key": ""}
    async with open_web(database_url, redis_url, **keys) as web, open_web(database_url, redis_url, **keys) as second:
        ada = await web.person()
        tokens = await web.tokens(EMAIL)
        assert await works(second, ada, tokens)
        write_key(tmp_path, "next")
        (tmp_path / "signing").write_text("next", encoding="utf-8")
        (tmp_path / "leaked.pem").unlink()
        assert [await works(each, ada, tokens) for each in (web, second)] == [False, False]
        renewed = await refreshed(web, tokens)
        assert renewed is not None
        assert jwt.get_unverified_header(renewed["access_token"])["kid"] == "next"
        assert [await works(each, ada, renewed) for each in (web, second)] == [True, True]
        published = (await second.client.get("/.well-known/jwks.json")).json()["keys"]
        assert [each["kid"] for each in published] == ["next"]


async def test_access_tokens_are_no_refresh_tokens_and_expire(database_url: str) -> None:
    async with open_web(database_url, token_lifetime=10, token_issuer="https://shop.example", token_audience="orders") as web:
        ada = await web.person()
        tokens = await web.tokens(EMAIL)
        keys = (await web.client.get("/.well-known/jwks.json")).json()
        # As another service verifies it.
        [key] = jwt.PyJWKSet.from_dict(keys).keys
        claims = jwt.decode(tokens["access_token"], key, ["EdDSA"], audience="orders", issuer="https://shop.example")
        assert (claims["sub"], claims["sid"], claims["gen"]) == (ada.id, tokens["session_id"], 1)
        assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 10
        refused = await web.client.get(f"/users/{ada.id}", headers=bearer({"access_token": tokens["refresh_token"]}))
        assert problem(refused) == (401, "unauthenticated")


# --- Throttling, and what is recorded -------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_redis", [False, True])
async def test_attempts_of_an_address_are_limited_whatever_the_account(database_url: str, with_redis: bool, tmp_path: Path) -> None:
    limit: dict[str, Any] = {"http_login_limit": 3}

    async def attempts(web: Web) -> list[tuple[int, str]]:
        bodies = [{"email": f"user{number}@example.org", "password": "guessed"} for number in range(5)]
        answers = await asyncio.gather(*(web.client.post("/sessions", json=body) for body in bodies))
        assert all(0 < int(each.headers["retry-after"]) <= 120 for each in answers if each.status_code == 429)
        return [problem(each) for each in answers]

    wrong, blocked = (401, "wrong-credentials"), (429, "too-many-attempts")
    if not with_redis:
        async with open_web(database_url, **limit) as web:
            assert sorted(await attempts(web)) == [wrong] * 3 + [blocked] * 2
        return
    with redis_server(tmp_path) as redis:
        async with (
            open_web(database_url, redis.url, http_login_limit=3) as web,
            open_web(database_url, redis.url, http_login_limit=3) as second,
        ):
            # Together: Redis counts for all processes, and each count is one step.
            answers = [*await attempts(web), *await attempts(second)]
            assert sorted(answers) == [wrong] * 3 + [blocked] * 7
            # Other requests of the address are not attempts.
            assert (await web.client.get("/.well-known/jwks.json")).status_code == 200
    assert len([each for each in audited(database_url, "user.authenticate") if each[4].get("limit") == "origin"]) == 7


async def test_all_requests_that_have_a_password_hashed_count_together_and_commands_do_not(database_url: str) -> None:
    registration = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
    change = {"old": PASSWORD, "new": NEW_PASSWORD}
    async with open_web(database_url, http_login_limit=3) as web:
        # One registration and one login.
        ada = await web.person()
        # Of an address that is taken: it counts, too.
        assert problem(await web.client.post("/users", json={**registration, "email": EMAIL})) == (409, "email-taken")
        for refused in (
            await web.client.post("/users", json=registration, headers={"Idempotency-Key": "1"}),
            await web.client.post("/sessions", json={"email": EMAIL, "password": PASSWORD}),
            await ada("PUT", f"/users/{ada.id}/password", json=change),
        ):
            assert problem(refused) == (429, "too-many-attempts")
            assert int(refused.headers["retry-after"]) > 0
        system = Context(Actor.system("test"), "cli host")
        for number in range(4):
            profile = Profile(PersonName("A", "B"), EmailAddress(f"{number}@example.org"))
            assert isinstance(await web.shop.users.register(system, profile, Password(PASSWORD)), Ok)
    blocked = [(each[1], each[2]) for each in audited(database_url, *HASHING) if each[4].get("limit") == "origin"]
    assert blocked == [
        ("user.register", login("ada@example.org")),
        ("user.authenticate", login(EMAIL)),
        ("user.change_password", f"user:{ada.id}"),
    ]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("local", "local"),
    ],
)
def test_a_limit_counts_the_network_of_a_client(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_who_has_many_addresses_has_no_more_attempts(database_url: str) -> None:
    async with open_web(database_url, http_login_limit=2) as web:

        async def attempt(address: str) -> tuple[int, str]:
            transport = httpx.ASGITransport(web.app, client=(address, 1))
            # What a client calls itself is no address.
            headers = {"User-Agent": f"curl 192.0.2.{uuid.uuid4().int % 250}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
                return problem(await client.post("/sessions", json={"email": EMAIL, "password": "guessed"}))

        answers = [await attempt(f"2001:db8::{number}") for number in range(1, 4)] + [await attempt("2001:db8:0:1::1")]
    assert [status for status, _ in answers] == [401, 401, 429, 401]


async def test_every_login_and_refusal_is_in_the_audit_log_without_a_secret(web: Web, database_url: str) -> None:
    ada = await web.person()
    tokens = await web.tokens(EMAIL)
    for email, password in ((EMAIL, "guessed"), ("nobody@example.org", "guessed")):
        assert problem(await web.client.post("/sessions", json={"email": email, "password": password})) == (401, "wrong-credentials")
    assert (await web.client.delete(f"/users/{ada.id}/sessions", headers=bearer(tokens))).status_code == 204
    reason = {"reason": "WrongCredentials"}
    assert audited(database_url, "user.authenticate", "user.end_sessions") == [
        ("anonymous", "user.authenticate", f"user:{ada.id}", "done", {}),
        ("anonymous", "user.authenticate", f"user:{ada.id}", "done", {}),
        ("anonymous", "user.authenticate", f"user:{ada.id}", "refused", reason),
        ("anonymous", "user.authenticate", login("nobody@example.org"), "refused", reason),
        (f"user:{ada.id}", "user.end_sessions", f"user:{ada.id}", "done", {}),
    ]
    with psycopg.connect(database_url) as conn:
        everything = str(conn.execute("SELECT * FROM audit_log, outbox").fetchall())
    secrets = [PASSWORD, "guessed", *tokens["refresh_token"].split("."), *tokens["access_token"].split(".")]
    assert [secret for secret in secrets if secret in everything] == []


async def test_without_a_key_that_signs_nobody_logs_in_and_no_refresh_token_is_used_up(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.infrastructure.tokens._INTERVAL", 0.0)
    write_key(tmp_path, "only")
    only = (tmp_path / "only.pem").read_bytes()
    async with open_web(database_url, token_keys=str(tmp_path), token_signing_key="only") as web:
        await web.person()
        body = {"refresh_token": (await web.tokens("user1@example.org"))["refresh_token"]}
        (tmp_path / "only.pem").unlink()
        assert problem(await web.client.post("/sessions/refresh", json=body)) == (503, "sessions-unavailable")
        credentials = {"email": "user1@example.org", "password": PASSWORD}
        assert problem(await web.client.post("/sessions", json=credentials)) == (503, "sessions-unavailable")
        (tmp_path / "only.pem").write_bytes(only)
        assert (await web.client.post("/sessions/refresh", json=body)).status_code == 200


async def test_keys_that_break_before_the_first_login_are_those_that_were_read_at_the_start(database_url: str, tmp_path: Path) -> None:
    write_key(tmp_path, "first")
    settings = Settings.model_validate({"database_url": database_url, "token_keys": str(tmp_path), "token_signing_key": "first"})
    listening = Listening("", 0, str(tmp_path / "shop.sock"))
    async with open_shop(settings) as shop, open_server(shop, settings, listening, lambda _: None):
        (tmp_path / "first.pem").write_bytes(b"")
        (tmp_path / "other.pem").write_bytes(b"x")
        assert [key["kid"] for key in shop.sessions.published_keys()] == ["first"]
