"""The settings, their defaults and their validation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shop.domain.values import MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES
from shop.infrastructure.postgres.transactions.unit_of_work import Isolation
from shop.infrastructure.settings.cursor_keys import shown_cursor_keys
from shop.infrastructure.settings.proxies import trusted_networks
from shop.infrastructure.settings.urls import TLS, UrlReader, monitoring_url, nats_url, postgres_url, redis_url, smtp_url
from shop.infrastructure.tokens import KeyRing, check_keys


class LogFormat(StrEnum):
    """The format of log lines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The minimum level of log lines."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class TraceExporter(StrEnum):
    """Where spans go."""

    NONE = "none"
    CONSOLE = "console"
    FILE = "file"


def _read_by(reader: UrlReader) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        reader(url.get_secret_value())
        return url

    return AfterValidator(check)


def _proxies(text: str) -> str:
    trusted_networks(text)
    return text


PostgresUrl = Annotated[SecretStr, _read_by(postgres_url)]
RedisUrl = Annotated[SecretStr, _read_by(redis_url)]
NatsUrl = Annotated[SecretStr, _read_by(nats_url)]
MonitoringUrl = Annotated[SecretStr, _read_by(monitoring_url)]
SmtpUrl = Annotated[SecretStr, _read_by(smtp_url)]
# The minimum of argon2 (RFC 9106, 3.1).
_KIB_OF_LANE: Final = 8
# At least PostgreSQL's unit: 0 would mean no limit.
Seconds = Annotated[float, Field(ge=0.001, le=3600)]


