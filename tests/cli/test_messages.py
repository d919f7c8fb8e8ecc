"""Messages for bad queries: one project with a mistake of each kind, and all that is said of it in one run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.program import Sqlwright
from tests.support.small_project import declare, write_files

SCHEMA = """\
CREATE TYPE state AS ENUM ('new', 'open', 'done');
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text, state state NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, total numeric(10, 2) NOT NULL);
CREATE FUNCTION full_name(users) RETURNS text LANGUAGE sql RETURN $1.name;
"""
MISTAKES = {
    "Table": "SELECT id\nFROM usres",
    "QualifiedTable": "SELECT id FROM public.ordrs",
    "UnknownTable": "SELECT id FROM strangers",
    "Column": "SELECT id,\n       emial\nFROM users",
    "QualifiedColumn": "SELECT u.id, u.nmae FROM users u",
    "UnknownColumn": "SELECT o.colour FROM orders AS o",
    "InsertedColumn": "INSERT INTO users (id, nme) VALUES (@id, @name)",
    "MissingFrom": "SELECT u.name, o.total FROM users u WHERE o.user_id = u.id",
    "Alias": "SELECT user.id FROM users",
    "Function": "SELECT uper(name) AS name FROM users",
    "Arguments": "SELECT upper(id, name) AS name FROM users",
    "Type": "SELECT name::tetx AS name FROM users",
    "Label": "SELECT id FROM users WHERE state = 'opne'",
    "Ambiguous": "SELECT id FROM users JOIN orders ON user_id = users.id",
    "Grouping": "SELECT name, count(*) FROM users GROUP BY state",
    "TheEnd": "SELECT id FROM users WHERE",
    "Operator": "SELECT id FROM users WHERE id = name",
    "Collation": 'SELECT id FROM users ORDER BY name COLLATE "posix"',
}


QUERIES = "\n".join(f"-- name: {name} :many\n{sql};\n" for name, sql in MISTAKES.items())
WRONG = declare({"migrations/1_users.sql": SCHEMA, "queries/users.sql": QUERIES})


def test_every_mistake_is_shown_at_its_place_with_a_suggestion_in_one_run(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, WRONG)
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    expected = Path(__file__).with_name("messages.txt")
    assert done.err == expected.read_text(encoding="utf-8")


RECURSIVE = declare(
    {
        "migrations/1_nodes.sql": "CREATE TABLE nodes (id int PRIMARY KEY, parent int);\n",
        "queries/nodes.sql": """\
