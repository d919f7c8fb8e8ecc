"""Find the PostgreSQL that proves the queries: the server or the container that SQLWRIGHT_DATABASE_URL names, else the embedded one.

Nothing else in the compiler knows which one it is. psycopg is imported only where a server is used, since usually every proof is on
record.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.postgres import cluster, container, embedded, standins

URL_VARIABLE = "SQLWRIGHT_DATABASE_URL"
ADMIN_DATABASE = "postgres"

_CONNECT_TIMEOUT = 10
_CONTAINER = "docker:"
# Where libpq ends the user name and password: at the first "@", unless a "/" comes first.
_AUTHORITY = re.compile(r"\w+://(?:[^/@]*@)?[^@]*", re.DOTALL)
_IN_PLUGIN = f"under a bare `sqlc generate`, {URL_VARIABLE} must also be listed in sqlc.yaml: plugins: - env: [{URL_VARIABLE}]"


class ServerUnavailable(Exception):
    """No PostgreSQL is available; the diagnostic says what was tried and how to fix it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL on which scratch databases may be created.

    `major` is its major version; `admin_database` is the one to connect to for creating and dropping others; `superuser` says whether the
    connecting user is a superuser. `control_path` is the `extension_control_path` of scratch databases, "" for the server's own.
    """

    major: int
    admin_database: str
    superuser: bool
    control_path: str
    _given: str = field(repr=False)

    def conninfo(self, database: str = "", **parts: str) -> str:
        """Return libpq's connection string for a database of this server, by default `admin_database`; it may contain a password.

        `parts` replaces other parts of it, such as the user.
        """
        from psycopg.conninfo import make_conninfo

        # Messages and names arrive as UTF-8, whatever a database or role is configured for.
        return make_conninfo(self._given, dbname=database or self.admin_database, client_encoding="UTF8", **parts)


@contextmanager
def postgres_server(project: Path, environ: Mapping[str, str]) -> Generator[Server]:
    """Provide a PostgreSQL for the length of the block.

    Args:
        project: the folder of sqlc.yaml; the embedded server lives in its `.sqlwright`.
        environ: where SQLWRIGHT_DATABASE_URL is looked up: a URL, or `docker:` and an image, of which a container runs during the block.
            Empty counts as unset.

    Raises:
        ServerUnavailable: the named server cannot be reached or used, or no container of the named image can; or none is named, and the
            embedded one is not installed or does not start; or the server fails or stops before the block ends.
    """
    given = environ.get(URL_VARIABLE, "")
    if given.startswith(_CONTAINER):
        try:
            with container.running(given.removeprefix(_CONTAINER)) as url, _surviving("the container's PostgreSQL"):
                yield _named_server(url)
        except container.ContainerUnavailable as error:
            raise ServerUnavailable(
                Diagnostic(
                    Code.UNUSABLE_POSTGRESQL,
                    message=f"{URL_VARIABLE} names a container, but {error}",
                    help=f"{error.fix}; or unset {URL_VARIABLE} to use the embedded server",
                )
            ) from error
        return
    if given:
        server = _named_server(given)
        with _surviving(f"the server of {URL_VARIABLE} ({shown(given)})"):
            yield server
        return
    try:
        with embedded.running(project), _surviving("the embedded PostgreSQL"):
            url = embedded.url(project, ADMIN_DATABASE)
            yield Server(
                embedded.MAJOR,
                ADMIN_DATABASE,
                superuser=True,
                control_path=standins.control_path(cluster.data_folder(project)),
                _given=url,
            )
    except embedded.EmbeddedUnavailable as error:
        raise ServerUnavailable(_no_embedded(error)) from error


@contextmanager
def _surviving(server: str) -> Generator[None]:
    """Report a server that stops, or runs out of a resource, while it is in use."""
    # Without psycopg nothing can fail like this, and importing it costs time that a run without proofs need not spend.
    try:
        yield
    except Exception as error:
        import psycopg

        if not isinstance(error, psycopg.OperationalError):
            raise
        raise ServerUnavailable(
            Diagnostic(
                Code.UNUSABLE_POSTGRESQL,
                message=f"{server} failed while it was proving: {_first_line(error)}",
                help="run it again; if it fails again, the server's log says why.",
            )
        ) from error


def shown(conninfo: str) -> str:
    """Return a URL for display, without its password.

    Raises:
        ValueError: it is not a connection string, or its password contains a character that must be escaped.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    # An unescaped "/" or "@" in a password puts the rest of it into other parts, which would be shown.
    if "://" in conninfo and not _AUTHORITY.fullmatch(conninfo):
        raise ValueError("not a connection URL")
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq's own message repeats parts of the text, which may be the password.
        raise ValueError("not a connection URL") from None
    ports = str(parts.get("port") or "").split(",")
    if not all(port.isdigit() for port in ports if port):
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

    try:
        url = shown(given)
    except ValueError:
        raise ServerUnavailable(
            Diagnostic(
                Code.INVALID_URL,
                message=f"{URL_VARIABLE} is not a connection URL that PostgreSQL understands",
                help="the form is postgres://user:password@host:5432/database; %-escape odd characters in the password",
            )
        ) from None
    try:
        with psycopg.connect(given, connect_timeout=_CONNECT_TIMEOUT, autocommit=True) as connection:
            # Qualified, so that nothing created by other users of that database is called.
            row = connection.execute(
                "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user"
            ).fetchone()
            major = connection.info.server_version // 10_000
            # As in libpq: text from an SQL_ASCII database arrives as bytes.
            database = connection.info.dbname
    except psycopg.OperationalError as error:
        raise ServerUnavailable(
            Diagnostic(
                Code.UNUSABLE_POSTGRESQL,
                message=f"cannot connect to {URL_VARIABLE} ({url}): {_first_line(error)}",
                help=f"start that server, correct the URL, or unset {URL_VARIABLE} to use the embedded server",
            )
        ) from None
    superuser, createdb, createrole = row or (False, False, False)
    lacking = [what for what, has in (("databases", createdb), ("roles", createrole)) if not (superuser or has)]
    if lacking:
        raise ServerUnavailable(
            Diagnostic(
                Code.UNUSABLE_POSTGRESQL,
                message=f"the user of {URL_VARIABLE} ({url}) may not create {' and '.join(lacking)}",
                help="queries are proven in a scratch database, by a role that owns only that database:"
                " ALTER ROLE … CREATEDB CREATEROLE, or use another user",
            )
        )
    return Server(major, database, superuser=superuser, control_path="", _given=given)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].removeprefix("connection failed: ") if lines else type(error).__name__


def _no_embedded(error: embedded.EmbeddedUnavailable) -> Diagnostic:
    return Diagnostic(
        Code.UNUSABLE_POSTGRESQL,
        message=f"no PostgreSQL to prove with: {error}",
        help="\n".join(
            (
                f"for the embedded server: {error.fix}",
                f"for a server of your own: export {URL_VARIABLE}=postgres://user:password@host/database",
                f"({_IN_PLUGIN})",
            )
        ),
    )
