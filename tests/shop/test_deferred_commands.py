"""That a call of the program imports only what it needs, and that no output shows it."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from typer.testing import CliRunner

import shop.cli.commands
from shop.cli import app
from shop.cli.commands import COMMANDS, Commands
from shop.local_servers import LocalServer

# Of servers that are optional, of the web, of log lines and of measurements.
HEAVY = {"aiosmtplib", "fastapi", "limits", "nats", "opentelemetry.sdk", "redis", "structlog", "uvicorn"}
# What connects to the database, and what reads settings.
UNCONNECTED = {"asyncio", "opentelemetry", "prometheus_client", "psycopg", "pydantic_settings", "shop.infrastructure", "shop_db", "yaml"}
CALL = """
import json, sys
from shop.cli import main
modules = {}
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as ended:
        modules[" ".join(arguments)] = [ended.code or 0, sorted(sys.modules)]
json.dump(modules, sys.stderr)
"""


def imported(calls: Iterable[str], **environment: str) -> dict[str, set[str]]:
    """Make the calls, one after the other in one new process, and return what was imported after each."""
    finished = subprocess.run(
        [sys.executable, "-c", CALL, json.dumps([call.split() for call in calls])],
        env={**{key: value for key, value in os.environ.items() if not key.endswith("_URL")}, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    found: dict[str, tuple[int, list[str]]] = json.loads(finished.stderr)
    assert [status for status, _ in found.values()] == [0] * len(found)
    return {call: set(modules) for call, (_, modules) in found.items()}


@pytest.fixture(scope="module")
def helps() -> dict[str, set[str]]:
    """What is imported after each help text: of the root, of the roles, then of all others."""
    return imported(dict.fromkeys(["--help", "roles --help", *(f"{name} --help" for name in COMMANDS)]))


def test_a_help_text_imports_neither_the_clients_of_servers_nor_the_adapters(helps: Mapping[str, set[str]]) -> None:
    assert len(helps) == 1 + len(COMMANDS)
    for call, modules in helps.items():
        assert modules & (HEAVY | UNCONNECTED) == set(), call


def test_the_root_imports_no_command_and_a_group_no_other_one(helps: Mapping[str, set[str]]) -> None:
    names = {f"shop.cli.commands.{module.name}" for module in pkgutil.iter_modules(shop.cli.commands.__path__)}
    assert helps["--help"] & names == set()
    assert helps["roles --help"] & names == {"shop.cli.commands.roles"}


def test_a_command_that_only_reads_postgresql_imports_no_client_of_another_server_and_no_parser_of_missing_files(service_url: str) -> None:
    modules = imported(["users list"], DATABASE_URL=service_url)["users list"]
    assert modules & (HEAVY | {"yaml"}) == set()
    assert "psycopg" in modules


def test_what_serves_others_can_log_without_an_import(service_url: str, nats: LocalServer) -> None:
    assert "structlog" in imported(["relay --once"], DATABASE_URL=service_url, NATS_URL=nats.url)["relay --once"]


def test_the_garbage_collector_rests_until_the_work_of_a_command_and_looks_at_no_import(service_url: str) -> None:
    code = """
import gc, sys
from shop.cli import main, running
imported, work = gc.get_freeze_count(), running.Session.complete
def complete(*arguments):
    before = gc.isenabled()
    try:
        return work(*arguments)
    finally:
        sys.stderr.write(f"{before} {gc.isenabled()} {gc.get_freeze_count() > imported > 0}")
running.Session.complete = complete
sys.argv[1:] = ["users", "list"]
main()
"""
    environment = {**os.environ, "DATABASE_URL": service_url}
    finished = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert finished.stderr == "False True True"


def test_the_help_of_the_root_is_the_one_of_the_commands_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = CliRunner().invoke(app, ["--help"], prog_name="shop").stdout

    def loaded(self: Any, _: object, name: str) -> Any:
        return self.commands[name].loaded

    monkeypatch.setattr(Commands, "get_command", loaded)
    assert CliRunner().invoke(app, ["--help"], prog_name="shop").stdout == shown
    assert all(f" {name} " in shown for name in COMMANDS)


def test_every_module_of_the_commands_belongs_to_one_of_them() -> None:
    modules = [place.partition(":")[0] for _, *places in COMMANDS.values() for place in places]
    assert sorted(modules) == sorted(module.name for module in pkgutil.iter_modules(shop.cli.commands.__path__))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["user"], "No such command 'user'. Did you mean 'users', 'serve'?"),
        (["users", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["users", "impor"], "No such command 'impor'. Did you mean 'import'?"),
    ],
)
def test_an_unknown_command_is_reported_with_the_similar_ones(arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, arguments, prog_name="shop")
    assert (result.exit_code, expected in result.stderr) == (2, True)
