"""Sources of settings, messages about invalid ones, and secrets in log lines."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shop.application.context import CURRENT_TRACE
from shop.infrastructure.logging import configure_logging
from shop.infrastructure.settings.loading import SettingsError, load_settings
from shop.infrastructure.settings.model import URL_READERS, LogFormat, LogLevel, Settings
from shop.infrastructure.settings.urls import TLS

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


def test_each_source_overrides_those_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["pool_max_size", "pool_wait_timeout", "retry_attempts", "cache_ttl"]
    (folder / "shop.yaml").write_text("\n".join([f"database_url: {URL}", *(f"{key}: 11" for key in keys)]), encoding="utf-8")
    (folder / ".env").write_text("\n".join(["OTHERS=1", *(f"SHOP_{key.upper()}=12" for key in keys[1:])]), encoding="utf-8")
    for key in keys[2:]:
        monkeypatch.setenv(f"SHOP_{key.upper()}", "13")
    loaded = load_settings(overrides={"cache_ttl": "14"})
    assert [getattr(loaded.settings, key) for key in keys] == [11, 12, 13, 14]
    assert [loaded.sources[key] for key in keys] == ["shop.yaml:2", ".env", "environment", "command line"]
    assert loaded.settings.pool_min_size == 1


def test_urls_have_their_conventional_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setenv("NATS_URL", "nats://localhost")
    loaded = load_settings()
    assert loaded.settings.database_url.get_secret_value() == URL
    assert set(loaded.sources) == {"database_url", "redis_url", "nats_url"}


def test_urls_are_read_from_the_file_that_dbmate_reads_too(folder: Path) -> None:
    (folder / ".env").write_text(f"DATABASE_URL={URL}\nDBMATE_MIGRATIONS_DIR=migrations\n", encoding="utf-8")
    assert load_settings().sources == {"database_url": ".env"}


def test_a_missing_setting_is_reported_with_where_to_set_it() -> None:
    assert problems() == ["database_url: is not set; set DATABASE_URL in the environment or in .env, or database_url in shop.yaml"]


def test_invalid_values_are_reported_together_with_key_and_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "shop.yaml").write_text("database_url: mysql://u:s3cret@h/d\nlog_level: loud\nnonsense: 1\n", encoding="utf-8")
    (folder / ".env").write_text("SHOP_CACHE_TTL=soon\n", encoding="utf-8")
    monkeypatch.setenv("SHOP_POOL_MAX_SIZE", "0")
    found = sorted(problems(retry_attempts="many"))
    assert found == [
        "SHOP_CACHE_TTL in .env: Input should be a valid number, unable to parse string as a number",
        "SHOP_POOL_MAX_SIZE in the environment: Input should be greater than or equal to 1",
        "database_url in shop.yaml:1: must begin with postgres:// or postgresql://",
        "log_level in shop.yaml:2: Input should be 'debug', 'info', 'warning' or 'error'",
        "nonsense in shop.yaml:3: there is no such setting",
        "retry_attempts on the command line: Input should be a valid integer, unable to parse string as an integer",
    ]
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "shop.yaml:1:5: is not YAML"),
        ("- a", "shop.yaml: is not a mapping of keys to values"),
        ("cache_ttl: 2026-13-45", "shop.yaml: is not YAML"),
        ("[" * 1000, "shop.yaml: is not YAML"),
        ("a: \0", "shop.yaml: contains a control character"),
        ("pool: {max_sise: 5}", "pool.max_sise in shop.yaml:1: there is no such setting; did you mean pool_max_size?"),
        ("pool:\n  max_size: 5\npool_max_size: 6", "pool_max_size in shop.yaml:3: is already set by pool.max_size in shop.yaml:2"),
        ("pool: &pool {again: *pool}", "shop.yaml:1:7: is not YAML"),
    ],
    ids=range(8),
)
def test_an_invalid_file_is_refused_with_the_place(folder: Path, text: str, said: str) -> None:
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    assert said in problems(database_url=URL)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n"])
def test_a_file_may_be_empty(folder: Path, text: str) -> None:
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    assert load_settings(overrides={"database_url": URL}).sources == {"database_url": "command line"}


def test_a_file_that_is_not_utf_8_is_refused(folder: Path) -> None:
    for name in (".env", "shop.yaml"):
        (folder / name).write_bytes(b"log_level: \xff\n")
        assert problems(database_url=URL) == [f"{name}: cannot be read: byte 12 is not UTF-8"]
        (folder / name).unlink()


def test_an_invalid_line_of_the_variables_file_is_refused_with_its_number(folder: Path) -> None:
    # python-dotenv skips the lines that the open quote includes.
    (folder / ".env").write_text("OTHERS=1\n\nSHOP_LOG_LEVEL='info\nSHOP_CACHE_TTL=12\n", encoding="utf-8")
    assert problems(database_url=URL) == [".env:3: is not of the form NAME=value"]
    (folder / ".env").write_text("DATABASE_URL='postgresql://h/d\n", encoding="utf-8")
    assert problems() == [".env:1: is not of the form NAME=value"]
    (folder / ".env").write_text("OTHERS\nSHOP_CACHE_TTL\n", encoding="utf-8")
    assert problems(database_url=URL) == ["SHOP_CACHE_TTL in .env: Input should be a valid number, unable to parse string as a number"]


def test_what_cannot_be_read_of_a_file_hides_no_other_problem(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / ".env").write_text("= 1\nSHOP_FOO=1\nSHOP_POOL_MAX_SIZE=many\nx y z\n", encoding="utf-8")
    of_lines = [".env:1: is not of the form NAME=value", ".env:4: is not of the form NAME=value"]
    of_values = [
        "SHOP_FOO in .env: there is no such setting",
        "SHOP_POOL_MAX_SIZE in .env: Input should be a valid integer, unable to parse string as an integer",
    ]
    assert sorted(problems(database_url=URL)) == sorted(of_lines + of_values)
    (folder / "shop.yaml").write_text("a: [", encoding="utf-8")
    assert sorted(problems()) == sorted(["shop.yaml:1:5: is not YAML", *of_lines, *of_values])
    (folder / ".env").write_bytes(b"\xff")
    monkeypatch.setenv("SHOP_LOG_LEVEL", "loud")
    assert sorted(problems()) == [
        ".env: cannot be read: byte 1 is not UTF-8",
        "SHOP_LOG_LEVEL in the environment: Input should be 'debug', 'info', 'warning' or 'error'",
        "shop.yaml:1:5: is not YAML",
    ]
    # python-dotenv logs what it skips.
    assert caplog.messages == []


def test_names_are_case_insensitive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "shop.yaml").write_text("Pool: {MAX_SIZE: 11}\n", encoding="utf-8")
    (folder / ".env").write_text(f"database_url={URL}\nshop_retry_attempts=12\n", encoding="utf-8")
    monkeypatch.setenv("Shop_Cache_Ttl", "13")
    settings = load_settings(overrides={"LOG_LEVEL": "info"}).settings
    assert (settings.pool_max_size, settings.retry_attempts, settings.cache_ttl, settings.log_level) == (11, 12, 13, LogLevel.INFO)


def test_a_named_file_must_exist(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"other\.yaml: cannot be read: No such file or directory"):
        load_settings(file=folder / "other.yaml")


def test_sections_of_the_file_are_prefixes(folder: Path) -> None:
    (folder / "shop.yaml").write_text(
        f"database: {{url: '{URL}'}}\npool:\n  min_size: 2\n  wait: {{timeout: 3}}\nlog_level: info\n", encoding="utf-8"
    )
    loaded = load_settings()
    assert (loaded.settings.pool_min_size, loaded.settings.pool_wait_timeout, loaded.settings.log_level) == (2, 3, LogLevel.INFO)
    assert loaded.sources["pool_wait_timeout"] == "shop.yaml:4"


def test_the_maximum_of_a_pool_is_at_least_its_minimum() -> None:
    found = problems(database_url=URL, pool_min_size="20", pool_max_size="10")
    assert found == ["pool_max_size on the command line: is less than pool_min_size, which is 20"]
    # The default counts too.
    assert problems(database_url=URL, pool_min_size="20") == ["pool_max_size: is less than pool_min_size, which is 20"]


def test_no_timeout_is_so_short_that_postgresql_ignores_it() -> None:
    low = problems(database_url=URL, password_memory_kib="16")
    assert low == ["password_lanes: needs 32 KiB of password_memory_kib, which is 16"]
    [problem] = problems(database_url=URL, lock_timeout="0.0001")
    assert problem == "lock_timeout on the command line: Input should be greater than or equal to 0.001"


# --- Unknown variables --------------------------------------------------------------------------------------------------


def test_a_mistyped_variable_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("SHOP_DATABASE_URL=x\n", encoding="utf-8")
    monkeypatch.setenv("SHOP_POOL_MAXSIZE", "5")
    assert problems(database_url=URL) == [
        "SHOP_DATABASE_URL in .env: there is no such setting; did you mean DATABASE_URL?",
        "SHOP_POOL_MAXSIZE in the environment: there is no such setting; did you mean SHOP_POOL_MAX_SIZE?",
    ]


def test_parts_of_a_url_are_refused_where_the_url_is_missing_and_reported_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_HOST", "DB_PASSWORD", "REDIS_HOST", "NATS_TOKEN"):
        monkeypatch.setenv(name, "s3cret")
    assert problems(database_url=URL) == [
        "REDIS_HOST in the environment: is not read; set REDIS_URL instead",
        "NATS_TOKEN in the environment: is not read; set NATS_URL instead",
    ]
    loaded = load_settings(overrides={"database_url": URL, "redis_url": "redis://h", "nats_url": "nats://h"})
    assert loaded.warnings == (
        "DATABASE_HOST in the environment: is not read; set DATABASE_URL instead",
        "DB_PASSWORD in the environment: is not read; set DATABASE_URL instead",
        "REDIS_HOST in the environment: is not read; set REDIS_URL instead",
        "NATS_TOKEN in the environment: is not read; set NATS_URL instead",
    )


def test_variables_that_kubernetes_injects_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_SERVICE_HOST", "SHOP_SERVICE_PORT_HTTP", "SHOP_PORT_80_TCP_PROTO", "REDIS_SERVICE_HOST"):
        monkeypatch.setenv(name, "10.0.0.1")
    for name in ("SHOP_PORT", "REDIS_PORT"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    assert load_settings(overrides={"database_url": URL}).warnings == ()


# --- What URLs say ------------------------------------------------------------------------------------------------------

SHOWN = {
    "database_url": {
        "postgres://shop:s3cret@db.example.org/shop": "user=shop password=*** dbname=shop host=db.example.org",
        "postgres://shop:a#s3cret@h/shop": "user=shop password=*** dbname=shop host=h",
        "postgresql:///shop?host=/run/pg&password=s3cret": "password=*** dbname=shop host=/run/pg",
        "postgres://a:1,b:2/shop?sslpassword=s3cret&options=-c%20k%3Ds3cret": "dbname=shop host=a,b port=1,2 options=*** sslpassword=***",
    },
    "redis_url": {
        "redis://:s3cret@h": "scheme=redis password=*** host=h",
        "redis://s3cret@h": "scheme=redis username=*** host=h",
        "rediss://h:1/2?password=s3cret&username=ada": "scheme=rediss password=*** username=ada host=h port=1 db=2",
    },
    "nats_url": {
        "nats://s3cret@h": "scheme=nats host=h port=4222 token=***",
        "tls://ada:s3cret@more@h:1": "scheme=tls host=h port=1 user=ada password=***",
    },
    "smtp_url": {
        "smtp://h:25": "scheme=smtp host=h port=25",
        "smtp+starttls://ada:s3cret%40more@h:587": "scheme=smtp+starttls host=h port=587 user=ada password=***",
        "smtps://ada:s3cret@more@h:465": "scheme=smtps host=h port=465 user=ada password=***",
    },
}
REFUSED = {
    "database_url": [
        "mysql://ada:s3cret@h/shop",
        "postgres://ada:s3@cret@h/shop",
        "postgres://ada:1/s3cret@h/shop",
        "postgres://ada:s3cret%zz@h/shop",
        "postgres://h:99999/shop",
        f"postgres://h:{'9' * 5000}/shop",
        "postgres://h/shop?pasword=s3cret",
        "postgres://h/shop\0s3cret",
        "postgres://h/shop?connect_timeout=s3cret",
    ],
    "redis_url": [
        "redis://h:99999",
        "redis://:s3#cret@h",
        "redis://ada:#s3cret@h",
        "redis://:1/s3cret@h",
        "redis://:1?s3cret@h",
        "redis://h?pasword=s3cret",
        "redis://h/first",
        "redis://[h",
        "redis://h?encoding=s3cret",
        "redis://h?decode_responses=true",
    ],
    "nats_url": [
        "nats://:",
        "nats://h:99999",
        "nats://h:0",
        "nats://s3#cret@h",
        "nats://s3/cret@h",
        "nats://1?s3cret@h",
        "nats://a,nats://b",
        "nats://[h",
    ],
    "smtp_url": [
        "http://h:25",
        "smtp://h",
        "smtp://ada:s3cret@h:25",
        "smtps://ada:s3#cret@h:465",
        "smtps://ada:s3/cret@h:465",
        "smtps://h:99999",
        "smtps://[h",
    ],
}


@pytest.mark.parametrize(("key", "url"), [(key, url) for key, urls in SHOWN.items() for url in urls])
def test_a_url_is_shown_as_its_client_parses_it_without_secrets(key: str, url: str) -> None:
    loaded = load_settings(overrides={"database_url": URL, key: url})
    shown = {key: value for key, value, _ in loaded.shown()}
    assert shown[key] == SHOWN[key][url]
    assert "s3cret" not in repr(loaded) + str(loaded.settings) + str(shown)


@pytest.mark.parametrize("url", SHOWN["nats_url"])
def test_nats_urls_are_parsed_as_by_its_client(url: str) -> None:
    read = Client._parse_server_uri(url)  # pyright: ignore[reportPrivateUsage] the client has no public parser
    shown = dict(pair.split("=") for pair in SHOWN["nats_url"][url].split())
    assert (shown["scheme"], shown["host"], shown["port"]) == (read.scheme, read.hostname, str(read.port))
    assert ("token" in shown, shown.get("user")) == (read.password is None, read.username if read.password is not None else None)


@pytest.mark.parametrize(("key", "url"), [(key, url) for key, urls in REFUSED.items() for url in urls], ids=range(34))
def test_a_url_that_its_client_would_misinterpret_is_refused_and_not_quoted(key: str, url: str) -> None:
    [problem] = problems(**{"database_url": URL, key: url})
    assert problem.startswith(f"{key} on the command line: ")
    assert not any(part in problem for part in ("s3", "cret", "99999"))


def test_all_settings_are_shown() -> None:
    assert [key for key, _, _ in load_settings(overrides={"database_url": URL}).shown()] == list(Settings.model_fields)


# --- Logging ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log output, with loggers restored after the test."""
    root, shop = logging.getLogger(), logging.getLogger("shop")
    handlers, levels = root.handlers, (root.level, shop.level)
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(levels[0])
    shop.setLevel(levels[1])


