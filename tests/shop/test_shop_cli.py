"""The program `shop`, as people and scripts call it, on real servers."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import psycopg
import pytest
from typer.testing import CliRunner

from shop.application.cursors import InvalidCursor
from shop.application.order_commands import MoveError
from shop.application.unit_of_work import Failure
from shop.application.user_commands import PasswordError, ProfileError
from shop.cli import app
from shop.cli.output import Problem
from shop.domain.orders import UnacceptableOrder
from shop.domain.users import EmailTaken, UserHasOrders, UserNotFound
from shop.domain.values import InvalidValue
from shop.infrastructure.postgres.health import SCHEMA_VERSION
from shop.local_servers import nats_server, redis_server

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@dataclass
class Ran:
    """What a call came to."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """`shop`, with the settings of a test: in this process, which is quicker, or in one of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=stdin, env=self.environment, prog_name="shop")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def json(self, *arguments: str, stdin: str = "", code: int = 0) -> dict[str, Any]:
        ran = self("--json", *arguments, stdin=stdin)
        assert (ran.returncode, ran.stderr) == (code, ""), ran.stdout + ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-X", "utf8", "-m", "shop.cli", *arguments]
        environment = os.environ | self.environment
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working directory, an environment without URLs, and the loggers as they were at the end."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    handlers, level = logging.getLogger().handlers, logging.getLogger("shop").level
    yield
    logging.getLogger().handlers = handlers
    logging.getLogger("shop").setLevel(level)


@pytest.fixture
def program(database_url: str) -> Program:
    """The program on a database alone."""
    return Program({"DATABASE_URL": database_url})


@pytest.fixture
def whole(tmp_path: Path, database_url: str) -> Iterator[Program]:
    """The program on PostgreSQL, Redis and NATS."""
    with redis_server(tmp_path) as redis, nats_server(tmp_path) as nats:
        yield Program({"DATABASE_URL": database_url, "REDIS_URL": redis.url, "NATS_URL": nats.url})


REGISTER = ("users", "register", "--first", "Ada", "--last", "Lovelace", "--email", "ada@example.org", "--password-stdin")
PASSWORD = "correct horse\n"


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


def test_an_order_its_events_and_what_is_known_of_it_afterwards(whole: Program) -> None:
    user = whole.json(*REGISTER, stdin=PASSWORD)["id"]
    lines = ("--line", "MUG-01:Mug:2:9.90 EUR", "--line", "BOOK:A book:1:12.50 EUR")
    order = whole.json("--as", user, "orders", "place", user, *lines)
    assert (order["total"], order["status"]) == ("32.30 EUR", "placed")
    assert whole.json("orders", "summary", user)["items"][0]["spent"] == "0.00 EUR"
    whole.json("orders", "pay", order["id"])
    assert whole.json("orders", "summary", user)["items"][0]["spent"] == "32.30 EUR"
    assert whole.json("orders", "ship", order["id"])["version"] == 3
    problem = whole.json("orders", "cancel", order["id"], code=1)
    assert problem["detail"] == f"order {order['id']} is shipped and cannot become cancelled"
    assert whole.json("relay", "--once")["published"] == 4

    with whole.start("consume", "sales") as consumer:
        while not whole.json("orders", "sales")["items"]:
            assert consumer.poll() is None
        consumer.send_signal(signal.SIGTERM)
        said, _ = consumer.communicate(timeout=30)
    assert consumer.returncode == 0, said
    assert whole.json("orders", "sales")["items"][0]["revenue_minor"] == 32_30

    page = whole.json("audit", f"order:{order['id']}", "--size", "3")
    assert [entry["action"] for entry in page["items"]] == ["order.cancel", "order.ship", "order.pay"]
    rest = whole.json("audit", f"order:{order['id']}", "--after", page["next_cursor"])
    assert [(entry["action"], entry["actor"]) for entry in rest["items"]] == [("order.place", f"user:{user}")]
    assert whole.json("audit", "--after", page["next_cursor"], code=2)["title"] == "Invalid cursor"
    assert whole.json("orders", "history", user)["items"][0]["line_count"] == 2


