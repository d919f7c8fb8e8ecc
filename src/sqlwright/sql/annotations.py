"""Annotations: comment lines `-- @word …` around a query's name, with which the user claims what no proof can show.

    -- @notnull total the order trigger always sets it
    -- @nullable nick kept for old callers
    -- @one exactly the settings table holds one row
    -- @one first any of them will do

Two annotations are requests rather than claims: `-- @stream 500` makes a `:many` an iterator that fetches 500 rows at a time, and
`-- @narrow` gives the rows their own class where the query proves more about them than their table declares.

Four make variants of a query (docs/variants.md): `-- @optional status, since` names parameters that may be left out, `-- @order newest`
and `-- @order oldest: placed_at, id` name orders, `-- @patch` makes an UPDATE set only the given columns, and `-- @page` returns pages.

`-- @count` and `-- @exists` make a function of their own for the number of a `:many` query's rows, and whether there is one; `-- @count
CountOrders` names it.

`-- @json settings: shop.domain.Settings` names the type of a json or jsonb column or parameter; pydantic validates it both ways.

A word close to one of these is an error, so that a misspelt annotation is not silently ignored. sqlc's own (`@param`,
`@sqlc-vet-disable`) are left to sqlc; a comment line that starts with any other `@word` is prose. The aliases `AS "total!"` and
`AS "nick?"`, known from sqlx and pgtyped, mean the same as @notnull and @nullable.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlwright.diagnostics import Code, Diagnostic, Place
from sqlwright.sql.sources import QuerySource

_ANNOTATION = re.compile(r"^\s*@(?P<space>\s*)(?P<word>[A-Za-z_][\w-]*)\s*(?P<rest>.*)$")
_TYPED = re.compile(r'^"?(?P<column>[^":]+)"?:\s*(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\s*$')
# A parameter without a name is accepted here, so that the error about it can say its name.
_NAMES = re.compile(r"(?:[A-Za-z_]\w*|\$\d+)(?:\s*,\s*(?:[A-Za-z_]\w*|\$\d+))*")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PATCH = re.compile(rf"(?P<names>(?!or\b){_NAMES.pattern})?\s*(?P<select>\bor\s+select)?")
_UNDIVIDED_ORDER = re.compile(r"(?P<name>[A-Za-z_][\w-]*)\s+(?P<by>[^:\s].*)")
_ORDER = re.compile(r"(?P<name>[A-Za-z_][\w-]*)\s*(?::\s*(?P<by>\S.*?);?\s*)?")
_FORMS = {
    "sqlc-only": "`-- @sqlc-only`, before the first statement of a file meant only for sqlc",
    "count": "`-- @count`, or `-- @count NameOfTheFunction`",
    "exists": "`-- @exists`, or `-- @exists NameOfTheFunction`",
    "json": "`-- @json column: package.module.Type`",
    "narrow": "`-- @narrow`",
    "nullable": "`-- @nullable column [reason]`",
    "notnull": "`-- @notnull column reason`",
    "one": "`-- @one exactly reason`, or `-- @one first reason`",
    "optional": "`-- @optional parameter, parameter …`",
    "order": "`-- @order name`, or `-- @order name: column DESC, column …`",
    "page": "`-- @page`",
    "patch": "`-- @patch`, or `-- @patch parameter, parameter …`, and `or select` behind either",
    "stream": "`-- @stream`, or `-- @stream 500`, the rows per chunk",
}
# These are complete without anything behind them.
_ALONE = frozenset({"sqlc-only", "count", "exists", "narrow", "page", "stream"})
_OF_SQLC = frozenset({"param", "sqlc-vet-disable"})
_LIKENESS = 0.8
_CHUNK = re.compile(r"[1-9][0-9]{0,8}")
_DEFAULT_CHUNK = 1000


class OneClaim(StrEnum):
    """What `@one` claims about a `:one` query: it always returns exactly one row, or it may return several and the first will do."""

    EXACTLY = "exactly"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Order:
    """An order of `@order`: `by` is the list for ORDER BY, "" for the statement's own. `line` is the comment line."""

    name: str
    by: str
    line: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotations in a query's comment. Columns by SQL name, each with its reason; `stream` is the number of rows in a chunk.

    `narrow`: the row class has the types that the query proves, even where it returns a table's columns. `optional` and `patched` are
    parameters by name, each with its comment line. `patch` and `page` are the comment lines of `@patch` and `@page`, "" if there is none;
    with `or_select`, a patch that sets nothing returns the rows as they are. `asked` are the words `count` and `exists`, each with the name
    of its function, "" for one made of the query's, and its comment line.
    """

    nullable: dict[str, str] = field(default_factory=dict[str, str])
    not_null: dict[str, str] = field(default_factory=dict[str, str])
    one: OneClaim | None = None
    one_reason: str = ""
    stream: int | None = None
    json: dict[str, str] = field(default_factory=dict[str, str])
    narrow: bool = False
    optional: dict[str, str] = field(default_factory=dict[str, str])
    orders: tuple[Order, ...] = ()
    patch: str = ""
    patched: dict[str, str] = field(default_factory=dict[str, str])
    or_select: bool = False
    asked: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    page: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedDoc:
    """A query's comment, split into documentation lines, annotations, and the errors in those."""

    doc: tuple[str, ...]
    annotations: Annotations
    diagnostics: tuple[Diagnostic, ...]