-- name: Ancestors :many
WITH RECURSIVE up AS (
    SELECT id, parent FROM nodes WHERE id = @id
    UNION ALL
    SELECT nodes.id, nodes.parent FROM nodes JOIN up ON up.parent = nodes.id
)
SELECT up.id FROM up;
""",
    }
)
QUALIFIED = declare({**RECURSIVE, "queries/nodes.sql": RECURSIVE["queries/nodes.sql"].replace("WHERE id =", "WHERE nodes.id =")})


def test_a_name_that_is_ambiguous_for_sqlc_alone_is_to_be_qualified_which_cures_it(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, RECURSIVE)
    done = sqlwright("generate")
    assert done.code == 1
    assert 'error: column reference "id" is ambiguous\n  --> queries/nodes.sql:3:' in done.err
    assert (
        "help: PostgreSQL accepts this query, and sqlc does not know which table `id` is of, here or elsewhere in the query: " in done.err
    )
    write_files(project, QUALIFIED)
    assert sqlwright("generate").code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "sqlc.yaml",
            b'version: "2"\n# caf\xe9\n',
            "error: sqlc.yaml is not UTF-8\n  --> sqlc.yaml\n  help: save the file as UTF-8.\n",
        ),
        ("sqlc.yaml", b'version: "2"\nsql: [\x00]\n', "error: sqlc.yaml is not valid YAML: "),
        (
            "sqlc.yaml",
            b'version: "2"\nsql:\n  - engine: postgresql\n   schema: x\n',
            "  --> sqlc.yaml:4:4\n    |\n  4 |    schema: x\n    |    ^\n",
        ),
    ],
)
def test_a_file_that_is_not_text_is_named(project: Path, sqlwright: Sqlwright, name: str, content: bytes, said: str) -> None:
    (project / name).write_bytes(content)
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert said in done.err
    assert "Traceback" not in done.err


def test_every_sql_file_that_is_not_text_is_named_in_one_run(project: Path, sqlwright: Sqlwright) -> None:
    queries = project / "queries"
    (project / "migrations/1_users.sql").write_bytes(b"\xef\xbb\xbfCREATE TABLE t (\nid int DEFAULT '\x00');\n")
    (queries / "latin.sql").write_bytes(b"-- name: A :one\nSELECT 'caf\xe9';\n")
    (queries / "folder.sql").mkdir()
    (queries / "gone.sql").symlink_to("nowhere")
    os.mkfifo(queries / "pipe.sql")
    Path(os.fsdecode(os.fsencode(queries) + b"/caf\xe9.sql")).touch()
    done = sqlwright("generate")
    assert (done.code, done.out) == (1, "")
    assert [line for line in done.err.splitlines() if line.startswith(("error: ", "  --> "))] == [
        r"error: the name of queries/caf\xe9.sql is not UTF-8",
        "error: migrations/1_users.sql begins with a byte order mark",
        "  --> migrations/1_users.sql:1:1",
        "error: migrations/1_users.sql contains a NUL byte, which SQL text cannot",
        "  --> migrations/1_users.sql:2:17",
        "error: queries/folder.sql is a folder, but its name ends with .sql",
        "  --> queries/folder.sql",
        "error: cannot read queries/gone.sql: No such file or directory",
        "  --> queries/gone.sql",
        "error: queries/latin.sql is not UTF-8: byte 0xe9",
        "  --> queries/latin.sql:2:12",
        "error: queries/pipe.sql is not a regular file, but its name ends with .sql",
        "  --> queries/pipe.sql",
    ]


NO_QUERY = declare({"migrations/1_users.sql": "", "queries/users.sql": "-- Later.\n"})


def test_a_folder_without_queries_is_an_error_at_the_key_that_names_it(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, NO_QUERY)
    done = sqlwright("generate")
    assert done.code == 1
    assert done.err.startswith("error: there is no query in queries\n  --> sqlc.yaml:9:14\n")
    assert done.err.endswith("\n\n1 error; nothing was written.\n")


def test_a_missing_folder_is_reported_with_its_key(project: Path, sqlwright: Sqlwright) -> None:
    (project / "migrations").rename(project / "elsewhere")
    done = sqlwright("generate")
    assert done.code == 1
    assert done.err == (
        "error: migrations does not exist\n"
        "  --> sqlc.yaml:8:13\n"
        "    |\n"
        "  8 |     schema: migrations\n"
        "    |             ^^^^^^^^^^\n"
        "  help: paths are relative to the folder of sqlc.yaml; create the folder, or correct `schema:`.\n"
        "\n1 error; nothing was written.\n"
    )


HIDDEN = declare(
    {
        "queries/users.sql": """\
-- name: Column :many
SELECT nme FROM users;

-- name: Command :two
SELECT id FROM users;

-- name: Twice :many
-- @nulable id
SELECT id FROM users;

-- name: Twice :many
SELECT name FROM users;

-- name: Copy :copyfrom
INSERT INTO users (id, name) VALUES (@id, 'x');

-- name: Good :many
SELECT id FROM users;

-- @stream
"""
    }
)
HIDDEN_BY_SYNTAX = declare(
    {
        "queries/users.sql": HIDDEN["queries/users.sql"],
        "queries/wrong.sql": "-- name: Syntax :many\nSELECT id FROM users WHERE;\n\n-- name: Other :three\nSELECT 1 AS one;\n",
    }
)


@pytest.mark.parametrize("files", [HIDDEN, HIDDEN_BY_SYNTAX], ids=["in a file that sqlc reads", "next to a syntax error"])
def test_errors_of_sqlc_hide_no_mistake_in_name_lines_and_annotations(project: Path, sqlwright: Sqlwright, files: dict[str, str]) -> None:
    write_files(project, files)
    done = sqlwright("generate")
    places = [line.split(":")[:2] for line in done.err.splitlines() if line.startswith("  --> queries/")]
    syntax = ["wrong.sql:2", "wrong.sql:4"] if files is HIDDEN_BY_SYNTAX else []
    expected = [*(f"users.sql:{line}" for line in (2, 4, 8, 11, 15, 20)), *syntax]
    assert [":".join(place).removeprefix("  --> queries/") for place in places] == expected
    for words in ("nme", ":two", "@nulable", "duplicate query name: Twice", ":copyfrom", "@stream is not in the comment"):
        assert words in done.err


HIDDEN_NAMES = declare(
    {
        "queries/users.sql": """\
