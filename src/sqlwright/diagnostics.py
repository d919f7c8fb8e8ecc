"""Errors as values: where, what, and how to fix it.

No stage prints, and none stops at the first problem. Each returns its findings as `Diagnostic` values; only `cli/` and `plugin.py`
show them. The text form follows rustc: `error: message`, the place, the source line with a caret, and a `help:` line.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MAKE_ROOM = "free some disk space, or raise the limit."
# A frame shows no more of a line than this, and of what is before the mistake.
_LONGEST_LINE = 400
_BEFORE_CARET = 60


class Code(StrEnum):
    """The kind of a diagnostic. `explanations` has a title, an example and a fix for each; docs/errors.md is generated from it."""

    AMBIGUOUS_AT_SIGN = "ambiguous-at-sign"
    ANNOTATION_WITHOUT_COLUMN = "annotation-without-column"
    CONTRADICTING_CLAIMS = "contradicting-claims"
    CONTRADICTING_OPTIONS = "contradicting-options"
    DAMAGED_RECORD = "damaged-record"
    DBMATE_FAILED = "dbmate-failed"
    DECLARED_EXTENSION = "declared-extension"
    DUPLICATE_OUTPUT = "duplicate-output"
    FOREIGN_FILE = "foreign-file"
    INCOMPLETE_ANNOTATION = "incomplete-annotation"
    INSEPARABLE_CONDITION = "inseparable-condition"
    INTERRUPTED = "interrupted"
    INVALID_CONFIGURATION = "invalid-configuration"
    INVALID_OPTION = "invalid-option"
    INVALID_URL = "invalid-url"
    JSON_ON_OTHER_TYPE = "json-on-other-type"
    LINE_TOO_LONG = "line-too-long"
    MALFORMED_REQUEST = "malformed-request"
    MISPLACED_ANNOTATION = "misplaced-annotation"
    MISSING_CONFIGURATION = "missing-configuration"
    MISSING_PATH = "missing-path"
    MISSING_SEMICOLON = "missing-semicolon"
    NAME_COLLISION = "name-collision"
    NEEDLESS_NULL = "needless-null"
    NOT_A_COPY = "not-a-copy"
    NO_ENTRY = "no-entry"
    NO_PYTHON_TYPE = "no-python-type"
    NO_QUERIES = "no-queries"
    NUMBERED_COLUMNS = "numbered-columns"
    OPTION_WITHOUT_EFFECT = "option-without-effect"
    OUTPUT_BLOCKED = "output-blocked"
    QUERY_WITHOUT_STATEMENT = "query-without-statement"
    QUOTED_PARAMETER = "quoted-parameter"
    REDUNDANT_ANNOTATION = "redundant-annotation"
    REFUSED_BY_SQLC = "refused-by-sqlc"
    REFUSED_DERIVATION = "refused-derivation"
    REFUSED_ORDER = "refused-order"
    REFUSED_PAGE = "refused-page"
    REFUSED_PATCH = "refused-patch"
    REFUSED_QUERY = "refused-query"
    REFUSED_SCHEMA = "refused-schema"
    REFUTED_CLAIM = "refuted-claim"
    REMOTE_DATABASE = "remote-database"
    REPEATED_ANNOTATION = "repeated-annotation"
    SECOND_STATEMENT = "second-statement"
    SQLC_CRASHED = "sqlc-crashed"
    UNDETECTABLE_ABSENCE = "undetectable-absence"
    UNGUARDED_WRITE = "unguarded-write"
    UNKNOWN_ANNOTATION = "unknown-annotation"
    UNKNOWN_COLUMN = "unknown-column"
    UNKNOWN_FUNCTION_COLUMNS = "unknown-function-columns"
    UNKNOWN_OPTION = "unknown-option"
    UNKNOWN_PARAMETER = "unknown-parameter"
    UNKNOWN_QUERY = "unknown-query"
    UNNAMED_STATEMENT = "unnamed-statement"
    UNPROVEN_ONE = "unproven-one"
    UNQUOTED_STAR = "unquoted-star"
    UNREADABLE_TEXT = "unreadable-text"
    UNREAD_NAME_LINE = "unread-name-line"
    UNSUPPORTED_COMMAND = "unsupported-command"
    UNSUPPORTED_ENGINE = "unsupported-engine"
    UNSUPPORTED_STATEMENT = "unsupported-statement"
    UNTERMINATED = "unterminated"
    UNTYPED_PARAMETER = "untyped-parameter"
    UNUSABLE_FIELD = "unusable-field"
    UNUSABLE_FILE = "unusable-file"
    UNUSABLE_POSTGRESQL = "unusable-postgresql"
    UNUSABLE_PROGRAM = "unusable-program"
    UNVERIFIED_VARIANT = "unverified-variant"
    WRONG_COMMAND = "wrong-command"


class Severity(StrEnum):
    """How serious a diagnostic is: an error stops the run, a warning is shown and the run continues."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file. Lines and columns are counted from 1, as editors do, and columns in characters.

    `source_line` is the text of that line, for the frame under the message; `width` is the number of characters underlined.
    A `line` of 0 means the whole file.
    """

    file: str
    line: int = 0
    column: int = 0
    source_line: str = ""
    width: int = 1

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `label` is shown next to the caret; `help` says how to fix it.

    `second` is another relevant place, with its own label.
    """

    code: Code
    message: str
    place: Place | None = None
    label: str = ""
    help: str = ""
    severity: Severity = Severity.ERROR
    second: Place | None = None
    second_label: str = ""


