"""`@patch or select` on real servers: the SELECT returns the rows of the UPDATE, and one proof holds for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.ir.proofs import Unchanged
from sqlwright.prove.statement import StatementProof
from sqlwright.prove.unchanged import prove_unchanged
from tests.support.servers import Servers, fresh_database

from .proving import prove_query

_SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b text, c int NOT NULL, n int, d int GENERATED ALWAYS AS (c * 2) STORED);
CREATE TABLE child (e int) INHERITS (t);
CREATE TABLE u (id int PRIMARY KEY, b text);
CREATE TABLE ruled (id int PRIMARY KEY, b text);
CREATE RULE r AS ON UPDATE TO ruled DO ALSO NOTIFY x;
CREATE VIEW v AS SELECT id, b FROM u;
INSERT INTO t VALUES (1, 'a', NULL, 1, NULL), (2, 'b', 'x', 2, 5);
"""


@pytest.fixture(scope="module")
def connection(servers: Servers, major: int) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, major, "unchanged") as connection:
        connection.execute(_SCHEMA)
        yield connection


@dataclass
class Patch:
    """A patch as it is proven: before the SELECT was looked at, and after."""

    update: StatementProof
    both: StatementProof
    unchanged: Unchanged


def prove(connection: psycopg.Connection, comment: str, sql: str, command: str = ":one") -> Patch:
    proven = prove_query(connection, comment, sql, command)
    with connection.transaction(force_rollback=True):
        return Patch(proven.proof, *prove_unchanged(proven.asked, proven.proof))


@pytest.mark.parametrize(
    ("sql", "select"),
    [
        ("UPDATE t SET a = @a, b = @b WHERE id = @id RETURNING id, b, d", "SELECT id, b, d\nFROM t\nWHERE id = $1::int4"),
        ("UPDATE ONLY t AS x SET a = @a RETURNING x.*", "SELECT x.*\nFROM ONLY t AS x"),
        (
            "WITH k AS (SELECT @b::text AS b) UPDATE t * SET n = @n, c = c + 1 WHERE b IN (SELECT b FROM k) RETURNING c - @x AS less",
            "WITH k AS (SELECT $1::text AS b) SELECT c - $2::int4 AS less\nFROM t *\nWHERE b IN (SELECT b FROM k)",
        ),
        ("UPDATE t SET n = n + @n WHERE a IS DISTINCT FROM @a RETURNING (SELECT max(c) FROM t), tableoid", None),
        ("UPDATE t SET b = CASE WHEN @b IS DISTINCT FROM a THEN @b END WHERE c = 1 RETURNING lower(b)", None),
    ],
)
def test_the_select_has_the_target_the_condition_and_the_outputs_of_the_update(
    connection: psycopg.Connection, sql: str, select: str | None
) -> None:
    found = prove(connection, "@patch or select", sql, ":many").unchanged
    assert select is None or found.sql == select
    connection.pgconn.exec_params(found.sql.encode(), [b"1"] * len(found.params))


def test_a_column_is_never_null_only_if_it_is_so_in_both(connection: psycopg.Connection) -> None:
    found = prove(connection, "@patch a or select", "UPDATE t SET a = @a, b = 'set', n = 1 WHERE n = @n RETURNING a, b, n", ":many")
    assert [column.nullable for column in found.update.columns] == [False, False, False]
    assert [column.nullable for column in found.both.columns] == [False, True, False]


def test_an_optional_condition_of_the_update_is_one_of_the_select(connection: psycopg.Connection) -> None:
    found = prove(connection, "@patch or select\n@optional n", "UPDATE t SET a = @a WHERE n = @n AND id = @id RETURNING n").unchanged
    assert (found.cut.optional, found.params) == ((1,), (2, 3))
    with pytest.raises(CompileError, match="it would write every row"):
        prove(connection, "@patch or select\n@optional n", "UPDATE t SET a = @a WHERE n = @n RETURNING n")


def refused(connection: psycopg.Connection, sql: str, command: str) -> Diagnostic:
    with pytest.raises(CompileError) as error:
        prove(connection, "@patch or select", sql, command)
    (found,) = error.value.diagnostics
    return found


@pytest.mark.parametrize(
    ("sql", "command", "message"),
    [
        ("UPDATE t SET a = @a WHERE id = 1", ":exec", "it returns no rows"),
        ("UPDATE t SET a = @a WHERE id = 1 RETURNING id", ":execrows", "it returns no rows"),
        ("UPDATE t SET a = @a FROM u WHERE u.id = t.id RETURNING t.id", ":many", "it has FROM"),
        ("WITH w AS (DELETE FROM u RETURNING id) UPDATE t SET a = @a WHERE id IN (SELECT id FROM w) RETURNING id", ":many", "WITH writes"),
        ("UPDATE ruled SET b = @b WHERE id = 1 RETURNING id", ":one", "`ruled` is not a plain table"),
        ("UPDATE v SET b = @b WHERE id = 1 RETURNING id", ":one", "`v` is not a plain table"),
    ],
)
def test_what_no_select_is_certain_to_return_is_refused(connection: psycopg.Connection, sql: str, command: str, message: str) -> None:
    found = refused(connection, sql, command)
    assert (found.code, message in found.message, bool(found.help)) == (Code.REFUSED_PATCH, True, True), found
    assert str(found.place) == "queries/users.sql:1:1"


@pytest.mark.parametrize("outputs", ["old.a", "new.a", "WITH (OLD AS o) o.a", "old.a || t.a"])
def test_old_and_new_rows_are_refused(connection: psycopg.Connection, outputs: str, major: int) -> None:
    if major < 18:
        pytest.skip("OLD and NEW in RETURNING")
    assert "SELECT" in refused(connection, f"UPDATE t SET a = @a WHERE id = 1 RETURNING {outputs} AS x", ":one").message
