"""Statements cut where their variants differ: conditions of WHERE, assignments of SET, and the list of ORDER BY.

The cuts are made on the text, by its tokens. They are proposals: a variant is used only if PostgreSQL's tree of it is the statement's own
tree without those parts (prove/variants.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from sqlwright.sql.lexer import Kind, Token, significant, tokenize
from sqlwright.sql.placeholders import placeholder_number

# Reserved words (manual, appendix C) that end a WHERE; as names they are quoted, or stand behind a dot.
_BEHIND_WHERE = frozenset(
    {"group", "having", "window", "union", "intersect", "except", "order", "limit", "offset", "fetch", "for", "returning", "on", "do", ";"}
)
_BEHIND_SET = frozenset({"from", "where", "returning", ";"})
_BEHIND_ORDER = frozenset({"limit", "offset", "fetch", "for", ";"})
_DEPTHS = {"(": 1, "[": 1, ")": -1, "]": -1}


@dataclass(frozen=True, slots=True)
class Part:
    """A condition or an assignment, from `start` to `end`; it leaves with the parameters of these numbers, or stays if there are none."""

    start: int
    end: int
    params: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Clause:
    """A WHERE or a SET (`assigns`) some of whose parts may leave; `start` is that of the white space in front of its keyword."""

    start: int
    parts: tuple[Part, ...]
    separator: str
    assigns: bool = False

    @property
    def end(self) -> int:
        """The offset after its last part."""
        return self.parts[-1].end


@dataclass(frozen=True, slots=True)
class Ordering:
    """The list of the statement's own ORDER BY, and the orders that may take its place: pairs of name and list, the default first."""

    start: int
    end: int
    orders: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the variants of a statement differ. The clauses are in the text's order and do not overlap."""

    clauses: tuple[Clause, ...] = ()
    ordering: Ordering | None = None

    @property
    def optional(self) -> tuple[int, ...]:
        """The numbers of the parameters that may be left out."""
        return tuple(sorted({number for clause in self.clauses for part in clause.parts for number in part.params}))

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The optional parameters, each with those that it shares a part with: they are passed together or not at all."""
        return groups_of(part.params for clause in self.clauses for part in clause.parts)

    @property
    def orders(self) -> tuple[str, ...]:
        """The names of the orders, the default first."""
        return tuple(name for name, _ in self.ordering.orders) if self.ordering else ()


@dataclass(frozen=True, slots=True)
class ClausePiece:
    """The text of a clause: what introduces it, what separates its parts, and each part with the parameters that it leaves with."""

    opening: str
    separator: str
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    assigns: bool


@dataclass(frozen=True, slots=True)
class OrderPiece:
    """The lists for ORDER BY by name, the default first."""

    orders: tuple[tuple[str, str], ...]


Piece: TypeAlias = str | ClausePiece | OrderPiece


@dataclass(frozen=True, slots=True)
class Written:
    """A variant: its text, and the number that each of its parameters has in the statement, in order."""

    sql: str
    params: tuple[int, ...]


def groups_of(parts: Iterable[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the parameters of parts, each with those that it shares a part with, directly or by way of others."""
    groups: list[set[int]] = []
    for params in parts:
        touched = [group for group in groups if not group.isdisjoint(params)]
        groups = [group for group in groups if group.isdisjoint(params)]
        groups += [set(params).union(*touched)] * bool(params)
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def cut_conditions(sql: str, optional: AbstractSet[int]) -> tuple[Clause, ...]:
    """Cut each WHERE that has conditions with optional parameters, in the text's order."""
    tokens = significant(sql)
    found = (_conditions(sql, tokens, index, optional) for index in range(len(tokens)) if _is_word(tokens, index, "where"))
    return tuple(clause for clause in found if clause is not None)


def cut_assignments(sql: str, patched: AbstractSet[int] | None) -> Clause | None:
    """Cut the SET of an UPDATE into assignments; None if none of them may leave.

    An assignment leaves with the parameters in `patched` that it mentions. If that is None, it leaves with the parameter that is its whole
    value, or with those in its value that are mentioned in SET alone.
    """
    tokens = significant(sql)
    index = _set_of_update(tokens)
    if index is None:
        return None
    ranges = list(_ranges(tokens, index + 1, ",", _BEHIND_SET))
    if not ranges:
        return None
    elsewhere = _numbers([*tokens[:index], *tokens[ranges[-1][1] + 1 :]])
    parts: list[Part] = []
    for first, last in ranges:
        inside = tokens[first : last + 1]
        if patched is not None:
            numbers = tuple(sorted(_numbers(inside) & patched))
        else:
            numbers = _assigned(inside) or tuple(sorted(_numbers(inside) - elsewhere))
        parts.append(Part(inside[0].start, inside[-1].end, numbers))
    if not any(part.params for part in parts):
        return None
    return Clause(_start(sql, tokens, index), tuple(parts), _separator(sql, parts, ","), assigns=True)


