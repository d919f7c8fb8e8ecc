"""What the packages of a run share while they are proven."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from sqlwright.diagnostics import Code, CompileError, Diagnostic
from sqlwright.postgres.server import Server, ServerUnavailable, postgres_server
from sqlwright.prove.scratch.schema import Schema, SchemaFile
from sqlwright.prove.sessions import Sessions


@pytest.fixture
def opened() -> list[str]:
    """A line for each server that was opened."""
    return []


@pytest.fixture
def sessions(proof_server: str, opened: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    """Sessions on the tests' server."""

    @contextmanager
    def server() -> Generator[Server]:
        with postgres_server(tmp_path_factory.getbasetemp(), {"SQLWRIGHT_DATABASE_URL": proof_server}) as found:
            opened.append("server")
            yield found

    with Sessions(server, embedded=False) as found:
        yield found


def schema(text: str) -> Schema:
    return Schema((SchemaFile("1.sql", text, text),), hashlib.sha256(text.encode()).hexdigest())


def test_packages_over_one_schema_share_a_connection_and_all_share_a_server(sessions: Sessions, opened: list[str]) -> None:
    one, same, other = (schema(text) for text in ("CREATE TABLE a (id int)", "CREATE TABLE a (id int)", "CREATE TABLE b (id int)"))
    first = sessions.over(one, nullable_elements=False)
    assert sessions.over(same, nullable_elements=False) is first
    assert sessions.over(other, nullable_elements=False) is not first
    assert [table.name for table in first.catalog.tables] == ["a"]
    assert opened == ["server"]


def test_a_schema_that_was_refused_is_not_tried_again(sessions: Sessions) -> None:
    broken = schema("CREATE TABLE a (id nothing)")
    errors: list[CompileError] = []
    for _ in range(2):
        with pytest.raises(CompileError) as caught:
            sessions.over(broken, nullable_elements=False)
        errors.append(caught.value)
    assert errors[0] is errors[1]


def test_a_server_that_is_not_there_is_not_looked_for_again(opened: list[str]) -> None:
    def nothing() -> AbstractContextManager[Server]:
        opened.append("tried")
        raise ServerUnavailable(Diagnostic(Code.UNUSABLE_POSTGRESQL, "there is none"))

    with Sessions(nothing, embedded=False) as sessions:
        for _ in range(2):
            with pytest.raises(ServerUnavailable):
                sessions.over(schema(""), nullable_elements=False)
    assert opened == ["tried"]
