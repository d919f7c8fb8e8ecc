"""The contenders of the benchmarks are fair: all of them do the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from benchmarks import streams
from benchmarks.contenders import Batching
from benchmarks.distance import at_a_distance
from benchmarks.names import BY_HAND, DIRECT, FEW_IN_TRANSACTION, GENERATED, ONE_FAR, ONE_IN_TRANSACTION, PEOPLE
from benchmarks.place import Place, fill, generate
from benchmarks.rows import NewPerson, new_people, plain

pytestmark = pytest.mark.programs

Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def everybody() -> Any:
    """The module that knows all contenders."""
    return pytest.importorskip(
        "benchmarks.contenders.everybody", reason="the dependency group `bench` is not installed: `make bench` installs it"
    )


@pytest.fixture(scope="module")
def place(everybody: Any, proof_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The tables, their rows and the generated package."""
    with psycopg.connect(proof_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE benchmarks")
    url = proof_server.replace("/postgres?", "/benchmarks?")
    found = Place(tmp_path_factory.mktemp("benchmarks"), url)
    fill(url)
    generate(found)
    sys.path.insert(0, str(found.folder / "project"))
    yield found
    sys.path.remove(str(found.folder / "project"))


@pytest.fixture
def rows(place: Place) -> Rows:
    """Read rows without any contender, in the order of their keys; the table of inserts is empty."""
    with psycopg.connect(place.url) as conn:
        conn.execute("TRUNCATE added")

    def read(condition: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(place.url) as conn:
            return conn.execute(f"SELECT id, name, email, phone, born, seen, balance, active FROM {condition}".encode()).fetchall()

    return read


def test_every_sync_contender_reads_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    with everybody.sync_contenders(place) as contenders:
        for name, contender in contenders.items():
            assert [plain(contender.person(7))] == rows("people WHERE id = 7"), name
            assert [plain(row) for row in contender.people(10)] == rows("people WHERE id <= 10 ORDER BY id"), name


async def test_every_async_contender_reads_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    async with everybody.async_contenders(place) as contenders:
        for name, contender in contenders.items():
            expected = rows("people WHERE id = 7")
            assert [plain(await contender.person(7))] == expected, name
            assert [plain(await contender.pooled_person(7))] == expected, name
            assert [plain(row) for row in await contender.people(10)] == rows("people WHERE id <= 10 ORDER BY id"), name


def test_every_sync_contender_writes_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    [person] = new_people(1)
    with everybody.sync_contenders(place) as contenders:
        for number, (name, contender) in enumerate(contenders.items(), 1):
            added = plain(contender.add(person))
            assert added[1:] == person, name
            assert rows("added ORDER BY id DESC LIMIT 1") == [added], name
            assert contender.set_balance(3, Decimal(number)) == 1, name
            assert rows("people WHERE id = 3")[0][6] == number, name


async def test_every_async_contender_writes_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    [person] = new_people(1)
    async with everybody.async_contenders(place) as contenders:
        for number, (name, contender) in enumerate(contenders.items(), 100):
            added = plain(await contender.add(person))
            assert added[1:] == person, name
            assert rows("added ORDER BY id DESC LIMIT 1") == [added], name
            assert await contender.set_balance(3, Decimal(number)) == 1, name
            assert rows("people WHERE id = 3")[0][6] == number, name


def test_every_way_to_insert_in_sync_code_inserts_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    people = new_people(4)
    with everybody.sync_contenders(place) as contenders:
        ways = {f"{name}, {way}": run for name, contender in contenders.items() for way, run in contender.inserts(people).items()}
        for name, insert in ways.items():
            insert()
            assert _last(rows, 4) == people, name
    assert len(rows("added")) == 4 * len(ways)


async def test_every_way_to_insert_in_async_code_inserts_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    people = new_people(4)
    async with everybody.async_contenders(place) as contenders:
        ways = {f"{name}, {way}": run for name, contender in contenders.items() for way, run in contender.inserts(people).items()}
        for name, insert in ways.items():
            await insert()
            assert _last(rows, 4) == people, name
    assert len(rows("added")) == 4 * len(ways)


async def test_every_way_to_look_up_finds_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    expected = [*rows("people WHERE id = 9"), *rows("people WHERE id = 2")]
    with everybody.sync_contenders(place) as contenders:
        for contender in contenders.values():
            for way, find in contender.lookups([9, 2]).items() if isinstance(contender, Batching) else ():
                assert [plain(row) for row in find()] == expected, way
    async with everybody.async_contenders(place) as awaited:
        for contender in awaited.values():
            for way, find in contender.lookups([9, 2]).items() if isinstance(contender, Batching) else ():
                assert [plain(row) for row in await find()] == expected, way


def test_every_way_to_filter_finds_the_same_and_a_variant_uses_the_index(everybody: Any, place: Place) -> None:
    from benchmarks import filters
    from benchmarks.contenders.filtering import MOST, Sale, contenders

    assert everybody
    filters.fill(place.url, 100_000)
    condition = f"WHERE customer = 100 ORDER BY placed_at DESC, id DESC LIMIT {MOST}"
    with psycopg.connect(place.url) as conn:
        expected = [Sale(*row) for row in conn.execute(f"SELECT * FROM sales {condition}".encode()).fetchall()]
    assert len(expected) == MOST
    with contenders(place) as found:
        for name, one in found.items():
            # psycopg prepares a statement when it is executed for the sixth time.
            for _ in range(7):
                assert [tuple(getattr(row, column) for column in Sale._fields) for row in one.find(100)] == expected, name
            assert one.plan(100).startswith("Limit, "), name
        assert "sales_customer" in found[GENERATED].plan(100)


def test_every_stream_reads_all_rows_and_reports_the_memory_of_its_process(place: Place) -> None:
    found = streams.measurements(place, "a stream", 2500, 1)
    assert [one.contender for one in found] == [*streams.CONTENDERS]
    assert all(one.peak_memory and one.peak_memory > 10_000 for one in found)


def test_every_call_at_a_distance_reads_the_same_and_a_direct_one_begins_its_transaction_in_the_same_round_trip(
    everybody: Any, place: Place, rows: Rows
) -> None:
    from benchmarks.contenders import distant

    one, ten = rows("people WHERE id = 7"), rows("people WHERE id <= 10 ORDER BY id")
    expected = {ONE_FAR: one, ONE_IN_TRANSACTION: one, FEW_IN_TRANSACTION: ten}
    found: dict[str, int] = {}
    with at_a_distance(place) as distance, distant.sync_calls(distance.place) as cases:
        for case, calls in cases.items():
            for name, call in calls.items():
                # psycopg prepares a statement when it is executed for the sixth time.
                for _ in range(7):
                    before = distance.round_trips()
                    assert [plain(row) for row in call()] == expected[case], name
                    found[f"{case}, {name}"] = distance.round_trips() - before
    assert found[f"{ONE_FAR}, {DIRECT}"] == found[f"{ONE_FAR}, {BY_HAND}"] == 1
    assert found[f"{ONE_IN_TRANSACTION}, {DIRECT}"] == 2
    assert found[f"{FEW_IN_TRANSACTION}, {DIRECT}"] == 2
    assert found[f"{FEW_IN_TRANSACTION}, {GENERATED}"] == found[f"{FEW_IN_TRANSACTION}, {BY_HAND}"] == 4
    assert found[f"{ONE_IN_TRANSACTION}, {GENERATED}"] == found[f"{ONE_IN_TRANSACTION}, {BY_HAND}"] == 3


async def test_every_awaited_call_at_a_distance_reads_the_same(everybody: Any, place: Place, rows: Rows) -> None:
    from benchmarks.contenders import distant

    one, ten = rows("people WHERE id = 7"), rows("people WHERE id <= 10 ORDER BY id")
    expected = {ONE_FAR: one, ONE_IN_TRANSACTION: one, FEW_IN_TRANSACTION: ten}
    with at_a_distance(place) as distance:
        async with distant.async_calls(distance.place) as cases:
            for case, calls in cases.items():
                for name, call in calls.items():
                    assert [plain(row) for row in await call()] == expected[case], name


def _last(rows: Rows, count: int) -> list[NewPerson]:
    return [NewPerson(*row[1:]) for row in rows(f"(SELECT * FROM added ORDER BY id DESC LIMIT {count}) AS last ORDER BY id")]


def test_the_tables_have_as_many_rows_as_their_names_say(rows: Rows) -> None:
    assert len(rows("people")) == PEOPLE
