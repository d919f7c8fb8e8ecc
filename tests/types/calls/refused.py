"""Calls of generated functions that must not type-check, each with the code of mypy's error."""

from typing import Any

from psycopg import AsyncConnection, Connection

from sample_both import echoes, moods, people, register
from sample_both.aio import people as aio_people
from sample_both.enums import Mood


async def refused(conn: Connection[Any], aconn: AsyncConnection[Any]) -> None:
    people.get_person(conn, 1)  # call-arg
    people.get_person(conn, id="1")  # arg-type
    people.get_person(conn)  # call-arg
    people.get_person(aconn, id=1)  # arg-type
    people.get_person(conn, id=1).name  # union-attr
    people.rename_person(conn, id=1, name=None)  # arg-type
    moods.has_mood(conn, moods=["sad"])  # list-item
    moods.set_mood(conn, person=1, current="sad", wanted=None, past=[], planned=None)  # arg-type
    moods.echo_moods(conn, moods=[None])  # list-item
    echoes.echo_jsonb(conn, payload={1: 2})  # dict-item
    echoes.echo_jsonb(conn, payload=object())  # arg-type
    echoes.echo_point(conn, place=1).x  # attr-defined
    (await aio_people.list_people(conn))  # arg-type
    for person in people.list_people(conn):
        person.nickname = ""  # attr-defined
    register(aconn)  # arg-type
    people.copy_people(conn, [1])  # list-item
    people.drop_people(conn, people.DropPeopleParams(id=1))  # arg-type
    people.CopyPeopleParams(name=None)  # arg-type
    people.Querier(aconn)  # arg-type
