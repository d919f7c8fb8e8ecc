"""Packages to render: one that uses every part of the IR, and one whose names are all taken by something else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sqlwright import ir
from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName, distinct_members
from sqlwright.options import Clients
from sqlwright.render.package import render
from sqlwright.render.queriers import Queriers
from sqlwright.sql.sources import PlaceInQuery, QuerySource
from sqlwright.types.pgtypes import scalar

MOOD = ir.EnumRef("mood", ClassName("Mood"))
# How many of the hostile names each function has.
_NEAR = 10


def value(name: str) -> ir.ValueType:
    """The IR type of a PostgreSQL type name."""
    if name.endswith("[]"):
        return ir.ListOf(name, value(name.removesuffix("[]")), registered=name == "mood[]")
    if name in {"json", "jsonb"}:
        return ir.Json(name)
    if name == "point":
        # It stands for the types that have no Python type.
        return ir.Opaque(name)
    return MOOD if name == "mood" else scalar(name) or ir.Opaque(name)


def type_(name: str) -> ir.Type:
    """As `value`; a `?` at the end makes the type nullable."""
    return ir.Nullable(value(name.removesuffix("?"))) if name.endswith("?") else value(name)


def columns(**types: str) -> tuple[ir.Column, ...]:
    """Columns by name and type."""
    return tuple(ir.Column(Identifier.from_sql(name), name, type_(t), None, "", "", None) for name, t in types.items())


def query(name: str, command: ir.Command, sql: str, result: ir.Result, doc: tuple[str, ...] = (), /, **params: str) -> ir.Query:
    """A query with parameters by name and type."""
    source = QuerySource("queries/people.sql", name, 1, f"-- name: {name} {command}", sql, 2, doc)
    return ir.Query(
        name=name,
        function=Identifier.from_sql(name),
        constant=ConstantName.from_sql(name),
        command=command,
        sql=sql,
        doc=doc,
        params=tuple(
            ir.Param(number, Identifier.from_sql(param), t.removesuffix("?"), type_(t), "")
            for number, (param, t) in enumerate(params.items(), 1)
        ),
        params_class=ClassName(f"{ClassName.from_sql(name)}Params") if isinstance(result, ir.Copied | ir.Batch) else None,
        result=result,
        source=source,
        rows=ir.Rows(ir.Cardinality.MANY, "", PlaceInQuery(source, sql, None)),
        reads=("public.people",),
        writes=(),
    )


def own_row(query_name: str, cols: tuple[ir.Column, ...]) -> ir.RowRef:
    """The row of a query with its own class."""
    return ir.RowRef(ClassName(f"{ClassName.from_sql(query_name)}Row"), cols, shared=False)


def module(name: str, *queries: ir.Query) -> ir.Module:
    """A module with the row classes that its queries own."""
    rows: dict[str, ir.RowClass] = {}
    for q in queries:
        match ir.shape_of(q.result):
            case ir.RowRef(shared=False) as row:
                rows[row.row_class] = ir.RowClass(row.row_class, row.fields, f"A row of `{q.function}`.", "")
            case _:
                pass
    return ir.Module(ModuleName(name), f"queries/{name}.sql", tuple(rows.values()), queries)


def enum(name: str, *labels: str, doc: str = "") -> ir.EnumClass:
    """An enum of the schema `public`."""
    return ir.EnumClass(ClassName.from_sql(name), "public", name, tuple(zip(distinct_members(labels), labels, strict=True)), doc)


def registrations(enums: Iterable[ir.EnumClass]) -> tuple[ir.Registration, ...]:
    """What teaches psycopg the enums."""
    return tuple(ir.Registration(enum.schema, enum.postgres, ir.Adapter.ENUM, enum.name) for enum in enums)


def sample() -> ir.Package:
    """Every command, shape and conversion, over the tables that the execution tests make."""
    one, many, command = ir.One, ir.Many, ir.Command
    person_columns = columns(id="int8", name="text", born="date?", salary="numeric", profile="jsonb?")
    mood_columns = columns(person="int8", current="mood", wanted="mood?", past="mood[]", planned="mood[]?")
    person = ir.RowRef(ClassName("Person"), person_columns, shared=True)
    moods = ir.RowRef(ClassName("PersonMood"), mood_columns, shared=True)
    models = (
        ir.RowClass(ClassName("Person"), person_columns, "People.\nAnd more.", "public.people"),
        ir.RowClass(ClassName("PersonMood"), mood_columns, "", "public.moods"),
    )
    stats = own_row("Stats", columns(total="int8", average="numeric?", names="text[]?"))

    def bare(t: str) -> ir.BareValue:
        return ir.BareValue(columns(value=t)[0])

    def select(sql: str) -> str:
        return f"SELECT {sql}"

    all_people = "SELECT id, name, born, salary, profile FROM people"
    all_moods = "SELECT person, current, wanted, past, planned FROM moods"
    people = module(
        "people",
        query(
            "CreatePerson",
            command.ONE,
            "INSERT INTO people (name, born, salary, profile) VALUES ($1::text, $2::date, $3::numeric, $4::jsonb)\n"
            "RETURNING id, name, born, salary, profile",
            one(person, always=True),
            ("Create a person.", "The second line says \\more\\."),
            name="text",
            born="date?",
            salary="numeric",
            profile="jsonb?",
        ),
        query("GetPerson", command.ONE, f"{all_people} WHERE id = $1::int8", one(person, always=False), id="int8"),
        query("ListPeople", command.MANY, f"{all_people} ORDER BY id", many(person)),
        query(
            "RenamePerson", command.EXECROWS, "UPDATE people SET name = $2::text WHERE id = $1::int8", ir.RowCount(), id="int8", name="text"
        ),
        query("DeletePeople", command.EXEC, "DELETE FROM people", ir.NoResult()),
        query(
            "FindPeople",
            command.EXECRESULT,
            f"{all_people} WHERE name LIKE '%\\_%' OR id = ANY($1::int8[])",
            ir.CursorResult(),
            ids="int8[]",
        ),
        query("CountPeople", command.ONE, "SELECT count(*) FROM people", one(bare("int8"), always=True)),
        query("PersonNames", command.MANY, "SELECT name FROM people ORDER BY id", many(bare("text"))),
        query("PersonBorn", command.ONE, "SELECT born FROM people WHERE id = $1::int8", one(bare("date?"), always=False), id="int8"),
        query("CopyPeople", command.COPYFROM, "COPY people (name) FROM STDIN", ir.Copied((1,), ()), name="text"),
        query("DropPeople", command.BATCHEXEC, "DELETE FROM people WHERE id = $1::int8", ir.Batch(ir.NoResult()), id="int8"),
        query("FindAll", command.BATCHONE, f"{all_people} WHERE id = $1::int8", ir.Batch(one(person, always=False)), id="int8"),
        query("NamesOf", command.BATCHMANY, "SELECT name FROM people WHERE id = $1::int8", ir.Batch(many(bare("text"))), id="int8"),
        query("StreamPeople", command.MANY, f"{all_people} ORDER BY id", ir.Stream(person, 10)),
        query("Stats", command.ONE, "SELECT count(*), avg(salary), array_agg(name) FROM people", one(stats, always=True)),
    )
    moods_module = module(
        "moods",
        query(
            "SetMood",
            command.ONE,
            "INSERT INTO moods VALUES ($1::int8, $2::mood, $3::mood, $4::mood[], $5::mood[])\n"
            "RETURNING person, current, wanted, past, planned",
            one(moods, always=True),
            person="int8",
            current="mood",
            wanted="mood?",
            past="mood[]",
            planned="mood[]?",
        ),
        query("GetMood", command.ONE, f"{all_moods} WHERE person = $1::int8", one(moods, always=False), person="int8"),
        query("ListMoods", command.MANY, f"{all_moods} ORDER BY person", many(moods)),
        query("CurrentMoods", command.MANY, "SELECT current FROM moods ORDER BY person", many(bare("mood"))),
        query("WantedMoods", command.MANY, "SELECT wanted FROM moods ORDER BY person", many(bare("mood?"))),
        query(
            "WantedMood", command.ONE, "SELECT wanted FROM moods WHERE person = $1::int8", one(bare("mood?"), always=False), person="int8"
        ),
        query("WantedMoodSurely", command.ONE, "SELECT max(wanted) FROM moods", one(bare("mood?"), always=True)),
        query("PastMoods", command.ONE, "SELECT past FROM moods WHERE person = $1::int8", one(bare("mood[]"), always=False), person="int8"),
        query("EchoMoods", command.ONE, select("$1::mood[]"), one(bare("mood[]"), always=True), moods="mood[]"),
        query("HasMood", command.MANY, f"{all_moods} WHERE current = ANY($1::mood[])", many(moods), moods="mood[]"),
    )
    echoes = module(
        "echoes",
        query("EchoJson", command.ONE, select("$1::json"), one(bare("json"), always=True), payload="json"),
        query("EchoJsonb", command.ONE, select("$1::jsonb"), one(bare("jsonb?"), always=True), payload="jsonb?"),
        query("EchoJsonbs", command.ONE, select("$1::jsonb[]"), one(bare("jsonb[]"), always=True), payloads="jsonb[]"),
        query("EchoPoint", command.ONE, select("$1::point"), one(bare("point"), always=False), place="point"),
        query("EchoPoints", command.ONE, select("ARRAY[$1::point]"), one(bare("point[]?"), always=True), place="point?"),
        query("EchoUuids", command.ONE, select("$1::uuid[]"), one(bare("uuid[]"), always=True), ids="uuid[]"),
        query(
            "EchoMany",
            command.ONE,
            select("$1::timestamptz AS at, $2::interval AS span, $3::time AS day_time, $4::bytea AS body, $5::float8 AS ratio"),
            one(
                own_row("EchoMany", columns(at="timestamptz", span="interval", day_time="time", body="bytea", ratio="float8")), always=False
            ),
            at="timestamptz",
            span="interval",
            day_time="time",
            body="bytea",
            ratio="float8",
        ),
    )
    modules = (echoes, moods_module, people, ir.Module(ModuleName("nothing"), "queries/nothing.sql", (), ()))
    enums = (enum("mood", "sad", 'very happy, "x"', "name", doc='How "it" is.\nTruly \\so"""'),)
    return ir.Package(modules, models, enums, (), registrations=registrations(enums))


