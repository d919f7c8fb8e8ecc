"""Fixtures for every test: real servers, started here from pip-installed binaries."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings

from tests.support.projects import Compiler
from tests.support.servers import MAJORS, ReadyCluster, Servers, make_folder, newest_server
from tests.support.sqlc import Recordings

# Seconds that a fixture takes at least to be among the slowest.
_LONG = 0.1


def pytest_configure(config: pytest.Config) -> None:
    # Nothing of what collection makes is garbage; `pytest_collection_finish` enables the collector again.
    gc.disable()
    # Typer builds the commands of a program anew for each of hundreds of invocations, which takes longer than most of them.
    patch = pytest.MonkeyPatch()
    patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
    config.add_cleanup(patch.undo)
    # How long an example takes depends on what else the machine does.
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
    # sqlc prepares its parser, which takes it a second, for each block that it reads at the same time.
    os.environ.setdefault("GOMAXPROCS", "1")
    # PostgreSQL refuses to run as root and then runs as another user, who must reach its data. pytest closes the folder that all of its
    # sessions share to all other users whenever one starts. And on a disk, tens of thousands of files take long to remove.
    if not config.option.basetemp:
        config.option.basetemp = str(make_folder("sqlwright-tests-"))
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    # One more than processors: tests wait for servers, programs and deadlines for a good part of their time.
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return processors + 1


def pytest_sessionstart(session: pytest.Session) -> None:
    # For each of thousands of tests a worker of xdist sends six messages, and the other side takes as long to read them. What
    # happened is in the report of the call, unless something failed, was printed or took long.
    for worker in session.config.pluginmanager.get_plugins():
        if type(worker).__name__ == "WorkerInteractor":
            worker.sendevent = functools.partial(_send_needed, worker.sendevent)


def _send_needed(send: Callable[..., None], name: str, **content: Any) -> None:
    if name not in {"logstart", "logfinish"} and not (name == "testreport" and _is_uneventful(content["data"])):
        send(name, **content)


def _is_uneventful(report: Mapping[str, Any]) -> bool:
    return report["when"] != "call" and report["outcome"] == "passed" and not report["sections"] and report["duration"] < _LONG


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="rewrite the expectations of the golden cases")
    parser.addoption("--postgres", type=int, choices=MAJORS, default=MAJORS[0], help="the version on which generated functions execute")


def pytest_collection_finish() -> None:
    # Thousands of tests and their modules live until the end: the collector need not visit them. It runs after 20,000 new objects instead
    # of 700, since it takes most of its time for those of a test that still runs.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One that began last would leave the other processors without work.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden expectations are to be rewritten."""
    return bool(request.config.getoption("--rewrite-golden"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of the session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def recordings(shared: Path) -> Recordings:
    """The answers of sqlc, those to all declared projects among them."""
    recordings = Recordings(shared / "sqlc")
    recordings.record_declared()
    return recordings


@pytest.fixture(scope="session")
def ready_cluster(shared: Path) -> ReadyCluster:
    """A data folder for embedded servers of a test's own."""
    return ReadyCluster(shared)


@pytest.fixture(scope="session")
def proof_server(ready_cluster: ReadyCluster) -> Iterator[str]:
    """The URL of a running PostgreSQL of the newest supported version."""
    project = make_folder("sqlwright-tests-")
    # PostgreSQL runs as another user where we are root.
    project.chmod(0o755)
    try:
        ready_cluster.copy_to(project)
        with newest_server(project) as url:
            yield url
    finally:
        shutil.rmtree(project, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(proof_server: str) -> Iterator[Servers]:
    """The servers of this test session, by major version."""
    with ExitStack() as stack:
        yield Servers(stack, proof_server)


@pytest.fixture(scope="session")
def compiler(proof_server: str, tmp_path_factory: pytest.TempPathFactory, recordings: Recordings) -> Iterator[Compiler]:
    """The compiler on the newest server."""
    path = list(sys.path)
    yield Compiler(proof_server, tmp_path_factory.mktemp("types"), recordings)
    sys.path[:] = path


@pytest.fixture(scope="session")
def debian_compiler(servers: Servers, tmp_path_factory: pytest.TempPathFactory, recordings: Recordings) -> Iterator[Compiler]:
    """The compiler on Debian's server, which has the extensions of PostgreSQL's contrib; skips where it is not installed."""
    path = list(sys.path)
    yield Compiler(servers.conninfo(15), tmp_path_factory.mktemp("types"), recordings)
    sys.path[:] = path
