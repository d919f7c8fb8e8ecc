"""Where an option is in sqlc.yaml, for errors about it. PyYAML is imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlwright.diagnostics import Place

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True, slots=True)
class ConfiguredEntry:
    """The codegen entry whose options are read: the name and text of sqlc.yaml, and the entry's `out`."""

    config_name: str
    config_text: str
    out: str

    def place_of_option(self, *path: str | int) -> Place | None:
        """The place of an option's key or of a value inside it: the innermost part of the path that exists."""
        import yaml

        root = yaml.compose(self.config_text, yaml.SafeLoader)
        entry = next(_entries(root, self.out), None)
        own = _value(entry, "options")
        shared = _value(root, "options")
        # The entry's options take precedence over the plugin's, as in sqlc. Without the entry, sqlc was run with another file.
        nodes = [own, *(value for _, value in _pairs(shared))] if entry else list(_option_nodes(root))
        return next((place for node in nodes if node and (place := self._innermost(node, path))), self._whole())

    def place_of_key(self, key: str) -> Place | None:
        """The place of one of the entry's own keys."""
        import yaml

        entry = next(_entries(yaml.compose(self.config_text, yaml.SafeLoader), self.out), None)
        return (entry and self._innermost(entry, (key,))) or self._whole()

    def _innermost(self, node: yaml.Node, path: Sequence[str | int]) -> Place | None:
        shown = None
        for part in path:
            step = _inside(node, part)
            if step is None:
                break
            shown, node = step
        if shown is None:
            return None
        line = self.config_text.splitlines()[shown.start_mark.line]
        width = shown.end_mark.column - shown.start_mark.column if shown.start_mark.line == shown.end_mark.line else 1
        return Place(self.config_name, shown.start_mark.line + 1, shown.start_mark.column + 1, line, max(width, 1))

    def _whole(self) -> Place | None:
        return Place(self.config_name) if self.config_name else None


def _entries(root: yaml.Node | None, out: str) -> Iterator[yaml.Node]:
    """The codegen entries with this `out`."""
    for block in _items(_value(root, "sql")):
        for entry in _items(_value(block, "codegen")):
            if (found := _value(entry, "out")) and found.value == out:
                yield entry


def _option_nodes(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """The node under each `options:` key."""
    for name, value in _pairs(node):
        if name.value == "options":
            yield value
        yield from _option_nodes(value)
    for value in _items(node):
        yield from _option_nodes(value)


def _inside(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Pairs of a key and its value, or of an item and itself."""
    if isinstance(part, int):
        items = _items(node)
        return (items[part], items[part]) if part < len(items) else None
    pairs = _pairs(node)
    merged = (pair for name, value in pairs if name.value == "<<" for pair in _pairs(value))
    return next(((n, v) for n, v in (*pairs, *merged) if n.value == part), None)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    found = _inside(node, key) if node else None
    return found and found[1]


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    import yaml

    return node.value if isinstance(node, yaml.MappingNode) else []


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    import yaml

    return node.value if isinstance(node, yaml.SequenceNode) else []
