"""Refusals of PostgreSQL as diagnostics: the caret on the mistake, and a suggestion from the scratch database's catalogue."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.prove.asking.describe import Refused, token_at
from sqlwright.sql.lexer import Kind, Token, significant
from sqlwright.sql.macros import joined_signs, misread_operand
from sqlwright.sql.sources import QuerySource

_RELATIONS = """
SELECT DISTINCT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_COLUMNS = """
SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY(%s::text[])
ORDER BY c.relname, a.attnum
"""
_FUNCTIONS = "SELECT DISTINCT proname::text FROM pg_proc WHERE pg_function_is_visible(oid)"
_SIGNATURES = "SELECT proname || '(' || oidvectortypes(proargtypes) || ')' FROM pg_proc WHERE proname = %s ORDER BY 1"
_TYPES = "SELECT typname::text FROM pg_type t WHERE pg_type_is_visible(t.oid) AND typelem = 0 AND (typrelid = 0 OR typnamespace > 16383)"
_COLLATIONS = "SELECT lower(collname), quote_ident(collname) FROM pg_collation WHERE pg_collation_is_visible(oid) ORDER BY collname"
_LABELS = """
SELECT t.typname::text, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
GROUP BY t.oid, t.typname
"""
_OPERATORS = "SELECT DISTINCT oprname::text FROM pg_operator WHERE oprname = ANY(%s::text[])"
# What PostgreSQL reports of `id=@id`: a syntax error, an unknown column, an unknown operator.
_JOINED = frozenset({"42601", "42703", "42883"})
# Words after which a name is that of a table.
_BEFORE_TABLES = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "ONLY", "USING", "TABLE"})
_LISTED = 12
_ADVICE = {
    "42601": "PostgreSQL's grammar does not allow this here; the mistake is often just before it.",
    "42P18": "write a cast behind the parameter, such as sqlc.arg(name)::text.",
    "42P08": "write a cast behind the parameter, such as sqlc.arg(name)::text.",
    "42P10": "ON CONFLICT needs a unique index or constraint on exactly these columns.",
    "42803": "add it to GROUP BY, or aggregate it, as in max(…).",
    "42702": "write whose column it is, as in alias.column.",
}
_DEFAULT = "the query was prepared against the schema files that sqlc.yaml names."


def refusal(connection: psycopg.Connection[Any], name: str, source: QuerySource, sql: str, refused: Refused) -> Diagnostic:
    """Return the diagnostic for a query that PostgreSQL refuses; `sql` is the text that it was sent. Ask inside no failed transaction."""
    if refused.by_postgres and (misread := misread_operand(source)):
        return misread
    sql = refused.sql or sql
    if joined := _joined_sign(connection, source, sql, refused):
        return joined
    offset, suggestion = suggest(connection, sql, refused)
    place = source.place_of(sql, offset) if offset is not None else source.header_place()
    return Diagnostic(
        Code.REFUSED_QUERY,
        f"PostgreSQL refuses query {name}: {refused.message}" if refused.by_postgres else f"query {name}: {refused.message}",
        place,
        help=suggestion or refused.hint or _ADVICE.get(refused.sqlstate or "", _DEFAULT),
    )


def _joined_sign(connection: psycopg.Connection[Any], source: QuerySource, sql: str, refused: Refused) -> Diagnostic | None:
    """Report the operator and `@` that PostgreSQL reads as one, if it is they that it refuses, or the name behind them."""
    signs = joined_signs(source.text)
    if not signs or refused.offset is None or refused.sqlstate not in _JOINED:
        return None
    place = source.place_of(sql, refused.offset)
    meant = (place.line, place.column)
    known = {row[0] for row in connection.execute(_OPERATORS, [[sign.operator for sign in signs]]).fetchall()}
    for sign in signs:
        at, behind = source.place_at(sign.start), source.place_at(sign.name_start)
        if meant in {(at.line, at.column), (behind.line, behind.column)}:
            if sign.operator in known:
                return sign.diagnostic(source, f"write `{sign.cure}` if `{sign.name}` is a parameter.")
            cures = dict.fromkeys(f"`{each.cure}`{f' if `{each.name}` is a parameter' * (each.operator in known)}" for each in signs)
            return sign.diagnostic(source, f"write {' and '.join(cures)}.")
    return None


def suggest(connection: psycopg.Connection[Any], sql: str, refused: Refused) -> tuple[int | None, str]:
    """Return where the mistake is in a text that PostgreSQL refuses, and what was probably meant, "" where nothing is known."""
    tokens = significant(sql)
    token = token_at(tokens, refused.offset)
    index = tokens.index(token) if token is not None else None
    meant, suggestion = _suggest(connection, tokens, index, refused) if index is not None else (None, "")
    if meant is None and tokens and refused.offset is not None and refused.offset >= tokens[-1].end:
        # The end of the input: the last word is the nearest place.
        meant = len(tokens) - 1
    return refused.offset if meant is None else tokens[meant].start, suggestion


