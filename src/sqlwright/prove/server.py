"""Finds the PostgreSQL that proves the queries: the server or the container that SQLWRIGHT_DATABASE_URL names, else the embedded one.

Nothing else in the compiler knows which one it is. Nothing is printed. psycopg is imported where a server is asked, since mostly every
proof is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlwright.diagnostics import Diagnostic
from sqlwright.prove import container, embedded

URL_VARIABLE = "SQLWRIGHT_DATABASE_URL"
ADMIN_DATABASE = "postgres"

_CONNECT_TIMEOUT = 10
_CONTAINER = "docker:"
_IN_PLUGIN = f"under a bare `sqlc generate`, {URL_VARIABLE} must also be listed in sqlc.yaml: plugins: - env: [{URL_VARIABLE}]"


class ServerUnavailable(Exception):
    """There is no PostgreSQL to ask; the diagnostic says what was tried and how to fix it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL on which scratch databases may be made.

    `major` is its major version; `admin_database` is one to connect to when creating and dropping others.
    """

    major: int
    admin_database: str
    _conninfo: Callable[[str], str] = field(repr=False)

    def conninfo(self, database: str = "") -> str:
        """Give libpq's connection string for a database of this server, by default `admin_database`; it may hold a password."""
        return self._conninfo(database or self.admin_database)


@contextmanager
def postgres_server(project: Path, environ: Mapping[str, str]) -> Generator[Server]:
    """Provide a PostgreSQL for the length of the block.

    Args:
        project: the folder of sqlc.yaml; the embedded server lives in its `.sqlwright`.
        environ: where SQLWRIGHT_DATABASE_URL is looked up: a URL, or docker: and an image, of which a container runs for the length of
            the block. Empty counts as not set.

    Raises:
        ServerUnavailable: the named server cannot be reached or used, or no container of the named image; or none is named, and the
            embedded one is not installed or does not start.
    """
    given = environ.get(URL_VARIABLE, "")
    if given.startswith(_CONTAINER):
        try:
            with container.running(given.removeprefix(_CONTAINER)) as url:
                yield _named_server(url)
        except container.ContainerUnavailable as error:
            raise ServerUnavailable(
                Diagnostic(
                    message=f"{URL_VARIABLE} names a container, and {error}",
                    help=f"{error.fix}; or unset {URL_VARIABLE} to use the embedded server",
                )
            ) from error
        return
    if given:
        yield _named_server(given)
        return
    try:
        with embedded.running(project):
            yield Server(embedded.MAJOR, ADMIN_DATABASE, lambda database: embedded.url(project, database))
    except embedded.EmbeddedUnavailable as error:
        raise ServerUnavailable(_no_embedded(error)) from error


def shown(conninfo: str) -> str:
    """Give a URL that says where a connection goes, without its password.

    Raises:
        ValueError: it is not a connection string, or reads as one in a way that nobody means.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq's own message repeats pieces of the text, which may be the password.
        raise ValueError("not a connection URL") from None
    # An unescaped "/" or "@" in a password ends up in other parts, which would be shown.
    ports = str(parts.get("port") or "").split(",")
    if "@" in str(parts.get("dbname") or "") or not all(port.isdigit() for port in ports if port):
        raise ValueError("not a connection URL")
    user = f"{parts['user']}@" if parts.get("user") else ""
    if parts.get("password"):
        user = f"{parts.get('user', '')}:***@"
    host = str(parts.get("host") or "localhost")
    socket_folder = f"?host={host}" if host.startswith("/") else ""
    port = f":{parts['port']}" if any(ports) else ""
    return f"postgres://{user}{'' if socket_folder else host}{port}/{parts.get('dbname') or ''}{socket_folder}"


def _named_server(given: str) -> Server:
    import psycopg
    from psycopg.conninfo import make_conninfo

    try:
        url = shown(given)
    except ValueError:
        raise ServerUnavailable(
            Diagnostic(
                message=f"{URL_VARIABLE} is not a connection URL that PostgreSQL understands",
                help="the form is postgres://user:password@host:5432/database; %-escape odd characters in the password",
            )
        ) from None
    try:
        with psycopg.connect(given, connect_timeout=_CONNECT_TIMEOUT, autocommit=True) as connection:
            row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            major = connection.info.server_version // 10_000
            # As libpq has it: text that an SQL_ASCII database sends arrives as bytes.
            database = connection.info.dbname
    except psycopg.OperationalError as error:
        raise ServerUnavailable(
            Diagnostic(
                message=f"cannot connect to {URL_VARIABLE} ({url}): {_first_line(error)}",
                help=f"start that server, correct the URL, or unset {URL_VARIABLE} to use the embedded server",
            )
        ) from None
    if row is None or not row[0]:
        raise ServerUnavailable(
            Diagnostic(
                message=f"the user of {URL_VARIABLE} ({url}) may not create databases",
                help="queries are proven in a scratch database: ALTER ROLE … CREATEDB, or name another user",
            )
        )
    return Server(major, database, lambda database: make_conninfo(given, dbname=database))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].removeprefix("connection failed: ") if lines else type(error).__name__


def _no_embedded(error: embedded.EmbeddedUnavailable) -> Diagnostic:
    return Diagnostic(
        message=f"no PostgreSQL to prove with: {error}",
        help="\n".join(
            (
                f"for the embedded server: {error.fix}",
                f"for a server of your own: export {URL_VARIABLE}=postgres://user:password@host/database",
                f"({_IN_PLUGIN})",
            )
        ),
    )
