"""What the contract of an event is: its versions, each with a model of its content, and the way from an old version to the latest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

E = TypeVar("E")


class UnreadableMessage(Exception):
    """The content of a message does not match its type and version, or no such type is in the catalogue."""


class NewerVersion(Exception):
    """The message has a version that this program does not know yet."""


class WireModel(BaseModel):
    """The content of one version of an event, as JSON. Unknown members are ignored: a newer program may have added optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Outdated(WireModel, ABC):
    """A version that is no longer written, but may still be stored."""

    @abstractmethod
    def upcast(self) -> WireModel:
        """Return the same event in the next version."""


class Current(WireModel, ABC, Generic[E]):
    """The version that is written."""

    @classmethod
    @abstractmethod
    def of(cls, event: E) -> Self:
        """Return the content of an event."""

    @abstractmethod
    def event(self) -> E:
        """Return the event."""


@dataclass(frozen=True, slots=True)
class Contract:
    """All versions of an event, from 1 on: the outdated ones in their order, and the current one."""

    event: type[object]
    current: type[Current[Any]]
    outdated: tuple[type[Outdated], ...] = ()

    @property
    def name(self) -> str:
        """The type of the event, as messages name it."""
        return self.event.__name__

    @property
    def version(self) -> int:
        """The number of the current version."""
        return len(self.outdated) + 1

    @property
    def versions(self) -> tuple[type[WireModel], ...]:
        """The models of all versions, from 1 on."""
        return (*self.outdated, self.current)

    def write(self, event: object) -> JsonValue:
        """Return the content of an event in the current version."""
        content: JsonValue = self.current.of(event).model_dump(mode="json")
        return content

    def read(self, version: int, payload: JsonValue) -> Any:
        """Return the event of a content, which is upcast version by version.

        Raises:
            NewerVersion: this program does not know the version.
            UnreadableMessage: the content does not match the version.
        """
        if version > self.version:
            raise NewerVersion(f"{self.name} has version {version}, and this program knows versions up to {self.version}")
        try:
            content = self.versions[version - 1].model_validate(payload)
            while isinstance(content, Outdated):
                content = content.upcast()
            if not isinstance(content, self.current):
                raise TypeError(f"version {version} of {self.name} is not upcast to {self.current.__name__}")
            event: Any = content.event()  # pyright: ignore[reportUnknownVariableType] of any type
        except ValidationError as error:
            # Not its text, which quotes the content.
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
            raise UnreadableMessage(f"{self.name}: {wrong}") from None
        return event  # pyright: ignore[reportUnknownVariableType] as above


class Catalogue:
    """The contracts of all events."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._contracts = {contract.name: contract for contract in contracts}

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._contracts.values())

    def of(self, event: object) -> Contract:
        """Return the contract of an event."""
        return self._contracts[type(event).__name__]

    def named(self, event_type: str) -> Contract:
        """Return the contract of a type. Raises `UnreadableMessage`."""
        contract = self._contracts.get(event_type)
        if contract is None:
            raise UnreadableMessage(f"unknown event type {event_type}")
        return contract