def _suggest(connection: psycopg.Connection[Any], tokens: Sequence[Token], index: int, refused: Refused) -> tuple[int, str]:
    """Return the token that is wrong and what was meant, "" where nothing is known."""
    match refused.sqlstate:
        case "42P01" if _text(tokens, index + 1) == "." and _text(tokens, index - 1).upper() not in _BEFORE_TABLES:
            return index, _missing_from(connection, tokens, index)
        case "42P01":
            last = _last_part(tokens, index)
            known = [row[0] for row in connection.execute(_RELATIONS).fetchall()]
            return last, _did_you_mean(_name(tokens[last]), known) or _listing("tables", known)
        case "42703":
            last = _last_part(tokens, index)
            return last, _column(connection, tokens, index, last)
        case "42883" if _text(tokens, last := _last_part(tokens, index) + 1) == "(":
            return last - 1, _function(connection, _name(tokens[last - 1]))
        case "42704" if tokens[index].kind in {Kind.WORD, Kind.QUOTED_NAME}:
            if _text(tokens, index).upper() == "COLLATE":
                last = _last_part(tokens, index + 1)
                return last, _collation(connection, _name(tokens[last]))
            last = _last_part(tokens, index)
            known = [row[0] for row in connection.execute(_TYPES).fetchall()]
            return last, _did_you_mean(_name(tokens[last]), known)
        case "22P02" if tokens[index].kind is Kind.STRING:
            return index, _label(connection, tokens[index].text.strip("'"), refused.message)
        case _:
            return index, ""


def _missing_from(connection: psycopg.Connection[Any], tokens: Sequence[Token], index: int) -> str:
    used = _tables_of(connection, tokens)
    alias = _name(tokens[index])
    if meant := _did_you_mean(alias, [*used.values(), *used]):
        return meant
    listed = ", ".join(sorted(f"{alias} ({table})" if alias != table else table for alias, table in used.items()))
    return f"`{alias}` is no table of this query: join it, or name one of its own: {listed or 'there is none'}."


def _column(connection: psycopg.Connection[Any], tokens: Sequence[Token], first: int, last: int) -> str:
    used = _tables_of(connection, tokens)
    qualifier = _name(tokens[last - 2]) if last > first else ""
    tables = {used[qualifier]} if qualifier in used else set(used.values())
    rows = connection.execute(_COLUMNS, [sorted(tables)]).fetchall()
    known = [column for _, column in rows]
    return _did_you_mean(_name(tokens[last]), known) or "; ".join(
        _listing(f"columns of {table}", [column for owner, column in rows if owner == table]) for table in sorted(tables)
    )


def _function(connection: psycopg.Connection[Any], name: str) -> str:
    signatures = [row[0] for row in connection.execute(_SIGNATURES, [name]).fetchall()]
    if signatures:
        return f"there is {', '.join(signatures[:_LISTED])}: write a cast for the argument that differs."
    return _did_you_mean(name, [row[0] for row in connection.execute(_FUNCTIONS).fetchall()])


def _collation(connection: psycopg.Connection[Any], name: str) -> str:
    """Suggest collations, whose names mostly have capitals, which need quotes."""
    known: dict[str, str] = dict(connection.execute(_COLLATIONS).fetchall())
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(f'`{known[each]}`' for each in close)}?" if close else ""


def _label(connection: psycopg.Connection[Any], label: str, message: str) -> str:
    enums: dict[str, list[str]] = dict(connection.execute(_LABELS).fetchall())
    # The message names the type, in whatever language.
    named = [name for name in enums if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message)]
    if not named:
        return ""
    name = max(named, key=len)
    labels = ", ".join(f"'{each}'" for each in enums[name])
    return " ".join(filter(None, (_did_you_mean(label, enums[name], quote="'"), f"The labels of {name}: {labels}.")))


def _tables_of(connection: psycopg.Connection[Any], tokens: Sequence[Token]) -> dict[str, str]:
    """Return the tables that a query names, by alias or name: approximately, which is enough for advice."""
    known = {row[0].rpartition(".")[2] for row in connection.execute(_RELATIONS).fetchall()}
    found: dict[str, str] = {}
    for index, token in enumerate(tokens):
        is_table = token.kind in {Kind.WORD, Kind.QUOTED_NAME} and _name(token) in known and _text(tokens, index + 1) != "."
        if is_table and (_text(tokens, index - 1).upper() in _BEFORE_TABLES | {",", "."}):
            following = index + (2 if _text(tokens, index + 1).upper() == "AS" else 1)
            alias = tokens[following] if following < len(tokens) else None
            is_alias = alias is not None and alias.kind in {Kind.WORD, Kind.QUOTED_NAME} and alias.text.upper() not in _AFTER_TABLES
            found[_name(alias) if alias is not None and is_alias else _name(token)] = _name(token)
    return found


_AFTER_TABLES = frozenset(
    {
        *("WHERE", "JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", "ON", "USING", "GROUP", "ORDER", "LIMIT", "OFFSET"),
        *("SET", "VALUES", "SELECT", "RETURNING", "UNION", "EXCEPT", "INTERSECT", "HAVING", "WINDOW", "FOR", "FETCH", "TABLESAMPLE"),
        *("DEFAULT", "OVERRIDING", "WHEN"),
    }
)


def _last_part(tokens: Sequence[Token], index: int) -> int:
    """Return the last part of the dotted name that begins here."""
    while _text(tokens, index + 1) == "." and index + 2 < len(tokens):
        index += 2
    return index


def _text(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _name(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.text.startswith('"') else token.text.lower()


def _did_you_mean(name: str, known: Iterable[str], quote: str = "`") -> str:
    close = difflib.get_close_matches(name, sorted(set(known)), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(f'{quote}{found}{quote}' for found in close)}?" if close else ""


def _listing(what: str, names: Sequence[str]) -> str:
    listed = ", ".join(sorted(names)[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    return f"{what}: {listed or 'none'}."
