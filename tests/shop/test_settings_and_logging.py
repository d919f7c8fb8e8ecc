"""Where settings come from, what is said of wrong ones, and what log lines never tell."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop.application.context import CURRENT_TRACE
from shop.infrastructure.logging import configure_logging
from shop.infrastructure.settings import LogFormat, LogLevel, Settings, SettingsError, load_settings, without_credentials

URL = "postgres://shop:s3cret@db.example.org/shop"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for key in Settings.model_fields:
        monkeypatch.delenv(key.upper(), raising=False)
        monkeypatch.delenv(f"SHOP_{key.upper()}", raising=False)
    return tmp_path


def problems(**overrides: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=overrides)
    return caught.value.problems


def test_each_source_overrules_those_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["pool_max_size", "pool_wait_timeout", "retry_attempts", "cache_ttl"]
    (folder / "shop.yaml").write_text("\n".join([f"database_url: {URL}", *(f"{key}: 11" for key in keys)]), encoding="utf-8")
    (folder / ".env").write_text("\n".join(["OTHERS=1", *(f"SHOP_{key.upper()}=12" for key in keys[1:])]), encoding="utf-8")
    for key in keys[2:]:
        monkeypatch.setenv(f"SHOP_{key.upper()}", "13")
    loaded = load_settings(overrides={"cache_ttl": "14"})
    assert [getattr(loaded.settings, key) for key in keys] == [11, 12, 13, 14]
    assert [loaded.sources[key] for key in keys] == ["shop.yaml", ".env", "environment", "command line"]
    assert loaded.settings.pool_min_size == 1


def test_urls_have_the_names_that_every_tool_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setenv("NATS_URL", "nats://localhost")
    loaded = load_settings()
    assert loaded.settings.database_url.get_secret_value() == URL
    assert set(loaded.sources) == {"database_url", "redis_url", "nats_url"}


def test_urls_are_read_from_the_file_that_dbmate_reads_too(folder: Path) -> None:
    (folder / ".env").write_text(f"DATABASE_URL={URL}\nDBMATE_MIGRATIONS_DIR=migrations\n", encoding="utf-8")
    assert load_settings().sources == {"database_url": ".env"}


def test_a_missing_setting_says_where_it_may_be_set() -> None:
    assert problems() == ["database_url: is not set; set DATABASE_URL in the environment or in .env, or database_url in shop.yaml"]


def test_a_wrong_value_names_its_key_and_source_and_all_are_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "shop.yaml").write_text("database_url: mysql://u:s3cret@h/d\nlog_level: loud\nnonsense: 1\n", encoding="utf-8")
    (folder / ".env").write_text("SHOP_CACHE_TTL=soon\n", encoding="utf-8")
    monkeypatch.setenv("SHOP_POOL_MAX_SIZE", "0")
    found = sorted(problems(retry_attempts="many"))
    assert found == [
        "SHOP_POOL_MAX_SIZE in the environment: Input should be greater than or equal to 1",
        "cache_ttl in .env: Input should be a valid number, unable to parse string as a number",
        "database_url in shop.yaml: must begin with postgres:// or postgresql://",
        "log_level in shop.yaml: Input should be 'debug', 'info', 'warning' or 'error'",
        "nonsense in shop.yaml: there is no such setting",
        "retry_attempts on the command line: Input should be a valid integer, unable to parse string as an integer",
    ]
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "shop.yaml:1:5: is not YAML"), ("- a", "shop.yaml: is not a mapping of keys to values")]
)
def test_a_file_that_is_no_mapping_is_told(folder: Path, text: str, said: str) -> None:
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    assert problems() == [said]


def test_a_named_file_must_be_there(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"other\.yaml: there is no such file"):
        load_settings(file=folder / "other.yaml")


def test_no_secret_is_shown_or_printed() -> None:
    loaded = load_settings(overrides={"database_url": URL, "redis_url": "redis://:hidden@h"})
    shown = {key: value for key, value, _ in loaded.shown()}
    assert shown["database_url"] == "postgres://shop:***@db.example.org/shop"
    assert shown["redis_url"] == "redis://:***@h"
    assert [key for key, _, _ in loaded.shown()] == list(Settings.model_fields)
    for text in (repr(loaded), str(loaded.settings), str(shown)):
        assert "s3cret" not in text
        assert "hidden" not in text


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_credentials("nats://h:4222") == "nats://h:4222"


# --- Logging ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, by loggers as they are before and after the test."""
    root, shop = logging.getLogger(), logging.getLogger("shop")
    handlers, levels = root.handlers, (root.level, shop.level)
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(levels[0])
    shop.setLevel(levels[1])


def test_a_line_for_machines_is_json_with_the_trace(log: io.StringIO) -> None:
    configure_logging(LogFormat.JSON, LogLevel.DEBUG, log)
    token = CURRENT_TRACE.set("trace-1")
    logging.getLogger("shop.queries").debug("query", extra={"query": "users.get_user", "ms": 1.5})
    CURRENT_TRACE.reset(token)
    line = json.loads(log.getvalue())
    assert line.pop("at")
    assert line == {"event": "query", "logger": "shop.queries", "level": "debug", "query": "users.get_user", "ms": 1.5, "trace": "trace-1"}


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_secret_is_logged(log: io.StringIO, log_format: LogFormat) -> None:
    configure_logging(log_format, LogLevel.INFO, log)
    logger = logging.getLogger("shop.test")
    logger.info("connecting to %s", URL, extra={"password": "s3cret", "nested": {"new_password": "s3cret", "urls": [URL]}})
    logger.error("failed", exc_info=ConnectionError(f"cannot reach {URL}"))
    assert "s3cret" not in log.getvalue()
    assert log.getvalue().count("db.example.org") >= 3


def test_lines_below_the_level_are_not_written(log: io.StringIO) -> None:
    configure_logging(LogFormat.CONSOLE, LogLevel.WARNING, log)
    logging.getLogger("shop.test").info("quiet")
    logging.getLogger("shop.test").warning("loud")
    assert "quiet" not in log.getvalue()
    assert "loud" in log.getvalue()
