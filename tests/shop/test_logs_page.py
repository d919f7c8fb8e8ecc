"""The examples of log lines in the documentation are what the program writes, and the fields that the collector reads are in them."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shop.infrastructure.settings.model import LogFormat

from .web import KEYS, PASSWORD, served

pytestmark = pytest.mark.programs

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Logs of the service\n")[2].partition("\n## ")[0]
# The settings and the options of each call, and the line below it.
EXAMPLES = re.findall(r"^\$ ((?:[A-Z_]+=\S+ )*)shop ((?:--\S+ )*)serve\n(.+)$", SECTION, re.MULTILINE)
REGISTRATION = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "password": PASSWORD}
QUIET = {f"SHOP_{key.upper()}": value for key, value in {**KEYS, "cursor_keys": "k" * 32}.items()}


def alike(line: str) -> str:
    """Return a line without what differs each time."""
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", "<time>", line)
    line = re.sub(r"\b[0-9a-f]{32}\b", "<trace>", line)
    return re.sub(r" +", " ", re.sub(r"\d+\.\d ms", "<ms>", line))


def written(database_url: str, settings: str, options: str) -> list[str]:
    """Return the log of a server that registered a user."""
    environment = dict(setting.split("=") for setting in settings.split())
    with served(database_url, *options.split(), **QUIET, **environment) as server:
        assert httpx.post(f"{server.url}/users", json=REGISTRATION).status_code == 201
        code, log = server.stop()
    assert code == 0
    return log.splitlines()


def test_there_is_an_example_of_each_format() -> None:
    assert [LogFormat.JSON if "=json" in settings else LogFormat.CONSOLE for settings, _, _ in EXAMPLES] == list(LogFormat)


@pytest.mark.parametrize(("settings", "options", "line"), EXAMPLES, ids=["console", "json"])
def test_the_line_of_an_example_is_written_with_its_settings(database_url: str, settings: str, options: str, line: str) -> None:
    lines = written(database_url, settings, options)
    assert [each for each in map(alike, lines) if "POST" in each] == [alike(line)]
    if options:
        # All that a collector reads is JSON.
        assert all(isinstance(json.loads(each), dict) for each in lines)


def test_the_collector_finds_the_fields_that_it_is_configured_to_read() -> None:
    [config] = re.findall(r"^```yaml\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    operators: dict[str, Any] = {each["type"]: each for each in yaml.safe_load(config)["receivers"]["filelog"]["operators"]}
    line: dict[str, str] = json.loads(EXAMPLES[1][2])

    def field(name: str) -> str:
        return line[name.removeprefix("attributes.")]

    parser = operators["json_parser"]
    time = parser["timestamp"]
    # The directives mean the same to Python.
    moment = datetime.strptime(field(time["parse_from"]), time["layout"]).replace(tzinfo=UTC)
    assert (time["location"], timedelta() < datetime.now(UTC) - moment) == ("UTC", True)
    severity = parser["severity"]
    # Other names are the collector's own.
    names = {"debug", "info", "error", *severity["mapping"].values()}
    assert field(severity["parse_from"]) in names
    assert names == {logging.getLevelName(level).lower() for level in range(10, 60, 10)}
    assert re.fullmatch("[0-9a-f]{32}", field(operators["trace_parser"]["trace_id"]["parse_from"]))
    assert field(operators["move"]["from"]) == line["event"]
    fields = re.findall(r"^\| `(\w+)` \|", SECTION.partition("| field |")[2], re.MULTILINE)
    assert [each for each in fields if each != "exception"] == list(line)
