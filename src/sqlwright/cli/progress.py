"""Progress of long work, on a terminal."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module

from sqlwright.cli.console import err
from sqlwright.project.compilation import Report


@contextmanager
def progress() -> Generator[Report]:
    """Show progress on stderr if it is a terminal, and nothing otherwise."""
    console = err()
    if not console.is_terminal:
        yield _import_results
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=None)

        def report(what: str, done: int, of: int) -> None:
            shown.update(task, description=what, completed=done, total=of or None)
            _import_results(what, done, of)

        yield report


def _import_results(what: str, done: int, of: int) -> None:
    """Import what the end of the run needs: the first report comes while sqlc runs and a processor is idle."""
    del what, done, of
    import_module("sqlwright.cli.results")
