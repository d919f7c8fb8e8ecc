"""The contract of the events: published versions do not change, and an event of any version can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import pytest
from pydantic import BaseModel

from shop.application.messaging.catalogue import CATALOGUE
from shop.application.messaging.contracts import Catalogue, Contract, Current, NewerVersion, Outdated, UnreadableMessage
from shop.application.messaging.messages import Message, decode, encode
from shop.domain.events import AuthenticationFailed, Event, OrderCancelled, OrderPaid
from shop.domain.values import EmailAddress

from .events import EVENTS, ORDER, TOTAL, USER, message
from .schemas import incompatible_changes

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "events.md"
SCHEMAS = DOCS / "events"

# --- The published schemas ------------------------------------------------------------------------------------------------


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of the envelope and of all versions of all events, by the names of their files."""
    models: dict[str, type[BaseModel]] = {"Message.1.json": Message}
    for contract in CATALOGUE:
        models |= {f"{contract.name}.{number}.json": model for number, model in enumerate(contract.versions, start=1)}
    return {name: schema_of(name, model) for name, model in models.items()}


def schema_of(name: str, model: type[BaseModel]) -> dict[str, Any]:
    title, number, _ = name.split(".")
    # For validation: `mode="serialization"` requires members that have a default, which older messages lack.
    described = model.model_json_schema(mode="validation")
    if model is Message:
        described["properties"].pop("traceparent")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:shop:event:{title}:{number}",
        **described,
        "title": f"{title}, version {number}",
    }


@pytest.mark.parametrize("name", schemas())
def test_a_published_version_is_unchanged(name: str, *, rewrite_golden: bool) -> None:
    file, now = SCHEMAS / name, schemas()[name]
    if file.exists():
        broken = incompatible_changes(json.loads(file.read_text("utf-8")), now)
        assert not broken, f"{name} is published: make this a new version, and the old one outdated: {'; '.join(broken)}"
    text = f"{json.dumps(now, indent=2)}\n"
    if rewrite_golden:
        SCHEMAS.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert file.read_text("utf-8") == text, "run: pytest tests/shop/test_event_catalogue.py --rewrite-golden"


def test_a_published_version_is_not_withdrawn() -> None:
    assert {file.name for file in SCHEMAS.iterdir()} == set(schemas())


def test_every_event_of_the_domain_is_in_the_catalogue() -> None:
    assert [contract.event for contract in CATALOGUE] == list(get_args(Event))


PUBLISHED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "title": "Id"},
        "total": {"$ref": "#/$defs/Amount"},
        "refund": {"anyOf": [{"$ref": "#/$defs/Amount"}, {"type": "null"}]},
    },
    "required": ["id", "total"],
    "$defs": {
        "Amount": {"type": "object", "properties": {"minor": {"type": "integer"}, "currency": {"enum": ["EUR"]}}, "required": ["minor"]}
    },
}


def changed(**changes: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(PUBLISHED))
    copy["required"] = changes.pop("required", copy["required"])
    copy["$defs"]["Amount"]["properties"] |= changes.pop("amount", {})
    copy["properties"] |= changes
    return copy


@pytest.mark.parametrize("now", [changed(id={"type": "string", "title": "The id"}), changed(note={"type": "string"})])
def test_texts_and_optional_members_may_change(now: dict[str, Any]) -> None:
    assert incompatible_changes(PUBLISHED, now) == []


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (changed(id={"type": "integer"}), "/id was {'type': 'string'}, and is {'type': 'integer'}"),
        (changed(note={"type": "string"}, required=["id", "total", "note"]), "/note is required now"),
        (changed(required=["id"]), "/total is no longer required"),
        (changed(amount={"currency": {"enum": ["EUR", "SEK"]}}), "/total/currency was {'enum': ['EUR']}, and is {'enum': ['EUR', 'SEK']}"),
        (changed(refund={"$ref": "#/$defs/Amount"}), "/refund was"),
        ({**PUBLISHED, "properties": {}, "required": []}, "/id is removed"),
    ],
)
def test_any_other_change_is_refused(now: dict[str, Any], change: str) -> None:
    assert any(found.startswith(change) for found in incompatible_changes(PUBLISHED, now))


# --- Old versions ---------------------------------------------------------------------------------------------------------

# As they are stored in outboxes, streams and inboxes: never change these.
VERSION_1: dict[Event, Any] = {
    AuthenticationFailed(EmailAddress("Ada@Example.org")): {"email": {"text": "Ada@Example.org"}},
    OrderPaid(ORDER, USER, TOTAL): {"order_id": str(ORDER), "user_id": str(USER), "total": {"minor": 2500, "currency": "EUR"}},
    OrderCancelled(ORDER, USER, None): {"order_id": str(ORDER), "user_id": str(USER), "refund": None},
}


@pytest.mark.parametrize("event", VERSION_1, ids=lambda event: type(event).__name__)
def test_a_stored_event_of_version_1_is_read(event: Event) -> None:
    stored = message(event).model_dump(mode="json") | {"payload": VERSION_1[event]}
    # Events that were stored before there were versions.
    del stored["version"]
    assert decode(Message.model_validate_json(json.dumps(stored))) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_written_in_its_current_version_with_room_for_more(event: Event) -> None:
    encoded = encode(event)
    assert encoded.version == CATALOGUE.named(encoded.event_type).version
    assert isinstance(encoded.payload, dict)
    newer = message(event).model_copy(update={"payload": {**encoded.payload, "added": 1}})
    assert decode(newer) == event


