"""The plugin's options (`options:` of the codegen entry in sqlc.yaml), strictly checked."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from pydantic_core import ErrorDetails

from sqlwright.diagnostics import CompileError, Diagnostic, Place


class Clients(StrEnum):
    """Which functions are generated. With `both`, sync functions are at the package's root and async ones in its `aio` subpackage."""

    SYNC = "sync"
    ASYNC = "async"
    BOTH = "both"


def _import_name(value: str) -> str:
    if not all(part.isidentifier() for part in value.split(".")):
        msg = "must be an import name such as shop_db"
        raise ValueError(msg)
    return value


class Options(BaseModel):
    """Options of one generated package.

    `package` is the name that the package is imported by, by default the last part of `out`; `clients` chooses sync or async
    functions, or both; with `strict_one`, a `:one` query that is not proven to return at most one row is an error and not a warning.
    Queries with more parameters than `query_parameter_limit` take them as one object; 0 stands for all that have parameters.

    `emit_sync_querier` and `emit_async_querier` are sqlc-gen-python's: they add its classes to each module. Where `clients` is not given it
    follows from them, and `query_parameter_limit` is 4 then, as there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: Annotated[str, AfterValidator(_import_name)] = ""
    clients: Clients = Clients.SYNC
    strict_one: StrictBool = False
    query_parameter_limit: Annotated[StrictInt, Field(ge=0)] | None = None
    emit_sync_querier: StrictBool = False
    emit_async_querier: StrictBool = False


_ACCEPTED = {
    "package": 'an import name such as "shop_db"',
    "clients": ", ".join(Clients),
    "strict_one": "true, false",
    "query_parameter_limit": "a whole number, 0 or more",
    "emit_sync_querier": "true, false",
    "emit_async_querier": "true, false",
}
# The limit that sqlc-gen-python has by default.
_QUERIER_PARAMETER_LIMIT = 4


def read_options(*sources: bytes, out: str, config_name: str = "", config_text: str = "") -> Options:
    """Join the JSON objects in `sources` (a later one wins) and check them; `out` gives the default package name.

    `config_text` is the text of sqlc.yaml, where errors then point.

    Raises:
        CompileError: an unknown option, or a value that an option does not take; every such error at once.
    """
    values: dict[str, object] = {}
    for source in sources:
        values |= json.loads(source) if source else {}
    values.setdefault("package", out.rstrip("/").rsplit("/", 1)[-1])
    try:
        options = Options.model_validate(values)
    except ValidationError as error:
        raise CompileError([_diagnostic(e, config_name, config_text) for e in error.errors()]) from error
    if not (options.emit_sync_querier or options.emit_async_querier):
        return options
    implied: dict[str, object] = {}
    if "clients" not in values:
        both = options.emit_sync_querier and options.emit_async_querier
        implied["clients"] = Clients.BOTH if both else Clients.ASYNC if options.emit_async_querier else Clients.SYNC
    if options.query_parameter_limit is None:
        implied["query_parameter_limit"] = _QUERIER_PARAMETER_LIMIT
    options = options.model_copy(update=implied)
    contradictions = list(_contradictions(options, config_name, config_text))
    if contradictions:
        raise CompileError(contradictions)
    return options


def _contradictions(options: Options, config_name: str, config_text: str) -> Iterator[Diagnostic]:
    """A querier calls the functions of its own colour, which must be there."""
    for key, wanted, missing in (
        ("emit_sync_querier", options.emit_sync_querier, Clients.ASYNC),
        ("emit_async_querier", options.emit_async_querier, Clients.SYNC),
    ):
        if wanted and options.clients is missing:
            yield Diagnostic(
                f'option "{key}" contradicts clients: {missing}',
                _place_of_key(key, config_name, config_text),
                help="leave `clients` out, or set it to both.",
            )


def _diagnostic(error: ErrorDetails, config_name: str, config_text: str) -> Diagnostic:
    key = str(error["loc"][0])
    place = _place_of_key(key, config_name, config_text)
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, _ACCEPTED, n=1)
        meant = f'did you mean "{close[0]}"? ' if close else ""
        return Diagnostic(f'unknown option "{key}"', place, help=f"{meant}accepted options: {', '.join(sorted(_ACCEPTED))}.")
    return Diagnostic(
        f'bad value for option "{key}": {json.dumps(error["input"])}',
        place,
        help=f"accepted: {_ACCEPTED[key]}." if error["type"] != "missing" else "",
    )


def _place_of_key(key: str, config_name: str, config_text: str) -> Place | None:
    pattern = re.compile(rf"""(?:^|[\s{{,])["']?(?P<key>{re.escape(key)})["']?\s*:""")
    for number, line in enumerate(config_text.splitlines(), start=1):
        if match := pattern.search(line):
            return Place(config_name, number, match.start("key") + 1, line, len(key))
    return Place(config_name) if config_name else None
