"""Codegen entries over the same schema, combined so that sqlc reads the schema once.

sqlc parses the schema for every entry, which takes most of its time where many packages share one. A combined block has the query files of
all its entries, and its request is split into those that sqlc would make for each of them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlwright.diagnostics import Diagnostic
from sqlwright.project import sqlc
from sqlwright.project.configuration import Configuration, Entry
from sqlwright.sql.sources import expand_paths

if TYPE_CHECKING:
    from sqlwright.resolve.protocol import GenerateRequest, WireQuery

# sqlc is started again after an error in a combined block. That costs a second; an entry costs a tenth of one, even over a small schema.
_FEWEST = 8
_NAME_LINE = re.compile(rb"^\s*(?:--|#|/\*)\s*name:\s*(\S+)", re.MULTILINE)


class Answers(Protocol):
    """sqlc's requests for our entries, as they arrive, and finally its errors."""

    def requests(self) -> Iterator[tuple[Entry, GenerateRequest]]:
        """Yield each request as soon as it is known."""
        ...

    def complaints(self) -> tuple[Diagnostic, ...]:
        """Return sqlc's errors, once all requests have been taken."""
        ...


@contextmanager
def reading(configuration: Configuration, environ: Mapping[str, str]) -> Generator[Answers]:
    """Run sqlc over a configuration for the length of the block, over many entries that share a schema as one.

    Raises:
        CompileError: sqlc or the plugin is missing.
    """
    combinations = [found for found in _combinations(configuration) if len(found.members) >= _FEWEST]
    with ExitStack() as stack:
        if combinations:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sqlwright-")))
            combined, parts = _combine(configuration, combinations, folder.resolve())
            run = stack.enter_context(sqlc.reading(combined, environ))
            yield _Split(configuration, run, parts, environ, stack)
        else:
            yield stack.enter_context(sqlc.reading(configuration, environ))


@dataclass(frozen=True, slots=True)
class _Member:
    """An entry, with its block and its own node in the document, and its query files in sqlc's order."""

    entry: Entry
    block: dict[str, Any]
    code: dict[str, Any]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Combination:
    """Entries that one block can stand for: none of their query names is used in two files.

    `files` has the number of each file in that block.
    """

    members: list[_Member] = field(default_factory=list[_Member])
    files: dict[Path, int] = field(default_factory=dict[Path, int])
    names: set[bytes] = field(default_factory=set[bytes])

    def add(self, member: _Member, names: Mapping[Path, frozenset[bytes]]) -> bool:
        """Add an entry if its names allow it."""
        new = [file for file in member.files if file not in self.files]
        if any(not self.names.isdisjoint(names[file]) for file in new):
            return False
        self.members.append(member)
        for file in new:
            self.files[file] = len(self.files)
            self.names.update(names[file])
        return True

    def split(self, request: GenerateRequest) -> Iterator[tuple[Entry, GenerateRequest]]:
        """Yield the request that sqlc would make for each entry; an entry without queries has none."""
        by_file: dict[int, list[WireQuery]] = {}
        for query in request.queries:
            by_file.setdefault(int(Path(query.filename).stem), []).append(query)
        for member, sent in zip(self.members, _elements(request.plugin_options.decode()), strict=True):
            entry, options = member.entry, sent if "options" in member.code else b""
            queries = tuple(
                query.model_copy(update={"filename": file.name}) for file in member.files for query in by_file.get(self.files[file], ())
            )
            if queries:
                codegen = request.settings.codegen.model_copy(update={"out": entry.out, "options": options})
                settings = request.settings.model_copy(update={"queries": entry.queries, "codegen": codegen})
                yield entry, request.model_copy(update={"settings": settings, "queries": queries, "plugin_options": options})


