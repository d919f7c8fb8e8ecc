"""The property: whatever the schema, the query and the rows, no NULL appears and no number of rows occurs that the proof denies.

`SQLWRIGHT_PROPERTY_QUERIES` is how many queries the long run compares for each major version (20000 unless set), `SQLWRIGHT_SEED` fixes its
choices, `--hypothesis-seed` those of the short one. `python -m tests.proofs.comparison --help` does the same from a command line.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.servers import Servers, fresh_database

from .comparison import Comparison
from .grammar import Writer, random_schema
from .randompages import PagedComparison
from .varied import VariedComparison

_SHORT_RUN, _PER_SCHEMA = 10, 8
CLASSES = {
    "columns in another order than in the text": ", LIKE ",
    "columns that only PostgreSQL knows": "DO $$",
    "dropped columns": " DROP gone",
    "partitions of another column order": "ATTACH PARTITION",
    "children": "INHERITS",
    "INSTEAD OF triggers": "INSTEAD OF",
    "BEFORE triggers": "BEFORE ",
    "rules": "CREATE RULE",
    "rows embedded, and whether they are absent": "to_jsonb(r",
    "sets in VALUES": "VALUES (generate_series(",
    "operators that return sets": "@@@",
    "parameters above aggregates": "$2::int, count(",
    "GROUP BY ()": "GROUP BY ()",
    "dates across types": "timestamptz",
    "floats": "'-0'::float8",
    "domains": "'A'::shout",
    "composites of one column": "unnest(ARRAY[ROW(NULL)::one])",
    "arrays of arrays, maybe empty": "<> ALL (ARRAY[",
    "operators that return NULL": "DISTINCT FROM 1",
    "assignments to elements": "[2:3] = ",
    "= NULL": " = NULL",
    "settings of the session": "transform_null_equals",
    "volatile items of FROM": "LATERAL (SELECT floor(random()",
    "items of FROM that lock a row": "LIMIT 1 FOR UPDATE SKIP LOCKED) r",
    "MERGE": "MERGE INTO",
    "IN over the row of a key": "IN (SELECT z.",
    "equal NULLs in an index": "NULLS NOT DISTINCT",
    "indexed expressions": "octet_length(",
    "tables of one row": "CHECK (k = 1)",
    "stable functions": "= app_id()",
    "functions that change settings": "moves(",
    "policies of row security": "CREATE POLICY",
    "a role that they apply to": "ROLE pg_monitor",
    "domains over arrays": " codes",
}


@pytest.fixture(scope="module")
def comparison(servers: Servers, major: int) -> Iterator[Comparison]:
    with fresh_database(servers, major, "random_queries") as connection:
        yield Comparison(connection)


def test_the_grammar_has_every_class() -> None:
    missing = set(CLASSES.values())
    for number in range(1200):
        source = random.Random(number)  # noqa: S311 - the seed is the point
        schema = random_schema(source)
        statements = (Writer(source, schema.sources).statement()[0] for _ in range(8))
        text = "\n".join([schema.settings, *schema.statements, *statements])
        missing = {piece for piece in missing if piece not in text}
        if not missing:
            return
    assert [name for name, piece in CLASSES.items() if piece in missing] == []


def test_no_rows_contradict_the_proof_of_a_random_query(comparison: Comparison) -> None:
    @settings(
        max_examples=_SHORT_RUN,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.randoms(use_true_random=False))
    def search(source: random.Random) -> None:
        comparison.schema(source, _PER_SCHEMA)

    search()
    assert comparison.counts["compared"]


@pytest.fixture(scope="module")
def paged(servers: Servers, major: int) -> Iterator[PagedComparison]:
    with fresh_database(servers, major, "random_pages") as connection:
        yield PagedComparison(connection)


def test_random_walks_over_pages_find_every_row_in_order(paged: PagedComparison) -> None:
    paged.many(os.environ.get("SQLWRIGHT_SEED", "4"), 5)
    assert paged.counts["walks"] >= 5


@pytest.fixture(scope="module")
def varied(servers: Servers, major: int) -> Iterator[VariedComparison]:
    with fresh_database(servers, major, "random_variants") as connection:
        yield VariedComparison(connection)


def test_no_rows_contradict_the_one_proof_of_random_variants(varied: VariedComparison) -> None:
    varied.many(os.environ.get("SQLWRIGHT_SEED", "3"), 10)
    assert varied.counts["variants"] > varied.counts["compared"]


@pytest.mark.slow
def test_no_rows_contradict_the_proofs_of_many_random_variants(varied: VariedComparison, capsys: pytest.CaptureFixture[str]) -> None:
    varied.many(os.environ.get("SQLWRIGHT_SEED", "20"), int(os.environ.get("SQLWRIGHT_PROPERTY_QUERIES", "20000")) // 4)
    with capsys.disabled():
        print(f"\n{varied}")  # noqa: T201 - the count is what the long run is for


@pytest.mark.slow
def test_many_random_walks_over_pages_find_every_row_in_order(paged: PagedComparison, capsys: pytest.CaptureFixture[str]) -> None:
    paged.many(os.environ.get("SQLWRIGHT_SEED", "20"), int(os.environ.get("SQLWRIGHT_PROPERTY_QUERIES", "20000")) // 20)
    with capsys.disabled():
        print(f"\n{paged}")  # noqa: T201 - the count is what the long run is for


@pytest.mark.slow
def test_no_rows_contradict_the_proofs_of_many_random_queries(comparison: Comparison, capsys: pytest.CaptureFixture[str]) -> None:
    comparison.many(os.environ.get("SQLWRIGHT_SEED", "20"), int(os.environ.get("SQLWRIGHT_PROPERTY_QUERIES", "20000")))
    with capsys.disabled():
        print(f"\n{comparison}")  # noqa: T201 - the count is what the long run is for
