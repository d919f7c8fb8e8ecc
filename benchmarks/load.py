"""`python -m benchmarks.load`: the service under load, over HTTP, by clients that send their next request when the last one is answered."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import httpx
import typer

from benchmarks.record import replaced, table
from benchmarks.report import seconds as readable
from shop.local_servers import redis_server
from sqlwright.postgres import embedded

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"
_BIN = Path(sys.executable).parent
_SERVING = re.compile(r"serving on (\S+);")
_PASSWORD = "correct horse"  # noqa: S105 of users of the measurement alone
_LINE = {"sku": "BOOK-1", "title": "A book", "quantity": 2, "unit_price": {"minor": 1250, "currency": "EUR"}}
# The limits protect the service from what this does.
_UNLIMITED = {"SHOP_HTTP_RATE_LIMIT": "1000000", "SHOP_HTTP_LOGIN_LIMIT": "1000000", "SHOP_HTTP_DRAIN": "0"}


class Refused(Exception):
    """A request was not answered as expected."""


@dataclass(frozen=True, slots=True)
class Load:
    """The number of clients, and for how many seconds they send requests of one kind."""

    clients: int = 16
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """The times of the requests of one kind, the time in which they were answered, and the server's processor time for all of them."""

    operation: str
    latencies: tuple[float, ...]
    elapsed: float
    processor_time: float

    def percentile(self, percent: int) -> float:
        """Return the time in which so many percent of the requests were answered."""
        return sorted(self.latencies)[min(len(self.latencies) - 1, len(self.latencies) * percent // 100)]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.elapsed


@dataclass(frozen=True, slots=True)
class Server:
    """A running `shop serve`."""

    process: subprocess.Popen[str]
    url: str

    def processor_time(self) -> float:
        """Return the seconds of processor time that the process has used (Linux)."""
        return processor_time(self.process.pid)


def processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has used (Linux)."""
    user, system = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(environment: Mapping[str, str]) -> Generator[Server]:
    """Run `shop serve` until the end of the block. Raises `Refused` if it does not start."""
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "shop.cli", "serve", "--port", "0"],
        env={**os.environ, **_UNLIMITED, **environment},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield Server(process, f"http://{_address(process)}")
    finally:
        process.terminate()
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    lines = list[str]()
    for line in process.stderr or ():
        if (found := _SERVING.search(line)) is not None:
            return found[1]
        lines.append(line)
    raise Refused(f"shop serve does not start:\n{''.join(lines)}")


@dataclass
class Person:
    """A user who has logged in, with a connection."""

    http: httpx.AsyncClient
    email: str
    id: str = ""
    clerk: str = ""

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Send a request, and return the answer's content. Raises `Refused`."""
        answer = await self.http.request(method, path, json=body, headers=headers)
        if not answer.is_success:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    async def register(self) -> None:
        """Register."""
        name = {"first_name": "Load", "last_name": "Tester"}
        self.id = (await self.send("POST", "/users", {**name, "email": self.email, "password": _PASSWORD}))["id"]

    async def log_in(self) -> None:
        """Log in."""
        tokens = await self.send("POST", "/sessions", {"email": self.email, "password": _PASSWORD})
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def order(self) -> None:
        """Place an order under a key."""
        await self.send("POST", "/orders", {"user_id": self.id, "lines": [_LINE]}, **{"Idempotency-Key": uuid.uuid4().hex})

    async def read_profile(self) -> None:
        """Read the public profile, which is cached."""
        await self.send("GET", f"/users/{self.id}/profile")

    async def read_user(self) -> None:
        """Read the own data."""
        await self.send("GET", f"/users/{self.id}")

    async def search(self) -> None:
        """Search the placed orders of customers by their names, 20 of them, as a clerk."""
        await self.send("GET", "/orders?status=placed&last_name=t&size=20", Authorization=self.clerk)


Operation: TypeAlias = Callable[[Person], Awaitable[None]]

OPERATIONS: Mapping[str, Operation] = {
    "sign in": Person.log_in,
    "place an order, with `Idempotency-Key`": Person.order,
    "search orders, 20 of a page": Person.search,
    "read one's own data": Person.read_user,
    "read a public profile, cached": Person.read_profile,
}


async def measure(server: Server, load: Load, grant: Callable[[str], None]) -> list[Measured]:
    """Measure each operation. `grant` makes a user a clerk."""
    people = [Person(httpx.AsyncClient(base_url=server.url, timeout=60), f"{uuid.uuid4().hex}@example.org") for _ in range(load.clients)]
    try:
        for person in people:
            await person.register()
        for person in people:
            await person.log_in()
        grant(people[0].id)
        for person in people:
            person.clerk = people[0].http.headers["Authorization"]
        return [await _measure(server, people, load, name, operation) for name, operation in OPERATIONS.items()]
    finally:
        for person in people:
            await person.http.aclose()


async def _measure(server: Server, people: list[Person], load: Load, name: str, operation: Operation) -> Measured:
    latencies = list[float]()
    # Statements are prepared, and connections are open.
    await asyncio.gather(*(operation(person) for person in people))
    used, began = server.processor_time(), time.perf_counter()
    until = began + load.seconds

    async def client(person: Person) -> None:
        while (sent := time.perf_counter()) < until:
            await operation(person)
            latencies.append(time.perf_counter() - sent)

    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(client(person))
    return Measured(name, tuple(latencies), time.perf_counter() - began, server.processor_time() - used)


def as_table(found: list[Measured], load: Load) -> str:
    """Return the results as a table."""
    rows = [["operation", "clients", "requests a second", "p50", "p99", "processor time of the server for each"]]
    for one in found:
        each = readable(one.processor_time / len(one.latencies))
        rows.append([one.operation, str(load.clients), f"{one.rate:.0f}", readable(one.percentile(50)), readable(one.percentile(99)), each])
    return table(rows)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    clients: Annotated[int, typer.Option(min=1, max=200, help="Concurrent clients.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds for each operation.")] = 5.0,
    users: Annotated[int, typer.Option(min=0, max=100_000, help="Users in the database, with their orders.")] = 10_000,
    note: Annotated[str, typer.Option(help="The state of the machine, for the page.")] = "",
    is_recorded: Annotated[bool, typer.Option("--record", help="Write the table into docs/operations.md.")] = False,
) -> None:
    """Start PostgreSQL, Redis and `shop serve`, and measure the operations one after the other."""
    load = Load(clients, seconds)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="shop-load-") as name, servers(Path(name)) as environment:
        run_shop(environment, "seed", str(users))
        with serving(environment) as server:
            found = asyncio.run(measure(server, load, lambda user: run_shop(environment, "roles", "grant", user, "clerk")))
    where = setting(f"{users:,} users with their orders", f"{seconds:g} s for each operation", load=before, note=note)
    text = f"{as_table(found, load)}\n{where}"
    typer.echo(text, nl=False)
    if is_recorded:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), {"load": text}), encoding="utf-8")


def setting(*about: str, load: float, note: str) -> str:
    """Return the sentence under a table: where it was measured, with what, and at which load of the machine."""
    where = [f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"]
    return f"Measured with {'; '.join([*where, *about, f'a load of {load:.1f} before', *([note] if note else [])])}.\n"


@contextmanager
def servers(folder: Path) -> Generator[dict[str, str]]:
    """Run PostgreSQL, with all migrations applied, and Redis until the end of the block, and return the variables that name them."""
    with embedded.running(folder), redis_server(folder) as redis:
        url = embedded.url(folder, "shop")
        migrations = ["--no-dump-schema", "--migrations-dir", str(ROOT / "migrations")]
        subprocess.run([_BIN / "dbmate", *migrations, "--url", url, "up"], check=True, capture_output=True)
        yield {"DATABASE_URL": url, "REDIS_URL": redis.url}


def run_shop(environment: Mapping[str, str], *arguments: str) -> None:
    """Run a command of `shop` to its end. Raises `CalledProcessError`."""
    subprocess.run([sys.executable, "-m", "shop.cli", *arguments], env={**os.environ, **environment}, check=True, capture_output=True)


if __name__ == "__main__":
    app()