def hostile() -> ir.Package:
    """Names that modules, builtins, imported classes and locals have."""
    names = [
        *("uuid", "datetime", "date", "decimal", "list", "int", "str", "tuple", "dict", "type", "object", "bool", "bytes", "classmethod"),
        *("conn", "cur", "row", "rows", "value", "item", "cls", "self", "from_row", "dataclass", "tuple_row", "builtins", "any", "typing"),
        *("enums", "models", "psycopg", "print"),
    ]
    types = [
        "uuid",
        "timestamptz",
        "date?",
        "numeric[]",
        "int4",
        "text",
        "bytea",
        "bool?",
        "mood",
        "mood[]?",
        "jsonb?",
        "float8[]",
        "point",
    ]
    mixed = {name: types[index % len(types)] for index, name in enumerate(names)}
    command = ir.Command
    classes = ["Any", "Final", "Connection", "AsyncConnection", "RawCursor", "UUID", "Decimal", "JsonValue", "Self", "Jsonb"]
    models = tuple(ir.RowClass(ClassName(name), columns(**mixed), "", "") for name in classes)
    rows = tuple(
        query(f"all_{name}", command.MANY, "SELECT", ir.Many(ir.RowRef(ClassName(name), columns(**mixed), shared=True)), **mixed)
        for name in classes
    )

    def near(index: int) -> dict[str, str]:
        """The name itself and those after it. Each model has all names, in queries too; so many checks of all pairs take long."""
        return {name: mixed[name] for name in [*names[index:], *names[:index]][:_NEAR]}

    functions = tuple(
        query(
            name,
            command.MANY if index % 2 else command.ONE,
            "SELECT",
            ir.Many(own_row(name, columns(**{each: t for each, t in near(index).items() if "mood" not in t})))
            if index % 2
            else ir.One(own_row(name, columns(**near(index))), always=index % 4 == 0),
            **(near(index) if index % 3 else {name: mixed[name]}),
        )
        for index, name in enumerate(names)
    )

    def bare(prefix: str) -> tuple[ir.Query, ...]:
        return tuple(
            query(
                f"{prefix}_{name}",
                command.ONE,
                "SELECT",
                ir.One(ir.BareValue(columns(**{name: t})[0]), always=bool(index % 2)),
                **{name: t},
            )
            for index, (name, t) in enumerate(mixed.items())
        )

    modules = (
        module("builtins", *rows),
        module("datetime", *functions, *bare("one")),
        module("given", *every_bulk_command("given", mixed)),
        module("uuid", *bare("a")),
    )
    taken = ("StrEnum", "LookupError", "TypeError", "EnumInfo", "AdaptContext", "TYPES", "FIND_TYPES")
    enums = (enum("mood", "name", "value", "mro", "", "a b", "a-b", "_missing_", "__init__"), *(enum(name, name, "x") for name in taken))
    constraints = (ir.ConstraintClass(ClassName("StrEnum"), "public.x", (ir.Constraint(ConstantName("STR_ENUM"), 'a"b', "CHECK (1)"),)),)
    return ir.Package(modules, models, enums, constraints, registrations=registrations(enums))


