"""What only the planner refuses, on every supported major version."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sqlwright.prove.asking.describe import Refused
from sqlwright.prove.asking.planning import plan
from tests.support.servers import Servers, fresh_database

SCHEMA = """
CREATE TABLE a (id int PRIMARY KEY, e text);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
CREATE VIEW v AS SELECT e, count(*) AS n FROM a GROUP BY e;
CREATE FUNCTION assumes() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN (SELECT count(*) FROM elsewhere); END $$;
CREATE FUNCTION raises() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '0A000'; END $$;
CREATE DOMAIN filled AS text NOT NULL;
"""


@pytest.fixture(scope="module")
def database(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "planning") as connection:
        connection.execute(SCHEMA)
        yield connection


@pytest.mark.parametrize(
    ("sql", "message", "pointed_at"),
    [
        ("INSERT INTO a VALUES ($1::int, $2::text) ON CONFLICT (e) DO NOTHING", "no unique or exclusion constraint", "ON CONFLICT"),
        (
            "SELECT 1 FROM a LEFT JOIN b ON b.a = a.id WHERE a.id = $1::int FOR UPDATE",
            "cannot be applied to the nullable side",
            "FOR UPDATE",
        ),
        ("INSERT INTO v (e) VALUES ($1::text)", "cannot insert into view", ""),
    ],
)
def test_what_cannot_be_planned_is_refused_with_its_place(database: psycopg.Connection, sql: str, message: str, pointed_at: str) -> None:
    with database.transaction(force_rollback=True):
        with pytest.raises(Refused, match=message) as caught:
            plan(database, sql, sql.count("$"))
        # The transaction goes on.
        assert database.execute("SELECT 1").fetchone() == (1,)
    assert caught.value.offset == (sql.index(pointed_at) if pointed_at else None)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO a VALUES ($1::int, $2::text) ON CONFLICT (id) DO UPDATE SET e = excluded.e -- the end",
        "SELECT 1 FROM a JOIN b ON b.a = a.id WHERE a.id = $1::int FOR UPDATE;",
        # The parameter's being not NULL turns the join into an inner one, for every value.
        "SELECT 1 FROM a LEFT JOIN b ON b.a = a.id WHERE b.id = $1::int FOR UPDATE",
        "SELECT $1::filled",
        "NOTIFY somewhere",
        # Nothing that the planner evaluates can be held against the query.
        "SELECT 1 FROM a WHERE id = assumes()",
        "SELECT rolpassword FROM pg_authid",
        "SELECT e FROM a WHERE id = current_setting('app.user')::int",
        "SELECT e FROM a WHERE id = current_setting('server_version')::int",
        "SELECT e FROM a WHERE id = raises()",
    ],
)
def test_what_runs_somewhere_passes(database: psycopg.Connection, sql: str) -> None:
    with database.transaction(force_rollback=True):
        database.execute("SET LOCAL ROLE pg_monitor")
        plan(database, sql, sql.count("$"))
        assert database.execute("SELECT 1").fetchone() == (1,)
    assert database.execute("SELECT FROM pg_prepared_statements WHERE name = 'sqlwright_plan'").fetchone() is None
