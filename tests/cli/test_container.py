"""PostgreSQL in a container: where a Docker daemon answers, in an image made here of the embedded server's own programs."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import docker
import pytest

from sqlwright.postgres import embedded
from sqlwright.postgres.server import ServerUnavailable, postgres_server
from tests.support.program import Sqlwright

IMAGE = "sqlwright-tests-postgres"
# What the official image does with its environment and its command, and no more.
ENTRYPOINT = """\
#!/bin/sh
set -e
printf %s "$POSTGRES_PASSWORD" >/data/password
initdb --pgdata=/data/cluster --username="$POSTGRES_USER" --pwfile=/data/password --encoding=UTF8 --auth=scram-sha-256 --no-sync
echo 'host all all all scram-sha-256' >>/data/cluster/pg_hba.conf
exec "$@" -D /data/cluster -c listen_addresses='*' -c unix_socket_directories=/data
"""
# The container that clears up after killed processes: its image would have to be pulled.
NO_REAPER = {"TESTCONTAINERS_RYUK_DISABLED": "true"}
PASSWD = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/data:/bin/sh\n"


def libraries(program: Path) -> set[Path]:
    """The shared libraries that a program is linked with, the loader included."""
    listed = subprocess.run(["/usr/bin/ldd", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {Path(path) for path in re.findall(r"(?:=> |\t)(/\S+) \(0x", listed)}


def write_root_folder(file: IO[bytes], binaries: Path) -> None:
    """Write a file system with PostgreSQL's programs, a shell, and nothing else, as a tar."""
    with tarfile.open(fileobj=file, mode="w") as tar:

        def write(name: str, content: str, mode: int = 0o644) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content.encode()), mode
            tar.addfile(info, io.BytesIO(content.encode()))

        programs = [binaries / name for name in ("postgres", "initdb", "psql")]
        shell = Path("/bin/sh").resolve()
        tar.add(shell, "bin/sh")
        for program in programs:
            tar.add(program, program)
        for folder in ("share", "lib"):
            tar.add(binaries.parent / folder, binaries.parent / folder)
        for library in {library for program in [*programs, shell] for library in libraries(program)}:
            tar.add(library.resolve(), library)
        for name, mode in (("data", 0o700), ("tmp", 0o777), ("dev", 0o755)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, 999, 999
            tar.addfile(info)
        write("entrypoint", ENTRYPOINT, 0o755)
        write("etc/passwd", PASSWD)
    file.flush()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image of PostgreSQL that was built here: nothing is pulled."""
    if sys.platform != "linux":
        pytest.skip("the embedded server's programs run in no container here: they are not Linux's")
    # In a separate process: docker-py leaves a socket open where no daemon responds.
    asked = subprocess.run([sys.executable, "-c", "import docker; docker.from_env()"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip(f"no Docker daemon responds: {asked.stderr.strip().splitlines()[-1]}")
    binaries = embedded.find_binaries()
    assert binaries is not None
    with tempfile.NamedTemporaryFile(suffix=".tar") as tar, closing(docker.from_env()) as client:
        write_root_folder(tar, binaries)
        changes = ["USER 999", f"ENV PATH={binaries}:/bin", 'ENTRYPOINT ["/entrypoint"]']
        client.api.import_image(tar.name, repository=IMAGE, tag="latest", changes=changes)  # pyright: ignore[reportUnknownMemberType]
        yield IMAGE
        client.images.remove(IMAGE)


def test_a_container_proves_what_the_embedded_server_does(image: str, project: Path, sqlwright: Sqlwright) -> None:
    assert sqlwright("generate").code == 0
    # As in a new project, without recorded proofs.
    checked = sqlwright("check", SQLWRIGHT_DATABASE_URL=f"docker:{image}", **NO_REAPER)
    assert (checked.code, checked.err) == (0, "")


def test_without_a_daemon_it_is_an_error_and_no_other_server_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(ServerUnavailable) as caught, postgres_server(tmp_path, {"SQLWRIGHT_DATABASE_URL": "docker:postgres:18"}):
        pass
    assert caught.value.diagnostic.message.startswith("SQLWRIGHT_DATABASE_URL names a container, but no Docker daemon responds")
    assert list(tmp_path.iterdir()) == []
