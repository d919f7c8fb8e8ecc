"""sqlc's errors as diagnostics: places in the user's files, and how to fix them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sqlwright.diagnostics import Code, Diagnostic, Place, in_order
from sqlwright.ir import Command
from sqlwright.project.configuration import Configuration, place_of_database
from sqlwright.project.hidden import RENAME
from sqlwright.project.misreadings import better
from sqlwright.project.paths import place_of_path
from sqlwright.sql.lexer import significant, statement_spans
from sqlwright.sql.sources import read_queries

_COMPLAINT = re.compile(r"(?P<path>.+?):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)")
_BLOCK_HEADING = "# package "
_QUOTED = re.compile(r'"([^"]+)"')
_OPEN_QUOTE = re.compile(r'at or near ".*[^"]$')
_LISTED = re.compile(r"missing query type \[.*\]: ")
_ABOUT_NAME_LINE = re.compile(
    r"(?:duplicate query name: |invalid query type: |invalid query name \"|"
    r"(?:missing query type \[.*\]|invalid query comment|invalid metadata): --\s*)(.+?)\"?"
)
_NAME_LINE = re.compile(r"\s*--\s*name\b")
_SYSTEM_RELATION = re.compile(r'relation "(pg_\w+)" does not exist')
_NO_CONNECTION = "failed to connect to "
_WITHOUT_DATABASE = "start that server and correct `uri:`, or remove `database:`: the proof does not need it."
_NO_QUERIES = "no queries contained in paths"
# sqlc's messages for statements and commands that do not match, and their fixes.
_FIXES = {
    "INSERT has more expressions than target columns": "name the columns, which sqlc needs: `INSERT INTO t (a, b) VALUES (…)`.",
    ":copyfrom doesn't support non-parameter values": "omit a column to get its default; for expressions use :batchexec.",
    ":copyfrom is not compatible with ON CONFLICT": "COPY has no ON CONFLICT: remove it, or use :batchexec.",
    ":copyfrom is not compatible with RETURNING": "COPY returns nothing: remove it, or use :batchone.",
    ":copyfrom requires exactly one example row": "keep one: the function takes any number of rows.",
    ":copyfrom is not compatible with INSERT INTO ... SELECT": "use :exec.",
    ":copyfrom requires an INSERT INTO statement": "use :exec or :batchexec.",
    "missing semicolon": "end the statement with `;`.",
    ":batch* commands require parameters": "use the command without `batch`.",
    "without containing a RETURNING clause": "add a RETURNING clause, or use :exec, :execrows or :batchexec.",
}


def read_complaints(stderr: str, folder: Path, configuration: Configuration) -> tuple[Diagnostic, ...]:
    """Parse sqlc's stderr; its paths are relative to `folder`, where its configuration is."""
    placed: dict[Diagnostic, None] = {}
    other: list[str] = []
    quoting = connecting = False
    for line in stderr.splitlines():
        if line.startswith(_BLOCK_HEADING):
            quoting = connecting = False
        if line.startswith(_BLOCK_HEADING) or (connecting and line[0:1].isspace()) or not line.strip():
            continue
        match = _COMPLAINT.fullmatch(line)
        if match and (file := Path(os.path.normpath(folder / match["path"]))).is_file():
            # sqlc reports an error twice if two entries share the file.
            connecting = match["message"].startswith(_NO_CONNECTION)
            placed |= dict.fromkeys(_about_file(file, int(match["line"]), int(match["column"]), match["message"], configuration))
            # A message may quote the rest of a file.
            quoting = match["message"].count('"') % 2 == 1 or bool(_OPEN_QUOTE.search(match["message"]))
        elif not quoting:
            other.append(re.sub(r"^(\s*)line \d+: ", r"\1", line))
    if any(_NO_QUERIES in line for line in other):
        placed |= dict.fromkeys(_without_queries(configuration))
        other = [line for line in other if _NO_QUERIES not in line]
    rest = [Diagnostic(Code.REFUSED_BY_SQLC, f"sqlc: {' '.join(line.strip() for line in other)}")] if other else []
    return (*rest, *in_order(placed))


def _without_queries(configuration: Configuration) -> Iterator[Diagnostic]:
    """Report each entry without a query: its name lines without a statement, or that there is nothing."""
    for entry in configuration.entries:
        queries = read_queries(configuration.project, entry.queries).values()
        if any(next(statement_spans(query.text), None) for query in queries):
            continue
        for query in queries:
            advice = "write the statement, or remove the name line."
            yield Diagnostic(Code.QUERY_WITHOUT_STATEMENT, f"query {query.name} has no statement", query.header_place(), help=advice)
        if not queries:
            place = place_of_path(configuration, "queries", entry.queries[0]) if entry.queries else Place(configuration.path.name)
            advice = "write one in a .sql file: a line `-- name: GetUser :one`, and the statement under it."
            yield Diagnostic(Code.NO_QUERIES, f"there is no query in {', '.join(entry.queries)}", place, help=advice)


