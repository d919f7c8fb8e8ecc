"""The program `shop`, on real servers."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import psycopg
import pytest
from typer.testing import CliRunner

from shop.application.commands.orders import MoveError
from shop.application.commands.users import PasswordError, ProfileError
from shop.application.context import Actor, Context
from shop.application.messaging.interest import Interest
from shop.application.reads.cursors import InvalidCursor
from shop.application.transactions.failures import Failure
from shop.bootstrap.service import open_shop
from shop.bootstrap.settings import Settings
from shop.cli import app, main
from shop.cli.problems import problem_of
from shop.domain.events import UserPasswordChanged
from shop.domain.orders import UnacceptableOrder
from shop.domain.result import Ok
from shop.domain.users import EmailTaken, UserHasOrders, UserNotFound
from shop.domain.values import EmailAddress, InvalidValue, UserId
from shop.infrastructure.nats.broker import open_broker
from shop.infrastructure.postgres.schema import SCHEMA_VERSION
from shop.local_servers import nats_server, redis_server
from tests.support.waiting import wait_until

from .events import message
from .log_watch import FORBIDDEN
from .program import PASSWORD, REGISTER, Program, Ran

pytestmark = pytest.mark.long

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and an environment without URLs."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "NATS_URL", "NATS_MONITORING_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def program(service_url: str) -> Program:
    """The program on a database only."""
    return Program({"DATABASE_URL": service_url})


@pytest.fixture
def whole(tmp_path: Path, service_url: str) -> Iterator[Program]:
    """The program on PostgreSQL, with no other rights than it needs, Redis and NATS."""
    with redis_server(tmp_path) as redis, nats_server(tmp_path) as nats:
        urls = {"REDIS_URL": redis.url, "NATS_URL": nats.url, "NATS_MONITORING_URL": nats.monitoring_url}
        yield Program({"DATABASE_URL": service_url, **urls})


def test_a_user_from_registration_to_deletion(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)
    assert (user["email"], user["version"]) == ("ada@example.org", 1)
    assert program.json("users", "login", "ADA@example.org", "--password-stdin", stdin=PASSWORD)["id"] == user["id"]
    changed = program.json("users", "password", user["id"], "--password-stdin", stdin=f"{PASSWORD}battery staple\n")
    assert changed["password"] == "changed"
    assert program.json("users", "update", user["id"], "--last", "King", "--version", "2")["version"] == 3
    assert program.json("users", "list")["items"][0]["last_name"] == "King"
    assert program.json("users", "count") == {"users": 1}
    assert program.json("users", "delete", user["id"])["deleted"] is True
    problem = program.json("users", "show", user["id"], code=1)
    assert (problem["type"], problem["status"]) == ("urn:shop:problem:user-not-found", 404)
    assert problem["instance"].startswith("urn:shop:trace:")


@pytest.mark.programs
def test_an_order_from_placing_to_sales_and_audit_log(whole: Program, database_url: str) -> None:
    user = whole.json(*REGISTER, stdin=PASSWORD)["id"]
    lines = ("--line", "MUG-01:Mug:2:9.90 EUR", "--line", "BOOK:A book:1:12.50 EUR")
    whole.json("roles", "grant", user, "admin")
    order = whole.json("--as", user, "orders", "place", user, *lines)
    assert (order["total"], order["status"]) == ("32.30 EUR", "placed")
    assert whole.json("orders", "summary", user)["items"][0]["spent"] == "0.00 EUR"
    whole.json("orders", "pay", order["id"])
    assert whole.json("orders", "summary", user)["items"][0]["spent"] == "32.30 EUR"
    assert whole.json("orders", "ship", order["id"])["version"] == 3
    problem = whole.json("orders", "cancel", order["id"], code=1)
    assert problem["detail"] == f"order {order['id']} is shipped and cannot become cancelled"
    assert whole.json("relay", "--once")["published"] == 5

    with whole.start("--set", "log_level=debug", "consume", "sales") as consumer, psycopg.connect(database_url, autocommit=True) as conn:
        wait_until(
            lambda: consumer.poll() is not None or conn.execute("SELECT FROM daily_sales").fetchone() is not None,
            "the consumer wrote nothing",
        )
        assert consumer.poll() is None
        consumer.send_signal(signal.SIGTERM)
        said, logged = consumer.communicate(timeout=300)
    assert consumer.returncode == 0, said
    assert "add_to_daily_sales" in logged
    assert FORBIDDEN.search(logged) is None
    assert whole.json("orders", "sales")["items"][0]["revenue_minor"] == 32_30

    page = whole.json("audit", f"order:{order['id']}", "--size", "3")
    assert [entry["action"] for entry in page["items"]] == ["order.cancel", "order.ship", "order.pay"]
    rest = whole.json("audit", f"order:{order['id']}", "--cursor", page["next_cursor"])
    assert [(entry["action"], entry["actor"]) for entry in rest["items"]] == [("order.place", f"user:{user}")]
    assert whole.json("audit", "--cursor", page["next_cursor"], code=2)["title"] == "Invalid cursor"
    assert whole.json("orders", "history", user)["items"][0]["line_count"] == 2
    search = whole.json("orders", "find", "--status", "shipped", "--currency", "EUR", "--customer", "LOVE", "--order", "largest")
    assert [item["id"] for item in search["items"]] == [order["id"]]
    assert (search["next_cursor"], search["previous_cursor"]) == (None, None)
    whole.json("orders", "place", user, "--line", "MUG-01:Mug:1:9.90 EUR")
    first = whole.json("orders", "find", "--size", "1")
    second = whole.json("orders", "find", "--size", "1", "--cursor", first["next_cursor"])
    assert whole.json("orders", "find", "--size", "1", "--cursor", second["previous_cursor"]) == first
    assert whole.json("orders", "find", "--order", "oldest", "--cursor", first["next_cursor"], code=2)["title"] == "Invalid cursor"
    assert whole.json("orders", "find", "--before", "2020-01-01")["items"] == []


def test_the_default_output_is_tables_and_sentences(program: Program) -> None:
    ran = program(*REGISTER, stdin=PASSWORD)
    assert "first name  Ada" in ran.stdout
    refused = program(*REGISTER, stdin=PASSWORD)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "shop: the e-mail address ada@example.org is taken\n")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("users", "login", "unknown", "--password-stdin"), 2, "invalid-value"),
        (("users", "login", "nobody@example.org", "--password-stdin"), 1, "wrong-credentials"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", "MUG:Mug:1:1 EUR"), 1, "user-not-found"),
        (("orders", "pay", str(uuid.UUID(int=1))), 1, "order-not-found"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", "A:A:1:1 EUR", "--line", "B:B:1:1 USD"), 2, "unacceptable-order"),
        (("--set", "database_url=postgres://postgres@127.0.0.1:1/x", "users", "list"), 69, "database-not-ready"),
        (("--set", "pool_max_size=none", "users", "list"), 78, "settings"),
        (("--set", "pool_min_size=20", "users", "list"), 78, "settings"),
        (("--set", "database_url=postgres://h:99999/x", "users", "list"), 78, "settings"),
        (("--set", "database_url=postgres://h/x?connect_timeout=soon", "users", "list"), 78, "settings"),
        (("--set", "redis_url=redis://h:99999", "users", "list"), 78, "settings"),
        (("--set", "nats_url=nats://:", "relay", "--once"), 78, "settings"),
        (("--set", "nats_monitoring_url=http://ada:secret@h:8222", "users", "list"), 78, "settings"),
        (("--set", "nats_monitoring_url=http://h:99999", "users", "list"), 78, "settings"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:{'9' * 5000}:1 EUR"), 2, "invalid-value"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:1:{'9' * 5000} EUR"), 2, "invalid-value"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:1:0.{'0' * 5000}1 EUR"), 2, "invalid-value"),
        (("users", "update", str(uuid.UUID(int=1)), "--first", "A", "--version", "9" * 30), 1, "user-not-found"),
        (("users", "update", str(uuid.UUID(int=1)), "--phone", "+1 555 0000", "--version", "1"), 1, "user-not-found"),
        # Judged before the use case begins.
        (("users", "update", str(uuid.UUID(int=1)), "--email", "x"), 2, "invalid-value"),
        (("users", "update", str(uuid.UUID(int=1)), "--last", " "), 2, "invalid-value"),
        (("users", "update", str(uuid.UUID(int=1)), "--phone", "abc"), 2, "invalid-value"),
        (("relay",), 78, "settings"),
        (("serve", "--host", ""), 78, "settings"),
        (("serve", "--host", "nowhere.invalid", "--port", "0"), 78, "settings"),
        (("serve", "--host", "ü" * 300, "--port", "0"), 78, "settings"),
        (("serve", "--host", "192.0.2.1", "--port", "0"), 78, "settings"),
        (("serve", "--unix-socket", "/nowhere/socket"), 78, "settings"),
        (("serve", "--unix-socket", "/"), 78, "settings"),
        (("serve", "--unix-socket", "/dev/null"), 78, "settings"),
        (("serve", "--unix-socket", "s" * 200), 78, "settings"),
        (("serve", "--unix-socket", ""), 78, "settings"),
        (("--set", "nats_url=nats://127.0.0.1:1", "consume", "cache"), 78, "settings"),
        (("--set", "nats_url=nats://127.0.0.1:1", "relay", "--once"), 0, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_outcome_has_its_exit_status_and_kind(program: Program, arguments: tuple[str, ...], code: int, kind: str | None) -> None:
    document = program.json(*arguments, stdin="guessed\n", code=code)
    assert document.get("type") == (None if kind is None else f"urn:shop:problem:{kind}")


@pytest.fixture
def call_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], program: Program) -> Iterator[Callable[..., Ran]]:
    """Call the whole program in this process, with nothing on stdin: some usage is checked before a command is found."""
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["shop", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)}
    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


def test_json_may_be_anywhere_on_the_command_line(call_main: Callable[..., Ran]) -> None:
    called = call_main("users", "show", "me", "--json")
    assert (called.returncode, called.stderr) == (2, "")
    problem = json.loads(called.stdout)
    assert (problem["type"], problem["detail"]) == ("urn:shop:problem:usage", "Invalid value for 'USER': me is not an id")


def test_a_range_of_positions_that_ends_before_it_begins_is_refused(program: Program) -> None:
    assert "6 is before 7" in program("outbox", "republish", "7", "6").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("orders", "sales", "--days", "999999"),
        ("seed", "1", "--number", "9" * 100),
        ("seed", "9" * 100),
        ("orders", "place", str(uuid.UUID(int=1)), "--line", "MUG:Mug:\N{ARABIC-INDIC DIGIT TWO}:1 EUR"),
        ("users", "show", "\udcff"),
        ("audit", "user:\udcff"),
        ("users", "update", str(uuid.UUID(int=1))),
        ("users", "update", str(uuid.UUID(int=1)), "--phone", "+1 555 0000", "--no-phone"),
        ("users", "login", "ada@example.org", "--password-stdin"),
        ("--config", "", "users", "list"),
        ("database", "grant", ""),
        ("database", "grant", "r" * 64),
    ],
    ids=range(12),
)
def test_invalid_arguments_are_a_usage_problem(call_main: Callable[..., Ran], arguments: tuple[str, ...]) -> None:
    called = call_main("--json", *arguments)
    assert (called.returncode, json.loads(called.stdout)["type"]) == (2, "urn:shop:problem:usage"), called.stderr
    assert "Traceback" not in called.stderr


@pytest.mark.programs
@pytest.mark.parametrize("arguments", [("users", "show", "\udcff"), ("users", "login", "ada@example.org")], ids=["bytes", "no terminal"])
def test_invalid_arguments_of_a_process_are_a_usage_problem(program: Program, arguments: tuple[str, ...]) -> None:
    # Arguments are bytes, and there is no terminal for the password prompt.
    with program.start("--json", *arguments) as called:
        out, err = called.communicate(timeout=300)
    assert (called.returncode, json.loads(out)["type"]) == (2, "urn:shop:problem:usage"), err
    assert "Traceback" not in err


def test_a_password_that_is_not_utf_8_is_refused(program: Program) -> None:
    ran = CliRunner().invoke(
        app, ["--json", "users", "login", "ada@example.org", "--password-stdin"], input=b"\xff\n", env=program.environment
    )
    assert (ran.exit_code, json.loads(ran.stdout)["detail"]) == (2, "stdin is not UTF-8")


def test_an_update_changes_only_the_given_values(program: Program) -> None:
    user = program.json(*REGISTER, "--phone", "+44 20 7946 0018", stdin=PASSWORD)["id"]
    changed = program.json("users", "update", user, "--last", "King")
    assert (changed["first_name"], changed["last_name"], changed["phone"]) == ("Ada", "King", "+44 20 7946 0018")
    changed = program.json("users", "update", user, "--no-phone", "--email", "king@example.org")
    assert (changed["last_name"], changed["phone"], changed["email"]) == ("King", None, "king@example.org")
    assert program.json("users", "update", user, "--first", "A", "--version", "9" * 30, code=1)["title"] == "Changed meanwhile"


def test_a_title_may_contain_colons(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    order = program.json("orders", "place", user, "--line", "MUG:Mug: large, 1:1:2:9.90 EUR")
    assert order["lines"] == ["2 × MUG Mug: large, 1:1, 9.90 EUR each"]


def test_a_role_without_rights_is_reported(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS shop_without_rights")
        conn.execute("CREATE ROLE shop_without_rights LOGIN PASSWORD 's3cret'")
        parts = urlsplit(database_url)
        program.environment["DATABASE_URL"] = parts._replace(
            netloc=f"shop_without_rights:s3cret@{parts.netloc.rpartition('@')[2]}"
        ).geturl()
        problem = program.json("users", "count", code=69)
        conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_without_rights")
        refused = json.loads(program("--json", *REGISTER, stdin=PASSWORD).stdout)
        conn.execute("DROP OWNED BY shop_without_rights")
        conn.execute("DROP ROLE shop_without_rights")
    assert problem["detail"] == (
        "the role shop_without_rights may not use the tables (permission denied for table users); "
        "run: shop database grant shop_without_rights"
    )
    assert refused["detail"] == (
        "the database is unavailable: insufficient privilege (SQLSTATE 42501): permission denied for table users; grant the role the rights"
    )


def test_a_database_that_accepts_no_writes_is_unavailable(program: Program, database_url: str) -> None:
    program.environment["DATABASE_URL"] += f"{'&' if urlsplit(database_url).query else '?'}options=-c%20default_transaction_read_only%3Don"
    assert program.json("users", "count")["users"] == 0
    ran = program("--json", *REGISTER, stdin=PASSWORD)
    assert ran.returncode == 69
    assert json.loads(ran.stdout)["detail"] == (
        "the database is unavailable: read only sql transaction (SQLSTATE 25006): the database accepts no writes"
    )


def test_an_unexpected_error_is_a_defect_without_its_text(program: Program, database_url: str) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO daily_sales VALUES (current_date, 'XXX', 1, 1)")
        conn.execute("UPDATE users SET phone = 'Lovelace'")
    for arguments in (("orders", "sales"), ("users", "update", user, "--first", "A")):
        ran = program("--json", *arguments)
        assert (ran.returncode, json.loads(ran.stdout)["type"]) == (70, "urn:shop:problem:defect")
        assert not any(value in ran.stdout + ran.stderr for value in ("XXX", "Lovelace"))


def test_seeds_leave_out_users_whose_address_is_taken(program: Program) -> None:
    taken = ("--first", "Ada", "--last", "Lovelace", "--email", "USER3.7@example.org")
    program.json("users", "register", *taken, "--password-stdin", stdin=PASSWORD)
    assert program.json("seed", "20", "--number", "7")["new_users"] == 19
    assert program.json("users", "count") == {"users": 20}


def test_a_defect_is_a_problem_and_its_traceback_a_log_line(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("ALTER TABLE audit_log ALTER COLUMN action TYPE varchar(3)")
    ran = program("--json", *REGISTER, stdin=PASSWORD)
    assert (ran.returncode, json.loads(ran.stdout)["type"]) == (70, "urn:shop:problem:defect")
    assert "string data right truncation (SQLSTATE 22001)" in ran.stderr
    assert "correct horse" not in ran.stderr


def test_every_line_of_a_call_has_the_trace_of_its_problem(program: Program) -> None:
    logged = ("--set", "log_level=debug", "--set", "log_format=json")
    ran = program("--json", *logged, "users", "show", str(uuid.UUID(int=1)))
    traces = {json.loads(line)["trace"] for line in ran.stderr.splitlines()}
    assert {f"urn:shop:trace:{trace}" for trace in traces} == {json.loads(ran.stdout)["instance"]}


def test_every_error_of_a_use_case_has_a_problem() -> None:
    errors = {*get_args(Failure), *get_args(MoveError), *get_args(ProfileError), *get_args(PasswordError)}
    for error in {*errors, EmailTaken, UserHasOrders, UserNotFound, UnacceptableOrder, InvalidValue, InvalidCursor}:
        blank = object.__new__(error)
        for slot in getattr(error, "__slots__", ()):
            object.__setattr__(blank, slot, 1)
        assert problem_of(blank).status >= 400


def test_a_role_is_granted_and_revoked(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)
    assert program.json("roles", "list")["items"] == []
    assert program.json("roles", "grant", user["id"], "admin") == {"id": user["id"], "role": "admin"}
    assert program.json("roles", "list")["items"] == [{"id": user["id"], "role": "admin", "email": "ada@example.org"}]
    entry = program.json("audit", f"user:{user['id']}")["items"][0]
    assert (entry["action"], entry["outcome"], entry["metadata"]) == ("user.grant", "done", {"role": "admin"})
    assert program.json("roles", "revoke", user["id"]) == {"id": user["id"], "role": "customer"}
    assert program.json("users", "show", user["id"])["role"] == "customer"
    assert program.json("roles", "grant", str(uuid.UUID(int=1)), "clerk", code=1)["type"] == "urn:shop:problem:user-not-found"


def test_only_an_administrator_can_be_the_acting_user(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    for acting, kind in ((user, "not-allowed"), (str(uuid.UUID(int=1)), "user-not-found")):
        assert program.json("--as", acting, "users", "delete", user, code=1)["type"] == f"urn:shop:problem:{kind}"
    program.json("roles", "grant", user, "admin")
    program.json("--as", user, "users", "update", user, "--last", "King")
    found = program.json("users", "show", user)
    assert (found["last_name"], found["version"]) == ("King", 3)
    assert [(entry["actor"].split(":")[0], entry["action"], entry["outcome"]) for entry in found["audit"]] == [
        ("user", "user.update_profile", "done"),
        ("admin", "user.act_as", "done"),
        ("admin", "user.grant", "done"),
        ("admin", "user.act_as", "refused"),
        ("admin", "user.register", "done"),
    ]


def test_users_are_found_by_filters_in_pages(program: Program) -> None:
    ids = [program.json(*REGISTER[:-2], f"{name}@example.org", REGISTER[-1], stdin=PASSWORD)["id"] for name in ("ada", "eda")]
    newest = ("users", "find", "--last", "LOVE", "--since", "2026-01-01", "--size", "1", "--order", "newest")
    first = program.json(*newest)
    second = program.json(*newest, "--cursor", first["next_cursor"])
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    for searched in (("find", "--part", "LACE ada@"), ("search", "lace ADA@")):
        assert [item["id"] for item in program.json("users", *searched)["items"]] == ids[:1]
    assert program.json("users", "find", "--email", "ADA@", "--role", "clerk", "--role", "admin")["items"] == []
    assert program.json("users", "find", "--cursor", first["next_cursor"], code=2)["title"] == "Invalid cursor"


def test_sessions_that_are_unknown_do_not_look_like_none(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    for setting, reason in ((["--set", "redis_url=redis://127.0.0.1:1"], "Error 111 connecting"), ([], "redis_url is not set")):
        shown = json.loads(program("--json", *setting, "users", "show", user).stdout)
        assert shown["sessions"] is None
        assert shown["sessions_are_unknown"].startswith(reason)
        assert "sessions are unknown" in program("users", "show", user).stdout


def test_all_about_a_user_and_an_order_is_shown_and_sessions_are_ended(database_url: str, redis_url: str) -> None:
    program = Program({"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    order = program.json("orders", "place", user, "--line", "MUG-01:Mug:2:9.90 EUR")

    async def logged_in() -> list[str]:
        async with open_shop(Settings.model_validate({"database_url": database_url, "redis_url": redis_url})) as shop:
            email, context = EmailAddress("ada@example.org"), Context(Actor.anonymous(), "http 192.0.2.1")
            opened = [await shop.sessions.log_in(context, email, PASSWORD.strip()) for _ in range(3)]
            return [each.value.session_id for each in opened if isinstance(each, Ok)]

    ids = asyncio.run(logged_in())
    shown = program.json("users", "show", user)
    assert (
        {each["id"] for each in shown["sessions"]} == {each["id"] for each in program.json("sessions", "list", user)["items"]} == set(ids)
    )
    assert shown["sessions"][0]["origin"] == "http 192.0.2.1"
    assert (shown["role"], shown["orders"], shown["order_totals"][0]["placed"], shown["email"]) == ("customer", 1, 1, "ada@example.org")
    assert [entry["action"] for entry in shown["audit"]] == ["user.authenticate"] * 3 + ["user.register"]
    assert "argon2" not in str(shown)
    table = program("users", "show", user).stdout
    assert all(text in table for text in (ids[0], "user.authenticate", "http 192.0.2.1"))
    found = program.json("orders", "show", order["id"])
    assert ({**found, "audit": []}, [entry["action"] for entry in found["audit"]]) == ({**order, "audit": []}, ["order.place"])
    assert program.json("orders", "show", str(uuid.UUID(int=1)), code=1)["type"] == "urn:shop:problem:order-not-found"

    assert program.json("sessions", "end", user, ids[0]) == {"id": user, "ended": ids[0]}
    assert program.json("sessions", "end", user, ids[0], code=1)["type"] == "urn:shop:problem:session-not-found"
    assert {each["id"] for each in program.json("sessions", "list", user)["items"]} == set(ids[1:])
    assert program.json("sessions", "end", user) == {"id": user, "ended": "all"}
    assert program.json("sessions", "list", user)["items"] == []
    alone = Program({"DATABASE_URL": database_url})
    assert alone.json("sessions", "list", user, code=78)["detail"].startswith("redis_url: is not set")
    assert alone.json("sessions", "end", user)["ended"] == "all"
    assert alone.json("users", "show", user)["sessions"] is None
    assert alone.json("sessions", "end", str(uuid.UUID(int=1)), code=1)["type"] == "urn:shop:problem:user-not-found"


def test_seeds_are_the_same_for_the_same_number(program: Program, database_url: str) -> None:
    first = program.json("seed", "600", "--number", "7")
    assert first["new_users"] == 600
    again = program.json("seed", "600", "--number", "7")
    assert (again["new_users"], again["orders"]) == (0, first["orders"])
    with psycopg.connect(database_url) as conn:
        counted = conn.execute("""
            SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders),
                   (SELECT count(*) FROM orders
                    WHERE total_minor <> (SELECT sum(quantity * unit_price_minor) FROM order_lines WHERE order_id = id)),
                   (SELECT count(*) FROM audit_log)
        """).fetchone()
    # One entry for each batch with new users.
    assert counted == (600, first["orders"], 0, 2)
    assert program.json("users", "list", "--size", "2")["next_cursor"]


def test_only_old_messages_are_pruned(program: Program, database_url: str) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    assert program.json("prune") == {"outbox": 0, "inbox": 0, "answers": 0, "erasures": 0}
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE outbox SET published_at = now() - interval '31 days'")
        conn.execute("""
            INSERT INTO inbox (consumer, message_id, event_type, handled_at)
            SELECT 'sales', message_id, event_type, published_at FROM outbox
        """)
    assert program.json("--set", "message_retention_days=32", "prune") == {"outbox": 0, "inbox": 0, "answers": 0, "erasures": 0}
    assert program.json("prune") == {"outbox": 1, "inbox": 1, "answers": 0, "erasures": 0}
    assert program("prune").stdout.split() == ["outbox", "0", "inbox", "0", "answers", "0", "erasures", "0"]


def test_what_cannot_be_pruned_is_reported_and_the_rest_is_pruned(program: Program, database_url: str) -> None:
    user_id = program.json(*REGISTER, stdin=PASSWORD)["id"]
    assert program("users", "delete", user_id).returncode == 0
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE erasures SET erased_at = erased_at - interval '3 hours'")
        conn.execute("UPDATE outbox SET published_at = now() - interval '31 days'")
        conn.execute("DROP FUNCTION erase_traces(uuid, integer)")
        conn.execute("INSERT INTO inbox (consumer, message_id, event_type, handled_at) VALUES ('x', gen_random_uuid(), 'X', 'epoch')")
    ran = program("prune")
    assert (ran.returncode, ran.stdout.split()) == (70, ["outbox", "2", "inbox", "1", "answers", "0", "erasures", "0"])
    ran = program("--json", "prune")
    problem = json.loads(ran.stdout)
    assert (ran.returncode, problem["type"]) == (70, "urn:shop:problem:defect")
    assert [problem[name] for name in ("outbox", "inbox", "answers", "erasures")] == [0, 0, 0, 0]


def test_traces_beyond_one_transaction_are_erased_by_the_command_and_those_beyond_that_are_reported(
    program: Program, database_url: str
) -> None:
    for way, done in (("delete", "deleted"), ("erase", "erased")):
        user_id = program.json(*REGISTER, stdin=PASSWORD)["id"]
        with psycopg.connect(database_url) as conn:
            conn.execute(
                """
                INSERT INTO audit_log (actor, action, subject, origin, outcome, trace_id)
                SELECT 'anonymous', 'user.authenticate', %s, 'somewhere', 'refused', '' FROM generate_series(1, 6000)
                """,
                [f"user:{user_id}"],
            )
        assert program.json("users", way, user_id) == {"id": user_id, done: True, "traces_left": False}
        with psycopg.connect(database_url) as conn:
            assert conn.execute("SELECT count(*) FROM audit_log WHERE origin = 'somewhere'").fetchone() == (0,)
            conn.execute("UPDATE erasures SET cleared_at = NULL")
    assert [item["detail"] for item in program.json("health")["items"] if item["name"] == "erasures"] == [
        "2 due, the first for 0.0 h: shop prune goes on with them"
    ]
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE erasures SET erased_at = now() - interval '49 h'")
    [late] = [item for item in program.json("health")["items"] if item["name"] == "erasures"]
    assert (late["is_healthy"], late["is_required"]) == (False, False)
    assert late["detail"] == "2 due, the first for 49.0 h: shop prune goes on with them"
    # The rest of the first time, and the second time.
    assert program.json("prune")["erasures"] == 2
    assert program.json("prune")["erasures"] == 0


@pytest.mark.programs
def test_ctrl_c_while_seeds_are_written_is_no_outage(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        # The server stops reading in the middle of a COPY.
        conn.execute("""
            CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock_shared(1);
                RETURN NEW;
            END
            $$
        """)
        conn.execute("CREATE TRIGGER slow BEFORE INSERT ON order_lines FOR EACH ROW EXECUTE FUNCTION wait()")
        conn.execute("SELECT pg_advisory_lock(1)")
        with program.start("--set", "lock_timeout=60", "--json", "seed", "500") as seeding:
            copying = "SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'advisory'"
            wait_until(lambda: seeding.poll() is not None or conn.execute(copying).fetchone() is not None, "the COPY did not begin")
            assert seeding.poll() is None
            seeding.send_signal(signal.SIGINT)
            out, err = seeding.communicate(timeout=300)
        assert (seeding.returncode, json.loads(out)["type"], err) == (130, "urn:shop:problem:interrupted", "")
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_dead_letters_are_listed(program: Program, database_url: str) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    assert program.json("dead")["items"] == []
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE outbox SET dead_at = now(), attempts = 8, last_error = 'too large'")
    [item] = program.json("dead")["items"]
    assert (item["consumer"], item["event_type"], item["attempts"], item["last_error"]) == ("relay", "UserRegistered", 8, "too large")


def test_all_dead_letters_are_reached_page_by_page_also_those_that_died_together(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("""
            INSERT INTO outbox (message_id, aggregate, event_type, event_version, payload, trace_id, occurred_at, dead_at, last_error)
            SELECT gen_random_uuid(), 'user:1', 'X', 1, '{}', repeat('0', 32), now(), now(), 'refused' FROM generate_series(1, 3)
        """)
        conn.execute("""
            INSERT INTO inbox (consumer, message_id, event_type, dead_at)
            SELECT consumer, gen_random_uuid(), 'X', now() FROM (VALUES ('sales'), ('cache'), ('sales')) AS consumers (consumer)
        """)
    whole = program.json("dead")
    page, found = program.json("dead", "--size", "2"), list[Any]()
    while page["next_cursor"]:
        found += page["items"]
        page = program.json("dead", "--size", "2", "--cursor", page["next_cursor"])
    assert (len(whole["items"]), whole["next_cursor"], found + page["items"]) == (6, None, whole["items"])
    assert "next: --cursor" in program("dead", "--size", "2").stderr
    foreign = program.json("users", "list", "--cursor", program.json("dead", "--size", "2")["next_cursor"], code=2)
    assert foreign["type"] == "urn:shop:problem:invalid-cursor"


def test_a_dead_letter_is_shown_replayed_and_discarded(program: Program, database_url: str) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    with psycopg.connect(database_url, autocommit=True) as conn:
        [(message,)] = conn.execute("UPDATE outbox SET dead_at = now(), last_error = 'refused' RETURNING message_id::text").fetchall()
        shown = program.json("dead", "show", "relay", message)
        assert (shown["message_id"], shown["message"]["payload"]) == (message, {"user_id": user})
        assert program.json("dead", "replay", "relay", message) == {"consumer": "relay", "message_id": message, "replayed": True}
        assert conn.execute("SELECT dead_at FROM outbox").fetchone() == (None,)
        problem = program.json("dead", "replay", "relay", message, code=1)
        assert (problem["type"], problem["detail"]) == (
            "urn:shop:problem:dead-letter-not-found",
            f"relay has no dead letter {message}",
        )
        conn.execute("UPDATE outbox SET dead_at = now(), last_error = 'refused'")
        assert program.json("dead", "discard", "relay", message)["discarded"] is True
    assert program.json("dead")["items"] == []


def test_a_replay_of_a_notice_without_a_recipient_is_refused_and_the_dead_letter_kept(program: Program, database_url: str) -> None:
    sent = message(UserPasswordChanged(UserId(uuid.uuid4())))
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            """
            INSERT INTO inbox (consumer, message_id, event_type, attempts, last_error, dead_at, dead_message)
            VALUES ('notifications', %s, 'UserPasswordChanged', 5, 'refused', now(), %s)
            """,
            [sent.id, sent.model_dump_json()],
        )
    problem = program.json("--set", "smtp_url=smtp://127.0.0.1:1", "dead", "replay", "notifications", str(sent.id), code=1)
    assert "there is no notice to send" in problem["detail"]
    assert [each["message_id"] for each in program.json("dead")["items"]] == [str(sent.id)]


def test_a_relay_without_its_broker_reports_it(program: Program) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    problem = program.json("--set", "log_level=error", "--set", "nats_url=nats://127.0.0.1:1", "relay", "--once", code=69)
    assert problem["type"] == "urn:shop:problem:broker-unavailable"


@pytest.mark.parametrize("command", [("status",), ("consumers", "list"), ("consumers", "retire", "former")])
def test_a_broker_that_does_not_answer_is_named(program: Program, command: tuple[str, ...]) -> None:
    # Like a server that is frozen: the system connects its clients, and nothing answers them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        problem = program.json("--set", f"nats_url=nats://127.0.0.1:{silent.getsockname()[1]}", *command, code=69)
    assert problem["detail"] == "the broker is unavailable: NATS does not answer in time"


def test_a_port_to_listen_on_that_is_in_use_is_reported(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used:
        port: int = used.getsockname()[1]
        problem = program.json("serve", "--port", str(port), code=78)
    assert problem["detail"].startswith(f"--host 127.0.0.1 --port {port}: Address already in use")


def test_a_port_for_metrics_that_is_in_use_is_reported(program: Program) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 as the program does
        port = str(taken.getsockname()[1])
        problem = program.json("--set", "nats_url=nats://127.0.0.1:1", "relay", "--metrics-port", port, code=78)
    assert problem["detail"] == f"--metrics-port: {port} cannot be used: Address already in use"


def test_positions_of_a_consumer_that_is_gone_are_removed_and_those_of_others_are_kept(whole: Program) -> None:
    async def subscribe() -> None:
        async with open_broker(whole.environment["NATS_URL"]) as broker:
            for name in ("sales", "invoices"):
                await broker.subscribe(name, Interest(partition=3)).next(0.1)

    asyncio.run(subscribe())
    known = {"consumer": "sales", "waiting": 0, "is_known": True}
    assert whole.json("consumers", "list")["items"] == [{"consumer": "invoices", "waiting": 0, "is_known": False}, known]
    assert whole.json("consumers", "retire", "invoices") == {"consumer": "invoices", "removed": 1}
    assert whole.json("consumers", "list")["items"] == [known]
    [entry] = whole.json("audit", "consumer:invoices")["items"]
    assert (entry["action"], entry["outcome"], entry["metadata"]) == ("consumer.retire", "done", {"removed": "1"})
    assert whole("consumers", "retire", "sales").returncode == 2
    assert whole.json("consumers", "retire", "My name is Ada", code=1)["title"] == "Consumer not found"
    assert whole.json("--set", "nats_url=nats://127.0.0.1:1", "consumers", "retire", "invoices", code=69)["title"] == "Broker lost"
    entries = whole.json("audit", "consumers")["items"]
    assert [(entry["outcome"], entry["metadata"]) for entry in entries] == [
        ("failed", {"reason": "BrokerLost"}),
        ("refused", {"reason": "ConsumerNotFound"}),
    ]


def test_health_reports_each_dependency(whole: Program, database_url: str) -> None:
    whole.json("relay", "--once")
    items = {item["name"]: item for item in whole.json("health")["items"]}
    assert list(items) == [
        "postgres",
        "migrations",
        "rights",
        "durability",
        "outbox",
        "audit log",
        "erasures",
        "redis",
        "nats",
        "stream",
        "nats durability",
    ]
    with psycopg.connect(database_url) as conn:
        fsync = conn.execute("SHOW fsync").fetchone()
    # The server of the tests does not sync, which the check must report.
    assert {name for name, item in items.items() if not item["is_healthy"]} == (set() if fsync == ("on",) else {"durability"})
    assert f"fsync={'on' if fsync == ('on',) else 'off'}" in items["durability"]["detail"]


def test_health_reports_the_durability_of_the_service_whatever_the_default(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "{conn.info.dbname}" SET synchronous_commit = off'.encode())
    [durability] = [item for item in program.json("health")["items"] if item["name"] == "durability"]
    assert "synchronous_commit=on" in durability["detail"]


def test_health_reports_when_nats_acknowledges_before_it_syncs(program: Program, tmp_path: Path) -> None:
    def found(*settings: str) -> dict[str, Any]:
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        return next(item for item in program.json(*arguments, "health")["items"] if item["name"] == "nats durability")

    with nats_server(tmp_path, sync_interval="2m") as nats:
        asked = found(f"nats_url={nats.url}", f"nats_monitoring_url={nats.monitoring_url}")
        assert (asked["is_healthy"], asked["detail"].partition(":")[0]) == (False, "sync_interval=120s")
        assert found(f"nats_url={nats.url}")["detail"].startswith("unknown: nats_monitoring_url is not set")
        assert not found(f"nats_url={nats.url}", "nats_monitoring_url=http://127.0.0.1:1")["is_healthy"]


def test_a_lost_stream_is_detected_and_restored(whole: Program) -> None:
    def stream() -> tuple[bool, str]:
        [item] = [item for item in whole.json("health")["items"] if item["name"] == "stream"]
        return item["is_healthy"], item["detail"]

    async def lose() -> None:
        async with open_broker(whole.environment["NATS_URL"]) as broker:
            await (await broker.jetstream()).delete_stream("SHOP")

    async def consume_payment() -> None:
        urls = {name.lower(): url for name, url in whole.environment.items()}
        async with open_shop(Settings.model_validate(urls)) as shop, asyncio.timeout(300):
            assert shop.consumers is not None
            while not await shop.consumers["sales"].run_once():
                pass

    user = whole.json(*REGISTER, stdin=PASSWORD)["id"]
    whole.json("orders", "pay", whole.json("orders", "place", user, "--line", "BOOK:A book:1:12.50 EUR")["id"])
    assert whole.json("relay", "--once")["published"] == 3
    assert stream() == (True, "complete, 3 messages")
    asyncio.run(lose())
    assert stream() == (False, "3 published events are missing from the stream; run: shop outbox republish 1 3")
    assert whole.json("projections", "rebuild") == {"projection": "sales", "rows": 1}
    assert whole.json("outbox", "republish", "1", "3") == {"republished": 3}
    assert whole.json("relay", "--once")["published"] == 3
    assert stream() == (True, "complete, 3 messages")
    asyncio.run(consume_payment())
    assert [day["orders"] for day in whole.json("orders", "sales")["items"]] == [1]


def test_a_single_lost_message_is_detected(whole: Program) -> None:
    async def lose() -> None:
        async with open_broker(whole.environment["NATS_URL"]) as broker:
            await (await broker.jetstream()).delete_msg("SHOP", 2)

    user = whole.json(*REGISTER, stdin=PASSWORD)["id"]
    whole.json("orders", "pay", whole.json("orders", "place", user, "--line", "BOOK:A book:1:12.50 EUR")["id"])
    whole.json("relay", "--once")
    asyncio.run(lose())
    [item] = [item for item in whole.json("health")["items"] if item["name"] == "stream"]
    assert "1 published events are missing" in item["detail"]
    assert item["detail"].endswith("shop outbox republish 2 2")


def test_a_replica_that_is_down_is_reported_and_stops_nothing(program: Program) -> None:
    program.environment["DATABASE_READ_URL"] = "postgres://postgres@127.0.0.1:1/shop"
    program.json(*REGISTER, stdin=PASSWORD)
    assert json.loads(program("--json", "users", "count").stdout) == {"users": 1}
    [replica] = [item for item in program.json("health")["items"] if item["name"] == "replica"]
    assert (replica["is_healthy"], replica["is_required"]) == (False, False)
    assert replica["detail"].endswith("the primary answers instead")


def test_health_is_ready_without_redis_and_nats_and_not_without_migrations(program: Program, database_url: str) -> None:
    down = ("--set", "redis_url=redis://127.0.0.1:1", "--set", "nats_url=nats://127.0.0.1:1")
    items = {item["name"]: item["is_healthy"] for item in program.json(*down, "health")["items"]}
    assert items.pop("durability") in {True, False}
    wrong = {"redis": False, "nats": False, "stream": False}
    assert items == {
        "postgres": True,
        "migrations": True,
        "rights": True,
        "outbox": True,
        "audit log": True,
        "erasures": True,
        "nats durability": True,
        **wrong,
    }
    with psycopg.connect(database_url) as conn:
        conn.execute("DELETE FROM schema_migrations WHERE version = %s", [SCHEMA_VERSION])
        conn.execute(
            "INSERT INTO outbox (aggregate, event_type, payload, trace_id, occurred_at) VALUES ('a', 'b', '1', '', now() - interval '1h')"
        )
    items = {item["name"]: item["is_healthy"] for item in program.json("health", code=69)["items"]}
    assert (items["migrations"], items["outbox"]) == (False, False)


def test_health_requires_the_newest_migration() -> None:
    assert max(path.name.partition("_")[0] for path in MIGRATIONS.glob("*.sql")) == SCHEMA_VERSION


def test_settings_are_shown_with_source_and_without_secrets(program: Program) -> None:
    program.environment["REDIS_URL"] = "redis://:s3cret@localhost"
    shown = program("--set", "log_level=info", "config", "show")
    assert "s3cret" not in shown.stdout
    rows = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}
    assert rows["log_level"] == ["info", "command", "line"]
    assert rows["redis_url"] == ["scheme=redis", "password=***", "host=localhost", "environment"]


@pytest.mark.programs
def test_spans_of_queries_are_lines_of_json_where_the_setting_says_so(program: Program) -> None:
    with program.start("--set", "tracing=console", "users", "list") as called:
        _, lines = called.communicate()
    assert called.returncode == 0
    spans = [json.loads(line) for line in lines.splitlines()]
    assert [span["attributes"]["db.collection.name"] for span in spans if span["name"] == "ListUsers"] == ["users"]
    assert program("users", "list").stderr == ""


def test_users_are_imported_and_what_is_refused_is_reported_by_line(program: Program, database_url: str, tmp_path: Path) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    with psycopg.connect(database_url) as conn:
        row = conn.execute("SELECT password FROM users").fetchone()
    assert row is not None
    [hashed] = row
    lines = [f'First{number},Last,user{number}@example.org,,"{hashed}"' for number in range(1100)]
    lines += [
        f'Ada,Again,ADA@example.org,,"{hashed}"',
        f'First,Last,USER7@example.org,,"{hashed}"',
        f'First,Last,nowhere,,"{hashed}"',
        "First,Last,plain@example.org,,correct horse",
        "First,Last,other@example.org,,$2b$12$abcdefghijklmnopqrstuv",
        "First,Last",
    ]
    file = tmp_path / "users.csv"
    file.write_text("\n".join(["first_name,last_name,email,phone,password_hash", *lines]), encoding="utf-8")
    imported = program.json("users", "import", str(file), code=1)
    assert imported["imported"] == 1100
    assert [(each["line"], each["reason"].split(" $")[0]) for each in imported["refused"]] == [
        (1102, "the e-mail address ADA@example.org is taken"),
        (1103, "the address is that of line 9"),
        (1104, "e-mail address is not of the form name@host.domain in ASCII"),
        (1105, "password hash is not a PHC string of at most 255 characters"),
        (1106, "password hash is not one of argon2, version 19, as a PHC string"),
        (1107, "has 2 values, not 5"),
    ]
    assert program.json("users", "login", "user1099@example.org", "--password-stdin", stdin=PASSWORD)["first_name"] == "First1099"
    with psycopg.connect(database_url) as conn:
        events = conn.execute("SELECT count(*) FROM outbox WHERE event_type = 'UserRegistered'").fetchone()
        entries = conn.execute("SELECT metadata FROM audit_log WHERE action = 'user.import' ORDER BY id").fetchall()
    assert events == (1101,)
    assert entries == [({"imported": "1000", "refused": "0"},), ({"imported": "100", "refused": "1"},)]
    file.write_text("name,email\n", encoding="utf-8")
    problem = program.json("users", "import", str(file), code=2)
    assert problem["detail"] == f"{file}: the first line is not first_name,last_name,email,phone,password_hash"


def test_an_invalid_line_of_a_file_of_users_is_refused_alone(program: Program, tmp_path: Path) -> None:
    hashed = f"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA${'A' * 43}"
    lines = [
        "\ufefffirst_name,last_name,email,phone,password_hash",
        f'Ada,L,a@example.org,,"{hashed}"',
        "",
        f'J\udcf6rg,L,b@example.org,,"{hashed}"',
        f'{"x" * 200_000},L,c@example.org,,"{hashed}"',
        f'"{"x" * 200_000}',
        f"Mallory,L,inside@example.org,,{hashed}",
        f'",L,d@example.org,,"{hashed}"',
        "  \r",
        f'"two\nlines",L,e@example.org,,"{hashed}"',
        f'"open,L,f@example.org,,{hashed}',
        f'Ada,L,g@example.org,,"{hashed}"',
        f'Ada,"L""",h@example.org,,"{hashed}"\r',
        f'"open,L,i@example.org,,{hashed}',
        "Ada,L,j@example.org,,",
        "",
    ]
    file = tmp_path / "users.csv"
    file.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    imported = program.json("users", "import", str(file), code=1)
    not_csv = "is not CSV: a quote is not closed, or not followed by a comma; it includes the lines to"
    assert [(each["line"], each["reason"]) for each in imported["refused"]] == [
        (4, "is not UTF-8"),
        (5, "first name is longer than 100 characters"),
        (6, "first name is longer than 100 characters"),
        (10, "first name contains a control character"),
        (12, f"{not_csv} 13"),
        (15, f"{not_csv} 16"),
    ]
    found = program.json("users", "list")["items"]
    assert (imported["imported"], sorted(user["email"] for user in found)) == (2, ["a@example.org", "h@example.org"])
    assert csv.field_size_limit() == 131_072
