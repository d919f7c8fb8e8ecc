"""The functions of the module that query functions call, in either colour."""

from __future__ import annotations

from typing import Final

FETCH_ALL: Final = '''\
${define}${a}fetch_all(
    conn: $connection[Any],
    query: LiteralString,
    params: Sequence[Any] = (),
    *,
    binary: bool = False,
) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    session = find_session(conn)
    if session is not None:
        loan = session.lend()
        result = ${wait}${a}execute_prepared(conn, session, loan, query, params, binary)
        if result is not None:
            return session.load(loan, conn.pgconn, result, result.ntuples, binary)
    cur = $cursor(conn, row_factory=tuple_row)
    ${wait}cur.execute(query, params or None, binary=binary)
    return ${wait}cur.fetchall()
'''
FETCH_ONE: Final = '''\
${define}${a}fetch_one(
    conn: $connection[Any],
    query: LiteralString,
    params: Sequence[Any] = (),
    *,
    binary: bool = False,
) -> tuple[tuple[Any, ...] | None, int]:
    """Return the first row of a query, if there is one, and the number of rows."""
    session = find_session(conn)
    if session is not None:
        loan = session.lend()
        result = ${wait}${a}execute_prepared(conn, session, loan, query, params, binary)
        if result is not None:
            count = result.ntuples
            rows = session.load(loan, conn.pgconn, result, min(count, 1), binary)
            return (rows[0] if rows else None), count
    cur = $cursor(conn, row_factory=tuple_row)
    ${wait}cur.execute(query, params or None, binary=binary)
    return ${wait}cur.fetchone(), cur.rowcount
'''
EXECUTE: Final = '''\
${define}${a}execute(
    conn: $connection[Any], query: LiteralString, params: Sequence[Any] = ()
) -> None:
    """Execute a statement."""
    session = find_session(conn)
    if session is not None:
        loan = session.lend()
        result = ${wait}${a}execute_prepared(conn, session, loan, query, params, False)
        if result is not None:
            session.give_back(loan)
            return
    ${wait}$cursor(conn).execute(query, params or None)
'''
EXECUTE_COUNT: Final = '''\
${define}${a}execute_count(
    conn: $connection[Any], query: LiteralString, params: Sequence[Any] = ()
) -> int:
    """Execute a statement and return the number of rows that it affected."""
    session = find_session(conn)
    if session is not None:
        loan = session.lend()
        result = ${wait}${a}execute_prepared(conn, session, loan, query, params, False)
        if result is not None:
            session.give_back(loan)
            count = result.command_tuples
            return -1 if count is None else count
    cur = $cursor(conn)
    ${wait}$execute_now(cur, query, params)
    return cur.rowcount
'''
EXECUTE_PREPARED: Final = '''\
${define}${a}execute_prepared(
    conn: $connection[Any],
    session: Session,
    loan: Loan,
    query: LiteralString,
    params: Sequence[Any],
    binary: bool,
) -> PGresult | None:
    """Return the result of a prepared statement, or None where it takes a cursor."""
    transformer, _ = loan
    try:
        values = transformer.dump_sequence(params, [AUTO] * len(params))
    except DUMP_ERRORS:
        # A cursor raises the error again, and leaves the connection as psycopg does.
        return None
    if transformer.types is None:
        return None
    pgconn = conn.pgconn
    key = query.encode(), transformer.types
    ${enter}conn.lock:
        name = session.names.get(key)
        before = pgconn.transaction_status
        if name is None or not can_send(conn, before):
            return None
        try:
            generator = send(conn, before, name, values, transformer.formats, binary)
            results: list[PGresult] = $results
        finally:
            leave(pgconn)
        failed = find_failed(results)
        if failed is None:
            session.names.move_to_end(key)
            return results[0] if len(results) == 1 else results[1]
        error = error_from_result(failed)
        if before == INTRANS or not is_outdated(error):
            raise error
        if pgconn.transaction_status == INERROR:
            try:
                pgconn.send_query(b"ROLLBACK")
                generator = generators.execute(pgconn)
                $results
            finally:
                leave(pgconn)
    # psycopg forgets its statements when a cursor executes this, if it is a new text.
    ${wait}$cursor(conn).execute(b"DEALLOCATE ALL -- " + name)
    return None
'''
