"""Parsing of URLs by the parsers of their clients, so that the masked form shows what the client understands.

Each reader returns the parts with secrets masked, and raises ValueError for a URL that its client cannot parse or would misinterpret. No
message quotes the URL: a misinterpreted part may be part of a password.
"""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, timeout_from_conninfo
from psycopg.pq import Conninfo

UrlReader: TypeAlias = Callable[[str], str]

_HIDDEN = "***"
# Not secret. Everything else is masked: a list of the secrets could be incomplete for the next version of a client.
_SHOWN_BY_LIBPQ: Final = frozenset(
    {"user", "host", "hostaddr", "port", "dbname", "application_name", "connect_timeout", "sslmode", "target_session_attrs"}
)
_SHOWN_BY_REDIS: Final = frozenset({"username", "host", "port", "db", "protocol", "socket_timeout", "socket_connect_timeout"})
# They would change what the store reads and writes, and a wrong name fails only in the first call.
_DECODING: Final = frozenset({"decode_responses", "encoding", "encoding_errors"})
_PORTS = range(1, 65536)


def postgres_url(url: str) -> str:
    """Parse a URL as libpq does."""
    _require_scheme(url, "postgres", "postgresql")
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        raise ValueError("libpq cannot parse it; in a password write @ : / ? # % as %40 %3A %2F %3F %23 %25") from None
    if any(character in parameters.get(key, "") for key in ("host", "dbname") for character in "@?#"):
        raise ValueError("libpq interprets part of the password as host or database; write @ : / ? # % as %40 %3A %2F %3F %23 %25")
    _require_ports(port for port in parameters.get("port", "").split(",") if port)
    try:
        timeout_from_conninfo(dict(parameters))
    except ProgrammingError:
        raise ValueError("connect_timeout is not a number of seconds") from None
    return _shown(parameters, _SHOWN_BY_LIBPQ)


def redis_url(url: str) -> str:
    """Parse a URL as redis-py does. What redis-py silently ignores is an error here."""
    # Imported here, as below: redis-py takes long to import, and this URL is optional.
    from redis.asyncio.connection import Connection, parse_url
    from redis.exceptions import RedisError

    _require_scheme(url, "redis", "rediss")
    hint = "in a password write @ : / ? # % as %40 %3A %2F %3F %23 %25"
    try:
        parts = urlsplit(url)
        if parts.query:
            parse_qsl(parts.query, strict_parsing=True)
        parameters: dict[str, Any] = dict(parse_url(url))
        # Does not connect, but rejects unknown options.
        parameters.pop("connection_class", Connection)(**parameters)
    except (ValueError, TypeError, RedisError):
        raise ValueError(f"redis-py cannot parse it; {hint}") from None
    if wrong := sorted(_DECODING & parameters.keys()):
        raise ValueError(f"the option {wrong[0]} is not supported: values are bytes")
    database = parts.path.strip("/")
    if parts.fragment or "#" in url or not (database == "" or (database.isascii() and database.isdecimal())):
        raise ValueError(f"after the host redis-py accepts only a database number and options; {hint}")
    # A user without a password is a password in the wrong place.
    shown = _SHOWN_BY_REDIS if "password" in parameters else _SHOWN_BY_REDIS - {"username"}
    return _shown({"scheme": parts.scheme, **parameters}, shown | {"scheme"})


def nats_url(url: str) -> str:
    """Parse the URL of one server as nats-py does: by urllib, without decoding, and a user without a password is a token."""
    _require_scheme(url, "nats", "tls")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            "nats-py cannot parse it; it is of the form nats://host:4222, and a token or password contains no / ? or #"
        ) from None
    if not host or "," in host or parts.path.strip("/") or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("it is not of the form nats://host:4222, for one server; a token or password contains no / ? or #")
    _require_ports([] if port is None else [str(port)])
    parameters: dict[str, object] = {"scheme": parts.scheme, "host": host, "port": port or 4222}
    if parts.password is not None:
        parameters |= {"user": parts.username or "", "password": parts.password}
    elif parts.username is not None:
        parameters |= {"token": parts.username}
    return _shown(parameters, frozenset({"scheme", "host", "port", "user"}))


