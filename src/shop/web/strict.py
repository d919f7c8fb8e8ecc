"""What is refused because an operation does not describe it, at a cost that is bounded for any request that the server accepts."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from shop.web.invalid import MAX_ERRORS, invalid_request

# Of what the service reads, and what is no list (RFC 9110, 5.3): which line counts would be left to chance.
_REPEATED = "is sent more than once"
_SINGLE_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key")
# More than any operation describes, with its lists at their longest.
_MAX_PARAMETERS: Final = 100
# Two decimals of so many digits are two doubles, within this range: an integer there is no other number.
_EXACT_DIGITS: Final = 15
_EXACT: Final = 10.0**_EXACT_DIGITS
_SHOWN_TEXT: Final = 100
# More than any operation has, also with each value of each line.
_MAX_FLOATS: Final = 1000
_TOO_DEEP: Final = "is nested too deeply"


class StrictRoute(APIRoute):
    """An operation. Before the framework reads anything, it refuses a body that it does not describe, and too many parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers requests."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            # Counted, since the framework parses them several times.
            if request.scope["query_string"].count(b"&") >= _MAX_PARAMETERS:
                raise invalid_request([(("query",), f"has more than {_MAX_PARAMETERS} parameters")])
            if self.body_field is None and await request.body():
                raise invalid_request([(("body",), "this operation has no body")])
            try:
                return await handle(request)
            except RecursionError:
                # Nothing else here calls itself as often as its input says.
                raise invalid_request([(("body",), _TOO_DEEP)]) from None

        return checked


async def only_described(request: Request) -> None:
    """Refuse what the operation does not describe, and would ignore, and values that another one would replace.

    That is: query parameters that are unknown or not UTF-8, conditions on versions, and names that a request has twice.
    """
    wrong: list[tuple[tuple[str, ...], str]]
    wrong = [(("header", name), _REPEATED) for name in _SINGLE_HEADERS if len(request.headers.getlist(name)) > 1]
    wrong += [(("header", name), "this operation is not conditional") for name in _conditions(request)]
    wrong += [(("query", name), reason) for name, reason in sorted(_wrong_parameters(request).items())]
    if request.scope["route"].body_field is not None:
        # It has been read and is kept.
        wrong += [(("body",), reason) for reason in _ambiguities(await request.body())]
    if wrong:
        raise invalid_request(wrong)


def _parameters(request: Request, place: str) -> dict[str, dict[str, Any]]:
    """Return the schemas of the parameters that the operation describes in this place, by their names."""
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    return {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == place}


def _conditions(request: Request) -> list[str]:
    """Return the headers by which the request has a condition that the operation would not look at (RFC 9110, 13.1).

    To ignore `If-None-Match` is right where something is read: the whole answer is sent.
    """
    names = ["If-Match"] if request.method == "GET" else ["If-Match", "If-None-Match"]
    sent = [name for name in names if name in request.headers]
    described = {name.lower() for name in _parameters(request, "header")} if sent else ()
    return [name for name in sent if name.lower() not in described]


def _ambiguities(body: bytes) -> list[str]:
    """Return what a JSON body leaves to chance: names that an object has twice, and integers that are none in a float (RFC 8259, 4 and 6).

    At most `MAX_ERRORS` of them and one. Raises `RequestValidationError` if it has NaN or an infinity: Python's parser accepts them, and
    they are not JSON.
    """
    found = dict[str, None]()

    def count(members: list[tuple[str, object]]) -> None:
        if len(members) < 2 or len(found) > MAX_ERRORS or len(dict(members)) == len(members):  # noqa: PLR2004 a name and another one
            return
        known = set[str]()
        for name, _ in members:
            if name in known and len(found) <= MAX_ERRORS:
                found[f"an object has {_shown(name)} more than once"] = None
            known.add(name)

    def refuse(_: str) -> None:
        raise RequestValidationError([{"loc": ("body",), "msg": "the body is not JSON", "type": "json_invalid"}])

    try:
        json.loads(body, object_pairs_hook=count, parse_float=_comparing(found), parse_constant=refuse)
    except ValueError:
        # The framework has refused it, or reads none.
        return []
    except RecursionError:
        # The framework has read it, with fewer calls in front of it.
        return [_TOO_DEEP]
    return list(found)


def _comparing(found: dict[str, None]) -> Callable[[str], None]:
    """Return what reads a number with a point or an exponent, and adds it to what was found if it would be rounded to an integer."""
    known = set[str]()

    def compare(number: str) -> None:
        if number in known or len(known) > _MAX_FLOATS or len(found) > MAX_ERRORS:
            return
        known.add(number)
        if len(known) > _MAX_FLOATS:
            found[f"has more than {_MAX_FLOATS} numbers with a point or an exponent"] = None
        elif _is_rounded(number):
            found[f"the number {number[:40]} would be rounded to an integer"] = None

    return compare


def _shown(name: str) -> str:
    # A lone surrogate is no text of a response.
    text = json.dumps(name, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return f"the name {text}" if len(text) <= _SHOWN_TEXT else f"a name that begins with {text[:_SHOWN_TEXT]}"


def _is_rounded(number: str) -> bool:
    """Return whether a number with a point or an exponent is no integer, and becomes one as a float."""
    nearest = float(number)
    mantissa, _, exponent = number.lower().partition("e")
    is_exact = len(mantissa) <= _EXACT_DIGITS and (not exponent or 1 <= abs(nearest) < _EXACT)
    if is_exact or not nearest.is_integer():
        return False
    try:
        return Decimal(number) != Decimal(nearest)
    except InvalidOperation:
        # An exponent beyond those of decimals: zero, or nearly.
        return mantissa.strip("-.0") != ""


def _wrong_parameters(request: Request) -> dict[str, str]:
    """Return the query parameters that are refused, with the reasons."""
    if not request.query_params:
        return {}
    schemas = _parameters(request, "query")
    # The framework replaces bytes that are not UTF-8.
    sent = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    wrong, known = dict[str, str](), set[str]()
    for (name, _), pair in zip(request.query_params.multi_items(), sent, strict=True):
        if name not in schemas:
            wrong[name] = "this operation has no such parameter"
        elif name in known and schemas[name].get("type") != "array":
            wrong[name] = _REPEATED
        elif any("\udc80" <= character <= "\udcff" for character in "".join(pair)):
            wrong[name] = "is not UTF-8"
        known.add(name)
    return wrong
