"""Annotations: read from the comment, complete or refused, never part of the documentation."""

from __future__ import annotations

import pytest

from sqlwright.diagnostics import Code, format_diagnostic
from sqlwright.sql.annotations import Annotations, OneClaim, read_annotations, split_alias
from sqlwright.sql.sources import QuerySource, split_queries
from sqlwright.sql.strays import check_strays


def query(*comment: str) -> QuerySource:
    """A query under a comment."""
    (found,) = split_queries("q.sql", "".join(f"-- {line}\n" for line in comment) + "-- name: Q :one\nSELECT 1;\n")
    return found


def test_annotations_are_not_documentation() -> None:
    assert read_annotations(query("Get it.", "@notnull total a trigger sets it", "Really.")).doc == ("Get it.", "Really.")


def test_claims_are_kept_with_their_reasons() -> None:
    found = read_annotations(query("@notnull total a trigger sets it", '@nullable "nick"', "@one exactly the table has one row"))
    assert found.annotations == Annotations({"nick": ""}, {"total": "a trigger sets it"}, OneClaim.EXACTLY, "the table has one row")


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("@notnull total", "`-- @notnull column reason`"),
        ("@notnull", "`-- @notnull column reason`"),
        ("@nullable", "`-- @nullable column [reason]`"),
        ("@one exactly", "`-- @one exactly reason`, or `-- @one first reason`"),
        ("@one maybe so", "`-- @one exactly reason`, or `-- @one first reason`"),
    ],
)
def test_the_error_for_an_incomplete_annotation_shows_its_form(line: str, form: str) -> None:
    (diagnostic,) = read_annotations(query(line)).diagnostics
    assert diagnostic.help == f"the form is {form}."


@pytest.mark.parametrize("word", ["count", "exists", "page", "narrow", "stream"])
def test_an_annotation_that_says_too_much_is_not_called_incomplete(word: str) -> None:
    (diagnostic,) = read_annotations(query(f"@{word} all the jobs")).diagnostics
    assert diagnostic.message == f"annotation @{word} on query Q says too much: `all the jobs`"
    assert diagnostic.help.startswith(f"the form is `-- @{word}`")


def test_an_annotation_in_a_block_comment_is_an_error_at_its_line() -> None:
    text = "/* @optional a */\n-- name: A :many\nSELECT '/* @page */' /*\n * @order x\n @deprecated, @page\n  @count */\n;\n"
    found = check_strays(split_queries("q.sql", text))
    assert [(str(each.place), each.message.split()[0]) for each in found] == [
        ("q.sql:1:4", "@optional"),
        ("q.sql:4:4", "@order"),
        ("q.sql:6:3", "@count"),
    ]
    assert found[0].help.startswith("annotations are in comments of two dashes, `-- @optional a`: ")


@pytest.mark.parametrize(
    ("line", "message", "meant"),
    [
        ("@optional @name", "malformed annotation @optional on query Q: `@name`", "-- @optional name"),
        ("@optional name note", "malformed annotation @optional on query Q: `name note`", "-- @optional name, note"),
        ("@optional: name,", "malformed annotation @optional on query Q: `: name,`", "-- @optional name"),
        ("@patch name; note", "malformed annotation @patch on query Q: `name; note`", "-- @patch name, note"),
        ("@patch or return", "malformed annotation @patch on query Q: `or return`", "-- @patch or select"),
        ("@patch name note, or select", "malformed annotation @patch on query Q: `name note, or select`", "-- @patch name, note or select"),
        ("@order newest id DESC", "malformed annotation @order on query Q: `newest id DESC`", "-- @order newest: id DESC"),
    ],
)
def test_a_malformed_annotation_is_shown_as_it_was_probably_meant(line: str, message: str, meant: str) -> None:
    (diagnostic,) = read_annotations(query(line)).diagnostics
    assert (diagnostic.message, diagnostic.help) == (message, f"did you mean `{meant}`?")


@pytest.mark.parametrize(("line", "meant"), [("@ page", "-- @page"), ("@  optional a, b", "-- @optional a, b")])
def test_an_annotation_with_a_space_behind_the_sign_is_an_error(line: str, meant: str) -> None:
    (diagnostic,) = read_annotations(query(line)).diagnostics
    assert (diagnostic.code, diagnostic.help) == (Code.INCOMPLETE_ANNOTATION, f"write `{meant}`.")


