"""A project of any size: 100 tables in 10 migrations, and any number of queries, in one file per table.

With `blocks`, each of the first `blocks` tables has its own `sql:` block and package, all over the same schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

TABLES = 100
_MIGRATIONS = 10
_OUT = "large_db"
_QUERIES_OF_A_BLOCK = 10
_TYPES = """\
CREATE TYPE state AS ENUM ('new', 'open', 'done', 'failed');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
"""
# Each table references the one before it (nullable) and the one ten before it (not null); the first ones reference themselves.
_TABLE = """\
CREATE TABLE {table} (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    contact email,
    state state NOT NULL DEFAULT 'new',
    amount numeric(12, 2) NOT NULL CHECK (amount >= 0),
    weight double precision,
    tags text[] NOT NULL DEFAULT '{{}}',
    details jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    due date,
    previous_id bigint REFERENCES {previous},
    parent_id bigint NOT NULL REFERENCES {parent}
);
CREATE INDEX ON {table} (state, created_at);
"""
# Of every kind that services have; {{n}} makes each text unique.
_QUERIES = (
    "-- name: Get{Class}{n} :one\n-- Get one by its key.\nSELECT * FROM {table} WHERE id = @id AND {n} = {n};\n",
    "-- name: Find{Class}{n} :one\nSELECT id, name, contact, state FROM {table} WHERE code = @code AND id > {n};\n",
    """\
-- name: List{Class}{n} :many
-- List what was made since, a page at a time.
SELECT id, code, name, state, amount, created_at
FROM {table}
WHERE created_at >= @since AND (state = sqlc.narg(state) OR sqlc.narg(state) IS NULL) AND id > {n}
ORDER BY created_at, id
LIMIT @page_size;
""",
    """\
-- name: Search{Class}WithParent{n} :many
SELECT t.id, t.name, t.amount, p.name AS parent_name, p.state AS parent_state
FROM {table} t
JOIN {parent} p ON p.id = t.parent_id
WHERE t.name ILIKE @pattern AND p.amount > {n}
ORDER BY t.id;
""",
    """\
-- name: List{Class}WithPrevious{n} :many
SELECT t.id, t.code, p.id AS previous_id, p.name AS previous_name, p.due AS previous_due
FROM {table} t
LEFT JOIN {previous} p ON p.id = t.previous_id
WHERE t.state = ANY(@states::state[]) AND t.id > {n}
ORDER BY t.id;
""",
    """\
-- name: Sum{Class}{n} :many
SELECT state, count(*) AS number, sum(amount) AS total, max(due) AS latest
FROM {table}
WHERE created_at < @until AND amount > {n}
GROUP BY state
ORDER BY state;
""",
    """\
-- name: Create{Class}{n} :one
INSERT INTO {table} (code, name, contact, amount, tags, due, previous_id, parent_id)
VALUES (@code, @name, sqlc.narg(contact), sqlc.arg(amount) + {n}, @tags, sqlc.narg(due), sqlc.narg(previous_id), @parent_id)
RETURNING id, state, created_at;
""",
    "-- name: Rename{Class}{n} :execrows\nUPDATE {table} SET name = @name, weight = weight + {n} WHERE id = @id;\n",
    """\
-- name: Finish{Class}{n} :one
UPDATE {table} SET state = 'done', due = coalesce(sqlc.narg(due), due) WHERE id = @id AND amount >= {n} RETURNING *;
""",
    "-- name: Delete{Class}{n} :exec\nDELETE FROM {table} WHERE id = @id AND amount >= {n};\n",
)
_CONFIGURATION = """\
version: "2"
plugins:
  - name: {plugin}
    process: {{cmd: {command}, format: json}}
    env: [SQLWRIGHT_DATABASE_URL]
sql:
"""
_BLOCK = """\
  - engine: postgresql
    schema: migrations
    queries: {queries}
    codegen:
      - plugin: {plugin}
        out: {out}
