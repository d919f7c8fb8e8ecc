"""Where a query ends and the next one begins: mistakes that lose a statement, which sqlc does not report.

sqlc reads a statement's name from the comment before it. A second statement under one name has none and is skipped; a missing
semicolon makes the next query part of this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import groupby, zip_longest

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.sql.lexer import Span, first_word, statement_spans
from sqlwright.sql.sources import QuerySource

# The words a query may begin with. Any other statement may belong to the schema, if the file is one of the schema files.
_QUERY_WORDS = frozenset({"(", "delete", "insert", "merge", "select", "table", "update", "values", "with"})
_NAME_FORM = "-- name: {0} :command"
_NO_STATEMENT = "write the statement, or remove the name line."


def check_boundaries(sources: Iterable[QuerySource], read_by_sqlc: AbstractSet[str], schema_files: AbstractSet[str]) -> list[Diagnostic]:
    """Check the queries of all files, in order. `schema_files` may contain schema statements among their queries."""
    found: list[Diagnostic] = []
    for file, members in groupby(sources, key=lambda source: source.file):
        queries = [source for source in members if not source.sqlc_only]
        is_schema = file in schema_files
        if queries and not is_schema:
            found += _unnamed(queries[0])
        is_robbed = False
        for query, following in zip_longest(queries, queries[1:]):
            problems = list(_problems(query, following, is_schema=is_schema))
            is_empty = next(statement_spans(query.text), None) is None
            if not (problems or is_empty or is_robbed or query.name in read_by_sqlc):
                problems.append(_unread(query))
            is_robbed = is_empty
            found += problems
    return found


def is_query(statement: str) -> bool:
    """Whether a statement is a query that takes parameters, as opposed to one that defines the schema."""
    return first_word(statement) in _QUERY_WORDS


def _unnamed(first: QuerySource) -> Iterator[Diagnostic]:
    """Find the queries before the first name line, of which sqlc takes no notice."""
    head = replace(first, text=first.before, text_line=1)
    for span in statement_spans(head.text):
        if is_query(head.text[span.start : span.end]):
            yield Diagnostic(
                Code.UNNAMED_STATEMENT,
                "a statement without a name line, which would be ignored",
                head.place_at(span.start, _width(head, span)),
                help=f"write a name line above it: `{_NAME_FORM.format('Name')}`, with a small n in `name`.",
            )


def _problems(query: QuerySource, following: QuerySource | None, *, is_schema: bool) -> Iterator[Diagnostic]:
    spans = list(statement_spans(query.text))
    if not spans:
        if following is not None:
            yield Diagnostic(
                Code.QUERY_WITHOUT_STATEMENT,
                f"query {query.name} has no statement, so sqlc takes that of query {following.name} for it",
                query.header_place(),
                second=following.header_place(),
                second_label=f"query {following.name} is lost",
                help=_NO_STATEMENT,
            )
        elif not query.text.strip():
            # Under a comment it is a query that is commented out.
            yield Diagnostic(Code.QUERY_WITHOUT_STATEMENT, f"query {query.name} has no statement", query.header_place(), help=_NO_STATEMENT)
        return
    for extra in spans[1:]:
        if is_schema and not is_query(query.text[extra.start : extra.end]):
            continue
        yield _second_statement(query, extra)
    if following is not None and not spans[-1].closed:
        yield Diagnostic(
            Code.MISSING_SEMICOLON,
            f"query {query.name} does not end with a semicolon, and swallows query {following.name}",
            query.place_at(spans[-1].end - 1),
            "a `;` is missing after this",
            second=following.header_place(),
            second_label="this becomes part of it",
            help="end the statement with `;`.",
        )


def _second_statement(query: QuerySource, extra: Span) -> Diagnostic:
    return Diagnostic(
        Code.SECOND_STATEMENT,
        f"query {query.name} has a second statement, which would be ignored",
        query.place_at(extra.start, _width(query, extra)),
        "this statement has no name line",
        second=query.header_place(),
        second_label=f"query {query.name} is the first statement only",
        help=f"write a name line above it (`{_NAME_FORM.format('Name')}`), or combine both into one statement: WITH … AS (…).",
    )


def _width(query: QuerySource, span: Span) -> int:
    return len(query.text[span.start : span.end].split("\n", 1)[0].rstrip())


def _unread(query: QuerySource) -> Diagnostic:
    return Diagnostic(
        Code.UNREAD_NAME_LINE,
        f"query {query.name} is not read by sqlc",
        query.header_place(),
        help=f"start the name line in the first column, above its statement: `{_NAME_FORM.format(query.name)}`.",
    )
