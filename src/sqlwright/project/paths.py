"""The paths in a sqlc configuration: each must exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.project.configuration import Configuration
from sqlwright.sql.sources import expand_paths

if TYPE_CHECKING:
    from yaml import Node, ScalarNode


def refuse_missing(configuration: Configuration) -> None:
    """Check that the folders and files that our entries name exist; sqlc would stop at the first missing one without naming its key.

    Raises:
        CompileError: some of the paths do not exist; one error for each.
    """
    used = {(key, path) for entry in configuration.entries for key, paths in entry.paths for path in paths}
    missing = {(key, path) for key, path in used if not _is_there(configuration, path)}
    if missing:
        raise CompileError(_missing(configuration, key, path) for key, path in sorted(missing))


def _is_there(configuration: Configuration, path: str) -> bool:
    try:
        expand_paths(configuration.project, (path,))
    except FileNotFoundError:
        return False
    return True


def _missing(configuration: Configuration, key: str, path: str) -> Diagnostic:
    return Diagnostic(
        Code.MISSING_PATH,
        f"{path} does not exist",
        place_of_path(configuration, key, path),
        help=f"paths are relative to the folder of {configuration.path.name}; create the folder, or correct `{key}:`.",
    )


def place_of_path(configuration: Configuration, key: str, path: str) -> Place:
    """The place of a path in the configuration, among those under a key."""
    import yaml

    name, text = configuration.path.name, configuration.path.read_text(encoding="utf-8")
    root = yaml.compose(text)
    found = next((node for node in _scalars(root, key) if node.value == path), None) if root else None
    if found is None or found.start_mark is None:
        return Place(name)
    mark = found.start_mark
    quote = 1 if found.style in {"'", '"'} else 0
    return Place(name, mark.line + 1, mark.column + 1 + quote, text.splitlines()[mark.line], len(path))


def _scalars(node: Node, key: str, *, inside: bool = False) -> Iterator[ScalarNode]:
    """The scalars under a key, at any depth."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(value, key, inside=name.value == key)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _scalars(value, key, inside=inside)
    elif isinstance(node, yaml.ScalarNode) and inside:
        yield node
