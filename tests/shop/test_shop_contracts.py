"""The import contracts are kept, and each is broken, by its name, by an import that violates it."""

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


def test_all_contracts_are_kept() -> None:
    linted = lint(REPOSITORY)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


INWARD = "Every import of the service points inward"
USE_CASES = "Commands and reads are independent, and messaging builds on both"
AGGREGATES = "Orders know users, and not the other way round"
ADAPTERS = "Only the composition root names concrete adapters"
ADAPTERS_APART = "Adapters are independent of each other"
POSTGRES = "The PostgreSQL adapters mirror the application"
COMMANDS_APART = "Commands of the program are independent of each other"
GENERATED = "Only the PostgreSQL adapters call the generated code"
PURE = "Domain and application know no infrastructure"
WEB_FRAMEWORK = "Only the web adapter imports the web framework"
STDLIB = "The domain knows no validation framework"
DEV_TIME = "The compiler is dev-time only, and knows nothing of the service"
NO_RUNTIME = "The generated code needs psycopg, OpenTelemetry's API and the standard library alone"
STAGES = "Every stage of the compiler imports only what stands below it"
PROVER = "The prover reads trees and catalogs, judges by rules, and records"
RULES = "A rule rests on verdicts and facts, never on the rules above it"
CIRCLES = "No two modules of the prover import each other, directly or in a circle"
QUIET = "Only the command line prints"


# A module, its import (None: the module is in no layer), and the contract that it breaks.
BREAKING = [
    ("src/shop/domain/users.py", "shop.application.reads.users", INWARD),
    ("src/shop/application/reads/users.py", "shop.infrastructure.passwords", INWARD),
    ("src/shop/infrastructure/passwords.py", "shop.bootstrap", INWARD),
    ("src/shop/bootstrap/service.py", "shop.demo", INWARD),
    ("src/shop/local_servers.py", "shop.cli", INWARD),
    ("src/shop/bootstrap/service.py", "shop.web.app", INWARD),
    ("src/shop/web/app.py", "shop.cli.output", INWARD),
    ("src/shop/a_new_layer.py", None, INWARD),
    ("src/shop/application/commands/users.py", "shop.application.reads.models", USE_CASES),
    ("src/shop/application/reads/users.py", "shop.application.commands.passwords", USE_CASES),
    ("src/shop/application/transactions/runner.py", "shop.application.messaging.messages", USE_CASES),
    ("src/shop/application/a_new_part.py", None, USE_CASES),
    ("src/shop/domain/users.py", "shop.domain.orders", AGGREGATES),
    ("src/shop/domain/a_new_aggregate.py", None, AGGREGATES),
    ("src/shop/infrastructure/postgres/pool.py", "shop.infrastructure.settings.model", ADAPTERS_APART),
    ("src/shop/infrastructure/redis/cache_store.py", "shop.infrastructure.nats.broker", ADAPTERS_APART),
    ("src/shop/infrastructure/a_new_adapter.py", None, ADAPTERS_APART),
    ("src/shop/infrastructure/postgres/reads/users.py", "shop.infrastructure.postgres.transactions.users", POSTGRES),
    ("src/shop/infrastructure/postgres/a_new_part.py", None, POSTGRES),
    ("src/shop/cli/commands/users.py", "shop.cli.commands.orders", COMMANDS_APART),
    ("src/shop/demo/story.py", "shop.infrastructure.postgres.pool", ADAPTERS),
    ("src/shop/cli/commands/users.py", "shop.infrastructure.settings.model", ADAPTERS),
    ("src/shop/web/app.py", "shop.infrastructure.redis.rates", ADAPTERS),
    ("src/shop/demo/story.py", "shop_db.users", GENERATED),
    ("src/shop/bootstrap/service.py", "shop_db", GENERATED),
    ("src/shop/infrastructure/passwords.py", "shop_db.models", GENERATED),
    ("src/shop/domain/users.py", "psycopg", PURE),
    ("src/shop/application/commands/passwords.py", "psycopg_pool", PURE),
    ("src/shop/application/commands/passwords.py", "argon2", PURE),
    ("src/shop/application/authorisation.py", "fastapi", PURE),
    ("src/shop/application/reads/cache.py", "redis", PURE),
    ("src/shop/application/messaging/broker.py", "nats", PURE),
    ("src/shop/cli/commands/serve.py", "uvicorn", WEB_FRAMEWORK),
    ("src/shop/domain/values.py", "pydantic", STDLIB),
    ("src/shop/infrastructure/postgres/pool.py", "sqlwright.ir.naming", DEV_TIME),
    ("src/sqlwright/ir/naming.py", "shop.domain.values", DEV_TIME),
    ("generated/shop_db/users.py", "sqlwright.ir.naming", NO_RUNTIME),
    ("generated/shop_db/models.py", "pydantic", NO_RUNTIME),
    ("src/sqlwright/ir/naming.py", "sqlwright.options", STAGES),
    ("src/sqlwright/a_new_stage.py", None, STAGES),
    ("src/sqlwright/prove/catalog/__init__.py", "sqlwright.prove.rules", PROVER),
    ("src/sqlwright/prove/a_new_part.py", None, PROVER),
    ("src/sqlwright/prove/rules/a_new_rule.py", None, RULES),
    ("src/sqlwright/prove/catalog/__init__.py", "sqlwright.prove.rules", CIRCLES),
    ("src/sqlwright/ir/naming.py", "rich", QUIET),
]


def module_name(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts[1:]).removesuffix(".__init__")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on a copy of the three packages in which all contracts are broken by all imports."""
    root = tmp_path_factory.mktemp("broken")
    for folder in ("src", "generated"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for module, imported, _ in BREAKING:
        with (root / module).open("a", encoding="utf-8") as file:
            file.write("" if imported is None else f"\nimport {imported}\n")
    linted = lint(root)
    assert linted.returncode == 1, linted.stdout + linted.stderr
    return linted.stdout


def test_every_contract_is_broken_by_a_case() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]} == {contract for _, _, contract in BREAKING}


@pytest.mark.parametrize(("module", "imported", "contract"), BREAKING)
def test_an_import_that_breaks_a_contract_is_reported(report: str, module: str, imported: str | None, contract: str) -> None:
    assert f"{contract} BROKEN" in report
    # A section of the report for each broken contract, under its name.
    section = report.partition("Broken contracts")[2].partition(f"\n{contract}\n")[2].partition("\n---")[0]
    name = module_name(module)
    expected = name.rpartition(".")[2] if imported is None else f"{name} -> {imported}"
    # A report of circles names siblings by their last part.
    short = f".{name.rpartition('.')[2]} -> .{(imported or '').rpartition('.')[2]} "
    assert expected in section or short in section, section


@pytest.mark.parametrize("module", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.name)
def test_the_domain_imports_only_itself_and_the_standard_library(module: Path) -> None:
    # The contracts can forbid only packages that they name; this test needs no list.
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
