"""SQL in lines of at most 88 columns: white space becomes line breaks, and every token stays as it is.

Casts and expanded stars make lines longer than the author wrote them. What cannot be broken stays long: a single token, and lines that
hold a part of a string or a comment of several lines.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from sqlwright.render.layout import LINE_LENGTH, width
from sqlwright.sql.lexer import Kind, Token, tokenize

_INDENT = "    "
# Words, or pairs of them, that begin a clause, unless one of the words behind them stands before.
_CLAUSES: dict[str, frozenset[str]] = {
    "FROM": frozenset({"DELETE", "DISTINCT"}),
    "JOIN": frozenset({"LEFT", "RIGHT", "FULL", "INNER", "CROSS", "OUTER", "NATURAL"}),
    "VALUES": frozenset({"DEFAULT"}),
    **dict.fromkeys(
        (
            *("SELECT", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "SET", "RETURNING"),
            *("LEFT JOIN", "LEFT OUTER", "RIGHT JOIN", "RIGHT OUTER", "FULL JOIN", "FULL OUTER", "INNER JOIN", "CROSS JOIN"),
            *("ON CONFLICT", "WHEN MATCHED", "WHEN NOT"),
        ),
        frozenset[str](),
    ),
}
_CONNECTIVES = frozenset({"AND", "OR", "ON", "WHEN", "ELSE"})


class _Piece(NamedTuple):
    """Code without a place to break; `gap` is the white space in front of it, `depth` counts the brackets around its beginning."""

    gap: str
    text: str
    depth: int
    begins_clause: bool
    is_item: bool
    is_alias: bool

    @property
    def rank(self) -> tuple[bool, int, bool, bool]:
        """How good it is to break in front of the piece; the least is the best."""
        anywhere = not (self.begins_clause or self.is_item or self.is_alias)
        return anywhere, self.depth, self.is_alias, not self.begins_clause


def in_lines(sql: str, columns: int = LINE_LENGTH) -> str:
    """Return the SQL with the lines broken that are longer: where clauses begin, else at commas, AND, OR and ON, else at any space."""
    if all(width(line) <= columns for line in sql.split("\n")):
        return sql
    result: list[str] = []
    margin = ""
    line: list[Token] = []
    for token in tokenize(sql):
        if token.kind is Kind.SPACE and "\n" in token.text:
            result += [_broken(line, margin, columns), token.text]
            margin = token.text.rpartition("\n")[2]
            line = []
        elif not line and _is_gap(token):
            result.append(token.text)
            margin = token.text
        else:
            line.append(token)
    return "".join([*result, _broken(line, margin, columns)])


def _broken(line: list[Token], margin: str, columns: int) -> str:
    """Return the code of a line with breaks where it is too long behind its margin."""
    text = "".join(token.text for token in line)
    if width(margin + text) <= columns or "\n" in text or not text:
        return text
    pieces = _pieces(line)
    top = min(0, *(piece.depth for piece in pieces))
    starts = [0, *(index for index, piece in enumerate(pieces) if index and piece.begins_clause and piece.depth == top), len(pieces)]
    clauses = [pieces[start:end] for start, end in pairwise(starts)]
    # What follows may be another piece of the statement.
    end = line[-1].text if _is_gap(line[-1]) else ""
    return f"\n{margin}".join(_filled(clause, margin, columns) for clause in clauses) + end


def _filled(pieces: list[_Piece], margin: str, columns: int) -> str:
    """Put the pieces into lines, each as long as fits, in the best places to break."""
    lines: list[str] = []
    first, indent = pieces[0], margin
    while len(pieces) > 1 and width(indent + _joined(pieces)) > columns:
        fitting = [index for index in range(1, len(pieces)) if width(indent + _joined(pieces[:index])) <= columns]
        cut = min(fitting or [1], key=lambda index: (pieces[index].rank, -index))
        lines.append(indent + _joined(pieces[:cut]))
        # A line of a list that begins above goes on as a line of it.
        in_line = not first.begins_clause and pieces[cut].depth == first.depth and pieces[cut - 1].text.endswith(",")
        pieces, indent = pieces[cut:], margin if in_line else margin + _INDENT
    return "\n".join([*lines, indent + _joined(pieces)]).removeprefix(margin)


def _joined(pieces: list[_Piece]) -> str:
    return pieces[0].text + "".join(piece.gap + piece.text for piece in pieces[1:])


def _pieces(line: list[Token]) -> list[_Piece]:
    """Cut a line where it may be broken: at spaces and behind commas."""
    pieces: list[_Piece] = []
    words = [token.text.upper() for token in line if not _is_gap(token)]
    before: Token | None = None
    gap, depth, index = "", 0, 0
    for token in line:
        if _is_gap(token):
            gap = token.text
            continue
        behind_comma = before is not None and before.text == ","
        is_item = behind_comma or words[index] in _CONNECTIVES
        is_alias = words[index] == "AS" and words[index + 1 : index + 2] != ["("]
        # Two strings with a line break between them would be one string.
        are_strings = before is not None and before.kind is token.kind is Kind.STRING
        if not pieces or ((gap or behind_comma) and not are_strings):
            pieces.append(_Piece(gap, token.text, depth, _begins_clause(words, index), is_item, is_alias))
        else:
            pieces[-1] = pieces[-1]._replace(text=f"{pieces[-1].text}{gap}{token.text}")
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        before, gap, index = token, "", index + 1
    return pieces


def _is_gap(token: Token) -> bool:
    return token.kind is Kind.SPACE and not token.text.strip(" \t")


def _begins_clause(words: list[str], index: int) -> bool:
    before = words[index - 1] if index else ""
    candidates = (words[index], " ".join(words[index : index + 2]))
    return any(before not in _CLAUSES[found] for found in candidates if found in _CLAUSES)
