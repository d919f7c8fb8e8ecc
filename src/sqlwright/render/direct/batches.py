"""Batches of the module: all parameters are dumped first, and sent with one synchronization at the end."""

from __future__ import annotations

from typing import Final

BATCH: Final = '''\
class Batch:
    """The parameters of a batch: dumped once, and kept in case a cursor takes them."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = iter(rows)
        self._params: list[Sequence[Any]] = []
        self._raised: list[Sequence[Any]] = []
        self._error: Exception | None = None
        self.messages: list[Message] = []

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """Return what was dumped, what a dumper raised, and the other parameters."""
        for params, (_, values, formats, types) in zip(
            self._params, self.messages, strict=True
        ):
            yield for_cursor(params, values, types, formats)
        yield from self._raised
        if self._error is not None:
            raise self._error
        yield from self._rows

    def dump(
        self, query: LiteralString, names: Names, transformer: abc.Transformer
    ) -> bool:
        """Dump the parameters; return whether all of them may be sent.

        That is not so where psycopg has not prepared the statement for some types,
        where there is an error, and where there is much to send: a cursor sends the
        parameters as they come, and so keeps few in memory.
        """
        text, size = encode(query), 0
        types: tuple[int, ...] | None = NO_TYPES
        name: bytes | None = None
        while True:
            try:
                row = next(self._rows, None)
            except BaseException as raised:
                if not isinstance(raised, Exception):
                    raise
                self._error = raised
                return False
            if row is None:
                return bool(self.messages)
            try:
                values = transformer.dump_sequence(row, [AUTO] * len(row))
            except BaseException as raised:
                if not isinstance(raised, Exception):
                    raise
                self._raised.append([Dumped(raised)])
                return False
            if transformer.types != types:
                types = transformer.types
                name = names.get((text, types))
            self._params.append(row)
            self.messages.append((name or b"", values, transformer.formats, types))
            size += sum(map(len, filter(None, values)))
            if name is None or len(self.messages) > MOST_ROWS or size > MOST_BYTES:
                return False
'''
EXECUTE_BATCH: Final = '''\
${define}${a}execute_batch(
    conn: $connection[Any],
    query: LiteralString,
    sent: SentRows[Any],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Execute a statement with each of many parameters."""
    batch = Batch(rows)
    if ${wait}${a}send_batch(conn, query, sent, batch, False) is None:
        ${wait}${a}execute_many($cursor(conn), query, sent, batch)
'''
FETCH_BATCH: Final = '''\
${define}${a}fetch_batch(
    conn: $connection[Any],
    query: LiteralString,
    sent: SentRows[Any],
    rows: Iterable[Sequence[Any]],
    *,
    binary: bool = False,
) -> Iterable[list[tuple[Any, ...]]]:
    """Return the rows of a query for each of many parameters, to be read once."""
    batch = Batch(rows)
    reply = ${wait}${a}send_batch(conn, query, sent, batch, binary)
    if reply is not None:
        return load_each(reply)
    cur = $cursor(conn, row_factory=tuple_row)
    cur.format = Format(binary)
    ${wait}${a}execute_many(cur, query, sent, batch)
    return [${wait}cur.fetchall() for _ in each_result(cur)]
'''
EXECUTE_MANY: Final = '''\
${define}${a}execute_many(
    cur: $cursor[Any], query: LiteralString, sent: SentRows[Any], batch: Batch
) -> None:
    """Execute a batch with a cursor."""
    cur.adapters.register_dumper(Dumped, DumpedDumper)
$pipeline'''
SEND_BATCH: Final = '''\
${define}${a}send_batch(
    conn: $connection[Any],
    query: LiteralString,
    sent: SentRows[Any],
    batch: Batch,
    binary: bool,
) -> BatchReply | None:
    """Return the results of a prepared statement, or None where it takes a cursor.

    In autocommit, a batch is one transaction, since one synchronization ends it.
    """
    pgconn = conn.pgconn
$lock
        session = sessions.get(conn)
        if $outdated:
            session = make_session(conn)
            if session is None:
                return None
        if (
            session.prepared.prepare_threshold is None
            or pgconn.transaction_status not in READY
            or pgconn.pipeline_status
            or not PIPELINES
        ):
            return None
        transformer = Transformer(session if session.keeps else conn)
        if not batch.dump(query, session.names, transformer):
            return None
        messages = batch.messages
        before = pgconn.transaction_status
        first = 1 if before == IDLE and not conn.autocommit else 0
        expected = first + len(messages) + 1
        try:
            if first:
                send_begin(conn)
            else:
                pgconn.enter_pipeline_mode()
            for name, values, formats, _ in messages:
                pgconn.send_query_prepared(name, values, formats, binary)
            pgconn.pipeline_sync()
            results = ${wait}conn.wait(fetch_each(pgconn, expected))
$interrupted        finally:
            # `leave`, written out: an interrupt may come as a function begins.
            if pgconn.transaction_status == ACTIVE:
                pgconn.finish()
            elif pgconn.status == ConnStatus.OK:
                pgconn.exit_pipeline_mode()
        failed = find_failed(results)
        if failed is None:
            for types in {types for *_, types in messages}:
                session.names.move_to_end((encode(query), types))
            # Loaders are made by the settings of the session.
            transformer.set_pgresult(results[first])
            return transformer, results[first:-1]
        error, done = error_from_result(failed), results.index(failed) - first
        if before == INTRANS or done > 0 or not is_outdated(error):
            if 0 <= done < len(messages):
                sent.note_failed(error, done)
            raise error
        name = messages[0][0]
        if pgconn.transaction_status == INERROR:
            ${wait}${a}roll_back(conn)
    # psycopg forgets its statements when a cursor executes this, if it is a new text.
    ${wait}$cursor(conn).execute(b"DEALLOCATE ALL -- " + name)
    return None
'''
LOAD_EACH: Final = '''\
def load_each(reply: BatchReply) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows of each result."""
    transformer, results = reply
    for result in results:
        transformer.set_pgresult(result)
        yield transformer.load_rows(0, result.ntuples, tuple)
'''
FETCH_EACH: Final = '''\
def fetch_each(pgconn: PGconn, expected: int) -> PQGen[list[PGresult]]:
    """Fetch the results of so many statements, the last of which synchronizes.

    What is sent is written while results are read. Those that are there already are
    taken without a generator for each.
    """
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    try:
        for _ in range(expected - 1):
            if pgconn.is_busy():
                results += yield from generators.fetch_many(pgconn)
            elif (result := pgconn.get_result()) is not None:
                results.append(result)
                # The end of the statement's results.
                pgconn.get_result()
        results += yield from generators.fetch_many(pgconn)
        if results[-1].status != ExecStatus.PIPELINE_SYNC:
            # A deferred constraint has failed, before the synchronization ends.
            results += yield from generators.fetch_many(pgconn)
    except OperationalError:
        # If the server said why it closes the connection, that is the error.
        if find_failed(results) is None:
            raise
    return results
'''
BATCH_REPLY: Final = """\
BatchReply: TypeAlias = tuple[abc.Transformer, list[PGresult]]
"""
MOST: Final = """\
# A statement's name, its parameters with their formats, and their types.
Message: TypeAlias = tuple[
    bytes, Sequence[abc.Buffer | None], list[Format] | None, tuple[int, ...] | None
]
NO_TYPES = (-1,)
# A batch that has more than so many rows or bytes is sent by a cursor, as it is read.
MOST_ROWS = 10_000
MOST_BYTES = 1_000_000
"""

# How the colours wait, in `EXECUTE_MANY` and `SEND_BATCH`.
SYNC_BATCH: Final[dict[str, str]] = {
    "pipeline": """\
    with cur.connection.pipeline(), sent.executing(cur):
        cur.executemany(query, batch, returning=True)
""",
    "interrupted": "",
}
ASYNC_BATCH: Final[dict[str, str]] = {
    "pipeline": """\
    conn = cur.connection
    before = conn.pgconn.pipeline_status
    try:
        async with conn.pipeline():
            with sent.executing(cur):
                await cur.executemany(query, batch, returning=True)
    except CancelledError:
        # psycopg stays in a pipeline if it is cancelled as it enters it.
        if conn.pgconn.pipeline_status and not before:
            conn.pgconn.finish()
        raise
""",
    "interrupted": """\
        except (CancelledError, KeyboardInterrupt):
            await abandon(conn, fetch_each(pgconn, expected))
            raise
""",
}
