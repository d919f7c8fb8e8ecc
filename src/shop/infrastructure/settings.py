"""Settings: defaults, then a YAML file, then `.env`, then the environment, then the command line; each overrules those before it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from shop.infrastructure.postgres.unit_of_work import Isolation
from shop.infrastructure.settings_sources import (
    Given,
    Unread,
    UnreadableSource,
    from_variables,
    read_dotenv,
    read_yaml,
    suggestion,
    variable_of,
)
from shop.infrastructure.urls import UrlReader, monitoring_url, nats_url, postgres_url, redis_url

DEFAULT_FILE = Path("shop.yaml")
_ENV_FILE = Path(".env")


class LogFormat(StrEnum):
    """Log lines for people, or for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _read_by(reader: UrlReader) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        reader(url.get_secret_value())
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _read_by(postgres_url)]
RedisUrl = Annotated[SecretStr, _read_by(redis_url)]
NatsUrl = Annotated[SecretStr, _read_by(nats_url)]
MonitoringUrl = Annotated[SecretStr, _read_by(monitoring_url)]
# Not less than PostgreSQL's unit: 0 would be no limit at all.
Seconds = Annotated[float, Field(ge=0.001, le=3600)]


class Settings(BaseModel):
    """All that can be set. In the environment the URLs have the names that every tool knows, and the others begin with SHOP_."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[PostgresUrl, Field(description="The database that is written to.")]
    database_read_url: Annotated[PostgresUrl | None, Field(description="Where questions go, if not there too: a replica.")] = None
    redis_url: Annotated[RedisUrl | None, Field(description="The cache; without it there is none.")] = None
    nats_url: Annotated[NatsUrl | None, Field(description="The broker; without it events wait.")] = None
    nats_monitoring_url: Annotated[
        MonitoringUrl | None, Field(description="The broker's monitoring port, for health to ask when it syncs.")
    ] = None

    pool_min_size: Annotated[int, Field(ge=0, le=1000, description="Connections that are kept open.")] = 1
    pool_max_size: Annotated[int, Field(ge=1, le=1000, validate_default=True, description="Most connections at once.")] = 10
    pool_wait_timeout: Annotated[Seconds, Field(description="Seconds to wait for a connection.")] = 10.0
    connect_timeout: Annotated[int, Field(ge=1, le=60, description="Seconds to wait for the database to answer.")] = 5
    statement_timeout: Annotated[Seconds, Field(description="Seconds that a statement may take.")] = 15.0
    lock_timeout: Annotated[Seconds, Field(description="Seconds to wait for another's lock.")] = 2.0
    use_case_timeout: Annotated[Seconds, Field(description="Seconds that a use case may take, with all of its attempts.")] = 20.0
    isolation: Annotated[Isolation, Field(description="How much a transaction sees of others.")] = Isolation.READ_COMMITTED
    retry_attempts: Annotated[int, Field(ge=1, le=100, description="How often a use case is tried.")] = 5
    cache_ttl: Annotated[Seconds, Field(description="Seconds that the cache keeps a value.")] = 300.0
    nats_stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The stream that holds the events.")] = "SHOP"
    message_retention_days: Annotated[int, Field(ge=1, le=3650, description="Days that messages are kept after they were published.")] = 30
    relay_batch_size: Annotated[int, Field(ge=1, le=10_000, description="Events that are published at once.")] = 100
    outbox_lag_limit: Annotated[Seconds, Field(description="Seconds that an event may wait before health is not well.")] = 60.0
    log_format: Annotated[LogFormat, Field(description="Log lines for people, or for machines.")] = LogFormat.CONSOLE
    log_level: Annotated[LogLevel, Field(description="From which level on lines are written.")] = LogLevel.WARNING

    @field_validator("pool_max_size")
    @classmethod
    def _hold_the_smallest_pool(cls, value: int, info: ValidationInfo) -> int:
        smallest = info.data.get("pool_min_size", 0)
        if value < smallest:
            raise ValueError(f"is less than pool_min_size, which is {smallest}")
        return value


_READERS: Final[Mapping[str, UrlReader]] = {
    "database_url": postgres_url,
    "database_read_url": postgres_url,
    "redis_url": redis_url,
    "nats_url": nats_url,
    "nats_monitoring_url": monitoring_url,
}


class SettingsError(Exception):
    """Settings that cannot be used: each problem a sentence with its key and its source, and never with its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, where each that was given comes from, and what was given to no effect, a sentence each."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def shown(self) -> list[tuple[str, str, str]]:
        """Return each key, its value without secrets, and its source, in the order of their definition."""
        rows: list[tuple[str, str, str]] = []
        for key in Settings.model_fields:
            value = getattr(self.settings, key)
            text = _READERS[key](value.get_secret_value()) if isinstance(value, SecretStr) else "" if value is None else str(value)
            rows.append((key, text, self.sources.get(key, "default")))
        return rows


def load_settings(*, file: Path | None = None, overrides: Mapping[str, str] | None = None) -> LoadedSettings:
    """Load the settings. Raises `SettingsError`, with all problems at once.

    Args:
        file: the YAML file, which must be there; without it `shop.yaml` of the working directory, which need not be.
        overrides: keys and values of the command line.
    """
    keys = Settings.model_fields
    given: dict[str, Given] = {}
    problems: list[str] = []
    unread: list[Unread] = []
    try:
        if file is not None or DEFAULT_FILE.exists():
            given, problems = read_yaml(file or DEFAULT_FILE)
        dotenv = read_dotenv(_ENV_FILE)
    except UnreadableSource as error:
        raise SettingsError([str(error)]) from None
    for variables, source in ((dotenv, str(_ENV_FILE)), (os.environ, "environment")):
        found = from_variables(variables, source, keys)
        given |= found.given
        problems += found.problems
        unread += found.unread
    given |= {key: Given(key, value, "command line") for key, value in (overrides or {}).items()}
    ignored = [f"{each.given}: is not read; {variable_of(each.instead)} is" for each in unread]
    # Where there is no URL, its parts were meant to make one.
    problems += [sentence for each, sentence in zip(unread, ignored, strict=True) if each.instead not in given]
    try:
        settings = Settings.model_validate({key: each.value for key, each in given.items()})
    except ValidationError as error:
        raise SettingsError(
            [*problems, *(_problem(str(each["loc"][0]), each["type"], each["msg"], given) for each in error.errors())]
        ) from None
    if problems:
        raise SettingsError(problems)
    return LoadedSettings(settings, {key: each.source for key, each in given.items()}, tuple(ignored))


def _problem(key: str, kind: str, message: str, given: Mapping[str, Given]) -> str:
    if kind == "missing":
        return f"{key}: is not set; set {variable_of(key)} in the environment or in .env, or {key} in {DEFAULT_FILE}"
    place = str(given.get(key, key))
    if kind == "extra_forbidden":
        return f"{place}: there is no such setting{suggestion(key, Settings.model_fields)}"
    return f"{place}: {message.removeprefix('Value error, ')}"
