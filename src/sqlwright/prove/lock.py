"""`proofs.json`: the recorded proofs beside the generated code, one line for each query, table and type.

With it, a query that did not change needs no server: its key is the hash of all that its proof depends on. A record of another version of
the prover is passed over as a whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sqlwright import __version__, ir
from sqlwright.prove.proof import Catalog, Enum, Proofs, QueryProof, Table, UserType

FILE_NAME = "proofs.json"

# Raise it whenever a rule of the prover changes, so that what older rules proved is proven again.
RULES = 8
_WRITER = f"sqlwright {__version__}, rules {RULES}"


def query_key(query: ir.UnprovenQuery, schema_digest: str, postgres_major: int, *, nullable_elements: bool) -> str:
    """Hash what a query's proof depends on: its text, what sqlc says of it, the schema, PostgreSQL's major version and our rules."""
    parts = [_WRITER, schema_digest, postgres_major, nullable_elements, query.command, query.sql]
    parts += [[p.number, p.name, p.sqlc_type, p.optional, p.sliced] for p in query.params]
    parts += [list(_fields(column).values()) for column in (*query.columns, *query.embeds)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _NamedProof:
    file: str
    name: str
    proof: QueryProof


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class _Record:
    writer: str
    postgres: int
    schema_digest: str
    tables: tuple[Table, ...]
    enums: tuple[Enum, ...]
    types: tuple[UserType, ...]
    queries: tuple[_NamedProof, ...]


def dump(proofs: Proofs) -> str:
    """Give the text of `proofs.json`: deterministic, and a line for each thing that can change on its own."""
    queries = [{"file": file, "name": name, "proof": proof} for (file, name), proof in sorted(proofs.queries.items())]
    return (
        "{\n"
        f'"writer": {_line(_WRITER)},\n'
        f'"postgres": {proofs.postgres_major},\n'
        f'"schema_digest": {_line(proofs.schema_digest)},\n'
        f"{_catalog(proofs.catalog)}"
        f'"queries": {_lines(queries)}\n'
        "}\n"
    )


def load(text: str) -> Proofs | None:
    """Read what `dump` wrote; None for a record of another version, or one that was damaged (it is then made anew)."""
    try:
        record = TypeAdapter(_Record).validate_json(text)
    except ValidationError:
        return None
    if record.writer != _WRITER:
        return None
    return Proofs(
        postgres_major=record.postgres,
        schema_digest=record.schema_digest,
        catalog=Catalog(record.tables, record.enums, record.types),
        queries={(named.file, named.name): named.proof for named in record.queries},
    )


# Packages over the same schema have the same one.
@lru_cache(maxsize=4)
def _catalog(catalog: Catalog) -> str:
    return f'"tables": {_lines(catalog.tables)},\n"enums": {_lines(catalog.enums)},\n"types": {_lines(catalog.types)},\n'


def _lines(items: Sequence[object]) -> str:
    return "[" + ",".join(f"\n{_line(item)}" for item in items) + ("\n]" if items else "]")


def _fields(value: object) -> dict[str, object]:
    """A dataclass with slots as a dictionary; what is inside it stays as it is, unlike with `dataclasses.asdict`, which copies it all."""
    names: tuple[str, ...] = _slots(value)
    return {name: getattr(value, name) for name in names}


_slots = attrgetter("__slots__")
_line = json.JSONEncoder(ensure_ascii=False, default=_fields).encode
