"""Query files: where queries stand, their comments, and the way back from sqlc's text to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlwright.diagnostics import CompileError
from sqlwright.sql.lexer import Kind, tokenize
from sqlwright.sql.sources import QuerySource, expand_paths, is_for_sqlc_only, read_text, split_queries

FILE = """\
-- The queries of users.

-- Get a user.
--
-- By key.
-- name: GetUser :one
-- Second part.
SELECT * FROM users -- all
WHERE id = sqlc.arg('id') AND nope = @other;

SELECT '
-- name: NotAQuery :one
';
/*
-- name: NorThis :one
*/
-- name: CountUsers :one
SELECT count(*) FROM users;
"""


@pytest.fixture
def queries() -> dict[str, QuerySource]:
    return {query.name: query for query in split_queries("queries/users.sql", FILE)}


def test_a_name_line_inside_a_string_or_comment_is_none(queries: dict[str, QuerySource]) -> None:
    assert list(queries) == ["GetUser", "CountUsers"]


def test_the_comment_of_a_query_touches_its_name_line(queries: dict[str, QuerySource]) -> None:
    assert queries["GetUser"].doc == ("Get a user.", "", "By key.", "Second part.")


def test_a_query_knows_its_line_and_column(queries: dict[str, QuerySource]) -> None:
    assert str(queries["GetUser"].header_place()) == "queries/users.sql:6:10"


@pytest.mark.parametrize(
    ("needle", "place"),
    [
        ("nope", "queries/users.sql:9:31"),
        ("$1", "queries/users.sql:9:12"),
        ("$2", "queries/users.sql:9:38"),
        ("email", "queries/users.sql:8:8"),
        ("WHERE", "queries/users.sql:9:1"),
    ],
)
def test_a_place_in_sqlcs_text_is_found_in_the_file(queries: dict[str, QuerySource], needle: str, place: str) -> None:
    sql = "SELECT id, name, email FROM users\nWHERE id = $1 AND nope = $2"
    assert str(queries["GetUser"].place_of(sql, sql.index(needle))) == place


def test_windows_line_ends_do_not_shift_places() -> None:
    (query,) = split_queries("q.sql", "-- name: Q :many\r\nSELECT 1,\r\n  nope;\r\n")
    assert str(query.place_of("SELECT 1,\r\n  nope", 13)) == "q.sql:3:3"


def test_a_folder_is_read_as_its_sql_files_by_name(tmp_path: Path) -> None:
    for name in ("b.sql", "a.sql", "c.txt", ".hidden.sql"):
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.sql").touch()
    assert [path.name for path in expand_paths(tmp_path, (".",))] == ["a.sql", "b.sql"]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        expand_paths(tmp_path, ("nowhere",))


NAME_LINE = "-- name: Q :one"
PIECES = ["'", '"', "--", "/*", "*/", "\\", "$$", "$a$", "$1", "E", "x", " ", "\n", "it's", f"\n{NAME_LINE}\n", f"\n{NAME_LINE}\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_name_lines_count_where_no_token_goes_over_the_start_of_the_line(text: str) -> None:
    inside = {index for t in tokenize(text) if t.kind is not Kind.SPACE for index in range(t.start + 1, t.end)}
    starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]
    lines = [number for number, start in enumerate(starts, start=1) if start not in inside and text[start:].startswith(f"{NAME_LINE}\n")]
    assert [query.line for query in split_queries("q.sql", text) if query.name == "Q"] == lines


def test_a_file_may_be_marked_at_its_head_as_for_sqlc_only() -> None:
    assert is_for_sqlc_only("-- Stubs.\n/* x */\n-- @sqlc-only: the extension has them\nCREATE TABLE t ();")
    assert not is_for_sqlc_only("CREATE TABLE t ();\n-- @sqlc-only\n")


def test_bytes_that_are_no_utf8_are_shown_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_bytes(b"-- name: Q :one\nSELECT '\xe9';\n")
    with pytest.raises(CompileError) as caught:
        read_text(tmp_path / "q.sql", "q.sql")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.message, str(diagnostic.place)) == ("q.sql is not UTF-8: byte 0xe9", "q.sql:2:9")