def test_people_get_tables_and_sentences(program: Program) -> None:
    told = program(*REGISTER, stdin=PASSWORD)
    assert "first name  Ada" in told.stdout
    refused = program(*REGISTER, stdin=PASSWORD)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "shop: the e-mail address ada@example.org is taken\n")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("users", "login", "nobody", "--password-stdin"), 2, "invalid-value"),
        (("users", "login", "nobody@example.org", "--password-stdin"), 1, "wrong-credentials"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", "MUG:Mug:1:1 EUR"), 1, "user-not-found"),
        (("orders", "pay", str(uuid.UUID(int=1))), 1, "order-not-found"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", "A:A:1:1 EUR", "--line", "B:B:1:1 USD"), 2, "unacceptable-order"),
        (("--set", "database_url=postgres://postgres@127.0.0.1:1/x", "users", "list"), 69, "database-not-ready"),
        (("--set", "pool_max_size=none", "users", "list"), 78, "settings"),
        (("--set", "pool_min_size=20", "users", "list"), 78, "settings"),
        (("--set", "database_url=postgres://h:99999/x", "users", "list"), 78, "settings"),
        (("--set", "database_url=postgres://h/x?connect_timeout=soon", "users", "list"), 69, "database-not-ready"),
        (("--set", "redis_url=redis://h:99999", "users", "list"), 78, "settings"),
        (("--set", "nats_url=nats://:", "relay", "--once"), 78, "settings"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:{'9' * 5000}:1 EUR"), 2, "invalid-value"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:1:{'9' * 5000} EUR"), 2, "invalid-value"),
        (("orders", "place", str(uuid.UUID(int=1)), "--line", f"MUG:Mug:1:0.{'0' * 5000}1 EUR"), 2, "invalid-value"),
        (("users", "update", str(uuid.UUID(int=1)), "--first", "A", "--version", "9" * 30), 1, "user-not-found"),
        (("users", "update", str(uuid.UUID(int=1)), "--phone", "+1 555 0000", "--version", "1"), 1, "user-not-found"),
        (("relay",), 78, "settings"),
        (("--set", "nats_url=nats://127.0.0.1:1", "relay", "--once"), 0, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_script_knows_each_outcome_by_its_exit_status_and_kind(
    program: Program, arguments: tuple[str, ...], code: int, kind: str | None
) -> None:
    document = program.json(*arguments, stdin="guessed\n", code=code)
    assert document.get("type") == (None if kind is None else f"urn:shop:problem:{kind}")


def test_a_call_that_is_none_is_a_problem_too(program: Program) -> None:
    with program.start("users", "show", "me", "--json") as called:
        out, err = called.communicate(timeout=30)
    assert (called.returncode, err) == (2, "")
    problem = json.loads(out)
    assert (problem["type"], problem["detail"]) == ("urn:shop:problem:usage", "Invalid value for 'USER': me is not an id")


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
        ("users", "login", "ada@example.org"),
        ("users", "login", "ada@example.org", "--password-stdin"),
    ],
    ids=range(10),
)
def test_a_call_that_cannot_be_meant_is_a_usage_problem(program: Program, arguments: tuple[str, ...]) -> None:
    # In a process of its own, with nothing on stdin: some of it happens before a command is found.
    with program.start("--json", *arguments) as called:
        out, err = called.communicate(timeout=30)
    assert (called.returncode, json.loads(out)["type"]) == (2, "urn:shop:problem:usage"), err
    assert "Traceback" not in err


def test_a_password_that_is_not_utf_8_is_refused(program: Program) -> None:
    ran = CliRunner().invoke(
        app, ["--json", "users", "login", "ada@example.org", "--password-stdin"], input=b"\xff\n", env=program.environment
    )
    assert (ran.exit_code, json.loads(ran.stdout)["detail"]) == (2, "stdin is not UTF-8")


def test_what_an_update_does_not_name_stays(program: Program) -> None:
    user = program.json(*REGISTER, "--phone", "+44 20 7946 0018", stdin=PASSWORD)["id"]
    changed = program.json("users", "update", user, "--last", "King")
    assert (changed["first_name"], changed["last_name"], changed["phone"]) == ("Ada", "King", "+44 20 7946 0018")
    changed = program.json("users", "update", user, "--no-phone", "--email", "king@example.org")
    assert (changed["last_name"], changed["phone"], changed["email"]) == ("King", None, "king@example.org")
    assert program.json("users", "update", user, "--first", "A", "--version", "9" * 30, code=1)["title"] == "Changed meanwhile"


def test_a_title_may_hold_colons(program: Program) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    order = program.json("orders", "place", user, "--line", "MUG:Mug: large, 1:1:2:9.90 EUR")
    assert order["lines"] == ["2 × MUG Mug: large, 1:1, 9.90 EUR each"]


