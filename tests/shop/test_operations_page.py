"""What the page for those on call names exists, and the page leaves out no metric and no health check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

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
from shop.web.metrics import Metrics, describe_backlog

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
QUOTED = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL))

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


def calls() -> Iterator[list[str]]:
    """The words of each call of the program: in the code blocks up to a comment, and where the text quotes one."""
    lines = [line.partition("#")[0] for block in BLOCKS for line in block.splitlines()]
    for text in [*lines, *QUOTED]:
        found = re.match(r"(?:\$ )?(?:DATABASE_URL=\S+ )?shop( .*)?$", text.strip())
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
