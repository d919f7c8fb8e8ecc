"""The plugin's options (`options:` of the codegen entry in sqlc.yaml), strictly checked."""

from __future__ import annotations

import difflib
import json
import keyword
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.ir import RowStyle
from sqlwright.option_places import ConfiguredEntry


class Clients(StrEnum):
    """Which functions are generated. With `both`, sync functions are at the package's root and async ones in its `aio` subpackage."""

    SYNC = "sync"
    ASYNC = "async"
    BOTH = "both"


class Calls(StrEnum):
    """How functions execute: with a cursor of psycopg, or without one once psycopg has prepared the statement."""

    CURSOR = "cursor"
    DIRECT = "direct"


class Tracing(StrEnum):
    """What describes calls to those who operate the service: nothing, or spans and durations of OpenTelemetry."""

    NONE = "none"
    OPENTELEMETRY = "opentelemetry"


class ArrayElements(StrEnum):
    """Whether arrays stored in tables may contain NULL, which PostgreSQL has no way to declare."""

    NOT_NULL = "not_null"
    NULLABLE = "nullable"


class Domains(StrEnum):
    """How domains appear in Python: as their base type, or as a `NewType` of it."""

    BASE = "base"
    NEWTYPE = "newtype"


class Intervals(StrEnum):
    """How intervals appear in Python: as `timedelta`, which refuses months, or as the package's own `Interval`, which keeps them."""

    TIMEDELTA = "timedelta"
    EXACT = "exact"


def _import_name(value: str) -> str:
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in value.split(".")):
        msg = "must be an import name such as shop_db"
        raise ValueError(msg)
    return value


def _dotted_path(value: str) -> str:
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in value.split(".")):
        msg = "must be a dotted path such as shop.domain.Email"
        raise ValueError(msg)
    return value


def _python_name(value: str) -> str:
    if not value.isidentifier() or keyword.iskeyword(value):
        msg = "must be a Python name"
        raise ValueError(msg)
    return value


def _column_pattern(value: str) -> str:
    if value.count(".") not in {1, 2} or not all(value.split(".")):
        msg = "must be table.column or schema.table.column; * matches anything"
        raise ValueError(msg)
    return value


DottedPath = Annotated[str, AfterValidator(_dotted_path)]
ColumnPattern = Annotated[str, AfterValidator(_column_pattern)]
PythonNameText = Annotated[str, AfterValidator(_python_name)]


class Override(BaseModel):
    """Another Python type for columns, by pattern, or for a database type.

    `to_python` is called with the value that would be loaded otherwise; by default it is `python_type` itself. `from_python` returns the
    value to send; by default the value is sent unchanged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: ColumnPattern = ""
    db_type: str = ""
    python_type: DottedPath
    to_python: DottedPath = ""
    from_python: DottedPath = ""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if bool(self.column) is bool(self.db_type):
            code, message = "override_target", "set either `column` or `db_type`"
            raise PydanticCustomError(code, message)
        return self


class Options(BaseModel):
    """Options of one generated package; docs/options.md shows each with an example.

    `package` is the import name of the package, by default the last part of `out`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    package: Annotated[str, AfterValidator(_import_name)] = ""
    clients: Clients = Clients.SYNC
    calls: Calls = Calls.CURSOR
    tracing: Tracing = Tracing.NONE
    comments: StrictBool = False
    strict_one: StrictBool = False
    query_parameter_limit: Annotated[StrictInt, Field(ge=0)] | None = None
    emit_sync_querier: StrictBool = False
    emit_async_querier: StrictBool = False
    model: RowStyle = RowStyle.DATACLASS
    overrides: tuple[Override, ...] = ()
    json_types: Annotated[dict[ColumnPattern, DottedPath], Field(alias="json")] = {}
    rename: dict[str, PythonNameText] = {}
    emit_exact_table_names: StrictBool = False
    inflection_exclude_table_names: tuple[str, ...] = ()
    array_elements: ArrayElements = ArrayElements.NOT_NULL
    domains: Domains = Domains.BASE
    intervals: Intervals = Intervals.TIMEDELTA
    narrow_rows: StrictBool = False
    omit_unused_models: StrictBool = True
    emit_str_enum: StrictBool = True
    emit_registry: StrictBool = False
    emit_pydantic_models: StrictBool = False

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if self.emit_pydantic_models and "model" in self.model_fields_set and self.model is not RowStyle.PYDANTIC:
            code, message = "emit_pydantic_models", "contradicts `model`"
            raise PydanticCustomError(code, message)
        return self

    @property
    def row_style(self) -> RowStyle:
        """The kind of row classes: `model`, or what sqlc-gen-python's option implies."""
        return RowStyle.PYDANTIC if self.emit_pydantic_models else self.model

    @property
    def class_names(self) -> dict[str, str]:
        """Class names by SQL name: the entries of `rename` that begin with a capital."""
        return {name: python for name, python in self.rename.items() if python[0].isupper()}

    @property
    def field_names(self) -> dict[str, str]:
        """Names of fields and parameters by SQL name: the other entries of `rename`."""
        return {name: python for name, python in self.rename.items() if not python[0].isupper()}

    @property
    def nullable_elements(self) -> bool:
        """Whether stored arrays may contain NULL."""
        return self.array_elements is ArrayElements.NULLABLE


