"""Explanations of diagnostics about queries: how they are read, what PostgreSQL says, what is proven, what is generated."""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.diagnostics import Code
from sqlwright.explanations.examples import Example, Explanation

READING: Mapping[Code, Explanation] = {
    Code.AMBIGUOUS_AT_SIGN: Explanation(
        "An @ that is read as an operator, or as part of one",
        "`@` is also an operator of PostgreSQL (the absolute value). Before arithmetic, sqlc applies it to the whole expression. "
        "Directly behind another operator, as in `id=@id`, it is part of that operator's name: PostgreSQL looks for an operator `=@`. "
        "Directly behind a word, as in `LIMIT@max`, sqlc joins the word and the parameter's number to one word; before a space, as in "
        "`@ id`, it replaces a part of the name.",
        "Put the parameter in parentheses, `(@days) + 1`, or write `sqlc.arg(days)`; write a space before the `@`, and none behind it: "
        "`id = @id`.",
        Example("-- name: Next :one\nSELECT (@days + 1)::int AS next;\n"),
    ),
    Code.LINE_TOO_LONG: Explanation(
        "A line that is too long for sqlc",
        "sqlc reads lines of up to 64 kB and reports longer ones as a file without queries.",
        "Break the line.",
        Example(setup="printf -- \"-- name: Long :one\\nSELECT '%s' AS value;\\n\" \"$(head -c 70000 /dev/zero | tr '\\0' x)\" >query.sql"),
    ),
    Code.MISSING_SEMICOLON: Explanation(
        "A query that does not end with a semicolon",
        "The next query becomes a part of it and is lost.",
        "End the statement with `;`.",
        Example("-- name: A :one\nSELECT 1 AS a\n\n-- name: B :one\nSELECT 2 AS b;\n"),
    ),
    Code.QUERY_WITHOUT_STATEMENT: Explanation(
        "A name line without a statement",
        "sqlc takes the next query's statement for it, or drops the name.",
        "Write the statement, or remove the name line.",
        Example("-- name: A :one\n\n-- name: B :one\nSELECT 2 AS b;\n"),
    ),
    Code.QUOTED_PARAMETER: Explanation(
        "A parameter with a name in double quotes",
        'sqlc reports a syntax error for `sqlc.arg("name")` and `@"name"`.',
        "Write a plain name, or put it in single quotes: `sqlc.arg('name')`.",
        Example('-- name: Find :many\nSELECT id FROM users WHERE name = sqlc.arg("name");\n'),
    ),
    Code.SECOND_STATEMENT: Explanation(
        "Two statements under one name",
        "sqlc drops the second one silently.",
        "Give the second statement a name line, or combine both with `WITH … AS (…)`.",
        Example("-- name: A :exec\nDELETE FROM posts;\nDELETE FROM users;\n"),
    ),
    Code.UNNAMED_STATEMENT: Explanation(
        "A statement without a name line",
        "sqlc drops it silently.",
        "Write a name line above it, with a lower-case `name`: `-- name: GetUser :one`.",
        Example("SELECT id FROM users;\n\n-- name: A :one\nSELECT 1 AS a;\n"),
    ),
    Code.UNREAD_NAME_LINE: Explanation(
        "A name that is not on a name line of its own",
        "A name line starts in the first column, above its statement. Elsewhere, sqlc may ignore it or attach it to another statement.",
        "Move it to the start of a line above the statement.",
        Example("-- name: A :one\nSELECT 1 AS a;\n\n  -- name: B :one\nSELECT 2 AS b;\n"),
    ),
    Code.UNTERMINATED: Explanation(
        "A quote or comment that is not terminated",
        "Everything after it belongs to it, including the following queries. Where a server can be asked, PostgreSQL reports it instead.",
        "Terminate it where it begins.",
        Example(
            "-- name: A :one\nSELECT 'a AS a;\n\n-- name: B :one\nSELECT 2 AS b;\n",
            environ=(("SQLWRIGHT_DATABASE_URL", "postgres://nobody@127.0.0.1:1/postgres"),),
        ),
    ),
    Code.UNSUPPORTED_STATEMENT: Explanation(
        "A statement that cannot be a query, or that sqlc cannot read",
        "`TABLE users` is not read by sqlc; `COPY` does not return its data as a query result; the data of `COPY … FROM stdin` is not SQL. "
        "`old` and `new` in RETURNING, which are new in PostgreSQL 18, are no rows to sqlc.",
        "Write `SELECT * FROM users`, or use `:copyfrom` or `@stream`, or dump only the schema (`pg_dump -s`), or write `old.name::text`, "
        "with a cast, behind which sqlc does not look.",
        Example("-- name: All :many\nTABLE users;\n"),
    ),
    Code.UNSUPPORTED_COMMAND: Explanation(
        "A command that does not exist in PostgreSQL",
        "`:execlastid` belongs to databases without RETURNING.",
        "Add `RETURNING id` and use `:one`. [Commands](commands.md) lists the supported commands.",
        Example("-- name: Add :execlastid\nINSERT INTO users (id, name) VALUES (@id, @name);\n"),
    ),
    Code.NOT_A_COPY: Explanation(
        "A :copyfrom whose INSERT is not a COPY",
        "`:copyfrom` is sent as COPY, which knows only tables, columns and values.",
        "Write `INSERT INTO table (column, …) VALUES (@parameter, …)`, or use `:batchexec`.",
        Example("-- name: Import :copyfrom\nINSERT INTO users AS u (id, name) VALUES (@id, @name);\n"),
    ),
    Code.UNQUOTED_STAR: Explanation(
        "A star over columns that sqlc does not quote",
        "sqlc replaces `*` by column names and does not quote all that need it, which makes its own text invalid.",
        "Write out the columns, with quotes where they are needed.",
        Example(
            "-- name: All :many\nSELECT * FROM odd;\n",
            'CREATE TABLE odd (id bigint PRIMARY KEY, "say ""hello""" text);\n',
        ),
    ),
    Code.UNKNOWN_FUNCTION_COLUMNS: Explanation(
        "A column of a function in FROM that sqlc does not know",
        "sqlc knows the columns of a function in FROM only if they are named.",
        "Name them: `unnest(@pairs::pair[]) AS p (a, b)`.",
        Example(
            "-- name: Pairs :many\nSELECT a FROM unnest(@pairs::pair[]);\n",
            "CREATE TYPE pair AS (a int, b text);\nCREATE TABLE users (id bigint PRIMARY KEY);\n",
        ),
    ),
    Code.UNTYPED_PARAMETER: Explanation(
        "A parameter whose type cannot be inferred",
        "Nothing in the query determines the parameter's type, or nothing that sqlc looks at: in a column of the result it infers no type "
        "from the other arguments of `coalesce` and `greatest`, from `CASE`, or from a subscript.",
        "Add a cast: `@name::text`, `coalesce(@days::bigint, id)`.",
        Example("-- name: Echo :one\nSELECT @name AS name;\n"),
    ),
    Code.REFUSED_BY_SQLC: Explanation(
        "A query that sqlc refuses",
        "sqlc's parser or its checks of commands refuse the query, and PostgreSQL has nothing to add, or accepts the statement, as its "
        "grammar is newer than sqlc's.",
        "The help of the message says how to fix it.",
        Example("-- name: Add :copyfrom\nINSERT INTO users (id, name) VALUES (@id, @name) ON CONFLICT DO NOTHING;\n"),
    ),
    Code.SQLC_CRASHED: Explanation(
        "sqlc crashed",
        "Two causes are known: a function that has OUT parameters and no RETURNS, and a VALUES list as a subquery in an expression.",
        "Add `RETURNS record` to the function, which means the same; write `SELECT` in place of `VALUES`.",
        Example(
            "-- name: Pair :one\nSELECT pair() AS pair;\n",
            "CREATE FUNCTION pair(OUT first int, OUT second int) LANGUAGE sql AS 'SELECT 1, 2';\n",
            setup=":",
        ),
    ),
}

