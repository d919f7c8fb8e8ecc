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
) -> Iterable[tuple[Any, ...]]:
    """Return all rows of a query, to be read once."""
    reply = ${wait}${a}execute_prepared(conn, query, params, binary)
    if isinstance(reply, tuple):
        return load_all(reply)
    cur = $cursor(conn, row_factory=tuple_row)
    cur.adapters.register_dumper(Dumped, DumpedDumper)
    ${wait}cur.execute(query, reply or None, binary=binary)
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
    reply = ${wait}${a}execute_prepared(conn, query, params, binary)
    if isinstance(reply, tuple):
        session, loan, result = reply
        count = result.ntuples
        row = loan[0].load_row(0, tuple) if count else None
        session.give_back(loan)
        return row, count
    cur = $cursor(conn, row_factory=tuple_row)
    cur.adapters.register_dumper(Dumped, DumpedDumper)
    ${wait}cur.execute(query, reply or None, binary=binary)
    return ${wait}cur.fetchone(), cur.rowcount
'''
EXECUTE: Final = '''\
${define}${a}execute(
    conn: $connection[Any], query: LiteralString, params: Sequence[Any] = ()
) -> None:
    """Execute a statement."""
    reply = ${wait}${a}execute_prepared(conn, query, params, False)
    if isinstance(reply, tuple):
        session, loan, _ = reply
        session.give_back(loan)
        return
    cur = $cursor(conn)
    cur.adapters.register_dumper(Dumped, DumpedDumper)
    ${wait}cur.execute(query, reply or None)
'''
EXECUTE_COUNT: Final = '''\
${define}${a}execute_count(
    conn: $connection[Any], query: LiteralString, params: Sequence[Any] = ()
) -> int:
    """Execute a statement and return the number of rows that it affected."""
    reply = ${wait}${a}execute_prepared(conn, query, params, False)
    if isinstance(reply, tuple):
        session, loan, result = reply
        session.give_back(loan)
        count = result.command_tuples
        return -1 if count is None else count
    cur = $cursor(conn)
    cur.adapters.register_dumper(Dumped, DumpedDumper)
    ${wait}$execute_now(cur, query, reply)
    return cur.rowcount
'''
EXECUTE_PREPARED: Final = '''\
${define}${a}execute_prepared(
    conn: $connection[Any],
    query: LiteralString,
    params: Sequence[Any],
    binary: bool,
) -> Reply | list[Any]:
    """Return the result of a prepared statement, or the parameters for a cursor.

    After each call the server's process has the processor, and what it leaves in the
    caches is not this code: the fewer functions and objects, the faster.
    """
    pgconn = conn.pgconn
$lock
        session = sessions.get(conn)
        if $outdated:
            session = make_session(conn)
            if session is None:
                return list(params)
        before = pgconn.transaction_status
        begins = before == IDLE and not conn.autocommit
        if (
            before not in READY
            or (begins and not PIPELINES)
            or pgconn.pipeline_status
            or session.prepared.prepare_threshold is None
        ):
            return list(params)
        context = session if session.keeps else conn
        try:
            loan = session.spare.pop()
        except IndexError:
            loan = Transformer(context), ()
        transformer, settings = loan
        try:
            values = transformer.dump_sequence(params, [AUTO] * len(params))
        except BaseException as raised:
            if not isinstance(raised, Exception):
                raise
            # A cursor raises it, and leaves the connection as psycopg does.
            return [Dumped(raised)]
        key = encode(query), transformer.types
        name = session.names.get(key)
        if name is None:
            return for_cursor(params, values, transformer.types, transformer.formats)
        fetch = fetch_pipeline if begins else fetch_results
        try:
            if begins:
                send_begin(conn)
            pgconn.send_query_prepared(name, values, transformer.formats, binary)
            if begins:
                pgconn.pipeline_sync()
$receive$interrupted        finally:
            # `leave`, written out: an interrupt may come as a function begins.
            if pgconn.transaction_status == ACTIVE:
                pgconn.finish()
            elif begins and pgconn.status == ConnStatus.OK:
                pgconn.exit_pipeline_mode()
        result = results[0] if len(results) == 1 else results[1]
        if result.status in SUCCESSES:
            session.names.move_to_end(key)
            now = (
                pgconn.parameter_status(b"client_encoding"),
                pgconn.parameter_status(b"TimeZone"),
                pgconn.parameter_status(b"DateStyle"),
            )
            if now != settings:
                loan = Transformer(context), now
            # Loaders are made by the settings of the session.
            loan[0].set_pgresult(result)
            return session, loan, result
        error = error_from_result(find_failed(results) or result)
        if before == INTRANS or not is_outdated(error):
            raise error
        if pgconn.transaction_status == INERROR:
            ${wait}${a}roll_back(conn)
    # psycopg forgets its statements when a cursor executes this, if it is a new text.
    ${wait}$cursor(conn).execute(b"DEALLOCATE ALL -- " + name)
    return for_cursor(params, values, transformer.types, transformer.formats)
'''
ROLL_BACK: Final = '''\
${define}${a}roll_back(conn: $connection[Any]) -> None:
    """Roll back a transaction that has only begun."""
    pgconn = conn.pgconn
    try:
        pgconn.send_query(b"ROLLBACK")
        ${wait}conn.wait(fetch_results(pgconn))
    finally:
        leave(pgconn)
'''

# How the colours wait, in `EXECUTE_PREPARED`.
SYNC_STEPS: Final[dict[str, str]] = {
    "lock": "    with conn.lock:",
    "receive": """\
            results = conn.wait(fetch(pgconn))
""",
    "interrupted": "",
}
ASYNC_STEPS: Final[dict[str, str]] = {
    "lock": "    async with conn.lock:",
    "receive": """\
            reader = session.reader
            if reader is None:
                reader = session.reader = find_reader(conn)
            waiter = None if pgconn.flush() else reader.start(conn)
            if waiter is not None:
                try:
                    await waiter
                finally:
                    reader.stop()
            if waiter is None or begins:
                results = await conn.wait(fetch(pgconn))
            else:
                answer = take_result(pgconn)
                if answer is None or answer.status not in SUCCESSES or pgconn.is_busy():
                    results = await take_others(conn, answer)
                else:
                    # The end of the results: the connection is ready for the next call.
                    pgconn.get_result()
                    results = [answer]
""",
    "interrupted": """\
        except (CancelledError, KeyboardInterrupt):
            await abandon(conn, fetch(pgconn))
            raise
""",
}
