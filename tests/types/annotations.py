"""Whether a value is what an annotation of generated code says, all the way down and without any coercion."""

from __future__ import annotations

import types
import typing
from collections.abc import Generator
from typing import Any, ForwardRef, NewType, Union, get_args, get_origin, get_type_hints

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range


def fits(value: Any, annotation: Any) -> bool:
    """Tell whether the value is of the annotated type; `Any` fits nothing, since generated code may not promise it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is object:
        return True
    if annotation is None or annotation is types.NoneType:
        return value is None
    if isinstance(annotation, NewType):
        return fits(value, annotation.__supertype__)
    if isinstance(annotation, str | ForwardRef):
        return _is_json(value)
    if origin in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if origin is list:
        return type(value) is list and all(fits(item, arguments[0]) for item in typing.cast("list[Any]", value))
    if origin is dict:
        items = typing.cast("dict[Any, Any]", value)
        return type(value) is dict and all(fits(k, arguments[0]) and fits(v, arguments[1]) for k, v in items.items())
    if origin is tuple:
        if type(value) is not tuple or len(typing.cast("tuple[Any, ...]", value)) != len(arguments):
            return False
        return all(fits(*pair) for pair in zip(typing.cast("tuple[Any, ...]", value), arguments, strict=True))
    if origin is Range:
        return type(value) is Range and all(bound is None or fits(bound, arguments[0]) for bound in (value.lower, value.upper))
    if origin is Multirange:
        return type(value) is Multirange and all(fits(span, Range[arguments[0]]) for span in typing.cast("Multirange[Any]", value))
    if type(value) is not annotation:
        return False
    fields = _fields(annotation)
    return all(fits(getattr(value, name), kind) for name, kind in fields.items())


def result_fits(function: Any, result: Any) -> bool:
    """Tell whether what a generated function returned is what it promises; the rows of a stream are to be in a list."""
    annotation = get_type_hints(function)["return"]
    if get_origin(annotation) is Generator or getattr(get_origin(annotation), "__name__", "") == "Generator":
        return all(fits(row, get_args(annotation)[0]) for row in result)
    return fits(result, annotation)


def _fields(annotation: Any) -> dict[str, Any]:
    """The fields of a generated row class; nothing for other classes."""
    if not annotation.__module__.startswith("typed_") or not hasattr(annotation, "__annotations__") or hasattr(annotation, "__members__"):
        return {}
    return {name: kind for name, kind in get_type_hints(annotation).items() if not name.startswith(("model_config", "__"))}


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_json(item) for item in typing.cast("list[Any]", value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in typing.cast("dict[Any, Any]", value).items())
    return value is None or type(value) in (str, int, float, bool)
