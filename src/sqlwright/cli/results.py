"""The final output of the commands that compile."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from sqlwright.cli.console import diagnostic_json, err, out, print_diagnostics, print_json
from sqlwright.cli.options import Format
from sqlwright.project.configuration import CONFIG

if TYPE_CHECKING:
    from sqlwright.project.folder import Difference
    from sqlwright.project.updating import Majors, Outcome


def show_generated(config: Path, done: Outcome, form: Format, seconds: float) -> None:
    """Show what `generate` did, warnings first."""
    if form is Format.JSON:
        print_json(
            {
                "ok": True,
                "packages": [asdict(package) for package in done.packages],
                "files": _files_json(config, done.differences, done.unchanged, new="created"),
                "diagnostics": [diagnostic_json(warning) for warning in done.warnings],
                "seconds": round(seconds, 3),
            }
        )
        return
    print_diagnostics(done.warnings)
    if done.warnings:
        err().print()
    _print_summary(config, done, seconds)


def show_checked(config: Path, outcome: Outcome, form: Format) -> None:
    """Show the result of `check`, warnings first, and a diff for each file that is not up to date."""
    warnings = outcome.warnings
    if form is Format.TEXT:
        print_diagnostics(warnings)
    if form is Format.JSON:
        files = _files_json(config, outcome.differences, outcome.unchanged, new="missing")
        print_json({"ok": not outcome.differences, "files": files, "diagnostics": [diagnostic_json(warning) for warning in warnings]})
    elif outcome.differences:
        for difference in outcome.differences:
            _print_diff(config, difference)
        count = len(outcome.differences)
        err().print(Text.assemble(("error:", "bold red"), f" {count} generated file{'s are' if count > 1 else ' is'} not up to date"))
        for difference in outcome.differences:
            err().print(f"  {difference.kind}: {_shown(config, difference.path)}")
        for line in _advice(config, outcome.other_majors):
            err().print(Text.assemble(("  help:", "bold cyan"), f" {line}"))
    else:
        out().print(f"{_count(outcome.unchanged, 'generated file')} up to date.")


def _advice(config: Path, others: tuple[Majors, ...]) -> Iterator[str]:
    """How to fix files that are not up to date. `generate` trusts a record from another PostgreSQL, so that must be removed first."""
    command = f"sqlwright generate{_config_argument(config)}"
    if not others:
        yield f"run `{command}` and commit the result."
        return
    recorded, asked = others[0].recorded, others[0].server
    records = " ".join(f"{found.out}/proofs.json" for found in others)
    yield f"the recorded proofs are from PostgreSQL {recorded}, but this server is PostgreSQL {asked}: check with {recorded}, as recorded;"
    yield f"or move to {asked}: `rm {records} && {command}`, and commit the result."


def _print_summary(config: Path, done: Outcome, seconds: float) -> None:
    console = out()
    styles = {"missing": ("created", "green"), "changed": ("changed", "yellow"), "orphaned": ("removed", "red")}
    for difference in done.differences:
        word, style = styles[difference.kind]
        console.print(Text.assemble((f"{word:>9}", style), f"  {_shown(config, difference.path)}"))
    kinds = [difference.kind for difference in done.differences]
    written = len(kinds) - kinds.count("orphaned")
    facts = [
        _count(sum(package.queries for package in done.packages), "query", "queries"),
        _count(sum(package.functions for package in done.packages), "function"),
        f"{_count(written, 'file')} written",
        f"{done.unchanged} unchanged",
        *([f"{removed} removed"] if (removed := kinds.count("orphaned")) else []),
        *([_count(len(done.warnings), "warning")] if done.warnings else []),
        f"{seconds:.1f} s",
    ]
    console.print(", ".join(facts))


def _print_diff(config: Path, difference: Difference) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference.diff(_shown(config, difference.path)).splitlines():
        out().print(Text(line, styles.get(line[:1], "")))


def _files_json(config: Path, differences: Iterable[Difference], unchanged: int, new: str) -> dict[str, Any]:
    kinds = {"missing": new, "changed": "changed", "orphaned": "removed" if new == "created" else "orphaned"}
    listed: dict[str, Any] = {word: [] for word in kinds.values()}
    for difference in differences:
        listed[kinds[difference.kind]].append(_shown(config, difference.path))
    return {**listed, "unchanged": unchanged}


def _shown(config: Path, path: Path) -> str:
    return Path(os.path.relpath(path, config.absolute().parent)).as_posix()


def _config_argument(config: Path) -> str:
    return "" if config == CONFIG else f" --config {config}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
