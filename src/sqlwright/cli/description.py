"""The proven package as JSON: the keys are the fields of `ir`, and where a field is a union of classes, `kind` says which.

The exceptions: a query's `source` is only its file and line, and a `place` is one in that file.
"""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from types import UnionType
from typing import Any, cast, get_args

from sqlwright import ir
from sqlwright.sql.sources import PlaceInQuery, QuerySource

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


def describe(value: object) -> Any:
    """Convert a value of the intermediate representation into one that `json` can write."""
    if isinstance(value, QuerySource):
        return {"file": value.file, "line": value.line}
    if isinstance(value, PlaceInQuery):
        return describe(value.in_file())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = {"kind": _KINDS[type(value)]} if type(value) in _KINDS else {}
        return kind | {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [describe(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str(value)
    return value


def _classes(union: UnionType) -> set[type]:
    return set(get_args(union))


_KINDS = {cls: _WORD_START.sub("_", cls.__name__).lower() for cls in _classes(ir.Type) | _classes(ir.Result) | _classes(ir.Shape)}
