"""Generated code of every type and option, as the user's formatter, linter and type checkers see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import Compiler

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
_PROJECTS: list[tuple[str, str, dict[str, Any]]] = [
    (SCHEMA, QUERIES, {}),
    (INTERVAL_SCHEMA, INTERVAL_QUERIES, {"intervals": "exact"}),
    (_VECTORS, _VECTOR_QUERIES, {}),
    (ROW_SCHEMA, ROW_QUERIES, {}),
    (ROW_SCHEMA, ROW_QUERIES, {"model": "pydantic", "intervals": "exact", "domains": "newtype", "array_elements": "nullable"}),
    (DIMENSION_SCHEMA, DIMENSION_QUERIES, {}),
    (
        DIMENSION_SCHEMA,
        DIMENSION_QUERIES,
        {
            "array_elements": "nullable",
            "json": {"games.docs": "user_types.Settings"},
            "overrides": [{"db_type": "box", "python_type": "user_types.Email", "from_python": "user_types.email_text"}],
        },
    ),
    *[
        (schema, queries, {"model": model})
        for schema, queries in ((OPTION_SCHEMA, OPTION_QUERIES), (SCHEMA_TYPE_SCHEMA, SCHEMA_TYPE_QUERIES))
        for model in ("dataclass", "frozen", "namedtuple", "pydantic")
    ],
    (OPTION_SCHEMA, OPTION_QUERIES, {"domains": "newtype", "array_elements": "nullable", "emit_str_enum": False}),
    (OPTION_SCHEMA, OPTION_QUERIES, {"overrides": _OVERRIDES, "json": {"*.settings": "user_types.Settings", "*.data": "user_types.Data"}}),
]


@pytest.fixture(scope="module")
def folder(compiler: Compiler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of each project, and the user's module in a library."""
    found = tmp_path_factory.mktemp("checked")
    library = tmp_path_factory.mktemp("library")
    (library / "user_types.py").write_text(USER_TYPES)
    for schema, queries, options in _PROJECTS:
        project = compiler.compile(schema, queries, **options)
        (project.folder / project.package).rename(found / project.package)
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(library)]}
    (found / "pyrightconfig.json").write_text(json.dumps(config))
    (found / "mypy.ini").write_text(f"[mypy]\nmypy_path = {library}\n")
    return found


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "format", "--isolated", "--diff", "."], id="the formatter"),
        pytest.param(
            ["ruff", "check", "--isolated", "--select", "B,C4,E,F,I,PIE,PYI,RET,RUF,SIM,UP,W", "--ignore", "E501,UP042", "."],
            id="the linter",
        ),
        pytest.param(["mypy", "--strict", "--python-version=3.11", "--config-file=mypy.ini", "."], id="mypy"),
        pytest.param(["pyright", "--pythonpath", sys.executable, "."], id="pyright"),
    ],
)  # fmt: skip
def test_tools_have_nothing_to_say(folder: Path, command: list[str]) -> None:
    environment = {**os.environ, "NO_COLOR": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
