"""Explanations of diagnostics about projects: configuration, options, files, and programs and servers."""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.diagnostics import Code
from sqlwright.explanations.examples import Example, Explanation

CONFIGURATION: Mapping[Code, Explanation] = {
    Code.MISSING_CONFIGURATION: Explanation(
        "There is no sqlc.yaml",
        "The command was run in another folder, or the file has another name.",
        "Run it in the folder of the file, or name the file: `--config path/sqlc.yaml`.",
        Example(setup="rm sqlc.yaml"),
    ),
    Code.INVALID_CONFIGURATION: Explanation(
        "sqlc.yaml is not valid",
        "It is not YAML, not of version 2, or an entry has a key that is missing or of the wrong type.",
        "Fix the place that the message shows.",
        Example(setup="sed -i.bak '/out:/d' sqlc.yaml"),
    ),
    Code.NO_ENTRY: Explanation(
        "sqlc.yaml does not use sqlwright",
        "No `codegen` entry refers to a plugin whose command is `sqlwright-plugin`.",
        "Add the plugin and an entry; the help shows a minimal configuration.",
        Example(setup="sed -i.bak 's/sqlwright-plugin/another-plugin/' sqlc.yaml"),
    ),
    Code.DUPLICATE_OUTPUT: Explanation(
        "Two entries with the same `out`",
        "Each entry makes a package, and a folder holds one: the second would replace files of the first.",
        "Change one of them, or list the query files of both in one entry.",
        Example(setup="sed -i.bak 's/^      - plugin: .*/&\\n        out: my_db\\n&/' sqlc.yaml"),
    ),
    Code.UNSUPPORTED_ENGINE: Explanation(
        "An engine other than PostgreSQL",
        "sqlwright proves queries with PostgreSQL.",
        "Set `engine: postgresql`, or use another plugin for the block.",
        Example(setup="sed -i.bak 's/engine: postgresql/engine: sqlite/' sqlc.yaml"),
    ),
    Code.UNKNOWN_OPTION: Explanation(
        "An option that does not exist",
        "It is misspelt, or belongs to another plugin.",
        "[Options](options.md) lists all of them.",
        Example(options="{client: async}"),
    ),
    Code.INVALID_OPTION: Explanation(
        "A value that an option does not accept",
        "This includes a package name, by default the last part of `out`, that cannot be imported.",
        "The help lists the accepted values.",
        Example(options="{clients: asynchronous}"),
    ),
    Code.CONTRADICTING_OPTIONS: Explanation(
        "Options that contradict each other",
        "For example, `emit_sync_querier` with `clients: async`: its methods call sync functions.",
        "Keep only one of them.",
        Example(options="{emit_pydantic_models: true, model: frozen}"),
    ),
    Code.OPTION_WITHOUT_EFFECT: Explanation(
        "An option that matches nothing",
        "A pattern matches no column, or a name no table or type. A warning.",
        "Correct its spelling, or remove it.",
        Example(options='{json: {"user.settings": shop.domain.Settings}}'),
    ),
}

FILES: Mapping[Code, Explanation] = {
    Code.MISSING_PATH: Explanation(
        "A path that does not exist",
        "`schema:`, `queries:` or an option of the command names a file or folder that does not exist.",
        "Create it, or correct the path. Paths in sqlc.yaml are relative to its folder.",
        Example(setup="rm schema.sql"),
    ),
    Code.NO_QUERIES: Explanation(
        "There are no queries",
        "The files under `queries:` have no name lines.",
        "Write a query: a line `-- name: GetUser :one`, and the statement under it.",
        Example("-- Queries will follow.\n"),
    ),
    Code.UNREADABLE_TEXT: Explanation(
        "An SQL file that is not text",
        "It is a folder, or not UTF-8, or has a byte order mark or a NUL byte.",
        "Save it as UTF-8 without a byte order mark.",
        Example(setup="printf -- \"-- name: A :one\\nSELECT 'caf\\351' AS a;\\n\" >query.sql"),
    ),
    Code.UNUSABLE_FILE: Explanation(
        "A file or folder that cannot be used",
        "The operating system does not allow it to be read or written, or the disk is full.",
        "Change its permissions, free some disk space, or change `out` in sqlc.yaml.",
        Example(
            setup="rm query.sql; ln -s nowhere query.sql; mkdir queries; mv query.sql queries; sed -i.bak 's/query.sql/queries/' sqlc.yaml"
        ),
    ),
    Code.FOREIGN_FILE: Explanation(
        "A file that sqlwright did not write",
        "It is in the place of a generated file, and is never overwritten.",
        "Move or delete it, or change `out` in sqlc.yaml.",
        Example(setup="mkdir my_db; echo 'x = 1' >my_db/query.py"),
    ),
    Code.OUTPUT_BLOCKED: Explanation(
        "A file in place of a folder, or a folder in place of a file",
        "The generated package cannot be written.",
        "Move it, or change `out` in sqlc.yaml.",
        Example(setup="echo >my_db"),
    ),
    Code.DAMAGED_RECORD: Explanation(
        "proofs.json was edited or merged badly",
        "A proof does not match its seal, so none of the file is trusted. A warning: the queries are proven again.",
        "Run `sqlwright generate` and commit the file.",
        Example(setup="sqlwright generate; sed -i.bak 's/NOT NULL/not null/' my_db/proofs.json", command="sqlwright check"),
    ),
    Code.MALFORMED_REQUEST: Explanation(
        "The plugin received something that is not a request",
        "`sqlwright-plugin` reads sqlc's JSON protocol; without `format: json`, sqlc sends another one.",
        "Set `process: {cmd: sqlwright-plugin, format: json}` in sqlc.yaml.",
        Example(command="echo | sqlwright-plugin"),
    ),
}

