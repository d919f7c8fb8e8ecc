"""Comparison of JSON Schemas: what may change in a published version of an event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic import JsonValue

Schema: TypeAlias = dict[str, JsonValue]

_NOTES = {"title", "description", "examples"}


def incompatible_changes(published: Schema, now: Schema) -> list[str]:
    """Return the changes that break a program of either age: one that reads what the other has written.

    What may change is text for people, and members that are added and not required.
    """
    return list(_changes("", _resolved(published, published), _resolved(now, now)))


def _resolved(schema: JsonValue, root: dict[str, Any]) -> JsonValue:
    match schema:
        case dict():
            ref = schema.get("$ref")
            if isinstance(ref, str):
                own = {key: value for key, value in schema.items() if key != "$ref"}
                return _resolved({**root["$defs"][ref.rpartition("/")[2]], **own}, root)
            kept = {key: value for key, value in schema.items() if key not in _NOTES | {"$defs", "$id"}}
            members = kept.pop("properties", None)
            resolved = {key: _resolved(value, root) for key, value in kept.items()}
            if isinstance(members, dict):
                # By their names, of which one may be `title`.
                resolved["properties"] = {name: _resolved(member, root) for name, member in members.items()}
            return resolved
        case list():
            return [_resolved(each, root) for each in schema]
        case _:
            return schema


def _changes(path: str, old: JsonValue, new: JsonValue) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = old.get("properties"), new.get("properties")
        if isinstance(before, dict) and isinstance(after, dict):
            for name in before:
                if name in after:
                    yield from _changes(f"{path}/{name}", before[name], after[name])
                else:
                    yield f"{path}/{name} is removed"
            required, was_required = _required(new), _required(old)
            yield from (f"{path}/{name} is required now" for name in sorted(required - was_required))
            yield from (f"{path}/{name} is no longer required" for name in sorted(was_required - required))
            yield from _changes(path, _without_members(old), _without_members(new))
            return
        choices, new_choices = old.get("anyOf"), new.get("anyOf")
        if isinstance(choices, list) and isinstance(new_choices, list) and len(choices) == len(new_choices):
            for one, other in zip(choices, new_choices, strict=True):
                yield from _changes(path, one, other)
            return
    if old != new:
        yield f"{path or '/'} was {old}, and is {new}"


def _required(schema: Schema) -> set[str]:
    required = schema.get("required")
    return set(map(str, required)) if isinstance(required, list) else set()


def _without_members(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in {"properties", "required"}}
