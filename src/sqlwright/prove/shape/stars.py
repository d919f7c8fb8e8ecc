"""Stars, expanded as PostgreSQL expands them: in the query tree, each column of a star has the star's place in the text.

The generated text names the columns, so that a column added to a table later changes no result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.tree.enums import CmdType, RTEKind
from sqlwright.prove.tree.expressions import column_below_grouping, location
from sqlwright.prove.tree.nodetree import Node, Tree, Unrecognised, walk
from sqlwright.prove.tree.querytree import Query, RangeEntry, TargetEntry
from sqlwright.sql.lexer import Kind, Token, significant

_NAMES = frozenset({Kind.WORD, Kind.QUOTED_NAME})

Quote: TypeAlias = Callable[[Sequence[str]], Mapping[str, str]]
"""Returns names as PostgreSQL quotes them."""

Describe: TypeAlias = Callable[[str], Sequence[str]]
"""Returns the names of a text's result columns; none if PostgreSQL refuses it."""

_MARK = "sqlwright star"


@dataclass(frozen=True, slots=True)
class Star:
    """A `*` of the text, from the beginning of its prefix (`t.`, or "") to its end. `nested`: inside parentheses."""

    prefix: str
    start: int
    end: int
    nested: bool


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text whose stars are columns. `outputs` maps a star to its result columns: the first one, and how many."""

    sql: str
    outputs: Mapping[int, tuple[int, int]]


def stars_in(sql: str) -> list[Star]:
    """Return every `*` of a text in order, those that count or multiply too."""
    if "*" not in sql:
        return []
    tokens = significant(sql)
    return [_star(sql, tokens, index) for index, token in enumerate(tokens) if token.text == "*"]


def expand_stars(facts: SchemaFacts, tree: Tree, sql: str, stars: Sequence[Star], quote: Quote, describe: Describe) -> Expanded:
    """Return the text with the columns of `tree`, its query tree, in the place of each star. A star stays if a column has no name there.

    Raises:
        Unrecognised: the tree is not shaped as this program knows it.
    """
    if not isinstance(tree, Node):
        raise Unrecognised("no query tree")
    places = {len(sql[: star.start].encode()): number for number, star in enumerate(stars)}
    found = _targets(tree, places) | _grouped_targets(tree, sql, stars, describe)
    outputs: dict[int, tuple[int, int]] = {}
    parts: list[str] = []
    position = 0
    names = {entry.name for _, entries in found.values() for entry in entries}
    quoted = quote(sorted(names | _aliases(facts, found.values())))
    for number, star in enumerate(stars):
        if number not in found:
            continue
        query, entries = found[number]
        if query.node is tree:
            numbers = [index for index, entry in enumerate(query.outputs) if entry in entries]
            outputs[number] = (numbers[0], len(numbers))
        columns = [_written(facts, query, star, entry, entries, quoted) for entry in entries]
        if all(columns):
            parts += [sql[position : star.start], _spaced(sql, star, ", ".join(columns))]
            position = star.end
    return Expanded("".join([*parts, sql[position:]]), outputs)


_Found: TypeAlias = tuple[Query, list[TargetEntry]]


def _targets(tree: Node, places: Mapping[int, int]) -> dict[int, _Found]:
    """Return the entries of a target list that each star became, with the query that they are of."""
    found: dict[int, _Found] = {}
    for node in walk(tree):
        if node.tag != "QUERY":
            continue
        query = Query(node)
        # The columns of a set operation, and of an INSERT, repeat the places of those that they are made from.
        if (query.command is CmdType.SELECT and query.set_operations is not None) or _hides_places(query):
            continue
        here: defaultdict[int, list[TargetEntry]] = defaultdict(list)
        for entry in query.outputs:
            place = location(entry.expression) if entry.expression.tag == "VAR" else None
            number = places.get(place) if place is not None else None
            if number is not None:
                here[number].append(entry)
        for number, entries in here.items():
            found.setdefault(number, (query, entries))
    return found


def _hides_places(query: Query) -> bool:
    """Return whether grouped columns have lost their places, as since PostgreSQL 18."""
    return "hasGroupRTE" in query.node.fields and query.node.flag("hasGroupRTE")


def _grouped_targets(tree: Node, sql: str, stars: Sequence[Star], describe: Describe) -> dict[int, _Found]:
    """Return the target entries of each star of a grouped query: those that disappear when a marker replaces the star."""
    query = Query(tree)
    found: dict[int, _Found] = {}
    if not _hides_places(query) or query.set_operations is not None:
        return found
    for number, star in enumerate(stars):
        names = () if star.nested else describe(f'{sql[: star.start]} NULL AS "{_MARK}" {sql[star.end :]}')
        if _MARK in names:
            first = names.index(_MARK)
            found[number] = (query, query.outputs[first : first + len(query.outputs) - len(names) + 1])
    return found


def _owner(query: Query, entry: TargetEntry) -> RangeEntry | None:
    """Return the item of FROM that qualifies a column; None for the merged column of a join."""
    column = column_below_grouping(query, entry.expression)
    if column.tag != "VAR":
        return None
    for field in ("varnosyn", "varno"):
        number = column.number(field) if field in column.fields else 0
        if number and not ((owner := query.entry(number)).kind is RTEKind.JOIN and not owner.alias):
            return owner
    return None


def _aliases(facts: SchemaFacts, found: Iterable[_Found]) -> set[str]:
    names: set[str] = set()
    for query, entries in found:
        for entry in entries:
            owner = _owner(query, entry)
            if owner is not None:
                names.add(owner.alias)
                if owner.kind is RTEKind.RELATION:
                    names.add(facts.relation(owner.relation).schema)
    return names


def _written(
    facts: SchemaFacts, query: Query, star: Star, entry: TargetEntry, entries: Sequence[TargetEntry], quoted: Mapping[str, str]
) -> str:
    """Return a column as the text can name it; "" if it cannot."""
    name = quoted[entry.name]
    if star.prefix:
        return f"{star.prefix}{name}"
    if Counter(each.name for each in entries)[entry.name] == 1:
        return name
    owner = _owner(query, entry)
    if owner is None or not owner.alias:
        return ""
    if [each.alias for each in query.range_table].count(owner.alias) == 1:
        return f"{quoted[owner.alias]}.{name}"
    # Tables of one name in several schemas.
    if owner.kind is RTEKind.RELATION and (relation := facts.relation(owner.relation)).name == owner.alias:
        return f"{quoted[relation.schema]}.{quoted[owner.alias]}.{name}"
    return ""


def _star(sql: str, tokens: tuple[Token, ...], index: int) -> Star:
    first = index
    while first > 1 and tokens[first - 1].text == "." and tokens[first - 2].kind in _NAMES:
        first -= 2
    star = tokens[index]
    depth = sum({"(": 1, ")": -1}.get(token.text, 0) for token in tokens[:first])
    return Star(sql[tokens[first].start : star.start], tokens[first].start, star.end, nested=depth > 0)


def _spaced(sql: str, star: Star, columns: str) -> str:
    """Return the columns with spaces around them where the star had none, as in `SELECT*FROM t`."""
    before = " " if star.start and (sql[star.start - 1].isalnum() or sql[star.start - 1] == "_") else ""
    after = " " if star.end < len(sql) and (sql[star.end].isalnum() or sql[star.end] == "_") else ""
    return f"{before}{columns}{after}"
