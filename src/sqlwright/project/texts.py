"""The SQL files that a configuration names, as text: files that no program could read as SQL are reported first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place, in_order, unusable
from sqlwright.project.configuration import Configuration
from sqlwright.sql.sources import expand_paths, not_utf8, relative_name

_MARK = "\ufeff".encode()
_NO_TEXT = "save the file as UTF-8 without it."


def refuse_unreadable(configuration: Configuration) -> None:
    """Read every file of schema and queries; sqlc reports such a file as having no queries, or stops at the first.

    Raises:
        CompileError: files that cannot be read, are not regular files, or are not UTF-8 text; one error for each.
    """
    project = configuration.project
    paths = {path for entry in configuration.entries for _, paths in entry.paths for path in paths}
    found = [problem for file in set(expand_paths(project, tuple(sorted(paths)))) for problem in _problems(file, project)]
    if found:
        raise CompileError(in_order(found))


def _problems(file: Path, project: Path) -> Iterator[Diagnostic]:
    name = relative_name(file, project)
    try:
        name.encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
        yield Diagnostic(Code.UNREADABLE_TEXT, f"the name of {shown} is not UTF-8", help="rename the file.")
        return
    if file.exists() and not file.is_file():
        what = "a folder" if file.is_dir() else "not a regular file"
        yield Diagnostic(
            Code.UNREADABLE_TEXT, f"{name} is {what}, but its name ends with .sql", Place(name), help="rename it, or move it elsewhere."
        )
        return
    try:
        content = file.read_bytes()
    except OSError as error:
        yield replace(unusable(error), message=f"cannot read {name}: {error.strerror}", place=Place(name))
        return
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        yield not_utf8(content, name, error.start)
        return
    if content.startswith(_MARK):
        yield Diagnostic(
            Code.UNREADABLE_TEXT,
            f"{name} begins with a byte order mark",
            Place(name, 1, 1, _line(text.removeprefix("\ufeff"), 0)),
            help=_NO_TEXT,
        )
    if (offset := text.find("\0")) >= 0:
        start = text.rfind("\n", 0, offset) + 1
        # The place is shown, since a terminal does not display such a byte.
        shown = _line(text, start).replace("\0", "␀")
        place = Place(name, text.count("\n", 0, offset) + 1, offset - start + 1, shown)
        yield Diagnostic(Code.UNREADABLE_TEXT, f"{name} contains a NUL byte, which SQL text cannot", place, help="remove it.")


def _line(text: str, start: int) -> str:
    return text[start:].split("\n", 1)[0].rstrip("\r")
