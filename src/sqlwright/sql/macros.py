"""A query's statement as the user wrote it, prepared for PostgreSQL: parameters numbered, sqlc's macros replaced, stars left alone.

sqlc passes its own text, in which each star is expanded to the columns sqlc believes in. The user's text is read here instead, so that
PostgreSQL decides what a star means; sqlc contributes the number of each parameter it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.sql.lexer import Kind, Token, significant, statement_spans, tokenize
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.sources import QuerySource

_PARAMETERS = frozenset({"arg", "narg", "slice"})
# The characters of PostgreSQL's operators; one that follows such a character is part of the same operator.
_OPERATOR = frozenset("+-*/<>=~!@#%^&|`?")
# These bind more tightly than a prefix operator (PostgreSQL manual, section 4.1.6).
_ARITHMETIC = frozenset("+-*/%^")


@dataclass(frozen=True, slots=True)
class NamedParameter:
    """A named parameter: `name` keeps the capitals that sqlc drops. `optional` is `sqlc.narg`, `sliced` is `sqlc.slice`."""

    number: int
    name: str
    optional: bool
    sliced: bool


@dataclass(frozen=True, slots=True)
class EmbeddedStar:
    """`sqlc.embed(alias)`, which became `alias.*`: `star` counts the `*` before it in the text."""

    alias: str
    star: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement for PostgreSQL, and what was replaced in it. `names` maps lower-case names to parameters."""

    sql: str
    names: Mapping[str, NamedParameter]
    embeds: tuple[EmbeddedStar, ...]


@dataclass(frozen=True, slots=True)
class _Macro:
    """A macro at a token: `sqlc.<kind>(<argument>)` or `@argument`, and how many tokens it spans."""

    kind: str
    argument: str
    length: int


def read_statement(text: str, known: Mapping[str, int]) -> Reading:
    """Read the first statement of a text. `known` maps lower-case names to the numbers that sqlc assigned.

    Lines that consist of a comment are left out; they document the query, or address the reader of the file.
    """
    statement = _statement(text)
    tokens = significant(statement)
    taken = max([0, *known.values(), *(placeholder_number(t) for t in tokens if t.kind is Kind.PLACEHOLDER)])
    names: dict[str, NamedParameter] = {}
    embeds: list[EmbeddedStar] = []
    parts: list[str] = []
    position = index = stars = 0
    while index < len(tokens):
        macro = _macro_at(tokens, index)
        if macro is None:
            stars += tokens[index].text == "*"
            index += 1
            continue
        if macro.kind == "embed":
            embeds.append(EmbeddedStar(macro.argument.rpartition(".")[2].strip('"'), stars))
            written = f"{macro.argument}.*"
            stars += 1
        else:
            key = macro.argument.lower()
            before = names.get(key)
            number = before.number if before else known.get(key, 0)
            if not number:
                taken = number = taken + 1
            names[key] = NamedParameter(
                number,
                before.name if before else macro.argument,
                optional=macro.kind == "narg" or (before is not None and before.optional),
                sliced=macro.kind == "slice" or (before is not None and before.sliced),
            )
            written = f"${number}"
        between = statement[position : tokens[index].start]
        index += macro.length
        after = statement[tokens[index - 1].end :][:1]
        # `WHERE@x` are two tokens, and `WHERE$1` is one.
        parts += [between, " " if _continues(between[-1:]) else "", written, " " if _continues(after) else ""]
        position = tokens[index - 1].end
    return Reading("".join([*parts, statement[position:]]), names, tuple(embeds))


def _continues(character: str) -> bool:
    """Return whether a character and a placeholder beside it would be read as one token."""
    return character.isalnum() or character in {"_", "$"} or character > "\x7f"