def find_ordering(sql: str) -> tuple[int, int] | None:
    """Return where the list of the ORDER BY of the whole statement is."""
    tokens = significant(sql)
    depth = 0
    for index, token in enumerate(tokens):
        depth += _DEPTHS.get(token.text, 0)
        if depth == 0 and _is_word(tokens, index, "order") and _is_word(tokens, index + 1, "by"):
            ranges = list(_ranges(tokens, index + 2, ",", _BEHIND_ORDER))
            if ranges:
                return tokens[ranges[0][0]].start, tokens[ranges[-1][1]].end
    return None


def pieces(sql: str, cut: Cut, position: int = 0) -> tuple[Piece, ...]:
    """Return a statement from `position` on in pieces, in the text's order."""
    found: list[Piece] = []
    ends: list[tuple[int, int, Piece]] = [(clause.start, clause.end, _clause_piece(sql, clause)) for clause in cut.clauses]
    if cut.ordering is not None:
        ordering = cut.ordering
        ends.append((ordering.start, ordering.end, OrderPiece(ordering.orders)))
    for start, end, piece in sorted(ends, key=lambda each: each[0]):
        found += [sql[position:start], piece]
        position = end
    return tuple(piece for piece in (*found, sql[position:]) if piece != "")


def write_variant(sql: str, cut: Cut, count: int, omitted: AbstractSet[int] = frozenset(), order: str = "") -> Written:
    """Return a variant of a statement with `count` parameters: without the omitted ones, in the order of a name ("" is the default)."""
    return write_pieces(pieces(sql, cut), count, omitted, order)


def write_pieces(found: Iterable[Piece], count: int, omitted: AbstractSet[int] = frozenset(), order: str = "") -> Written:
    """Return a variant of a statement in pieces, as `write_variant` does."""
    written: list[str] = []
    for piece in found:
        match piece:
            case str():
                written.append(piece)
            case ClausePiece(opening=opening, separator=separator, parts=parts):
                kept = [text for text, params in parts if omitted.isdisjoint(params)]
                written.append(opening + separator.join(kept) if kept else "")
            case OrderPiece(orders=orders):
                written.append(dict(orders)[order or orders[0][0]])
    params = tuple(number for number in range(1, count + 1) if number not in omitted)
    return Written(renumbered("".join(written), {number: index for index, number in enumerate(params, start=1)}), params)


