"""Each type, in each position, colour and format: what is sent comes back the same, as the class that the annotation says."""

from __future__ import annotations

import asyncio
import math
import string
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from sqlwright.ir.naming import ClassName
from sqlwright.types.pgtypes import names
from tests.support.projects import Compiler, Project, declare

_NO_NUL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_WHEN = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - zones are put on where there are any
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from([0.5, -1.25]) | _NO_NUL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NO_NUL, inner, max_size=3),
    max_leaves=5,
)
_BITS = st.text("01", min_size=4, max_size=4)
_ADDRESSES = st.ip_addresses()


def _int(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _ranges(low: Any, high: Any, *, discrete: bool = False) -> st.SearchStrategy[Range[Any]]:
    """Ranges in the form that PostgreSQL brings them to."""
    empty: Range[Any] = Range(empty=True)
    endless: Range[Any] = Range(None, None, "()")
    bounds = st.sampled_from(["[)"] if discrete else ["[)", "[]", "()", "(]"])
    return st.sampled_from([empty, endless, Range(None, high, "()"), Range(low, None, "[)")]) | bounds.map(lambda b: Range(low, high, b))


def _multi(ranges: st.SearchStrategy[Range[Any]]) -> st.SearchStrategy[Multirange[Any]]:
    return st.lists(ranges.filter(lambda r: not r.isempty), max_size=1).map(Multirange)


_DAY, _OTHER_DAY = date(1, 1, 1), date(9999, 12, 30)
_MOMENT, _OTHER_MOMENT = datetime(1999, 12, 31, 23, 59, 59, 999999), datetime(2000, 2, 29)  # noqa: DTZ001 - as _WHEN
_RANGES = {
    "int4": _ranges(-(2**31), 2**31 - 1, discrete=True),
    "int8": _ranges(-(2**63), 2**63 - 1, discrete=True),
    "num": _ranges(Decimal("-1.50"), Decimal(10) ** 30),
    "date": _ranges(_DAY, _OTHER_DAY, discrete=True),
    "ts": _ranges(_MOMENT, _OTHER_MOMENT),
    "tstz": _ranges(_MOMENT.replace(tzinfo=UTC), _OTHER_MOMENT.replace(tzinfo=UTC)),
}

# By the name in pg_type; `aclitem` and the like take names of things that are there.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "aclitem": st.just("postgres=r/postgres"),
    "bit": _BITS,
    "bool": st.booleans(),
    "box": st.sampled_from(["(3,4),(1,2)", "(0.1,1e+300),(-1e-07,-2)"]),
    "bpchar": st.just("a"),
    "bytea": st.binary(max_size=20),
    "char": st.sampled_from(string.ascii_letters),
    "cid": st.just("5"),
    "cidr": _ADDRESSES.map(ip_network),
    "circle": st.just("<(1,2),3>"),
    "date": st.dates(),
    "float4": st.floats(width=32, allow_nan=False, allow_subnormal=False).map(lambda f: float(f"{f:.6g}")).filter(lambda f: abs(f) < 3e38),
    "float8": st.floats(allow_nan=False),
    "inet": _ADDRESSES | _ADDRESSES.map(lambda a: ip_interface(f"{a}/8")),
    "int2": _int(16),
    "int2vector": st.just("1 2"),
    "int4": _int(32),
    "int8": _int(64),
    "interval": st.timedeltas(timedelta(days=-(10**6)), timedelta(days=10**6)),
    "json": _JSON,
    "jsonb": _JSON,
    "jsonpath": st.just('$."a"'),
    "line": st.just("{1,2,3}"),
    "lseg": st.just("[(1,2),(3,4)]"),
    "macaddr": st.just("08:00:2b:01:02:03"),
    "macaddr8": st.just("08:00:2b:01:02:03:04:05"),
    "money": st.sampled_from(["$0.00", "-$1,234.50", "$92,233,720,368,547,758.07"]),
    "name": st.text('ab é"\\,{}', min_size=1, max_size=20).map(str.strip),
    "numeric": st.decimals(allow_nan=False, allow_infinity=True, places=3) | st.just(Decimal(10) ** 100),
    "oid": st.integers(0, 2**32 - 1),
    "oidvector": st.just("1 2"),
    "path": st.just("[(1,2)]"),
    "pg_lsn": st.just("16/B374D848"),
    "pg_snapshot": st.just("10:20:"),
    "point": st.just("(1,2)"),
    "polygon": st.just("((1,2))"),
    "refcursor": _NO_NUL,
    "regclass": st.just("pg_class"),
    "regcollation": st.just('"C"'),
    "regconfig": st.just("english"),
    "regdictionary": st.just("simple"),
    "regnamespace": st.just("public"),
    "regoper": st.just("||/"),
    "regoperator": st.just("+(integer,integer)"),
    "regproc": st.just("now"),
    "regprocedure": st.just("now()"),
    "regrole": st.just("postgres"),
    "regtype": st.just("integer"),
    "text": _NO_NUL,
    "tid": st.just("(0,1)"),
    "time": st.times(),
    "timestamp": _WHEN,
    "timestamptz": _WHEN.map(lambda at: at.replace(tzinfo=UTC)),
    "timetz": st.times(timezones=st.sampled_from([timezone(timedelta(hours=h)) for h in (-11, 0, 5)])),
    "tsquery": st.just("'a' & 'b'"),
    "tsvector": st.just("'a' 'b'"),
    "txid_snapshot": st.just("10:20:"),
    "uuid": st.uuids(),
    "varbit": st.text("01", max_size=9),
    "varchar": _NO_NUL,
    "xid": st.just("5"),
    "xid8": st.just("18446744073709551615"),
    **{f"{name}range": ranges for name, ranges in _RANGES.items()},
    **{f"{name}multirange": _multi(ranges) for name, ranges in _RANGES.items()},
}
# Of void there are no values to send; the embedded server is built without libxml.
_WITHOUT_ECHO = {"void", "xml"}

