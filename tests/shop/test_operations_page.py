"""What the page for those on call names exists, and the page leaves out no metric and no health check."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer.main
from prometheus_client import CollectorRegistry
from typer.core import TyperGroup

from benchmarks.record import replaced
from shop.application.messaging.backlog import Backlog, ErasureBacklog, OutboxBacklog, StoreBacklog
from shop.application.reads.cache import ReadCache
from shop.cli import app
from shop.infrastructure.memory.cache_store import MemoryCacheStore
from shop.infrastructure.metrics import CacheMetrics, MessagingMetrics, PoolMetrics, UseCaseMetrics
from shop.infrastructure.settings.model import Settings
from shop.infrastructure.settings.sources import variable_of
from shop.local_servers import nats_server
from shop.web.metrics import Metrics, describe_backlog

from .program import CHEAP, PASSWORD, REGISTER, Program

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
BLOCKS = [textwrap.dedent(block) for block in FENCED.findall(PAGE)]
QUOTED = re.findall(r"`([^`\n]+)`", FENCED.sub("", PAGE))

COMMANDS = typer.main.get_command(app)


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table of a section, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def metrics() -> set[str]:
    """The names of all metrics, as Prometheus shows them."""
    usage, web = CollectorRegistry(), Metrics()
    UseCaseMetrics(usage)
    usage.register(PoolMetrics({}))
    usage.register(CacheMetrics(ReadCache(MemoryCacheStore())))
    registries = (web.registry, MessagingMetrics(usage).registry)
    names = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for registry in registries for family in registry.collect()}
    backlog = describe_backlog(Backlog(StoreBacklog(OutboxBacklog(0, 0.0, {"relay": 0}), ErasureBacklog(0, 0.0)), {"sales": 0})).decode()
    return names | set(re.findall(r"^# TYPE (\w+)", backlog, re.MULTILINE))


@pytest.mark.parametrize("page", ["operations.md", "observability.md"])
def test_the_page_names_all_metrics_and_no_other(page: str) -> None:
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    assert set(re.findall(r"`(shop_(?!db)[a-z_]+)", text)) - {"shop_service"} == metrics()


# What it has itself.
_OF_THE_SHELL = {"while", "do", "done", "read", "-r", "user", "<", "erased.txt"}


def commands() -> Iterator[list[str]]:
    """The words of each command of the code blocks, also of those that a shell joins or substitutes, without what it assigns."""
    for line in (line.removeprefix("$ ").partition(" #")[0] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")):
        for command in re.split(r"&&|\|\||[;|]|\$\(|\)", re.sub(r"'[^']*'", "''", line)):
            words = [word for word in command.split() if not re.match(r"\w+=", word) and word not in _OF_THE_SHELL]
            if words:
                yield words


def calls() -> Iterator[list[str]]:
    """The words of each call of the program: in the code blocks, and where the text quotes one."""
    yield from (words[1:] for words in commands() if words[0] == "shop")
    for text in QUOTED:
        found = re.match(r"shop( .*)?$", text.strip())
        if found is not None:
            yield (found[1] or "").split()


def resolve(words: list[str]) -> str:
    """Return the name of the command that these words call, which must exist with its options and arguments."""
    command = COMMANDS
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        found = command.get_command(typer.Context(command), words[0])
        assert found is not None, f"no command {words[0]} of shop {command.name}"
        command, words = getattr(found, "loaded", found), words[1:]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options
    required = [parameter for parameter in command.params if parameter.param_type_name == "argument" and parameter.required]
    given = [word for before, word in pairwise(["", *words]) if not word.startswith("-") and not before.startswith("-")]
    # Where the text only names a command, it gives none.
    assert not given or len(given) >= len(required)
    return str(command.name)


def test_every_command_of_the_page_exists() -> None:
    names = {resolve(words) for words in calls()}
    assert {"health", "trace", "audit", "relay", "republish", "rebuild", "replay", "erase", "grant", "maintain"} <= names


def test_the_commands_of_the_page_need_no_other_programs_than_the_service_has() -> None:
    # NATS's own is for an administrator of NATS, who has it.
    assert {words[0] for words in commands()} - {"nats"} == {"shop", "python3", "dbmate"}


def stolen_session(thief: str, user: str) -> str:
    """The commands of the page against a stolen session, for these users."""
    block = PAGE.partition("\n### A session was stolen\n")[2].partition("```console\n")[2].partition("```")[0]
    ids = {"0d7d9a35-5a0c-4f5e-8a0c-6a1f5d1c2b22": thief, "6f1c3f0e-7f44-4b2f-9a51-5a2f1d0d6c11": user}
    text = "set -e\n" + re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    for shown, real in ids.items():
        assert shown in text
        text = text.replace(shown, real)
    return text


@pytest.mark.programs
@pytest.mark.parametrize("has_python", [True, False])
def test_the_commands_against_a_stolen_session_restore_the_address_or_change_nothing(
    service_url: str, tmp_path: Path, has_python: bool
) -> None:
    program = Program({"DATABASE_URL": service_url})
    ada = program.json(*REGISTER, stdin=PASSWORD)["id"]
    thief = program.json(*REGISTER[:-2], "thief@example.org", "--password-stdin", stdin=PASSWORD)["id"]
    # No other program is found than the service has.
    (tmp_path / "shop").write_text(f'#!/bin/sh\nexec {sys.executable} -m shop.cli "$@"\n', encoding="utf-8")
    (tmp_path / "shop").chmod(0o755)
    if has_python:
        (tmp_path / "python3").symlink_to(sys.executable)
    environment = CHEAP | program.environment | {"PATH": str(tmp_path)}
    # As often as needed.
    for _ in range(2):
        program.json("users", "update", ada, "--email", "away@example.org")
        program.json("users", "update", thief, "--email", "ada@example.org")
        ran = subprocess.run(["/bin/sh", "-c", stolen_session(thief, ada)], env=environment, capture_output=True, text=True, check=False)
        emails = {user["id"]: user["email"] for user in program.json("users", "list")["items"]}
        if has_python:
            assert (ran.returncode, ran.stderr) == (0, "")
            assert emails[ada] == "ada@example.org"
            assert re.fullmatch(r"taken-[0-9a-f]{32}@example\.invalid", emails[thief])
        else:
            assert ran.returncode != 0
            assert emails == {ada: "away@example.org", thief: "ada@example.org"}


@pytest.mark.programs
def test_users_who_were_erased_after_a_backup_are_found_in_the_stream_and_erased_again(
    service_url: str, new_database: Callable[[str], str], tmp_path: Path
) -> None:
    before = urlsplit(service_url)
    with nats_server(tmp_path) as server:
        program = Program({"DATABASE_URL": service_url, "NATS_URL": server.url})
        users = [
            program.json(*REGISTER[:-2], f"{name}@example.org", "--password-stdin", stdin=PASSWORD)["id"]
            for name in ("kept", "erased", "deleted", "long-gone")
        ]
        program.json("users", "erase", users[3])
        restored = before._replace(path=urlsplit(new_database(before.path.removeprefix("/"))).path).geturl()
        program.json("users", "erase", users[1])
        program.json("users", "delete", users[2])
        program.json("relay", "--once")

        program.environment["DATABASE_URL"] = restored
        assert {user["id"] for user in program.json("users", "list")["items"]} == set(users[:3])
        [script] = [block for block in BLOCKS if "UserDeleted" in block]
        [steps] = [block for block in BLOCKS if "erased.txt" in block]
        (tmp_path / "erased.py").write_text(script, encoding="utf-8")
        (tmp_path / "shop").write_text(f'#!/bin/sh\nexec {sys.executable} -m shop.cli "$@"\n', encoding="utf-8")
        (tmp_path / "shop").chmod(0o755)
        (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
        (tmp_path / "python3").chmod(0o755)
        environment = CHEAP | program.environment | {"PATH": str(tmp_path)}
        command = ["/bin/sh", "-c", re.sub(r"^\$ ", "", steps, flags=re.MULTILINE)]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.stderr.strip() == f"shop: there is no user {users[3]}"
        assert [user["id"] for user in program.json("users", "list")["items"]] == users[:1]


def test_every_target_of_make_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", " ".join(QUOTED)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_setting_exists_and_has_its_default() -> None:
    named = {text for text in QUOTED if re.fullmatch(r"[a-z]+(_[a-z]+)+", text) and not text.startswith(("shop_", "pg_"))}
    of_servers = {"max_age", "max_connections", "max_file_store", "synchronous_standby_names", "temp_tablespaces"}
    assert named - of_servers - {"not_now"} <= set(Settings.model_fields)
    assert set(re.findall(r"SHOP_[A-Z_]+", PAGE)) <= {variable_of(key) for key in Settings.model_fields}
    for _, setting, default, _ in rows("Limits"):
        assert str(Settings.model_fields[setting.strip("`")].default) == default


def test_every_health_check_is_explained() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src" / "shop" / "bootstrap").glob("*.py"))
    checks = {(name, is_required == "True") for name, is_required in re.findall(r'Check\("([^"]+)", .*is_required=(True|False)', source)}
    assert {(quoted(row[0])[0], row[1] == "yes") for row in rows("Health checks")} == checks


def test_every_log_line_is_logged() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src" / "shop").rglob("*.py"))
    lines = [line for row in rows("Log lines") for line in quoted(row[0])]
    assert [line for line in lines if line not in source] == []
    assert len(lines) > 10


def test_links_to_sections_of_the_page_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_the_table_of_the_capacity_can_be_written_again() -> None:
    assert "new\n" in replaced(PAGE, {"load": "new\n"})
