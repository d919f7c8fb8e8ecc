"""Whatever the package is, the formatter and the linter leave the generated files alone."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from sqlwright import ir
from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName, distinct_members
from sqlwright.options import Calls, Clients, Tracing
from sqlwright.render.package import render
from sqlwright.render.queriers import Queriers
from sqlwright.sql.pages import KeysPiece, Page, PageOrder, PageWhere, SortPiece, WherePiece
from sqlwright.sql.sources import PlaceInQuery, QuerySource
from sqlwright.sql.variants import ClausePiece, OrderPiece, Piece
from sqlwright.types.pgtypes import scalar
from tests.support.packages import write

_SQL_NAME = st.one_of(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=63),
    st.sampled_from(["uuid", "datetime", "list", "str", "int", "conn", "cur", "row", "tuple_row", "dataclass", "self", "日本語", "état"]),
)
_TEXT = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\\n\t ")), max_size=60)


def _value(enums: list[ir.EnumClass]) -> st.SearchStrategy[ir.ValueType]:
    names = ["text", "int8", "uuid", "timestamptz", "numeric", "bytea", "bool", "float4"]
    scalars = [found for name in names if (found := scalar(name))]
    one: st.SearchStrategy[ir.ValueType] = st.one_of(
        st.sampled_from(scalars),
        st.sampled_from([ir.Json("json"), ir.Json("jsonb")]),
        st.just(ir.Opaque("point")),
        *([st.sampled_from([ir.EnumRef(enum.postgres, enum.name) for enum in enums])] if enums else []),
    )
    return st.one_of(one, one.map(lambda element: ir.ListOf(f"{element.postgres}[]", element, registered=isinstance(element, ir.EnumRef))))


@st.composite
def _packages(draw: st.DrawFn) -> ir.Package:
    class_names = iter(draw(st.lists(_SQL_NAME.map(ClassName.from_sql), min_size=8, max_size=8, unique=True)))
    enums = [
        ir.EnumClass(next(class_names), "public", draw(_TEXT), tuple(zip(distinct_members(labels), labels, strict=True)), draw(_TEXT))
        for labels in draw(st.lists(st.lists(_TEXT, max_size=4, unique=True).map(tuple), max_size=2))
    ]
    types = st.one_of(_value(enums), _value(enums).map(ir.Nullable))

    def columns() -> tuple[ir.Column, ...]:
        names = draw(st.lists(_SQL_NAME.map(Identifier.from_sql), min_size=2, max_size=6, unique=True))
        return tuple(ir.Column(name, name, draw(types), None, draw(st.one_of(st.just(""), _TEXT)), "", None) for name in names)

    models = tuple(ir.RowClass(next(class_names), columns(), draw(_TEXT), "") for _ in range(draw(st.integers(0, 2))))
    own: list[ir.RowClass] = []

    def shape() -> ir.Shape:
        match draw(st.sampled_from(["shared", "own", "bare"])):
            case "shared" if models:
                model = draw(st.sampled_from(models))
                return ir.RowRef(model.name, model.fields, shared=True)
            case "own" if len(own) < 3:
                own.append(ir.RowClass(next(class_names), columns(), draw(_TEXT), ""))
                return ir.RowRef(own[-1].name, own[-1].fields, shared=False)
            case _:
                return ir.BareValue(columns()[0])

    def quoted() -> str:
        return "'" + draw(_TEXT).replace("'", "''") + "'"

    def variants(numbers: range) -> ir.Variants:
        optional = tuple(number for number in numbers if draw(st.booleans()))
        parts = [(f"c = ${number} || {quoted()}", (number,)) for number in optional]
        clause = ClausePiece("\nWHERE ", draw(st.sampled_from([" AND ", "\n  AND "])), (*parts, (quoted(), ())), draw(st.booleans()))
        names = draw(st.lists(st.from_regex(r"[a-z][a-z_-]{0,30}", fullmatch=True), max_size=5, unique=True))
        orders = [OrderPiece(tuple((name, quoted()) for name in names))] if names else []
        pieces: tuple[Piece, ...] = (f"SELECT {quoted()}", clause, *orders, f" LIMIT {quoted()}")
        return ir.Variants(pieces, optional, tuple(ir.Order(name, "") for name in names))

    def pages(numbers: range) -> ir.Variants:
        """Return the variants of a query with pages, of which the first parameter is the size."""
        optional = tuple(number for number in numbers[1:] if draw(st.booleans()))
        parts = tuple((f"c = ${number} || {quoted()}", (number,)) for number in optional)
        names = draw(st.lists(st.from_regex(r"[a-z][a-z_-]{0,30}", fullmatch=True), min_size=1, max_size=3, unique=True))
        later = tuple((nulls, f"c > ${numbers.stop} || {quoted()}") for nulls in draw(st.sampled_from([((),), ((), (0,), (0, 1))])))
        orders = tuple(
            PageOrder(
                name, "0123456789ab", quoted(), quoted(), (quoted(), "c"), ("text", "text"), later, later, draw(st.sampled_from([(), (1,)]))
            )
            for name in names
        )
        where = WherePiece(ClausePiece("\nWHERE ", " AND ", parts, assigns=False))
        found = (f"SELECT {quoted()}", KeysPiece(), " FROM t", where, " ORDER BY ", SortPiece(orders), f" LIMIT ${numbers.start}::int8")
        page = Page(numbers.start, 0, PageWhere(0, 0, "", "", (), enclosed=False), (0, 0), orders)
        return ir.Variants(found, optional, tuple(ir.Order(name, "") for name in names) if draw(st.booleans()) else (), page=page)

    queries: list[ir.Query] = []
    for function in draw(st.lists(_SQL_NAME.map(Identifier.from_sql), max_size=4, unique=True)):
        names = draw(st.lists(_SQL_NAME.map(Identifier.from_sql), min_size=draw(st.integers(0, 1)), max_size=5, unique=True))
        copied = ir.Copied(tuple(range(1, len(names) + 1)), ("int8",) * len(names))
        makers: dict[str, Callable[[], ir.Result]] = {
            "one": lambda: ir.One(shape(), always=False),
            "always": lambda: ir.One(shape(), always=True),
            "many": lambda: ir.Many(shape()),
            "paged": lambda: ir.Many(shape(), paged=True),
            "exec": ir.NoResult,
            "execrows": ir.RowCount,
            "execresult": ir.CursorResult,
            "stream": lambda: ir.Stream(shape(), 100),
            "batchexec": lambda: ir.Batch(ir.NoResult()),
            "batchone": lambda: ir.Batch(ir.One(shape(), always=False)),
            "batchalways": lambda: ir.Batch(ir.One(shape(), always=True)),
            "batchmany": lambda: ir.Batch(ir.Many(shape())),
        }
        kinds = [*sorted(makers), "copyfrom"] if names else [kind for kind in sorted(makers) if not kind.startswith(("batch", "paged"))]
        # The names of what chooses the order and the page.
        if not {"order", "cursor"}.isdisjoint(names):
            kinds.remove("paged")
        kind = draw(st.sampled_from(kinds))
        found = copied if kind == "copyfrom" else makers[kind]()
        as_object = isinstance(found, ir.Copied | ir.Batch) or (bool(names) and draw(st.booleans()))
        command = ir.Command.EXEC
        # A parameter called `order` is an error where the query has orders.
        varied = not isinstance(found, ir.Copied | ir.Batch) and "order" not in names and draw(st.booleans())
        numbers = range(1, len(names) + 1)
        sql, doc = f"SELECT {draw(_TEXT)}", tuple(draw(st.lists(_TEXT, max_size=3)))
        source = QuerySource("queries/a.sql", function, 1, "", sql, 2, doc)
        queries.append(
            ir.Query(
                name=function,
                function=function,
                constant=ConstantName(f"SQL_{function.upper()}"),
                command=command,
                sql=sql,
                doc=doc,
                params=tuple(ir.Param(number, name, "text", draw(types), "") for number, name in enumerate(names, 1)),
                params_class=ClassName(f"{ClassName.from_sql(function)}Params") if as_object else None,
                result=found,
                source=source,
                rows=ir.Rows(ir.Cardinality.MANY, "", PlaceInQuery(source, sql, None)),
                reads=tuple(draw(st.lists(_TEXT, max_size=3))),
                writes=(),
                variants=pages(numbers) if kind == "paged" else variants(numbers) if varied else None,
            )
        )
    module = ir.Module(ModuleName("module"), "queries/module.sql", tuple(own), tuple(queries))
    registrations = tuple(ir.Registration(enum.schema, enum.postgres, ir.Adapter.ENUM, enum.name) for enum in enums)
    return ir.Package((module,), models, tuple(enums), (), registrations=registrations)


def complaints(folder: Path) -> str:
    """What the formatter and the linter have to say of every package in a folder."""
    found = ""
    for arguments in (["format", "--diff"], ["check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found += f"{done.stdout}{done.stderr}" if done.returncode else ""
    return found


def test_formatter_and_linter_change_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    numbers = count()
    seed_of_run: object = request.config.getoption("--hypothesis-seed") or random.randrange(10**9)  # noqa: S311 - no secret

    def packages_of(*, each: bool) -> Callable[[], None]:
        @seed(seed_of_run)
        @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
        @given(
            package=_packages(),
            clients=st.sampled_from(Clients),
            with_queriers=st.booleans(),
            calls=st.sampled_from(Calls),
            tracing=st.sampled_from(Tracing),
            comments=st.booleans(),
        )
        def run(package: ir.Package, clients: Clients, with_queriers: bool, calls: Calls, tracing: Tracing, comments: bool) -> None:
            queriers = Queriers(
                sync=with_queriers and clients is not Clients.ASYNC, asynchronous=with_queriers and clients is not Clients.SYNC
            )
            folder = tmp_path / f"{'each' if each else 'all'}" / f"package_{next(numbers)}"
            files = render(
                package,
                package_name="shop_db",
                clients=clients,
                queriers=queriers,
                registry=True,
                calls=calls,
                tracing=tracing,
                comments=comments,
            )
            write(files, folder)
            assert not each or not complaints(folder)

        return run

    packages_of(each=False)()
    if complaints(tmp_path / "all"):
        # The same packages one by one, which finds the smallest that shows it.
        packages_of(each=True)()
        pytest.fail(complaints(tmp_path / "all"))
