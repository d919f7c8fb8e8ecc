"""From rounds to ratios, and from ratios to what the documentation says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.chart import chart
from benchmarks.names import ASYNC, BY_HAND, GENERATED, ONE_ROW, SQLC_DATACLASS, STREAMS, stream
from benchmarks.record import filled, record
from benchmarks.results import Measurement, Ratio, Results, compare
from benchmarks.targets import TARGETS, Target, to_json


def measured(case: str, contender: str, *rounds: float, memory: int | None = None) -> Measurement:
    return Measurement("run time", case, contender, rounds, memory)


RESULTS = Results(
    [
        measured(ONE_ROW, GENERATED, 1e-5, 2e-5, 4e-5),
        measured(ONE_ROW, BY_HAND, 1e-5, 2e-5, 2e-5),
        measured(ONE_ROW, SQLC_DATACLASS, 2e-5, 6e-5, 16e-5),
        measured(f"{ONE_ROW}{ASYNC}", GENERATED, 1e-5, 1e-5, 1e-5),
        measured(f"{ONE_ROW}{ASYNC}", SQLC_DATACLASS, 2e-5, 2e-5, 2e-5),
        measured(stream(STREAMS[0]), GENERATED, 1, memory=1000),
        measured(stream(STREAMS[1]), GENERATED, 9, memory=1050),
    ],
    {"Python": "3"},
)


def standings(results: Results) -> dict[str, tuple[str, float, str]]:
    """The hardest case of each target that the run has, its ratio, and where it stands."""
    found = {target: target.worst_first(results)[:1] for target in TARGETS}
    return {target.what: (where, ratio.median, target.standing(ratio)) for target, ratios in found.items() for where, ratio in ratios}


def test_a_ratio_is_made_round_by_round() -> None:
    ours, theirs = measured("a", "ours", 1, 10, 100), measured("a", "theirs", 2, 30, 400)
    ratio = compare(theirs, ours)
    assert (ratio.median, ratio.low, ratio.high) == (3, 2.5, 3.5)


def test_a_target_is_held_against_the_case_that_is_hardest_on_it() -> None:
    assert standings(RESULTS) == {
        "hand-written psycopg": (ONE_ROW, 1.0, "met"),
        "sqlc-gen-python, one row by key": (f"{ONE_ROW}{ASYNC}", 2.0, "missed"),
        "peak memory, 1,000,000 / 10,000 rows": (GENERATED, 1.05, "met"),
    }


@pytest.mark.parametrize(
    ("bound", "standing"),
    [
        (("at most", 2.0), "met"),
        (("at most", 1.5), "undecided"),
        (("at most", 0.5), "missed"),
        (("at least", 2.5), "undecided"),
        (("at least", 4.0), "missed"),
    ],
)
def test_a_limit_inside_the_middle_half_is_no_miss(bound: tuple[Literal["at most", "at least"], float], standing: str) -> None:
    assert Target("run time", "a", *bound, ratios=lambda _: iter(())).standing(Ratio(median=2.0, low=1.0, high=3.0)) == standing


def test_results_come_back_from_json_as_they_were() -> None:
    back = Results.from_json(to_json(RESULTS))
    assert back.measurements == RESULTS.measurements
    assert back.setting == RESULTS.setting


def test_the_chart_is_xml_with_a_bar_for_each_contender_of_its_cases() -> None:
    drawn = ET.fromstring(chart(RESULTS))  # noqa: S314 we wrote it
    bars = [element for element in drawn.iter("{http://www.w3.org/2000/svg}rect") if element.get("height") == "16"]
    assert len(bars) == 5


def test_only_the_text_between_the_markers_of_a_page_is_rewritten() -> None:
    page = "before\n<!-- measured: setting -->\nold\n<!-- end -->\nafter\n"
    new = filled(page, RESULTS)
    assert new == "before\n<!-- measured: setting -->\nPython 3.\n<!-- end -->\nafter\n"
    assert filled(new, RESULTS) == new


def test_an_unknown_marker_is_an_error() -> None:
    with pytest.raises(KeyError, match="unknown"):
        filled("<!-- measured: unknown -->\n<!-- end -->\n", RESULTS)


def test_the_pages_of_this_project_can_be_written(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (tmp_path / "docs").mkdir()
    for page in ("README.md", "docs/performance.md"):
        (tmp_path / page).write_text((root / page).read_text(encoding="utf-8"), encoding="utf-8")
    record(RESULTS, tmp_path)
    assert "| sqlc-gen-python, one row by key | ≥ 2.2 × | 2.00 × |" in (tmp_path / "docs/performance.md").read_text(encoding="utf-8")
    assert "performance.svg" in (tmp_path / "README.md").read_text(encoding="utf-8")