_BOOLEAN = "true, false"
_ACCEPTED = {
    "array_elements": ", ".join(ArrayElements),
    "calls": ", ".join(Calls),
    "clients": ", ".join(Clients),
    "comments": _BOOLEAN,
    "domains": ", ".join(Domains),
    "emit_async_querier": _BOOLEAN,
    "emit_exact_table_names": _BOOLEAN,
    "emit_pydantic_models": f"{_BOOLEAN}; true is the same as `model: pydantic`",
    "emit_registry": _BOOLEAN,
    "emit_str_enum": _BOOLEAN,
    "emit_sync_querier": _BOOLEAN,
    "inflection_exclude_table_names": "a list of table names",
    "intervals": ", ".join(Intervals),
    "json": 'a mapping of columns to Python types, such as {"users.settings": "shop.domain.Settings"}',
    "model": ", ".join(RowStyle),
    "narrow_rows": _BOOLEAN,
    "omit_unused_models": _BOOLEAN,
    "overrides": "a list of entries with python_type, either column (table.column, where * matches anything) or db_type, and optionally "
    "to_python and from_python; Python names are dotted paths such as shop.domain.Email",
    "package": 'an import name such as "shop_db"',
    "query_parameter_limit": "a whole number, 0 or more",
    "rename": 'a mapping of SQL names to Python names, such as {"usr": "User"}',
    "strict_one": _BOOLEAN,
    "tracing": ", ".join(Tracing),
}
# sqlc-gen-python's default limit.
_QUERIER_PARAMETER_LIMIT = 4