def test_an_event_of_a_newer_version_is_not_read() -> None:
    with pytest.raises(NewerVersion, match="OrderPaid has version 2, and this program knows versions up to 1"):
        decode(message(OrderPaid(ORDER, USER, TOTAL)).model_copy(update={"version": 2}))


def test_an_address_that_is_none_is_not_quoted() -> None:
    failed = message(AuthenticationFailed(EmailAddress("ada@example.org"))).model_copy(update={"payload": {"email": "no address"}})
    with pytest.raises(UnreadableMessage, match=r"^AuthenticationFailed: email: Value error, e-mail address is not of the form"):
        decode(failed)


@dataclass(frozen=True)
class Renamed:
    """An event whose content has changed twice."""

    first: str
    last: str


class RenamedV1(Outdated):
    """One text."""

    name: str

    def upcast(self) -> RenamedV2:
        return RenamedV2(names=self.name.split(" "))


class RenamedV2(Outdated):
    """All names."""

    names: list[str]

    def upcast(self) -> RenamedV3:
        return RenamedV3(first=self.names[0], last=self.names[-1])


class RenamedV3(Current[Renamed]):
    """Two names."""

    first: str
    last: str

    @classmethod
    def of(cls, event: Renamed) -> Self:
        return cls(first=event.first, last=event.last)

    def event(self) -> Renamed:
        return Renamed(self.first, self.last)


@pytest.mark.parametrize(
    ("version", "payload"), [(1, {"name": "Ada King"}), (2, {"names": ["Ada", "King"]}), (3, {"first": "Ada", "last": "King"})]
)
def test_an_old_version_is_upcast_step_by_step(version: int, payload: Any) -> None:
    contract = Catalogue([Contract(Renamed, RenamedV3, (RenamedV1, RenamedV2))]).named("Renamed")
    assert contract.read(version, payload) == Renamed("Ada", "King")
    assert contract.write(Renamed("Ada", "King")) == {"first": "Ada", "last": "King"}


# --- The page -------------------------------------------------------------------------------------------------------------


def test_the_page_is_up_to_date(*, rewrite_golden: bool) -> None:
    text = "\n".join(page()) + "\n"
    if rewrite_golden:
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "run: pytest tests/shop/test_event_catalogue.py --rewrite-golden"


_INTRODUCTION = """# Events

The service publishes an event for each change of a user or an order, and for each verification of a password: `AuthenticationSucceeded`
for a login, `AuthenticationFailed` for a wrong password of a login or of a change of the password. Attempts that a limit refuses are in the
audit log only. The events of an aggregate arrive in the order of its changes. A new hash of the same password and a role that the user has
already are no changes, and that sessions were continued or ended is in the audit log and in the log only. An event may arrive more than
once: recognise it by its `id`. This page is generated from the
[catalogue](../src/shop/application/messaging/catalogue.py).

**An event of a version never changes**, except for optional members that are added: ignore those that you do not know. Any other change
is a new version, and the old ones stay on this page. [A test](../tests/shop/test_event_catalogue.py) compares the models with the
schemas of all published versions, and refuses everything else. The service itself reads all versions: an older one is converted to the
next, step by step, before it is handled.

The subject of a message is `shop.events.<partition>.<kind>.<type>`: `shop.events.*.order.OrderPaid` has all payments. With a setting
`nats_stream` other than `SHOP` it begins with `shop-<stream>` instead of `shop`, as in `shop-STAGING.events.3.order.OrderPaid`: each
deployment has a stream, and subjects, of its own. The events of an
aggregate have the same partition, from 0 to 15. The header `Nats-Msg-Id` has the id, and `traceparent` the trace, if there is one. The
body is JSON:
"""


def page() -> Iterator[str]:
    yield _INTRODUCTION
    yield from members(schemas()["Message.1.json"], "Message.1.json")
    for contract in CATALOGUE:
        name = f"{contract.name}.{contract.version}.json"
        schema = schemas()[name]
        yield f"## {contract.name}"
        yield ""
        yield schema["description"]
        yield ""
        yield from members(schema, name)
        if contract.outdated:
            links = [f"[version {number}](events/{contract.name}.{number}.json)" for number in range(1, contract.version)]
            yield f"Older ones, which are still read: {', '.join(links)}."
            yield ""


def members(schema: dict[str, Any], name: str) -> Iterator[str]:
    _, version, _ = name.split(".")
    yield f"Version {version}, [JSON Schema](events/{name}):"
    yield ""
    yield "| member | type | |"
    yield "|---|---|---|"
    yield from rows(schema, schema, "")
    yield ""


def rows(schema: dict[str, Any], root: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, member in schema["properties"].items():
        inner, suffix = member, ""
        if "anyOf" in member:
            inner, suffix = next(each for each in member["anyOf"] if each != {"type": "null"}), " or null"
        if "$ref" in inner:
            inner = root["$defs"][inner["$ref"].rpartition("/")[2]]
        kind = " or ".join(f"`{value}`" for value in inner["enum"]) if "enum" in inner else inner.get("format", inner.get("type", "any"))
        optional = "" if name in schema["required"] else " Optional."
        yield f"| `{prefix}{name}` | {kind}{suffix} | {member.get('description', '')}{optional} |"
        if "properties" in inner:
            yield from rows(inner, root, f"{prefix}{name}.")