def every_bulk_command(name: str, types: dict[str, str]) -> tuple[ir.Query, ...]:
    """A query of each command that takes rows or streams, with these parameters and columns."""
    command = ir.Command
    row = ir.BareValue(columns(**dict([next(iter(types.items()))]))[0])
    return (
        query(f"copy_{name}", command.COPYFROM, "COPY", ir.Copied(tuple(range(1, len(types) + 1)), ("text",) * len(types)), **types),
        query(f"exec_{name}", command.BATCHEXEC, "DELETE", ir.Batch(ir.NoResult()), **types),
        query(f"first_{name}", command.BATCHONE, "SELECT", ir.Batch(ir.One(row, always=False)), **types),
        query(
            f"sure_{name}", command.BATCHONE, "SELECT", ir.Batch(ir.One(own_row(f"sure_{name}", columns(**types)), always=True)), **types
        ),
        query(f"every_{name}", command.BATCHMANY, "SELECT", ir.Batch(ir.Many(row)), **types),
        query(f"stream_{name}", command.MANY, "SELECT", ir.Stream(own_row(f"stream_{name}", columns(**types)), 10), **types),
        query(f"ids_{name}", command.MANY, "SELECT", ir.Stream(row, 10)),
    )


def long(step: int = 3) -> ir.Package:
    """Names up to the length that PostgreSQL allows, each some characters longer than the last, and lists too long for a line."""
    command = ir.Command
    word = "notification_preference"
    rows: list[ir.Query] = []
    for length in range(4, 64, step):
        name = f"{word}_for_very_long_names_that_no_one_would_ever_want_to_type"[:length].rstrip("_")
        types = {f"{name}_{index}"[:63]: t for index, t in enumerate(["text", "mood?", "mood[]", "jsonb?", "timestamptz[]?", "jsonb[]?"])}
        shape = own_row(f"q{name}", columns(**types))
        rows += [
            query(f"q{name}", command.ONE, "SELECT", ir.One(shape, always=False), **types),
            query(f"m{name}", command.MANY, "SELECT", ir.Many(own_row(f"m{name}", columns(a="int4", b="text"))), **{name: "mood?"}),
            query(f"b{name}", command.MANY, "SELECT", ir.Many(ir.BareValue(columns(**{name: "mood?"})[0])), **{name: "jsonb?"}),
            query(f"c{name}", command.ONE, "SELECT", ir.One(ir.BareValue(columns(**{name: "mood?"})[0]), always=True)),
            query(
                f"d{name}", command.ONE, "SELECT", ir.One(ir.BareValue(columns(**{name: "mood?"})[0]), always=False), **{name: "jsonb[]?"}
            ),
            *every_bulk_command(name, types),
            *every_bulk_command(f"s{name}", {name: "mood?"}),
        ]
    enums = (enum("mood", *("x" * n for n in range(1, 64, 5)), *("'\"" * n for n in range(1, 32, 5))),)
    return ir.Package((module("long", *rows),), (), enums, (word_constraints(word),), registrations=registrations(enums))


def word_constraints(word: str) -> ir.ConstraintClass:
    """Constraints with names as long as PostgreSQL allows."""
    names = [(f"{word}_" * 4)[:length] for length in range(40, 64, 3)]
    members = tuple(ir.Constraint(ConstantName(name.rstrip("_").upper()), name, f"CHECK ({name} > 0) " * 3) for name in names)
    return ir.ConstraintClass(ClassName("NotificationPreferenceConstraint"), f"public.{word}s", members)


def write(files: Iterable[ir.SourceFile], folder: Path) -> Path:
    """Write rendered files."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    return folder


def render_into(folder: Path, name: str, package: ir.Package, colours: Iterable[Clients] = Clients) -> Path:
    """Render a package in each of the colours: <name>_<clients>."""
    for clients in colours:
        queriers = Queriers(sync=clients is not Clients.ASYNC, asynchronous=clients is not Clients.SYNC)
        package_name = f"{name}_{clients}"
        write(render(package, package_name=package_name, clients=clients, queriers=queriers, registry=True), folder / package_name)
    return folder