def test_a_json_line_has_the_trace(log: io.StringIO) -> None:
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


@pytest.mark.parametrize("name", ["asyncio", "psycopg", "psycopg.pool"])
def test_only_the_first_line_of_a_library_message_is_logged(log: io.StringIO, name: str) -> None:
    configure_logging(LogFormat.JSON, LogLevel.INFO, log)
    logging.getLogger(name).error("connection failed: %s", "FATAL: not yet\nDETAIL: of a row")
    assert json.loads(log.getvalue())["event"] == "connection failed: FATAL: not yet"


def test_lines_below_the_level_are_not_written(log: io.StringIO) -> None:
    configure_logging(LogFormat.CONSOLE, LogLevel.WARNING, log)
    logging.getLogger("shop.test").info("quiet")
    logging.getLogger("shop.test").warning("loud")
    assert "quiet" not in log.getvalue()
    assert "loud" in log.getvalue()


def test_tls_can_be_required_of_every_url(folder: Path) -> None:
    urls = {"database_url": "postgres://ada@db/shop", "redis_url": "redis://cache", "nats_url": "nats://broker"}
    given = urls | {
        "database_read_url": "postgres://ada@db2/shop?sslmode=require",
        "nats_monitoring_url": "http://broker:8222",
        "smtp_url": "smtp://mail:25",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=given | {"require_tls": "true"})
    [problem] = caught.value.problems
    assert problem == (
        "require_tls on the command line: database_url does not require TLS: add sslmode=verify-full; "
        "database_read_url does not require TLS: add sslmode=verify-full; redis_url does not require TLS: write rediss://, "
        "without options that weaken the verification of certificates; nats_url does not require TLS: write tls://; "
        "nats_monitoring_url does not require TLS: write https://; smtp_url does not require TLS: write smtps:// or smtp+starttls://"
    )
    safe = {
        "database_url": "postgres://ada@db/shop?sslmode=verify-full",
        "database_read_url": "postgres://ada@/shop?host=/run/postgresql",
        "redis_url": "rediss://cache",
        "nats_url": "tls://broker:4222",
        "nats_monitoring_url": "https://broker:8222",
        "smtp_url": "smtp+starttls://mail:587",
    }
    assert set(TLS) == set(URL_READERS)
    assert load_settings(overrides=safe | {"require_tls": "true"}).settings.require_tls
    assert not load_settings(overrides=urls).settings.require_tls


