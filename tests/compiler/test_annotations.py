"""Annotations: read from the comment, complete or refused, never part of the documentation."""

from __future__ import annotations

import pytest

from sqlwright.diagnostics import format_diagnostic
from sqlwright.sql.annotations import Annotations, OneClaim, read_annotations, split_alias
from sqlwright.sql.sources import QuerySource, split_queries


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
        ("@notnull total", "-- @notnull column reason"),
        ("@notnull", "-- @notnull column reason"),
        ("@nullable", "-- @nullable column [reason]"),
        ("@one exactly", "-- @one exactly reason, or -- @one first reason"),
        ("@one maybe so", "-- @one exactly reason, or -- @one first reason"),
    ],
)
def test_the_error_for_an_incomplete_annotation_shows_its_form(line: str, form: str) -> None:
    (diagnostic,) = read_annotations(query(line)).diagnostics
    assert diagnostic.help == f"the form is `{form}`."


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