def test_other_words_behind_a_sign_and_a_space_are_prose() -> None:
    assert read_annotations(query("@ home, pages are read")).doc == ("@ home, pages are read",)


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        (["@stream", "@stream 5"], "@stream on query Q is repeated"),
        (["@page", "@page"], "@page on query Q is repeated"),
        (["@narrow", "@narrow"], "@narrow on query Q is repeated"),
        (["@one exactly it is so", "@one first any will do"], "@one on query Q is repeated"),
        (["@patch", "@patch"], "@patch on query Q is repeated"),
        (["@patch or select", "@patch a"], "@patch on query Q names the parameter `a` twice"),
        (["@patch a", "@patch"], "@patch on query Q is repeated"),
        (["@patch", "@patch a"], "@patch on query Q names the parameter `a` twice"),
        (["@notnull note one reason", '@notnull "note" another'], "@notnull on query Q names the column `note` twice"),
        (["@nullable note", "@nullable note"], "@nullable on query Q names the column `note` twice"),
        (["@json note: a.B", "@json note: a.C"], "@json on query Q names the column `note` twice"),
        (["@optional a, b", "@optional B"], "@optional on query Q names the parameter `B` twice"),
        (["@order a", "@order a: id"], "@order on query Q names the order `a` twice"),
    ],
)
def test_a_repeated_annotation_is_an_error_at_the_second_line(comment: list[str], message: str) -> None:
    (diagnostic,) = read_annotations(query("Doc.", *comment)).diagnostics
    assert (diagnostic.message, str(diagnostic.place)) == (message, "q.sql:3:1")


def test_several_annotations_of_a_kind_name_several_things() -> None:
    comment = ("@patch a", "@patch b", "@optional c", "@optional d", "@order x", "@order y: 1", "@notnull m why", "@notnull n why")
    assert read_annotations(query(*comment)).diagnostics == ()


def test_an_annotation_that_belongs_to_no_query_is_an_error() -> None:
    text = (
        "-- @stream\n\n-- @narrow\n-- name: A :many\n-- @optional x\n\n-- @order a\nSELECT 1\n-- @patch\n"
        "WHERE @x > 1 -- @json x\n;\n"
        "-- @one exactly why\n\n-- @param x prose\n/* -- @narrow */\n-- @stream 7\n-- name: B :many\n"
        "SELECT '\n-- @narrow';\n-- @sqlc-only\n"
    )
    found = check_strays(split_queries("q.sql", text))
    assert [str(diagnostic.place) for diagnostic in found] == [f"q.sql:{place}" for place in ("1:1", "7:1", "9:1", "10:14", "12:1", "20:1")]
    assert format_diagnostic(found[2]) == (
        "error: @patch is not in the comment of a query, and would be ignored\n"
        "  --> q.sql:9:1\n"
        "    |\n"
        "  9 | -- @patch\n"
        "    | ^^^^^^^^^\n"
        "  help: write it directly above or below the query's name line, without an empty line between them."
    )


def test_a_misspelt_annotation_is_an_error_at_its_line() -> None:
    (diagnostic,) = read_annotations(query("Get it.", "@nulable nick")).diagnostics
    assert format_diagnostic(diagnostic) == (
        "error: unknown annotation @nulable on query Q; did you mean @nullable?\n"
        "  --> q.sql:2:1\n"
        "    |\n"
        "  2 | -- @nulable nick\n"
        "    | ^^^^^^^^^^^^^^^^\n"
        "  help: the form is `-- @nullable column [reason]`."
    )


def test_a_misspelt_annotation_below_the_name_is_found_there() -> None:
    (found,) = split_queries("q.sql", "-- Above.\n-- name: Q :one\n-- Below.\n-- @not-null x y\nSELECT 1;\n")
    (diagnostic,) = read_annotations(found).diagnostics
    assert str(diagnostic.place) == "q.sql:4:1"


def test_the_annotations_of_sqlc_are_left_to_sqlc_and_other_words_are_prose() -> None:
    found = read_annotations(query("@param id the key", "@sqlc-vet-disable", "@alice wrote this", "@deprecated use Other"))
    assert (found.doc, found.diagnostics) == (("@alice wrote this", "@deprecated use Other"), ())


def test_two_claims_that_exclude_each_other_are_an_error() -> None:
    (diagnostic,) = read_annotations(query("@notnull a because", "@nullable a")).diagnostics
    assert diagnostic.message == "query Q claims both @nullable and @notnull for `a`"


@pytest.mark.parametrize(
    ("alias", "parts"),
    [
        ("total!", ("total", False)),
        ("nick?", ("nick", True)),
        ("plain", ("plain", None)),
        ("?column?", ("?column?", None)),
        ("!", ("!", None)),
    ],
)
def test_the_mark_of_an_alias_is_a_claim_and_not_part_of_the_name(alias: str, parts: tuple[str, bool | None]) -> None:
    assert split_alias(alias) == parts
