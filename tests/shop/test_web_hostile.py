"""Requests that are made to be expensive: whatever is in them, the answer is short, and is no defect."""

from __future__ import annotations

import itertools
import json
import re
import string
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shop.web.middleware import Limited, Limits
from tests.support.examples import examples_of

from .web import LINE, PASSWORD, open_web, problem

pytestmark = [pytest.mark.long, pytest.mark.programs]

LIMIT: Final = Limits().body
MAX_ANSWER: Final = 32_768
# What the server accepts of the headers of a request, its target included.
HEADERS: Final = 65_536
ALPHABET = string.ascii_letters + string.digits

# --- Bodies -------------------------------------------------------------------------------------------------------------

LINE_TEXT = json.dumps(LINE, separators=(",", ":"))
# Values that a parser or a validator has work with, most of them short, so that a body has many.
ATOMS = [
    *("{}", "[]", "0", '""', "null", "1.5", "1.0", "1e9", "1e22", "-0.0", "0e0", "1e-999", "1e999", "0e99999999999999999999"),
    *("1e-99999999999999999999", "9" * 17 + ".0", "9" * 300, "9" * 4300, "9" * 4301, "0." + "0" * 5000 + "1", "1" + "0" * 400 + ".0"),
    *('{"a":0}', '{"a":0,"a":0}', '{"":{}}', '{"sku":0}', "[[]]", '"\\u0000"', '"\\ud800"', '"~/"', '"\\\\"', '"' + "x" * 1001 + '"'),
    *('{"\\ud800":0}', LINE_TEXT, LINE_TEXT[:-1] + ',"x":0}', '{"unit_price":{"a":0,"b":1}}'),
]
# What an unknown name, or a text, is made of.
LETTERS = ["a", "~", "/", "\\n", '\\"', "\\u0001", "\\ud800", "é", "\U0001f600"]
PLACES = ["{0}", '{{"user_id":"{1}","lines":{0}}}', '{{"user_id":{0},"lines":[]}}', '{{"email":{0},"password":{0}}}', '{{"role":{0}}}']


