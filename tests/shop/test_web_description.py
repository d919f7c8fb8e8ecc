"""The description of the service over HTTP: true for generated requests, and complete in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis.errors import Unsatisfiable
from pydantic import JsonValue
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from shop.application.commands.orders import MoveError
from shop.application.commands.sessions import EndAllError, EndError, SessionEnded
from shop.application.commands.users import DeleteError, PasswordError, ProfileError, RoleError
from shop.application.reads.cursors import InvalidCursor
from shop.application.transactions.answers import AlreadyAnswered
from shop.application.transactions.failures import Failure
from shop.cli.problems import problem_of
from shop.domain.orders import UnacceptableOrder
from shop.domain.users import Role
from shop.domain.values import InvalidValue
from shop.web.middleware import Limits
from shop.web.problems import OF_ERROR, Problem, Refused
from tests.support.examples import examples_of

from .web import LINE, PASSWORD, open_web, problem, served

PAGE = Path(__file__).parents[2] / "docs" / "http.md"
HOOKS = Path(__file__).parent

# Their types are generic, and the parameters are not public.
openapi: Any = schemathesis.openapi
# A description does not state all rules, as that an order has one currency; and the other check sends requests, over a network.
EXCLUDED: list[Any] = [getattr(checks, name) for name in ("positive_data_acceptance", "ignored_auth")]


def blank(error: type[Any]) -> object:
    made = object.__new__(error)
    for slot in getattr(error, "__slots__", ()):
        object.__setattr__(made, slot, 1)
    return made


def test_every_error_of_a_use_case_has_one_problem_as_on_the_command_line() -> None:
    errors = {*get_args(Failure), *get_args(MoveError), *get_args(ProfileError), *get_args(PasswordError), *get_args(DeleteError)}
    errors |= {*get_args(RoleError), *get_args(EndError), *get_args(EndAllError), SessionEnded}
    errors |= {InvalidCursor, InvalidValue, UnacceptableOrder}
    # The answer is sent instead.
    assert errors - {AlreadyAnswered} == set(OF_ERROR)
    for error in OF_ERROR:
        problem, shown = Refused.by(blank(error)).problem, problem_of(blank(error))
        assert (problem.kind, problem.status, problem.title) == (shown.kind, shown.status, shown.title)


def test_the_page_explains_every_problem_and_no_other() -> None:
    rows = re.findall(r"^\| `urn:shop:problem:([a-z-]+)` \| (\d+) \| ..", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(rows) == sorted((problem.kind, str(problem.status)) for problem in Problem)


async def test_every_operation_describes_what_is_answered_in_place_of_it(database_url: str) -> None:
    async with open_web(database_url, limits=Limits(body=10)) as web:
        operations = [(path, method, each) for path, of in web.app.openapi()["paths"].items() for method, each in of.items()]
        for path, method, described in operations:
            refused = await web.client.request(method, path.replace("{", "").replace("}", ""), content=b" " * 11)
            assert refused.status_code == 413
            assert {"413", "500", "504"} <= set(described["responses"]), (method, path)
    assert len(operations) > 20


def examples(operation: Any, mode: GenerationMode, count: int) -> list[Any]:
    """Generate requests of an operation: the same ones in each run."""
    # Of an operation without parameters no request is invalid.
    with suppress(Unsatisfiable):
        return examples_of(operation.as_strategy(generation_mode=mode), count)
    return []


# JSON Schema 2020-12, as far as it is used. Others, as `ge`, would say nothing to any client.
KEYWORDS = {
    *("$ref", "type", "const", "enum", "allOf", "anyOf", "oneOf", "items", "properties", "additionalProperties", "required"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "pattern", "format", "writeOnly"),
    *("title", "description", "default", "example", "examples"),
}


def schemas(part: JsonValue, name: str = "") -> Iterator[dict[str, JsonValue]]:
    """Return the schemas in the part of the description that has this name, those within others included."""
    match part:
        case list():
            for each in part:
                yield from schemas(each, "schema" if name in {"allOf", "anyOf", "oneOf"} else "")
        case dict():
            if name in {"schema", "items", "additionalProperties"}:
                yield part
            for key, each in part.items():
                yield from schemas(each, "schema" if name in {"schemas", "properties"} else key)
        case _:
            pass


async def test_the_description_has_no_keyword_that_clients_do_not_know(database_url: str) -> None:
    async with open_web(database_url) as web:
        found = list(schemas(web.app.openapi()))
    assert len(found) > 100
    assert {keyword for each in found for keyword in each} <= KEYWORDS
    # The numbers of what may be asked for have bounds.
    numbers = [each for each in found if each.get("type") == "integer" and "minimum" in each]
    assert len(numbers) >= 8
    assert all("maximum" in each for each in numbers)


def text(field: str, length: int) -> str:
    """Return a text of this length that is valid otherwise."""
    match field:
        case "email":
            return f"{'x' * 60}@{'x' * (length - 65)}.org"
        case "phone":
            return f"1{' ' * (length - 3)}11"
        case _:
            return "X" * length


async def test_the_described_bounds_are_those_of_the_shop(database_url: str) -> None:
    async with open_web(database_url) as web:
        ada = await web.person()
        schemas = web.app.openapi()["components"]["schemas"]

        async def sent(name: str, field: str, value: object) -> tuple[int, str]:
            match name:
                case "Registration":
                    person = {"first_name": "Ada", "last_name": "Lovelace", "email": f"{uuid.uuid4()}@example.org", "password": PASSWORD}
                    answer = await web.client.post("/users", json={**person, field: value})
                case _:
                    changed = {field: value} if name == "Line" else {"unit_price": {"currency": "EUR", field: value}}
                    answer = await ada("POST", "/orders", json={"user_id": ada.id, "lines": [{**LINE, **changed}]})
            return (201, "") if answer.status_code == 201 else problem(answer)

        fields = [("Registration", field) for field in ("first_name", "last_name", "email", "phone", "password")]
        for name, field in [*fields, ("Line", "sku"), ("Line", "title")]:
            described = schemas[name]["properties"][field]
            bounds = described.get("anyOf", [described])[0]
            least, most = bounds["minLength"], bounds["maxLength"]
            assert await sent(name, field, text(field, most)) == (201, ""), field
            beyond = "invalid-request" if field == "password" else "invalid-value"
            assert await sent(name, field, text(field, most + 1)) == (422, beyond), field
            assert await sent(name, field, "X" * (least - 1)) == (422, "invalid-value"), field
        for name, field, beyond in (("Line", "quantity", "invalid-request"), ("Amount", "minor", "invalid-value")):
            most = schemas[name]["properties"][field]["maximum"]
            assert await sent(name, field, most) == (201, "")
            assert await sent(name, field, most + 1) == (422, beyond)


@pytest.mark.programs
async def test_generated_requests_are_answered_as_described(database_url: str) -> None:
    async with open_web(database_url) as web:
        schema = openapi.from_dict(web.app.openapi())
        admin = await web.person(Role.ADMIN)
        order = await admin.order()
        known = {"user_id": admin.id, "order_id": order["id"], "session_id": (await web.tokens("user1@example.org"))["session_id"]}
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
                for number, case in enumerate(examples(operation, mode, 3)):
                    if mode is GenerationMode.POSITIVE and number % 2:
                        case.path_parameters = {name: known[name] for name in case.path_parameters}
                    request = case.as_transport_kwargs(base_url="http://shop", headers=admin.headers)
                    request.pop("cookies")
                    # As requests names it.
                    request["content"] = request.pop("data", None)
                    response = await web.client.request(**request)
                    case.validate_response(response, headers=admin.headers, excluded_checks=EXCLUDED)
                    if response.status_code == 401:
                        admin.headers = await web.log_in("user1@example.org")


@pytest.mark.slow
def test_schemathesis_finds_nothing(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with served(
        database_url, REDIS_URL=redis_url, SHOP_HTTP_RATE_LIMIT="1000000", SHOP_HTTP_LOGIN_LIMIT="1000000", SHOP_LOG_LEVEL="error"
    ) as server:
        environment = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HOOKS), "SHOP_URL": server.url}
        finished = subprocess.run(
            [
                f"{sysconfig.get_path('scripts')}/schemathesis",
                "run",
                f"{server.url}/openapi.json",
                "--max-examples",
                "30",
                "--exclude-checks",
                "positive_data_acceptance",
            ],
            env={**os.environ, **environment, "DATABASE_URL": database_url, "ADMIN_PASSWORD": PASSWORD},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        code, log = server.stop()
    assert (code, "Traceback" in log) == (0, False), log
