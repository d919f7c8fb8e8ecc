"""The stream of a deployment, and its configuration, of which only the subjects and the retention are the service's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any, Final

from nats.js.api import StorageType, StreamInfo
from nats.js.errors import APIError, BadRequestError, NotFoundError

from shop.application.messaging.broker import BrokerMisconfigured, BrokerUnavailable
from shop.infrastructure.nats.connection import Config, NatsConnection, translated
from shop.infrastructure.nats.subjects import DEFAULT_STREAM, Subjects, covers

_log = logging.getLogger("shop.nats")

DUPLICATE_WINDOW: Final = 120.0
"""Seconds for which the broker deduplicates by message id. Later duplicates are handled by the inbox."""

# How often the stream's identity is checked: another process may have recreated it while the connection persisted.
_IDENTITY_KNOWN = 5.0
# "stream name already in use with a different configuration", "subjects overlap with an existing stream", "invalid stream configuration"
_NAME_IN_USE, _SUBJECTS_OVERLAP, _INVALID = 10058, 10065, 10052
_NANOSECONDS = 1_000_000_000
# Without these the service cannot work.
_NECESSARY: Final[Mapping[str, object]] = {"retention": "limits", "no_ack": False, "sealed": False}


class EventStream:
    """A stream that keeps messages for `keep`.

    A program that publishes or receives creates it if it does not exist, and adds the subjects if they are missing. It sets the retention
    once, when it starts: of two programs with different settings, the one that started later decides, and they do not undo each other's
    change all the time. Everything else is left as it is. Other programs change nothing.
    """

    def __init__(self, connection: NatsConnection, name: str, keep: timedelta) -> None:
        self.name = name
        self.subjects = Subjects(name)
        self._connection = connection
        self._keep = keep
        self._identity = ""
        self._known_until = 0.0
        self._ensuring = asyncio.Lock()
        self._has_set_retention = False

    async def ensure(self) -> str:
        """Create or change the stream if necessary, and return its identity. Raises `BrokerUnavailable` or `BrokerMisconfigured`."""
        async with self._ensuring:
            now = asyncio.get_running_loop().time()
            if not self._identity or self._known_until <= now:
                try:
                    with translated():
                        info = await self._ensured()
                except BrokerUnavailable as error:
                    await self._raise_lasting(error)
                    raise
                self._require_usable(info["config"])
                self._identity, self._known_until = identity_of(info), now + _IDENTITY_KNOWN
            return self._identity

    def forget(self) -> None:
        """Look for the stream again before its next use, since it seems to be gone."""
        self._identity = ""

    async def info(self, **details: object) -> Config | None:
        """Return what the broker says about the stream, None if there is no such stream. Raises `BrokerUnavailable`."""
        with translated():
            try:
                return await self._connection.api(f"STREAM.INFO.{self.name}", details)
            except NotFoundError:
                return None

    def missing(self) -> BrokerUnavailable:
        """Return the error of a program that needs the stream, and does not create it."""
        return BrokerUnavailable(f"there is no stream {self.name}: shop relay and shop consume create it")

    async def differences(self) -> Sequence[str]:
        """Return what is not as the settings have it. Raises `BrokerUnavailable`, or `BrokerMisconfigured` if no program can create it."""
        info = await self.info()
        if info is None:
            other = await self._holder()
            raise self.missing() if other is None else self._overlap(other)
        config = info["config"]
        self._require_usable(config)
        found = [
            f"{key} is {_shown(key, config.get(key))}, and {_shown(key, value)} at the next start of shop relay or shop consume"
            for key, value in self._changes(config, with_retention=True).items()
        ]
        if config.get("storage") != StorageType.FILE:
            found.append(f"storage is {config.get('storage')}: the messages are lost with the server's process")
        if config.get("duplicate_window", 0) < DUPLICATE_WINDOW * _NANOSECONDS:
            found.append(f"duplicate_window is less than {DUPLICATE_WINDOW:g} s: the stream may have more messages twice")
        return found

    async def _ensured(self) -> Config:
        info = await self.info()
        if info is None:
            try:
                info = await self._connection.api(f"STREAM.CREATE.{self.name}", self._wanted())
            except BadRequestError as error:
                if error.err_code != _NAME_IN_USE:
                    raise
                # Another program, with another retention, created it at the same time.
                info = await self._connection.api(f"STREAM.INFO.{self.name}")
            else:
                _log.info("the stream %s is created", self.name)
        changes = self._changes(info["config"], with_retention=not self._has_set_retention)
        if changes:
            before = info["config"]
            info = await self._connection.api(f"STREAM.UPDATE.{self.name}", before | changes)
            for key, value in changes.items():
                old, new = _shown(key, before.get(key)), _shown(key, value)
                _log.warning("the stream is changed: %s of %s is %s, and was %s", key, self.name, new, old)
        self._has_set_retention = True
        return info

    def _wanted(self) -> Config:
        return {
            "name": self.name,
            "subjects": [self.subjects.events],
            "retention": "limits",
            "storage": "file",
            "num_replicas": 1,
            "duplicate_window": int(DUPLICATE_WINDOW * _NANOSECONDS),
            "max_age": self._max_age,
        }

    @property
    def _max_age(self) -> int:
        return int(self._keep.total_seconds()) * _NANOSECONDS

    def _changes(self, config: Config, *, with_retention: bool) -> Config:
        changes: Config = {}
        events, subjects = self.subjects.events, list[str](config.get("subjects") or ())
        # The subjects of every stream before they followed from its name.
        former = Subjects(DEFAULT_STREAM).events
        if not any(covers(each, events) for each in subjects):
            kept = [] if subjects == [former] else [each for each in subjects if not covers(events, each)]
            changes["subjects"] = [*kept, events]
        if with_retention and config.get("max_age") != self._max_age:
            changes["max_age"] = self._max_age
        return changes

    def _require_usable(self, config: Config) -> None:
        wrong = [f"{key} is {config[key]}" for key, value in _NECESSARY.items() if config.get(key, value) != value]
        if wrong:
            raise BrokerMisconfigured(f"the stream {self.name} cannot be used: {' and '.join(wrong)}")

    async def _raise_lasting(self, error: BrokerUnavailable) -> None:
        cause = error.__cause__
        if isinstance(cause, APIError) and cause.err_code == _SUBJECTS_OVERLAP:
            raise self._overlap(await self._holder() or "another one") from error
        if isinstance(cause, BadRequestError) or (isinstance(cause, APIError) and cause.err_code == _INVALID):
            raise BrokerMisconfigured(f"NATS refuses the stream {self.name}: {cause.description}") from error

    async def _holder(self) -> str | None:
        """Return the name of another stream that holds the subjects."""
        with translated():
            names = (await self._connection.api("STREAM.NAMES", {"subject": self.subjects.events})).get("streams") or ()
        return next((name for name in names if name != self.name), None)

    def _overlap(self, other: str) -> BrokerMisconfigured:
        return BrokerMisconfigured(
            f"the subjects of the stream {self.name}, {self.subjects.events}, overlap with those of the stream {other}: "
            "remove them there, or name another stream in nats_stream"
        )


def identity_of(info: Config) -> str:
    """Return the name of a stream with its time of creation: a recreated stream of the same name holds nothing of the old one."""
    created = StreamInfo.from_response(deepcopy(info)).created
    return f"{info['config']['name']}@{'unknown' if created is None else created.isoformat()}"


def _shown(key: str, value: Any) -> str:
    if key == "max_age":
        return f"{(value or 0) / _NANOSECONDS / 86_400:g} days" if value else "unlimited"
    return ", ".join(value or ()) or "nothing"