def read_annotations(source: QuerySource) -> AnnotatedDoc:
    """Split a query's comment into documentation and annotations."""
    doc: list[str] = []
    diagnostics: list[Diagnostic] = []
    claims = Annotations()
    named: set[tuple[str, str]] = set()
    for index, line in enumerate(source.doc):
        match = _ANNOTATION.match(line)
        word = match["word"] if match else ""
        rest = match["rest"].strip() if match else ""
        is_apart = match is not None and bool(match["space"])
        if word in _OF_SQLC and not is_apart:
            continue
        if match is None or not (word in _FORMS or (_meant(word) and not is_apart)):
            doc.append(line)
        elif is_apart:
            diagnostics.append(_apart(source, index, word, rest))
        elif read := _with(claims, word, rest, line):
            claims = read
            diagnostics += _repeated(source, index, word, rest, named)
        else:
            diagnostics.append(_malformed(source, index, word, rest))
    both = sorted(claims.nullable.keys() & claims.not_null.keys())
    diagnostics += [
        Diagnostic(
            Code.CONTRADICTING_CLAIMS,
            f"query {source.name} claims both @nullable and @notnull for `{name}`",
            source.header_place(),
            help="keep only one.",
        )
        for name in both
    ]
    return AnnotatedDoc(tuple(doc), claims, tuple(diagnostics))


def _with(claims: Annotations, word: str, rest: str, line: str) -> Annotations | None:
    """Add one annotation; return None if it is incomplete or unknown."""
    first, _, reason = rest.partition(" ")
    column, reason = first.strip('"'), reason.strip()
    match word:
        case "nullable" if first:
            return replace(claims, nullable={**claims.nullable, column: reason})
        case "notnull" if first and reason:
            return replace(claims, not_null={**claims.not_null, column: reason})
        case "json" if typed := _TYPED.match(rest):
            return replace(claims, json={**claims.json, typed["column"]: typed["path"]})
        case "one" if first in set(OneClaim) and reason:
            return replace(claims, one=OneClaim(first), one_reason=reason)
        case "narrow" | "page" if not rest:
            return replace(claims, narrow=True) if word == "narrow" else replace(claims, page=line)
        case "stream" if not first or (_CHUNK.fullmatch(first) and not reason):
            return replace(claims, stream=int(first or _DEFAULT_CHUNK))
        case _:
            return _with_variants(claims, word, rest, line)


def _with_variants(claims: Annotations, word: str, rest: str, line: str) -> Annotations | None:
    """Add an annotation that makes other statements of the query's; return None if it is incomplete or unknown."""
    match word:
        case "optional" if _NAMES.fullmatch(rest):
            return replace(claims, optional={**claims.optional, **dict.fromkeys(_names(rest), line)})
        case "order" if order := _ORDER.fullmatch(rest):
            return replace(claims, orders=(*claims.orders, Order(order["name"], order["by"] or "", line)))
        case "patch" if patch := _PATCH.fullmatch(rest):
            patched = {**claims.patched, **dict.fromkeys(_names(patch["names"] or ""), line)}
            return replace(claims, patch=line, patched=patched, or_select=claims.or_select or bool(patch["select"]))
        case "count" | "exists" if not rest or _NAME.fullmatch(rest):
            return replace(claims, asked={**claims.asked, word: (rest, line)})
        case _:
            return None


def _names(rest: str) -> list[str]:
    return [name.strip() for name in rest.split(",") if name.strip()]