class Settings(BaseSettings):
    """All settings. As environment variables, URLs have their conventional names and all others the prefix SHOP_."""

    # `only_existing`: `.env` may contain variables of other programs. It is not named here, or each validation would read it again.
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SHOP_", dotenv_filtering="only_existing")

    database_url: Annotated[PostgresUrl, Field(validation_alias="database_url", description="The primary database.")]
    database_read_url: Annotated[
        PostgresUrl | None, Field(validation_alias="database_read_url", description="A replica for queries; by default the primary.")
    ] = None
    redis_url: Annotated[RedisUrl | None, Field(validation_alias="redis_url", description="The cache; by default none.")] = None
    nats_url: Annotated[
        NatsUrl | None, Field(validation_alias="nats_url", description="The broker; without one, events stay in the outbox.")
    ] = None
    nats_monitoring_url: Annotated[
        MonitoringUrl | None,
        Field(validation_alias="nats_monitoring_url", description="The broker's monitoring endpoint, for the check of its sync interval."),
    ] = None
    smtp_url: Annotated[
        SmtpUrl | None, Field(validation_alias="smtp_url", description="The mail server of the consumer notifications; by default none.")
    ] = None
    mail_sender: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,200}$", description="The address that mail comes from.")
    ] = "shop@localhost"

    pool_min_size: Annotated[int, Field(ge=0, le=1000, description="Minimum number of connections.")] = 1
    pool_max_size: Annotated[int, Field(ge=1, le=1000, validate_default=True, description="Maximum number of connections.")] = 10
    pool_prepared_statements: Annotated[
        bool, Field(description="Whether statements are prepared; not behind a pooler that changes servers between transactions.")
    ] = True
    pool_wait_timeout: Annotated[Seconds, Field(description="Seconds to wait for a free connection.")] = 10.0
    pool_max_lifetime: Annotated[float, Field(ge=1, le=604_800, description="Seconds after which a connection is replaced.")] = 3600.0
    pool_max_idle: Annotated[float, Field(ge=1, le=604_800, description="Seconds after which an unused connection is closed.")] = 600.0
    connect_timeout: Annotated[int, Field(ge=1, le=60, description="Seconds to wait for the database to answer.")] = 5
    statement_timeout: Annotated[Seconds, Field(description="Seconds that a statement may take.")] = 15.0
    lock_timeout: Annotated[Seconds, Field(description="Seconds to wait for a lock.")] = 2.0
    use_case_timeout: Annotated[Seconds, Field(description="Seconds that a use case may take, with all attempts.")] = 20.0
    isolation: Annotated[Isolation, Field(description="Isolation level of transactions.")] = Isolation.READ_COMMITTED
    retry_attempts: Annotated[int, Field(ge=1, le=100, description="Attempts of a use case.")] = 5
    cache_ttl: Annotated[Seconds, Field(description="Seconds until a cached value expires.")] = 300.0
    password_memory_kib: Annotated[int, Field(ge=8, le=MAX_MEMORY_KIB, description="KiB of memory that a password's hash takes.")] = 65_536
    password_passes: Annotated[int, Field(ge=1, le=MAX_PASSES, description="Passes over that memory.")] = 3
    password_lanes: Annotated[int, Field(ge=1, le=MAX_LANES, validate_default=True, description="Threads that hash a password.")] = 4
    session_hours: Annotated[int, Field(ge=1, le=8760, description="Hours until a session ends.")] = 12
    session_check_interval: Annotated[
        float, Field(ge=0, le=60, description="Seconds for which a process remembers that a session is open.")
    ] = 5.0
    token_lifetime: Annotated[int, Field(ge=10, le=3600, description="Seconds for which an access token is valid.")] = 300
    token_issuer: Annotated[str, Field(min_length=1, max_length=200, description="Issuer of access tokens.")] = "shop"  # noqa: S105 a name
    token_audience: Annotated[str, Field(min_length=1, max_length=200, description="Audience of access tokens.")] = "shop"  # noqa: S105 a name
    token_keys: Annotated[
        str, Field(description="Folder of Ed25519 keys for access tokens, <id>.pem each; by default a key of this process.")
    ] = ""
    token_signing_key: Annotated[
        str, Field(validate_default=True, description="Id of the key that signs; by default, the folder's file `signing` names it.")
    ] = ""
    cursor_keys: Annotated[
        SecretStr,
        _read_by(shown_cursor_keys),
        Field(description="Keys of the cursors of pages, separated by commas; the first one signs. By default a key of this process."),
    ] = SecretStr("")
    http_request_timeout: Annotated[Seconds, Field(description="Seconds that a request over HTTP may take.")] = 30.0
    http_body_limit: Annotated[int, Field(ge=1024, le=2**30, description="Bytes that the body of a request may have.")] = 262_144
    http_header_timeout: Annotated[Seconds, Field(description="Seconds until the headers of a request have to arrive.")] = 10.0
    http_connections: Annotated[int, Field(ge=16, le=1_000_000, description="Connections that clients may have open.")] = 1000
    http_connections_per_address: Annotated[
        int, Field(ge=1, le=1_000_000, description="Connections that an address may have open, unless it is a trusted proxy.")
    ] = 100
    http_rate_limit: Annotated[int, Field(ge=1, le=1_000_000, description="Requests that an address may send in a minute.")] = 600
    http_login_limit: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Logins, registrations and changes of a password that an address may request in a minute."),
    ] = 30
    http_drain: Annotated[
        float, Field(ge=0, le=300, description="Seconds in which a server that is to stop still accepts connections, but is not ready.")
    ] = 5.0
    http_trusted_proxies: Annotated[
        str,
        AfterValidator(_proxies),
        Field(description="Addresses and networks of proxies, separated by commas, whose X-Forwarded-For is believed; a Unix socket's is."),
    ] = "127.0.0.1"
    nats_stream: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The stream of the events; each deployment has its own."),
    ] = "SHOP"
    message_retention_days: Annotated[int, Field(ge=1, le=3650, description="Days that messages are kept after publication.")] = 30
    bury_newer_events: Annotated[
        bool, Field(description="Whether consumers make events of a newer version dead letters, and do not wait for a newer program.")
    ] = False
    answer_retention_hours: Annotated[int, Field(ge=1, le=8760, description="Hours that the answer to a request with a key is kept.")] = 24
    audit_retention_months: Annotated[
        int, Field(ge=0, le=1200, description="Whole months that the audit log is kept; 0 keeps all of it.")
    ] = 0
    relay_batch_size: Annotated[int, Field(ge=1, le=10_000, description="Events published in one batch.")] = 100
    outbox_lag_limit: Annotated[Seconds, Field(description="Seconds that an event may be pending before the health check fails.")] = 60.0
    log_format: Annotated[LogFormat, Field(description="Format of log lines.")] = LogFormat.CONSOLE
    log_level: Annotated[LogLevel, Field(description="Minimum level of log lines.")] = LogLevel.WARNING
    tracing: Annotated[TraceExporter, Field(description="Where spans go.")] = TraceExporter.NONE
    trace_file: Annotated[str, Field(min_length=1, description="The file of spans, which all processes share.")] = "shop-spans.jsonl"
    trace_file_limit: Annotated[int, Field(ge=1, le=100_000, description="MiB of that file; there is an older one of the same size.")] = 64
    require_tls: Annotated[
        bool, Field(validate_default=True, description="Whether every URL must require TLS; Unix sockets need none.")
    ] = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 pydantic-settings passes it
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use no source here: `load_settings` reads them one by one, to know the origin of each value."""
        return (init_settings,)

    @field_validator("pool_max_size")
    @classmethod
    def _check_pool_sizes(cls, value: int, info: ValidationInfo) -> int:
        minimum = info.data.get("pool_min_size", 0)
        if value < minimum:
            raise ValueError(f"is less than pool_min_size, which is {minimum}")
        return value

    @field_validator("require_tls")
    @classmethod
    def _check_tls(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 pydantic passes it
        if value:
            wanted = {key: how for key, how in TLS.items() if (url := info.data.get(key)) and not how.is_required(url.get_secret_value())}
            if wanted:
                raise ValueError("; ".join(f"{key} does not require TLS: {how.hint}" for key, how in wanted.items()))
        return value

    @field_validator("password_lanes")
    @classmethod
    def _check_memory(cls, value: int, info: ValidationInfo) -> int:
        memory = info.data.get("password_memory_kib", _KIB_OF_LANE * value)
        if memory < _KIB_OF_LANE * value:
            raise ValueError(f"needs {_KIB_OF_LANE * value} KiB of password_memory_kib, which is {memory}")
        return value

    @field_validator("token_keys")
    @classmethod
    def _check_folder(cls, value: str) -> str:
        if value:
            check_keys(Path(value))
        return value

    @field_validator("token_signing_key")
    @classmethod
    def _check_keys(cls, value: str, info: ValidationInfo) -> str:
        # Without it, it is invalid, which is reported.
        folder = info.data.get("token_keys")
        if folder is None:
            return value
        if folder:
            KeyRing.load(Path(folder), value)
        elif value:
            raise ValueError("needs token_keys, the folder of the key")
        return value


URL_READERS: Final[Mapping[str, UrlReader]] = {
    "database_url": postgres_url,
    "database_read_url": postgres_url,
    "redis_url": redis_url,
    "nats_url": nats_url,
    "nats_monitoring_url": monitoring_url,
    "smtp_url": smtp_url,
}
"""The parser of each URL."""

SECRETS: Final[Mapping[str, UrlReader]] = {**URL_READERS, "cursor_keys": shown_cursor_keys}
"""How each secret is shown. A secret may also be in a file that a variable names, as in `DATABASE_URL_FILE`."""
