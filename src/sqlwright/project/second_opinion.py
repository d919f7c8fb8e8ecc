"""PostgreSQL's errors for queries that sqlc refuses: they are more accurate about what is wrong, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlwright.diagnostics import CompileError, Diagnostic, Place
from sqlwright.pipeline import Inputs
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.prove.sessions import Sessions
from sqlwright.sql.macros import read_statement
from sqlwright.sql.sources import QuerySource

# Without sqlc's inferred types, PostgreSQL may not know a parameter's.
FOR_WANT_OF_SQLC = frozenset({"42P18", "42P08"})
_SYNTAX = "syntax error"
_AMBIGUOUS = re.compile(r'column reference "(.+)" is ambiguous')


def second_opinion(complaints: Sequence[Diagnostic], refused: Iterable[Inputs], sessions: Sessions) -> list[Diagnostic]:
    """Return sqlc's diagnostics, replaced by PostgreSQL's where those say more, and PostgreSQL's other errors.

    `refused` are the files of the packages that sqlc could not read. Without a server, sqlc's diagnostics are returned unchanged.
    """
    found: list[Diagnostic] = []
    accepted: list[tuple[str, range]] = []
    answered: list[tuple[str, range]] = []
    try:
        for inputs in refused:
            for source, diagnostic in _answers_of_postgresql(inputs, sessions):
                lines = range(source.text_line, source.text_line + source.text.count("\n") + 1)
                if diagnostic is None:
                    accepted.append((source.file, lines))
                else:
                    found.append(diagnostic)
                    answered.append((source.file, lines))
    except (CompileError, ServerUnavailable):
        return list(complaints)

    # sqlc reports one of a file, sometimes at another query.
    misread = {each.place.file for each in found if each.place and _SYNTAX in each.message}

    def is_answered(complaint: Diagnostic) -> bool:
        place = complaint.place
        if place is None:
            return False
        is_known = complaint.message.startswith(_SYNTAX) and place.file in misread
        return is_known or _is_in(place, answered)

    rest = [
        each if each.place is None or not _is_in(each.place, accepted) else _of_sqlc_alone(each)
        for each in complaints
        if not is_answered(each)
    ]
    return [*rest, *found]


def _is_in(place: Place, spans: Iterable[tuple[str, range]]) -> bool:
    return any(place.file == file and place.line in lines for file, lines in spans)


def _of_sqlc_alone(complaint: Diagnostic) -> Diagnostic:
    """Return sqlc's complaint about a query that PostgreSQL accepts, with the way around it where one is known."""
    name = _AMBIGUOUS.fullmatch(complaint.message)
    if name is None:
        return complaint
    return replace(
        complaint,
        help=f"PostgreSQL accepts this query, and sqlc does not know which table `{name[1]}` is of, here or elsewhere in the query: "
        f"write each `{name[1]}` with its table or alias, `table.{name[1]}`.",
    )


def _answers_of_postgresql(inputs: Inputs, sessions: Sessions) -> Iterable[tuple[QuerySource, Diagnostic | None]]:
    """Return PostgreSQL's error about each query, None for one that it accepts, as far as it knows the types of the parameters."""
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
                is_about_types = error.sqlstate in FOR_WANT_OF_SQLC
                yield source, None if is_about_types else refusal(session.connection, source.name, source, sql, error)
            else:
                yield source, None
