"""What sqlc refuses although PostgreSQL accepts it, as its grammar is older: a message that does not blame PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.pipeline import Inputs
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.prove.sessions import Sessions
from sqlwright.sql.macros import read_statement
from sqlwright.sql.sources import QuerySource

_SYNTAX = "syntax error"
_IN_QUERY = "sqlc's grammar is that of an older version: write it in a form that older versions have, too."
_IN_SCHEMA = (
    "sqlc's grammar is that of an older version. It does not read DO blocks: write `DO $$ BEGIN …; END $$;` around the statement, "
    "if no query needs a column or a type of it."
)


def accepted(complaints: Sequence[Diagnostic], refused: Iterable[Inputs], sessions: Sessions) -> list[Diagnostic]:
    """Return the complaints, where those about syntax that PostgreSQL accepts say so. Without a server, they are returned unchanged.

    `refused` are the files of the packages that sqlc could not read.
    """
    if not any(map(_is_about_syntax, complaints)):
        return list(complaints)
    found = list(complaints)
    for inputs in refused:
        try:
            found = list(_corrected(found, inputs, sessions))
        except (CompileError, ServerUnavailable):
            continue
    return found


def _is_about_syntax(complaint: Diagnostic) -> bool:
    return complaint.code is Code.REFUSED_BY_SQLC and complaint.message.startswith(_SYNTAX)


def _corrected(complaints: Iterable[Diagnostic], inputs: Inputs, sessions: Sessions) -> Iterator[Diagnostic]:
    session = sessions.over(inputs.schema, nullable_elements=False)
    # Imported after the session, which has imported psycopg.
    from sqlwright.prove.asking.describe import Refused, describe
    from sqlwright.prove.prover import connected

    def is_accepted(source: QuerySource) -> bool:
        with connected(), session.connection.transaction(force_rollback=True):
            try:
                describe(session.connection, read_statement(source.text, {}).sql, {})
            except Refused:
                return False
        return True

    major = session.connection.info.server_version // 10_000
    for complaint in complaints:
        place = complaint.place
        help_ = ""
        if place is not None and _is_about_syntax(complaint):
            if place.file in inputs.schema.paths:
                help_ = _IN_SCHEMA
            elif any(_holds(source, place.file, place.line) and is_accepted(source) for source in inputs.sources.values()):
                help_ = _IN_QUERY
        message = f"sqlc does not read this, which PostgreSQL {major} accepts: {complaint.message}"
        yield replace(complaint, message=message, help=help_) if help_ else complaint


def _holds(source: QuerySource, file: str, line: int) -> bool:
    return source.file == file and source.line <= line <= source.text_line + source.text.count("\n")