PROVING: Mapping[Code, Explanation] = {
    Code.REFUSED_QUERY: Explanation(
        "A query that PostgreSQL refuses",
        "The query is analysed and planned by PostgreSQL at generate time, so it would fail in every execution.",
        "The message is PostgreSQL's; the caret shows the mistake, and the help suggests what was probably meant.",
        Example("-- name: Find :many\nSELECT id FROM users WHERE name > id;\n"),
    ),
    Code.REFUSED_SCHEMA: Explanation(
        "A schema file that PostgreSQL refuses",
        "The schema's files are executed in a scratch database, in order.",
        "Fix the statement that the message shows. [Servers](servers.md) describes how schema files are executed.",
        Example(schema="CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\nALTER TABLE users ADD CHECK (nam <> '');\n"),
    ),
    Code.UNPROVEN_ONE: Explanation(
        "A :one that may return several rows",
        "At most one row is not proven, so further rows would be ignored. A warning, or an error with `strict_one`.",
        "Compare a unique key by equality, or add LIMIT 1. If the first row will do, say why: `-- @one first reason`.",
        Example("-- name: FindUser :one\nSELECT id FROM users WHERE name = @name;\n", options="{strict_one: true}"),
    ),
    Code.REFUTED_CLAIM: Explanation(
        "A claim that a proof contradicts",
        "`@notnull` on a column that is NULL in every row.",
        "Remove the claim, or fix the query.",
        Example("-- @notnull nothing it is always there\n-- name: Nothing :one\nSELECT NULL::int AS nothing;\n"),
    ),
    Code.REDUNDANT_ANNOTATION: Explanation(
        "An annotation that changes nothing",
        "A proof already shows what the annotation claims or requests.",
        "Remove it.",
        Example("-- @notnull name users have names\n-- name: Names :many\nSELECT name FROM users;\n"),
    ),
    Code.CONTRADICTING_CLAIMS: Explanation(
        "Two claims that contradict each other",
        "A column is claimed both nullable and not null.",
        "Keep only one of them.",
        Example("-- @notnull nick always set\n-- @nullable nick\n-- name: Nicks :many\nSELECT nick FROM users;\n"),
    ),
    Code.INCOMPLETE_ANNOTATION: Explanation(
        "An annotation without all of its parts, or in another form",
        "`@notnull` needs a column and a reason, `@one` needs `exactly` or `first` and a reason; parameters are separated by commas.",
        "Write it in the form that the help shows.",
        Example("-- @notnull nick\n-- name: Nicks :many\nSELECT nick FROM users;\n"),
    ),
    Code.UNKNOWN_ANNOTATION: Explanation(
        "A word that is almost an annotation",
        "It is probably misspelt and would have no effect.",
        "Correct the spelling. A comment line that begins with any other `@word` is prose.",
        Example("-- @nulable nick\n-- name: Nicks :many\nSELECT nick FROM users;\n"),
    ),
    Code.MISPLACED_ANNOTATION: Explanation(
        "An annotation in the wrong place",
        "`@stream` applies to `:many`, `@one` to `:one`. A `:copyfrom` or `:batch…` sends one statement for all rows, "
        "so it has no variants. "
        "An annotation that is not directly above or below a name line, or is in a block comment, belongs to no query.",
        "Remove the annotation, move it, or change the command.",
        Example("-- @stream 100\n-- name: GetUser :one\nSELECT name FROM users WHERE id = @id;\n"),
    ),
    Code.NEEDLESS_NULL: Explanation(
        "A parameter that accepts None to no purpose",
        "`sqlc.narg` accepts None also where the value is written to a column, or cast to a domain, that refuses NULL, so that the call "
        "fails when it is made. "
        "A parameter of `@patch` or `@optional` that stands in `coalesce(sqlc.narg(x), x)` has two ways to leave the column as it is. "
        "A warning.",
        "Write `@name`, without `sqlc.narg` and without `coalesce`.",
        Example("-- name: Rename :exec\nUPDATE users SET name = sqlc.narg(name) WHERE id = @id;\n"),
    ),
    Code.ANNOTATION_WITHOUT_COLUMN: Explanation(
        "An annotation for a column that the query does not have",
        "`@notnull`, `@nullable` and `@json` name a column of the result, or for `@json` a parameter.",
        "Correct the name; the help lists the columns.",
        Example("-- @nullable nickname\n-- name: Nicks :many\nSELECT nick FROM users;\n"),
    ),
    Code.JSON_ON_OTHER_TYPE: Explanation(
        "@json on a column that is not JSON",
        "pydantic validates json, jsonb, and arrays of them.",
        "Use the option [`overrides`](options.md#overrides) for other types.",
        Example("-- @json name: shop.domain.Name\n-- name: Names :many\nSELECT name FROM users;\n"),
    ),
    Code.DECLARED_EXTENSION: Explanation(
        "A function of an extension that the embedded server only declares",
        "pgcrypto and uuid-ossp have their signatures there, which is enough for types and nullability, but are not installed.",
        "Nothing needs to be done. To prove on a server that has the extension, set `SQLWRIGHT_DATABASE_URL`.",
        Example(
            "-- name: Salt :one\nSELECT gen_salt('bf') AS salt;\n",
            "CREATE EXTENSION pgcrypto;\nCREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\n",
            environ=(("SQLWRIGHT_DATABASE_URL", ""),),
        ),
    ),
    Code.UNDETECTABLE_ABSENCE: Explanation(
        "An embedded row whose absence cannot be detected",
        "An outer join may find no row, and no column of the table is NOT NULL, so an absent row looks like a row of NULLs.",
        "Select the columns one by one, or add a NOT NULL constraint to the table.",
        Example(
            "-- name: Notes :many\nSELECT u.id, sqlc.embed(n) FROM users u LEFT JOIN notes n ON n.user_id = u.id;\n",
            "CREATE TABLE users (id bigint PRIMARY KEY);\nCREATE TABLE notes (user_id bigint, text text);\n",
        ),
    ),
}

