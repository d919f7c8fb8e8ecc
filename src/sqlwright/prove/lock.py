"""`proofs.json`: the recorded proofs, next to the generated code, with one line for each query, table and type.

With it, a query that did not change needs no server: its key is the hash of all that its proof depends on. A record of another version of
the prover is ignored as a whole. Every proof, and the catalogue, carries a seal, the hash of its text, so that manual edits and bad merges
are rejected; since each line has its own seal, two branches can be merged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sqlwright import __version__, ir
from sqlwright.diagnostics import Code, Diagnostic, Place, Severity
from sqlwright.ir.proofs import Catalog, Enum, Proofs, QueryProof, Table, UserType

FILE_NAME = "proofs.json"

# Raise it whenever a rule of the prover changes, so that what older rules proved is proven again.
RULES = 22
_OFTEN_NONE = ("variants", "unchanged", "page", "refused_by")
_SEALED = re.compile(r'\{"seal": "(?P<seal>[0-9a-f]+)", (?P<rest>.*?),?$')
_WRITER = f"sqlwright {__version__}, rules {RULES}"


def query_key(query: ir.UnprovenQuery, schema_digest: str, postgres_major: int, *, nullable_elements: bool) -> str:
    """Return the hash of what a query's proof depends on: its text, sqlc's types, the schema, PostgreSQL's major version and our rules."""
    parts = [_WRITER, schema_digest, postgres_major, nullable_elements, query.command, query.sql]
    parts += [[p.number, p.name, p.sqlc_type, p.optional, p.sliced] for p in query.params]
    parts += [list(_fields(column).values()) for column in (*query.columns, *query.embeds)]
    if query.variation is not None:
        varied = query.variation
        parts += [sorted(varied.optional), varied.orders, varied.patch, sorted(varied.patched), varied.or_select, varied.page]
    if query.derivation is not None:
        parts += [query.derivation.question, query.derivation.sql, query.derivation.types]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _NamedProof:
    seal: str
    file: str
    name: str
    proof: QueryProof


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _Document:
    writer: str
    postgres: int
    schema_digest: str
    tables: tuple[Table, ...]
    enums: tuple[Enum, ...]
    types: tuple[UserType, ...]
    seal: str
    queries: tuple[_NamedProof, ...]


def dump(proofs: Proofs) -> str:
    """Return the text of `proofs.json`: deterministic, and a line for each thing that can change on its own."""
    queries = [_line({"file": file, "name": name, "proof": proof}) for (file, name), proof in sorted(proofs.queries.items())]
    catalog = _catalog(proofs.catalog)
    return (
        "{\n"
        f'"writer": {_line(_WRITER)},\n'
        f'"postgres": {proofs.postgres_major},\n'
        f'"schema_digest": {_line(proofs.schema_digest)},\n'
        f"{catalog}"
        f'"seal": "{_seal(catalog)}",\n'
        f'"queries": {_list(map(_sealed, queries))}\n'
        "}\n"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The recorded proofs, None if none can be reused; `damage` says what is wrong with a file that was changed since."""

    proofs: Proofs | None = None
    damage: Diagnostic | None = None


def read_record(file: Path, path: str) -> Record:
    """Read the record in a file; `path` is its name in messages."""
    try:
        return Record(load(file.read_text(encoding="utf-8")) if file.is_file() else None)
    except (Damaged, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, Damaged) else "is not UTF-8 text"
        return Record(
            damage=Diagnostic(
                Code.DAMAGED_RECORD,
                f"{path} {what}; the whole file is ignored",
                Place(path),
                help="every query is proven anew, and `sqlwright generate` writes the file again.",
                severity=Severity.WARNING,
            ),
        )


class Damaged(Exception):
    """A record is not as it was written; the message completes a sentence that begins with the file's name."""


def load(text: str) -> Proofs | None:
    """Read what `dump` wrote; None for a record of another version of the compiler.

    Raises:
        Damaged: it was changed since.
    """
    try:
        document = TypeAdapter(_Document).validate_json(text)
    except ValidationError:
        if _WRITER not in text:
            return None
        raise Damaged("is no longer a valid record of proofs") from None
    if document.writer != _WRITER:
        return None
    lines = text.replace("\r\n", "\n").split("\n")
    start, end = (next((n for n, line in enumerate(lines) if line.startswith(mark)), 0) for mark in ('"tables": ', '"seal": '))
    if _seal("".join(f"{line}\n" for line in lines[start:end])) != document.seal:
        raise Damaged("was edited: its record of the schema does not match its seal")
    sealed = {match["seal"] for line in lines[end:] if (match := _SEALED.match(line)) and _seal(f"{{{match['rest']}") == match["seal"]}
    broken = [named.name for named in document.queries if named.seal not in sealed]
    if broken:
        raise Damaged(f"was edited: its record of {', '.join(broken)} does not match its seal")
    return Proofs(
        postgres_major=document.postgres,
        schema_digest=document.schema_digest,
        catalog=Catalog(document.tables, document.enums, document.types),
        queries={(named.file, named.name): named.proof for named in document.queries},
    )


def _sealed(line: str) -> str:
    return f'{{"seal": "{_seal(line)}", {line.removeprefix("{")}'


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# Packages over the same schema have the same one.
@lru_cache(maxsize=4)
def _catalog(catalog: Catalog) -> str:
    return f'"tables": {_lines(catalog.tables)},\n"enums": {_lines(catalog.enums)},\n"types": {_lines(catalog.types)},\n'


def _lines(items: Iterable[object]) -> str:
    return _list(map(_line, items))


def _list(lines: Iterable[str]) -> str:
    text = ",".join(f"\n{line}" for line in lines)
    return f"[{text}\n]" if text else "[]"


def _fields(value: object) -> dict[str, object]:
    """Return the fields of a dataclass with slots, without the deep copy that `dataclasses.asdict` makes."""
    names: tuple[str, ...] = _slots(value)
    fields = {name: getattr(value, name) for name in names}
    # Most queries have none, and their lines do without.
    for name in _OFTEN_NONE:
        if fields.get(name, "") is None:
            del fields[name]
    return fields


_slots = attrgetter("__slots__")
_line = json.JSONEncoder(ensure_ascii=False, default=_fields).encode
