"""The run-time half: what a call costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg

from benchmarks.place import PEOPLE, Place
from benchmarks.results import BY_HAND, GENERATED, Measurement
from benchmarks.timing import Turns, take_turns

BY_KEY = "SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = %s"


def measurements(place: Place, rounds: int, wanted: Callable[[str], bool]) -> Iterator[Measurement]:
    """Measure the cases whose names are wanted."""
    queries, person = place.load("queries"), place.load("models").Person
    with psycopg.connect(place.url, autocommit=True) as conn:

        def by_hand() -> object:
            row = conn.execute(BY_KEY, (PEOPLE,), binary=True).fetchone()
            return row and person(*row)

        if wanted("one row by key"):
            yield from take_turns(
                Turns("run time", "one row by key", rounds),
                {GENERATED: lambda: queries.get_person(conn, id=PEOPLE), BY_HAND: by_hand},
            )