-- name: Wrong :many
SELECT nme FROM users;

-- name: Streamed :one
-- @stream
SELECT id FROM users WHERE id = @id;

-- name: One :many
-- @one first any will do
SELECT id FROM users;

-- name: Optional :many
-- @optional nme
SELECT id FROM users WHERE name = @name;

-- name: Ordered :many
-- @order by_id
-- @order newest: created DESC
SELECT * FROM users ORDER BY id;

-- name: Claimed :many
-- @notnull nme always set
SELECT id, name FROM users;

-- name: Good :many
-- @optional name
-- @order by_id
-- @order by_name: lower(name), id
-- @notnull upper always set
SELECT id, upper(name) AS "upper!" FROM users WHERE name = @name ORDER BY id;

-- name: Numbered :many
-- @optional name
-- @notnull name always set
SELECT name FROM users WHERE name = $1;
"""
    }
)


def test_errors_of_sqlc_hide_no_wrong_name_and_no_wrong_command_of_an_annotation(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, HIDDEN_NAMES)
    done = sqlwright("generate")
    assert done.errors == [
        'PostgreSQL refuses query Wrong: column "nme" does not exist',
        "@stream on query Streamed, which is :one",
        "@one on query One, which is :many",
        "@optional on query Optional names `nme`, which is not one of its parameters",
        'query Ordered, @order newest: PostgreSQL refuses it: column "created" does not exist',
        "query Claimed claims @notnull for `nme`, which it does not return",
    ]


def test_errors_of_sqlc_hide_no_wrong_command_of_an_annotation_without_a_server(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, HIDDEN_NAMES)
    done = sqlwright("generate", SQLWRIGHT_DATABASE_URL="postgres://127.0.0.1:1/none")
    assert done.errors == [
        'column "nme" does not exist',
        "@stream on query Streamed, which is :one",
        "@one on query One, which is :many",
        "@optional on query Optional names `nme`, which is not one of its parameters",
    ]


JOINED = declare(
    {
        "queries/users.sql": """\
-- name: Equal :many
SELECT id FROM users
WHERE id=@id OR name=@name;

-- name: Less :many
SELECT id FROM users WHERE id <@x;

-- name: Set :exec
UPDATE users SET name=@name WHERE id = @id;

-- name: Joined :many
SELECT id FROM users WHERE id = 1 AND name||@y = 'a';

