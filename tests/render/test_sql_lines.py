"""SQL in lines of at most 88 columns is the same SQL."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sqlwright.render.sql_lines import in_lines
from sqlwright.sql.lexer import Kind, tokenize

_PIECES = st.sampled_from(
    [
        *("SELECT", "FROM", "WHERE", "AND", "LEFT JOIN", "ORDER BY", "AS", "CASE WHEN", "ELSE", "(", ")", "[", "]", ",", "$1::int4", "a.b"),
        *("'it''s a string'", "E'\\' x'", "$tag$ a, b $tag$", '"Quoted, name"', "/* a /* nested */ comment */", "price", "||", "="),
    ]
)
_GAPS = st.sampled_from([" ", "  ", "\n", "\n    ", " -- a comment, to the end\n"])
_SQL = st.lists(st.tuples(_PIECES, _GAPS), max_size=60).map(lambda parts: "".join(piece + gap for piece, gap in parts))
_ANY = st.one_of(_SQL, st.text(max_size=300))


def code(sql: str) -> list[tuple[Kind, str]]:
    """The tokens of SQL but for white space; two strings with a line break between them are one."""
    found: list[tuple[Kind, str]] = []
    broken = False
    for token in tokenize(sql):
        if token.kind is Kind.SPACE:
            broken = broken or "\n" in token.text
            continue
        if token.kind is Kind.STRING and broken and found and found[-1][0] is Kind.STRING:
            found[-1] = (Kind.STRING, f"{found[-1][1]}\n{token.text}")
        else:
            found.append((token.kind, token.text))
        broken = False
    return found


@given(_ANY)
@example("SELECT " + "'a string of some length' " * 9)
@example("SELECT " + "a\N{NO-BREAK SPACE}b, " * 40)
def test_only_white_space_changes(sql: str) -> None:
    assert code(in_lines(sql)) == code(sql)


@given(_SQL, st.integers(min_value=0, max_value=120))
@example("SELECT a_column_of_some_length, another_column_of_some_length FROM a_table_of_some_length shortly WHERE true", 13)
def test_only_white_space_changes_where_a_statement_is_cut_into_pieces(sql: str, place: int) -> None:
    tokens = [token.text for token in tokenize(sql)]
    cut = in_lines("".join(tokens[:place])) + in_lines("".join(tokens[place:]))
    assert code(cut) == code(sql)


@given(_SQL)
def test_lines_whose_tokens_are_short_are_short(sql: str) -> None:
    # Strings are not parted from each other, and so a row of them stays long.
    apart = sql.replace("' ", "', ").replace("$ ", "$, ")
    assert max(len(line.rstrip()) for line in in_lines(apart).split("\n")) <= 88


@given(_SQL)
def test_short_lines_stay_as_they_are(sql: str) -> None:
    lines = [line[:88] for line in sql.split("\n")]
    assert in_lines("\n".join(lines)) == "\n".join(lines)


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        pytest.param(
            "SELECT o.id, o.name, o.status, o.total, o.placed_at, o.updated_at FROM orders o LEFT JOIN users u ON u.id = o.by",
            "SELECT o.id, o.name, o.status, o.total, o.placed_at, o.updated_at\nFROM orders o\nLEFT JOIN users u ON u.id = o.by",
            id="where its clauses begin",
        ),
        pytest.param(
            "  SELECT orders.id, orders.user_id, orders.status, orders.currency, orders.total_minor, orders.placed_at\n  FROM orders",
            "  SELECT orders.id, orders.user_id, orders.status, orders.currency, orders.total_minor,\n"
            "      orders.placed_at\n  FROM orders",
            id="else at a comma",
        ),
        pytest.param(
            "INSERT INTO orders (\n    id, user_id, status, currency, total_minor, placed_at, updated_at, version, shipped_at, paid_at\n)",
            "INSERT INTO orders (\n    id, user_id, status, currency, total_minor, placed_at, updated_at, version,\n"
            "    shipped_at, paid_at\n)",
            id="as further lines of a list",
        ),
        pytest.param(
            "WHERE ($1::text IS NULL OR orders.status = $1::text) AND orders.placed_at BETWEEN $2::timestamptz AND now()",
            "WHERE ($1::text IS NULL OR orders.status = $1::text)\n    AND orders.placed_at BETWEEN $2::timestamptz AND now()",
            id="or at AND",
        ),
        pytest.param(
            "SELECT 'one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen'",
            "SELECT\n    'one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen'",
            id="never inside a string",
        ),
    ],
)
def test_a_long_line_is_broken(sql: str, broken: str) -> None:
    assert in_lines(sql) == broken