@pytest.mark.parametrize(
    ("key", "url"),
    [
        *(("database_url", f"postgres://ada@db/shop?sslmode={mode}") for mode in ("disable", "allow", "prefer", "require", "verify-ca")),
        ("database_url", "postgres://ada@/shop"),
        ("database_url", "postgres://ada@/shop?host=/run/postgresql&hostaddr=127.0.0.1"),
        ("database_url", "postgres://ada@/shop?host=/run/postgresql,db.example.org"),
        ("database_url", "postgres://ada@/shop?host=/run/postgresql,/run/other&hostaddr=,127.0.0.1"),
        ("database_url", "postgres://ada@/shop?host=/run/postgresql&service=other"),
        *(
            ("redis_url", f"rediss://cache?{options}")
            for options in ("ssl_cert_reqs=none", "ssl_cert_reqs=optional", "ssl_check_hostname=no")
        ),
        *(("redis_url", f"rediss://cache?{options}") for options in ("ssl_ciphers=aNULL", "ssl_exclude_verify_flags=VERIFY_X509_STRICT")),
    ],
)
def test_an_option_that_evades_tls_is_refused(folder: Path, key: str, url: str) -> None:
    safe = {"database_url": "postgres://ada@/shop?host=/run/postgresql", "require_tls": "true"}
    assert load_settings(overrides=safe).settings.require_tls
    with pytest.raises(SettingsError, match=f"{key} does not require TLS"):
        load_settings(overrides=safe | {key: url})