-- name: Column :many
SELECT nme FROM users WHERE id = 1 AND id=@id;
"""
    }
)
NO_SYNTAX_ERROR = declare({"queries/users.sql": JOINED["queries/users.sql"].replace("name=@name WHERE", "name = @name WHERE")})


@pytest.mark.parametrize("files", [JOINED, NO_SYNTAX_ERROR], ids=["refused by sqlc", "refused by PostgreSQL"])
def test_an_operator_directly_before_a_parameter_is_an_error_that_says_how_to_write_it(
    project: Path, sqlwright: Sqlwright, files: dict[str, str]
) -> None:
    write_files(project, files)
    lines = sqlwright("generate").err.splitlines()
    found = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    wanted = [
        ("PostgreSQL reads `=@` before `id` as one operator, and no parameter `@id`", "3:9", "write `id = @id` and `name = @name`."),
        ("PostgreSQL reads `<@` before `x` as one operator, and no parameter `@x`", "6:31", "write `< @x` if `x` is a parameter."),
        ("PostgreSQL reads `=@` before `name` as one operator, and no parameter `@name`", "9:22", "write `name = @name`."),
        ("PostgreSQL reads `||@` before `y` as one operator, and no parameter `@y`", "12:43", "write `name || @y`."),
        ('PostgreSQL refuses query Column: column "nme" does not exist', "15:8", "did you mean `name`?"),
    ]
    if files is NO_SYNTAX_ERROR:
        del wanted[2]
    places = [line.removeprefix("  --> queries/users.sql:") for line in lines if line.startswith("  --> ")]
    cures = [line.removeprefix("  help: ") for line in lines if line.startswith("  help: ")]
    assert list(zip(found, places, cures, strict=True)) == wanted


def test_an_operator_directly_before_a_parameter_is_named_without_a_server(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, JOINED)
    done = sqlwright("generate", SQLWRIGHT_DATABASE_URL="postgres://127.0.0.1:1/none")
    assert "error: PostgreSQL reads `=@` before `name` as one operator, and no parameter `@name`\n  --> queries/users.sql:9:22" in done.err
    assert "  help: write `name = @name`." in done.err


MORE_OPERATORS = declare(
    {
        "migrations/1_users.sql": """\
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, "Größe" int, tags text[] NOT NULL);
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql RETURN true;
CREATE OPERATOR =@ (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
""",
        "queries/users.sql": """\
-- name: Known :many
SELECT id FROM users WHERE id>=@id AND "Größe"=@g AND name||@b = 'a';

-- name: Contained :many
SELECT id FROM users WHERE tags<@@wanted;

-- name: Search :many
SELECT id FROM users WHERE to_tsvector(name) @@to_tsquery(@q);
""",
    }
)


def test_an_operator_with_an_at_sign_of_its_own_is_recognised_and_no_place_is_left_out(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, MORE_OPERATORS)
    lines = sqlwright("generate").err.splitlines()
    assert [line for line in lines if line.startswith(("error: ", "  help: "))] == [
        "error: PostgreSQL reads `>=@` before `id` as one operator, and no parameter `@id`",
        '  help: write `id >= @id` and `"Größe" = @g` if `g` is a parameter and `name || @b`.',
        "error: PostgreSQL reads `<@@` before `wanted` as one operator, and no parameter `@wanted`",
        "  help: write `tags <@ @wanted`.",
    ]


CURED = declare(
    {
        "queries/users.sql": """\
-- name: Typed :many
SELECT coalesce(@a::bigint, id) AS x, greatest(sqlc.arg(b)::bigint, id) AS y, CASE WHEN id > 1 THEN id ELSE @c::bigint END AS z FROM users;

-- name: Renamed :one
UPDATE users SET name = @name WHERE id = @id RETURNING old.name::text AS old_name, name;

-- name: Trimmed :many
SELECT id FROM users WHERE id = abs(id) LIMIT @max;
"""
    }
)


def test_what_the_messages_about_columns_of_the_result_suggest_compiles(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, CURED)
    assert sqlwright("generate").code == 0


NEWER_SYNTAX = declare(
    {
        "migrations/1_users.sql": """\
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text);
ALTER TABLE users ADD CONSTRAINT mailed NOT NULL email NOT VALID;
""",
        "queries/users.sql": """\
-- name: Rename :one
UPDATE users SET name = @name WHERE id = @id RETURNING WITH (OLD AS o) o.name::text AS before;
""",
    }
)


def test_syntax_that_is_newer_than_sqlc_is_not_blamed_on_postgresql(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, NEWER_SYNTAX)
    lines = sqlwright("generate").err.splitlines()
    assert [line for line in lines if line.startswith(("error: ", "  -->"))] == [
        'error: sqlc does not read this, which PostgreSQL 18 accepts: syntax error at or near "NOT"',
        "  --> migrations/1_users.sql:2:41",
    ]
    assert "write `DO $$ BEGIN …; END $$;` around the statement" in "\n".join(lines)
    schema = project / "migrations/1_users.sql"
    cured = schema.read_text(encoding="utf-8").replace("ALTER", "DO $$ BEGIN ALTER").replace("VALID;", "VALID; END $$;")
    schema.write_text(cured, encoding="utf-8")
    assert 'sqlc does not read this, which PostgreSQL 18 accepts: syntax error at or near "WITH"' in sqlwright("generate").err


REPEATED = declare(
    {
        "queries/users.sql": """\
-- name: Same :many
SELECT id FROM users;

-- name: Same :many
-- @notnull nme always set
SELECT id, name FROM users;

-- name: Same :many
SELECT nme FROM users;
"""
    }
)


def test_the_mistakes_of_each_query_with_the_same_name_are_reported(project: Path, sqlwright: Sqlwright) -> None:
    write_files(project, REPEATED)
    errors = sqlwright("generate").errors
    assert errors == [
        "duplicate query name: Same",
        "query Same claims @notnull for `nme`, which it does not return",
        "duplicate query name: Same",
        'PostgreSQL refuses query Same: column "nme" does not exist',
    ]
