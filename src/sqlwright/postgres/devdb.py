"""The development database: which one it is, and running dbmate on it.

DATABASE_URL names it, in the environment or, as for dbmate, in the project's `.env`; else it is the database `dev` of the embedded
server that also proves queries.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.postgres import embedded
from sqlwright.postgres.server import ADMIN_DATABASE, shown

URL_VARIABLE = "DATABASE_URL"
EMBEDDED_DATABASE = "dev"
# A URL whose user and password have only the characters that RFC 3986 allows.
_PLAIN_USER = re.compile(r"\w+://(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?[^@]*", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class DevDatabase:
    """The development database. `source` is where its URL comes from: `DATABASE_URL`, `.env` or `embedded`."""

    project: Path
    url: str
    source: str

    @property
    def is_embedded(self) -> bool:
        """Whether it is on the project's own server."""
        return self.source == "embedded"

    @property
    def display(self) -> str:
        """The URL without its password."""
        return shown(self.url)

    def without_password(self) -> tuple[str, dict[str, str]]:
        """Return libpq's connection string and, separately, the environment with the password: arguments are visible to other processes."""
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        parts = conninfo_to_dict(self.url)
        password = parts.pop("password", None)
        return make_conninfo("", **parts), {} if password is None else {"PGPASSWORD": str(password)}

    def is_local(self) -> bool:
        """Whether every host that the URL names is this machine."""
        from psycopg.conninfo import conninfo_to_dict

        parts = conninfo_to_dict(self.url)
        hosts = f"{parts.get('host') or ''},{parts.get('hostaddr') or ''}".split(",")
        return all(map(_is_this_machine, filter(None, hosts)))


def choose(project: Path, environ: Mapping[str, str]) -> DevDatabase:
    """Decide which database to use.

    Raises:
        CompileError: DATABASE_URL is not a PostgreSQL URL.
    """
    project = project.resolve()
    for source, url in ((URL_VARIABLE, environ.get(URL_VARIABLE, "")), (".env", _from_env_file(project / ".env"))):
        if url:
            # dbmate accepts only URLs, libpq also "host=…" strings.
            if not url.startswith(("postgres://", "postgresql://")) or not _is_readable(url):
                place = URL_VARIABLE if source == URL_VARIABLE else f"{URL_VARIABLE} in .env"
                raise CompileError(
                    [
                        Diagnostic(
                            Code.INVALID_URL,
                            f"{place} is not a PostgreSQL URL",
                            help="the form is postgres://user:password@host:5432/database; %-escape odd characters in the password",
                        )
                    ]
                )
            return DevDatabase(project, url, source)
    return DevDatabase(project, embedded.url(project, EMBEDDED_DATABASE), "embedded")


@contextmanager
def reachable(database: DevDatabase) -> Generator[Path | None]:
    """Keep the server running during the block if it is the embedded one; yield the folder of the embedded server's programs, if any.

    Raises:
        EmbeddedUnavailable: it does not start.
    """
    if not database.is_embedded:
        yield embedded.find_binaries()
        return
    with embedded.running(database.project) as binaries:
        yield binaries


def is_created(database: DevDatabase) -> bool:
    """Return whether the database has been created on the embedded server, which must be running."""
    import psycopg

    with psycopg.connect(embedded.url(database.project, ADMIN_DATABASE)) as connection:
        return connection.execute("SELECT FROM pg_database WHERE datname = %s", [EMBEDDED_DATABASE]).fetchone() is not None


def run_dbmate(
    database: DevDatabase, dbmate: Path, binaries: Path | None, migrations: Path, environ: Mapping[str, str], *arguments: str
) -> None:
    """Run a dbmate command on the database; its output goes where ours goes.

    The migrations are the single source of the schema, so no schema file is dumped.

    Raises:
        CompileError: dbmate failed, after printing why.
    """
    # In the environment rather than an argument, in which every user of the machine could read the password.
    environment = {**environ, URL_VARIABLE: database.url}
    if binaries is not None:
        environment = embedded.environment(binaries, environment)
    command = [str(dbmate), "--migrations-dir", str(migrations), "--no-dump-schema", *arguments]
    finished = subprocess.run(command, cwd=database.project, env=environment, stdin=subprocess.DEVNULL, check=False)
    if finished.returncode:
        raise CompileError(
            [
                Diagnostic(
                    Code.DBMATE_FAILED, f"dbmate {' '.join(arguments)} failed on {database.display}", help="dbmate's own message is above."
                )
            ]
        )


def _is_readable(url: str) -> bool:
    # dbmate repeats a URL it cannot parse, and hides a password only where it recognises one: not after a bare "#" or "?".
    if not _PLAIN_USER.fullmatch(url):
        return False
    try:
        shown(url)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_env_file(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = ""
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == URL_VARIABLE:
            value = value.strip()
            quote = value[:1] if value[:1] in {"'", '"'} else ""
            found = value[1:].split(quote, 1)[0] if quote else value.split(" #", 1)[0].strip()
    return found
