"""Annotations: comment lines `-- @word …` around a query's name, by which the user claims what no proof can show.

    -- @notnull total the order trigger always sets it
    -- @nullable nick kept for old callers
    -- @one exactly the settings table holds one row
    -- @one first any of them will do

One annotation is a wish and no claim: `-- @stream 500` makes a `:many` an iterator that fetches 500 rows at a time.

`-- @json settings: shop.domain.Settings` says what a json or jsonb column or parameter holds; pydantic validates it, in and out.

A word that is nearly one of these is an error, so that a misspelt annotation is not lost. sqlc's own (`@param`, `@sqlc-vet-disable`) are
left to sqlc; a comment line that starts with any other `@word` is prose. The aliases `AS "total!"` and `AS "nick?"`, known from sqlx and
pgtyped, claim the same as @notnull and @nullable.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from enum import StrEnum

from sqlwright.diagnostics import Diagnostic
from sqlwright.sources import QuerySource

_ANNOTATION = re.compile(r"^\s*@(?P<word>[A-Za-z_][\w-]*)\s*(?P<rest>.*)$")
_TYPED = re.compile(r'^"?(?P<column>[^":]+)"?:\s*(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\s*$')
_FORMS = {
    "sqlc-only": "-- @sqlc-only, before the first statement of a file that is meant for sqlc alone",
    "json": "-- @json column: package.module.Type",
    "nullable": "-- @nullable column [reason]",
    "notnull": "-- @notnull column reason",
    "one": "-- @one exactly reason, or -- @one first reason",
    "stream": "-- @stream, or -- @stream rows per chunk",
}
_OF_SQLC = frozenset({"param", "sqlc-vet-disable"})
_LIKENESS = 0.8
_CHUNK = re.compile(r"[1-9][0-9]{0,8}")
_DEFAULT_CHUNK = 1000


class OneClaim(StrEnum):
    """What `@one` says of a `:one` query: there is always exactly one row, or there may be several and the first will do."""

    EXACTLY = "exactly"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a query's comment claims. Columns by their SQL names, each with its reason; `stream` is the number of rows in a chunk."""

    nullable: dict[str, str] = field(default_factory=dict[str, str])
    not_null: dict[str, str] = field(default_factory=dict[str, str])
    one: OneClaim | None = None
    one_reason: str = ""
    stream: int | None = None
    json: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class AnnotatedDoc:
    """A query's comment, parted: documentation lines, annotations, and the errors in those."""

    doc: tuple[str, ...]
    annotations: Annotations
    diagnostics: tuple[Diagnostic, ...]


def read_annotations(source: QuerySource) -> AnnotatedDoc:
    """Part a query's comment into documentation and annotations."""
    doc: list[str] = []
    diagnostics: list[Diagnostic] = []
    nullable: dict[str, str] = {}
    not_null: dict[str, str] = {}
    one: OneClaim | None = None
    one_reason = ""
    stream: int | None = None
    json: dict[str, str] = {}
    for line in source.doc:
        match = _ANNOTATION.match(line)
        if match is None:
            doc.append(line)
            continue
        word, (first, _, reason) = match["word"], match["rest"].partition(" ")
        if word in _OF_SQLC:
            continue
        reason = reason.strip()
        match word:
            case "nullable" if first:
                nullable[first.strip('"')] = reason
            case "notnull" if first and reason:
                not_null[first.strip('"')] = reason
            case "json" if typed := _TYPED.match(match["rest"]):
                json[typed["column"]] = typed["path"]
            case "one" if first in set(OneClaim) and reason:
                one, one_reason = OneClaim(first), reason
            case "stream" if not first or (_CHUNK.fullmatch(first) and not reason):
                stream = int(first or _DEFAULT_CHUNK)
            case _ if word in _FORMS or _meant(word):
                diagnostics.append(_malformed(source, line, word))
            case _:
                doc.append(line)
    both = sorted(nullable.keys() & not_null.keys())
    diagnostics += [
        Diagnostic(f"query {source.name} claims both @nullable and @notnull for `{name}`", source.header_place(), help="keep one of them.")
        for name in both
    ]
    claims = Annotations(nullable=nullable, not_null=not_null, one=one, one_reason=one_reason, stream=stream, json=json)
    return AnnotatedDoc(tuple(doc), claims, tuple(diagnostics))


def split_alias(name: str) -> tuple[str, bool | None]:
    """Part a column's SQL name from the claim in its last character: `("total", False)` from `total!`; None where it claims nothing."""
    if len(name) > 1 and name != "?column?" and name[-1] in "!?":
        return name[:-1], name[-1] == "?"
    return name, None


def _malformed(source: QuerySource, line: str, word: str) -> Diagnostic:
    place = source.doc_place(line)
    if word in _FORMS:
        return Diagnostic(f"incomplete annotation @{word} on query {source.name}", place, help=f"the form is `{_FORMS[word]}`.")
    meant = _meant(word)
    return Diagnostic(
        f"unknown annotation @{word} on query {source.name}; did you mean @{meant}?", place, help=f"the form is `{_FORMS[meant]}`."
    )


def _meant(word: str) -> str:
    """The annotation that a word nearly is; "" where it is none."""
    return next(iter(difflib.get_close_matches(word.lower(), _FORMS, n=1, cutoff=_LIKENESS)), "")