GENERATING: Mapping[Code, Explanation] = {
    Code.NAME_COLLISION: Explanation(
        "Two things with the same Python name",
        "Two queries, classes, modules, fields or parameters would have the same name in the generated code.",
        "Rename one of them, in the SQL or with the option [`rename`](options.md#rename).",
        Example("-- name: GetUser :one\nSELECT 1 AS a;\n\n-- name: get_user :one\nSELECT 2 AS b;\n"),
    ),
    Code.NUMBERED_COLUMNS: Explanation(
        "Several columns with the same name",
        "A number is appended to the later ones: `id`, `id_2`. A warning.",
        "Rename them: `SELECT … AS other_name`.",
        Example("-- name: Pairs :many\nSELECT u.id, p.id FROM users u JOIN posts p ON p.author_id = u.id;\n"),
    ),
    Code.UNUSABLE_FIELD: Explanation(
        "A column that cannot be a field of the row class",
        "Named tuples and pydantic models reserve some names, such as `count` or `copy`.",
        "Rename it with `… AS other_name` or the option [`rename`](options.md#rename), or choose another [`model`](options.md#model).",
        Example("-- name: Totals :many\nSELECT id, 1 AS count FROM users;\n", options="{model: namedtuple}"),
    ),
    Code.WRONG_COMMAND: Explanation(
        "A command that does not suit the statement",
        "`:one` and `:many` need columns; `:execrows` needs a statement that reports a row count.",
        "Use the command that the help names, or add a RETURNING clause.",
        Example("-- name: Clear :execrows\nTRUNCATE posts;\n"),
    ),
    Code.NO_PYTHON_TYPE: Explanation(
        "A type that has no Python type",
        "The value is annotated `object`. A warning.",
        "Cast it to a type that has one, such as text, or set a class with the option [`overrides`](options.md#overrides).",
        Example("-- name: Any :one\nSELECT CASE WHEN @flag::bool THEN row(1) ELSE row('a'::text) END AS value;\n"),
    ),
}
