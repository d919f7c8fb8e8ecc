"""The import contracts hold, and each one breaks, by its name, when an import breaks it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOMAIN = REPOSITORY / "src" / "shop" / "domain"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    return subprocess.run(
        [str(program), "--no-cache", "--no-logo", "--config", "pyproject.toml"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root / 'generated'}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the three packages and of the contracts, to be broken."""
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("src", "generated"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignore)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_are_kept() -> None:
    linted = lint(REPOSITORY)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


INWARD = "Every import of the service points inward"
ADAPTERS = "Only the composition root names concrete adapters"
GENERATED = "Only the PostgreSQL adapters call the generated code"
PURE = "Domain and application know no infrastructure"
STDLIB = "The domain knows no validation framework"
DEV_TIME = "The compiler is dev-time only, and knows nothing of the service"
NO_RUNTIME = "The generated code needs psycopg and the standard library alone"


BREAKING = [
    ("src/shop/domain/users.py", "import shop.application.user_directory", INWARD),
    ("src/shop/application/user_directory.py", "import shop.infrastructure.passwords", INWARD),
    ("src/shop/infrastructure/passwords.py", "import shop.bootstrap", INWARD),
    ("src/shop/bootstrap.py", "import shop.demo", INWARD),
    ("src/shop/a_new_layer.py", "import shop.domain.users", INWARD),
    ("src/shop/demo.py", "import shop.infrastructure.postgres.pool", ADAPTERS),
    ("src/shop/cli/users.py", "import shop.infrastructure.settings", ADAPTERS),
    ("src/shop/local_servers.py", "import shop.cli", INWARD),
    ("src/shop/demo.py", "import shop_db.users", GENERATED),
    ("src/shop/bootstrap.py", "import shop_db", GENERATED),
    ("src/shop/infrastructure/passwords.py", "import shop_db.models", GENERATED),
    ("src/shop/domain/users.py", "import psycopg", PURE),
    ("src/shop/application/passwords.py", "import psycopg_pool", PURE),
    ("src/shop/application/passwords.py", "import argon2", PURE),
    ("src/shop/application/cache.py", "import redis", PURE),
    ("src/shop/application/broker.py", "import nats", PURE),
    ("src/shop/domain/values.py", "import pydantic", STDLIB),
    ("src/shop/infrastructure/postgres/pool.py", "import sqlwright.ir.naming", DEV_TIME),
    ("src/sqlwright/ir/naming.py", "import shop.domain.values", DEV_TIME),
    ("generated/shop_db/users.py", "import sqlwright.ir.naming", NO_RUNTIME),
    ("generated/shop_db/models.py", "import pydantic", NO_RUNTIME),
]


def test_every_contract_is_broken_by_a_case_below() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]} == {contract for _, _, contract in BREAKING}


@pytest.mark.parametrize(("module", "statement", "contract"), BREAKING)
def test_an_import_that_breaks_a_contract_is_found(copy: Path, module: str, statement: str, contract: str) -> None:
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{statement}\n")
    linted = lint(copy)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert f"{contract} BROKEN" in linted.stdout


@pytest.mark.parametrize("module", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.name)
def test_the_domain_imports_itself_and_the_standard_library_alone(module: Path) -> None:
    # The contracts can only name the packages they know; this one needs no list.
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(name), level=0):
                imported = [name]
            case ast.ImportFrom():
                pytest.fail(f"{module.name}:{node.lineno}: a relative import")
            case _:
                continue
        for name in imported:
            assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("shop.domain."), f"{module.name}:{node.lineno}: {name}"
