"""All generated code at once, as the user's formatter, linter and type checkers see it: each reads every package in one run.

The packages are those that were rendered from every part of the IR, the golden cases, and projects of every type and option. Beside them
stand calls of the functions: those that must type-check, and those that must not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sqlwright.options import Clients
from tests.support.golden import NAMES, expected
from tests.support.packages import hostile, long, render_into, sample
from tests.support.projects import Compiler, declare

from .test_dimensions import QUERIES as DIMENSION_QUERIES
from .test_dimensions import SCHEMA as DIMENSION_SCHEMA
from .test_intervals import QUERIES as INTERVAL_QUERIES
from .test_intervals import SCHEMA as INTERVAL_SCHEMA
from .test_options import QUERIES as OPTION_QUERIES
from .test_options import SCHEMA as OPTION_SCHEMA
from .test_options import USER_TYPES
from .test_round_trips import QUERIES, SCHEMA
from .test_rows_as_values import QUERIES as ROW_QUERIES
from .test_rows_as_values import SCHEMA as ROW_SCHEMA
from .test_schema_types import QUERIES as SCHEMA_TYPE_QUERIES
from .test_schema_types import SCHEMA as SCHEMA_TYPE_SCHEMA
from .test_stress import SOURCE as STRESS

pytestmark = [pytest.mark.checkers, pytest.mark.long]

_CALLS = Path(__file__).parent / "calls"
_VECTORS = "CREATE EXTENSION vector; CREATE TABLE v (one vector(2), many vector[] NOT NULL);"
_VECTOR_QUERIES = """
-- name: vectors :many
SELECT one, many FROM v;

-- name: add :exec
INSERT INTO v (one, many) VALUES (@one, @many);
"""
_OVERRIDES: list[dict[str, str]] = [
    {
        "column": "customers.mail",
        "python_type": "user_types.Email",
        "to_python": "user_types.Email",
        "from_python": "user_types.email_text",
    },
    {"db_type": "macaddr", "python_type": "user_types.Mac"},
    {"db_type": "numeric", "python_type": "user_types.Money", "from_python": "user_types.amount"},
]
_SOURCES = [
    declare(SCHEMA, QUERIES),
    declare(INTERVAL_SCHEMA, INTERVAL_QUERIES, intervals="exact"),
    declare(_VECTORS, _VECTOR_QUERIES),
    declare(ROW_SCHEMA, ROW_QUERIES),
    declare(ROW_SCHEMA, ROW_QUERIES, model="pydantic", intervals="exact", domains="newtype", array_elements="nullable"),
    declare(DIMENSION_SCHEMA, DIMENSION_QUERIES),
    declare(
        DIMENSION_SCHEMA,
        DIMENSION_QUERIES,
        array_elements="nullable",
        json={"games.docs": "user_types.Settings"},
        overrides=[{"db_type": "box", "python_type": "user_types.Email", "from_python": "user_types.email_text"}],
    ),
    *(
        declare(schema, queries, model=model)
        for schema, queries in ((OPTION_SCHEMA, OPTION_QUERIES), (SCHEMA_TYPE_SCHEMA, SCHEMA_TYPE_QUERIES))
        for model in ("dataclass", "frozen", "namedtuple", "pydantic")
    ),
    declare(OPTION_SCHEMA, OPTION_QUERIES, domains="newtype", array_elements="nullable", emit_str_enum=False),
    declare(OPTION_SCHEMA, OPTION_QUERIES, overrides=_OVERRIDES, json={"*.settings": "user_types.Settings", "*.data": "user_types.Data"}),
    STRESS,
]


_SHOP = """
from dataclasses import dataclass


@dataclass
class Settings:
    theme: str


class Box(Settings): ...


class Label(Settings): ...


class Email(str): ...


class Mood(str): ...


def email_text(email: Email) -> str:
    return str(email)


def mood_of(mood: object) -> Mood:
    return Mood(mood)
"""


@pytest.fixture(scope="module")
def folder(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every package, the calls, and the user's modules in a library."""
    found = tmp_path_factory.mktemp("checked")
    render_into(found, "sample", sample())
    # A package in both colours has the modules of each of them.
    render_into(found, "hostile", hostile(), [Clients.BOTH])
    render_into(found, "long", long(step=30), [Clients.BOTH])
    for source in _SOURCES:
        project = compiler.compile(source)
        (project.folder / project.package).rename(found / project.package)
    for name in NAMES:
        for path, text in expected(name).files.items():
            (found / f"golden_{name}" / path).parent.mkdir(parents=True, exist_ok=True)
            (found / f"golden_{name}" / path).write_text(text, encoding="utf-8")
    for calls in _CALLS.iterdir():
        (found / calls.name).write_text(calls.read_text(encoding="utf-8"), encoding="utf-8")
    library = tmp_path_factory.mktemp("library")
    (library / "user_types.py").write_text(USER_TYPES)
    (library / "shop").mkdir()
    (library / "shop" / "__init__.py").touch()
    (library / "shop" / "domain.py").write_text(_SHOP)
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(library)], "exclude": ["refused.py"]}
    (found / "pyrightconfig.json").write_text(json.dumps(config))
    (found / "mypy.ini").write_text(f"[mypy]\nmypy_path = {library}\n")
    return found


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names of all lengths, which matter to formatter and linter: to a type checker, one is like another."""
    return render_into(render_into(tmp_path_factory.mktemp("names"), "hostile", hostile()), "long", long())


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a Python tool of this environment on everything in a folder."""
    environment = {**os.environ, "NO_COLOR": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    whole = [sys.executable, "-m", *command, "."]
    return subprocess.Popen(whole, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


@pytest.fixture(scope="module")
def pyright(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The slowest of the tools, which runs while the others do."""
    with start(folder, "pyright", "--pythonpath", sys.executable) as process:
        yield process


@pytest.mark.usefixtures("pyright")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["format", "--diff"], id="the formatter's defaults"),
        pytest.param(["format", "--diff", "--target-version", "py313"], id="the formatter for Python 3.13"),
        pytest.param(["check"], id="the linter's default rules"),
        pytest.param(["check", "--select", "B,C4,E,F,I,PIE,PYI,RET,RUF,SIM,UP,W", "--ignore", "E501,UP042"], id="many rules"),
    ],
)
def test_ruff_reports_nothing(folder: Path, names: Path, arguments: Sequence[str]) -> None:
    calls = ",".join(path.name for path in _CALLS.iterdir())
    process = start(folder, "ruff", *arguments, "--isolated", "--no-cache", "--exclude", calls, str(names))
    output, _ = process.communicate()
    assert process.returncode == 0, output


@pytest.mark.usefixtures("pyright")
def test_mypy_strict_accepts_every_package_and_refuses_wrong_calls(folder: Path) -> None:
    options = ("--strict", "--python-version=3.11", "--config-file=mypy.ini", "--no-error-summary", "--hide-error-context")
    output, _ = start(folder, "mypy", *options).communicate()
    errors = [line for line in output.splitlines() if ": note: " not in line]
    found = {(*line.split(":")[:2], line.rsplit("[", 1)[-1].rstrip("]")) for line in errors}
    wanted = {
        ("refused.py", str(number), code)
        for number, line in enumerate((_CALLS / "refused.py").read_text(encoding="utf-8").splitlines(), start=1)
        if "  # " in line
        for code in line.rsplit("  # ", 1)[1].split(", ")
    }
    assert found == wanted, output


def test_pyright_strict_accepts_every_package(pyright: subprocess.Popen[str]) -> None:
    output, _ = pyright.communicate()
    assert pyright.returncode == 0, output
