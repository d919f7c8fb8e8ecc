"""Whether a value is what an annotation of generated code says, all the way down and without any coercion."""

from __future__ import annotations

import types
from typing import Any, ForwardRef, NewType, Union, get_args, get_origin, get_type_hints

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range


def fits(value: Any, annotation: Any) -> bool:  # noqa: C901 - a case for each kind of annotation
    """Return whether the value is of the annotated type; `Any` fits nothing, since generated code may not promise it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    kind: Any = value.__class__
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
        return kind is list and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return kind is dict and all(fits(key, arguments[0]) and fits(item, arguments[1]) for key, item in value.items())
    if origin is tuple:
        return kind is tuple and len(value) == len(arguments) and all(fits(*pair) for pair in zip(value, arguments, strict=True))
    if origin is Range:
        return _is_range(value, arguments[0])
    if origin is Multirange:
        return kind is Multirange and all(_is_range(span, arguments[0]) for span in value)
    return kind is annotation and all(fits(getattr(value, name), field) for name, field in _fields(annotation).items())


def result_fits(function: Any, result: Any) -> bool:
    """Return whether what a generated function returned is what it promises; the rows of a stream are to be in a list."""
    annotation = get_type_hints(function)["return"]
    if getattr(get_origin(annotation), "__name__", "") == "Generator":
        return all(fits(row, get_args(annotation)[0]) for row in result)
    return fits(result, annotation)


def _is_range(value: Any, bound: Any) -> bool:
    bounds: list[Any] = [value.lower, value.upper] if value.__class__ is Range else [Range]
    return all(found is None or fits(found, bound) for found in bounds)


def _fields(annotation: Any) -> dict[str, Any]:
    """The fields of a generated row class; nothing for other classes."""
    if not annotation.__module__.startswith("typed_") or hasattr(annotation, "__members__"):
        return {}
    return {name: kind for name, kind in get_type_hints(annotation).items() if not name.startswith(("model_config", "__"))}


def _is_json(value: Any) -> bool:
    match value:
        case list():
            return all(_is_json(item) for item in value)  # pyright: ignore[reportUnknownVariableType] - what a match leaves of Any
        case dict():
            return all(isinstance(key, str) and _is_json(item) for key, item in value.items())  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value is None or type(value) in (str, int, float, bool)
