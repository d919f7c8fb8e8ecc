"""Names: whatever SQL calls a thing, Python gets a valid name of the right shape."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlwright.ir.naming import ClassName, ConstantName, Identifier, ModuleName, PythonName, distinct_members


@given(st.text())
@pytest.mark.parametrize("kind", [Identifier, ConstantName, ClassName])
def test_any_text_becomes_a_name_that_python_accepts(kind: type[Identifier | ConstantName | ClassName], text: str) -> None:
    name = kind.from_sql(text)
    assert name.isidentifier()
    assert not keyword.iskeyword(name)


@given(st.text())
def test_a_name_made_from_a_name_stays_as_it_is(text: str) -> None:
    name = Identifier.from_sql(text)
    assert Identifier.from_sql(name).rstrip("_") == name.rstrip("_")


@given(st.text("aisDIPRSUxs_1", min_size=1).map(lambda text: f"q{text}"))
def test_names_of_different_letters_stay_different(text: str) -> None:
    assert Identifier.from_sql(text).replace("_", "") == text.lower().replace("_", "")


@given(st.lists(st.text(max_size=4), unique=True))
def test_the_members_of_an_enum_are_distinct(labels: list[str]) -> None:
    names = distinct_members(tuple(labels))
    assert len(set(names)) == len(labels)


@pytest.mark.parametrize("text", ["", "1a", "a b", "class", "None", "a-b", "a$b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a usable Python name"):
        PythonName(text)


@pytest.mark.parametrize(
    ("sql", "python"),
    [
        ("user_id", "user_id"),
        ("userId", "user_id"),
        ("UserID", "user_id"),
        ("GetURLById", "get_url_by_id"),
        ("GetByIDs", "get_by_ids"),
        ("listURLs", "list_urls"),
        ("IDsByUser", "ids_by_user"),
        ("ListAPIs", "list_apis"),
        ("ListAPIsByUser", "list_apis_by_user"),
        ("CPUsOfHost", "cpus_of_host"),
        ("V2IDs3", "v2_ids3"),
        ("URLIsValid", "url_is_valid"),
        ("GetURLAsText", "get_url_as_text"),
        ("IDSet", "id_set"),
        ("class", "class_"),
        ("In", "in_"),
        ("2fa", "n_2fa"),
        ("weird name!", "weird_name"),
        ("a$b", "a_b"),
        ('say "hi"', "say_hi"),
        ("?column?", "column"),
        ("", "column"),
        ("_id", "id"),
        ("été", "été"),
        ("id", "id"),
    ],
)
def test_identifiers(sql: str, python: str) -> None:
    assert Identifier.from_sql(sql) == python


@pytest.mark.parametrize(
    ("table", "python"),
    [
        ("users", "User"),
        ("order_items", "OrderItem"),
        ("addresses", "Address"),
        ("status", "Status"),
        ("people", "Person"),
        ("2fa_codes", "N2faCode"),
        ("userIDs", "UserID"),
    ],
)
def test_a_row_class_is_the_table_in_the_singular(table: str, python: str) -> None:
    assert ClassName.from_table(table) == python


@pytest.mark.parametrize(
    ("file", "python"),
    [
        ("users.sql", "users"),
        ("queries/user-orders.sql", "user_orders"),
        ("class.sql", "class_"),
        ("models.sql", "models_"),
        ("aio.sql", "aio_"),
    ],
)
def test_modules(file: str, python: str) -> None:
    assert ModuleName.from_file(file) == python


@pytest.mark.parametrize(
    ("labels", "python"),
    [
        (("sad", "very happy"), ("SAD", "VERY_HAPPY")),
        (("a-b", "a_b", "a_b_2"), ("A_B", "A_B_3", "A_B_2")),
        (("",), ("EMPTY",)),
        (("1st",), ("N_1ST",)),
    ],
)
def test_enum_members(labels: tuple[str, ...], python: tuple[str, ...]) -> None:
    assert distinct_members(labels) == python
