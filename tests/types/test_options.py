"""Options that shape types, run: each is what docs/options.md says of it."""

from __future__ import annotations

import dataclasses
import sys
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel, ValidationError

from tests.support.annotations import result_fits
from tests.support.projects import Compiler, Project, Source, declare

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS text;
CREATE TYPE point3 AS (x int, y int, z int);
CREATE TABLE customers (
    id int PRIMARY KEY, mail email NOT NULL, mood mood, tags text[] NOT NULL, settings jsonb NOT NULL, mac macaddr, mails email[],
    pos point3, price numeric NOT NULL
);
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, data jsonb);
"""
QUERIES = """
-- name: add :one
INSERT INTO customers (id, mail, mood, tags, settings, mac, mails, pos, price)
VALUES (@id, @mail, @mood, @tags, @settings, @mac, @mails, @pos, @price) RETURNING *;

-- name: by_mail :many
SELECT id, mail FROM customers WHERE mail = @mail;

-- name: by_ids :many
SELECT id FROM customers WHERE id IN (sqlc.slice(ids)) ORDER BY id;

-- name: not_by_ids :many
SELECT id FROM customers WHERE id NOT IN (sqlc.slice(ids)) AND id > @least ORDER BY id;

-- name: add_order :exec
INSERT INTO orders (id, customer, data) VALUES (@id, @customer, @data);

-- name: orders :many
SELECT sqlc.embed(orders), sqlc.embed(customers) FROM customers LEFT JOIN orders ON orders.customer = customers.id;
"""
USER_TYPES = """
from dataclasses import dataclass
from decimal import Decimal
from typing_extensions import TypedDict


@dataclass(frozen=True)
class Email:
    text: str

    @classmethod
    def parse(cls, text: str) -> "Email":
        return cls(text)


def email_text(email: Email) -> str:
    return email.text


class Mac(str):
    pass


class Money:
    def __init__(self, amount: Decimal) -> None:
        self.amount = amount


def amount(money: Money) -> Decimal:
    return money.amount


@dataclass
class Settings:
    theme: str
    sizes: set[int]


class Data(TypedDict):
    note: str
