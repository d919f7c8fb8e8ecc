"""Extensions that only a superuser may create, created before the schema's text is executed.

PostgreSQL lets the owner of a database create *trusted* extensions, so those are left to the text. The others are created in the
empty database: their scripts meet no function, operator or setting of the text, which they could be made to execute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from sqlwright.postgres.server import Server
from sqlwright.prove.scratch.schema import Schema
from sqlwright.sql.lexer import Kind, Token, significant

_NOT_TRUSTED = """
SELECT FROM pg_available_extensions e
JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = coalesce(%s, e.default_version)
WHERE e.name = %s AND v.superuser AND NOT v.trusted
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a CREATE EXTENSION asks for; `schema` and `version` where they are written."""

    name: str
    schema: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The extensions and schemas that exist before the text is executed, and the reasons why others do not."""

    extensions: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()
    failures: Mapping[str, str] = field(default_factory=dict[str, str])


NONE = Prepared()


def prepare(server: Server, database: str, schema: Schema) -> Prepared:
    """Create, as the superuser, the extensions that the text asks for and its role may not create. The database must be new."""
    wanted = list(dict.fromkeys(extension for file in schema.files for extension in wanted_in(file.sql)))
    if not wanted:
        return NONE
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        # Nobody but us has made anything in it: this is the database's own `public`.
        connection.execute("SELECT pg_catalog.set_config('search_path', 'public', false)")
        failures: dict[str, str] = {}
        schemas: set[str] = set()
        for extension in wanted:
            if connection.execute(_NOT_TRUSTED, [extension.version or None, extension.name]).fetchone() is None:
                continue
            try:
                with connection.transaction():
                    schemas |= _create(connection, extension, database)
            except psycopg.errors.DuplicateObject:
                continue
            except psycopg.Error as error:
                failures[extension.name] = error.diag.message_primary or str(error)
        created = connection.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'").fetchall()
        if created:
            _share_wrappers(connection, database)
        return Prepared(frozenset(name for (name,) in created), frozenset(schemas), failures)


def wanted_in(text: str) -> Iterator[Wanted]:
    """Find each CREATE EXTENSION, also in the bodies of DO blocks."""
    tokens = significant(text)
    for index, token in enumerate(tokens):
        if token.kind is Kind.STRING:
            # A word is cheaper to look for than a token.
            if "extension" in token.text.lower():
                yield from wanted_in(string_body(token))
        elif token.text.lower() == "create" and _word(tokens, index + 1) == "extension":
            yield _wanted(tokens, index + 2)


def string_body(token: Token) -> str:
    """Return the text between the quotes of a string."""
    quote = token.text[: token.text.index("$", 1) + 1] if token.text.startswith("$") else "'"
    return token.text.partition(quote)[2].removesuffix(quote)


def name_of(token: Token) -> str:
    """Return the name that a token is, folded as PostgreSQL folds it."""
    return token.text[1:-1].replace('""', '"') if token.text.startswith('"') else token.text.lower()


def _wanted(tokens: tuple[Token, ...], index: int) -> Wanted:
    if [_word(tokens, index + i) for i in range(3)] == ["if", "not", "exists"]:
        index += 3
    name = name_of(tokens[index]) if index < len(tokens) else ""
    schema: str | None = None
    version: str | None = None
    index += 1
    while (word := _word(tokens, index)) in {"with", "schema", "version", "cascade"}:
        if word in {"schema", "version"} and index + 1 < len(tokens):
            index += 1
            value = tokens[index]
            found = string_body(value) if value.kind is Kind.STRING else name_of(value)
            schema, version = (found, version) if word == "schema" else (schema, found)
        index += 1
    return Wanted(name, schema, version)


def _word(tokens: tuple[Token, ...], index: int) -> str | None:
    return tokens[index].text.lower() if index < len(tokens) and tokens[index].kind is Kind.WORD else None


def _create(connection: psycopg.Connection[Any], extension: Wanted, owner: str) -> set[str]:
    made: set[str] = set()
    clauses = sql.Composed([])
    if extension.schema:
        schema = sql.Identifier(extension.schema)
        if connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [extension.schema]).fetchone() is None:
            connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(schema, sql.Identifier(owner)))
            made.add(extension.schema)
        clauses += sql.SQL(" SCHEMA {}").format(schema)
    if extension.version:
        clauses += sql.SQL(" VERSION {}").format(sql.Identifier(extension.version))
    connection.execute(sql.SQL("CREATE EXTENSION {}{} CASCADE").format(sql.Identifier(extension.name), clauses))
    return made


def _share_wrappers(connection: psycopg.Connection[Any], role: str) -> None:
    """Let the text declare foreign tables. PostgreSQL guards access to the server itself by rights that the role lacks."""
    for (wrapper,) in connection.execute("SELECT fdwname FROM pg_foreign_data_wrapper").fetchall():
        connection.execute(sql.SQL("GRANT USAGE ON FOREIGN DATA WRAPPER {} TO {}").format(sql.Identifier(wrapper), sql.Identifier(role)))
