"""The stream of a deployment: who creates and changes it, what is left as it is, and that deployments do not meet."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import nats as client
import psycopg
import pytest
from nats.aio.client import Client
from nats.js.errors import APIError
from typer.testing import CliRunner

from shop.application.context import Actor, Context
from shop.application.health import Unhealthy
from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable
from shop.application.messaging.interest import PARTITIONS, Interest
from shop.application.messaging.status import Status
from shop.bootstrap.service import Adapters, Shop, open_shop
from shop.bootstrap.settings import Settings
from shop.cli import app
from shop.domain.result import Ok
from shop.domain.users import Profile
from shop.domain.values import EmailAddress, Password, PersonName
from shop.infrastructure.nats.broker import NatsBroker, open_broker
from shop.infrastructure.nats.monitoring import require_storage
from shop.infrastructure.nats.subjects import Subjects, covers
from shop.local_servers import LocalServer, nats_server
from tests.support.disks import small_disk
from tests.support.waiting import wait_until

from .events import EVENTS, message
from .ports import CheapHasher, receive_all
from .web import KEYS

DAY = 86_400 * 1_000_000_000
# Of every kind: limits, texts, and what the client of NATS does not know or rounds.
BY_HAND = {
    "description": "by the administrator",
    "max_bytes": 10_000_000,
    "max_msgs": 5_000,
    "max_msgs_per_subject": 900,
    "discard": "new",
    "duplicate_window": 300_000_000_001,
    "allow_direct": True,
    "deny_purge": True,
    "compression": "s2",
    "consumer_limits": {"max_ack_pending": 700},
    "metadata": {"owner": "the administrator"},
}


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[LocalServer]:
    """A server of its own for each test, without streams."""
    with nats_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def connected(server: LocalServer) -> AsyncGenerator[Client]:
    connection = await client.connect(server.url)  # pyright: ignore[reportUnknownMemberType] nats-py types its arguments partially
    try:
        yield connection
    finally:
        await connection.close()


async def request(server: LocalServer, name: str, /, **body: object) -> dict[str, Any]:
    """Send a request to the API of JetStream, as an administrator does."""
    async with connected(server) as connection:
        answer: dict[str, Any] = json.loads((await connection.request(f"$JS.API.{name}", json.dumps(body).encode(), timeout=30)).data)
    if "error" in answer:
        raise APIError.from_error(answer["error"])
    return answer


async def config(server: LocalServer, stream: str = "SHOP") -> dict[str, Any]:
    found: dict[str, Any] = (await request(server, f"STREAM.INFO.{stream}"))["config"]
    return found


async def create(server: LocalServer, stream: str = "SHOP", /, **given: object) -> None:
    """Create a stream, as an administrator does."""
    await request(server, f"STREAM.CREATE.{stream}", name=stream, **{"subjects": ["shop.events.>"], "max_age": 90 * DAY, **given})


async def streams(server: LocalServer) -> list[str]:
    return (await request(server, "STREAM.NAMES"))["streams"] or []


async def read_all(broker: NatsBroker) -> None:
    """Use everything of the broker that programs use which only read, report and retire."""
    calls: Sequence[Callable[[], Awaitable[object]]] = (
        broker.differences,
        broker.extent,
        broker.waiting,
        lambda: broker.forget("invoices"),
        lambda: broker.listen(0.01),
        lambda: broker.announce(Status(name="relay", host="here", process=1)),
    )
    for call in calls:
        with suppress(BrokerUnavailable):
            await call()


# --- Who creates and changes it -----------------------------------------------------------------------------------------


async def test_what_only_reads_creates_no_stream(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url) as broker:
        await read_all(broker)
        assert await streams(own_nats) == []
        with pytest.raises(BrokerUnavailable, match="there is no stream SHOP: shop relay and shop consume create it"):
            await broker.waiting()


async def test_what_only_reads_changes_no_stream(own_nats: LocalServer) -> None:
    await create(own_nats, subjects=["elsewhere"])
    before = await config(own_nats)
    async with open_broker(own_nats.url) as broker:
        await read_all(broker)
    assert await config(own_nats) == before


@pytest.mark.parametrize("use", ["prepare", "publish", "receive"])
async def test_what_publishes_or_receives_creates_the_stream(own_nats: LocalServer, use: str) -> None:
    async with open_broker(own_nats.url, keep=timedelta(days=7)) as broker:
        await used(broker, use)
    created = await config(own_nats)
    assert (created["subjects"], created["max_age"], created["storage"]) == (["shop.events.>"], 7 * DAY, "file")


async def used(broker: NatsBroker, use: str) -> None:
    match use:
        case "prepare":
            await broker.prepare()
        case "publish":
            await broker.publish(message(EVENTS[0]))
        case _:
            await broker.subscribe("sales").next(0.01)


@pytest.mark.parametrize("use", ["prepare", "publish", "receive"])
async def test_the_retention_alone_is_changed_and_what_was_set_by_hand_stays(
    own_nats: LocalServer, use: str, caplog: pytest.LogCaptureFixture
) -> None:
    await create(own_nats, subjects=["audit.>", "shop.>"], **BY_HAND)
    before = await config(own_nats)
    assert BY_HAND.items() <= (before | {"metadata": BY_HAND["metadata"]}).items()
    async with open_broker(own_nats.url) as broker:
        await used(broker, use)
    assert await config(own_nats) == before | {"max_age": 30 * DAY}
    assert [record.getMessage() for record in caplog.records if record.name == "shop.nats" and record.levelno >= logging.WARNING] == [
        "the stream is changed: max_age of SHOP is 30 days, and was 90 days"
    ]


async def test_missing_subjects_are_added_to_those_that_were_set_by_hand(own_nats: LocalServer) -> None:
    await create(own_nats, subjects=["audit.>", "shop.events.3.>"])
    async with open_broker(own_nats.url) as broker:
        await broker.publish(message(EVENTS[0]))
    assert (await config(own_nats))["subjects"] == ["audit.>", "shop.events.>"]


async def test_programs_with_different_retentions_do_not_undo_each_other_s_change(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url, keep=timedelta(days=1)) as earlier, open_broker(own_nats.url, keep=timedelta(days=2)) as later:
        await earlier.prepare()
        await later.prepare()
        # As a new connection does, and the end of the time for which the stream is known.
        await earlier.close()
        earlier._stream.forget()  # pyright: ignore[reportPrivateUsage] only time would
        await earlier.publish(message(EVENTS[0]))
        assert (await config(own_nats))["max_age"] == 2 * DAY


async def test_what_was_set_by_hand_of_a_durable_consumer_stays(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url) as broker:
        subscription = broker.subscribe("sales", Interest(partition=3))
        await subscription.next(0.01)
        found = (await request(own_nats, "CONSUMER.INFO.SHOP.sales-3"))["config"]
        by_hand = found | {"description": "by the administrator", "max_waiting": 600, "ack_wait": 9_000_000_000}
        del by_hand["max_waiting"]
        await request(own_nats, "CONSUMER.DURABLE.CREATE.SHOP.sales-3", stream_name="SHOP", config=by_hand)
        await broker.subscribe("sales", Interest(partition=3)).next(0.01)
    after = (await request(own_nats, "CONSUMER.INFO.SHOP.sales-3"))["config"]
    assert after == found | {"description": "by the administrator"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_age": 90 * DAY}, "max_age is 90 days, and 30 days at the next start of shop relay or shop consume"),
        ({"max_age": 0}, "max_age is unlimited, and 30 days at"),
        ({"subjects": ["audit"]}, "subjects is audit, and audit, shop.events.> at"),
        ({"storage": "memory"}, "storage is memory"),
        ({"duplicate_window": 1_000_000_000}, "duplicate_window is less than 120 s"),
    ],
)
async def test_what_differs_from_the_settings_is_said(own_nats: LocalServer, given: dict[str, object], said: str) -> None:
    await create(own_nats, **{"max_age": 30 * DAY, "duplicate_window": 120_000_000_000, **given})
    async with open_broker(own_nats.url) as broker:
        [difference] = await broker.differences()
    assert difference.startswith(said)


# --- What no waiting cures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [{"retention": "workqueue"}, {"no_ack": True}, {"max_age": 3600 * 1_000_000_000, "duplicate_window": 3600 * 1_000_000_000}],
    ids=lambda given: next(iter(given)),
)
async def test_a_stream_that_cannot_be_used_is_a_lasting_mistake(own_nats: LocalServer, given: dict[str, object]) -> None:
    await create(own_nats, **given)
    async with open_broker(own_nats.url, keep=timedelta(minutes=30)) as broker:
        with pytest.raises(BrokerMisconfigured):
            await broker.prepare()


async def test_a_durable_consumer_that_cannot_be_used_is_a_lasting_mistake(own_nats: LocalServer) -> None:
    await create(own_nats)
    foreign = {"durable_name": "sales", "ack_policy": "none", "deliver_subject": "there"}
    await request(own_nats, "CONSUMER.DURABLE.CREATE.SHOP.sales", stream_name="SHOP", config=foreign)
    async with open_broker(own_nats.url) as broker:
        with pytest.raises(BrokerMisconfigured, match="NATS refuses the consumer sales: "):
            await broker.subscribe("sales").next(0.1)


OVERLAP = "the subjects of the stream SHOP, shop.events.>, overlap with those of the stream TAKEN"


def environment(server: LocalServer, database_url: str) -> dict[str, str]:
    keys = {f"SHOP_{name.upper()}": value for name, value in KEYS.items()}
    urls = {"DATABASE_URL": database_url, "NATS_URL": server.url, "NATS_MONITORING_URL": server.monitoring_url}
    return {**keys, "SHOP_CURSOR_KEYS": "k" * 32, **urls}


@pytest.mark.parametrize("command", [("relay",), ("relay", "--once"), ("consume", "sales")], ids=" ".join)
def test_overlapping_subjects_end_a_program_with_a_clear_error(own_nats: LocalServer, service_url: str, command: Sequence[str]) -> None:
    asyncio.run(create(own_nats, "TAKEN", subjects=["shop.>"]))
    result = CliRunner().invoke(app, ["--json", *command], env=environment(own_nats, service_url), prog_name="shop")
    problem = json.loads(result.stdout)
    assert (result.exit_code, problem["type"]) == (78, "urn:shop:problem:broker-misconfigured")
    assert problem["detail"].startswith(OVERLAP)


async def test_overlapping_subjects_that_appear_later_end_relay_and_consumers(own_nats: LocalServer, service_url: str) -> None:
    settings = Settings.model_validate({"database_url": service_url, "nats_url": own_nats.url})
    async with open_shop(settings, Adapters(passwords=CheapHasher())) as shop, asyncio.timeout(300):
        assert shop.relay is not None
        assert shop.consumers is not None
        assert shop.broker is not None
        await shop.broker.prepare()
        await request(own_nats, "STREAM.DELETE.SHOP")
        await create(own_nats, "TAKEN", subjects=["shop.>", "elsewhere"])
        with pytest.raises(BrokerMisconfigured, match="overlap"):
            await shop.consumers["sales"].run(asyncio.Event())
        await register(shop)
        with pytest.raises(BrokerMisconfigured, match="overlap"):
            await shop.relay.run(asyncio.Event())


def found_by_health(server: LocalServer, database_url: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["--json", "health"], env=environment(server, database_url), prog_name="shop")
    return {item["name"]: item for item in json.loads(result.stdout)["items"]}


def test_health_names_overlapping_subjects(own_nats: LocalServer, service_url: str) -> None:
    asyncio.run(create(own_nats, "TAKEN", subjects=["shop.>"]))
    found = found_by_health(own_nats, service_url)["nats"]
    assert (found["is_healthy"], found["detail"].startswith(OVERLAP)) == (False, True)


@pytest.mark.programs
def test_settings_by_hand_survive_starts_of_all_programs(own_nats: LocalServer, service_url: str) -> None:
    asyncio.run(create(own_nats, **BY_HAND))
    before = asyncio.run(config(own_nats))
    given = environment(own_nats, service_url)

    def call(*arguments: str) -> int:
        return CliRunner().invoke(app, list(arguments), env=given, prog_name="shop").exit_code

    shorter = ("--set", "message_retention_days=1")
    for reading in (("health",), ("consumers", "list"), ("consumers", "retire", "x"), ("dead",), ("users", "list"), ("prune",)):
        call(*shorter, *reading)
    with started(given, *shorter, "serve", "--port", "0") as serving:
        wait_until(lambda: "serving on" in serving.said, "the server does not start")
    assert asyncio.run(config(own_nats)) == before
    assert call("relay", "--once") == 0
    with started(given, "consume", "sales") as consuming:
        wait_until(lambda: "running" in consuming.said, "the consumer does not start")
        wait_until(lambda: asyncio.run(number_of_durables(own_nats)) == PARTITIONS, "the consumer does not subscribe")
    assert asyncio.run(config(own_nats)) == before | {"max_age": 30 * DAY}
    assert found_by_health(own_nats, service_url)["nats"]["is_healthy"]


async def number_of_durables(server: LocalServer) -> int:
    return int((await request(server, "STREAM.INFO.SHOP"))["state"]["consumer_count"])


class started:  # noqa: N801 used as a function
    """A program that runs until the end of the block."""

    def __init__(self, given: dict[str, str], *arguments: str) -> None:
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 closed at the end of the block
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-m", "shop.cli", *arguments],
            env=os.environ | given | {"SHOP_HTTP_DRAIN": "0"},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    @property
    def said(self) -> str:
        self._output.seek(0)
        return self._output.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(300)
        self._output.close()


# --- Deployments --------------------------------------------------------------------------------------------------------


async def register(shop: Shop) -> None:
    ada = Profile(PersonName("Ada", "Lovelace"), EmailAddress("ada@example.org"), None)
    assert isinstance(await shop.users.register(Context(Actor.admin("test"), "test"), ada, Password("correct horse")), Ok)


async def test_deployments_on_one_server_see_nothing_of_each_other(own_nats: LocalServer) -> None:
    sent = {name: message(EVENTS[0]) for name in ("SHOP", "SHOP_STAGING", "shop", "events", "_INBOX")}
    for name, each in sent.items():
        async with open_broker(own_nats.url, name) as broker:
            await broker.publish(each)
    for name, each in sent.items():
        async with open_broker(own_nats.url, name) as broker:
            assert await receive_all(broker.subscribe("sales"), 1) == [each]
            assert await broker.waiting() == {"sales": 0}


async def test_a_status_is_heard_in_its_deployment_alone(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url) as first, open_broker(own_nats.url, "OTHER") as second:
        listening = [asyncio.create_task(each.listen(0.5)) for each in (first, second)]
        while not all(each.done() for each in listening):
            for number, broker in enumerate((first, second)):
                await broker.announce(Status(name="relay", host="here", process=number))
        assert [[each.process for each in await heard] for heard in listening] == [[0], [1]]


def test_the_default_stream_keeps_its_subjects() -> None:
    subjects = Subjects("SHOP")
    assert (subjects.events, subjects.statuses, subjects.status("relay")) == ("shop.events.>", "shop.status.>", "shop.status.relay")


async def test_a_stream_with_the_subjects_of_every_stream_before_gets_its_own(own_nats: LocalServer) -> None:
    await create(own_nats, "STAGING")
    async with open_broker(own_nats.url, "STAGING") as staging, open_broker(own_nats.url) as default:
        await staging.prepare()
        await default.prepare()
    assert (await config(own_nats, "STAGING"))["subjects"] == ["shop-STAGING.events.>"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a*", "a>", "a/b", "a\\b", "ä", "a\n", "x" * 65])
def test_a_name_that_nats_does_not_accept_is_refused_with_the_settings(name: str) -> None:
    with pytest.raises(ValueError, match="nats_stream"):
        Settings.model_validate({"database_url": "postgres://h/d", "nats_stream": name})


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        (">", "a.b.>", True),
        ("a.>", "a.b.>", True),
        ("a.b.>", "a.b.>", True),
        ("*.b.>", "a.b.>", True),
        ("a.*.>", "a.b.>", True),
        ("a.b.*", "a.b.>", False),
        ("a.b", "a.b.>", False),
        ("a.b.c.>", "a.b.>", False),
        ("b.>", "a.b.>", False),
        ("a.b.>", "a.b", False),
        ("a.b.>", "a.b.c", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
    ],
)
def test_a_pattern_covers_what_it_matches(pattern: str, subject: str, expected: bool) -> None:
    assert covers(pattern, subject) is expected


# --- Consumers ----------------------------------------------------------------------------------------------------------


async def test_consumers_of_other_programs_are_listed_and_removed_by_their_whole_names(own_nats: LocalServer) -> None:
    foreign: dict[str, dict[str, object]] = {
        "report": {},
        "report-3": {},
        "report-4": {"filter_subject": "shop.events.5.>"},
        "notifications-2": {"filter_subject": "shop.events.2.>"},
        "sales": {"filter_subjects": ["shop.events.3.user.UserRegistered"]},
        "invoices-03": {},
        "-7": {},
    }
    async with open_broker(own_nats.url) as broker:
        for partition in (0, 3):
            await broker.subscribe("sales", Interest(frozenset({"OrderPaid"}), partition)).next(0.01)
            await broker.subscribe("gone", Interest(frozenset({"OrderPaid", "OrderPlaced"}), partition), is_ordered=False).next(0.01)
        for durable, given in foreign.items():
            config = {"durable_name": durable, "ack_policy": "explicit", **given}
            await request(own_nats, f"CONSUMER.DURABLE.CREATE.SHOP.{durable}", stream_name="SHOP", config=config)
        listed = sorted(await broker.waiting())
        assert listed == sorted([*(set(foreign) - {"sales"}), "gone", "sales", "sales (whole)"])
        removed = {name: await broker.forget(name) for name in reversed(listed)}
        assert removed == dict.fromkeys(listed, 1) | {"gone": 2, "sales": 2}
        assert await broker.waiting() == {}


async def test_messages_of_a_consumer_of_another_program_are_not_counted_as_ours(own_nats: LocalServer) -> None:
    async with open_broker(own_nats.url) as broker:
        await broker.publish(message(EVENTS[0]))
        config = {"durable_name": "notifications-2", "ack_policy": "explicit"}
        await request(own_nats, "CONSUMER.DURABLE.CREATE.SHOP.notifications-2", stream_name="SHOP", config=config)
        assert await broker.waiting() == {"notifications-2": 1}


# --- Storage ------------------------------------------------------------------------------------------------------------


async def test_a_full_store_is_reported(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        server.stop()
        (tmp_path / "nats.conf").write_text('jetstream { sync_interval: "always", max_file_store: 100KB }\n')
        server.start()
        await require_storage(server.monitoring_url)
        async with open_broker(server.url) as broker:
            large = message(EVENTS[0]).model_copy(update={"payload": "x" * 200_000})
            await broker.publish(large)
        with pytest.raises(Unhealthy, match="the store is full"):
            await require_storage(server.monitoring_url)


async def test_a_server_that_stores_nothing_after_its_disk_was_full_is_reported_until_it_is_restarted(tmp_path: Path) -> None:
    with small_disk(tmp_path, "4m") as disk, nats_server(disk) as server:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(disk).free - 200_000))
        async with open_broker(server.url, answer_within=1) as broker:
            await broker.prepare()
            await require_storage(server.monitoring_url)
            for number in range(3):
                large = message(EVENTS[number]).model_copy(update={"payload": "x" * 100_000})
                with suppress(BrokerUnavailable):
                    await broker.publish(large)
        ballast.unlink()
        with pytest.raises(Unhealthy, match="stores nothing until it is restarted"):
            await require_storage(server.monitoring_url)
        server.stop()
        server.start()
        await require_storage(server.monitoring_url)


def test_health_reports_a_stream_that_differs(own_nats: LocalServer, service_url: str) -> None:
    asyncio.run(create(own_nats))
    found = found_by_health(own_nats, service_url)["nats"]
    assert not found["is_healthy"]
    assert "the stream differs from the settings: max_age is 90 days" in found["detail"]


async def test_the_database_s_events_of_a_deployment_are_published_to_its_stream_alone(
    own_nats: LocalServer, new_database: Callable[[str], str], database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        name = conn.info.dbname
    urls = {"SHOP": database_url, "STAGING": new_database(name)}
    for stream, url in urls.items():
        settings = Settings.model_validate({"database_url": url, "nats_url": own_nats.url, "nats_stream": stream})
        async with open_shop(settings, Adapters(passwords=CheapHasher())) as shop:
            await register(shop)
            assert shop.relay is not None
            assert await shop.relay.run_until_empty() == 1
    counts = [(await request(own_nats, f"STREAM.INFO.{stream}"))["state"]["messages"] for stream in urls]
    assert counts == [1, 1]
