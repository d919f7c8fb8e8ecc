"""The subjects of a deployment, which follow from the name of its stream."""

from __future__ import annotations

from typing import Final

from shop.application.messaging.interest import Interest, kind_of, partition_of
from shop.application.messaging.messages import Message

DEFAULT_STREAM: Final = "SHOP"
_DEFAULT_PREFIX: Final = "shop"


class Subjects:
    """The subjects of the deployment whose stream has this name. Deployments with different streams have no subject in common."""

    def __init__(self, stream: str) -> None:
        # Never the prefix of another stream, whatever its name is, and none that NATS uses, such as _INBOX.
        self._prefix = _DEFAULT_PREFIX if stream == DEFAULT_STREAM else f"{_DEFAULT_PREFIX}-{stream}"

    @property
    def events(self) -> str:
        """All events: `<prefix>.events.<partition>.<kind of aggregate>.<type of event>`."""
        return f"{self._prefix}.events.>"

    @property
    def statuses(self) -> str:
        """All status messages."""
        return f"{self._prefix}.status.>"

    def status(self, name: str) -> str:
        """Return the subject of the status messages with this name."""
        return f"{self._prefix}.status.{name}"

    def event(self, message: Message) -> str:
        """Return the subject of an event."""
        kind, _, _ = message.aggregate.partition(":")
        return f"{self._prefix}.events.{partition_of(message.aggregate)}.{kind}.{message.event_type}"

    def partition(self, number: int | str) -> str:
        """Return the beginning of the subjects of a partition."""
        return f"{self._prefix}.events.{number}."

    def interest(self, interest: Interest) -> list[str]:
        """Return the subjects of an interest."""
        if interest.types is None:
            return [self.events if interest.partition is None else f"{self.partition(interest.partition)}>"]
        beginning = self.partition("*" if interest.partition is None else interest.partition)
        # With its kind: nats-py cannot parse every subject that the broker accepts.
        return [f"{beginning}{kind_of(event_type) or '*'}.{event_type}" for event_type in sorted(interest.types)]


def covers(pattern: str, subject: str) -> bool:
    """Return whether every subject that matches `subject` matches `pattern`."""
    wide, narrow = pattern.split("."), subject.split(".")
    for place, name in enumerate(wide):
        if place >= len(narrow):
            return False
        if name == ">":
            return True
        if narrow[place] == ">" or name not in {"*", narrow[place]}:
            return False
    return len(narrow) == len(wide)
