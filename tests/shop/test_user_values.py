"""Value types accept exactly what their columns and rules allow."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.domain.result import Err, Ok
from shop.domain.values import EmailAddress, InvalidValue, NameChange, PasswordHash, PersonName, PhoneNumber

ATOMS = st.text("abcdefXYZ0189!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
LABELS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
LOCAL_PARTS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join)
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
ADDRESSES = st.tuples(LOCAL_PARTS, HOSTS).map("@".join)
BLANKS = st.text(" \t\n\r", max_size=3)
NAME_PARTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=100).filter(lambda t: t == t.strip())


@given(ADDRESSES, BLANKS, BLANKS)
def test_an_address_is_kept_as_written_without_surrounding_white_space(address: str, before: str, after: str) -> None:
    parsed = EmailAddress.parse(before + address + after)
    assert isinstance(parsed, Ok)
    assert parsed.value.text == str(parsed.value) == address


@given(ADDRESSES)
def test_an_address_equals_itself_in_every_case_and_hashes_alike(address: str) -> None:
    assert len({EmailAddress(address), EmailAddress(address.upper()), EmailAddress(address.lower()), EmailAddress(address.swapcase())}) == 1


@given(ADDRESSES, ADDRESSES)
def test_addresses_are_equal_only_if_they_differ_in_case(one: str, other: str) -> None:
    assert (EmailAddress(one) == EmailAddress(other)) is (one.lower() == other.lower())


def test_an_address_is_not_equal_to_its_text() -> None:
    assert EmailAddress("a@example.org") != "a@example.org"


@given(st.text(max_size=120))
def test_parsing_an_address_never_raises_and_agrees_with_the_constructor(text: str) -> None:
    match EmailAddress.parse(text):
        case Ok(email):
            assert EmailAddress(text.strip()) == email
        case Err(InvalidValue() as invalid):
            with pytest.raises(ValueError, match=f"^{invalid}$"):
                EmailAddress(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@", "a@", "@b.c", "a@b", "a b@c.d", "a@b..c", "a@.b.c", "a@b.c.", "a@-b.c", "a@b-.c", ".a@b.c", "a.@b.c", "a..b@c.d"),
        *("a@b@c.d", "a@b.c\n", " a@b.c", "a@b.c\x00", "é@b.c", "a@é.c", "\u212a@b.c"),
    ],
)
def test_an_address_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"e-mail address is not of the form name@host\.domain in ASCII"):
        EmailAddress(text)


def test_an_address_has_at_most_100_characters() -> None:
    host = "@" + ".".join(["h" * 33] * 2)
    assert len(EmailAddress("a" * 32 + host).text) == 100
    assert EmailAddress.parse("a" * 33 + host) == Err(InvalidValue("e-mail address", "is longer than 100 characters"))


def test_an_address_has_at_most_64_characters_before_the_at() -> None:
    assert isinstance(EmailAddress.parse("a" * 64 + "@b.org"), Ok)
    assert EmailAddress.parse("a" * 65 + "@b.org") == Err(InvalidValue("e-mail address", "has more than 64 characters before the @"))


@given(NAME_PARTS, NAME_PARTS, BLANKS)
def test_a_name_is_kept_as_written_without_surrounding_white_space(first: str, last: str, blanks: str) -> None:
    assert PersonName.parse(blanks + first, last + blanks) == Ok(PersonName(first, last))


@given(st.text(st.characters(categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=1))
def test_a_name_contains_no_control_character(character: str) -> None:
    assert unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
    assert PersonName.parse(f"A{character}B", "C") == Err(InvalidValue("first name", "contains a control character"))


def test_each_part_of_a_name_has_1_to_100_characters() -> None:
    assert isinstance(PersonName.parse("A" * 100, "B" * 100), Ok)
    assert PersonName.parse("A" * 101, "B") == Err(InvalidValue("first name", "is longer than 100 characters"))
    assert PersonName.parse("A", "B" * 101) == Err(InvalidValue("last name", "is longer than 100 characters"))
    assert PersonName.parse("A", " ") == Err(InvalidValue("last name", "is empty"))


@given(NAME_PARTS, NAME_PARTS, st.none() | NAME_PARTS, st.none() | NAME_PARTS)
def test_a_change_of_a_name_replaces_the_parts_that_it_has(first: str, last: str, new_first: str | None, new_last: str | None) -> None:
    changed = NameChange.parse(new_first, new_last)
    assert isinstance(changed, Ok)
    assert changed.value.applied_to(PersonName(first, last)) == PersonName(new_first or first, new_last or last)


def test_a_part_of_a_changed_name_is_valid() -> None:
    assert NameChange.parse(None, " ") == Err(InvalidValue("last name", "is empty"))
    assert NameChange.parse("A" * 101, None) == Err(InvalidValue("first name", "is longer than 100 characters"))
    with pytest.raises(ValueError, match="last name begins or ends with white space"):
        NameChange(last="B ")


def test_the_constructor_of_a_name_does_not_strip() -> None:
    with pytest.raises(ValueError, match="last name begins or ends with white space"):
        PersonName("A", "B ")


@pytest.mark.parametrize("text", ["112", "+44 20 7946 0018", "(030) 901820", "0049-30-901820", "030/90.18.20", "1" * 15])
def test_a_phone_number_is_digits_with_the_usual_separators(text: str) -> None:
    assert PhoneNumber.parse(f" {text} ") == Ok(PhoneNumber(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not made of digits and ( ) . / - with an optional + in front"),
        ("call me", "is not made of digits and ( ) . / - with an optional + in front"),
        ("12+34", "is not made of digits and ( ) . / - with an optional + in front"),
        ("١٢٣٤", "is not made of digits and ( ) . / - with an optional + in front"),
        ("12", "does not have 3 to 15 digits"),
        ("1" * 16, "does not have 3 to 15 digits"),
        ("1 " * 10 + "1", "is longer than 20 characters"),
    ],
)
def test_any_other_phone_number_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert PhoneNumber.parse(text) == Err(InvalidValue("phone number", reason))


@pytest.mark.parametrize("text", ["", "secret", "$", "$$", "$argon2id$", "$argon2id$has blank", "$argon2id$" + "x" * 246])
def test_a_plain_password_is_no_password_hash(text: str) -> None:
    with pytest.raises(ValueError, match="password hash is not a PHC string of at most 255 characters"):
        PasswordHash(text)


def test_a_password_hash_does_not_print_itself() -> None:
    hashed = PasswordHash("$argon2id$v=19$secret")
    assert "secret" not in f"{hashed} {hashed!r}"
