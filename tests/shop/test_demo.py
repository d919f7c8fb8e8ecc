"""The demo, on real servers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from shop.demo import __main__ as demo
from sqlwright.postgres import embedded

pytestmark = [pytest.mark.long, pytest.mark.programs]

REPOSITORY = Path(__file__).parents[2]
# Nothing listens there, so a demo that used one of these servers, or read these settings, would fail.
ELSEWHERE = {
    **dict.fromkeys(("DATABASE_URL", "DATABASE_READ_URL", "SQLWRIGHT_DATABASE_URL"), "postgres://ada@127.0.0.1:1/shop"),
    "REDIS_URL": "redis://127.0.0.1:1",
    "NATS_URL": "nats://127.0.0.1:1",
    "SMTP_URL": "smtp://127.0.0.1:1",
    "SHOP_POOL_MAX_SIZE": "none",
}


@dataclass
class Ran:
    """The result of a run of the demo."""

    returncode: int
    stdout: str
    stderr: str


RunDemo: TypeAlias = Callable[[str | None], Ran]


@pytest.fixture
def run_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunDemo:
    """Run the demo in this process, which it leaves traced if it starts."""

    def run(database_url: str | None) -> Ran:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        if database_url is not None:
            monkeypatch.setenv("DATABASE_URL", database_url)
        capsys.readouterr()
        status = demo.main()
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


def without_ids(text: str) -> str:
    """The text without what differs between runs."""
    return re.sub(r"(?<=cursor=)\S+", "…", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", text))


@dataclass
class Made:
    """`make demo`, run twice in a folder while its development database runs, which `url` names."""

    runs: list[Ran]
    folder: Path
    url: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Made]:
    make, folder = shutil.which("make"), tmp_path_factory.mktemp("demo")
    assert make is not None
    for name in ("Makefile", "migrations", "queries", "sqlc.yaml"):
        (folder / name).symlink_to(REPOSITORY / name)
    sqlwright = [str(Path(sysconfig.get_path("scripts")) / "sqlwright"), "db"]
    own = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    # The development database runs, and is named by the environment, as docs/architecture.md has it.
    subprocess.run([*sqlwright, "up"], cwd=folder, env=own, check=True)
    try:
        url = subprocess.run([*sqlwright, "url"], cwd=folder, env=own, check=True, capture_output=True, text=True).stdout.strip()
        (folder / ".env").write_text("DATABASE_URL=postgres://ada@127.0.0.1:1/shop\n", encoding="utf-8")
        # The environment of this test is ready.
        command = [make, "demo", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.ready"]
        environment = os.environ | ELSEWHERE | {"DATABASE_URL": url, "PYTHONUTF8": "1"}
        done = [subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False) for _ in range(2)]
        yield Made([Ran(each.returncode, each.stdout, each.stderr) for each in done], folder, url)
    finally:
        subprocess.run([*sqlwright, "stop"], cwd=folder, env=own, check=True)


def test_the_demo_runs_on_an_empty_database_and_again_on_its_own_data(made: Made) -> None:
    meetings = ("201  Ada Lovelace, id <id>", "409  Ada Lovelace exists from an earlier run, id <id>")
    for orders, (ran, meeting) in enumerate(zip(made.runs, meetings, strict=True), start=1):
        assert (ran.returncode, ran.stderr) == (0, "")
        counted = "1 order" if orders == 1 else f"{orders} orders"
        story, _, trace = without_ids(ran.stdout).partition("▸ The trace of the order")
        for line in (
            f"POST /users  {meeting}",
            "POST /users  409  email-taken: the e-mail address ADA@EXAMPLE.ORG is taken",
            "POST /sessions  401  wrong-credentials: ",
            "POST /sessions  201  welcome, Ada; the access token is valid for 300 s",
            "POST /sessions/refresh  200  ",
            "PATCH /users/<id>  412  precondition-failed: ",
            "POST /orders  201  the same order <id>, replayed",
            "POST /orders/<id>/shipment  403  not-allowed: ",
            "POST /orders/<id>/shipment  200  shipped, 1309.70 EUR, version 3",
            "GET /users/<id>/orders?size=1  200  the newest order is the one from before",
            "Grace Hopper is a clerk now",
            "DELETE /sessions/current  204  Katherine Johnson is logged out",
            "nothing is pending; the consumers are sales, cache, sessions",
            "GET /orders?last_name=hop&status=placed&sort=largest&size=1&cursor=…  200  placed, 59.70 EUR, as before",
            f"GET /users/<id>/orders/totals  200  {counted}, {orders} shipped, {orders * 1309.70:.2f} EUR  (from PostgreSQL)",
            f"GET /users/<id>/orders/totals  200  {counted}, {orders} shipped, {orders * 1309.70:.2f} EUR  (from Redis)",
            "GET /users/<id>/profile  404  user-not-found: ",
            "GET /users/<id>  401  unauthenticated: ",
        ):
            assert f"  {line}" in story
        assert re.search(r" order\.ship by user:<id>: refused reason=NotAllowed$", story, re.MULTILINE)
        # Each of its requests, also those that were refused, as the command shows them.
        for request, times in (("", 1), ("/payment", 1), ("/shipment", 2), ("/cancellation", 1)):
            assert len(re.findall(rf"POST /orders{'/{order_id}' if request else ''}{request}  ", trace)) == times, request
        paid = trace[trace.index("POST /orders/{order_id}/payment") :]
        places = [
            paid.index(f"── {part}  ") for part in ("order.pay", "AddToOutbox", "publish OrderPaid", "process sales", "AddToDailySales")
        ]
        assert places == sorted(places)


def test_make_demo_uses_only_servers_of_its_own_and_leaves_a_running_one_alone(made: Made) -> None:
    assert [(ran.returncode, ran.stderr) for ran in made.runs] == [(0, "")] * 2
    with psycopg.connect(made.url) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert embedded.is_running(made.folder)
    assert not embedded.is_running(made.folder / ".sqlwright" / "demo")


def test_the_demo_refuses_an_invalid_url_without_quoting_it(run_demo: RunDemo) -> None:
    ran = run_demo("postgres://ada:s3cret@host:port/shop")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("shop.demo: DATABASE_URL: ")
    assert "s3cret" not in ran.stderr


def test_the_demo_requires_a_database_url(run_demo: RunDemo) -> None:
    ran = run_demo(None)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "shop.demo: DATABASE_URL is not set; set it to the database, as in postgres://user@host/shop\n"


def test_the_demo_requires_the_migrations(new_database: Callable[[str], str], run_demo: RunDemo) -> None:
    ran = run_demo(new_database("template1"))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        'shop.demo: the migrations are not applied (relation "users" does not exist)\n'
        "Check DATABASE_URL, and apply the migrations with `dbmate -d migrations up`.\n"
    )
