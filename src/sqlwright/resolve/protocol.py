"""sqlc's plugin protocol in its JSON form: bytes in, bytes out.

Only the fields that the compiler reads are declared. The catalog in a request (about a megabyte) is ignored: PostgreSQL is asked
instead. Source: sqlc's `protos/plugin/codegen.proto`, as sqlc writes it with `format: json`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError

from sqlwright import SQLC_VERSION
from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.ir import SourceFile


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WireIdentifier(_Wire):
    """A name with its schema; the schema is "" where the query names none."""

    schema_: str = ""
    name: str = ""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=lambda field: field.rstrip("_"), populate_by_name=True)


class WireColumn(_Wire):
    """A result column, or what a parameter stands for, as sqlc inferred it."""

    name: str = ""
    not_null: bool = False
    array_dims: int = 0
    type: WireIdentifier | None = None
    embed_table: WireIdentifier | None = None
    table: WireIdentifier | None = None
    original_name: str = ""
    is_named_param: bool = False
    is_sqlc_slice: bool = False


class WireParam(_Wire):
    """A numbered parameter."""

    number: int
    column: WireColumn


class WireQuery(_Wire):
    """A query; `text` has stars expanded and parameters numbered."""

    text: str
    name: str
    cmd: str
    filename: str
    columns: tuple[WireColumn, ...] = ()
    params: tuple[WireParam, ...] = ()


class WireCodegen(_Wire):
    """The codegen entry of sqlc.yaml that called us."""

    out: str
    options: Base64Bytes = b""


class WireSettings(_Wire):
    """The `sql:` block of sqlc.yaml; paths are relative to its folder."""

    engine: str
    schema_: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    codegen: WireCodegen

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=lambda field: field.rstrip("_"), populate_by_name=True)


class GenerateRequest(_Wire):
    """sqlc's request: generate code for these queries."""

    sqlc_version: str
    settings: WireSettings
    queries: tuple[WireQuery, ...] = ()
    plugin_options: Base64Bytes = b""
    global_options: Base64Bytes = b""


def decode(data: bytes) -> GenerateRequest:
    """Read a request.

    Raises:
        CompileError: it is not a request in sqlc's JSON protocol, is from another version of sqlc, or is not for PostgreSQL.
    """
    try:
        request = GenerateRequest.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors()[:3])
        raise CompileError(
            [
                Diagnostic(
                    Code.MALFORMED_REQUEST,
                    f"malformed request: {problems}",
                    help="sqlwright-plugin reads sqlc's JSON protocol: in sqlc.yaml, set `process: {cmd: sqlwright-plugin, format: json}`.",
                )
            ]
        ) from error
    if request.sqlc_version.removeprefix("v") != SQLC_VERSION:
        raise CompileError(
            [
                Diagnostic(
                    Code.UNUSABLE_PROGRAM,
                    f"called by sqlc {request.sqlc_version.removeprefix('v')}; sqlwright works with {SQLC_VERSION}",
                    help="run the sqlc installed with sqlwright (pip install --force-reinstall sqlwright), or `sqlwright generate`.",
                )
            ]
        )
    if request.settings.engine != "postgresql":
        raise CompileError(
            [
                Diagnostic(
                    Code.UNSUPPORTED_ENGINE,
                    f'engine "{request.settings.engine}" is not supported: sqlwright proves queries with PostgreSQL',
                    help="set `engine: postgresql` in this `sql:` block of sqlc.yaml, or use another plugin for the block.",
                )
            ]
        )
    return request


def encode(files: Iterable[SourceFile]) -> bytes:
    """Write a response; files sorted by path."""
    ordered = sorted(files, key=lambda file: file.path)
    body = [{"name": file.path, "contents": base64.b64encode(file.text.encode()).decode()} for file in ordered]
    return json.dumps({"files": body}).encode()