def switched(sql: str, cut: Cut, count: int, target: str = "") -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the statement with a switch for each group of parameters, numbered from `count` + 1.

    A condition `c` that may leave is `(c OR $switch)`, and an assignment `a = x` is `a = CASE WHEN $switch THEN x ELSE target.a END`. The
    pairs are the offsets of what was inserted, in the statement, and its length.
    """
    switches = {number: f"${count + index}::bool" for index, group in enumerate(cut.groups, start=1) for number in group}
    inserted: list[tuple[int, str]] = []
    for clause in cut.clauses:
        for part in clause.parts:
            if not part.params:
                continue
            switch = switches[part.params[0]]
            if clause.assigns:
                column, value = _assignment(sql[part.start : part.end])
                inserted += [(part.start + value, f"CASE WHEN {switch} THEN ("), (part.end, f") ELSE {target}.{column} END")]
            else:
                inserted += [(part.start, "(("), (part.end, f") OR {switch})")]
    text, position = "", 0
    for offset, piece in inserted:
        text += sql[position:offset] + piece
        position = offset
    return text + sql[position:], tuple((offset, len(piece)) for offset, piece in inserted)


def is_plain_assignment(text: str) -> bool:
    """Return whether an assignment is that of a whole column: `column = value`."""
    tokens = significant(text)
    return len(tokens) > 2 and tokens[0].kind in {Kind.WORD, Kind.QUOTED_NAME} and tokens[1].text == "="  # noqa: PLR2004 - column, =, value


def always_used(sql: str, cut: Cut) -> frozenset[int]:
    """Return the parameters that a statement mentions outside of what may leave."""
    spans = [(part.start, part.end) for clause in cut.clauses for part in clause.parts if part.params]
    return _numbers([token for token in significant(sql) if not any(start <= token.start < end for start, end in spans)])


def _assignment(text: str) -> tuple[str, int]:
    """Return the column of a plain assignment, and where its value begins."""
    column, _, value, *_ = significant(text)
    return column.text, value.start


def original_offset(offset: int, inserted: Sequence[tuple[int, int]]) -> int:
    """Return where a character of a switched statement is in the statement itself."""
    for place, length in inserted:
        if offset < place:
            break
        offset = max(place, offset - length)
    return offset


def renumbered(sql: str, numbers: Mapping[int, int]) -> str:
    """Replace the numbers of the placeholders."""
    return "".join(f"${numbers.get(placeholder_number(t), 0)}" if t.kind is Kind.PLACEHOLDER else t.text for t in tokenize(sql))


def has_parameter(sql: str) -> bool:
    """Return whether a text has a placeholder, or a name that sqlc would make one of."""
    tokens = significant(sql)
    return any(t.kind is Kind.PLACEHOLDER or t.text == "@" or t.text.lower() == "sqlc" for t in tokens)


def _clause_piece(sql: str, clause: Clause) -> ClausePiece:
    parts = tuple((sql[part.start : part.end], part.params) for part in clause.parts)
    return ClausePiece(sql[clause.start : clause.parts[0].start], clause.separator, parts, clause.assigns)


def _conditions(sql: str, tokens: tuple[Token, ...], index: int, optional: AbstractSet[int]) -> Clause | None:
    parts: list[Part] = []
    for first, last in _ranges(tokens, index + 1, "and", _BEHIND_WHERE):
        inside = tokens[first : last + 1]
        parts.append(Part(inside[0].start, inside[-1].end, tuple(sorted(_numbers(inside) & optional))))
    if not any(part.params for part in parts):
        return None
    return Clause(_start(sql, tokens, index), tuple(parts), _separator(sql, parts, "AND"))


def _ranges(tokens: tuple[Token, ...], index: int, separator: str, ends: AbstractSet[str]) -> Iterator[tuple[int, int]]:
    """Return the first and last token of each part, from a token to the end of the clause or of its brackets."""
    depth = cases = betweens = 0
    first = index
    while index < len(tokens):
        word = "" if index and tokens[index - 1].text == "." else tokens[index].text.lower()
        depth += _DEPTHS.get(word, 0)
        if depth < 0:
            break
        if depth == 0:
            cases += {"case": 1, "end": -1}.get(word, 0)
            if cases == 0:
                # IS DISTINCT FROM, and FOR behind no clause of its own, are no ends.
                if word in ends and not (word == "from" and tokens[index - 1].text.lower() == "distinct"):
                    break
                betweens += word == "between"
                if word == separator and word == "and" and betweens:
                    betweens -= 1
                elif word == separator:
                    if first < index:
                        yield first, index - 1
                    first = index + 1
        index += 1
    if first < index:
        yield first, index - 1


def _start(sql: str, tokens: tuple[Token, ...], index: int) -> int:
    """Return where the white space in front of a keyword begins. That behind a line comment ends it, and stays."""
    before = tokens[index - 1].end if index else 0
    start = tokens[index].start
    gap = sql[before:start]
    kept = gap.rstrip()
    return start if "--" in kept.rpartition("\n")[2] else before + len(kept)


def _separator(sql: str, parts: Sequence[Part], word: str) -> str:
    """Return what stands between the parts: as the first two are separated, if there is no comment."""
    gap = sql[parts[0].end : parts[1].start] if len(parts) > 1 else ""
    return gap if gap.strip().lower() == word.lower() else ", " if word == "," else f" {word} "


def _numbers(tokens: Sequence[Token]) -> frozenset[int]:
    return frozenset(placeholder_number(token) for token in tokens if token.kind is Kind.PLACEHOLDER)


def _assigned(tokens: Sequence[Token]) -> tuple[int, ...]:
    """Return the parameter of `column = $1`, with or without a cast; none for any other assignment."""
    equals = next((index for index, token in enumerate(tokens) if token.text == "="), None)
    value = list(tokens[equals + 1 :]) if equals is not None else []
    plain = value[:1] and value[0].kind is Kind.PLACEHOLDER and (len(value) == 1 or value[1].kind is Kind.CAST)
    is_more = any(token.kind is Kind.PLACEHOLDER or (token.kind is Kind.SYMBOL and token.text not in ".[](),") for token in value[1:])
    return (placeholder_number(value[0]),) if plain and not is_more else ()


def _set_of_update(tokens: tuple[Token, ...]) -> int | None:
    """Return the SET of an UPDATE, which WITH may precede."""
    depth, begun = 0, False
    for index, token in enumerate(tokens):
        depth += _DEPTHS.get(token.text, 0)
        if depth == 0 and not begun and _is_word(tokens, index, "update"):
            begun = True
        elif depth == 0 and begun and _is_word(tokens, index, "set"):
            return index
        elif depth == 0 and not begun and token.text.lower() in {"insert", "merge", "select", "delete"}:
            return None
    return None


def _is_word(tokens: tuple[Token, ...], index: int, word: str) -> bool:
    if index >= len(tokens) or tokens[index].kind is not Kind.WORD or tokens[index].text.lower() != word:
        return False
    return not index or tokens[index - 1].text != "."
