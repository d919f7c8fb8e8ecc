"""A command of several transactions that fails midway reports what it has done, and how to go on."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psycopg
import pytest

from tests.support.waiting import wait_until

from .program import PASSWORD, REGISTER, Program

HASH = f"$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA${'A' * 43}"


@pytest.fixture
def program(service_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program({"DATABASE_URL": service_url})


@pytest.fixture
def users(tmp_path: Path) -> str:
    """A file of 2,500 users, of which line 5 is invalid, and line 6 has the address of Ada."""
    lines = [f'First,Last,user{line}@example.org,,"{HASH}"' for line in range(2, 2502)]
    lines[3] = "First,Last,nowhere,,"
    lines[4] = f'Ada,Again,ada@example.org,,"{HASH}"'
    file = tmp_path / "users.csv"
    file.write_text("\n".join(["first_name,last_name,email,phone,password_hash", *lines]), encoding="utf-8")
    return str(file)


def fail(database_url: str, table: str, condition: str, action: str, *, at_commit: bool = False) -> None:
    """Let the insertion of rows that fulfil a condition do something else, at once or at the commit."""
    with psycopg.connect(database_url) as conn:
        conn.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NEW; END $$".encode())
        kind, when = ("CONSTRAINT TRIGGER", "AFTER") if at_commit else ("TRIGGER", "BEFORE")
        deferred = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
        statement = f"CREATE {kind} fail {when} INSERT ON {table} {deferred} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION fail()"
        conn.execute(statement.encode())


DISK_FULL = "RAISE disk_full"
LOST = "PERFORM pg_terminate_backend(pg_backend_pid())"
REFUSED = [
    {"line": 5, "reason": "e-mail address is not of the form name@host.domain in ASCII"},
    {"line": 6, "reason": "the e-mail address ada@example.org is taken"},
]


def test_an_import_that_cannot_go_on_reports_what_it_did_and_refused(program: Program, database_url: str, users: str) -> None:
    program.json(*REGISTER, stdin=PASSWORD)
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", DISK_FULL)
    ran = program("--json", "users", "import", users)
    problem = json.loads(ran.stdout)
    assert (ran.returncode, problem["type"]) == (69, "urn:shop:problem:unavailable")
    assert (problem["imported"], problem["refused"], problem["not_tried"]) == (999, REFUSED, 499)
    assert problem["failed"] == {"first_line": 1003, "last_line": 2002, "outcome": "not imported"}
    assert problem["next"] == ("repeat the import of this file, which refuses the 999 users imported so far: their addresses are taken")


def test_an_import_whose_commit_breaks_reports_the_lines_of_unknown_outcome(program: Program, database_url: str, users: str) -> None:
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", LOST, at_commit=True)
    ran = program("--json", "users", "import", users)
    problem = json.loads(ran.stdout)
    assert (ran.returncode, problem["type"]) == (75, "urn:shop:problem:outcome-unknown")
    assert (problem["imported"], problem["refused"]) == (1000, REFUSED[:1])
    assert problem["failed"] == {"first_line": 1003, "last_line": 2002, "outcome": "unknown"}
    assert problem["next"].endswith("; whether lines 1003 to 2002 are refused in this way, too, shows whether they were imported")


def test_the_record_of_a_failed_import_is_a_table_on_stdout(program: Program, database_url: str, users: str) -> None:
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", DISK_FULL)
    ran = program("users", "import", users)
    assert ran.returncode == 69
    assert [" ".join(line.split()) for line in ran.stdout.splitlines()] == [
        "imported 1000",
        "refused line=5, reason=e-mail address is not of the form name@host.domain in ASCII",
        "failed first_line=1003, last_line=2002, outcome=not imported",
        "not tried 499",
        "next repeat the import of this file, which refuses the 1000 users imported so far: their addresses are taken",
    ]
    assert "shop: the database is unavailable: " in ran.stderr


def test_the_record_of_a_failed_import_is_on_stderr_if_stdout_cannot_be_written(program: Program, database_url: str, users: str) -> None:
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", DISK_FULL)
    for options in ((), ("--json",)):
        with Path("/dev/full").open("w") as full, program.start(*options, "users", "import", users, stdout=full) as importing:
            _, err = importing.communicate()
        assert importing.returncode == 69
        assert "first_line=1003, last_line=2002, outcome=not imported" in err


def test_a_repeated_import_goes_on_where_the_first_one_failed(program: Program, database_url: str, users: str) -> None:
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", DISK_FULL)
    assert program("users", "import", users).returncode == 69
    with psycopg.connect(database_url) as conn:
        conn.execute("DROP TRIGGER fail ON users")
    repeated = program.json("users", "import", users, code=1)
    taken = [each["line"] for each in repeated["refused"] if each["reason"].endswith(" is taken")]
    assert (repeated["imported"], taken) == (1499, [line for line in range(2, 1003) if line != 5])


def test_an_import_that_cannot_begin_reports_what_it_refused(program: Program, users: str) -> None:
    problem = program.json("--set", "database_url=postgresql://127.0.0.1:1/x", "users", "import", users, code=69)
    assert (problem["imported"], problem["refused"], problem["failed"], problem["not_tried"]) == (0, REFUSED[:1], None, 2499)


@pytest.mark.programs
def test_ctrl_c_during_an_import_reports_what_was_imported(program: Program, database_url: str, users: str) -> None:
    fail(database_url, "users", "NEW.email = 'user1500@example.org'", "PERFORM pg_advisory_xact_lock_shared(1)")
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(1)")
        with program.start("--set", "lock_timeout=60", "--json", "users", "import", users) as importing:
            waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
            wait_until(lambda: importing.poll() is not None or conn.execute(waiting).fetchone() is not None, "the import does not wait")
            importing.send_signal(signal.SIGINT)
            out, _ = importing.communicate(timeout=300)
    problem = json.loads(out)
    assert (importing.returncode, problem["imported"], problem["failed"]["outcome"]) == (130, 1000, "unknown")


def test_seeds_that_fail_midway_are_counted(program: Program, database_url: str) -> None:
    first = program.json("seed", "100")
    fail(database_url, "users", "NEW.email LIKE '%'", DISK_FULL)
    problem = json.loads(program("--json", "seed", "500", "--number", "2").stdout)
    assert (problem["type"], problem["new_users"], problem["orders"], problem["number"]) == ("urn:shop:problem:unavailable", 0, 0, 2)
    assert first["new_users"] == 100


def test_events_that_were_published_again_before_a_failure_are_counted_with_where_to_go_on(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("""
            INSERT INTO outbox (message_id, aggregate, event_type, event_version, payload, trace_id, occurred_at, published_at)
            SELECT gen_random_uuid(), 'user:1', 'X', 1, '{}', repeat('0', 32), now(), now() FROM generate_series(1, 1500)
        """)
        conn.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END'")
        conn.execute("""
            CREATE TRIGGER fail BEFORE UPDATE ON outbox FOR EACH ROW WHEN (NEW.position = 1200) EXECUTE FUNCTION fail()
        """)
    problem = json.loads(program("--json", "outbox", "republish", "1").stdout)
    assert (problem["type"], problem["republished"], problem["next_position"]) == ("urn:shop:problem:unavailable", 1000, 1001)
