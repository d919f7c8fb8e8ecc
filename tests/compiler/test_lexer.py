"""The lexer distinguishes code from quotes and comments in any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlwright.sql.lexer import Kind, significant, statements, tokenize

_PIECES = st.sampled_from(
    [
        "select",
        " ",
        "\n",
        "$1",
        "$12",
        "::",
        "'a''b'",
        "'",
        '"x"',
        '"',
        "E'\\''",
        "$$",
        "$t$",
        "--",
        "/*",
        "*/",
        "a$1",
        "1.5",
        "..",
        "é",
        ",",
        "(",
        "?",
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES).map("".join)))
def test_tokens_joined_are_the_text(sql: str) -> None:
    assert "".join(token.text for token in tokenize(sql)) == sql


@given(st.lists(_PIECES).map("".join))
def test_offsets_are_where_the_tokens_stand(sql: str) -> None:
    assert all(sql[token.start : token.end] == token.text for token in tokenize(sql))


@pytest.mark.parametrize(
    "quoted",
    [
        "'$1'",
        "'it''s $1'",
        "E'\\'$1'",
        "$$ $1 $$",
        "$q$ $$ $1 $$ $q$",
        '"$1"',
        "-- $1",
        "/* $1 */",
        "/* /* */ $1 */",
        "U&'$1'",
        "x'$1'",
        "a$1",
    ],
)
def test_a_placeholder_is_none_inside(quoted: str) -> None:
    assert [t.text for t in tokenize(f"SELECT {quoted}\n, $2") if t.kind is Kind.PLACEHOLDER] == ["$2"]


def test_comments_and_space_are_not_significant() -> None:
    assert [token.text for token in significant("SELECT -- one\n 1 /* two */ ;")] == ["SELECT", "1", ";"]


def test_a_cast_is_one_token() -> None:
    assert [token.kind for token in significant("$1::int")] == [Kind.PLACEHOLDER, Kind.CAST, Kind.WORD]


def test_statements_begin_after_separating_semicolons() -> None:
    sql = """-- first
SELECT ';'; ; CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
COMMIT"""
    assert [f"{token.text}@{token.start}" for token in statements(sql)] == ["SELECT@9", "CREATE@23", "CREATE@80", "COMMIT@174"]


def test_only_ascii_white_space_separates_words() -> None:
    # As in PostgreSQL's scanner, where every other character above ASCII belongs to a name.
    assert [token.text for token in significant("a\u00a0b\u2003c\td\x0be")] == ["a\u00a0b\u2003c", "d", "e"]
