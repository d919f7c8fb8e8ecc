"""The user's query files: where each query is, its comment, and the mapping from sqlc's text back to the file.

sqlc passes its own text of a query, without line numbers. The file is read again here, so that the query is what the user wrote and
errors point at it.
"""

from __future__ import annotations

import difflib
import glob
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.sql.lexer import Kind, Token, significant, tokenize

# The possible names of sqlc's configuration, in the order sqlc tries them.
CONFIG_NAMES = ("sqlc.yaml", "sqlc.yml", "sqlc.json")

# sqlc accepts the name line as `-- name: X :cmd`, and also after `#` or inside `/* */`; PostgreSQL files use the dashes.
_NAME_LINE = re.compile(r"^\s*(?:--|#|/\*)\s*name:\s*(?P<name>\S+)")
_SQLC_ONLY = re.compile(r"--\s*@sqlc-only\b.*")
_TRIVIA = frozenset({Kind.SPACE, Kind.LINE_COMMENT, Kind.BLOCK_COMMENT})
# Block comments, escapes, dollar quotes, and carriage returns, which may end a comment within a line.
_OUT_OF_THE_ORDINARY = re.compile(r"/\*|\\|\$(?![0-9])|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A query in its file.

    `line` is the line of its `-- name:`; `text` is what follows that line and `text_line` the number of its first line; `doc` is the
    comment directly above and below the name line and `doc_line` where it starts. `sqlc_only`: the file is marked as not meant for us.
    `before` is what precedes the first query of a file.
    """

    file: str
    name: str
    line: int
    name_line: str
    text: str
    text_line: int
    doc: tuple[str, ...]
    doc_line: int = 0
    sqlc_only: bool = False
    before: str = ""

    def holds(self, place: Place) -> bool:
        """Whether a place is in the name line or in the text below it."""
        return place.file == self.file and self.line <= place.line <= self.text_line + self.text.count("\n")

    def doc_place(self, line: str) -> Place:
        """The place of a line of `doc`."""
        return self.doc_place_at(self.doc.index(line))

    def doc_place_at(self, index: int) -> Place:
        """The place of the line of `doc` with this index."""
        line = self.doc[index]
        return Place(self.file, self.doc_lines[index], 1, f"-- {line}", len(line) + 3)

    @property
    def doc_lines(self) -> list[int]:
        """The numbers of the lines of `doc`."""
        last = self.doc_line + len(self.doc)
        return [number for number in range(self.doc_line, last + 1) if number != self.line]

    def header_place(self) -> Place:
        """The place of the query's name."""
        column = self.name_line.find(self.name) + 1
        return Place(self.file, self.line, max(column, 1), self.name_line, len(self.name))

    def place_at(self, offset: int, width: int = 1) -> Place:
        """The place of a character of `text`, `offset` counted from 0."""
        offset = max(0, min(offset, len(self.text)))
        starts = _line_starts(self.text)
        index = bisect_right(starts, offset) - 1
        source_line = self.text[starts[index] :].split("\n", 1)[0].rstrip("\r")
        return Place(self.file, self.text_line + index, offset - starts[index] + 1, source_line, width)

    def place_of(self, sql: str, offset: int) -> Place:
        """The place in the file for a character of sqlc's text of this query.

        The token is found by aligning both texts token by token. A token that sqlc produced (an expanded star, a numbered parameter) points
        at what it was produced from.
        """
        aligned = _align(self.text, sql)
        index = next((i for i, (token, _) in enumerate(aligned) if token.end > offset), None)
        if index is None:
            return self.header_place()
        made, token = aligned[index]
        if token is None:
            return self.header_place()
        inside = offset - made.start if token.text == made.text and offset > made.start else 0
        return self.place_at(token.start + inside, max(1, len(token.text.split("\n", 1)[0]) - inside))


@dataclass(frozen=True, slots=True)
class PlaceInQuery:
    """A character of sqlc's text of a query, or with no offset the query as a whole.

    It is resolved lazily: finding it in the file takes time, and few places are ever shown.
    """

    source: QuerySource
    sql: str
    offset: int | None

    def in_file(self) -> Place:
        """The place in the user's file."""
        return self.source.place_of(self.sql, self.offset) if self.offset is not None else self.source.header_place()


def read_queries(project: Path, paths: tuple[str, ...]) -> dict[str, QuerySource]:
    """Return the queries of `list_queries` by name; sqlc has ensured that names are unique."""
    queries: dict[str, QuerySource] = {}
    for query in list_queries(project, paths):
        queries.setdefault(query.name, query)
    return queries


def list_queries(project: Path, paths: tuple[str, ...]) -> list[QuerySource]:
    """Read the queries in the files that sqlc's `queries:` setting names, in order.

    A path is a file, a folder (its *.sql files, not recursively, as in sqlc), or a glob, relative to `project`.

    Raises:
        FileNotFoundError: one of the paths matches nothing.
    """
    found: list[QuerySource] = []
    for file in expand_paths(project, paths):
        relative = relative_name(file, project)
        found += split_queries(relative, read_text(file, relative))
    return found


def relative_name(file: Path, project: Path) -> str:
    """Return a file's name for messages: its path relative to the project if it is inside, else the path unchanged."""
    return file.relative_to(project).as_posix() if file.is_relative_to(project) else file.as_posix()


def read_text(file: Path, name: str) -> str:
    """Read an SQL file; `name` is its name in messages.

    Raises:
        CompileError: it is not UTF-8.
        OSError: it cannot be read.
    """
    content = file.read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CompileError([not_utf8(content, name, error.start)]) from error


def not_utf8(content: bytes, name: str, offset: int) -> Diagnostic:
    """Return the diagnostic for a file that is not UTF-8; `offset` is that of the first invalid byte."""
    start = content.rfind(b"\n", 0, offset) + 1
    line = content[start:].split(b"\n", 1)[0].decode("utf-8", errors="replace").rstrip("\r")
    place = Place(name, content.count(b"\n", 0, offset) + 1, len(content[start:offset].decode("utf-8")) + 1, line)
    return Diagnostic(Code.UNREADABLE_TEXT, f"{name} is not UTF-8: byte 0x{content[offset]:02x}", place, help="save the file as UTF-8.")


def is_for_sqlc_only(text: str) -> bool:
    """Whether a file has `-- @sqlc-only` before its first statement: only sqlc needs it."""
    if "@sqlc-only" not in text:
        return False
    head = takewhile(lambda token: token.kind in _TRIVIA, tokenize(text))
    return any(token.kind is Kind.LINE_COMMENT and _SQLC_ONLY.fullmatch(token.text) for token in head)


def expand_paths(project: Path, paths: tuple[str, ...]) -> list[Path]:
    """Return the .sql files under sqlc paths in sqlc's order: in the order of the paths, then by name.

    Raises:
        FileNotFoundError: one of the paths matches nothing.
    """
    found: list[Path] = []
    for given in paths:
        matches = [Path(match) for match in sorted(glob.glob(str(project / given)))]  # noqa: PTH207 - Path.glob takes no "." and no "../x"
        if not matches:
            raise FileNotFoundError(given)
        for match in matches:
            found += sorted(p for p in match.iterdir() if p.suffix == ".sql" and not p.name.startswith(".")) if match.is_dir() else [match]
    # golang-migrate's down-migrations.
    return [path for path in found if not path.name.endswith(".down.sql")]


def split_queries(path: str, text: str) -> list[QuerySource]:
    """Split the text of a query file at its name lines."""
    lines = text.split("\n")
    inside = _lines_inside_tokens(text)
    sqlc_only = is_for_sqlc_only(text)
    heads = [
        (number, match["name"]) for number, line in enumerate(lines, start=1) if number not in inside and (match := _NAME_LINE.match(line))
    ]
    ends = [*(number - 1 for number, _ in heads[1:]), *([len(lines)] if heads else [])]
    return [
        QuerySource(
            file=path,
            name=name,
            line=number,
            name_line=lines[number - 1].rstrip("\r"),
            text="\n".join(lines[number:end]),
            text_line=number + 1,
            doc=(*(above := _comment_above(lines, number)), *_comment_below(lines, number)),
            doc_line=number - len(above),
            sqlc_only=sqlc_only,
            before="\n".join(lines[: number - 1]) if number == heads[0][0] else "",
        )
        for (number, name), end in zip(heads, ends, strict=True)
    ]


def _lines_inside_tokens(text: str) -> set[int]:
    """The lines that begin inside a string or a block comment, and so cannot be name lines."""
    inside: set[int] = set()
    if _is_plainly_quoted(text):
        return inside
    line = 1
    for token in tokenize(text):
        if "\n" not in token.text:
            continue
        breaks = token.text.count("\n")
        if token.kind is not Kind.SPACE:
            inside.update(range(line + 1, line + breaks + 1))
        line += breaks
    return inside


def _is_plainly_quoted(text: str) -> bool:
    """Whether every quote is closed on its own line, by a check cheaper than the lexer; False for anything unusual."""
    if _OUT_OF_THE_ORDINARY.search(text):
        return False
    for line in text.split("\n") if "'" in text or '"' in text else ():
        singles, doubles = line.count("'"), line.count('"')
        is_simple = singles % 2 == 0 and doubles % 2 == 0 and not (singles and doubles) and "--" not in line
        if (singles or doubles) and not is_simple and not line.lstrip().startswith("--"):
            return False
    return True


def _comment_above(lines: list[str], number: int) -> list[str]:
    """The comment lines directly above the name line, without their dashes."""
    return _comment_run(lines[: number - 1][::-1])[::-1]


def _comment_below(lines: list[str], number: int) -> list[str]:
    return _comment_run(lines[number:])


def _comment_run(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if not line.lstrip().startswith("--") or _NAME_LINE.match(line):
            break
        found.append(line.strip().removeprefix("--").removeprefix(" "))
    return found


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _key(token: Token) -> str:
    return token.text.lower() if token.kind is Kind.WORD else token.text


@lru_cache(maxsize=64)
def _align(text: str, sql: str) -> list[tuple[Token, Token | None]]:
    """Pair each token of sqlc's text with the corresponding token of the file's text, None if there is none.

    The columns of a query are looked up one after the other, so the last alignments are cached.
    """
    ours, theirs = significant(text), significant(sql)
    pairs: list[tuple[Token, Token | None]] = []
    matcher = difflib.SequenceMatcher(None, [_key(token) for token in ours], [_key(token) for token in theirs], autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        for index in range(b0, b1):
            if tag == "equal":
                pairs.append((theirs[index], ours[a0 + index - b0]))
            else:
                nearest = a0 if a0 < a1 else a0 - 1
                pairs.append((theirs[index], ours[nearest] if nearest >= 0 else None))
    return pairs
