"""The results of a run, as tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.names import BY_HAND, GENERATED
from benchmarks.results import Measurement, Ratio, Results, compare
from benchmarks.targets import TARGETS, Standing

_COLOURS: dict[Standing, str] = {"met": "green", "undecided": "yellow", "missed": "red"}
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def print_results(console: Console, results: Results) -> None:
    """Print each case as a table, then the targets and their standing."""
    for group in ("run time", "generation"):
        for case in results.cases(group):
            console.print(_case_table(case, results.contenders(case)))
    if any(target.worst_first(results) for target in TARGETS):
        console.print(_target_table(results))
    console.print(", ".join(f"{name} {value}" for name, value in results.setting.items()), style="dim", highlight=False)


def seconds(value: float) -> str:
    """Return three significant digits in a suitable unit."""
    factor, unit = next((pair for pair in _UNITS if value >= pair[0]), _UNITS[-1])
    scaled = value / factor
    return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f} {unit}"  # noqa: PLR2004 significant digits


def times(ratio: float) -> str:
    """Return a ratio with three significant digits."""
    return f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.1f} ×"  # noqa: PLR2004 significant digits


def _case_table(case: str, contenders: tuple[Measurement, ...]) -> Table:
    ours = next((one for one in contenders if one.contender in {GENERATED, BY_HAND}), contenders[0])
    has_memory, has_trips = any(one.peak_memory for one in contenders), any(one.round_trips for one in contenders)
    has_plan = any(one.plan for one in contenders)
    table = Table(title=case, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", min_width=44)
    for heading in ("median", "middle half", f"time, {ours.contender} = 1", *["peak memory"] * has_memory, *["round trips"] * has_trips):
        table.add_column(heading, justify="right", no_wrap=True)
    if has_plan:
        table.add_column("plan")
    for one in contenders:
        low, high = one.middle_half
        row = [one.contender, seconds(one.median), f"{seconds(low)} to {seconds(high)}"]
        row.append(times(compare(one, ours).median) if len(one.rounds) == len(ours.rounds) else "")
        if has_memory:
            row.append(f"{one.peak_memory / 1024:.0f} MiB" if one.peak_memory else "")
        if has_trips:
            row.append(str(one.round_trips))
        if has_plan:
            row.append(one.plan or "")
        table.add_row(*row, style="bold" if one.contender.startswith(GENERATED) else "")
    return table


def _target_table(results: Results) -> Table:
    table = Table(title="targets", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("what", "target", "measured", "middle half", "", "where"):
        table.add_column(heading)
    for target in TARGETS:
        ratios = target.worst_first(results)
        if not ratios:
            continue
        where, ratio = ratios[0]
        wanted = f"{'≤' if target.bound == 'at most' else '≥'} {target.limit:g} ×"
        standing = target.standing(ratio)
        coloured = f"[{_COLOURS[standing]}]{standing}[/]"
        table.add_row(target.what, wanted, times(ratio.median), spread(ratio), coloured, where)
    return table


def spread(ratio: Ratio) -> str:
    """The middle half of a ratio."""
    return f"{ratio.low:.2f} to {ratio.high:.2f}"