def test_a_role_without_rights_is_named(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS shop_without_rights")
        conn.execute("CREATE ROLE shop_without_rights LOGIN")
        parts = urlsplit(database_url)
        program.environment["DATABASE_URL"] = parts._replace(netloc=f"shop_without_rights@{parts.netloc.rpartition('@')[2]}").geturl()
        problem = program.json("users", "count", code=69)
        conn.execute("DROP ROLE shop_without_rights")
    assert problem["detail"] == (
        "the role shop_without_rights may not use the tables (permission denied for table users); grant it the rights"
    )


def test_what_nobody_expected_is_a_defect_without_its_text(program: Program, database_url: str) -> None:
    user = program.json(*REGISTER, stdin=PASSWORD)["id"]
    with psycopg.connect(database_url) as conn:
        conn.execute("INSERT INTO daily_sales VALUES (current_date, 'XXX', 1, 1)")
        conn.execute("UPDATE users SET phone = 'Lovelace'")
    for arguments in (("orders", "sales"), ("users", "update", user, "--first", "A")):
        ran = program("--json", *arguments)
        assert (ran.returncode, json.loads(ran.stdout)["type"]) == (70, "urn:shop:problem:defect")
        assert not any(value in ran.stdout + ran.stderr for value in ("XXX", "Lovelace"))


def test_seeds_leave_out_whose_address_is_taken(program: Program) -> None:
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
            object.__setattr__(blank, slot, "x")
        assert Problem.of(blank).status >= 400


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
    # One entry for each batch that wrote something.
    assert counted == (600, first["orders"], 0, 2)
    assert program.json("users", "list", "--size", "2")["next_cursor"]


def test_old_messages_are_pruned_and_young_ones_are_not(program: Program, database_url: str) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    assert program.json("prune") == {"outbox": 0, "inbox": 0}
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE outbox SET published_at = now() - interval '31 days'")
        conn.execute("""
            INSERT INTO inbox (consumer, message_id, event_type, handled_at)
            SELECT 'sales', message_id, event_type, published_at FROM outbox
        """)
    assert program.json("--set", "message_retention_days=32", "prune") == {"outbox": 0, "inbox": 0}
    assert program.json("prune") == {"outbox": 1, "inbox": 1}
    assert program("prune").stdout.split() == ["outbox", "0", "inbox", "0"]


def test_what_was_given_up_is_listed(program: Program, database_url: str) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    assert program.json("dead")["items"] == []
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE outbox SET dead_at = now(), attempts = 8, last_error = 'too large'")
    [item] = program.json("dead")["items"]
    assert (item["consumer"], item["event_type"], item["attempts"], item["last_error"]) == ("relay", "UserRegistered", 8, "too large")


def test_a_relay_without_its_broker_says_so(program: Program) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    problem = program.json("--set", "log_level=error", "--set", "nats_url=nats://127.0.0.1:1", "relay", "--once", code=69)
    assert problem["type"] == "urn:shop:problem:broker-unavailable"


def test_health_tells_of_each_part(whole: Program) -> None:
    items = {item["name"]: item for item in whole.json("health")["items"]}
    assert list(items) == ["postgres", "migrations", "outbox", "redis", "nats"]
    assert all(item["is_well"] for item in items.values())


def test_health_is_ready_without_redis_and_nats_and_not_without_migrations(program: Program, database_url: str) -> None:
    down = ("--set", "redis_url=redis://127.0.0.1:1", "--set", "nats_url=nats://127.0.0.1:1")
    items = {item["name"]: item["is_well"] for item in program.json(*down, "health")["items"]}
    assert items == {"postgres": True, "migrations": True, "outbox": True, "redis": False, "nats": False}
    with psycopg.connect(database_url) as conn:
        conn.execute("DELETE FROM schema_migrations WHERE version = %s", [SCHEMA_VERSION])
        conn.execute(
            "INSERT INTO outbox (aggregate, event_type, payload, trace_id, occurred_at) VALUES ('a', 'b', '1', '', now() - interval '1h')"
        )
    items = {item["name"]: item["is_well"] for item in program.json("health", code=69)["items"]}
    assert (items["migrations"], items["outbox"]) == (False, False)


def test_the_newest_migration_is_the_one_that_health_looks_for() -> None:
    assert max(path.name.partition("_")[0] for path in MIGRATIONS.glob("*.sql")) == SCHEMA_VERSION


def test_settings_are_shown_with_their_source_and_without_secrets(program: Program) -> None:
    program.environment["REDIS_URL"] = "redis://:s3cret@localhost"
    shown = program("--set", "log_level=info", "config", "show")
    assert "s3cret" not in shown.stdout
    rows = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}
    assert rows["log_level"] == ["info", "command", "line"]
    assert rows["redis_url"] == ["scheme=redis", "password=***", "host=localhost", "environment"]
