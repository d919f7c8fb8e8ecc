"""A statement with variants, and whom to ask about it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import psycopg

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError, Diagnostic, Place
from sqlwright.prove.asking.describe import Description
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.statement import Statement
from sqlwright.prove.tree.nodetree import Node, Unrecognised
from sqlwright.prove.tree.querytree import analysed_query


@dataclass(frozen=True, slots=True)
class VariedQuery:
    """A statement with variants, and whom to ask."""

    connection: psycopg.Connection[Any]
    facts: SchemaFacts
    query: ir.UnprovenQuery
    statement: Statement
    described: Description
    variation: ir.Variation

    def tree(self, sql: str, types: Sequence[str]) -> Node:
        """Return the tree of a statement with parameters of these types."""
        found = analysed_query(self.connection, sql, [self.facts.type_oid(name) for name in types])
        if not isinstance(found, Node):
            raise Unrecognised("a statement without a tree")
        return found

    def name(self, number: int) -> str:
        """Return the name of a parameter."""
        return next((str(param.name) for param in self.query.params if param.number == number), str(number))

    def names(self, numbers: AbstractSet[int] | Sequence[int]) -> str:
        """Return the names of parameters, in words."""
        return " and ".join(f"`{self.name(number)}`" for number in sorted(numbers))

    def place(self, offset: int | None) -> Place:
        """Return the place of a character of the statement; that of the query's name without one."""
        source = self.query.source
        return source.header_place() if offset is None else source.place_of(self.statement.sql, offset)

    def error_at_line(self, code: Code, message: str, line: str, cure: str) -> CompileError:
        """Return an error at a line of the query's comment."""
        return CompileError([Diagnostic(code, f"query {self.query.name}: {message}", self.query.source.doc_place(line), help=cure)])

    def error(self, code: Code, message: str, offset: int | None, cure: str) -> CompileError:
        """Return an error at a character of the statement."""
        return CompileError([Diagnostic(code, f"query {self.query.name}: {message}", self.place(offset), help=cure)])
