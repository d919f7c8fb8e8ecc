"""The check for parameters that accept None to no purpose: where a column refuses it, and where leaving them out means the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic, Severity
from sqlwright.ir.proofs import Proofs, QueryProof
from sqlwright.sql.lexer import Token, significant
from sqlwright.sql.placeholders import placeholder_number


def check_needless_nulls(package: ir.UnprovenPackage, proofs: Proofs) -> list[Diagnostic]:
    """Warn of `column = sqlc.narg(x)` where the column refuses NULL, and of `column = coalesce(sqlc.narg(x), column)` that may leave."""
    return [
        diagnostic
        for module in package.modules
        for query in module.queries
        if query.derivation is None
        for diagnostic in _check(query, proofs.queries[module.source_file, query.name])
    ]


def _check(query: ir.UnprovenQuery, proof: QueryProof) -> Iterator[Diagnostic]:
    leaving = proof.variants.cut.optional if proof.variants else ()
    kept = dict(_kept_columns(significant(query.sql))) if leaving else {}
    for param, found in zip(query.params, proof.params, strict=False):
        if found.refused_by is not None:
            offset = next((token.start for token in significant(query.sql) if token.text == f"${param.number}"), None)
            message = f"sqlc.narg accepts None for `{param.name}`, and {found.refused_by} refuses NULL"
            yield _warning(query, message, offset, f"write `@{param.name}`.")
        if param.number in leaving and param.number in kept:
            column, offset = kept[param.number]
            yield _warning(
                query,
                f"`{param.name}` may be left out, and COALESCE leaves `{column}` as it is a second time",
                offset,
                f"write `{column} = @{param.name}`: it leaves the statement when the argument is left out.",
            )


def _warning(query: ir.UnprovenQuery, message: str, offset: int | None, cure: str) -> Diagnostic:
    place = query.source.header_place() if offset is None else query.source.place_of(query.sql, offset)
    return Diagnostic(Code.NEEDLESS_NULL, f"query {query.name}: {message}", place, help=cure, severity=Severity.WARNING)


def _kept_columns(tokens: Sequence[Token]) -> Iterator[tuple[int, tuple[str, int]]]:
    """Return the parameters in `column = coalesce($1, column)`, each with the column and where COALESCE is."""
    for index in range(2, len(tokens) - 2):
        column, equal, word, bracket, value = tokens[index - 2 : index + 3]
        if equal.text != "=" or word.text.lower() != "coalesce" or bracket.text != "(":
            continue
        number = placeholder_number(value) if value.text.startswith("$") else None
        behind = tokens[index + 3 :]
        end = next((i for i, token in enumerate(behind) if token.text == ")"), 0)
        comma = next((i for i, token in enumerate(behind[:end]) if token.text == ","), end)
        last = [token.text.lower() for token in behind[comma + 1 : end]]
        # The column by itself, or behind the name of its table.
        if number is not None and last[-1:] == [column.text.lower()] and (len(last) == 1 or last[-2] == "."):
            yield number, (column.text, word.start)