def _repeated(source: QuerySource, index: int, word: str, rest: str, named: set[tuple[str, str]]) -> list[Diagnostic]:
    """Report what a line names that the same line, or one above it, has named; add to `named` what it names."""
    what, names = _subjects(word, rest)
    repeated: dict[str, None] = {}
    for name in names:
        # A list of parameters limits `@patch`, so that it contradicts one without.
        without = (word, "") if name else (word, next((each for of, each in named if of == word), ""))
        if (word, name.lower()) in named or without in named:
            repeated[name] = None
        named.add((word, name.lower()))
    return [
        Diagnostic(
            Code.REPEATED_ANNOTATION,
            f"@{word} on query {source.name} " + (f"names the {what} `{name}` twice" if name else "is repeated"),
            source.doc_place_at(index),
            help="keep it once.",
        )
        for name in repeated
    ]


def _subjects(word: str, rest: str) -> tuple[str, list[str]]:
    """Return what kind of thing an annotation names, and the names; "" for an annotation of the query as a whole."""
    match word:
        case "nullable" | "notnull" | "json":
            return "column", [re.split(r"[\s:]", rest, maxsplit=1)[0].strip('"')]
        case "optional":
            return "parameter", _names(rest)
        case "patch":
            patch = _PATCH.fullmatch(rest)
            return "parameter", _names((patch and patch["names"]) or "") or [""]
        case "order":
            return "order", [rest.partition(":")[0].strip()]
        case _:
            return "", [""]


def split_alias(name: str) -> tuple[str, bool | None]:
    """Split a column's SQL name from the claim in its last character: `("total", False)` from `total!`; None where it claims nothing."""
    if len(name) > 1 and name != "?column?" and name[-1] in "!?":
        return name[:-1], name[-1] == "?"
    return name, None


def _apart(source: QuerySource, index: int, word: str, rest: str) -> Diagnostic:
    return Diagnostic(
        Code.INCOMPLETE_ANNOTATION,
        f"there is a space in the annotation `@ {word}` on query {source.name}",
        source.doc_place_at(index),
        help=f"write `-- @{f'{word} {rest}'.strip()}`.",
    )


def _malformed(source: QuerySource, index: int, word: str, rest: str) -> Diagnostic:
    place = source.doc_place_at(index)
    if word in _FORMS:
        corrected = _corrected(word, rest)
        found = f"incomplete annotation @{word} on query {source.name}"
        if corrected:
            found = f"malformed annotation @{word} on query {source.name}: `{rest}`"
        elif word in _ALONE:
            found = f"annotation @{word} on query {source.name} says too much: `{rest}`"
        return Diagnostic(
            Code.INCOMPLETE_ANNOTATION,
            found,
            place,
            help=f"did you mean `{corrected}`?" if corrected else f"the form is {_FORMS[word]}.",
        )
    meant = _meant(word)
    return Diagnostic(
        Code.UNKNOWN_ANNOTATION,
        f"unknown annotation @{word} on query {source.name}; did you mean @{meant}?",
        place,
        help=f"the form is {_FORMS[meant]}.",
    )


def _corrected(word: str, rest: str) -> str:
    """Return an annotation as its form has it, where that can be seen; "" otherwise."""
    match word:
        case "optional":
            found = ", ".join(_NAME.findall(rest))
            return f"-- @optional {found}" if found else ""
        case "patch" if words := _NAME.findall(rest):
            before = words.index("or") if "or" in words else len(words)
            return " ".join(filter(None, ["-- @patch", ", ".join(words[:before]), "or select" if before < len(words) else ""]))
        case "order" if split := _UNDIVIDED_ORDER.fullmatch(rest):
            return f"-- @order {split['name']}: {split['by']}"
        case _:
            return ""


def annotation_place(source: QuerySource, word: str) -> Place:
    """Return the place of the first annotation of a word in a query's comment, which has one."""
    return source.doc_place_at(next(index for index, line in enumerate(source.doc) if annotation_word(line) == word))


def annotation_word(comment: str) -> str:
    """Return the word of an annotation that a comment line, with its dashes, is; "" for any other comment."""
    match = _ANNOTATION.match(comment.removeprefix("--"))
    return match["word"] if match and match["word"] in _FORMS else ""


def _meant(word: str) -> str:
    """The annotation that a word is close to; "" if there is none."""
    return next(iter(difflib.get_close_matches(word.lower(), _FORMS, n=1, cutoff=_LIKENESS)), "")
