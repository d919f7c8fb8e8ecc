"""sqlc.yaml as the CLI sees it: which of its codegen entries are ours, and the same configuration without the rest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.sql.sources import expand_paths

PLUGIN_NAME = "sqlwright-plugin"
CONFIG = Path("sqlc.yaml")

_EXAMPLE = """\
version: "2"
plugins:
  - name: sqlwright
    process: {cmd: sqlwright-plugin, format: json}
sql:
  - engine: postgresql
    schema: migrations
    queries: queries
    codegen:
      - plugin: sqlwright
        out: generated/my_db"""

# The type of a document for PyYAML and the type checker.
_Node = dict[str, Any]
# The keys and indexes that lead to a node of it.
_Path = tuple[str | int, ...]
_MERGE = "tag:yaml.org,2002:merge"
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A codegen entry of ours, with the paths as the user wrote them, relative to the configuration's folder."""

    schema: tuple[str, ...]
    queries: tuple[str, ...]
    out: str

    @property
    def paths(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The paths by key."""
        return ("schema", self.schema), ("queries", self.queries)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A sqlc configuration with at least one entry of ours. `document` is its whole content."""

    path: Path
    entries: tuple[Entry, ...]
    document: _Node

    @property
    def project(self) -> Path:
        """The folder that all paths are relative to."""
        return self.path.parent

    @property
    def reads_a_database(self) -> bool:
        """Whether sqlc consults a live database for a block, so that its answer may change although no file does."""
        return any("database" in block for block in _mappings(self.document.get("sql")))

    def nodes(self) -> Iterator[tuple[Entry, _Node, _Node]]:
        """Yield each entry with its block and its own node in the document."""
        ours = _ours(self.document, _our_plugins(self.document))
        return ((entry, block, code) for entry, (block, code, _) in zip(self.entries, ours, strict=True))


def read_configuration(path: Path) -> Configuration:
    """Read a sqlc configuration.

    Raises:
        CompileError: it does not exist, is not YAML or not of sqlc's version 2, or none of its codegen entries calls sqlwright-plugin.
    """
    path = path.absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _error(
            Code.MISSING_CONFIGURATION, f"{path.name} was not found in {path.parent}", help=f"a minimal {path.name}:\n{_EXAMPLE}"
        ) from None
    except OSError as error:
        raise _error(Code.UNUSABLE_FILE, f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _error(Code.UNREADABLE_TEXT, f"{path.name} is not UTF-8", Place(path.name), help="save the file as UTF-8.") from None
    document = _load(path.name, text)
    if not isinstance(document, dict) or str(cast("_Node", document).get("version")) != "2":
        raise _error(
            Code.INVALID_CONFIGURATION,
            f"{path.name} is not a sqlc configuration of version 2",
            Place(path.name),
            help='it begins with: version: "2"',
        )
    configuration = cast("_Node", document)
    plugins = _our_plugins(configuration)
    entries = tuple(_entry(path.name, text, *each) for each in _ours(configuration, plugins))
    if not entries:
        minimal = f"a minimal {path.name}:\n{_EXAMPLE}"
        raise _error(Code.NO_ENTRY, f"no codegen entry of {path.name} calls {PLUGIN_NAME}", Place(path.name), minimal)
    return Configuration(path, entries, configuration)


def place_of_database(configuration: Configuration, file: Path) -> Place | None:
    """The place of the `database:` that sqlc consults for the queries in a file, without its line, which may contain a password."""
    name, text = configuration.path.name, configuration.path.read_text(encoding="utf-8")
    ours = _ours(configuration.document, _our_plugins(configuration.document))
    for entry, (block, _, way) in zip(configuration.entries, ours, strict=True):
        if "database" in block and file in {path.resolve() for path in expand_paths(configuration.project, entry.queries)}:
            return replace(_place(name, text, (*way[:2], "database")), source_line="")
    return None


def refuse_shared_outputs(configuration: Configuration) -> None:
    """Check that every entry of ours has a folder of its own; a package would replace files of the other.

    Raises:
        CompileError: entries have the same `out`, perhaps in another spelling; one error for each but the first.
    """
    project = configuration.project.resolve()
    first: dict[Path, int] = {}
    shared: list[tuple[int, int]] = []
    for number, entry in enumerate(configuration.entries):
        earlier = first.setdefault((project / entry.out).resolve(), number)
        if earlier != number:
            shared.append((earlier, number))
    if shared:
        name, text = configuration.path.name, configuration.path.read_text(encoding="utf-8")
        ways = [(*way, "out") for _, _, way in _ours(configuration.document, _our_plugins(configuration.document))]
        raise CompileError(
            Diagnostic(
                Code.DUPLICATE_OUTPUT,
                f"two codegen entries of {name} have the same `out`: {configuration.entries[number].out}",
                _place(name, text, ways[number]),
                help="use another folder for one of them, or list the query files of both under `queries` of one entry.",
                second=_place(name, text, ways[earlier]),
                second_label="the first entry is here",
            )
            for earlier, number in shared
        )


def _load(name: str, text: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Loader that refuses a duplicate key, as sqlc does; PyYAML's own keeps the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - YAML's
            seen: set[tuple[str, object]] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                    if (key.tag, key.value) in seen:
                        raise yaml.MarkedYAMLError(problem=f'duplicate key "{key.value}"', problem_mark=key.start_mark)
                    seen.add((key.tag, key.value))
            return super().construct_mapping(node, deep=deep)

    try:
        document = yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
        # It is passed to sqlc as JSON.
        json.dumps(document, default=str)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        lines = text.splitlines()
        where = mark and Place(name, mark.line + 1, mark.column + 1, lines[mark.line] if mark.line < len(lines) else "")
        raise _error(Code.INVALID_CONFIGURATION, f"{name} is not valid YAML: {error.problem}", where or Place(name)) from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise _error(Code.INVALID_CONFIGURATION, f"{name} is not valid YAML: {said}", Place(name)) from None
    except RecursionError:
        raise _error(Code.INVALID_CONFIGURATION, f"{name} is nested too deeply", Place(name)) from None
    except (TypeError, ValueError) as error:
        # An alias of a node that contains it, a key that is a date.
        raise _error(
            Code.INVALID_CONFIGURATION,
            f"{name} has a value sqlc cannot read: {error}",
            Place(name),
            help="use mappings, lists and plain values.",
        ) from None
    return cast("object", document)


def capturing(configuration: Configuration, folder: Path, plugin: Path, variable: str) -> str:
    """Return the configuration that sends our entries' requests to a capturing plugin.

    It is to be read from `folder`: sqlc joins that with every path, so paths lead from there to the project. Each entry's `out` is its
    index in `configuration.entries`; other code generators are left out.
    """
    plugins = _our_plugins(configuration.document)

    def rerouted(path: str) -> str:
        return os.path.relpath(configuration.project.resolve() / path, folder.resolve())

    number = 0
    blocks: list[_Node] = []
    for block in _mappings(configuration.document.get("sql")):
        codegen: list[_Node] = []
        for code in _mappings(block.get("codegen")):
            if code.get("plugin") in plugins:
                codegen.append({**code, "out": str(number)})
                number += 1
        if codegen:
            paths = {key: [rerouted(path) for path in _paths(block, key)] for key in ("schema", "queries")}
            blocks.append({**{key: value for key, value in block.items() if key != "gen"}, **paths, "codegen": codegen})
    process = {"cmd": str(plugin), "format": "json"}
    ours = [
        {**entry, "env": [*(entry.get("env") or ()), "PATH", variable], "process": {**entry["process"], **process}}
        for entry in _mappings(configuration.document.get("plugins"))
        if entry.get("name") in plugins
    ]
    # JSON is YAML without quoting problems, except for its surrogate pairs, which YAML refuses.
    text = json.dumps({**configuration.document, "plugins": ours, "sql": blocks}, indent=1, default=str, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda character: f"\\U{ord(character[0]):08x}", text)


def _our_plugins(document: _Node) -> set[object]:
    found: set[object] = set()
    for plugin in _mappings(document.get("plugins")):
        process = plugin.get("process")
        command = cast("_Node", process).get("cmd") if isinstance(process, dict) else None
        if isinstance(command, str) and Path(command).name == PLUGIN_NAME:
            found.add(plugin.get("name"))
    return found


def _ours(document: _Node, plugins: set[object]) -> Iterator[tuple[_Node, _Node, _Path]]:
    """The blocks that have an entry of ours, with that entry and its path in the document."""
    for number, block in _numbered(document.get("sql")):
        for index, code in _numbered(block.get("codegen")):
            if code.get("plugin") in plugins:
                yield block, code, ("sql", number, "codegen", index)


def _mappings(value: object) -> list[_Node]:
    return [item for _, item in _numbered(value)]


def _numbered(value: object) -> list[tuple[int, _Node]]:
    # A wrong shape is left to sqlc to report, which knows its configuration best.
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [(number, cast("_Node", item)) for number, item in enumerate(items) if isinstance(item, dict)]


def _paths(block: _Node, key: str) -> tuple[str, ...]:
    value = block.get(key)
    if isinstance(value, str):
        return (value,)
    return tuple(str(path) for path in cast("list[object]", value)) if isinstance(value, list) else ()


def _entry(name: str, text: str, block: _Node, code: _Node, way: _Path) -> Entry:
    if (engine := block.get("engine")) != "postgresql":
        raise _error(
            Code.UNSUPPORTED_ENGINE,
            f'engine "{engine}" of {name} is not supported: sqlwright proves queries with PostgreSQL'
            if engine
            else f"a `sql:` block of {name} has no `engine`",
            _place(name, text, (*way[:2], "engine")),
            help="set `engine: postgresql` in this `sql:` block, or use another plugin for the block.",
        )
    out = code.get("out")
    if not isinstance(out, str) or not out:
        problem = f"`out` of a codegen entry of {name} is not a path" if out else f"a codegen entry of {name} has no `out`"
        raise _error(Code.INVALID_CONFIGURATION, problem, _place(name, text, (*way, "out")), help="out: generated/my_db")
    for key in ("schema", "queries"):
        value = cast("object", block.get(key))
        paths = cast("list[object]", value) if isinstance(value, list) else [value]
        is_absent = key == "schema" and value is None
        if not (is_absent or all(isinstance(path, str) and path for path in paths)):
            problem = f"a `sql:` block of {name} has no `{key}`" if value is None else f"`{key}` of a `sql:` block of {name} is no path"
            raise _error(
                Code.INVALID_CONFIGURATION,
                problem,
                _place(name, text, (*way[:2], key)),
                help=f"{key}: {key}, or a list of files and folders.",
            )
    return Entry(_paths(block, "schema"), _paths(block, "queries"), out)


def _place(name: str, text: str, way: _Path) -> Place:
    """The place of the node at the path, or of the last step of the path that exists."""
    import yaml  # only who errs pays for it

    node = yaml.compose(text, yaml.SafeLoader)
    for step in way:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode) and (found := next((v for k, v in node.value if k.value == step), None)):
            node = found
    if node is None or node.start_mark is None:
        return Place(name)
    return Place(name, node.start_mark.line + 1, node.start_mark.column + 1, text.splitlines()[node.start_mark.line])


def _error(code: Code, message: str, place: Place | None = None, help: str = "") -> CompileError:  # noqa: A002 the field's name
    return CompileError([Diagnostic(code, message, place, help=help)])
