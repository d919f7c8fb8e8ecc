"""From a run to the documentation: the chart, and the tables between a page's markers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.chart import CASES, chart
from benchmarks.names import FILTER, GENERATED
from benchmarks.report import seconds, times
from benchmarks.results import Group, Results, compare
from benchmarks.targets import TARGETS

_MARKED = re.compile(r"(<!-- measured: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def record(results: Results, root: Path) -> None:
    """Write the chart, and rewrite the tables between the markers of the pages.

    Raises:
        KeyError: a marker has an unknown name.
    """
    (root / "docs" / "performance.svg").write_text(chart(results), encoding="utf-8")
    for page in (root / "docs" / "performance.md", root / "README.md"):
        page.write_text(filled(page.read_text(encoding="utf-8"), results), encoding="utf-8")


def filled(page: str, results: Results) -> str:
    """Return the page with the measurements between its markers `<!-- measured: name -->` and `<!-- end -->`."""
    return replaced(page, {name: part(results) for name, part in _PARTS.items()})


def replaced(page: str, parts: Mapping[str, str]) -> str:
    """Return the page with these texts between the markers of their names. Raises `KeyError`: a marker has another name."""
    return _MARKED.sub(lambda found: f"{found[1]}{parts[found['name']]}{found[3]}", page)


def _summary(results: Results) -> str:
    """The ratios that the chart shows."""
    cases = [case for case in CASES if results.get(case, GENERATED)]
    contenders = dict.fromkeys(one.contender for case in cases for one in results.contenders(case))
    rows = [["time relative to the generated function", *cases]]
    for contender in contenders:
        row = [contender]
        for case in cases:
            theirs, ours = results.get(case, contender), results.get(case, GENERATED)
            row.append(f"{compare(theirs, ours).median:.2f}" if theirs and ours else "")
        rows.append(row)
    return table(rows)


def _targets(results: Results) -> str:
    rows = [["comparison", "target", "measured", "middle half", "", "hardest case"]]
    for target in TARGETS:
        for where, ratio in target.worst_first(results)[:1]:
            wanted = f"{'≤' if target.bound == 'at most' else '≥'} {target.limit:g} ×"
            standing = target.standing(ratio)
            shown = standing if standing == "met" else f"**{standing}**"
            rows.append([target.what, wanted, times(ratio.median), f"{ratio.low:.2f} to {ratio.high:.2f}", shown, where])
    return table(rows)


def _distant(results: Results) -> str:
    rows = [["case", "contender", "round trips", "median", "middle half"]]
    for one in results.measurements:
        if one.round_trips is not None:
            low, high = one.middle_half
            rows.append([one.case, one.contender, str(one.round_trips), seconds(one.median), f"{seconds(low)} to {seconds(high)}"])
    return table(rows)


def _filters(results: Results) -> str:
    rows = [["contender", "median", "middle half", "time, generated = 1", "plan"]]
    ours = results.get(FILTER, GENERATED)
    for one in results.contenders(FILTER):
        low, high = one.middle_half
        ratio = times(compare(one, ours).median) if ours else ""
        rows.append([one.contender, seconds(one.median), f"{seconds(low)} to {seconds(high)}", ratio, one.plan or ""])
    return table(rows)


def _cases(group: Group) -> Callable[[Results], str]:
    def written(results: Results) -> str:
        rows = [["case", "contender", "median", "middle half", "peak memory"]]
        for case in results.cases(group):
            for one in results.contenders(case):
                low, high = one.middle_half
                memory = f"{one.peak_memory / 1024:.0f} MiB" if one.peak_memory else ""
                rows.append([case, one.contender, seconds(one.median), f"{seconds(low)} to {seconds(high)}", memory])
        return table(rows)

    return written


def _setting(results: Results) -> str:
    return ", ".join(f"{name} {value}" for name, value in results.setting.items()) + ".\n"


def table(rows: list[list[str]]) -> str:
    """Return rows, the first of which is the head, as a table in Markdown."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body, ""])


_PARTS: dict[str, Callable[[Results], str]] = {
    "summary": _summary,
    "targets": _targets,
    "distance": _distant,
    "filters": _filters,
    "run-time": _cases("run time"),
    "generation": _cases("generation"),
    "setting": _setting,
}
