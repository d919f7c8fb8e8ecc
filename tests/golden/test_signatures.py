"""What every golden case promises: no `Any`, and `object` only where a warning says so; each option has a case that shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sqlwright.ir import Command
from sqlwright.options import Options
from tests.support.golden import CASES, NAMES, expected, expected_files

_ROOT = Path(__file__).parents[2]
_SHOP = _ROOT / "generated" / "shop_db"
_PACKAGES = [*(name for name in NAMES if not name.startswith("error_")), _SHOP.name]
# What is written around the queries has values of psycopg in hand, before they are what is promised.
_AROUND = {"__init__.py", "_direct.py", "_execution.py", "_rows.py", "_tracing.py", "adapters.py", "registration.py", "registry.py"}
_FROM_PSYCOPG = re.compile(r"(Async)?(Connection|RawCursor)\[.*\]")
_WARNED = re.compile(r"(?:column|parameter) `(\w+)` of query (\w+) has type")


def _files(name: str) -> list[Path]:
    """The Python files of a package."""
    found = _SHOP.rglob("*") if name == _SHOP.name else expected_files(name).values()
    return sorted(file for file in found if file.suffix == ".py")


def _promises(name: str) -> Iterator[tuple[str, str]]:
    """Return each annotation of a parameter, a result and a field of a package, after its name."""
    for file in _files(name):
        if file.name in _AROUND:
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*node.args.args, *node.args.kwonlyargs]
                yield from (
                    (f"{node.name}({argument.arg})", ast.unparse(argument.annotation)) for argument in arguments if argument.annotation
                )
                assert node.returns is not None
                yield node.name, ast.unparse(node.returns)
            elif isinstance(node, ast.ClassDef):
                fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
                yield from ((f"{node.name}.{ast.unparse(field.target)}", ast.unparse(field.annotation)) for field in fields)


def _words(annotation: str) -> set[str]:
    """The names in an annotation, without those of a connection or a cursor."""
    return set(re.findall(r"\w+", _FROM_PSYCOPG.sub("", annotation)))


@pytest.mark.parametrize("name", _PACKAGES)
def test_no_signature_has_any(name: str) -> None:
    assert [(promise, annotation) for promise, annotation in _promises(name) if "Any" in _words(annotation)] == []


@pytest.mark.parametrize("name", _PACKAGES)
def test_object_stands_only_where_a_warning_does(name: str) -> None:
    warned = len(_WARNED.findall(expected(name).stderr)) if name in NAMES else 0
    objects = {promise for promise, annotation in _promises(name) if "object" in _words(annotation)}
    assert len(objects) <= warned


@pytest.mark.parametrize("name", _PACKAGES)
def test_no_line_is_longer_than_88_columns(name: str) -> None:
    lines = [line for file in _files(name) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if len(line) > 88] == []


def test_the_signatures_are_found() -> None:
    promises = dict(_promises("rows_as_values"))
    assert promises["unlike"] == "list[object]"
    assert promises["Audit.after"] == "UserValue"
    assert promises["split(n)"] == "int"


def test_every_option_has_a_case_that_shows_it() -> None:
    shown: set[str] = set()
    for case in CASES.iterdir():
        if not case.name.startswith("error_"):
            config: Any = yaml.safe_load((case / "sqlc.yaml").read_text(encoding="utf-8"))
            for entry in config["sql"]:
                for codegen in entry["codegen"]:
                    shown |= set(codegen.get("options") or ())
    assert {field.alias or name for name, field in Options.model_fields.items()} <= shown


def test_every_command_has_a_case_that_shows_it() -> None:
    names = re.compile(r"^-- name: \w+ (:\w+)$", re.MULTILINE)
    files = [file for case in CASES.iterdir() if not case.name.startswith("error_") for file in (case / "queries").glob("*.sql")]
    assert set(Command) <= {command for file in files for command in names.findall(file.read_text(encoding="utf-8"))}


def test_every_command_is_documented() -> None:
    text = (_ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(:\w+)`", text, re.MULTILINE)) == set(Command)
