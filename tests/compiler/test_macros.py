"""The statement for PostgreSQL: the user's text with numbers for parameters, and nothing else changed."""

from __future__ import annotations

import pytest

from sqlwright.sql.macros import joined_signs, misread_operand, read_statement
from sqlwright.sql.sources import split_queries


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT * FROM t WHERE a = @a AND b = @b OR a = @A;", "SELECT * FROM t WHERE a = $1 AND b = $2 OR a = $1"),
        ("SELECT sqlc.arg(x), SQLC . NARG ( 'x' ), sqlc.slice(y);", "SELECT $1, $1, $2"),
        ("SELECT '@a', \"@b\", $$ @c $$, /* @d */ @ -5, x <@ y, ts @@ q;", "SELECT '@a', \"@b\", $$ @c $$, /* @d */ @ -5, x <@ y, ts @@ q"),
        ("SELECT a=@a;", "SELECT a=@a"),
        ("SELECT $2, @a;", "SELECT $2, $3"),
        ('SELECT sqlc.embed(t), count(*), sqlc.embed("U");', 'SELECT t.*, count(*), "U".*'),
        ("-- doc\nSELECT 1, -- one\n-- whole\n  -- indented\n2; -- behind\n", "SELECT 1, -- one\n  -- indented\n2"),
        ("SELECT '\n-- text\n';", "SELECT '\n-- text\n'"),
        ("SELECT(@a)FROM t WHERE@b LIMIT@c;", "SELECT($1)FROM t WHERE $2 LIMIT $3"),
        ("SELECT sqlc.arg(a)0, 'é'@b, é@c;", "SELECT $1 0, 'é'$2, é $3"),
    ],
)
def test_a_statement_is_read(text: str, sql: str) -> None:
    assert read_statement(text, {}).sql == sql


def test_numbers_are_those_of_sqlc() -> None:
    assert read_statement("SELECT @b, @New, @a;", {"a": 1, "b": 2}).sql == "SELECT $2, $3, $1"


def test_names_keep_the_capitals_of_the_text() -> None:
    names = read_statement("SELECT @taskInsertedAts, sqlc.narg(other), sqlc.slice(ids);", {}).names
    assert [(found.name, found.optional, found.sliced) for found in names.values()] == [
        ("taskInsertedAts", False, False),
        ("other", True, False),
        ("ids", False, True),
    ]


def test_embedded_rows_are_found_by_their_star() -> None:
    reading = read_statement("SELECT count(*), sqlc.embed(a), b.*, sqlc.embed(c) FROM t;", {})
    assert [(embed.alias, embed.star) for embed in reading.embeds] == [("a", 1), ("c", 3)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("SELECT @x + 1", "@x"),
        ("SELECT 2 * @a::int, @b::int % 3", "@b"),
        ("SELECT (@x) + 1, 1 + @x, @x::int, @x || 'a', @x -> 'a', @x = -1, '@x + 1', sqlc.arg(x) + 1", ""),
    ],
)
def test_a_parameter_before_arithmetic_is_reported(text: str, named: str) -> None:
    (source,) = split_queries("q.sql", f"-- name: A :one\n{text};\n")
    found = misread_operand(source)
    shown = found.place.source_line[found.place.column - 1 :][: found.place.width] if found and found.place else ""
    assert shown == named


@pytest.mark.parametrize(
    ("text", "cures"),
    [
        ("SELECT 1 WHERE id=@id AND u.age>=@age AND (name)<>@name", ["id = @id", "age >= @age", "<> @name"]),
        ("SELECT -@x, name||@y, 1+@z", ["- @x", "name || @y", "+ @z"]),
        ("SELECT 1 WHERE tags<@@wanted OR tags @@@x", ["tags <@ @wanted", "@@ @x"]),
        ("SELECT 1 WHERE id = @id AND ts @@query AND f(a,@b) AND x = '=@x' AND (@y) > 1 /* * */@z AND a::@b", []),
    ],
)
def test_an_operator_directly_before_a_parameter_is_found(text: str, cures: list[str]) -> None:
    assert [sign.cure for sign in joined_signs(text)] == cures