SCHEMA = "\n".join(f'CREATE TYPE c_{name} AS (one pg_catalog."{name}", many pg_catalog."{name}"[]);' for name in VALUES)
QUERIES = "\n".join(
    f"""
-- name: one_{name} :one
SELECT @v::pg_catalog."{name}" AS v;

-- name: text_{name} :one
SELECT @v::pg_catalog."{name}" AS v, @f::float4 AS f;

-- name: all_{name} :many
SELECT @v::c_{name} AS v;

-- name: many_{name} :one
SELECT @v::pg_catalog."{name}"[] AS v;

-- name: many_text_{name} :one
SELECT @v::pg_catalog."{name}"[] AS v, @f::float4 AS f;

-- name: composites_{name} :one
SELECT @v::c_{name}[] AS v;
"""
    for name in VALUES
)
SOURCE = declare(SCHEMA, QUERIES)


@pytest.fixture(scope="module")
def project(compiler: Compiler) -> Project:
    return compiler.compile(SOURCE)


@pytest.fixture(scope="module")
def conn(project: Project) -> Any:
    with project.connect() as connection:
        yield connection


def test_every_type_of_the_table_is_tried() -> None:
    assert set(VALUES) == set(names()) - _WITHOUT_ECHO


def same(found: Any, sent: Any) -> bool:
    """Equal and of one class, all the way down."""
    if isinstance(sent, list):
        items: list[Any] = sent  # pyright: ignore[reportUnknownVariableType] - what isinstance leaves of Any
        pairs: list[tuple[Any, Any]] = list(zip(found, items, strict=True))
        return type(found) is list and all(same(*pair) for pair in pairs)
    return type(found) is type(sent) and found == sent


@pytest.mark.parametrize("name", sorted(VALUES))
def test_what_is_sent_comes_back(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    queries, composite = project.module("queries"), getattr(project.module("models"), _class_name(name))

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], derandomize=True)
    @given(st.lists(VALUES[name], min_size=1, max_size=3))
    def check(values: list[Any]) -> None:
        value = values[0]
        assert same(getattr(queries, f"one_{name}")(conn, v=value), value)
        assert same(getattr(queries, f"text_{name}")(conn, v=value, f=0.5).v, value)
        for sent in ([], values, [*values, None]):
            assert same(getattr(queries, f"many_{name}")(conn, v=sent), sent)
            assert same(getattr(queries, f"many_text_{name}")(conn, v=sent, f=0.5).v, sent)
        both, neither = composite(one=value, many=[*values, None]), composite(one=None, many=None)
        assert getattr(queries, f"all_{name}")(conn, v=both) == [both]
        assert getattr(queries, f"composites_{name}")(conn, v=[both, neither]) == [both, neither]

    check()


@pytest.mark.parametrize("name", ["float4", "float8", "numeric"])
def test_no_number_comes_back_as_itself(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    queries, nan = project.module("queries"), (Decimal if name == "numeric" else float)("nan")
    found = [getattr(queries, f"one_{name}")(conn, v=nan), getattr(queries, f"text_{name}")(conn, v=nan, f=0.5).v]
    found += getattr(queries, f"many_{name}")(conn, v=[nan])
    assert [(type(value), math.isnan(value)) for value in found] == [(type(nan), True)] * 3


@pytest.mark.parametrize("name", sorted(VALUES))
def test_arrays_of_two_dimensions_come_back(project: Project, conn: psycopg.Connection[Any], name: str) -> None:
    if name in {"json", "jsonb"}:
        pytest.skip("an inner list is JSON itself")
    value = _first(name)
    sent = [[value, None], [None, value]]
    assert same(getattr(project.module("queries"), f"many_{name}")(conn, v=sent), sent)


def test_async_functions_do_the_same(project: Project) -> None:
    queries, models = project.module("aio.queries"), project.module("models")

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(project.conninfo) as connection:
            await project.module("aio").register(connection)
            for name in sorted(VALUES):
                value = _first(name)
                assert same(await getattr(queries, f"one_{name}")(connection, v=value), value)
                assert same((await getattr(queries, f"text_{name}")(connection, v=value, f=0.5)).v, value)
                assert same((await getattr(queries, f"many_text_{name}")(connection, v=[value, None], f=0.5)).v, [value, None])
                assert same(await getattr(queries, f"many_{name}")(connection, v=[value, None]), [value, None])
                sent = getattr(models, _class_name(name))(one=value, many=[value])
                assert await getattr(queries, f"composites_{name}")(connection, v=[sent]) == [sent]

    asyncio.run(run())


def _first(name: str) -> Any:
    fixed = {"uuid": UUID(int=1), "cidr": ip_network("10.0.0.0/8"), "inet": ip_address("::1"), "time": time(1, 2), "text": 'a,"\\é{}'}
    found: list[Any] = [fixed[name]] if name in fixed else []
    if not found:

        @settings(
            max_examples=1, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
        )
        @given(VALUES[name])
        def take(value: Any) -> None:
            found.append(value)

        take()
    return found[0]


def _class_name(name: str) -> str:
    return ClassName.from_sql(f"c_{name}")
