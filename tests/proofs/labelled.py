"""The hand-labelled queries of `cases/*.sql`: how they are written and read.

Each case is a comment that says what it shows, a label, and a query:

    -- LEFT JOIN nulls its right side
    --> ! ? : many
    SELECT u.id, o.total FROM users u LEFT JOIN orders o ON o.user_id = u.id;

The label has a mark for each column: `!` never NULL, `?` may be NULL, `~` never NULL, but no rule proves it (a known miss). `[!]`, `[?]`
and `[~]` after a mark say the same of an array's elements. Then the number of rows: `1`, `0..1` or `many`. Then, if they matter, the
parameters: `$1!` may not be None, `$1?` may; a parameter with `?` that the query does not write to a column counts as asked for by
sqlc.narg, but for `$1?*`, which the query itself tests for NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sqlwright.prove.statement import Cardinality, Statement

CASES = Path(__file__).parent / "cases"
_VERSIONS = {"version18": 18, "version16": 16}
_ROWS = {"1": Cardinality.EXACTLY_ONE, "0..1": Cardinality.AT_MOST_ONE, "many": Cardinality.MANY}
_PARAM = re.compile(r"\$(\d+)::(\w+(?:\[\])?)")
_MARK = re.compile(r"([!?~])(?:\[([!?~])\])?")
_PARAM_LABEL = re.compile(r"\$(\d+)([!?])(?:\[([!?])\])?(\*?)")


@dataclass(frozen=True)
class Case:
    """A labelled query. `columns` and `elements` hold the marks; a parameter is labelled by its marks for None and for None in it."""

    file: str
    title: str
    sql: str
    columns: tuple[str, ...]
    elements: tuple[str, ...]
    rows: Cardinality
    params: dict[int, tuple[str, str]]
    tested: frozenset[int]
    since: int

    @property
    def id(self) -> str:
        """A name for reports."""
        return f"{self.file}: {self.title}"

    @property
    def param_types(self) -> tuple[str, ...]:
        """The types that the query casts its parameters to."""
        types = {int(number): name for number, name in _PARAM.findall(self.sql)}
        return tuple(types[number] for number in sorted(types))

    @property
    def statement(self) -> Statement:
        """The statement to prove."""
        writes = re.search(r"\b(INSERT|UPDATE|MERGE)\b", self.sql) is not None
        optional = frozenset(number for number, (mark, _) in self.params.items() if mark == "?" and not writes) - self.tested
        return Statement(self.sql, self.param_types, optional, returns_rows=bool(self.columns))


def read_cases() -> list[Case]:
    """Read all labelled queries."""
    cases: list[Case] = []
    for path in sorted(CASES.glob("*.sql")):
        if path.stem in ("schema", "schema18", "hostile"):
            continue
        for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
            title, label, *query = block.split("\n")
            assert title.startswith("-- "), block
            assert label.startswith("-->"), block
            cases.append(_case(path.stem, title[3:], label[3:], "\n".join(query).rstrip(";")))
    return cases


def _case(file: str, title: str, label: str, sql: str) -> Case:
    columns, rows, *params = (part.strip() for part in label.split(" :" if label.startswith(" :") else " : "))
    marks = [_MARK.fullmatch(mark) for mark in columns.split()]
    assert all(marks), label
    found = [mark.groups(default="") for mark in marks if mark]
    labels = _PARAM_LABEL.findall(params[0] if params else "")
    return Case(
        file,
        title,
        sql,
        tuple(mark for mark, _ in found),
        tuple(element for _, element in found),
        _ROWS[rows],
        {int(n): (mark, element) for n, mark, element, _ in labels},
        frozenset(int(n) for n, _, _, star in labels if star),
        _VERSIONS.get(file, 0),
    )