"""


PLAIN = declare(SCHEMA, QUERIES)
MODELS = {model: declare(SCHEMA, QUERIES, model=model) for model in ("dataclass", "frozen", "namedtuple", "pydantic")}


@pytest.fixture(scope="module", autouse=True)
def user_types(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("user")
    (folder / "user_types.py").write_text(USER_TYPES)
    sys.path.insert(0, str(folder))
    return __import__("user_types")


def values(project: Project) -> dict[str, Any]:
    mood = project.module("enums").Mood
    return {
        "id": 1, "mail": "a@b", "mood": mood.HAPPY, "tags": ["x"], "settings": {"theme": "dark"}, "mac": "08:00:2b:01:02:03",
        "mails": ["c@d"], "pos": project.module("models").Point3(x=1, y=2, z=None), "price": 3,
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_of_the_kind_that_model_sets(compiler: Compiler, model: str) -> None:
    project = compiler.compile(MODELS[model])
    queries, sent = project.module("queries"), values(project)
    with project.connect() as conn:
        row = queries.add(conn, **sent)
        assert {name: getattr(row, name) for name in sent} == sent
        queries.add_order(conn, id=1, customer=1, data=None)
        (joined,) = queries.orders(conn)
        assert joined.customers == row
        assert joined.orders.id == 1
    match model:
        case "dataclass":
            row.id = 2
        case "frozen":
            with pytest.raises(dataclasses.FrozenInstanceError):
                row.id = 2
        case "namedtuple":
            assert (isinstance(row, tuple), row[0]) == (True, 1)
        case _:
            assert isinstance(row, BaseModel)
            assert row.model_dump(mode="json")["mood"] == "happy"


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity"])
def test_a_pydantic_model_holds_a_number_that_is_not_finite(pydantic_project: Project, price: str) -> None:
    with pydantic_project.connect() as conn:
        row = pydantic_project.module("queries").add(conn, **(values(pydantic_project) | {"price": Decimal(price)}))
    assert str(row.price) == price


@pytest.fixture(scope="module")
def pydantic_project(compiler: Compiler) -> Project:
    return compiler.compile(MODELS["pydantic"])


SQLC_GEN_PYTHON = declare(SCHEMA, QUERIES, emit_pydantic_models=True, emit_str_enum=False, emit_exact_table_names=True)


def test_sqlc_gen_pythons_names_of_options_mean_the_same(compiler: Compiler) -> None:
    project = compiler.compile(SQLC_GEN_PYTHON)
    models, mood = project.module("models"), project.module("enums").Mood
    assert issubclass(models.Customers, BaseModel)
    assert [base.__name__ for base in mood.__bases__] == ["str", "Enum"]
    with project.connect() as conn:
        assert project.module("queries").add(conn, **values(project)).mood is mood.HAPPY


OVERRIDDEN = declare(
    SCHEMA,
    QUERIES,
    overrides=[
        {
            "column": "customers.mail",
            "python_type": "user_types.Email",
            "to_python": "user_types.Email",
            "from_python": "user_types.email_text",
        },
        {"db_type": "macaddr", "python_type": "user_types.Mac"},
        {"column": "*.price", "python_type": "user_types.Money", "from_python": "user_types.amount"},
    ],
    rename={"customers": "Client", "tags": "labels", "id": "key", "mood": "Feeling", "data": "note"},
)


def test_overrides_convert_both_ways(compiler: Compiler, user_types: Any) -> None:
    project = compiler.compile(OVERRIDDEN)
    queries, email = project.module("queries"), user_types.Email("a@b")
    assert hasattr(project.module("enums"), "Feeling")
    sent: dict[str, Any] = {
        "key": 1, "mail": email, "mood": None, "labels": [], "settings": {}, "mac": None, "mails": None, "pos": None,
        "price": user_types.Money(4),
    }  # fmt: skip
    with project.connect() as conn:
        row = queries.add(conn, **sent)
        assert type(row).__name__ == "Client"
        assert (row.key, row.mail, row.labels, row.mac, row.price.amount) == (1, email, [], None, 4)
        sent |= {"key": 2, "mac": user_types.Mac("08:00:2b:01:02:03")}
        assert type(queries.add(conn, **sent).mac) is user_types.Mac
        assert [found.mail for found in queries.by_mail(conn, mail=email)] == [email, email]


VALIDATED = declare(
    SCHEMA,
    QUERIES.replace("-- name: add_order :exec", "-- @json data: user_types.Data\n-- name: add_order :exec"),
    json={"customers.settings": "user_types.Settings"},
)


def test_json_is_validated_in_and_out(compiler: Compiler, user_types: Any) -> None:
    project = compiler.compile(VALIDATED)
    queries, sent = project.module("queries"), values(project)
    sent["settings"] = user_types.Settings(theme="dark", sizes={1, 2})
    with project.connect() as conn:
        assert queries.add(conn, **sent).settings == sent["settings"]
        queries.add_order(conn, id=1, customer=1, data={"note": "x"})
        with pytest.raises(ValidationError):
            queries.add_order(conn, id=2, customer=1, data={"nothing": 1})
        conn.execute("UPDATE customers SET settings = '{}'")
        with pytest.raises(ValidationError):
            queries.orders(conn)


NEW_TYPES = declare(SCHEMA, QUERIES, domains="newtype")


def test_a_domain_can_be_a_type_of_its_own(compiler: Compiler) -> None:
    project = compiler.compile(NEW_TYPES)
    annotations = project.module("models").Customer.__annotations__
    email: Any = project.module("models").Email
    assert annotations["mail"] is email
    assert str(annotations["mails"]).endswith("models.Email] | None")
    assert project.module("queries").by_mail.__annotations__["mail"] is email


NULLABLE_ELEMENTS = declare(SCHEMA, QUERIES, array_elements="nullable")


def test_stored_arrays_may_be_declared_to_contain_null(compiler: Compiler) -> None:
    project = compiler.compile(NULLABLE_ELEMENTS)
    queries, sent = project.module("queries"), values(project)
    assert project.module("models").Customer.__annotations__["tags"] == list[str | None]
    assert queries.add.__annotations__["tags"] == list[str | None]
    with project.connect() as conn:
        assert queries.add(conn, **(sent | {"tags": [None, "a"]})).tags == [None, "a"]


CONSTRAINED = declare(
    "CREATE TABLE lists (plain text[] NOT NULL, filled text[] NOT NULL CHECK (array_position(filled, NULL) IS NULL));",
    "-- name: add :one\nINSERT INTO lists (plain, filled) VALUES (@plain, @filled) RETURNING *;\n",
    array_elements="nullable",
)


def test_an_array_whose_nulls_a_constraint_refuses_is_without_none(compiler: Compiler) -> None:
    project = compiler.compile(CONSTRAINED)
    add, row = project.module("queries").add, project.module("models").List
    for types in (add.__annotations__, row.__annotations__):
        assert [types[name] for name in ("plain", "filled")] == [list[str | None], list[str]]


DOMAINS = {
    domains: declare(
        """
CREATE DOMAIN numbers AS int[];
CREATE TYPE pair AS (own numbers, plain int[]);
CREATE TABLE lists (id int PRIMARY KEY, own numbers NOT NULL, many numbers[] NOT NULL, two pair);
""",
        """
-- name: all_of :many
SELECT *, (two).own AS part FROM lists;

