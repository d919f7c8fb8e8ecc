"""What the commands that compile have to say at their end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.text import Text

from sqlwright.cli.configuration import CONFIG
from sqlwright.cli.console import Format, diagnostic_json, err, out, print_diagnostics, print_json
from sqlwright.cli.folder import Comparison, Difference
from sqlwright.diagnostics import Diagnostic
from sqlwright.options import Clients
from sqlwright.pipeline import Compilation


def show_generated(config: Path, compilations: tuple[Compilation, ...], comparison: Comparison, form: Format, seconds: float) -> None:
    """Show what `generate` has written, warnings first."""
    warnings = _warnings(compilations)
    if form is Format.JSON:
        print_json(
            {
                "ok": True,
                "packages": [{"out": c.out, "queries": _queries(c), "functions": _functions(c)} for c in compilations],
                "files": _files_json(config, comparison, new="created"),
                "diagnostics": [diagnostic_json(warning) for warning in warnings],
                "seconds": round(seconds, 3),
            }
        )
        return
    print_diagnostics(warnings)
    if warnings:
        err().print()
    _print_summary(config, compilations, comparison, len(warnings), seconds)


def show_checked(config: Path, compilations: tuple[Compilation, ...], comparison: Comparison, form: Format) -> None:
    """Show what `check` has found, warnings first, and a diff for each file that is not as generated."""
    warnings = _warnings(compilations)
    if form is Format.TEXT:
        print_diagnostics(warnings)
    if form is Format.JSON:
        files = _files_json(config, comparison, new="missing")
        print_json({"ok": not comparison.differences, "files": files, "diagnostics": [diagnostic_json(warning) for warning in warnings]})
    elif comparison.differences:
        for difference in comparison.differences:
            _print_diff(config, difference)
        count = len(comparison.differences)
        err().print(Text.assemble(("error:", "bold red"), f" {count} generated file{'s are' if count > 1 else ' is'} not up to date"))
        for difference in comparison.differences:
            err().print(f"  {difference.kind}: {_shown(config, difference.path)}")
        err().print(Text.assemble(("  help:", "bold cyan"), f" run `sqlwright generate{_config_argument(config)}` and commit the result."))
    else:
        out().print(f"{_count(comparison.unchanged, 'generated file')} up to date.")


def _warnings(compilations: tuple[Compilation, ...]) -> list[Diagnostic]:
    return [warning for compilation in compilations for warning in compilation.warnings]


def _print_summary(config: Path, compilations: tuple[Compilation, ...], comparison: Comparison, warnings: int, seconds: float) -> None:
    console = out()
    styles = {"missing": ("created", "green"), "changed": ("changed", "yellow"), "orphaned": ("removed", "red")}
    for difference in comparison.differences:
        word, style = styles[difference.kind]
        console.print(Text.assemble((f"{word:>9}", style), f"  {_shown(config, difference.path)}"))
    queries, functions = sum(map(_queries, compilations)), sum(map(_functions, compilations))
    kinds = [difference.kind for difference in comparison.differences]
    written = len(kinds) - kinds.count("orphaned")
    facts = [
        _count(queries, "query", "queries"),
        _count(functions, "function"),
        f"{_count(written, 'file')} written",
        f"{comparison.unchanged} unchanged",
        *([f"{removed} removed"] if (removed := kinds.count("orphaned")) else []),
        *([_count(warnings, "warning")] if warnings else []),
        f"{seconds:.1f} s",
    ]
    console.print(", ".join(facts))


def _print_diff(config: Path, difference: Difference) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in difference.diff(_shown(config, difference.path)).splitlines():
        out().print(Text(line, styles.get(line[:1], "")))


def _files_json(config: Path, comparison: Comparison, new: str) -> dict[str, Any]:
    kinds = {"missing": new, "changed": "changed", "orphaned": "removed" if new == "created" else "orphaned"}
    listed: dict[str, Any] = {word: [] for word in kinds.values()}
    for difference in comparison.differences:
        listed[kinds[difference.kind]].append(_shown(config, difference.path))
    return {**listed, "unchanged": comparison.unchanged}


def _shown(config: Path, path: Path) -> str:
    return Path(os.path.relpath(path, config.absolute().parent)).as_posix()


def _config_argument(config: Path) -> str:
    return "" if config == CONFIG else f" --config {config}"


def _queries(compilation: Compilation) -> int:
    return sum(len(module.queries) for module in compilation.package.modules)


def _functions(compilation: Compilation) -> int:
    return _queries(compilation) * (2 if compilation.options.clients is Clients.BOTH else 1)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
