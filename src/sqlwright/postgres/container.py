"""PostgreSQL in a container, through testcontainers: for schemas that need extensions the embedded server lacks."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager

_PORT = 5432
_USER = "postgres"


class ContainerUnavailable(Exception):
    """The container cannot be run; `args[0]` says what happened, `fix` how to fix it."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@contextmanager
def running(image: str) -> Generator[str]:
    """Run a container of the image for the length of the block and yield the URL of its database `postgres`, password included.

    A missing image is pulled. It must accept what the official `postgres` image does: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB in
    its environment, and the server's options as its command.

    Raises:
        ContainerUnavailable: testcontainers is not installed, no Docker daemon responds, there is no such image, or its server does not
            start.
    """
    try:
        from docker.errors import DockerException
        from testcontainers.community.postgres import PostgresContainer
    except ModuleNotFoundError as error:
        raise ContainerUnavailable(f"{error.name} is not installed", "pip install 'sqlwright[docker]'") from None
    password = secrets.token_hex(16)
    try:
        container = PostgresContainer(image, port=_PORT, username=_USER, password=password, dbname="postgres", driver=None)
    except DockerException as error:
        raise ContainerUnavailable(f"no Docker daemon responds: {_first_line(error)}", "start it, or set DOCKER_HOST") from None
    # Its data does not outlive the block, so nothing has to wait for the disk.
    container.with_command("postgres -c fsync=off")
    try:
        try:
            container.start()
            host, port = container.get_container_host_ip(), container.get_exposed_port(_PORT)
        except (DockerException, TimeoutError) as error:
            raise ContainerUnavailable(f"cannot run a container of {image}: {_first_line(error)}", f"try docker run --rm {image}") from None
        yield f"postgres://{_USER}:{password}@{host}:{port}/postgres?sslmode=disable"
    finally:
        container.stop()
        container.get_docker_client().client.close()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
