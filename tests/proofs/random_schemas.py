"""Random schemas with rows, made to be broken by: few values, many NULLs, and much between a name and the rows that it stands for.

Tables get their columns in odd ways (LIKE, DO blocks, dropped columns, inheritance, partitions of another column order), views stand on
views, and triggers and rules act on what is written through them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

INT, TEXT, BOOL, INTS = "int", "text", "boolean", "int[]"
NUMBER, WORD, MOMENT, ONES = "number", "word", "moment", "one[]"
"""The types of columns. NUMBER, WORD and MOMENT are families: their columns are of several types that can be compared with each other."""

TYPES = (INT, INT, INT, TEXT, BOOL, INTS)
DECLARED = {
    NUMBER: ("bigint", "smallint", "real", "double precision", "numeric"),
    WORD: ("varchar(3)", "char(3)", "name", "text", "shout"),
    MOMENT: ("date", "timestamp", "timestamptz"),
    INTS: ("int[]", "int[]", "int[]", "codes"),
}
CONSTANTS = {
    INT: ("0", "1", "2", "NULL::int"),
    TEXT: ("''", "'a'", "'b'", "NULL::text"),
    BOOL: ("true", "false", "NULL::boolean"),
    INTS: ("'{}'::int[]", "ARRAY[1,2]", "ARRAY[1,NULL]::int[]", "NULL::int[]"),
    NUMBER: ("1", "0.5::real", "0.5::float8", "'NaN'::float8", "'-0'::float8", "1.00::numeric", "NULL::bigint"),
    WORD: ("'a'::text", "'a '::char(3)", "'A'::shout", "'a'::name", "NULL::varchar"),
    MOMENT: (
        "'2011-12-30'::date",
        "'2011-12-31'::date",
        "'2011-12-30 00:00'::timestamp",
        "'2011-12-31 00:00'::timestamp",
        "'2011-12-30 10:00+00'::timestamptz",
        "'2011-12-31 00:00+00'::timestamptz",
        "NULL::date",
    ),
    ONES: ("'{}'::one[]", "ARRAY[ROW(NULL)::one]", "ARRAY[ROW(1)::one, NULL]", "NULL::one[]"),
}
STORED = {
    INT: ("0", "1", "2"),
    TEXT: ("''", "'a'", "'b'"),
    BOOL: ("true", "false"),
    INTS: ("'{}'", "'{1}'", "'{1,2}'"),
    NUMBER: ("0", "1", "0", "'1'"),
    WORD: ("'a'", "'b'", "'a '"),
    MOMENT: ("'2011-12-30'", "'2011-12-31'", "'2011-12-30 10:00'"),
    ONES: ("'{}'", "ARRAY[ROW(NULL)::one]", "ARRAY[ROW(1)::one]"),
}
SETTINGS = (
    "TimeZone = 'Pacific/Apia'",
    "TimeZone = 'UTC'",
    "transform_null_equals = on",
    "array_nulls = off",
    "DateStyle = 'German'",
    "join_collapse_limit = 1",
    "enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off",
    "ROLE pg_monitor",
    "ROLE pg_monitor; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off",
)
"""What a session may be set to. The proofs are made without."""

BEGINNING = (
    "CREATE DOMAIN kept AS int NOT NULL",
    "CREATE DOMAIN shout AS text CHECK (VALUE <> 'quiet')",
    "CREATE TYPE one AS (v int)",
    "CREATE FUNCTION forgets(text, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT NULL::boolean'",
    "CREATE OPERATOR = (LEFTARG = text, RIGHTARG = int, FUNCTION = forgets)",
    "CREATE FUNCTION up_to(int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT generate_series(1, $1)'",
    "CREATE OPERATOR @@@ (RIGHTARG = int, FUNCTION = up_to)",
    "CREATE DOMAIN codes AS int[]",
    """CREATE FUNCTION app_id() RETURNS int LANGUAGE sql STABLE AS $$
        SELECT coalesce(nullif(current_setting('app.id', true), ''), '1')::int
    $$""",
    """CREATE FUNCTION moves(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('app.id', ((coalesce(n, 0) + 1) % 4)::text, true); RETURN n;
    END $$""",
    "CREATE FUNCTION sees(n int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN random() < 0.7 AND moves(n) IS NOT NULL; END'",
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO pg_monitor",
    """CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM moves(CASE TG_OP WHEN 'DELETE' THEN OLD.k ELSE NEW.k END);
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        IF NEW.k = 7 THEN RETURN NULL; END IF;
        RETURN jsonb_populate_record(NEW, TG_ARGV[0]::jsonb);
    END $$""",
)
"""What every schema uses, made once for all of them."""


@dataclass(frozen=True)
class Column:
    """A column that a query can name."""

    text: str
    type: str


@dataclass(frozen=True)
class Source:
    """Something that FROM can name: a table or view with its columns, in its order."""

    name: str
    columns: tuple[tuple[str, str], ...]
    writable: bool = False
    required: frozenset[str] = frozenset()


@dataclass
class Schema:
    """A random schema: the statements that make it, each of which may be refused, and what there is to query."""

    statements: list[str] = field(default_factory=list[str])
    sources: list[Source] = field(default_factory=list[Source])
    settings: str = ""


class SchemaWriter:
    """Writes a random schema; views of any kind are added by who knows queries."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self.schema = Schema()
        if source.random() < 0.3:
            self.schema.settings = source.choice(SETTINGS)

    def tables(self) -> None:
        """Make two or three tables with rows, and simple views over them."""
        for number in range(self._random.randint(2, 3)):
            self._table(f"t{number}")
        for number in range(self._random.choice((0, 1, 1, 2, 3))):
            self._simple_view(f"s{number}")

    def _columns(self, name: str) -> tuple[list[tuple[str, str]], list[str], set[str]]:
        chance = self._random
        key = chance.choice(
            (
                "PRIMARY KEY",
                "PRIMARY KEY",
                "PRIMARY KEY",
                "PRIMARY KEY",
                "NOT NULL",
                "UNIQUE",
                "PRIMARY KEY CHECK (k = 1)",
                "UNIQUE CHECK (k = 1)",
            )
        )
        columns, definitions = [("k", INT)], [f"k int {key}"]
        required = {"k"} if not key.startswith("UNIQUE") else set[str]()
        for number in range(chance.randint(2, 4)):
            type_name = chance.choice(TYPES) if chance.random() < 0.8 else chance.choice((NUMBER, WORD, MOMENT, ONES))
            declared = chance.choice(DECLARED.get(type_name, (type_name,)))
            column = f"{'abcd'[number]}{name[1:]}" if chance.random() < 0.5 else "abcd"[number]
            columns.append((column, type_name))
            kind = chance.random()
            unique = " UNIQUE" if type_name in DECLARED and type_name != INTS and chance.random() < 0.7 else ""
            if kind < 0.35:
                definitions.append(f"{column} {declared} NOT NULL{unique}")
                required.add(column)
            elif kind < 0.42 and type_name == INT:
                definitions.append(f"{column} kept")
                required.add(column)
            elif kind < 0.5 and type_name in (INT, TEXT):
                definitions.append(f"{column} {declared} UNIQUE{chance.choice(('', '', ' DEFERRABLE'))}")
            elif kind < 0.55 and type_name == INT:
                definitions.append(f"{column} {declared} {chance.choice(('DEFAULT 1', 'CHECK (' + column + ' IS NOT NULL)'))}")
            elif kind < 0.7 and type_name == INTS:
                definitions.append(f"{column} {declared} DEFAULT ARRAY[1, NULL]")
            else:
                definitions.append(f"{column} {declared}{unique}")
        return columns, definitions, required

    def _table(self, name: str) -> None:
        columns, definitions, required = self._columns(name)
        made = self._random.random()
        if made < 0.08:
            columns = self._partitioned(name, columns, definitions)
        elif made < 0.2:
            columns = self._assembled(name, columns, definitions)
        else:
            self._add(f"CREATE TABLE {name} ({', '.join(definitions)})")
        if made >= 0.08 and self._random.random() < 0.08:
            self._add(f"CREATE TABLE {name}_child (extra int) INHERITS ({name})")
            arrays = [column for column, type_name in columns if type_name == INTS]
            own = ", ".join(["1", *("'{}'" for _ in arrays)])
            self._add(f"INSERT INTO {name}_child ({', '.join(['k', *arrays])}) VALUES ({own})")
        if self._random.random() < 0.5:
            self._add(self._unique_index(name, columns))
        self.schema.sources.append(Source(name, tuple(columns), writable=True, required=frozenset(required)))
        for row in range(self._random.randint(0, 4)):
            values = [
                str(row)
                if column == "k" and column in required
                else "NULL"
                if column not in required and self._random.random() < 0.45
                else self._random.choice(STORED[type_name])
                for column, type_name in columns
            ]
            names = ", ".join(column for column, _ in columns)
            self._add(f"INSERT INTO {name} ({names}) VALUES ({', '.join(values)}) ON CONFLICT DO NOTHING")
        if self._random.random() < 0.2:
            self._interference(name, columns, view=False)
        if self._random.random() < 0.15:
            self._add(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
            seen = self._random.choice(("sees(k)", "k = app_id()", "sees((SELECT max(z.k) FROM t0 z))", "k < 3"))
            self._add(f"CREATE POLICY {name}_p ON {name} USING ({seen}) WITH CHECK (true)")
        if self._random.random() < 0.15:
            self._add(
                f"CREATE UNIQUE INDEX ON {name} ({self._random.choice(columns)[0]}) WHERE {self._random.choice(columns)[0]} IS NOT NULL"
            )

    def _unique_index(self, table: str, columns: list[tuple[str, str]]) -> str:
        """A unique index over columns and expressions, in which NULLs may be equal."""
        expressions = {
            INT: ("{}", "{}", "abs({})", "({} / 2)", "nullif({}, 1)"),
            TEXT: ("{}", "upper({})", "length({})", "nullif({}, 'a')"),
            BOOL: ("{}", "(NOT {})"),
            INTS: ("{}", "cardinality({})"),
            NUMBER: ("{}", "({}::numeric::text)"),
            WORD: ("{}", "octet_length({}::text)", "octet_length({})"),
        }
        chosen = self._random.sample(columns, min(len(columns), self._random.choice((1, 2, 2))))
        keys = [self._random.choice(expressions.get(type_name, ("{}",))).format(column) for column, type_name in chosen]
        keys = ["(true)"] if self._random.random() < 0.05 else keys
        return f"CREATE UNIQUE INDEX ON {table} ({', '.join(keys)}){self._random.choice(('', ' NULLS NOT DISTINCT'))}"

    def _partitioned(self, name: str, columns: list[tuple[str, str]], definitions: list[str]) -> list[tuple[str, str]]:
        plain = [definition.replace(" UNIQUE", "").replace(" DEFERRABLE", "") for definition in definitions]
        self._add(f"CREATE TABLE {name} ({', '.join(plain)}) PARTITION BY LIST (k)")
        self._add(f"CREATE TABLE {name}_one PARTITION OF {name} FOR VALUES IN (0, 2, 4, 8)")
        turned = [definition.replace(" PRIMARY KEY", " NOT NULL") for definition in reversed(plain)]
        self._add(f"CREATE TABLE {name}_rest ({', '.join(turned)})")
        self._add(f"ALTER TABLE {name} ATTACH PARTITION {name}_rest DEFAULT")
        if self._random.random() < 0.5:
            self._interference(f"{name}_rest", columns, view=False)
        return columns

    def _assembled(self, name: str, columns: list[tuple[str, str]], definitions: list[str]) -> list[tuple[str, str]]:
        """Make a table in a way that a reader of the text sees its columns in another order, or not at all."""
        *first, last = definitions
        match self._random.choice(("like", "do", "dropped", "stub")):
            case "like":
                self._add(f"CREATE TABLE {name}_model ({', '.join(definitions[1:])})")
                self._add(f"CREATE TABLE {name} (extra text, LIKE {name}_model INCLUDING ALL, {definitions[0]})")
                return [("extra", TEXT), *columns[1:], columns[0]]
            case "do":
                self._add(f"CREATE TABLE {name} ({', '.join(first)})")
                self._add(f"DO $$ BEGIN EXECUTE 'ALTER TABLE {name} ADD {last}'; END $$")
                return columns
            case "dropped":
                self._add(f"CREATE TABLE {name} (gone int, {', '.join(first)}, gone_too text NOT NULL, {last})")
                self._add(f"ALTER TABLE {name} DROP gone, DROP gone_too")
                return columns
            case _:
                self._add(f"CREATE TABLE {name} ({', '.join(first)})")
                self._add(f"CREATE TABLE IF NOT EXISTS {name} ({last}, k int)")
                self._add(f"ALTER TABLE {name} ADD {last}")
                return columns

    def _interference(self, name: str, columns: list[tuple[str, str]], *, view: bool) -> None:
        """A trigger or a rule that acts on what is written to a table or through a view."""
        column = self._random.choice(columns)[0]
        other = self._random.choice(self.schema.sources) if self.schema.sources else None
        event = self._random.choice(("INSERT", "UPDATE", "DELETE"))
        if self._random.random() < 0.65:
            timing = "INSTEAD OF" if view else "BEFORE"
            events = event if view else self._random.choice(("INSERT", "UPDATE", "INSERT OR UPDATE", "DELETE"))
            self._add(f"CREATE TRIGGER {name}_t {timing} {events} ON {name} FOR EACH ROW EXECUTE FUNCTION meddle('{{\"{column}\": null}}')")
        elif other is not None:
            nulls = ", ".join(f"NULL::{DECLARED.get(t, (t,))[0]}" for _, t in columns)
            returned = f" RETURNING {nulls}"
            action = self._random.choice(
                (
                    "NOTHING",
                    f"UPDATE {other.name} SET k = k{returned}",
                    f"DELETE FROM {other.name}{returned}",
                )
            )
            also = self._random.choice(("INSTEAD", "INSTEAD", "ALSO"))
            action = "NOTHING" if also == "ALSO" else action
            self._add(f"CREATE RULE {name}_r AS ON {event} TO {name} DO {also} {action}")

    def _simple_view(self, name: str) -> None:
        """A view that can be written through, over a table or over another such view."""
        under = self._random.choice(self.schema.sources)
        columns = list(under.columns)
        self._random.shuffle(columns)
        tested = self._random.choice(columns)[0]
        where = self._random.choice(("", f" WHERE {tested} IS NOT NULL", f" WHERE {tested} IS NOT NULL WITH CASCADED CHECK OPTION"))
        self._add(f"CREATE VIEW {name} AS SELECT {', '.join(column for column, _ in columns)} FROM {under.name}{where}")
        self.schema.sources.append(Source(name, tuple(columns), writable=True, required=under.required))
        if self._random.random() < 0.4:
            self._interference(name, columns, view=True)

    def _add(self, statement: str) -> None:
        self.schema.statements.append(statement)