-- name: add :one
INSERT INTO lists (id, own, many) VALUES (@id, @own, '{}') RETURNING own;
""",
        array_elements="nullable",
        domains=domains,
    )
    for domains in ("base", "newtype")
}


@pytest.mark.parametrize("domains", DOMAINS)
def test_a_domain_over_an_array_may_hold_null_as_other_stored_arrays_do(compiler: Compiler, domains: str) -> None:
    project = compiler.compile(DOMAINS[domains])
    functions = project.module("queries")
    with project.connect() as conn:
        added = functions.add(conn, id=1, own=[None, 1])
        assert result_fits(functions.add, added)
        assert added == [None, 1]
        conn.execute("UPDATE lists SET many = ARRAY['{NULL}', '{2}', NULL]::numbers[], two = row('{NULL,1}', '{NULL}')")
        (row,) = functions.all_of(conn)
        assert result_fits(functions.all_of, [row])
        assert (row.own, row.many, row.part) == ([None, 1], [[None], [2], None], [None, 1])


STRICT_DOMAINS = declare(
    """
CREATE DOMAIN present AS text NOT NULL;
CREATE DOMAIN presents AS present[];
CREATE TABLE lists (id int PRIMARY KEY, plain text[] NOT NULL, strict present[] NOT NULL, domain presents NOT NULL);
""",
    "-- name: add :one\nINSERT INTO lists (id, plain, strict, domain) VALUES (@id, @plain, @strict, @domain) RETURNING *;\n",
    array_elements="nullable",
)


def test_an_array_of_a_domain_that_refuses_null_is_sent_without_none(compiler: Compiler) -> None:
    project = compiler.compile(STRICT_DOMAINS)
    add = project.module("queries").add
    sent = ("plain", "strict", "domain")
    assert [add.__annotations__[name] for name in sent] == [list[str | None], list[str], list[str]]
    with project.connect() as conn:
        found = add(conn, id=1, plain=[None], strict=["a"], domain=["b"])
        assert [getattr(found, name) for name in sent] == [[None], ["a"], ["b"]]
        with pytest.raises(psycopg.errors.NotNullViolation):
            add(conn, id=2, plain=[], strict=[None], domain=[])


NARROWED = """
-- name: settled :many
{annotation}SELECT * FROM customers WHERE mood IS NOT NULL AND mac IS NOT NULL;

-- name: all_customers :many
SELECT * FROM customers;