SURROUNDINGS: Mapping[Code, Explanation] = {
    Code.UNUSABLE_PROGRAM: Explanation(
        "A program that is missing or of another version",
        "sqlwright runs sqlc, dbmate and psql, and its plugin is called by sqlc, each of a version it was tested with.",
        "Install it as the help says.",
        Example(
            command='echo \'{"sqlc_version": "v1.30.0", "settings": {"engine": "postgresql", "codegen": {"out": "my_db"}}}\''
            " | sqlwright-plugin"
        ),
    ),
    Code.UNUSABLE_POSTGRESQL: Explanation(
        "There is no PostgreSQL that can prove the queries",
        "The server cannot be reached, does not allow databases and roles to be created, or has stopped; or the embedded one is not "
        "installed or does not start.",
        "Start the server, correct `SQLWRIGHT_DATABASE_URL`, or unset it to use the embedded server. [Servers](servers.md) has the "
        "requirements.",
        Example(environ=(("SQLWRIGHT_DATABASE_URL", "postgres://nobody@127.0.0.1:1/postgres"),)),
    ),
    Code.INVALID_URL: Explanation(
        "A database URL that cannot be read",
        "`SQLWRIGHT_DATABASE_URL` or `DATABASE_URL` is not a PostgreSQL URL, or its password has characters that must be escaped.",
        "The form is `postgres://user:password@host:5432/database`; percent-encode special characters in the password.",
        Example(environ=(("SQLWRIGHT_DATABASE_URL", "postgres://user:pass/word@localhost/shop"),)),
    ),
    Code.DBMATE_FAILED: Explanation(
        "dbmate failed",
        "It cannot connect to the development database, or a migration fails.",
        "dbmate's own message comes first; fix what it says.",
        Example(
            setup="mkdir -p db/migrations migrations",
            command="sqlwright db status",
            environ=(("DATABASE_URL", "postgres://nobody@127.0.0.1:1/shop?sslmode=disable"),),
        ),
    ),
    Code.REMOTE_DATABASE: Explanation(
        "A database on another machine would be dropped",
        "`sqlwright db reset` drops the database that `DATABASE_URL` names.",
        "If it really is a development database, add `--yes`.",
        Example(
            setup="mkdir -p db/migrations migrations",
            command="sqlwright db reset",
            environ=(("DATABASE_URL", "postgres://app@db.example.org/shop"),),
        ),
    ),
    Code.UNKNOWN_QUERY: Explanation(
        "A query that does not exist, or whose name is not unique",
        "`sqlwright why` and `inspect` take a query by its name.",
        "Correct the name, or put the file before it: `users.sql:GetUser`.",
        Example(command="sqlwright why GetUsr"),
    ),
    Code.UNKNOWN_COLUMN: Explanation(
        "A column that the query does not return",
        "`sqlwright why` takes a column by its name in SQL or in Python.",
        "Correct the name; the help lists the columns.",
        Example(command="sqlwright why GetUser surname"),
    ),
    Code.INTERRUPTED: Explanation(
        "The run was interrupted",
        "SIGINT (Ctrl-C), SIGTERM or SIGHUP stopped the run. Nothing is half-written.",
        "Run the command again.",
        Example(
            command="(until test -e .sqlwright; do sleep 0.01; done; kill -TERM $$) & exec sqlwright generate",
            environ=(("SQLWRIGHT_DATABASE_URL", ""),),
        ),
    ),
}