class _Split:
    """The answers of a run over combined entries; if it fails in any way, those of another over the original configuration.

    Only the latter shows which entries an error concerns, and all errors at once.
    """

    def __init__(
        self, configuration: Configuration, run: sqlc.Run, parts: Mapping[Entry, _Combination], environ: Mapping[str, str], stack: ExitStack
    ) -> None:
        self._configuration = configuration
        self._run = run
        self._parts = parts
        self._environ = environ
        self._stack = stack

    def requests(self) -> Iterator[tuple[Entry, GenerateRequest]]:
        """Yield each request as soon as it is known."""
        answered: set[Entry] = set()
        for entry, request in self._run.requests():
            combination = self._parts.get(entry)
            for own, part in combination.split(request) if combination else [(entry, request)]:
                answered.add(own)
                yield own, part
        if self._run.failed or not answered.issuperset(self._configuration.entries):
            self._run = self._stack.enter_context(sqlc.reading(self._configuration, self._environ))
            yield from ((entry, request) for entry, request in self._run.requests() if entry not in answered)

    def complaints(self) -> tuple[Diagnostic, ...]:
        """Return sqlc's errors about the original configuration."""
        return self._run.complaints()


def _combinations(configuration: Configuration) -> list[_Combination]:
    """Group the entries for which sqlc reads the same schema in the same way."""
    found: dict[str, list[_Combination]] = {}
    names: dict[Path, frozenset[bytes]] = {}
    for entry, block, code in configuration.nodes():
        try:
            files = _query_files(configuration.project, entry)
            names |= {file: frozenset(_NAME_LINE.findall(file.read_bytes())) for file in files or () if file not in names}
        except OSError:
            files = None
        if files is None:
            continue
        member = _Member(entry, block, code, files)
        group = found.setdefault(_manner(member), [])
        if not any(combination.add(member, names) for combination in group):
            group.append(_Combination())
            group[-1].add(member, names)
    return [combination for group in found.values() for combination in group]


def _query_files(project: Path, entry: Entry) -> tuple[Path, ...] | None:
    """The entry's query files in sqlc's order; None if that is not certain, or a file is listed twice, which sqlc must report."""
    if any(has_magic(str(Path(path).parent)) for path in entry.queries):
        return None
    files = tuple(file for file in expand_paths(project, entry.queries) if file.suffix == ".sql" and not file.name.startswith("."))
    return files if len(set(files)) == len(files) else None


def _manner(member: _Member) -> str:
    """Everything that influences how sqlc reads an entry's queries; the plugin counts, since its environment and options are part of it."""
    block = {**member.block, "schema": member.entry.schema}
    kept = [
        sorted((str(key), value) for key, value in node.items() if key not in left_out)
        for node, left_out in ((block, {"name", "queries", "gen", "codegen"}), (member.code, {"out", "options"}))
    ]
    return json.dumps(kept, default=str)


def _combine(
    configuration: Configuration, combinations: list[_Combination], folder: Path
) -> tuple[Configuration, dict[Entry, _Combination]]:
    """Return the configuration with a block for each combination, whose query files are links in the folder, and their entries."""
    blocks: list[dict[str, Any]] = []
    parts: dict[Entry, _Combination] = {}
    for number, combination in enumerate(combinations):
        queries = folder / str(number)
        queries.mkdir()
        for file, own_number in combination.files.items():
            (queries / f"{own_number}.sql").symlink_to(file)
        first = combination.members[0]
        options = [member.code.get("options") for member in combination.members]
        blocks.append({**first.block, "queries": str(queries), "codegen": [{**first.code, "options": options}]})
        parts[replace(first.entry, queries=(str(queries),))] = combination
    inside = {member.entry for combination in combinations for member in combination.members}
    outside = [(entry, block, code) for entry, block, code in configuration.nodes() if entry not in inside]
    blocks += ({**block, "codegen": [code]} for _, block, code in outside)
    entries = (*parts, *(entry for entry, _, _ in outside))
    return Configuration(configuration.path, entries, {**configuration.document, "sql": blocks}), parts


def _elements(array: str) -> list[bytes]:
    """The elements of a JSON array that is not empty and has no whitespace, each as it is written there."""
    decoder = json.JSONDecoder()
    found: list[bytes] = []
    end = 0
    while array[end] != "]":
        start = end + 1
        _, end = decoder.raw_decode(array, start)
        found.append(array[start:end].encode())
    return found
