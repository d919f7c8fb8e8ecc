"""PostgreSQL's errors for queries that sqlc refuses: they are more accurate about what is wrong, and where."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from sqlwright.diagnostics import CompileError, Diagnostic
from sqlwright.pipeline import Inputs
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.prove.scratch.schema import Schema
from sqlwright.prove.sessions import Sessions
from sqlwright.sql.lexer import statement_spans
from sqlwright.sql.macros import read_statement
from sqlwright.sql.sources import QuerySource

# Without sqlc's inferred types, PostgreSQL may not know a parameter's.
FOR_WANT_OF_SQLC = frozenset({"42P18", "42P08"})
_SYNTAX = "syntax error"


def second_opinion(complaints: Sequence[Diagnostic], refused: Iterable[Inputs], sessions: Sessions) -> list[Diagnostic]:
    """Return sqlc's diagnostics, replaced by PostgreSQL's where those say more, and PostgreSQL's other errors in queries and schemas.

    `refused` are the files of the packages that sqlc could not read. Without a server, sqlc's diagnostics are returned unchanged.
    """
    found: list[Diagnostic] = []
    answered: list[tuple[str, range]] = []
    for inputs in refused:
        try:
            for source, diagnostic in _refused_by_postgresql(inputs, sessions):
                found.append(diagnostic)
                answered.append((source.file, range(source.text_line, source.text_line + source.text.count("\n") + 1)))
        except ServerUnavailable:
            return list(complaints)
        except CompileError as error:
            found += [each for each in error.diagnostics if not _is_known(each, complaints, inputs.schema)]

    # sqlc reports one of a file, sometimes at another query.
    misread = {each.place.file for each in found if each.place and _SYNTAX in each.message}

    def is_answered(complaint: Diagnostic) -> bool:
        place = complaint.place
        if place is None:
            return False
        is_known = complaint.message.startswith(_SYNTAX) and place.file in misread
        return is_known or any(place.file == file and place.line in lines for file, lines in answered)

    rest = [each for each in complaints if not is_answered(each)]
    return [*rest, *found]


def _is_known(refusal: Diagnostic, complaints: Iterable[Diagnostic], schema: Schema) -> bool:
    """Return whether sqlc reports the same mistake in the schema: at the same statement, or anywhere in that file with the same message."""
    place = refusal.place
    file = next((file for file in schema.files if place and file.path == place.file), None)
    if place is None or file is None:
        return False
    ends = [file.sql.count("\n", 0, span.end) + 1 for span in statement_spans(file.sql)]
    return any(
        complaint.message in refusal.message
        or (complaint.message.startswith(_SYNTAX) and _SYNTAX in refusal.message)
        or bisect_left(ends, complaint.place.line) == bisect_left(ends, place.line)
        for complaint in complaints
        if complaint.place and complaint.place.file == file.path
    )


def _refused_by_postgresql(inputs: Inputs, sessions: Sessions) -> Iterable[tuple[QuerySource, Diagnostic]]:
    session = sessions.over(inputs.schema, nullable_elements=False)
    # Imported after the session, which has imported psycopg.
    from sqlwright.prove.asking.describe import Refused, describe
    from sqlwright.prove.asking.suggestions import refusal
    from sqlwright.prove.prover import connected

    with connected(), session.connection.transaction(force_rollback=True):
        for source in inputs.sources.values():
            sql = read_statement(source.text, {}).sql
            if source.sqlc_only or not sql:
                continue
            try:
                describe(session.connection, sql, {})
            except Refused as error:
                if error.sqlstate not in FOR_WANT_OF_SQLC:
                    yield source, refusal(session.connection, source.name, source, sql, error)
