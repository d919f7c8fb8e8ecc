"""Statements about the surroundings of a database: roles and their rights, tablespaces, replication, how the server was built.

No query's types depend on them, roles belong to the whole server, and a schema that comes from `pg_dump` is full of them. PostgreSQL is
asked to execute each as it stands. Only what it refuses, for want of a right or of the thing named, is executed without the part in
question, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import errors as e

from sqlwright.prove.scratch.extensions import Prepared, name_of, string_body, wanted_in
from sqlwright.sql.lexer import Kind, Token, significant

# A missing right; no such role, tablespace, database or method; no such role, of SET SESSION AUTHORIZATION; a grant to oneself.
_REFUSALS = (
    e.InsufficientPrivilege,
    e.UndefinedObject,
    e.InvalidCatalogName,
    e.FeatureNotSupported,
    e.InvalidParameterValue,
    e.InvalidGrantOperation,
)
_ROLE_KINDS = frozenset({"role", "user", "group"})
_CHANGES = frozenset({"create", "alter", "drop"})
_BEGINNINGS = (
    ("grant",),
    ("revoke",),
    ("alter", "default", "privileges"),
    ("reassign", "owned"),
    ("drop", "owned"),
    ("security", "label"),
    ("set", "role"),
    ("set", "local", "role"),
    ("set", "session", "role"),
    ("set", "session", "authorization"),
    ("set", "default_tablespace"),
    ("set", "default_toast_compression"),
    ("comment", "on", "role"),
    ("comment", "on", "database"),
    ("comment", "on", "tablespace"),
    ("comment", "on", "extension"),
    ("comment", "on", "event", "trigger"),
    *((change, *kind) for change in sorted(_CHANGES) for kind in (
        ("policy",), ("publication",), ("subscription",), ("tablespace",), ("event", "trigger"), ("user", "mapping"),
    )),
)  # fmt: skip
_NULL = "NULL"
# Behind these, PL/pgSQL begins a statement.
_OPENERS = frozenset({";", "begin", "then", "else", "loop"})


def instead_of(text: str, error: psycopg.Error, roles: frozenset[str], prepared: Prepared) -> str | None:
    """Return the text to execute instead of a refused statement, "" for nothing, None if the refusal stands.

    `roles` are those that the schema makes, `prepared` are the extensions that were made for it. The text keeps its length, so that places
    in it hold.
    """
    words = significant(text)
    if isinstance(error, e.DuplicateObject):
        return "" if extension_made_by(text) in prepared.extensions else None
    if isinstance(error, e.DuplicateSchema):
        return "" if _starts(words, "create", "schema") and _name_at(words, 2) in prepared.schemas else None
    if not isinstance(error, _REFUSALS):
        return None
    if _is_about_surroundings(words, roles):
        return ""
    changed = _within_block(text, words, roles) if _starts(words, "do") else _without_surroundings(text, words)
    return changed if changed != text else None


def roles_made_in(text: str) -> Iterator[str]:
    """Find the names in CREATE ROLE and its like, also in the bodies of DO blocks."""
    tokens = significant(text)
    for index, token in enumerate(tokens):
        if token.kind is Kind.STRING and "create" in token.text.lower():
            yield from roles_made_in(string_body(token))
        elif index + 2 < len(tokens) and _makes_role(tokens[index : index + 3]):
            yield name_of(tokens[index + 2])


def extension_made_by(text: str) -> str | None:
    """Return the name in a CREATE EXTENSION; None for other statements."""
    found = next(wanted_in(text), None) if _starts(significant(text), "create", "extension") else None
    return found.name if found else None


def _is_about_surroundings(words: Sequence[Token], roles: frozenset[str]) -> bool:
    if any(_starts(words, *beginning) for beginning in _BEGINNINGS) or _makes_role(words):
        return True
    # Another's role is not the schema's to change: that stays refused.
    if any(_starts(words, change, kind) for change in ("alter", "drop") for kind in _ROLE_KINDS):
        return _name_at(words, 4 if _starts(words[2:], "if", "exists") else 2) in roles
    if not _starts(words, "alter"):
        return False
    last = [token for token in words if token.text != ";"]
    return (
        _starts(last[-3:-1], "owner", "to")
        or _starts(last[-3:-1], "set", "tablespace")
        or (_starts(words, "alter", "extension") and any(token.text.lower() == "update" for token in words[3:4]))
    )


def _makes_role(words: Sequence[Token]) -> bool:
    is_role = any(_starts(words, "create", kind) for kind in _ROLE_KINDS) and not _starts(words[1:], "user", "mapping")
    return is_role and _name_at(words, 2) is not None


def _without_surroundings(text: str, words: Sequence[Token]) -> str:
    """Blank the clauses that name a role, a tablespace or a compression method."""
    for index, token in enumerate(words[:-1]):
        word, following = token.text.lower(), words[index + 1]
        if word == "authorization" and _starts(words, "create", "schema"):
            # Without a name of its own, the schema has its owner's.
            text = _blank(text, token.start, token.end if _starts(words[index - 1 :], "schema") else following.end)
        elif word == "tablespace":
            first = words[index - 2] if _starts(words[max(index - 2, 0) : index], "using", "index") else token
            text = _blank(text, first.start, following.end)
        elif word == "compression":
            if index and words[index - 1].text.lower() == "set":
                text = text[: token.start] + "STATISTICS -1".ljust(following.end - token.start) + text[following.end :]
            else:
                text = _blank(text, token.start, following.end)
    return text


def _within_block(text: str, words: Sequence[Token], roles: frozenset[str]) -> str:
    """Replace, in the body of a DO block, the statements about surroundings by NULL statements."""
    body = next((token for token in words if token.kind is Kind.STRING and token.text.startswith("$")), None)
    if body is None:
        return text
    quote = len(body.text[: body.text.index("$", 1) + 1])
    inner = string_body(body)
    tokens = significant(inner)
    for index, token in enumerate(tokens):
        if index and tokens[index - 1].text.lower() not in _OPENERS:
            continue
        end = next((i for i in range(index, len(tokens)) if tokens[i].text == ";"), None)
        if end is not None and _is_about_surroundings(_executed(tokens[index:end]), roles):
            start, stop = body.start + quote + token.start, body.start + quote + tokens[end].start
            text = text[:start] + _NULL + _blank(text, start, stop)[start + len(_NULL) :]
    return text


def _executed(words: Sequence[Token]) -> Sequence[Token]:
    """Return the statement itself, or the one in the string argument of EXECUTE."""
    if not _starts(words, "execute"):
        return words
    string = next((token for token in words if token.kind is Kind.STRING), None)
    return significant(string_body(string)) if string else words


def _name_at(words: Sequence[Token], index: int) -> str | None:
    is_name = len(words) > index and words[index].kind in {Kind.WORD, Kind.QUOTED_NAME}
    return name_of(words[index]) if is_name else None


def _starts(words: Sequence[Token], *beginning: str) -> bool:
    return len(words) >= len(beginning) and all(token.text.lower() == word for token, word in zip(words, beginning, strict=False))


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + "".join(c if c == "\n" else " " for c in text[start:end]) + text[end:]