def test_the_environment_of_libpq_cannot_lead_a_unix_socket_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = {"database_url": "postgres://ada@/shop?host=/run/postgresql,/run/other", "require_tls": "true"}
    verified = {"database_url": "postgres://ada@/shop?host=/run/postgresql,db&sslmode=verify-full", "require_tls": "true"}
    (folder / "services").write_text("[other]\nhostaddr=127.0.0.1\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(folder / "services"))
    for name, value in {"PGHOSTADDR": "127.0.0.1", "PGSERVICE": "other"}.items():
        assert load_settings(overrides=sockets).settings.require_tls
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            patch.setenv("PGSSLMODE", "verify-full")
            with pytest.raises(SettingsError, match="database_url does not require TLS"):
                load_settings(overrides=sockets)
            patch.setenv("PGSSLMODE", "disable")
            assert load_settings(overrides=verified).settings.require_tls


def test_keys_of_cursors_are_secrets_of_enough_length_and_may_be_in_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        return {key: value for key, value, _ in load_settings(overrides={"database_url": URL}).shown()}["cursor_keys"]

    assert shown() == ""
    (folder / "keys").write_text(f"{'n' * 32}\n{'o' * 32}\n", encoding="utf-8")
    monkeypatch.setenv("SHOP_CURSOR_KEYS_FILE", str(folder / "keys"))
    assert shown() == "2 of them"
    monkeypatch.setenv("SHOP_CURSOR_KEYS", "n" * 32)
    both = "SHOP_CURSOR_KEYS_FILE in the environment: SHOP_CURSOR_KEYS is set, too; remove one of them"
    assert problems(database_url=URL) == [both]
    monkeypatch.delenv("SHOP_CURSOR_KEYS_FILE")
    monkeypatch.setenv("SHOP_CURSOR_KEYS", f"{'n' * 32}, s3cret")
    short = "key 2 is shorter than 32 characters; openssl rand -hex 32 makes one"
    assert problems(database_url=URL) == [f"SHOP_CURSOR_KEYS in the environment: {short}"]
    monkeypatch.delenv("SHOP_CURSOR_KEYS")
    monkeypatch.setenv("SHOP_LOG_LEVEL_FILE", "x")
    assert problems(database_url=URL)[0].startswith("SHOP_LOG_LEVEL_FILE in the environment: there is no such setting")


def test_a_url_may_be_in_a_file_that_a_variable_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "database").write_text(f"{URL}\n", encoding="utf-8")
    (folder / ".env").write_text("DATABASE_URL=postgres://other/shop\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(folder / "database"))
    loaded = load_settings()
    assert loaded.settings.database_url.get_secret_value() == URL
    assert loaded.sources["database_url"] == "environment"
    monkeypatch.setenv("REDIS_URL_FILE", str(folder / "missing"))
    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.problems == [
        "DATABASE_URL_FILE in the environment: DATABASE_URL is set, too; remove one of them",
        "REDIS_URL_FILE in the environment: the file cannot be read: No such file or directory",
    ]


def test_a_file_of_settings_has_an_end_and_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.infrastructure.small_files._WRITTEN_WITHIN", 0.1)
    (folder / "large").write_bytes(b"x" * 65_537)
    os.mkfifo(folder / "pipe")
    monkeypatch.setenv("DATABASE_URL_FILE", str(folder / "large"))
    monkeypatch.setenv("REDIS_URL_FILE", str(folder / "pipe"))
    monkeypatch.setenv("NATS_URL_FILE", str(folder))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [each.partition(" in the environment: the file cannot be read: ")[::2] for each in caught.value.problems[:3]] == [
        ("DATABASE_URL_FILE", "it is larger than 64 KiB"),
        ("REDIS_URL_FILE", "it has not ended within 0.1 s"),
        ("NATS_URL_FILE", "Is a directory"),
    ]
    for name in (".env", "shop.yaml"):
        (folder / name).write_bytes(b"#" * 65_537)
        assert problems(database_url=URL)[0] == f"{name}: cannot be read: it is larger than 64 KiB"
        (folder / name).unlink()


@pytest.mark.parametrize("name", [".env", "shop.yaml"])
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        (".", "Is a directory"),
        ("/dev/zero", "it is larger than 64 KiB"),
    ],
)
def test_a_file_of_settings_that_is_there_is_read_or_named(folder: Path, name: str, target: str, reason: str) -> None:
    (folder / "loop").symlink_to("loop")
    (folder / name).symlink_to(target)
    assert problems(database_url=URL) == [f"{name}: cannot be read: {reason}"]


