"""Mistakes that sqlc reports badly: the message says what is wrong, at the mistake, with the way to fix it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sqlwright.diagnostics import format_diagnostic
from sqlwright.project.configuration import Configuration, Entry
from sqlwright.project.misreadings import better
from sqlwright.project.sqlc import reading
from tests.support.sqlc import LIMITS

SCHEMA = """CREATE TYPE one AS (a int, b text);
CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE quoted (id int PRIMARY KEY, "say ""x"" now" text);
"""
CASES: dict[str, tuple[str | bytes, str, str]] = {
    "untyped": (
        "-- name: A :one\nSELECT @x AS y;\n",
        "error: the type of parameter `x` cannot be inferred",
        "2 | SELECT @x AS y;\n    |         ^\n  help: add a cast: `@x::text`.",
    ),
    "double_quotes": (
        '-- name: Z :many\nSELECT 1;\n-- name: A :one\nSELECT id FROM t WHERE id = sqlc.arg("x");\n',
        "error: sqlc.arg takes no name in double quotes",
        "--> double_quotes.sql:4:38",
    ),
    "two_casts": (
        "-- name: Z :many\nSELECT id FROM t;\n-- name: A :many\nSELECT id FROM t\nWHERE name = @x::varchar(2)::text AND id = @y::int;\n",
        "error: sqlc does not read two casts behind the parameter `x`",
        "5 | WHERE name = @x::varchar(2)::text AND id = @y::int;\n    |              ^^\n  help: write `(@x::varchar(2))::text`.",
    ),
    "quote_in_name": (
        "-- name: A :many\nSELECT * FROM quoted;\n-- name: B :many\nSELECT id FROM t;\n",
        "error: sqlc expands this star to names that it does not quote",
        "--> quote_in_name.sql:2:8",
    ),
    "long_line": (
        f"-- name: A :many\nSELECT id FROM t WHERE name = '{'x' * 70_000}';\n",
        "error: line 2 of long_line.sql is longer than 64 kB, which sqlc does not read",
        "--> long_line.sql:2:1",
    ),
    "table": ("-- name: A :many\nTABLE t;\n", "error: query A is a TABLE statement", "help: write `SELECT * FROM t`."),
    "operand": (
        "-- name: A :many\nSELECT id FROM t WHERE id < @x::int - @y::int;\n",
        "error: sqlc reads `@x - …` as the operator @ applied to the whole expression",
        "2 | SELECT id FROM t WHERE id < @x::int - @y::int;\n    |                             ^^\n  help: write (@x::int), or",
    ),
    "row_assignment": (
        "-- name: A :exec\nUPDATE t SET (id, name) = (@id, @name);\n",
        "error: query A sets several columns in one assignment, whose named parameters sqlc does not read",
        "  2 | UPDATE t SET (id, name) = (@id, @name);\n    |              ^\n  help: write an assignment for each column",
    ),
    "more_values": (
        "-- name: A :exec\nINSERT INTO t VALUES (@id, @name);\n",
        "error: INSERT has more expressions than target columns",
        "help: name the columns, which sqlc needs: `INSERT INTO t (a, b) VALUES (…)`.",
    ),
    "unclosed": (
        "-- name: A :many\nSELECT 'x FROM t;\n\n-- name: B :many\nSELECT id FROM t;\n",
        "error: unterminated quoted string",
        "2 | SELECT 'x FROM t;\n    |        ^ it begins here",
    ),
    "function": (
        "-- name: A :many\nSELECT a FROM unnest(@os::one[]);\n",
        'error: column "a" does not exist: sqlc does not know the columns of unnest(…)',
        "help: name its columns: `unnest(…) AS f (a, …)`.",
    ),
    "semicolon": (
        "-- name: A :exec\nDELETE FROM t\n\n-- name: B :many\nSELECT id FROM t;\n",
        "error: query A does not end with a semicolon, and swallows query B",
        "::: semicolon.sql:4:10",
    ),
    "no_command": (
        "-- name: A :many\nSELECT id FROM t;\n\n-- Doc.\n-- name: B\nSELECT id FROM t;\n",
        "error: a name line without a command: -- name: B\n  --> no_command.sql:5:4",
        "help: the form is `-- name: GetUser :one`; the name is followed by one of :one, :many, ",
    ),
    "no_colon": (
        "-- name A :one\nSELECT id FROM t;\n-- name: B :many\nSELECT id FROM t;\n",
        "error: invalid metadata: -- name A :one\n  --> no_colon.sql:1:4",
        "help: the form is `-- name: GetUser :one`",
    ),
    "no_name": (
        "-- name: a-b :many\nSELECT id FROM t;\n",
        'error: invalid query name "a-b"\n  --> no_name.sql:1:10',
        "help: a name consists of letters, digits and underscores",
    ),
    "catalog": (
        "-- name: A :many\nSELECT relname FROM pg_class;\n",
        'error: relation "pg_class" does not exist\n  --> catalog.sql:2:21',
        "write pg_catalog.pg_class.",
    ),
    "quoted_parameter": (
        '-- name: A :many\nSELECT * FROM t;\n-- name: B :many\nSELECT id FROM t WHERE name = @"x y";\n',
        "error: a parameter takes no name in double quotes",
        "--> quoted_parameter.sql:4:31",
    ),
    "unclosed_name": (
        '-- name: A :many\nSELECT "x FROM t;\n\n-- name: B :many\nSELECT id FROM t;\n',
        "error: unterminated quoted identifier",
        '2 | SELECT "x FROM t;\n    |        ^ it begins here',
    ),
    "glued": (
        "-- name: A :one\nDELETE FROM t WHERE id = @id RETURNING *;\n\n-- name: B :many\nSELECT id FROM t LIMIT 1 OFFSET@first;\n",
        "error: sqlc joins `OFFSET` and the parameter `first` to one word\n  --> glued.sql:5:26",
        "help: write `OFFSET @first`.",
    ),
    "spaced": (
        "-- name: A :many\nSELECT * FROM t;\n\n-- name: B :many\nSELECT id FROM t WHERE id = @ ident;\n",
        "error: sqlc reads `@ ident` as a parameter, and PostgreSQL as the absolute value of `ident`\n  --> spaced.sql:5:29",
        "help: write `@ident` for the parameter, or `abs(ident)` for the absolute value.",
    ),
    "spaces_in_macro": (
        "-- name: A :many\nSELECT * FROM t;\n\n-- name: B :many\nSELECT id FROM t WHERE id = sqlc.arg( x );\n",
        "error: sqlc reads no sqlc.arg with spaces between its parentheses\n  --> spaces_in_macro.sql:5:29",
        "help: write `sqlc.arg(x)`.",
    ),
    **{
        f"untyped_{name}": (
            f"-- name: Z :many\nSELECT id FROM t;\n\n-- name: A :many\nSELECT id, {expression} FROM t;\n",
            f"error: sqlc cannot infer the type of the parameter `{parameter}` in a column of the result",
            f"{'^' * len(parameter)}\n  help: add a cast to its type, such as `{parameter}::bigint`.",
        )
        for name, expression, parameter in (
            ("coalesce", "coalesce(@a, id) AS x", "@a"),
            ("greatest", "greatest(sqlc.arg(a), id) x", "sqlc.arg(a)"),
            ("case", 'CASE WHEN id = @a THEN @b::int ELSE @o END AS "X"', "@o"),
            ("subscript", "(ARRAY[1])[1:@n] AS x", "@n"),
            ("array", "array_length(ARRAY[1], 1), ARRAY[$1, id] AS x", "$1"),
            ("not", "upper(@a) AS y, NOT @b AS x", "@b"),
            ("nameless", "coalesce(@a, id)", "@a"),
            ("subquery", "(SELECT coalesce(@a, id) AS y) AS x", "@a"),
        )
    },
    "old": (
        "-- name: A :one\nUPDATE t SET name = @name WHERE id = @id RETURNING old.name AS before;\n",
        "error: sqlc does not know `old` in RETURNING, which is new in PostgreSQL 18\n  --> old.sql:2:52",
        "does not look behind: `old.name::text AS old_name`.",
    ),
    "new": (
        "-- name: A :one\nUPDATE t SET name = @name WHERE id = @id RETURNING id, new.name;\n",
        "error: sqlc does not know `new` in RETURNING, which is new in PostgreSQL 18\n  --> new.sql:2:56",
        "help: write `name`, which means the same here.",
    ),
    "old_star": (
        "-- name: A :one\nUPDATE t SET name = @name WHERE id = @id RETURNING old.*;\n",
        "error: sqlc does not know `old` in RETURNING, which is new in PostgreSQL 18\n  --> old_star.sql:2:52",
        "help: name its columns, with casts to their types",
    ),
    "no_statement": ("-- name: A :many\n", "error: query A has no statement", "1 | -- name: A :many\n    |          ^\n"),
    "below_its_comment": (
        "-- name: A :copyfrom\n-- Doc.\nINSERT INTO t (id, name) VALUES (@id, lower(@name));\n",
        "error: :copyfrom doesn't support non-parameter values",
        "--> below_its_comment.sql:3:1",
    ),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each case; one block for each, so that sqlc runs once."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "schema.sql").write_text(SCHEMA, encoding="utf-8")
    blocks: list[object] = []
    for name, (text, *_) in CASES.items():
        (folder / f"{name}.sql").write_bytes(text if isinstance(text, bytes) else text.encode())
        code = {"plugin": "sqlwright", "out": name}
        blocks.append({"engine": "postgresql", "schema": "schema.sql", "queries": f"{name}.sql", "codegen": [code]})
    plugin = {"name": "sqlwright", "process": {"cmd": "sqlwright-plugin", "format": "json"}}
    entries = tuple(Entry(("schema.sql",), (f"{name}.sql",), name) for name in CASES)
    configuration = Configuration(folder / "sqlc.yaml", entries, {"version": "2", "plugins": [plugin], "sql": blocks})
    with reading(configuration, os.environ | LIMITS) as run:
        for _ in run.requests():
            pass
        found = run.complaints()
    return {Path(d.place.file).stem if d.place else "": format_diagnostic(d) for d in found}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_reported_at_its_place(complaints: dict[str, str], name: str) -> None:
    _, first, other = CASES[name]
    assert complaints[name].startswith(first)
    assert other in complaints[name]
    assert "" not in complaints


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "-- name: A :one\nSELECT 1 AS one;\n\n-- name: B :many\nSELECT * FROM t;\n",
            "error: sqlc makes query B invalid: syntax error at end of input\n  --> q.sql:4:10",
        ),
        (
            "-- name: A :many\nSELECT * FROM t;\n\n-- name: B :many\nSELECT @x::int AS x;\n",
            "error: sqlc makes a query of this file invalid: syntax error at end of input\n  --> q.sql\n",
        ),
    ],
    ids=["only one has edits", "two have edits"],
)
def test_an_edit_that_is_invalid_for_an_unknown_reason_is_no_star_and_is_placed_only_where_it_must_be(text: str, said: str) -> None:
    (found,) = better("edited query syntax is invalid: syntax error at end of input", "q.sql", text.encode(), 2)
    assert format_diagnostic(found).startswith(said)


def test_all_parameters_directly_behind_words_of_the_query_are_reported() -> None:
    text = "-- name: A :many\nSELECT id FROM t LIMIT@n;\n\n-- name: B :many\nSELECT id FROM t WHERE id BETWEEN@low AND@high;\n"
    found = better('edited query syntax is invalid: syntax error at or near "BETWEEN$1"', "q.sql", text.encode(), 2)
    assert [each.help for each in found] == ["write `BETWEEN @low`.", "write `AND @high`."]
