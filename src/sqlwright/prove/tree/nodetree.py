"""PostgreSQL's `pg_node_tree` text as Python values.

The text is what the server's `nodeToString` writes: `{TAG :field value …}` for a node, `(a b c)` for a list, `<>` for nothing, `"x"` for
a string in a list, and a backslash before a character that would otherwise end a token. It is not documented and changes between major
versions, so every accessor raises `Unrecognised` when the shape is not the expected one, and a proof that meets it falls back to the safe
answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import TypeAlias, TypeVar

Tree: TypeAlias = "Node | list[Tree] | str | None"

_TOKEN = re.compile(r"[{}()]|(?:[^ \n\t{}()\\]+|\\.)+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SET_KINDS = frozenset({"b", "i", "o", "x"})
_E = TypeVar("_E", bound=IntEnum)


class Unrecognised(Exception):
    """The tree has an unknown shape: a node, a field or a value that is not expected."""


UNREADABLE = (Unrecognised, LookupError, ValueError, RecursionError)
"""The exceptions that an unknown shape of a tree may raise. Callers that catch them return the safe answer."""


class Node:
    """A node: its tag (`VAR`, `OPEXPR`, …) and its fields. Identity matters, so that results can be cached for a node."""

    __slots__ = ("_held", "fields", "inside", "tag")

    def __init__(self, tag: str, fields: dict[str, Tree]) -> None:
        self.tag = tag
        self.fields = fields
        # What `walk` has found in a query, which is walked many times.
        self.inside: list[Node] | None = None
        self._held: list[Node] | None = None

    def __repr__(self) -> str:
        return f"Node({self.tag}, {self.fields})"

    @property
    def held(self) -> list[Node]:
        """The nodes that the node holds itself, also in lists. Most of what it holds is words, ten for each node."""
        if self._held is None:
            self._held = nodes_in(self.fields.values())
        return self._held

    def raw(self, name: str) -> Tree:
        """Return a field as it is. Raises `Unrecognised` if the node has none of that name."""
        try:
            return self.fields[name]
        except KeyError:
            raise Unrecognised(f"{self.tag} has no field {name}") from None

    def has(self, name: str) -> bool:
        """Return whether the node has the field and it holds something."""
        return self.fields.get(name) is not None

    def number(self, name: str) -> int:
        """Return a field that is an integer."""
        value = self.raw(name)
        if isinstance(value, str):
            try:
                return int(value)
            except ValueError:
                pass
        raise Unrecognised(f"{self.tag}.{name} is not a number")

    def enum(self, name: str, kind: type[_E]) -> _E:
        """Return a field that is of one of PostgreSQL's enums."""
        number = self.number(name)
        try:
            return kind(number)
        except ValueError:
            raise Unrecognised(f"{self.tag}.{name} is {number}, which is no {kind.__name__}") from None

    def flag(self, name: str) -> bool:
        """Return a field that is a boolean."""
        value = self.raw(name)
        if value == "true":
            return True
        if value == "false":
            return False
        raise Unrecognised(f"{self.tag}.{name} is not a boolean")

    def text(self, name: str) -> str:
        """Return a field that is a name; "" when there is none."""
        value = self.raw(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return unescape(value)
        raise Unrecognised(f"{self.tag}.{name} is not a name")

    def node(self, name: str) -> Node:
        """Return a field that is a node."""
        value = self.raw(name)
        if isinstance(value, Node):
            return value
        raise Unrecognised(f"{self.tag}.{name} is not a node")

    def optional(self, name: str) -> Node | None:
        """Return a field that is a node or nothing."""
        value = self.raw(name)
        if value is None or isinstance(value, Node):
            return value
        raise Unrecognised(f"{self.tag}.{name} is not a node")

    def items(self, name: str) -> list[Tree]:
        """Return a field that is a list; nothing is the empty list."""
        value = self.raw(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise Unrecognised(f"{self.tag}.{name} is not a list")

    def nodes(self, name: str) -> list[Node]:
        """Return a field that is a list of nodes."""
        return as_nodes(self.items(name))

    def numbers(self, name: str) -> list[int]:
        """Return a field that is a bitmapset or a list of integers or OIDs: `(b 1 2)`, `(i 1 2)`, `(o 1 2)`."""
        items = self.items(name)
        if not items:
            return []
        kind, *rest = items
        if isinstance(kind, str) and kind in _SET_KINDS and all(isinstance(item, str) for item in rest):
            try:
                return [int(str(item)) for item in rest]
            except ValueError:
                pass
        raise Unrecognised(f"{self.tag}.{name} is not a set of numbers")

    def names(self, name: str) -> list[str]:
        """Return a field that is a list of strings."""
        found: list[str] = []
        for item in self.items(name):
            if not isinstance(item, str):
                raise Unrecognised(f"{self.tag}.{name} is not a list of names")
            found.append(unescape(item[1:-1] if len(item) > 1 and item[0] == item[-1] == '"' else item))
        return found


def as_nodes(items: list[Tree]) -> list[Node]:
    """Return a list of nodes as such. Raises `Unrecognised` if it holds anything else."""
    found: list[Node] = []
    for item in items:
        if not isinstance(item, Node):
            raise Unrecognised("a list holds something that is not a node")
        found.append(item)
    return found


def unescape(token: str) -> str:
    """Return a token without its backslashes. A dumped tree may break a line at an escaped space, so any white space becomes a space."""
    return re.sub(r"\s", " ", _ESCAPE.sub(r"\1", token)) if "\\" in token else token


def _tokens(text: str) -> list[str]:
    if "\\" in text:
        return _TOKEN.findall(text)
    # Nearly every tree: three times as fast.
    for each in "{}()":
        text = text.replace(each, f" {each} ")
    return list(filter(None, text.replace("\n", " ").replace("\t", " ").split(" ")))


def parse(text: str) -> Tree:
    """Read a whole tree. Raises `Unrecognised` when the text is no such tree."""
    remaining = iter(_tokens(text))
    advance = remaining.__next__

    def node(_: str) -> Node:
        tag = advance()
        fields: dict[str, Tree] = {}
        label = advance()
        while label != "}":
            if label[0] != ":":
                raise Unrecognised(f"unexpected {label} in a {tag} node")
            # The first word is the value whatever it looks like: a name may start with a colon too.
            word = advance()
            value = read[word](word) if word in read else word
            following = advance()
            if following == "[":
                # A constant's bytes: `4 [ 1 0 0 0 ]`.
                value = [value, *iter(advance, "]")]
                following = advance()
            fields[label[1:]] = value
            label = following
        return Node(tag, fields)

    def items(_: str) -> list[Tree]:
        found: list[Tree] = []
        while (word := advance()) != ")":
            found.append(read[word](word) if word in read else word)
        return found

    def unexpected(word: str) -> Tree:
        raise Unrecognised(f"unexpected {word} in a tree")

    read: dict[str, Callable[[str], Tree]] = {"{": node, "(": items, "<>": lambda _: None, "}": unexpected, ")": unexpected}
    try:
        word = advance()
        tree = read[word](word) if word in read else word
    except (StopIteration, RecursionError) as problem:
        raise Unrecognised("the tree is not complete") from problem
    if next(remaining, None) is not None:
        raise Unrecognised("the tree has something behind its end")
    return tree


def nodes_in(items: Iterable[Tree]) -> list[Node]:
    """Return the nodes among items, and in lists among them, without those that nodes hold."""
    found: list[Node] = []
    for item in items:
        if isinstance(item, Node):
            found.append(item)
        elif isinstance(item, list):
            found += nodes_in(item)
    return found


def walk(tree: Tree) -> Iterator[Node]:
    """Return every node of a tree, a node before what it holds."""
    if not isinstance(tree, Node) or tree.tag != "QUERY":
        return _walk(tree)
    if tree.inside is None:
        tree.inside = list(_walk(tree))
    return iter(tree.inside)


def _walk(tree: Tree) -> Iterator[Node]:
    stack = nodes_in([tree])
    stack.reverse()
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.held)