def test_a_secret_in_a_file_that_cannot_be_read_is_not_said_to_be_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, reason in {
        "": "is empty; write the name of a file into it, or remove it",
        "no": "the file cannot be read: No such file or directory",
    }.items():
        monkeypatch.setenv("DATABASE_URL_FILE", path)
        assert problems() == [f"DATABASE_URL_FILE in the environment: {reason}"]
    (folder / "marked").write_text(URL, encoding="utf-8-sig")
    monkeypatch.setenv("DATABASE_URL_FILE", "marked")
    assert load_settings().settings.database_url.get_secret_value() == URL


@pytest.mark.parametrize("name", ["REDIS_URL", "SHOP_CURSOR_KEYS"])
def test_a_secret_is_not_left_out_because_its_file_is_empty(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (folder / "empty").write_text("\n", encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", "empty")
    expected = f"{name}_FILE in the environment: the file is empty; write the secret into it, or remove the variable"
    assert problems(database_url=URL) == [expected]


def test_a_file_of_settings_may_be_a_pipe(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in DATABASE_URL_FILE=<(command) of a shell.
    reader, writer = os.pipe()
    os.write(writer, f"{URL}\n".encode())
    monkeypatch.setenv("DATABASE_URL_FILE", f"/dev/fd/{reader}")
    # Of who has nothing more to say, and of who is late.
    closing = threading.Timer(0.1, lambda: os.close(writer))
    closing.start()
    assert load_settings().settings.database_url.get_secret_value() == URL
    os.close(reader)