def read_options(*sources: bytes, out: str, config_name: str = "", config_text: str = "") -> Options:
    """Merge the JSON objects in `sources` (later ones win) and validate them; `out` provides the default package name.

    `config_text` is the text of sqlc.yaml, which errors then point into: the entry with this `out`.

    Raises:
        CompileError: the options are not a mapping, an option is unknown, or a value is not accepted; all such errors at once.
    """
    entry = ConfiguredEntry(config_name, config_text, out)
    values: dict[str, object] = {}
    for source in sources:
        # A key without a value (`options:` with every line under it commented out) is null.
        given = json.loads(source) if source else None
        if not isinstance(given, dict | None):
            place = entry.place_of_key("options")
            raise CompileError(
                [
                    Diagnostic(
                        Code.INVALID_OPTION, f"options are {json.dumps(given)}", place, help="write a mapping: `options: {clients: async}`."
                    )
                ]
            )
        values |= given or {}
    folder = out.rstrip("/").rsplit("/", 1)[-1]
    is_named_after_folder = "package" not in values
    values.setdefault("package", folder)
    try:
        options = Options.model_validate(values)
    except ValidationError as error:
        raise CompileError(
            _no_name_for_package(folder, entry) if is_named_after_folder and e["loc"] == ("package",) else _diagnostic(e, entry)
            for e in error.errors()
        ) from error
    if not (options.emit_sync_querier or options.emit_async_querier):
        return options
    implied: dict[str, object] = {}
    if "clients" not in values:
        both = options.emit_sync_querier and options.emit_async_querier
        implied["clients"] = Clients.BOTH if both else Clients.ASYNC if options.emit_async_querier else Clients.SYNC
    if options.query_parameter_limit is None:
        implied["query_parameter_limit"] = _QUERIER_PARAMETER_LIMIT
    options = options.model_copy(update=implied)
    contradictions = list(_contradictions(options, entry))
    if contradictions:
        raise CompileError(contradictions)
    return options


def _contradictions(options: Options, entry: ConfiguredEntry) -> Iterator[Diagnostic]:
    """A querier calls the functions of its own colour, so they must be generated."""
    for key, wanted, missing in (
        ("emit_sync_querier", options.emit_sync_querier, Clients.ASYNC),
        ("emit_async_querier", options.emit_async_querier, Clients.SYNC),
    ):
        if wanted and options.clients is missing:
            yield Diagnostic(
                Code.CONTRADICTING_OPTIONS,
                f'option "{key}" contradicts clients: {missing}',
                entry.place_of_option(key),
                help="leave `clients` out, or set it to both.",
            )


def _no_name_for_package(folder: str, entry: ConfiguredEntry) -> Diagnostic:
    return Diagnostic(
        Code.INVALID_OPTION,
        f'the package is named after the last part of out, "{entry.out}", but "{folder}" is not an import name',
        entry.place_of_key("out"),
        help="rename that folder, or set the option `package` to an import name such as shop_db.",
    )


def _diagnostic(error: ErrorDetails, entry: ConfiguredEntry) -> Diagnostic:
    key = str(error["loc"][0]) if error["loc"] else error["type"]
    if len(error["loc"]) > 1:
        return _nested(key, error, entry)
    place = entry.place_of_option(key)
    if error["type"] == "extra_forbidden":
        return Diagnostic(
            Code.UNKNOWN_OPTION,
            f'unknown option "{key}"',
            place,
            help=f"{_meant(key, _ACCEPTED)}accepted options: {', '.join(sorted(_ACCEPTED))}.",
        )
    if error["type"] == key:
        return Diagnostic(Code.CONTRADICTING_OPTIONS, f'option "{key}" {error["msg"]}', place, help="keep one of them.")
    return Diagnostic(
        Code.INVALID_OPTION,
        f'bad value for option "{key}": {json.dumps(error["input"])}',
        place,
        help=f"{_meant(str(error['input']), _ACCEPTED[key].split(', '))}accepted: {_ACCEPTED[key]}." if error["type"] != "missing" else "",
    )


def _meant(found: str, accepted: Iterable[str]) -> str:
    close = difflib.get_close_matches(found, accepted, n=1)
    return f'did you mean "{close[0]}"? ' if close else ""


def _nested(key: str, error: ErrorDetails, entry: ConfiguredEntry) -> Diagnostic:
    """An error inside an option that is a list or a mapping."""
    path = [part for part in error["loc"] if part != "[key]"]
    reason = error["msg"].removeprefix("Value error, ")
    return Diagnostic(
        Code.INVALID_OPTION,
        f'bad value for option "{key}", at {".".join(map(str, path[1:]))}: {reason[:1].lower()}{reason[1:]}',
        entry.place_of_option(*path),
        help=f"accepted: {_ACCEPTED[key]}.",
    )
