"""Settings: defaults, then a YAML file, then `.env`, then the environment, then the command line; each overrules those before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from shop.infrastructure.postgres.unit_of_work import Isolation

DEFAULT_FILE = Path("shop.yaml")
_ENV_FILE = Path(".env")
_PREFIX = "SHOP_"


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


def _with_scheme(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if urlsplit(text).scheme not in schemes or "://" not in text:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _with_scheme("postgres", "postgresql")]
RedisUrl = Annotated[SecretStr, _with_scheme("redis", "rediss")]
NatsUrl = Annotated[SecretStr, _with_scheme("nats", "tls")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """All that can be set. In the environment the URLs have the names that every tool knows, and the others begin with SHOP_."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=_PREFIX, populate_by_name=True)

    database_url: Annotated[PostgresUrl, Field(validation_alias="database_url", description="The database that is written to.")]
    database_read_url: Annotated[
        PostgresUrl | None, Field(validation_alias="database_read_url", description="Where questions go, if not there too: a replica.")
    ] = None
    redis_url: Annotated[RedisUrl | None, Field(validation_alias="redis_url", description="The cache; without it there is none.")] = None
    nats_url: Annotated[NatsUrl | None, Field(validation_alias="nats_url", description="The broker; without it events wait.")] = None

    pool_min_size: Annotated[int, Field(ge=0, le=1000, description="Connections that are kept open.")] = 1
    pool_max_size: Annotated[int, Field(ge=1, le=1000, description="Most connections at once.")] = 10
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
        settings_cls: type[BaseSettings],  # noqa: ARG003 pydantic-settings passes all of these
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no source here: `load_settings` reads them one by one, to know where each value comes from."""
        return (init_settings,)


class SettingsError(Exception):
    """Settings that cannot be used: each problem a sentence with its key and its source, and never with its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where each that was given comes from."""

    settings: Settings
    sources: Mapping[str, str]

    def shown(self) -> list[tuple[str, str, str]]:
        """Give each key, its value without secrets, and its source, in the order of their definition."""
        rows: list[tuple[str, str, str]] = []
        for key in Settings.model_fields:
            value = getattr(self.settings, key)
            text = without_credentials(value.get_secret_value()) if isinstance(value, SecretStr) else "" if value is None else str(value)
            rows.append((key, text, self.sources.get(key, "default")))
        return rows


def load_settings(*, file: Path | None = None, overrides: Mapping[str, str] | None = None) -> LoadedSettings:
    """Load the settings. Raises `SettingsError`, with all problems at once.

    Args:
        file: the YAML file, which must be there; without it `shop.yaml` of the working directory, which need not be.
        overrides: keys and values of the command line.
    """
    layers: list[tuple[str, Mapping[str, object]]] = [
        (str(file or DEFAULT_FILE), _from_yaml(file)),
        (str(_ENV_FILE), DotEnvSettingsSource(Settings, env_file=_ENV_FILE)()),
        ("environment", EnvSettingsSource(Settings)()),
        ("command line", overrides or {}),
    ]
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for source, layer in layers:
        # `.env` is also read by others, so what is not ours there is no mistake.
        for key, value in layer.items():
            if source == str(_ENV_FILE) and key not in Settings.model_fields:
                continue
            values[key] = value
            sources[key] = source
    try:
        return LoadedSettings(Settings.model_validate(values), sources)
    except ValidationError as error:
        raise SettingsError([_problem(str(each["loc"][0]), each["type"], each["msg"], sources) for each in error.errors()]) from None


def without_credentials(url: str) -> str:
    """Hide the password of a URL."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()


def _from_yaml(file: Path | None) -> Mapping[str, object]:
    path = file or DEFAULT_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if file is None:
            return {}
        raise SettingsError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read: {error}"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SettingsError([f"{place}: is not YAML"]) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError([f"{path}: is not a mapping of keys to values"])
    # YAML gives anything; pydantic looks at the values next.
    return {str(key): value for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _problem(key: str, kind: str, message: str, sources: Mapping[str, str]) -> str:
    if kind == "missing":
        return f"{key}: is not set; set {_variable(key)} in the environment or in .env, or {key} in {DEFAULT_FILE}"
    source = sources.get(key, "default")
    place = f"{_variable(key)} in the environment" if source == "environment" else f"{key} in {source}"
    if source == "command line":
        place = f"{key} on the command line"
    if kind == "extra_forbidden":
        return f"{place}: there is no such setting"
    return f"{place}: {message.removeprefix('Value error, ')}"


def _variable(key: str) -> str:
    field = Settings.model_fields.get(key)
    return key.upper() if field is not None and field.validation_alias is not None else f"{_PREFIX}{key.upper()}"
