"""A selective filter on many rows: variants, `IS NULL OR` and a builder, with their plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import psycopg

from benchmarks.contenders.filtering import contenders
from benchmarks.names import FILTER, SALES
from benchmarks.place import Place
from benchmarks.processors import on_one_processor
from benchmarks.results import Measurement
from benchmarks.timing import Turns, take_turns

# Sales of each customer.
_EACH = 100
_FILL = """
INSERT INTO sales
SELECT n, n % %(customers)s, (ARRAY['new', 'paid', 'sent', 'done'])[1 + n % 4],
       timestamptz '2026-01-01 12:00Z' + n * interval '7 seconds', (n % 1000) * 1.25
FROM generate_series(1, %(rows)s) AS n
"""


def fill(url: str, rows: int) -> None:
    """Fill the empty table."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_FILL.replace("%(customers)s", str(rows // _EACH)).replace("%(rows)s", str(rows)).encode())
        conn.execute("VACUUM ANALYZE sales")


def measurements(place: Place, rounds: int) -> Iterator[Measurement]:
    """Measure the case; its table is filled for it."""
    fill(place.url, SALES)
    customer = SALES // _EACH // 2
    with contenders(place) as found, on_one_processor(place.url):
        plans = {name: one.plan(customer) for name, one in found.items()}
        calls = {name: partial(one.find, customer) for name, one in found.items()}
        for one in take_turns(Turns("run time", FILTER, rounds), calls):
            yield replace(one, plan=plans[one.contender])