class CompileError(Exception):
    """A stage failed; carries every diagnostic that is known by then, warnings included."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n\n".join(format_diagnostic(diagnostic) for diagnostic in self.diagnostics))

    def beside(self, others: Iterable[Diagnostic]) -> CompileError:
        """Return the error with other findings."""
        return CompileError([*others, *self.diagnostics])


def unusable(error: OSError) -> Diagnostic:
    """Return the diagnostic for a file or folder that the operating system refuses to let us use."""
    path = error.filename2 or error.filename
    return Diagnostic(
        Code.UNUSABLE_FILE,
        f"cannot use {path}: {error.strerror}" if path else f"the operating system refused: {error.strerror or error}",
        help=MAKE_ROOM if error.errno in FULL_DISK else "",
    )


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Return whether any of the diagnostics is an error."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by file, line and column; diagnostics without a place come first. The sort is stable."""
    return sorted(diagnostics, key=lambda d: (d.place.file, d.place.line, d.place.column) if d.place else ("", 0, 0))


def format_diagnostic(diagnostic: Diagnostic) -> str:
    """Return the plain text of one diagnostic, without colour or a final newline."""
    lines = [f"{diagnostic.severity}: {diagnostic.message}", *format_frame(diagnostic)]
    if diagnostic.help:
        first, *rest = diagnostic.help.splitlines()
        lines.append(f"  help: {first}")
        lines.extend(f"        {line}" for line in rest)
    return "\n".join(lines)


def format_frame(diagnostic: Diagnostic) -> Sequence[str]:
    """Return the lines that show the places: an arrow with file:line:column, the source line and the caret."""
    frames = [(diagnostic.place, "-->", diagnostic.label), (diagnostic.second, ":::", diagnostic.second_label)]
    return [line for place, arrow, label in frames if place is not None for line in _frame(place, arrow, label)]


def _frame(place: Place, arrow: str, label: str) -> Sequence[str]:
    lines = [f"  {arrow} {place}"]
    if place.line and place.source_line.strip():
        margin = " " * len(str(place.line))
        source_line = place.source_line.rstrip().expandtabs(4)
        before = len(place.source_line[: max(place.column - 1, 0)].expandtabs(4))
        shown, before = _excerpt(source_line, before)
        lines += [f"  {margin} |", f"  {place.line} | {shown}"]
        if place.column:
            caret = "^" * max(1, min(place.width, len(shown) - before))
            lines.append(f"  {margin} | {' ' * before}{caret} {label}".rstrip())
    return lines


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Cut a very long line down to what surrounds a column, and return it with that column's place in it."""
    if len(line) <= _LONGEST_LINE:
        return line, column
    start = max(0, min(column - _BEFORE_CARET, len(line)))
    end = start + _LONGEST_LINE
    head, tail = ("…" if start else ""), ("…" if end < len(line) else "")
    return f"{head}{line[start:end]}{tail}", column - start + len(head)
