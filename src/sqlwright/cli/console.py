"""Output of diagnostics and results: text, coloured on a terminal, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from sqlwright.cli.options import Format
from sqlwright.diagnostics import Code, CompileError, Diagnostic, Severity, format_diagnostic, unusable
from sqlwright.postgres.embedded import EmbeddedUnavailable
from sqlwright.postgres.server import ServerUnavailable
from sqlwright.project.interruption import Interrupted, interruptible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


_STYLES = {
    "error:": "bold red",
    "warning:": "bold yellow",
    "help:": "bold cyan",
    "-->": "bold blue",
}


def out() -> Console:
    """Return the console for results. Rich omits colour without a terminal, or if NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Return the console for diagnostics and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Write diagnostics to stderr, separated by empty lines."""
    console = err()
    for number, diagnostic in enumerate(diagnostics):
        if number:
            console.print()
        console.print(_styled(format_diagnostic(diagnostic), diagnostic.severity))


def print_json(document: Any) -> None:
    """Write a JSON document to stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic for JSON: severity, code, message, file, line, column (0 where there is none), label and help."""
    place = diagnostic.place
    return {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code.value,
        "message": diagnostic.message,
        "file": place.file if place else "",
        "line": place.line if place else 0,
        "column": place.column if place else 0,
        "label": diagnostic.label,
        "help": diagnostic.help,
    }


@contextmanager
def findings(form: Format = Format.TEXT, closing: str = "") -> Generator[None]:
    """Show the diagnostics of a failing command, then `closing`, and exit with code 1, or that of a signal.

    A signal ends the block cleanly.
    """
    code = 1
    diagnostics: tuple[Diagnostic, ...]
    try:
        with interruptible():
            yield
    except Interrupted as error:
        diagnostics, code = (Diagnostic(Code.INTERRUPTED, f"stopped by {error.name}"),), error.exit_code
    except OSError as error:
        diagnostics = (unusable(error),)
    except CompileError as error:
        diagnostics = error.diagnostics
    except ServerUnavailable as error:
        diagnostics = (error.diagnostic,)
    except EmbeddedUnavailable as error:
        diagnostics = (Diagnostic(Code.UNUSABLE_POSTGRESQL, f"the embedded PostgreSQL is not available: {error}", help=error.fix),)
    else:
        return
    if form is Format.JSON:
        print_json({"ok": False, "diagnostics": [diagnostic_json(d) for d in diagnostics]})
    else:
        print_diagnostics(diagnostics)
        errors = sum(d.severity is Severity.ERROR for d in diagnostics)
        if errors > 1 or closing:
            err().print(f"\n{errors} error{'s' if errors > 1 else ''}{closing}")
    raise typer.Exit(code)


def _styled(text: str, severity: Severity) -> Text:
    from rich.text import Text

    styled = Text()
    for line in text.splitlines(keepends=True):
        body = line.lstrip()
        word = body.split(" ", 1)[0].strip()
        indent = line[: len(line) - len(body)]
        if word in _STYLES:
            styled.append(indent).append(word, _STYLES[word]).append(body[len(word) :], "bold" if word == f"{severity}:" else "")
        elif "|" in body[:8] and body.split("|", 1)[1].lstrip().startswith("^"):
            margin, caret = line.split("|", 1)
            styled.append(f"{margin}|", "blue").append(caret, _STYLES[f"{severity}:"])
        else:
            styled.append(line)
    return styled
