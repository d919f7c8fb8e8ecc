"""Walks over the pages of random queries, and compares what they find with the rows of the query itself.

python -m tests.proofs.randompages --major 18 --count 2000 --seed 1
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import psycopg
from psycopg import pq

from sqlwright import ir
from sqlwright.diagnostics import Code, CompileError
from sqlwright.ir.naming import Identifier
from sqlwright.prove.asking.describe import Refused, TypeNames, describe
from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.pages import prove_pages
from sqlwright.prove.rules.volatility import is_volatile
from sqlwright.prove.statement import Statement, prove_statement
from sqlwright.prove.variants import cut_variants, prove_orders, prove_variants
from sqlwright.prove.varied import VariedQuery
from sqlwright.sql.annotations import Annotations, Order
from sqlwright.sql.lexer import Kind, significant
from sqlwright.sql.pages import PageOrder, Turn, WrittenPage, page_pieces, write_page
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import renumbered, write_variant
from tests.support.stages import unproven

from .comparison import Comparison, Contradiction, compare, main
from .paging import keys_of
from .random_schemas import BOOL, INT, MOMENT, NUMBER, TEXT, WORD, Column, Source
from .varied import VALUES, VariedWriter

_TEMPLATE = unproven("-- name: Q :many\n-- @page\n-- @order own\nSELECT 1;\n").modules[0].queries[0]
_SORTED = (INT, TEXT, BOOL, NUMBER, WORD, MOMENT)
_WALKS = 4
_EVERY = b"1000"


class PagedWriter(VariedWriter):
    """Writes queries with pages: plain SELECTs whose orders end with the keys of their tables, and some that do not."""

    def page(self) -> str:
        """Return a random query; its LIMIT is the parameter with the highest number."""
        from_, columns, keys = self._tables()
        shown = [column.text for column in self._random.sample(columns, min(len(columns), 3))]
        outputs = [f"{text} AS o{index}" for index, text in enumerate(shown)]
        conditions = [self._optional_condition(columns) for _ in range(self._random.choice((0, 0, 1, 2)))]
        if self._random.random() < 0.4:
            conditions.append(f"({columns[0].text} IS NULL OR {self._plain(columns, INT)} < 2)")
        if not conditions and self._random.random() < 0.3:
            conditions.append(f"{self._plain(columns, INT)} IS NOT NULL OR {columns[0].text} IS NOT NULL")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        count = self._random.choice((1, 1, 2, 3))
        self.orders = [self._order(columns, keys, len(shown)) for _ in range(count)]
        limit = max(self.optional, default=2) + 1
        return f"SELECT {', '.join(outputs)} FROM {from_}{where} ORDER BY {self.orders[0]} LIMIT ${limit}::int8"

    def _tables(self) -> tuple[str, list[Column], list[str]]:
        stored = [source for source in self._sources if source.name[0] in "ts"]
        names = "xyz"[: self._random.choice((1, 1, 2))]
        columns: list[Column] = []
        text = ""
        for name in names:
            source = self._random.choice(stored)
            own = [Column(f"{name}.{column}", type_name) for column, type_name in source.columns if type_name in _SORTED]
            item = f"{source.name} {name}"
            if self._random.random() < 0.2:
                item = f"(SELECT * FROM {source.name} WHERE {source.columns[0][0]} IS NOT NULL) {name}"
            elif self._random.random() < 0.2:
                item = f"({self._combined(source)}) {name}"
            kind = self._random.choice(("JOIN", "LEFT JOIN", "CROSS JOIN"))
            on = "" if kind == "CROSS JOIN" else f" ON {self._plain(columns, INT)} = {own[0].text}" if columns else ""
            text += f" {kind} {item}{on}" if columns else item
            columns += own
        return text, columns, [f"{name}.{self._key(columns, name)}" for name in names]

    def _combined(self, source: Source) -> str:
        """Return a subquery that groups the rows of a table, whose columns have the names of the table's."""
        names = ", ".join(column for column, _ in source.columns)
        numbers = [column for column, type_name in source.columns if type_name in (INT, NUMBER)]
        total = f"sum({numbers[-1]}) OVER (PARTITION BY {self._random.choice(names.split(', '))})::{INT} AS {numbers[-1]}"
        computed = ", ".join(total if column == numbers[-1] and len(numbers) > 1 else column for column, _ in source.columns)
        return self._random.choice(
            (
                f"SELECT DISTINCT {names} FROM {source.name}",
                f"SELECT {names} FROM {source.name} GROUP BY {names}",
                f"SELECT {names} FROM {source.name} UNION SELECT {names} FROM {source.name}",
                f"SELECT {names} FROM {source.name} ORDER BY {source.columns[0][0]}, {names} LIMIT 5",
                f"SELECT {computed} FROM {source.name}",
            )
        )

    def _key(self, columns: Sequence[Column], name: str) -> str:
        return next(column.text for column in columns if column.text.startswith(f"{name}.")).partition(".")[2]

    def _plain(self, columns: Sequence[Column], type_name: str) -> str:
        return self._random.choice([column.text for column in columns if column.type == type_name] or ["1"])

    def _order(self, columns: Sequence[Column], keys: Sequence[str], width: int) -> str:
        chosen = self._random.sample(columns, min(len(columns), self._random.choice((0, 1, 1, 2))))
        expressions = [self._sorted(column) for column in chosen if column.text not in keys]
        expressions += keys
        if self._random.random() < 0.2:
            expressions.insert(0, self._random.choice((f"o{width - 1}", str(width))))
        if self._random.random() < 0.2:
            self._random.shuffle(expressions)
        return ", ".join(expression + self._random.choice(("", "", " ASC", " DESC", " DESC")) + self._nulls() for expression in expressions)

    def _nulls(self) -> str:
        return self._random.choice(("", "", "", " NULLS FIRST", " NULLS LAST"))

    def _sorted(self, column: Column) -> str:
        text = column.text
        forms = {
            INT: (text, text, f"{text} % 2", f"coalesce({text}, 1)", f"-{text}", f"{text} IS NULL"),
            TEXT: (text, text, f'{text} COLLATE "C"', f"lower({text})", f"coalesce({text}, '')", f"{text} || 'x'"),
            WORD: (text, text, f'{text} COLLATE "POSIX"', f"octet_length({text})"),
            NUMBER: (text, text, f"scale({text})", f"{text}::text"),
            BOOL: (text, f"NOT {text}", f"{text} IS TRUE"),
        }
        return self._random.choice(forms.get(column.type, (text,)))


