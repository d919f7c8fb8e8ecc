"""Statements that PostgreSQL's planner refuses although its analyser accepts them: they can be prepared, but always fail."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import errors as e
from psycopg import pq

from sqlwright.prove.asking.describe import Refused
from sqlwright.sql.lexer import significant

# Functions that the planner evaluates run into what a scratch database lacks: rows, rights, settings, whatever else the text assumes. So
# only errors of these classes count: not supported, not in the required state, and what is wrong with the statement itself.
_CLASSES = ("0A", "42", "55000")
# `current_setting('app.user')` raises the last one where nothing has set it.
_EVALUATED = (e.InsufficientPrivilege, e.SyntaxError, e.UndefinedObject)
# For errors without a place: what the statement is to be pointed at for them.
_CLAUSES = {"42P10": ("on", "conflict"), "0A000": ("for",)}
_UNDO = "ROLLBACK TO SAVEPOINT sqlwright_plan"
_GENERIC = 16
"""The version that brought EXPLAIN (GENERIC_PLAN)."""


def plan(connection: psycopg.Connection[Any], sql: str, param_count: int) -> None:
    """Have PostgreSQL plan a statement that it can prepare, for any values of its parameters. Nothing is executed.

    A statement without a plan, such as NOTIFY, passes.

    Raises:
        Refused: no plan can be made.
    """
    before, after = "EXPLAIN (GENERIC_PLAN) ", ""
    if connection.info.server_version // 10_000 < _GENERIC:
        # The same by hand. A parameter of a domain that refuses NULL ends it before planning: such a statement is not checked.
        values = f" ({', '.join(['NULL'] * param_count)})" if param_count else ""
        before = "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE sqlwright_plan AS "
        after = f"EXPLAIN EXECUTE sqlwright_plan{values}; DEALLOCATE sqlwright_plan"
    connection.pgconn.exec_(b"SAVEPOINT sqlwright_plan")
    # A comment may end the text. That it is a single statement is known: it could be prepared.
    result = connection.pgconn.exec_(f"{before}{sql}\n; {after}; {_UNDO}".encode())
    error = None
    if result.status == pq.ExecStatus.FATAL_ERROR:
        error = e.error_from_result(result, encoding="utf-8")
        connection.pgconn.exec_(_UNDO.encode())
        if after and connection.pgconn.exec_(b"DEALLOCATE sqlwright_plan").status == pq.ExecStatus.FATAL_ERROR:
            connection.pgconn.exec_(_UNDO.encode())
    connection.pgconn.exec_(b"RELEASE SAVEPOINT sqlwright_plan")
    if error is not None and _is_refusal(error):
        position = error.diag.statement_position
        raise Refused(
            error.diag.message_primary or str(error),
            offset=int(position) - 1 - len(before) if position else _clause(sql, error.sqlstate),
            hint=error.diag.message_hint,
            sqlstate=error.sqlstate,
            sql=sql,
        ) from error


def _is_refusal(error: psycopg.Error) -> bool:
    # A context is that of a function.
    return (error.sqlstate or "").startswith(_CLASSES) and not isinstance(error, _EVALUATED) and not error.diag.context


def _clause(sql: str, sqlstate: str | None) -> int | None:
    wanted = _CLAUSES.get(sqlstate, ()) if sqlstate else ()
    words = significant(sql)
    for index, token in enumerate(words if wanted else ()):
        if tuple(word.text.lower() for word in words[index : index + len(wanted)]) == wanted:
            return token.start
    return None
