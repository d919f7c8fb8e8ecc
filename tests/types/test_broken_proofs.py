"""A database whose schema is not the one that was proven: the number of rows is checked where a function promises one."""

from __future__ import annotations

import copy
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.projects import Compiler, Project, declare

SCHEMA = """
CREATE TABLE people (id int NOT NULL CONSTRAINT people_key PRIMARY KEY, name text NOT NULL);
CREATE TABLE settings (theme text NOT NULL);
"""
QUERIES = """
-- name: find :one
SELECT * FROM people WHERE id = @id;

-- name: name_of :one
SELECT name FROM people WHERE id = @id;

-- name: first :one
-- @one first any of them will do
SELECT * FROM people WHERE name <> @name ORDER BY id;

-- name: loose :one
SELECT * FROM people WHERE name <> @name ORDER BY id;

-- name: theme :one
-- @one exactly the migration inserts the row
SELECT theme FROM settings;

-- name: rename :one
UPDATE people SET name = @name WHERE id = @id RETURNING *;

-- name: add :one
INSERT INTO people (id, name) VALUES (@id, @name) RETURNING id;

-- name: find_each :batchone
SELECT * FROM people WHERE id = @id;

-- name: count_each :batchone
SELECT count(*) FROM people WHERE id = @id;

-- name: theme_each :batchone
-- @one exactly the migration inserts the row
SELECT theme FROM settings WHERE theme <> @theme;
"""
BREAK = """
ALTER TABLE people DROP CONSTRAINT people_key;
INSERT INTO people VALUES (1, 'a'), (2, 'b'), (2, 'c');
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER skipping BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION skip();
"""
SOURCE = declare(SCHEMA, QUERIES)
KEYS = declare(
    "CREATE TABLE keys (id int PRIMARY KEY, name text NOT NULL);", "-- name: find_key :one\nSELECT name FROM keys WHERE id = @id;\n"
)


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    found = compiler.compile(SOURCE)
    with psycopg.connect(found.conninfo) as connection:
        connection.execute(BREAK)
    return found


@pytest.fixture(params=["sync", "async"])
async def call(request: pytest.FixtureRequest, project: Project) -> Any:
    """Call a query of either colour by its name."""
    if request.param == "sync":
        with project.connect() as conn:

            async def call_sync(name: str, /, **values: Any) -> Any:
                return getattr(project.module("queries"), name)(conn, **values)

            yield call_sync
    else:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as conn_async:

            async def call_async(name: str, /, **values: Any) -> Any:
                return await getattr(project.module("aio.queries"), name)(conn_async, **values)

            yield call_async
            await conn_async.rollback()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("find", {"id": 2}, "query find returned 2 rows instead of at most one (the unique index `people_key` allows one row"),
        ("name_of", {"id": 2}, "query name_of returned 2 rows instead of at most one (the unique index `people_key` allows one row"),
        ("rename", {"id": 2, "name": "d"}, "query rename returned 2 rows instead of at most one (the unique index `people_key`"),
        ("add", {"id": 3, "name": "d"}, "query add returned 0 rows instead of exactly one (one row is inserted)"),
        ("theme", {}, "query theme returned 0 rows instead of exactly one (@one exactly claims it: the migration inserts the row)"),
    ],
)
async def test_a_row_count_that_breaks_the_proof_is_an_error_that_names_query_and_proof(
    call: Any, project: Project, name: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(project.module().ProofBrokenError) as caught:
        await call(name, **values)
    assert str(caught.value).startswith(message)
    assert not isinstance(caught.value, psycopg.Error)
    assert str(copy.copy(caught.value)) == str(caught.value)


@pytest.mark.parametrize("change", ["DELETE FROM keys", "UPDATE keys SET id = 2"])
@pytest.mark.parametrize(
    ("level", "other_level"),
    [
        (IsolationLevel.REPEATABLE_READ, IsolationLevel.READ_COMMITTED),
        (IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE),
        (IsolationLevel.SERIALIZABLE, IsolationLevel.READ_COMMITTED),
        (IsolationLevel.SERIALIZABLE, IsolationLevel.REPEATABLE_READ),
    ],
)
def test_a_snapshot_that_shows_an_old_row_beside_the_transactions_own_with_one_key_is_an_error(
    compiler: Compiler, level: IsolationLevel, other_level: IsolationLevel, change: LiteralString
) -> None:
    """A property of PostgreSQL; only where both are SERIALIZABLE does it report a serialization failure."""
    project = compiler.compile(KEYS)
    queries = project.module("queries")
    with _old_key_replaced(project, level, other_level, change) as conn:
        with pytest.raises(project.module().ProofBrokenError, match="run the transaction again if it is REPEATABLE READ or SERIALIZABLE"):
            queries.find_key(conn, id=1)
        conn.rollback()
        assert queries.find_key(conn, id=1) is None


def test_postgresql_itself_refuses_such_a_snapshot_where_all_transactions_are_serializable(compiler: Compiler) -> None:
    project = compiler.compile(KEYS)
    level = IsolationLevel.SERIALIZABLE
    with pytest.raises(psycopg.errors.SerializationFailure), _old_key_replaced(project, level, level, "DELETE FROM keys") as conn:
        project.module("queries").find_key(conn, id=1)


@contextmanager
def _old_key_replaced(
    project: Project, level: IsolationLevel, other_level: IsolationLevel, change: LiteralString
) -> Generator[psycopg.Connection]:
    """Connect in a transaction that has seen a key's row, and has written the key after another transaction changed that row."""
    with psycopg.connect(project.conninfo) as other, psycopg.connect(project.conninfo) as conn:
        other.execute("TRUNCATE keys; INSERT INTO keys VALUES (1, 'old')")
        other.commit()
        other.isolation_level, conn.isolation_level = other_level, level
        assert project.module("queries").find_key(conn, id=1) == "old"
        other.execute(change)
        other.commit()
        conn.execute("INSERT INTO keys VALUES (1, 'new')")
        yield conn
        conn.rollback()


async def test_an_error_in_a_batch_names_its_row(call: Any, project: Project) -> None:
    queries = project.module("queries")
    broken = project.module().ProofBrokenError
    with pytest.raises(
        broken, match=r"^query find_each returned 2 rows for rows\[1\] instead of at most one \(the unique index `people_key`"
    ):
        await call("find_each", rows=[queries.FindEachParams(id=1), queries.FindEachParams(id=2)])
    with pytest.raises(broken, match=r"^query theme_each returned 0 rows for rows\[0\] instead of exactly one"):
        await call("theme_each", rows=[queries.ThemeEachParams(theme="")])
    assert await call("count_each", rows=[queries.CountEachParams(id=2)]) == [2]


async def test_the_first_row_will_do_where_nothing_is_proven_or_a_claim_allows_it(call: Any) -> None:
    assert (await call("first", name="")).id == 1
    assert (await call("loose", name="")).id == 1
    assert (await call("find", id=1)).name == "a"
    assert await call("find", id=9) is None
