"""Settings: defaults, then a YAML file, then `.env`, then the environment, then the command line; each overrules those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from shop.infrastructure.postgres.unit_of_work import Isolation
from shop.infrastructure.settings_sources import (
    DotenvSource,
    Given,
    UnreadableSource,
    YamlSource,
    left_over,
    suggestion,
    variable_of,
)
from shop.infrastructure.urls import UrlReader, monitoring_url, nats_url, postgres_url, redis_url

DEFAULT_FILE = Path("shop.yaml")


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


class Settings(BaseSettings):
    """All that can be set. In the environment the URLs have the names that every tool knows, and the others begin with SHOP_."""

    # `only_existing`: what others read of the file is no mistake.
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SHOP_", env_file=".env", dotenv_filtering="only_existing")

    database_url: Annotated[PostgresUrl, Field(validation_alias="database_url", description="The database that is written to.")]
    database_read_url: Annotated[
        PostgresUrl | None, Field(validation_alias="database_read_url", description="Where questions go, if not there too: a replica.")
    ] = None
    redis_url: Annotated[RedisUrl | None, Field(validation_alias="redis_url", description="The cache; without it there is none.")] = None
    nats_url: Annotated[NatsUrl | None, Field(validation_alias="nats_url", description="The broker; without it events wait.")] = None
    nats_monitoring_url: Annotated[
        MonitoringUrl | None,
        Field(validation_alias="nats_monitoring_url", description="The broker's monitoring port, for health to ask when it syncs."),
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 pydantic-settings passes it
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no source here: `load_settings` reads them one by one, to know where each value comes from."""
        return (init_settings,)

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
    given: dict[str, Given] = {}
    problems: list[str] = []
    try:
        if file is not None or DEFAULT_FILE.exists():
            from_file = YamlSource(Settings, file or DEFAULT_FILE)
            given, problems = from_file(), from_file.problems
        variables = {".env": DotenvSource(Settings), "environment": EnvSettingsSource(Settings)}
    except UnreadableSource as error:
        raise SettingsError([str(error)]) from None
    for name, source in variables.items():
        given |= {key: Given(variable_of(key), value, name) for key, value in source().items()}
    given |= {key.lower(): Given(key, value, "command line") for key, value in (overrides or {}).items()}
    unread = [each for name, source in variables.items() for each in left_over(source, name)]
    # Where there is no URL, its parts were meant to make one.
    problems += [sentence for sentence, url in unread if url is None or url not in given]
    fields = Settings.model_fields
    problems += [f"{each}: there is no such setting{suggestion(key, fields)}" for key, each in given.items() if key not in fields]
    try:
        settings = Settings.model_validate({key: each.value for key, each in given.items() if key in fields})
    except ValidationError as error:
        raise SettingsError(
            [*problems, *(_problem(str(each["loc"][0]), each["type"], each["msg"], given) for each in error.errors())]
        ) from None
    if problems:
        raise SettingsError(problems)
    return LoadedSettings(
        settings, {key: each.source for key, each in given.items()}, tuple(sentence for sentence, url in unread if url is not None)
    )


def _problem(key: str, kind: str, message: str, given: Mapping[str, Given]) -> str:
    if kind == "missing":
        return f"{key}: is not set; set {variable_of(key)} in the environment or in .env, or {key} in {DEFAULT_FILE}"
    return f"{given.get(key, key)}: {message.removeprefix('Value error, ')}"
