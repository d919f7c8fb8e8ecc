"""The files to start from: `.env.example`, `compose.yaml` and the targets for migrations."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from shop.infrastructure.settings.loading import load_settings
from shop.infrastructure.settings.model import Settings
from shop.infrastructure.settings.sources import variable_of

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for key in Settings.model_fields:
        monkeypatch.delenv(variable_of(key), raising=False)
    return tmp_path


def test_the_example_names_every_setting_with_its_default_and_no_other(folder: Path) -> None:
    (folder / ".env").write_text(re.sub(r"^# (?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE), encoding="utf-8")
    loaded = load_settings()
    assert set(loaded.sources) == set(Settings.model_fields)
    urls = {key: getattr(loaded.settings, key) for key in Settings.model_fields if key.endswith("_url")}
    assert loaded.settings == Settings.model_validate(urls)


def test_the_example_fits_the_servers_of_the_compose_file(folder: Path) -> None:
    (folder / ".env").write_text(EXAMPLE, encoding="utf-8")
    shown = {key: value for key, value, _ in load_settings().shown()}
    services = COMPOSE["services"]
    assert shown["database_url"] == "user=shop password=*** dbname=shop host=localhost port=5432 sslmode=disable"
    assert set(services["postgres"]["environment"].values()) == {"shop"}
    ports = [port.rpartition(":")[2] for name in ("postgres", "redis", "nats") for port in services[name]["ports"]]
    keys = ("database_url", "redis_url", "nats_url", "nats_monitoring_url")
    assert [found for key in keys for found in re.findall(r"(?:port=|localhost:)(\d+)", shown[key])] == ports


def test_no_server_of_the_compose_file_is_open_to_others_or_of_another_registry() -> None:
    for service in COMPOSE["services"].values():
        assert "/" not in service["image"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_configuration_of_the_broker_in_the_compose_file_is_valid(tmp_path: Path) -> None:
    server = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    assert server is not None
    (tmp_path / "shop.conf").write_text(COMPOSE["configs"]["nats"]["content"], encoding="utf-8")
    checked = subprocess.run([server, "-t", "-c", str(tmp_path / "shop.conf")], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("target", "command"), [("migrate-down", "sqlwright db down"), ("migrate-status", "sqlwright db status")])
def test_make_has_targets_for_the_commands_of_dbmate(target: str, command: str) -> None:
    make = shutil.which("make")
    assert make is not None
    planned = subprocess.run([make, "--dry-run", target], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert command in planned.stdout