def misread_operand(source: QuerySource) -> Diagnostic | None:
    """Report the first `@name` that is the left operand of arithmetic.

    sqlc reads `@` there as PostgreSQL's operator of that name, applied to all of `name + 1`, and produces an invalid query.
    """
    if "@" not in source.text:
        return None
    tokens = significant(source.text)
    for index in range(len(tokens)):
        macro = _macro_at(tokens, index)
        if macro is not None and tokens[index].text == "@":
            end = index + macro.length
            while end + 1 < len(tokens) and tokens[end].kind is Kind.CAST:
                end += 2
            following = tokens[end + 1] if end + 1 < len(tokens) else None
            is_longer = following is not None and following.start == tokens[end].end and following.text in _OPERATOR
            if end < len(tokens) and tokens[end].text in _ARITHMETIC and not is_longer:
                name = tokens[index + 1]
                cast = source.text[name.end : tokens[end - 1].end]
                return Diagnostic(
                    Code.AMBIGUOUS_AT_SIGN,
                    f"sqlc reads `@{name.text} {tokens[end].text} …` as the operator @ applied to the whole expression",
                    source.place_at(tokens[index].start, name.end - tokens[index].start),
                    help=f"write (@{name.text}{cast}), or sqlc.arg({name.text}){cast}.",
                )
    return None


@dataclass(frozen=True, slots=True)
class JoinedSign:
    """An operator directly before `@name`: PostgreSQL reads the operator and the `@` as one. Offsets count in the text."""

    operator: str
    name: str
    start: int
    name_start: int
    cure: str

    def diagnostic(self, source: QuerySource, help_: str) -> Diagnostic:
        """Report it in the query that it is in."""
        return Diagnostic(
            Code.AMBIGUOUS_AT_SIGN,
            f"PostgreSQL reads `{self.operator}` before `{self.name}` as one operator, and no parameter `@{self.name}`",
            source.place_at(self.start, self.name_start + len(self.name) - self.start),
            help=help_,
        )


def joined_signs(text: str) -> list[JoinedSign]:
    """Return the places of a statement where an operator is directly before `@name`: `id=@id`, `tags<@@wanted`.

    `@@name` is left out: `@@` is an operator of text search.
    """
    tokens = significant(text) if "@" in text else ()
    found: list[JoinedSign] = []
    for index, (sign, name) in enumerate(pairwise(tokens)):
        if sign.text != "@" or name.kind is not Kind.WORD or name.start != sign.end:
            continue
        first = index
        while first and tokens[first - 1].end == tokens[first].start and _OPERATOR.issuperset(tokens[first - 1].text):
            first -= 1
        before = text[tokens[first].start : sign.start]
        if before not in {"", "@"}:
            left = tokens[first - 1] if first else None
            is_name = left is not None and left.end == tokens[first].start and left.kind in {Kind.WORD, Kind.QUOTED_NAME}
            cure = f"{left.text} {before} @{name.text}" if left is not None and is_name else f"{before} @{name.text}"
            found.append(JoinedSign(f"{before}@", name.text, tokens[first].start, name.start, cure))
    return found


def _statement(text: str) -> str:
    """The first statement, from its first word to the semicolon, without comment lines."""
    span = next(statement_spans(text), None)
    if span is None:
        return ""
    statement = text[span.start : span.end].rstrip()
    if "--" not in statement:
        return statement
    kept: list[str] = []
    tokens = list(tokenize(statement))
    dropped = False
    for before, token in zip([None, *tokens], tokens, strict=False):
        if dropped:
            # The line break is removed too.
            kept.append(token.text.removeprefix("\r").removeprefix("\n"))
            dropped = False
        elif token.kind is Kind.LINE_COMMENT and before is not None and before.text.endswith("\n"):
            dropped = True
        else:
            kept.append(token.text)
    return "".join(kept)


def _macro_at(tokens: tuple[Token, ...], index: int) -> _Macro | None:
    token = tokens[index]
    if token.text == "@":
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if following is None or following.kind is not Kind.WORD or following.start != token.end:
            return None
        before = tokens[index - 1] if index else None
        is_operator = before is not None and before.end == token.start and before.text in _OPERATOR
        return None if is_operator else _Macro("arg", following.text, 2)
    if token.text.lower() != "sqlc" or [t.text for t in tokens[index + 1 : index + 4 : 2]] != [".", "("]:
        return None
    kind = tokens[index + 2].text.lower()
    end = next((n for n in range(index + 4, len(tokens)) if tokens[n].text == ")"), None)
    if end is None or kind not in _PARAMETERS | {"embed"}:
        return None
    argument = "".join(t.text for t in tokens[index + 4 : end])
    if kind != "embed":
        argument = argument.strip("'\"")
    return _Macro(kind, argument, end - index + 1)
