"""The module of a package that notes on an error which of the rows sent it concerns."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.options import Clients
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line
from sqlwright.types.copying import CUT_SHORT

# No query file can have this name: those begin with a letter.
ROWS_MODULE = "_rows"
EACH_RESULT = "each_result"

_SENT_ROWS = '''\
class SentRows(Generic[T]):
    """The rows passed to a function, counted while they are sent."""

    def __init__(self, rows: Iterable[T]) -> None:
        self._rows = rows
        self._index = -1
        self._sending = False

    def __iter__(self) -> Iterator[T]:
        for row in self._rows:
            self._index += 1
            self._sending = True
            yield row
            self._sending = False
'''
_COPYING = '''
    @contextmanager
    def copying(self) -> Generator[None]:
        """Note on an error which row it concerns, by the line that PostgreSQL names."""
        try:
            yield
        except OperationalError:
            raise
        except Error as error:
            if error.diag.sqlstate is None:
                self._note_sending(error)
            elif line := LINE.search(error.diag.context or ""):
                _note(error, int(line[1]) - 1)
            raise
        except Exception as error:
            self._note_sending(error)
            raise
'''
_EXECUTING = '''
    @contextmanager
    def executing(self, cur: Cursor[Any] | AsyncCursor[Any]) -> Generator[None]:
        """Note on an error which row it concerns: the first without a result."""
        try:
            yield
        except Error as error:
            if error.diag.sqlstate is not None:
                self.note_failed(error, sum(1 for _ in each_result(cur)))
            elif not isinstance(error, OperationalError):
                self._note_sending(error)
            raise
        except Exception as error:
            self._note_sending(error)
            raise
'''
_NOTE_FAILED = '''
    def note_failed(self, error: Error, done: int) -> None:
        """Note on the server's error which row it concerns, after so many others."""
        # Before the first result, it may be the statement that is wrong.
        if done or not isinstance(error, ProgrammingError):
            _note(error, done)
'''
_NOTE_SENDING = """
    def _note_sending(self, error: Exception) -> None:
        if self._sending:
            _note(error, self._index)
"""
_ASYNC_SENT_ROWS = '''\
class AsyncSentRows(SentRows[T]):
    """As `SentRows`, for rows that may come from an async iterable."""

    def __init__(self, rows: Iterable[T] | AsyncIterable[T]) -> None:
        super().__init__(() if isinstance(rows, AsyncIterable) else rows)
        self._arriving = rows if isinstance(rows, AsyncIterable) else None

    async def __aiter__(self) -> AsyncIterator[T]:
        if self._arriving is None:
            for row in self:
                yield row
            return
        async for row in self._arriving:
            self._index += 1
            self._sending = True
            yield row
            self._sending = False
'''
_IN_RANGE = """\
def {name}(value: int | None) -> int | None:
    \"\"\"Reject a number out of range for {type}, which psycopg would truncate.\"\"\"
    if value is not None and not -{limit} <= value < {limit}:
        raise NumericValueOutOfRange(f"{{value}} is out of range for type {type}")
    return value
"""
_INTEGERS = {"int2": ("smallint", "0x8000"), "int4": ("integer", "0x8000_0000")}
_RESULTS = '''\
def each_result(cur: Cursor[Any] | AsyncCursor[Any]) -> Iterator[None]:
    """Step through the results of a cursor, beginning with the current one."""
    if cur.pgresult is not None:
        yield
        while cur.nextset():
            yield
'''
_NOTE = """\
def _note(error: Exception, index: int) -> None:
    error.add_note(f"While sending rows[{index}]")
"""


def takes_rows(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(query.takes_rows for module in package.modules for query in module.queries)


def rows_module(package: ir.Package, clients: Clients) -> str:
    """Return the text of the module, with what the package's commands need."""
    results = [query.result for module in package.modules for query in module.queries]
    copies, batches = (any(isinstance(result, kind) for result in results) for kind in (ir.Copied, ir.Batch))
    checked = sorted({name for result in results if isinstance(result, ir.Copied) for name in result.types} & CUT_SHORT)
    builder = ModuleBuilder(header=header_line(), doc="Notes on errors that say which of the rows sent they concern.", taken=())
    names = ["Generator", "Iterable", "Iterator", *(["AsyncIterable", "AsyncIterator"] if copies and clients is not Clients.SYNC else [])]
    for name in names:
        builder.name("collections.abc", name)
    for module, name in (("contextlib", "contextmanager"), ("typing", "Generic"), ("psycopg", "Error"), ("psycopg", "OperationalError")):
        builder.name(module, name)
    if batches:
        for module, name in (("typing", "Any"), ("psycopg", "Cursor"), ("psycopg", "AsyncCursor"), ("psycopg", "ProgrammingError")):
            builder.name(module, name)
    if checked:
        builder.name("psycopg.errors", "NumericValueOutOfRange")
    builder.add_constant([f'T = {builder.name("typing", "TypeVar")}("T")'])
    if copies:
        builder.add_constant(
            [
                '# The context of an error in a COPY, in whatever language: "COPY users, line 7".',
                f'LINE = {builder.module("re")}.compile(r"^COPY .+?, \\D*(\\d+)", re.MULTILINE)',
            ]
        )
    parts = [_SENT_ROWS, *([_COPYING] if copies else []), *([_EXECUTING, _NOTE_FAILED] if batches else []), _NOTE_SENDING]
    builder.add_definition("".join(parts).splitlines())
    if "AsyncIterable" in names:
        builder.add_definition(_ASYNC_SENT_ROWS.splitlines())
    for name in checked:
        kind, limit = _INTEGERS[name]
        builder.add_definition(_IN_RANGE.format(name=name, type=kind, limit=limit).splitlines())
    if batches:
        builder.add_definition(_RESULTS.splitlines())
    builder.add_definition(_NOTE.splitlines())
    return builder.text()
