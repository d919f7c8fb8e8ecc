"""Which of PostgreSQL's own functions and aggregates return NULL when. Functions are listed in `total_functions.txt`, by signature."""

from __future__ import annotations

from importlib.resources import files


def _read() -> dict[str, frozenset[str]]:
    sections: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in files("sqlwright.prove.catalog").joinpath("total_functions.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            current.add(line)
    return {name: frozenset(signatures) for name, signatures in sections.items()}


_SECTIONS = _read()

TOTAL = _SECTIONS["not NULL when no argument is NULL"]
CASTING = _SECTIONS["not NULL when no argument is NULL, unless its type has a cast to text of its own"]
"""Functions in SQL over any type, whose `$1::text` calls the function of a cast that a user has created: it may return NULL."""
FIRST_ARGUMENT = _SECTIONS["not NULL when the first argument is not NULL"]
ANY_ARGUMENT = _SECTIONS["not NULL when some argument is not NULL"]
ALWAYS = _SECTIONS["never NULL"]

MONOTONIC_FIELDS = frozenset({"century", "decade", "epoch", "isoyear", "julian", "millennium", "year"})
"""Fields that `extract` has a value for in infinite dates; for the others it returns NULL."""

NEVER_NULL_AGGREGATES = frozenset({"count", "regr_count"})
"""Aggregates, by name, that are not NULL even without rows."""

NON_EMPTY_AGGREGATES = frozenset({"array_agg", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg"}) | frozenset(
    f"{kind}_{what}"
    for kind in ("json", "jsonb")
    for what in ("agg_strict", "object_agg_strict", "object_agg_unique", "object_agg_unique_strict")
)
"""Aggregates that are NULL only without rows: they include NULLs."""

VALUE_AGGREGATES = frozenset(
    {
        "any_value",
        "avg",
        "bit_and",
        "bit_or",
        "bit_xor",
        "bool_and",
        "bool_or",
        "every",
        "max",
        "min",
        "range_agg",
        "range_intersect_agg",
        "stddev_pop",
        "string_agg",
        "sum",
        "var_pop",
        "xmlagg",
    }
)
"""Aggregates that are NULL only when there is no value: they ignore NULLs."""

ORDERED_SET_AGGREGATES = frozenset({"mode", "percentile_cont", "percentile_disc"})
"""Ordered-set aggregates that are NULL only when there is no value, if their direct arguments are not NULL."""
