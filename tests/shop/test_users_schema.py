"""The constraints of the table `users`, and the migrations up and down with the real dbmate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, errors

from shop.domain.values import EmailAddress

MIGRATIONS = Path(__file__).parents[2] / "migrations"
INSERT = (
    "INSERT INTO users (first_name, last_name, email, phone, password) VALUES (%(first)s, %(last)s, %(email)s, %(phone)s, %(password)s)"
)
GOOD = {"first": "A", "last": "B", "email": "a@example.org", "phone": None, "password": "$argon2id$x"}

# Everything in the schema that a migration can change, by pg_catalog.
SHAPE = """
SELECT 'relation', c.relname, c.relkind::text, coalesce(pg_get_indexdef(c.oid), '')
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'column', a.attrelid::regclass::text, a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull,
       coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(col_description(a.attrelid, a.attnum), '')
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'function', proname, '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'type', typname, '', '' FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype NOT IN ('c', 'b')
UNION ALL
SELECT 'extension', extname, '', '' FROM pg_extension
ORDER BY 1, 2, 3, 4
"""


def shape(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as conn:
        return conn.execute(SHAPE).fetchall()


@pytest.fixture
def table(database_url: str) -> Any:
    """A connection to a database with an empty table `users`."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize(("column", "name"), [("first", "first_name"), ("last", "last_name"), ("email", "email"), ("password", "password")])
def test_name_address_and_password_are_required(table: Connection[Any], column: str, name: str) -> None:
    with pytest.raises(errors.NotNullViolation) as caught:
        table.execute(INSERT, GOOD | {column: None})
    assert caught.value.diag.column_name == name


@pytest.mark.parametrize(("column", "length"), [("first", 100), ("last", 100), ("email", 100), ("phone", 20), ("password", 255)])
def test_a_value_longer_than_its_column_is_refused_and_not_truncated(table: Connection[Any], column: str, length: int) -> None:
    table.execute(INSERT, GOOD | {column: "é" * length})
    with pytest.raises(errors.StringDataRightTruncation):
        table.execute(INSERT, GOOD | {"email": "other@example.org"} | {column: "é" * (length + 1)})


def test_an_address_is_unique_in_any_case(table: Connection[Any]) -> None:
    table.execute(INSERT, GOOD)
    with pytest.raises(errors.UniqueViolation) as caught:
        table.execute(INSERT, GOOD | {"email": "A@Example.ORG"})
    assert caught.value.diag.constraint_name == "users_email_key"


@pytest.mark.parametrize("column", ["created_at", "updated_at"])
def test_both_times_are_required(table: Connection[Any], column: LiteralString) -> None:
    table.execute(INSERT, GOOD)
    with pytest.raises(errors.NotNullViolation):
        table.execute(f"UPDATE users SET {column} = NULL")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@[A-Za-z0-9]{1,20}\.[A-Za-z]{2,10}", fullmatch=True))
def test_the_domain_and_the_index_agree_on_the_case_of_addresses(table: Connection[Any], address: str) -> None:
    row = table.execute("SELECT lower(%s), lower(%s)", [address.upper(), address]).fetchone()
    assert row == (EmailAddress(address).text.lower(), address.lower())


def test_down_restores_the_original_schema_and_up_the_migrated_one(new_database: Callable[[str], str], dbmate: Callable[..., str]) -> None:
    database_url = new_database("template1")
    with psycopg.connect(database_url) as conn:
        # dbmate's own table, created by the first `up` and never dropped.
        conn.execute("CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)")
    shapes = [shape(database_url)]
    migrations = sorted(MIGRATIONS.glob("*.sql"))
    dbmate(database_url, "up")
    migrated = shape(database_url)
    for migration in reversed(migrations):
        assert f"Rolled back: {migration.name}" in dbmate(database_url, "down")
        shapes.append(shape(database_url))
    assert shapes[-1] == shapes[0] != migrated
    dbmate(database_url, "up")
    assert shape(database_url) == migrated


def test_every_column_and_table_has_a_comment(table: Connection[Any]) -> None:
    cur = table.execute("""
        SELECT c.relname, a.attname
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> 'schema_migrations'
          AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT c.relname, NULL FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> 'schema_migrations'
          AND obj_description(c.oid, 'pg_class') IS NULL
    """)
    assert cur.fetchall() == []