class PagedComparison(Comparison):
    """Walks over the pages of each query, forwards and backwards, with random sizes and arguments."""

    def _statement(self, source: random.Random, sources: list[Source], facts: SchemaFacts) -> tuple[str, Callable[[], str]]:
        if not any(found.name[0] in "ts" and found.columns[0][1] == INT for found in sources):
            return "", lambda: "without tables"
        writer = PagedWriter(source, sources)
        sql = writer.page()
        return sql, partial(self._walk, source, facts, sql, writer)

    def _walk(self, source: random.Random, facts: SchemaFacts, sql: str, writer: PagedWriter) -> str:
        used = sorted({placeholder_number(token) for token in significant(sql) if token.kind is Kind.PLACEHOLDER})
        numbers = {number: index for index, number in enumerate(used, start=1)}
        optional = frozenset(numbers[number] for number in writer.optional if number in numbers)
        sql = renumbered(sql, numbers)
        types = (*(writer.optional.get(number, INT) for number in used[:-1]), "int8")
        statement = Statement(sql, types, frozenset(), returns_rows=True)
        orders = tuple(Order(f"o{index}", by if index else "", "@order own") for index, by in enumerate(writer.orders))
        query = replace(
            _TEMPLATE,
            sql=sql,
            annotations=Annotations(orders=orders, page="@page"),
            params=tuple(ir.UnprovenParam(number, Identifier(f"p{number}"), "", optional=False) for number in numbers.values()),
            variation=ir.Variation(optional, tuple((order.name, order.by) for order in orders), page=True),
        )
        try:
            described = describe(self._connection, sql, {})
            whole = prove_statement(self._connection, facts, statement)
            cut = cut_variants(self._connection, facts, query, statement, described)
            proof = prove_variants(self._connection, facts, statement, cut, whole)
            proven = prove_orders(self._connection, facts, statement, cut, proof)
            question = VariedQuery(self._connection, facts, query, statement, described, query.variation or ir.Variation())
            if is_volatile(facts, question.tree(sql, types)):
                return "volatile"
            page = prove_pages(question, TypeNames(self._connection), cut, proven, proof)
        except (psycopg.Error, Refused):
            self._run(b"ROLLBACK TO query")
            return "refused"
        except CompileError as error:
            self._run(b"ROLLBACK TO query")
            if any(found.code is Code.UNVERIFIED_VARIANT for found in error.diagnostics):
                raise Contradiction(str(error)) from error
            return f"refused: {error.diagnostics[0].message.partition(': ')[2].split(': ')[-1][:50]}"
        pieces = page_pieces(sql, cut, page)
        for _ in range(_WALKS):
            omitted = frozenset(number for group in cut.groups if source.random() < 0.5 for number in group)
            order = source.choice(page.orders)
            values = {number: source.choice(VALUES[type_name]) for number, type_name in enumerate(types[:-1], start=1)}
            variant = write_variant(sql, cut, len(types), omitted, order.name)
            result = self._execute(variant.sql, [values.get(number, _EVERY) for number in variant.params])
            if result is None:
                return "failed to run"
            compare(proof, result, facts, given=values)
            rows = [tuple(result.get_value(row, column) for column in range(result.nfields)) for row in range(result.ntuples)]
            for backwards in (False, True):
                found = self._pages(source, partial(write_page, pieces, len(types), omitted=omitted), order, values, backwards=backwards)
                self.counts["walks"] += 1
                if found != (rows[::-1] if backwards else rows):
                    way = "backwards" if backwards else "forwards"
                    raise Contradiction(f"{found} on the pages of {order.name}, {way}, without {omitted}, given {values}; not {rows}")
        return "compared"

    def _pages(
        self,
        source: random.Random,
        write: Callable[[Turn], WrittenPage],
        order: PageOrder,
        values: Mapping[int, bytes],
        *,
        backwards: bool,
    ) -> list[tuple[bytes | None, ...]]:
        """Return the rows of all pages."""
        count = max(values, default=0) + 1
        found: list[tuple[bytes | None, ...]] = []
        keys: list[str | None] | None = None
        while True:
            nulls = None if keys is None else tuple(index for index, key in enumerate(keys) if key is None)
            page = write(Turn(order.name, backwards, nulls))
            size = source.randint(1, 4)
            known = {**values, count: b"%d" % (size + 1)}
            known |= {count + 1 + index: key.encode() for index, key in enumerate(keys or []) if key is not None}
            result = self._execute(page.sql, [known[number] for number in page.params])
            if result is None:
                raise Contradiction(f"a page that cannot be read: {page.sql}")
            rows = [tuple(result.get_value(row, column) for column in range(result.nfields)) for row in range(result.ntuples)]
            found += [row[:-1] for row in rows[:size]]
            if len(rows) <= size:
                return found
            keys = keys_of(order, (rows[size - 1][-1] or b"").decode())

    def _execute(self, sql: str, values: Sequence[bytes]) -> pq.abc.PGresult | None:
        result = self._connection.pgconn.exec_params(sql.encode(), values)
        if result.status != pq.ExecStatus.TUPLES_OK:
            self._run(b"ROLLBACK TO query")
            return None
        return result


if __name__ == "__main__":
    main(PagedComparison)
