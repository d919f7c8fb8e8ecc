"""A grammar of random queries, made to be broken by: small domains, many NULLs, joins that find nothing.

Every choice comes from one `random.Random`, so that hypothesis can replay and shrink it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .random_schemas import (
    BOOL,
    CONSTANTS,
    INT,
    INTS,
    MOMENT,
    NUMBER,
    ONES,
    STORED,
    TEXT,
    TYPES,
    WORD,
    Column,
    Schema,
    SchemaWriter,
    Source,
)

_COMPARED = (INT, TEXT, INT, NUMBER, WORD, MOMENT)
_RARE = (NUMBER, WORD, MOMENT, ONES)


def random_schema(source: random.Random) -> Schema:
    """Make a schema with rows, and a view or two of any query over it."""
    writer = SchemaWriter(source)
    writer.tables()
    schema = writer.schema
    for number in range(source.randint(0, 2)):
        query, columns = Writer(source, schema.sources, params=False).select(1)
        named = tuple((f"c{index}", type_name) for index, type_name in enumerate(columns))
        schema.statements.append(f"CREATE VIEW v{number} ({', '.join(name for name, _ in named)}) AS {query}")
        schema.sources.append(Source(f"v{number}", named))
    return schema


@dataclass(frozen=True)
class Embed:
    """The columns of one item of FROM among those of a statement: the first, the last, and the presence column."""

    first: int
    last: int
    absent: int


class Writer:
    """Writes random queries over the sources. `params` are used up to `$2`, both int: `$1` never None, `$2` maybe."""

    def __init__(self, source: random.Random, sources: Sequence[Source], *, params: bool = True) -> None:
        self._random = source
        self._sources = list(sources)
        self._params = params
        self._aliases = 0
        self.embeds: tuple[Embed, ...] = ()

    def statement(self) -> tuple[str, int]:
        """Return a random statement and the number of its columns."""
        self.embeds = ()
        kind = self._random.random()
        if kind < 0.18:
            return self._write()
        if kind < 0.28:
            return self._with()
        if kind < 0.33:
            return self._embedding()
        if kind < 0.43:
            return self._lookup()
        query, columns = self.select(2)
        return query, len(columns)

    def _lookup(self) -> tuple[str, int]:
        """Return a query for the row of a key, in a table alone or joined with another."""
        first, second = (self._random.choice(self._sources) for _ in range(2))
        columns = [Column(f"x.{name}", type_name) for name, type_name in first.columns]
        others = [Column(f"y.{name}", type_name) for name, type_name in second.columns]
        items = f"{first.name} x"
        if self._random.random() < 0.4:
            pairs = [(a, b) for a in columns for b in others if a.type == b.type]
            a, b = self._random.choice(pairs or [(columns[0], columns[0])])
            condition = f"{a.text} {self._random.choice(('=', '=', 'IS NOT DISTINCT FROM'))} {b.text}"
            items += (
                f" {self._random.choice(('JOIN', 'LEFT JOIN', 'RIGHT JOIN'))} {second.name} y ON {condition} AND {self._fixing(others)}"
            )
        conditions = [self._fixing(columns) for _ in range(self._random.choice((0, 1, 2, 2, 3)))]
        where = self._where(columns, (), conditions)
        targets = [column.text for column in columns]
        if self._random.random() < 0.2:
            targets.append(self._random.choice(("moves", "abs")) + f"({next((c.text for c in columns if c.type == INT), '1')})")
        return f"SELECT {', '.join(targets)} FROM {items}{where}", len(targets)

    def _fixing(self, columns: Sequence[Column]) -> str:
        column = self._random.choice(columns)
        value = self._random.choice(
            (*STORED[column.type], *(("$1::int", "$2::int", "app_id()") if column.type == INT and self._params else ()))
        )
        source = self._random.choice([s for s in self._sources if any(type_name == column.type for _, type_name in s.columns)])
        name = self._random.choice([name for name, type_name in source.columns if type_name == column.type])
        own = self._random.choice([name for name, type_name in source.columns if type_name == INT] or ["1"])
        choices = [
            f"{column.text} = {value}",
            f"{column.text} = {value}",
            f"{column.text} IS NOT DISTINCT FROM {value}",
            f"{column.text} IS NULL",
            f"{column.text} IN (SELECT z.{name} FROM {source.name} z WHERE z.{own} = {self._random.choice('012')})",
        ]
        if column.type == TEXT:
            choices.append(f"upper({column.text}) = upper({value})")
        return self._random.choice(choices)

    # --- queries ----------------------------------------------------------------------------------------------------------

    def select(self, depth: int, outer: Sequence[Column] = (), wanted: Sequence[str] | None = None) -> tuple[str, list[str]]:
        """Return a query and the types of its columns; `outer` columns may be named in it."""
        kind = self._random.random()
        if depth and kind < 0.13:
            return self._set_operation(depth, outer, wanted)
        items, columns = self._from(depth, outer) if kind > 0.05 else ("", [])
        where = self._where(columns, outer, [self._condition(columns, outer, depth)] if self._random.random() < 0.5 else [])
        source = f" FROM {items}" if items else ""
        if items and self._random.random() < 0.28:
            return self._grouped(columns, outer, wanted, source + where)
        types = list(wanted) if wanted else [self._type() for _ in range(self._random.randint(1, 4))]
        targets = [self._target(columns, outer, depth, type_name, windows=bool(items)) for type_name in types]
        distinct = "DISTINCT " if self._random.random() < 0.08 else ""
        return f"SELECT {distinct}{', '.join(targets)}{source}{where}{self._limit()}", types

    def _where(self, columns: Sequence[Column], outer: Sequence[Column], conditions: list[str]) -> str:  # noqa: ARG002 - for writers of variants
        """Return the WHERE of a query with these conditions."""
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _inner(self, sources: Sequence[Source]) -> Writer:
        """Return a writer for the statement after WITH."""
        writer = Writer(self._random, sources, params=self._params)
        writer._aliases = self._aliases
        return writer

    def _type(self) -> str:
        return self._random.choice(_RARE if self._random.random() < 0.08 else TYPES)

    def _embedding(self) -> tuple[str, int]:
        """A query that returns all columns of tables, views and subqueries, as sqlc.embed does, and whether each has a row."""
        text, columns = self._from(1, ())
        where = f" WHERE {self._condition(columns, (), 0)}" if self._random.random() < 0.4 else ""
        widths: dict[str, int] = {}
        for column in columns:
            item = column.text.partition(".")[0]
            widths[item] = widths.get(item, 0) + 1
        embeds: list[Embed] = []
        place = 0
        for index, (item, width) in enumerate(widths.items()):
            if f"{item}.g" not in {column.text for column in columns}:  # as a whole, what a function returns is its value
                embeds.append(Embed(place, place + width, sum(widths.values()) + index))
            place += width
        self.embeds = tuple(embeds)
        stars = [f"{item}.*" for item in widths]
        absent = [f"to_jsonb({item}) IS NULL" for item in widths]
        return f"SELECT {', '.join([*stars, *absent])} FROM {text}{where}", place + len(widths)

    def _limit(self) -> str:
        return self._random.choice(("", "", "", "", " LIMIT 1", " LIMIT 2", " OFFSET 1", " LIMIT 0"))

    def _target(self, columns: Sequence[Column], outer: Sequence[Column], depth: int, type_name: str, *, windows: bool) -> str:
        if windows and type_name == INT and self._random.random() < 0.1:
            return self._window(columns, outer)
        if windows and type_name == INT and self._random.random() < 0.03:
            return self._set()
        return self.expression(columns, outer, depth, type_name)

    def _set(self) -> str:
        return self._random.choice(
            (
                "generate_series(1, 2)",
                "generate_series(1, $1::int)" if self._params else "generate_series(1, 0)",
                "@@@ 1",
                f"abs(unnest({self._random.choice(CONSTANTS[INTS])}))",
                f"unnest({self._random.choice(CONSTANTS[INTS])})",
            )
        )

    def _window(self, columns: Sequence[Column], outer: Sequence[Column]) -> str:
        value = self.expression(columns, outer, 0, INT)
        call = self._random.choice(
            (
                "row_number()",
                "rank()",
                f"sum({value})",
                f"max({value})",
                f"lag({value})",
                f"lead({value}, 1, 0)",
                f"first_value({value})",
                f"last_value({value})",
                f"count({value})",
                "ntile(2)",
            )
        )
        if call.startswith(("sum", "max", "count")) and self._random.random() < 0.2:
            call += f" FILTER (WHERE {self._condition(columns, outer, 0)})"
        frame = self._random.choice(
            (
                "",
                "",
                " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
                " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
                " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
                " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE TIES",
            )
        )
        partition = f"PARTITION BY {self.expression(columns, outer, 0, INT)} " if self._random.random() < 0.5 else ""
        return f"({call} OVER ({partition}ORDER BY {self.expression(columns, outer, 0, INT)}{frame}))::int"

    def _set_operation(self, depth: int, outer: Sequence[Column], wanted: Sequence[str] | None) -> tuple[str, list[str]]:
        left, types = self.select(depth - 1, outer, wanted)
        right, _ = self.select(depth - 1, outer, types)
        operation = self._random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"))
        return f"({left}) {operation} ({right})", types

    def _grouped(
        self, columns: Sequence[Column], outer: Sequence[Column], wanted: Sequence[str] | None, tail: str
    ) -> tuple[str, list[str]]:
        keys = [
            Column(self.expression(columns, outer, 0, t), t)
            for t in (self._random.choice((INT, TEXT, BOOL)) for _ in range(self._random.randint(0, 2)))
        ]
        keys = [key for key in keys if any(c.text in key.text for c in columns)]
        types = list(wanted) if wanted else [self._random.choice(TYPES) for _ in range(self._random.randint(1, 3))]
        targets: list[str] = []
        for type_name in types:
            fitting = [key for key in keys if key.type == type_name]
            if fitting and self._random.random() < 0.5:
                targets.append(self._wrapped(self._random.choice(fitting).text, type_name))
            elif self._params and type_name == INT and self._random.random() < 0.25:
                targets.append(self._random.choice(("$1::int", "$2::int", f"coalesce({self._aggregate(columns, outer, INT)}, $2::int)")))
            else:
                targets.append(self._aggregate(columns, outer, type_name))
        group = ""
        if keys:
            texts = [key.text for key in keys]
            group = " GROUP BY " + self._random.choice(
                (
                    ", ".join(texts),
                    ", ".join(texts),
                    f"ROLLUP ({', '.join(texts)})",
                    f"CUBE ({', '.join(texts)})",
                    f"GROUPING SETS ({', '.join(f'({t})' for t in texts)})",
                    f"GROUPING SETS ({', '.join(f'({t})' for t in texts)}, ())",
                )
            )
        elif self._random.random() < 0.1:
            group = " GROUP BY ()"
        having = f" HAVING {self._having(columns, outer, keys)}" if self._random.random() < 0.3 else ""
        return f"SELECT {', '.join(targets)}{tail}{group}{having}{self._limit()}", types

    def _wrapped(self, text: str, type_name: str) -> str:
        return self._random.choice(
            (text, text, f"coalesce({text}, {self._random.choice(STORED[type_name])})", f"CASE WHEN {text} IS NOT NULL THEN {text} END")
        )

    def _aggregate(self, columns: Sequence[Column], outer: Sequence[Column], type_name: str) -> str:
        value = self.expression(columns, outer, 0, type_name)
        number = self.expression(columns, outer, 0, INT)
        calls = {
            INT: (f"count({value})::int", "count(*)::int", f"max({number})", f"sum({number})::int", f"min({number})"),
            TEXT: (f"max(({value})::text)", f"string_agg({value}, ',')", f"(mode() WITHIN GROUP (ORDER BY {value}))"),
            BOOL: (f"bool_and({value})", f"bool_or({value})", f"count({value}) > 1"),
            INTS: (f"array_agg({number})", f"array_agg({self.expression(columns, outer, 0, INTS)})"),
            **dict.fromkeys(_RARE, (f"(array_agg({value}))[1]",)),
        }
        call = self._random.choice(calls[type_name])
        if self._random.random() < 0.15 and ")::" not in call and ") >" not in call and "WITHIN" not in call:
            call += f" FILTER (WHERE {self._condition(columns, outer, 0)})"
        return call

    def _having(self, columns: Sequence[Column], outer: Sequence[Column], keys: Sequence[Column]) -> str:
        options = [f"{self._aggregate(columns, outer, INT)} > 0", f"{self._aggregate(columns, outer, TEXT)} IS NOT NULL"]
        options += [f"{key.text} IS NOT NULL" for key in keys]
        return self._random.choice(options)

    def _with(self) -> tuple[str, int]:
        name = self._alias("w")
        if self._random.random() < 0.3:
            first, step = self.expression([], (), 0, INT), self.expression([Column(f"{name}.v", INT)], (), 0, INT)
            source = self._random.choice([s for s in self._sources if s.writable])
            join = self._random.choice(
                (
                    f"{name}",
                    f"{name} LEFT JOIN {source.name} ON {source.name}.k = {name}.n",
                    f"{name} JOIN {source.name} ON {source.name}.k = {name}.n",
                )
            )
            other = f"{source.name}.k" if "JOIN" in join else step
            columns_of_step = f"{name}.n + 1, {self._random.choice((other, step))}, {name}.{self._random.choice('vw')}"
            body = f"SELECT 0, {first}, 1 UNION ALL SELECT {columns_of_step} FROM {join} WHERE {name}.n < 3"
            with_clause = f"WITH RECURSIVE {name}(n, v, w) AS ({body})"
            columns: tuple[tuple[str, str], ...] = (("n", INT), ("v", INT), ("w", INT))
        else:
            query, types = self.select(1)
            columns = tuple((f"c{index}", t) for index, t in enumerate(types))
            hint = self._random.choice(("", "MATERIALIZED ", "NOT MATERIALIZED "))
            with_clause = f"WITH {name}({', '.join(c for c, _ in columns)}) AS {hint}({query})"
        writer = self._inner([*self._sources, Source(name, columns), Source(name, columns)])
        main, types = writer.select(1)
        return f"{with_clause} {main}", len(types)

    # --- FROM ---------------------------------------------------------------------------------------------------------------

    def _alias(self, prefix: str) -> str:
        self._aliases += 1
        return f"{prefix}{self._aliases}"

    def _from(self, depth: int, outer: Sequence[Column]) -> tuple[str, list[Column]]:
        text, columns = self._item(depth, outer, [])
        for _ in range(self._random.choice((0, 0, 1, 1, 1, 2, 3))):
            if self._random.random() < 0.2:
                right, more = self._from(0, outer)
            else:
                right, more = self._item(depth, outer, columns)
            kind = self._random.choice(("JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ","))
            if kind == ",":
                text, columns = f"({text} CROSS JOIN {right})", [*columns, *more]
                continue
            condition = "" if kind == "CROSS JOIN" else f" ON {self._join_condition(kind, columns, more, outer)}"
            text, columns = f"({text} {kind} {right}{condition})", [*columns, *more]
        return text, columns

    def _join_condition(self, kind: str, left: Sequence[Column], right: Sequence[Column], outer: Sequence[Column]) -> str:
        pairs = [(a, b) for a in left for b in right if a.type == b.type and a.type in (INT, NUMBER, MOMENT)]
        if pairs and (kind == "FULL JOIN" or self._random.random() < 0.75):
            a, b = self._random.choice(pairs)
            equality = f"{a.text} = {b.text}"
            if kind != "FULL JOIN" and self._random.random() < 0.3:
                return f"{equality} AND {self._condition([*left, *right], outer, 0)}"
            return equality
        return "true" if kind == "FULL JOIN" else self._condition([*left, *right], outer, 0)

    def _item(self, depth: int, outer: Sequence[Column], before: Sequence[Column]) -> tuple[str, list[Column]]:
        alias = self._alias("r")
        kind = self._random.random()
        if depth and kind < 0.14:
            query, types = self.select(depth - 1, outer)
            names = [f"c{index}" for index in range(len(types))]
            return f"({query}) {alias}({', '.join(names)})", [Column(f"{alias}.{n}", t) for n, t in zip(names, types, strict=True)]
        if depth and before and kind < 0.22:
            query, types = self.select(depth - 1, [*outer, *before])
            names = [f"c{index}" for index in range(len(types))]
            return f"LATERAL ({query}) {alias}({', '.join(names)})", [Column(f"{alias}.{n}", t) for n, t in zip(names, types, strict=True)]
        if kind < 0.28:
            rows = [
                f"({self._random.choice(CONSTANTS[INT])}, {self._random.choice(CONSTANTS[TEXT])})"
                for _ in range(self._random.randint(1, 2))
            ]
            return f"(VALUES {', '.join(rows)}) {alias}(i, s)", [Column(f"{alias}.i", INT), Column(f"{alias}.s", TEXT)]
        if kind < 0.33:
            lateral = [c.text for c in before if c.type == INTS] or list(CONSTANTS[INTS])
            composites = [c.text for c in before if c.type == ONES] or list(CONSTANTS[ONES])
            call = self._random.choice(
                (
                    "generate_series(0, 2)",
                    f"unnest({self._random.choice(lateral)})",
                    f"unnest({self._random.choice(composites)})",
                    f"unnest({self._random.choice(CONSTANTS[ONES])})",
                )
            )
            return f"{call} {alias}(g)", [Column(f"{alias}.g", INT)]
        if kind < 0.35:
            value = self._random.choice(("floor(random() * 3)::int", "nullif(floor(random() * 2)::int, 0)"))
            body = self._random.choice((f"(SELECT {value})", f"(VALUES ({value}))", f"LATERAL (SELECT {value})"))
            return f"{body} {alias}(i)", [Column(f"{alias}.i", INT)]
        if kind < 0.39:
            chosen = self._random.choice([source for source in self._sources if source.writable])
            locked = self._random.choice(("", " FOR UPDATE", " FOR UPDATE SKIP LOCKED"))
            return f"(SELECT z.k FROM {chosen.name} z ORDER BY z.k LIMIT 1{locked}) {alias}(i)", [Column(f"{alias}.i", INT)]
        source = self._random.choice(self._sources)
        return f"{source.name} {alias}", [Column(f"{alias}.{name}", type_name) for name, type_name in source.columns]

    # --- expressions ----------------------------------------------------------------------------------------------------------

    def expression(self, columns: Sequence[Column], outer: Sequence[Column], depth: int, type_name: str, level: int = 0) -> str:
        """Return an expression of the type."""
        fitting = [c for c in columns if c.type == type_name]
        if outer and self._random.random() < 0.2:
            fitting += [c for c in outer if c.type == type_name]
        roll = self._random.random()
        if fitting and (roll < 0.55 or level > 2):
            return self._random.choice(fitting).text
        if level > 2 or roll < 0.65:
            if self._params and type_name == INT and self._random.random() < 0.3:
                return self._random.choice(("$1::int", "$2::int"))
            return self._random.choice(CONSTANTS[type_name])

        def sub(kind: str) -> str:
            return self.expression(columns, outer, depth, kind, level + 1)

        general: list[Callable[[], str]] = [
            lambda: f"coalesce({sub(type_name)}, {sub(type_name)})",
            lambda: f"CASE WHEN {self._condition(columns, outer, depth, level + 1)} THEN {sub(type_name)} ELSE {sub(type_name)} END",
            lambda: f"CASE WHEN {self._condition(columns, outer, depth, level + 1)} THEN {sub(type_name)} END",
            lambda: f"CASE {sub(INT)} WHEN {sub(INT)} THEN {sub(type_name)} ELSE {sub(type_name)} END",
            lambda: f"nullif({sub(type_name)}, {sub(type_name)})",
            lambda: f"greatest({sub(type_name)}, {sub(type_name)})",
        ]
        special: dict[str, list[Callable[[], str]]] = {
            INT: [
                lambda: f"({sub(INT)} + {sub(INT)})",
                lambda: f"length({sub(TEXT)})",
                lambda: f"cardinality({sub(INTS)})",
                lambda: f"array_length({sub(INTS)}, 1)",
                lambda: f"({sub(INTS)})[1]",
                lambda: f"{self._random.choice(('abs', 'abs', 'moves'))}({sub(INT)})",
            ],
            TEXT: [
                lambda: f"({sub(TEXT)} || {sub(TEXT)})",
                lambda: f"upper({sub(TEXT)})",
                lambda: f"concat({sub(TEXT)}, {sub(TEXT)})",
                lambda: f"({sub(INT)})::text",
                lambda: f"substring({sub(TEXT)} from 'a')",
            ],
            BOOL: [lambda: self._condition(columns, outer, depth, level + 1)],
            INTS: [
                lambda: f"ARRAY[{sub(INT)}, {sub(INT)}]",
                lambda: f"array_append({sub(INTS)}, {sub(INT)})",
                lambda: f"({sub(INTS)} || {sub(INTS)})",
                lambda: f"({sub(INTS)})[1:1]",
                lambda: self._random.choice(("ARRAY[[1, 2]]", "ARRAY[[1], [NULL]]::int[]", f"ARRAY[{sub(INTS)}]")),
                lambda: f"array_remove({sub(INTS)}, {sub(INT)})",
            ],
        }
        choices = [*general, *special.get(type_name, []), *special.get(type_name, [])]
        if depth:
            choices.append(lambda: self._scalar(columns, outer, depth, type_name))
            if type_name == INTS:
                choices.append(lambda: f"ARRAY({self.select(depth - 1, [*outer, *columns], [self._random.choice((INT, INTS))])[0]})")
        return self._random.choice(choices)()

    def _scalar(self, columns: Sequence[Column], outer: Sequence[Column], depth: int, type_name: str) -> str:
        query, _ = self.select(depth - 1, [*outer, *columns], [type_name])
        return f"(SELECT * FROM ({query}) q{self._alias('x')} LIMIT 1)" if self._random.random() < 0.5 else f"({query})"

    def _condition(self, columns: Sequence[Column], outer: Sequence[Column], depth: int, level: int = 0) -> str:
        def sub(kind: str) -> str:
            return self.expression(columns, outer, depth, kind, level + 1)

        def more() -> str:
            return self._condition(columns, outer, depth, level + 1)

        kind = self._random.choice(_COMPARED)
        simple: list[Callable[[], str]] = [
            lambda: f"{sub(kind)} {self._random.choice(('=', '=', '<>', '<', '>='))} {sub(kind)}",
            lambda: f"{sub(INT)} = {self._random.choice(('1', '0', 'app_id()', '$1::int' if self._params else '1'))}",
            lambda: f"{sub(kind)} = {self._random.choice(CONSTANTS[kind])}",
            lambda: f"{sub(kind)} IS NOT NULL",
            lambda: f"{sub(kind)} IS NULL",
            lambda: self._random.choice((f"{sub(kind)} = NULL", f"NULL = {sub(kind)}")),
            lambda: f"{sub(INT)} <> ALL (ARRAY[{sub(INTS)}])",
            lambda: f"{sub(INT)} = ANY (ARRAY[{sub(INTS)}, {sub(INTS)}])",
            lambda: f"({sub(TEXT)})::text IS {self._random.choice(('', 'NOT '))}DISTINCT FROM 1",
            lambda: f"(({sub(TEXT)})::text = 1) IS {self._random.choice(('', 'NOT '))}UNKNOWN",
            lambda: f"({sub(INT)}, {sub(INT)}) {self._random.choice(('<', '>=', '='))} ({sub(INT)}, {sub(INT)})",
            lambda: f"({sub(INT)}, {sub(TEXT)}) IS {self._random.choice(('', 'NOT '))}NULL",
            lambda: f"{sub(INT)} IS {self._random.choice(('', 'NOT '))}DISTINCT FROM {sub(INT)}",
            lambda: f"{sub(INT)} = ANY ({sub(INTS)})",
            lambda: f"{sub(INT)} <> ALL ({sub(INTS)})",
            lambda: f"{sub(INT)} {self._random.choice(('', 'NOT '))}IN ({sub(INT)}, {sub(INT)})",
            lambda: f"({sub(BOOL)}) IS {self._random.choice(('TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE', 'UNKNOWN', 'NOT UNKNOWN'))}",
        ]
        if level < 3:
            simple += [
                lambda: f"({more()} AND {more()})",
                lambda: f"({more()} AND {more()})",
                lambda: f"({more()} OR {more()})",
                lambda: f"(NOT {more()})",
            ]
        if depth and level < 2:
            simple += [
                lambda: f"EXISTS ({self.select(depth - 1, [*outer, *columns])[0]})",
                lambda: f"{sub(INT)} {self._random.choice(('', 'NOT '))}IN ({self.select(depth - 1, [*outer, *columns], [INT])[0]})",
                lambda: f"{sub(INT)} >= {self._random.choice(('ANY', 'ALL'))} ({self.select(depth - 1, [*outer, *columns], [INT])[0]})",
            ]
        return self._random.choice(simple)()

    # --- statements that write --------------------------------------------------------------------------------------------------

    def _write(self) -> tuple[str, int]:
        target = self._random.choice([s for s in self._sources if s.writable])
        own = [Column(f"{target.name}.{name}", type_name) for name, type_name in target.columns]
        kind = self._random.choice(("insert", "insert", "insert", "update", "update", "update", "delete", "delete", "merge"))
        if kind == "insert":
            return self._insert(target, own)
        if kind == "merge":
            return self._merge(target, own)
        join, more = "", list[Column]()
        if self._random.random() < 0.4:
            items, more = self._from(1, ())
            join = f" {'FROM' if kind == 'update' else 'USING'} {items}"
        where = f" WHERE {self._condition([*own, *more], (), 1)}" if self._random.random() < 0.5 else ""
        if self._random.random() < 0.4:
            keys = ["0", "1", "$1::int", *(column.text for column in more if column.type == INT)]
            where = f" WHERE {target.name}.k = {self._random.choice(keys)}"
        returning = [self.expression([*own, *more], (), 1, self._random.choice(TYPES)) for _ in range(3)]
        if kind == "delete":
            return f"DELETE FROM {target.name}{join}{where} RETURNING {', '.join(returning)}", 3
        name, type_name = self._random.choice(target.columns)
        if type_name == INTS and self._random.random() < 0.4:
            assigned = self._random.choice((f"{name}[$1::int + 2] = 1", f"{name}[2:3] = ARRAY[1, NULL]", f"{name}[4] = 1"))
            return f"UPDATE {target.name} SET {assigned}{join}{where} RETURNING {target.name}.{name}, {', '.join(returning)}", 4
        value = self.expression([*own, *more], (), 1, type_name)
        return f"UPDATE {target.name} SET {name} = {value}{join}{where} RETURNING {target.name}.{name}, {', '.join(returning)}", 4

    def _insert(self, target: Source, own: Sequence[Column]) -> tuple[str, int]:
        chosen = [c for c in target.columns if c[0] in target.required or self._random.random() < 0.5] or list(target.columns[:1])
        names = ", ".join(name for name, _ in chosen)
        rows = [", ".join(self._value(name, t, target) for name, t in chosen) for _ in range(self._random.choice((1, 1, 2)))]
        if self._random.random() < 0.2:
            body = f"SELECT {rows[0]}" + self._random.choice(("", " WHERE $1::int > 0" if self._params else " WHERE true"))
        else:
            body = "VALUES " + ", ".join(f"({row})" for row in rows)
        name, type_name = self._random.choice(target.columns)
        excluded = [Column(f"excluded.{c}", t) for c, t in target.columns]
        value = self.expression([*own, *excluded], (), 0, type_name)
        update = f" ON CONFLICT (k) DO UPDATE SET {name} = {value}"
        filtered = f"{update} WHERE {self._condition([*own, *excluded], (), 0)}"
        conflict = self._random.choice(("", "", " ON CONFLICT DO NOTHING", update, filtered))
        returning = [c.text for c in own]
        return f"INSERT INTO {target.name} ({names}) {body}{conflict} RETURNING {', '.join(returning)}", len(returning)

    def _merge(self, target: Source, own: Sequence[Column]) -> tuple[str, int]:
        items, columns = self._item(0, (), [])
        join = [c for c in columns if c.type == INT]
        condition = f"{target.name}.k = {self._random.choice(join).text if join else '1'}"
        name, type_name = self._random.choice(target.columns)
        key = self._random.choice(("9", "$1::int", "generate_series(8, 9)"))
        required = [(c, self._value(c, t, target)) for c, t in target.columns if c in target.required and c != "k"]
        names = ", ".join(["k", *(column for column, _ in required)])
        values = ", ".join([key, *(value for _, value in required)])
        clauses = [
            f"WHEN MATCHED THEN UPDATE SET {name} = {self.expression([*own, *columns], (), 0, type_name)}",
            "WHEN MATCHED THEN DELETE",
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})",
            "WHEN NOT MATCHED BY SOURCE THEN DELETE",
        ]
        chosen = self._random.sample(clauses, self._random.choice((1, 1, 2)))
        returning = [c.text for c in (*own, *columns)]
        if self._random.random() < 0.3:
            returning += [f"old.{name}", f"new.{name}"]
        return f"MERGE INTO {target.name} USING {items} ON {condition} {' '.join(chosen)} RETURNING {', '.join(returning)}", len(returning)

    def _value(self, name: str, type_name: str, target: Source) -> str:
        if name == "k":
            return self._set() if self._random.random() < 0.1 else self._random.choice(("1", "7", "8", "9"))
        if type_name == INT and self._random.random() < 0.06:
            return self._set()
        if name in target.required:
            return self._random.choice(STORED[type_name])
        return self.expression([], (), 1, type_name)