def _about_file(file: Path, line: int, column: int, message: str, configuration: Configuration) -> list[Diagnostic]:
    name = Path(os.path.relpath(file, configuration.project.resolve())).as_posix()
    if message.startswith(_NO_CONNECTION) and (database := place_of_database(configuration, file)):
        problem = f"sqlc cannot connect to the `database:` of {configuration.path.name}"
        return [Diagnostic(Code.REFUSED_BY_SQLC, problem, database, help=_WITHOUT_DATABASE)]
    found = better(message, name, file.read_bytes(), line)
    return found or [
        Diagnostic(Code.REFUSED_BY_SQLC, _plain(message), _place(file, name, line, column, message), help=_help(message, configuration))
    ]


def _plain(message: str) -> str:
    return _LISTED.sub("a name line without a command: ", message)


def _place(file: Path, name: str, line: int, column: int, message: str) -> Place:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    if column == 0 or line > len(lines):
        # The end of a statement, reported as the line after it.
        line = next((n for n in range(min(line - 1, len(lines)), 0, -1) if lines[n - 1].strip()), 1)
        column = len(lines[line - 1].rstrip()) if lines else 0
        return Place(name, line, column, lines[line - 1] if lines else "")
    if (named := _ABOUT_NAME_LINE.fullmatch(message)) and (found := _in_name_line(lines, line, named[1])):
        line, column = found
        return Place(name, line, column, lines[line - 1], len(named[1]))
    if (quoted := _QUOTED.search(message)) and (found := _word(lines, line, quoted[1])):
        line, column = found
        return Place(name, line, column, lines[line - 1], len(quoted[1]))
    if column == 1 and lines[line - 1].lstrip().startswith("--"):
        # An error in a whole statement is reported at the comment before it.
        line = next((n for n in range(line, len(lines) + 1) if lines[n - 1].strip() and not lines[n - 1].lstrip().startswith("--")), line)
    return Place(name, line, column, lines[line - 1])


def _word(lines: list[str], first: int, word: str) -> tuple[int, int] | None:
    """Find what a message names, where sqlc reports only the start of the query."""
    last = next((n for n in range(first, len(lines)) if _NAME_LINE.match(lines[n])), len(lines))
    text = "\n".join(lines[first - 1 : last])
    for token in significant(text):
        if token.text.strip('"').lower() == word.lower():
            before = text[: token.start]
            return first + before.count("\n"), len(before) - (before.rfind("\n") + 1) + 1
    return None


def _in_name_line(lines: list[str], first: int, word: str) -> tuple[int, int] | None:
    """Find the name line that a message is about, where sqlc reports the line of the statement under it."""
    line = next((n for n in range(first, 0, -1) if _NAME_LINE.match(lines[n - 1])), 0)
    column = lines[line - 1].find(word) + 1 if line else 0
    return (line, column) if column else None


def _help(message: str, configuration: Configuration) -> str:
    schemas = ", ".join(sorted({path for entry in configuration.entries for path in entry.schema}))
    if found := _SYSTEM_RELATION.fullmatch(message):
        return f"sqlc knows PostgreSQL's own relations by their full names only: write pg_catalog.{found[1]}."
    if message.endswith("does not exist"):
        return f"the schema is read from {schemas} (`schema:` in {configuration.path.name})."
    if message.endswith("already exists"):
        return f"all files of {schemas} (`schema:` in {configuration.path.name}) apply, in order, to one empty database."
    if message.startswith("duplicate query name"):
        return RENAME
    if message.startswith("invalid query name"):
        return "a name consists of letters, digits and underscores, and begins with a letter: GetUser."
    if message.startswith(("missing query type", "invalid query comment", "invalid metadata")):
        return f"the form is `-- name: GetUser :one`; the name is followed by one of {', '.join(Command)}."
    if message.startswith("invalid query type"):
        return f"the name line must end with one of {', '.join(Command)}."
    if message.startswith("syntax error"):
        return "PostgreSQL's grammar does not allow this here; the mistake is often just before it."
    return next((fix for text, fix in _FIXES.items() if text in message), "sqlc refuses this query before PostgreSQL sees it.")
