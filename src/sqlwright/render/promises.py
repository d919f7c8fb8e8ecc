"""The check of a query's number of rows at run time, and the error for a database that breaks the proof or the claim."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line
from sqlwright.render.layout import Text, exempt_if_too_long, lay_out
from sqlwright.render.literals import string_literal

# No query file can have this name: those begin with a letter.
PROOFS_MODULE = "_proofs"
PROOF_BROKEN = "ProofBrokenError"
_PROOFS = "PROOFS"

# No psycopg.Error: neither a retry nor a translation of database errors can handle a schema that differs from the one that was proven. The
# second cause is rare, and an application that runs at REPEATABLE READ or SERIALIZABLE may catch the error for it.
_CLASS = '''\
class ProofBrokenError(RuntimeError):
    """A query returned a number of rows that its proof rules out.

    Either the database differs from the schema that this package was generated from: a
    unique index was dropped, for example. Do not retry then. Or the transaction has a
    snapshot of its own, REPEATABLE READ or SERIALIZABLE, and has written a key whose
    old row another transaction has deleted since: it sees both rows. Run the
    transaction again. In a batch, `index` is the position of the row sent.
    """

    def __init__(self, query: str, rows: int, index: int | None = None) -> None:
        super().__init__(query, rows, index)
        self.query = query
        self.rows = rows
        self.index = index

    def __str__(self) -> str:
        sent = "" if self.index is None else f" for rows[{self.index}]"
        return (
            f"query {self.query} returned {self.rows} rows{sent} instead of"
            f" {PROOFS[self.query]}; compare the database's schema with the one that"
            " this package was generated from, or run the transaction again if it is"
            " REPEATABLE READ or SERIALIZABLE and has written a key whose old row"
            " another transaction has deleted"
        )
'''


def checked_row(builder: ModuleBuilder, root: str, query: ir.Query, one: ir.One, row: str, count: str, *, in_batch: bool) -> list[str]:
    """Return the lines that raise an error for a second row, or for no row where there always is one."""
    if not (one.always or one.because):
        return []
    error = builder.name(f"{root}{PROOFS_MODULE}", PROOF_BROKEN)
    arguments = [string_literal(query.name), count, *(["len(results)"] if in_batch else [])]
    lines = [
        f"if {row} is None or {count} > 1:" if one.always else f"if {count} > 1:",
        f"    raise {error}({', '.join(arguments)})",
    ]
    return exempt_if_too_long(f"{'        ' if in_batch else '    '}{line}" for line in lines)


def _promised(query: ir.Query) -> str:
    """Return in words the number of rows that a query's function checks; "" where it checks none."""
    one = query.result.each if isinstance(query.result, ir.Batch) else query.result
    if not isinstance(one, ir.One) or not (one.always or one.because):
        return ""
    return f"{'exactly' if one.always else 'at most'} one ({one.because})"


def makes_promises(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(_promised(query) for module in package.modules for query in module.queries)


def proofs_module(package: ir.Package) -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Proven numbers of rows, and the error for a query that breaks its proof.", taken=())
    promised = [(query.name, words) for module in package.modules for query in module.queries if (words := _promised(query))]
    text = builder.builtin("str")
    entries = [line for name, words in promised for line in lay_out(Text(words), 1, f"{string_literal(name)}: ", ",")]
    head = f"{_PROOFS}: {builder.name('typing', 'Final')}[{builder.builtin('dict')}[{text}, {text}]] = {{"
    builder.add_constant(exempt_if_too_long([head, *entries, "}"]))
    builder.add_definition(_CLASS.splitlines())
    return builder.text()