-- name: unsettled :many
SELECT c.* FROM orders o LEFT JOIN customers c ON c.id = o.customer;
"""
OF_THE_TABLE = declare(SCHEMA, NARROWED.format(annotation=""))
NARROW = [
    declare(SCHEMA, NARROWED.format(annotation=""), narrow_rows=True),
    declare(SCHEMA, NARROWED.format(annotation="-- @narrow\n")),
    declare(SCHEMA, NARROWED.format(annotation="-- @notnull pos the place is always known\n")),
]


def test_rows_of_which_conditions_prove_more_are_of_the_tables_class_unless_the_narrower_one_is_asked_for(compiler: Compiler) -> None:
    def returned(source: Source) -> tuple[str, Any]:
        project = compiler.compile(source)
        assert "warning" not in project.stderr
        queries = project.module("queries")
        assert queries.all_customers.__annotations__["return"].__args__[0].__name__ == "Customer"
        assert queries.unsettled.__annotations__["return"].__args__[0].__name__ == "UnsettledRow"
        (row,) = queries.settled.__annotations__["return"].__args__
        with project.connect() as conn:
            conn.execute("INSERT INTO customers VALUES (1, '', 'sad', '{}', '1', '08:00:2b:01:02:03', NULL, NULL, 1)")
            (found,) = queries.settled(conn)
            assert found.mood is project.module("enums").Mood.SAD
            assert isinstance(found, row)
        return row.__name__, row.__annotations__["mood"]

    sharp = [returned(source) for source in NARROW]
    assert returned(OF_THE_TABLE)[0] == "Customer"
    assert [name for name, _ in sharp] == ["SettledRow"] * 3
    assert [annotation.__name__ for _, annotation in sharp] == ["Mood"] * 3


NEEDLESS = declare(SCHEMA, "-- name: all_customers :many\n-- @narrow\nSELECT * FROM customers;\n")


def test_narrowing_what_is_not_narrower_is_redundant(compiler: Compiler) -> None:
    project = compiler.compile(NEEDLESS)
    assert "@narrow on query all_customers is redundant" in project.stderr


WITHOUT_MODELS = declare(SCHEMA, "-- name: one :one\nSELECT 1 AS one;\n")
EVERY_MODEL = declare(SCHEMA, "-- name: one :one\nSELECT 1 AS one;\n", omit_unused_models=False)


def test_unused_models_are_there_on_request(compiler: Compiler) -> None:
    without = compiler.compile(WITHOUT_MODELS)
    assert not (without.folder / without.package / "models.py").exists()
    models = compiler.compile(EVERY_MODEL).module("models")
    assert {"Customer", "Order", "Point3"} <= set(dir(models))


def test_slices_are_arrays(compiler: Compiler) -> None:
    project = compiler.compile(PLAIN)
    queries, sent = project.module("queries"), values(project)
    with project.connect() as conn:
        for number in (1, 2, 3):
            queries.add(conn, **(sent | {"id": number}))
        assert queries.by_ids(conn, ids=[1, 3, 9]) == [1, 3]
        assert queries.by_ids(conn, ids=[]) == []
        assert queries.not_by_ids(conn, ids=[2], least=0) == [1, 3]
        assert queries.not_by_ids(conn, ids=[], least=1) == [2, 3]


_UNKNOWN = ("CREATE TABLE t (id int PRIMARY KEY, size pg_catalog.pg_brin_bloom_summary);", "-- name: sizes :many\nSELECT size FROM t;\n")
UNKNOWN = declare(*_UNKNOWN)
KNOWN = declare(*_UNKNOWN, overrides=[{"db_type": "pg_brin_bloom_summary", "python_type": "str"}])


def test_an_unknown_type_is_object_until_it_is_overridden(compiler: Compiler) -> None:
    project = compiler.compile(UNKNOWN)
    assert "has type pg_brin_bloom_summary, which has no Python type: it is annotated `object`" in project.stderr
    assert project.module("queries").sizes.__annotations__["return"] == list[object]
    cured = compiler.compile(KNOWN)
    assert cured.stderr.count("warning") == 0
    assert cured.module("queries").sizes.__annotations__["return"] == list[str | None]


_SHELVES = "CREATE TABLE shelves (id int PRIMARY KEY, many jsonb[] NOT NULL, more json[]);"
_ADD_SHELF = "-- name: add_shelf :one\nINSERT INTO shelves (id, many, more) VALUES (@id, @many, @more) RETURNING many, more;\n"
JSON_ARRAYS = {
    "column": declare(_SHELVES, _ADD_SHELF, json={"shelves.*": "user_types.Settings"}),
    "annotation": declare(_SHELVES, f"-- @json many: user_types.Settings\n-- @json more: user_types.Settings\n{_ADD_SHELF}"),
}


@pytest.mark.parametrize("by", JSON_ARRAYS)
def test_each_element_of_an_array_of_json_is_validated_in_and_out(compiler: Compiler, user_types: Any, by: str) -> None:
    project = compiler.compile(JSON_ARRAYS[by])
    add, dark = project.module("queries").add_shelf, user_types.Settings(theme="dark", sizes={1, 2})
    assert add.__annotations__["many"] == list[user_types.Settings]
    with project.connect() as conn:
        found = add(conn, id=1, many=[dark, dark], more=[])
        assert (found.many, found.more) == ([dark, dark], [])
        assert add(conn, id=2, many=[], more=None).more is None
        with pytest.raises(ValidationError):
            add(conn, id=3, many=[dark, {"theme": 1}], more=None)
        conn.execute("CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.many = '{1}'; RETURN NEW; END $$")
        conn.execute("CREATE TRIGGER spoil BEFORE INSERT ON shelves FOR EACH ROW EXECUTE FUNCTION spoil()")
        with pytest.raises(ValidationError):
            add(conn, id=4, many=[dark], more=None)


NULLABLE_JSON = declare(
    "CREATE TABLE shelves (id int PRIMARY KEY, many jsonb[] NOT NULL);",
    "-- name: add_shelf :one\nINSERT INTO shelves (id, many) VALUES (@id, @many) RETURNING many;\n",
    json={"shelves.many": "user_types.Settings"},
    array_elements="nullable",
)


def test_elements_of_an_array_of_json_may_be_null_with_the_option(compiler: Compiler, user_types: Any) -> None:
    project = compiler.compile(NULLABLE_JSON)
    dark = user_types.Settings(theme="dark", sizes={1, 2})
    with project.connect() as conn:
        assert project.module("queries").add_shelf(conn, id=1, many=[None, dark]) == [None, dark]


BOXES = declare(
    "CREATE TABLE boxes (id int PRIMARY KEY, tags text[]);",
    """
-- name: returned :many
UPDATE boxes SET id = id WHERE tags IS NOT NULL RETURNING tags;

-- name: deleted :many
DELETE FROM boxes WHERE tags IS NOT NULL RETURNING tags;
""",
    array_elements="nullable",
)


def test_stored_arrays_may_contain_null_where_a_condition_proves_the_array_not_null(compiler: Compiler) -> None:
    project = compiler.compile(BOXES)
    annotations = [getattr(project.module("queries"), name).__annotations__["return"] for name in ("returned", "deleted")]
    assert annotations == [list[list[str | None]]] * 2