def repeated(part: str, room: int) -> str:
    """Return a list of as many of these values as there is room for."""
    return "[" + ",".join([part] * max(1, room // (len(part.encode()) + 1))) + "]"


def nested(part: str, room: int) -> str:
    """Return a value within as many others as there is room for, or as a parser's stack has, more or less."""
    depth = min(room // 6, 900 + room % 100)
    return '{"a":' * depth + part + "}" * depth


def deep(_: str, room: int) -> str:
    return "[" * room


def unknown(part: str, room: int) -> str:
    """Return an object of as many different names as there is room for."""
    return "{" + ",".join(f'"{name}":{part}' for name in names(room, len(part) + 4)) + "}"


def twice(part: str, room: int) -> str:
    """Return an object that has each of many names twice."""
    return "{" + ",".join(f'"{name}":{part},"{name}":0' for name in names(room, len(part) + 12)) + "}"


def in_lines(part: str, room: int) -> str:
    """Return a hundred lines of an order, each with many unknown names."""
    added = "".join(f',"{name}":{part}' for name in names(room // 100 - len(LINE_TEXT) - 2, len(part) + 4))
    return "[" + ",".join([f"{LINE_TEXT[:-1]}{added}}}"] * 100) + "]"


def names(room: int, added: int) -> Iterator[str]:
    every = ("".join(each) for length in itertools.count(1) for each in itertools.product(ALPHABET, repeat=length))
    for name in every:
        room -= len(name) + added
        if room < 0:
            return
        yield name


def long_name(letter: str, room: int) -> str:
    return f'{{"{letter * (room // len(letter.encode()))}":0}}'


def long_name_twice(letter: str, room: int) -> str:
    name = letter * (room // 2 // len(letter.encode()))
    return f'{{"{name}":0,"{name}":0}}'


def long_text(letter: str, room: int) -> str:
    return f'"{letter * (room // len(letter.encode()))}"'


SHAPES: dict[Callable[[str, int], str], list[str]] = {
    **dict.fromkeys((repeated, nested, deep, unknown, twice, in_lines), ATOMS),
    **dict.fromkeys((long_name, long_name_twice, long_text), LETTERS),
}


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Generate bodies near the limit, with a place for the id of a user."""
    shape = draw(st.sampled_from(list(SHAPES)))
    part = draw(st.sampled_from(SHAPES[shape]))
    room = draw(st.integers(1000, LIMIT // 2 - 500) | st.just(LIMIT // 2 - 500))
    place = draw(st.sampled_from(PLACES))
    return place.format(shape(part, room * (1 if place.count("{0}") > 1 else 2)), "{1}")


def is_bounded(answer: httpx.Response) -> None:
    """Check that an answer is short, and says what is wrong if anything is."""
    assert len(answer.content) <= MAX_ANSWER
    if answer.is_success:
        return
    status, kind = problem(answer)
    assert status < 500, kind
    errors: list[dict[str, str]] = answer.json().get("errors", [])
    assert len(errors) <= 20
    assert all(len(each["at"]) <= 1000 and len(each["reason"]) <= 300 for each in errors)
    assert all(re.fullmatch("(?:/(?:[^~/]|~[01])*)*", each["at"]) for each in errors)


async def test_the_answer_to_any_body_is_short(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        headers = {**ada.headers, "Content-Type": "application/json"}
        operations = [("POST", path) for path in ("/orders", "/users", "/sessions", "/sessions/refresh")]
        operations += [("PUT", f"/users/{ada.id}/password"), ("PUT", f"/users/{ada.id}/role"), ("PATCH", f"/users/{ada.id}")]
        every = [shape(part, LIMIT - 200) for shape, parts in SHAPES.items() for part in parts]
        lines = [PLACES[1].format(each, ada.id) for each in every if len(each) < LIMIT]
        for number, body in enumerate([*lines, *every, *examples_of(bodies(), 200)]):
            content = body.replace("{1}", ada.id).encode()
            method, path = operations[0 if number < len(lines) else number % len(operations)]
            answer = await web.client.request(
                method, path, headers={**headers, "If-Match": "*"} if method != "POST" else headers, content=content
            )
            is_bounded(answer)
            assert (answer.status_code == 413) == (len(content) > LIMIT)


async def test_the_number_of_lines_is_looked_at_before_the_lines(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        for line in ({}, 0, LINE):
            refused = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [line] * 101})
            assert problem(refused) == (422, "invalid-request")
            assert [each["at"] for each in refused.json()["errors"]] == ["/body/lines"]


async def test_names_that_are_nested_nearly_as_deeply_as_the_parser_allows_are_no_defects(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        headers = {**ada.headers, "Content-Type": "application/json"}
        for depth in range(850, 1000, 3):
            content = f'{{"role": {"[" * depth}{"]" * depth}}}'
            answer = await web.client.put(f"/users/{ada.id}/role", headers=headers, content=content)
            assert answer.status_code in {400, 422}


async def test_no_body_needs_more_than_a_thousand_numbers_with_a_point_or_an_exponent(database_url: str) -> None:
    async with open_web(database_url) as web:
        for number, is_many in ((999, False), (1001, True)):
            numbers = ",".join(f"{each}.5" for each in range(number))
            content = f'{{"email": "a@b.example", "password": "b", "x": [{numbers}]}}'
            refused = await web.client.post("/sessions", headers={"Content-Type": "application/json"}, content=content)
            assert problem(refused) == (422, "invalid-request")
            reasons = {each["reason"] for each in refused.json()["errors"]}
            assert ("has more than 1000 numbers with a point or an exponent" in reasons) == is_many


async def test_a_problem_says_that_it_does_not_list_all_invalid_parts(database_url: str) -> None:
    async with open_web(database_url) as web:
        body = {"first_name": "A", "last_name": "B", "email": f"{uuid.uuid4()}@example.org", "password": PASSWORD}
        for number, is_complete in ((20, True), (21, False), (5000, False)):
            refused = await web.client.post("/users", json={**body, **{f"x{each}": each for each in range(number)}})
            assert problem(refused) == (422, "invalid-request")
            document = refused.json()
            assert document["detail"].endswith("its description" if is_complete else "these are 20 of its invalid parts")
            assert [each["at"] for each in document["errors"]] == [f"/body/x{each}" for each in range(20)]
        schema: dict[str, Any] = web.app.openapi()["components"]["schemas"]["ProblemDetails"]["properties"]["errors"]
        assert schema["anyOf"][0]["maxItems"] == 20


# --- Queries and headers ------------------------------------------------------------------------------------------------


def filled(part: str, room: int = HEADERS - 2000) -> str:
    return part * (room // len(part))


QUERIES = [
    "&".join(names(HEADERS - 2000, 1)),
    *(filled(part) for part in ("&", "a&", "=&", "role=x&", "role=clerk&", "size=1&", "~", "%01", "%FF", "%ED%A0%80", "%C3%A9")),
    *(
        f"{name}={filled(part)}"
        for name in ("part", "size", "cursor", "role", "sort", "registered_since")
        for part in ("a", "9", "%00", "%FF")
    ),
    "&".join(f"role={each}" for each in ["x"] * 99),
    "&".join(f"{each}=~" for each in itertools.islice(names(HEADERS, 1), 100)),
]


async def test_the_answer_to_any_query_is_short(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        for query in QUERIES:
            for path in ("/users", f"/users/{ada.id}", "/.well-known/jwks.json"):
                answer = await ada("GET", f"{path}?{query}")
                is_bounded(answer)
            many = await web.client.get(f"/livez?{query}")
            assert many.status_code == (422 if query.count("&") >= 100 else 200)
        assert problem(await ada("GET", "/users", params={"role": ["customer"] * 21})) == (422, "invalid-request")


HEADER_VALUES = [
    filled(part) for part in ('"1",', ",", " ,", 'W/"1",', '"', "\\", '\\"', "a;", ";charset=", "[", "é", "0", "127.0.0.1,", "=")
]
HEADER_NAMES = [
    *("If-Match", "If-None-Match", "Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key"),
    *("User-Agent", "X-Forwarded-For", "traceparent"),
]


async def test_the_answer_to_any_header_is_short(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        for name, value in itertools.product(HEADER_NAMES, HEADER_VALUES):
            for prefix in ("", '"1"', "Bearer "):
                sent = {"Content-Type": "application/json", **ada.headers, "If-Match": '"9"', name: prefix + value}
                headers = {each.encode(): text.encode("latin-1") for each, text in sent.items()}
                is_bounded(await web.client.patch(f"/users/{ada.id}", headers=headers, content=b'{"last_name": "Hopper"}'))


async def test_no_cookie_reaches_the_framework_which_would_parse_it(database_url: str) -> None:
    received = list[list[tuple[bytes, bytes]]]()

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(Request(scope).headers.raw)
        await Response()(scope, receive, send)

    async with open_web(database_url) as web:
        app = Limited(answered, web.shop.rates, Limits())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            sent = [("Cookie", 'a="' + '\\"' * 20_000 + '"'), ("X-Other", "kept"), ("cookie", "b")]
            assert (await client.get("/livez", headers=sent)).status_code == 200
    (headers,) = received
    assert (b"x-other", b"kept") in headers
    assert b"cookie" not in dict(headers)