def smtp_url(url: str) -> str:
    """Parse the URL of a mail server by urllib: plain, with STARTTLS, or with TLS from the start. Only the latter two take a login."""
    _require_scheme(url, "smtp", "smtp+starttls", "smtps")
    form = "smtp://host:25, smtp+starttls://user:password@host:587 or smtps://user:password@host:465"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            f"urllib cannot parse it; it is of the form {form}, and a password has %40 %3A %2F %3F %23 %25 for @ : / ? # %"
        ) from None
    if not host or port is None or parts.path.strip("/") or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError(f"it is not of the form {form}")
    _require_ports([str(port)])
    if parts.username is not None and parts.scheme == "smtp":
        raise ValueError("a login needs TLS: smtp+starttls:// or smtps://")
    parameters: dict[str, object] = {"scheme": parts.scheme, "host": host, "port": port}
    if parts.username is not None:
        parameters |= {"user": parts.username, "password": parts.password or ""}
    return _shown(parameters, frozenset({"scheme", "host", "port", "user"}))


def monitoring_url(url: str) -> str:
    """Parse the URL of NATS's monitoring endpoint as urllib does: it has no user, and so no secrets."""
    _require_scheme(url, "http", "https")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("urllib cannot parse it; it is of the form http://host:8222") from None
    _require_ports([] if port is None else [str(port)])
    if not host or "@" in parts.netloc or parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("it is not of the form http://host:8222, without a user")
    return url


def _require_scheme(url: str, *schemes: str) -> None:
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not url.isprintable() or " " in url:
        raise ValueError("contains white space or a control character")


def _require_ports(ports: Iterable[str]) -> None:
    if not all(port.isascii() and port.isdecimal() and int(port[:6]) in _PORTS for port in ports):
        raise ValueError(f"the port is not a number from {_PORTS.start} to {_PORTS.stop - 1}")


def _shown(parameters: Mapping[str, object], open_keys: frozenset[str]) -> str:
    return " ".join(f"{key}={shlex.quote(str(value)) if key in open_keys else _HIDDEN}" for key, value in parameters.items())


@dataclass(frozen=True, slots=True)
class Tls:
    """How a kind of URL requires TLS, with a certificate that is verified for the host."""

    is_required: Callable[[str], bool]
    hint: str


def _postgres_requires_tls(url: str) -> bool:
    parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    return parameters.get("sslmode") == "verify-full" or _is_local(parameters)


def _is_local(parameters: Mapping[str, str]) -> bool:
    """Return whether all hosts are Unix sockets, also by what libpq adds from the environment and from a service file."""
    hosts = parameters.get("host", "").split(",")
    if "service" in parameters or "hostaddr" in parameters or not all(host.startswith("/") for host in hosts):
        return False
    added = {option.keyword for option in Conninfo.get_defaults() if option.val}
    return b"hostaddr" not in added and b"service" not in added


def _redis_requires_tls(url: str) -> bool:
    from redis.asyncio.connection import Connection, SSLConnection, parse_url

    # As redis-py reads its options.
    parameters: dict[str, Any] = dict(parse_url(url))
    connection = parameters.pop("connection_class", Connection)(**parameters)
    if not isinstance(connection, SSLConnection):
        return False
    # Some ciphers have no certificate.
    tls: Any = connection.ssl_context
    return bool(tls.cert_reqs is ssl.CERT_REQUIRED and tls.check_hostname and tls.ciphers is None and not tls.exclude_verify_flags)


def _has_scheme(*schemes: str) -> Callable[[str], bool]:
    return lambda url: urlsplit(url).scheme in schemes


_POSTGRES: Final = Tls(_postgres_requires_tls, "add sslmode=verify-full")
TLS: Final[Mapping[str, Tls]] = {
    "database_url": _POSTGRES,
    "database_read_url": _POSTGRES,
    "redis_url": Tls(_redis_requires_tls, "write rediss://, without options that weaken the verification of certificates"),
    "nats_url": Tls(_has_scheme("tls"), "write tls://"),
    "nats_monitoring_url": Tls(_has_scheme("https"), "write https://"),
    "smtp_url": Tls(_has_scheme("smtps", "smtp+starttls"), "write smtps:// or smtp+starttls://"),
}
"""By setting, how its URL requires TLS."""
