"""Every read of data of others leaves an entry in the audit log, and so does every one that is refused: all routes and all commands."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from typer.main import get_command
from typer.testing import CliRunner

import shop.cli
import shop.web
from shop.domain.users import Role

from .web import PASSWORD, open_web, problem

# What everybody may know, or nobody in particular is named in.
PUBLIC_READS = {"public_profile", "standing", "count_users"}
PUBLIC_ROUTES = {"/livez", "/readyz", "/metrics", "/.well-known/jwks.json", "/users/{user_id}/profile"}

# The arguments of each command that reads data of users.
READING = {
    "users show": "{user}",
    "users find": "",
    "users list": "",
    "users search": "ada",
    "roles list": "",
    "orders show": "{order}",
    "orders history": "{user}",
    "orders find": "",
    "orders summary": "{user}",
    "orders sales": "",
    "sessions list": "{user}",
    "audit": "",
    "dead": "",
    "dead show": "sales {message}",
    "trace": "{order}",
}
OTHERS = {
    "writes": {
        *("users register", "users login", "users update", "users password", "users delete", "users erase", "users import", "roles grant"),
        *("roles revoke", "sessions end", "orders place", "orders pay", "orders ship", "orders cancel", "dead replay", "dead discard"),
        *("outbox republish", "projections rebuild", "seed", "prune", "relay", "consume", "serve", "database grant", "database maintain"),
        "consumers retire",
    },
    "shows nobody in particular": {"users count", "users profile", "config show", "health", "status", "consumers list"},
}


@pytest.fixture
def log(database_url: str) -> Iterator[Connection[Any]]:
    """A connection to what the audit log is in."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


def entries(log: Connection[Any], after: int = 0) -> list[tuple[int, str, str]]:
    return log.execute("SELECT id, actor, outcome::text FROM audit_log WHERE id > %s ORDER BY id", [after]).fetchall()


def test_the_adapters_read_only_what_is_public_without_asking() -> None:
    folders = [Path(str(package.__file__)).parent for package in (shop.cli, shop.web)]
    found = {name for folder in folders for file in folder.rglob("*.py") for name in re.findall(r"\bshop\.reads\.(\w+)", file.read_text())}
    assert found <= PUBLIC_READS


async def test_every_route_records_reads_of_others_and_refusals_and_no_own_ones(database_url: str, log: Connection[Any]) -> None:
    async with open_web(database_url) as web:
        ada, root, mallory = await web.person(), await web.person(Role.ADMIN), await web.person()
        order = (await ada.order())["id"]
        routes = {path for path, operations in web.app.openapi()["paths"].items() if "get" in operations} - PUBLIC_ROUTES
        assert len(routes) >= 8
        for route in sorted(routes):
            path = route.format(user_id=ada.id, order_id=order)
            for person in (ada, root, mallory):
                before = entries(log)[-1][0]
                answer = await person("GET", path)
                new = [(actor, outcome) for _, actor, outcome in entries(log, before)]
                if person is ada and answer.status_code == 200:
                    assert new == [], route
                else:
                    outcome = "done" if person is root else "refused"
                    assert new == [(f"user:{person.id}", outcome)], route
                    assert (answer.status_code == 200) is (person is root), route
        # Neither a status nor a time says whether there is such an order.
        for operation in ("", "/payment", "/shipment", "/cancellation"):
            method = "POST" if operation else "GET"
            for order_id in (order, uuid.uuid4()):
                before = entries(log)[-1][0]
                assert problem(await mallory(method, f"/orders/{order_id}{operation}")) == (404, "order-not-found")
                # To write the entry takes most of the time.
                assert [entry[1:] for entry in entries(log, before)] == [(f"user:{mallory.id}", "refused")]


def test_every_command_that_reads_data_of_users_is_recorded(service_url: str, redis_url: str, log: Connection[Any]) -> None:
    environment = {"DATABASE_URL": service_url, "REDIS_URL": redis_url, "SHOP_PASSWORD_MEMORY_KIB": "8", "SHOP_PASSWORD_LANES": "1"}

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(shop.cli.app, ["--json", *arguments], input=f"{PASSWORD}\n", env=environment, prog_name="shop")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.stdout

    named = {" ".join(path) for path in commands(get_command(shop.cli.app))}
    assert named == READING.keys() | OTHERS["writes"] | OTHERS["shows nobody in particular"], "sort the command into its set"
    registered = run("users", "register", "--first", "Ada", "--last", "L", "--email", "ada@example.org", "--password-stdin")
    user = re.findall(r'"id": "([^"]+)"', registered)[0]
    order = re.findall(r'"id": "([^"]+)"', run("orders", "place", user, "--line", "MUG:Mug:1:1 EUR"))[0]
    for name, arguments in READING.items():
        before = entries(log)[-1][0]
        run(*name.split(), *arguments.format(user=user, order=order, message=uuid.uuid4()).split())
        new = entries(log, before)
        assert new, name
        assert {(actor.split(":")[0], outcome) for _, actor, outcome in new} == {("admin", "done")}, name


def commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Return the paths of all commands below this one, and of this one if it does something by itself."""
    command = getattr(command, "loaded", command)
    if not hasattr(command, "commands"):
        yield path
        return
    if path and command.invoke_without_command:
        yield path
    for name, each in command.commands.items():
        yield from commands(each, *path, name)