"""
_NOTHING = """\
#!/bin/sh
/bin/cat >/dev/null
echo '{}'
"""


def write_project(folder: Path, queries: int) -> None:
    """Write a project with `sqlc.yaml`, and `bare.yaml` for the same with a plugin that does nothing."""
    names = _write_migrations(folder)
    (folder / "queries").mkdir()
    for number, table in enumerate(names):
        members = [_query(n, number, names) for n in range(number, queries, TABLES)]
        if members:
            (folder / "queries" / f"{table}.sql").write_text("\n".join(members), encoding="utf-8")
    _write_configurations(folder, {"queries": _OUT})


def write_blocks(folder: Path, blocks: int) -> None:
    """Write a project of many blocks over one schema, with the same two configurations."""
    names = _write_migrations(folder)
    (folder / "queries").mkdir()
    for number, table in enumerate(names[:blocks]):
        members = [_query(number + TABLES * n, number, names) for n in range(_QUERIES_OF_A_BLOCK)]
        (folder / "queries" / f"{table}.sql").write_text("\n".join(members), encoding="utf-8")
    _write_configurations(folder, {f"queries/{table}.sql": f"{_OUT}/{table}_db" for table in names[:blocks]})


def _write_migrations(folder: Path) -> list[str]:
    (folder / "migrations").mkdir(parents=True)
    names = [_table(number) for number in range(TABLES)]
    tables = [_create(number, names) for number in range(TABLES)]
    each = TABLES // _MIGRATIONS
    for number in range(_MIGRATIONS):
        text = "\n".join([*([_TYPES] if number == 0 else []), *tables[number * each : (number + 1) * each]])
        (folder / "migrations" / f"{number:04}_tables.sql").write_text(text, encoding="utf-8")
    return names


def _write_configurations(folder: Path, outs: Mapping[str, str]) -> None:
    """Write both configurations, with a block for each path of queries and its output folder."""
    nothing = folder / "nothing"
    nothing.write_text(_NOTHING, encoding="utf-8")
    nothing.chmod(0o755)
    for name, plugin, command in (("sqlc.yaml", "sqlwright", "sqlwright-plugin"), ("bare.yaml", "nothing", "./nothing")):
        blocks = [_BLOCK.format(queries=queries, plugin=plugin, out=out) for queries, out in outs.items()]
        (folder / name).write_text(_CONFIGURATION.format(plugin=plugin, command=command) + "".join(blocks), encoding="utf-8")


def change_one(folder: Path, value: int) -> None:
    """Change the first query of the first file, so that each `value` needs a different proof."""
    file = folder / "queries" / f"{_table(0)}.sql"
    head, _, rest = file.read_text(encoding="utf-8").partition(";")
    file.write_text(f"{head.split(' AND -')[0]} AND -{value} < 0;{rest}", encoding="utf-8")


def generated(folder: Path) -> Path:
    """The folder of the generated package."""
    return folder / _OUT


def _table(number: int) -> str:
    areas = ("billing", "catalog", "support", "stock", "shipping", "account", "audit", "partner", "media", "report")
    things = ("item", "entry", "batch", "notice", "ticket", "parcel", "order_line", "profile", "asset", "label")
    return f"{areas[number // 10 % 10]}_{things[number % 10]}"


def _create(number: int, names: list[str]) -> str:
    return _TABLE.format(table=names[number], previous=names[max(number - 1, 0)], parent=names[max(number - 10, 0)])


def _query(n: int, table: int, names: list[str]) -> str:
    # The n-th query of a table is of the n-th kind; the tables begin with different kinds, so that a few queries also cover all kinds.
    return _QUERIES[(n // TABLES + table) % len(_QUERIES)].format(
        table=names[table],
        Class="".join(part.title() for part in names[table].split("_")),
        previous=names[max(table - 1, 0)],
        parent=names[max(table - 10, 0)],
        n=n,
    )
