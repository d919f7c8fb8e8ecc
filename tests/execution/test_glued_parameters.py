"""Parameters directly behind a word: `WHERE@x` are two tokens for PostgreSQL, and the `WHERE$1` that it becomes would be a name."""

from __future__ import annotations

import psycopg

from tests.support.projects import Compiler, declare

GLUED = declare(
    "CREATE TABLE things (id int PRIMARY KEY);",
    """
-- name: purge :execrows
DELETE FROM things WHERE@sure;

-- name: top :many
SELECT id FROM things LIMIT@size;
""",
)


def test_a_parameter_directly_behind_a_word_limits_the_statement(compiler: Compiler) -> None:
    project = compiler.compile(GLUED)
    queries = project.module("queries")
    with psycopg.connect(project.conninfo) as conn:
        conn.execute("INSERT INTO things SELECT generate_series(1, 5)")
        assert len(queries.top(conn, size=2)) == 2
        assert queries.purge(conn, sure=False) == 0
        assert queries.purge(conn, sure=True) == 5
