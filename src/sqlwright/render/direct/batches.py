"""Batches of the module: all parameters are dumped first, and sent with one synchronization at the end."""

from __future__ import annotations

from typing import Final

BATCH: Final = '''\
class Batch:
    """The parameters of a batch, kept in case that a cursor takes them."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = iter(rows)
        self._kept: list[Sequence[Any]] = []
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """Return the parameters, from the first on, and the error after them."""
        yield from self._kept
        if self._error is not None:
            raise self._error
        yield from self._rows

    def _read(self) -> Iterator[Sequence[Any]]:
        try:
            for row in self._rows:
                self._kept.append(row)
                yield row
        except Exception as error:
            self._error = error
            raise

    def dump(
        self, query: LiteralString, names: Names, transformer: abc.Transformer
    ) -> list[Message]:
        """Return what to send; nothing if a cursor is to take all of it.

        That is the case where psycopg has not prepared the statement for some types,
        where there is an error, and where there is much to send: a cursor sends the
        parameters as they come, and so keeps few in memory.
        """
        text, size = encode(query), 0
        types: tuple[int, ...] | None = NO_TYPES
        name: bytes | None = None
        messages: list[Message] = []
        with suppress(Exception):
            for row in self._read():
                values = transformer.dump_sequence(row, [AUTO] * len(row))
                if transformer.types != types:
                    types = transformer.types
                    name = names.get((text, types))
                size += sum(map(len, filter(None, values)))
                if name is None or len(messages) == MOST_ROWS or size > MOST_BYTES:
                    return []
                messages.append((name, values, transformer.formats, types))
            return messages
        return []
'''
EXECUTE_BATCH: Final = '''\
${define}${a}execute_batch(
    conn: $connection[Any],
    query: LiteralString,
    sent: SentRows[Any],
    rows: Iterable[Sequence[Any]],
    *,
    binary: bool = False,
) -> list[PGresult]:
    """Execute a statement with each of many parameters and return the results."""
    batch = Batch(rows)
    results = ${wait}${a}send_batch(conn, query, sent, batch, binary)
    if results is not None:
        return results
    cur = $cursor(conn)
    if binary:
        cur.format = Format.BINARY
$pipeline
    return [cur.pgresult for _ in each_result(cur) if cur.pgresult is not None]
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
    results = ${wait}${a}execute_batch(conn, query, sent, rows, binary=binary)
    return load_each(Transformer(conn), results)
'''
SEND_BATCH: Final = '''\
${define}${a}send_batch(
    conn: $connection[Any],
    query: LiteralString,
    sent: SentRows[Any],
    batch: Batch,
    binary: bool,
) -> list[PGresult] | None:
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
        messages = batch.dump(query, session.names, transformer)
        if not messages:
            return None
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
            return results[first:-1]
        error, done = error_from_result(failed), results.index(failed) - first
        if before == INTRANS or done > 0 or not is_outdated(error):
            if done >= 0:
                sent.note_failed(error, done)
            raise error
        name = messages[0][0]
        if pgconn.transaction_status == INERROR:
            try:
                pgconn.send_query(b"ROLLBACK")
                ${wait}conn.wait(fetch_results(pgconn))
            finally:
                leave(pgconn)
    # psycopg forgets its statements when a cursor executes this, if it is a new text.
    ${wait}$cursor(conn).execute(b"DEALLOCATE ALL -- " + name)
    return None
'''
LOAD_EACH: Final = '''\
def load_each(
    transformer: abc.Transformer, results: Iterable[PGresult]
) -> Iterator[list[tuple[Any, ...]]]:
    """Return the rows of each result."""
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
    except OperationalError:
        # If the server said why it closes the connection, that is the error.
        if find_failed(results) is None:
            raise
    return results
'''
MESSAGE: Final = """\
# A statement's name, its parameters with their formats, and their types.
Message: TypeAlias = tuple[
    bytes, Sequence[abc.Buffer | None], list[Format] | None, tuple[int, ...] | None
]
NO_TYPES = (-1,)
"""
MOST: Final = """\
# A batch that has more than so many rows or bytes is sent by a cursor, as it is read.
MOST_ROWS = 10_000
MOST_BYTES = 1_000_000
"""

# How the colours wait, in `EXECUTE_BATCH` and `SEND_BATCH`.
SYNC_BATCH: Final[dict[str, str]] = {
    "pipeline": """\
    with conn.pipeline(), sent.executing(cur):
        cur.executemany(query, batch, returning=True)
""",
    "interrupted": "",
}
ASYNC_BATCH: Final[dict[str, str]] = {
    "pipeline": """\
    async with conn.pipeline():
        with sent.executing(cur):
            await cur.executemany(query, batch, returning=True)
""",
    "interrupted": """\
        except (CancelledError, KeyboardInterrupt):
            await abandon(conn, fetch_each(pgconn, expected))
            raise
""",
}
