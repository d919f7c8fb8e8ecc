"""What the docstring of a function says of its variants: what leaving an argument out does, and which errors are raised."""

from __future__ import annotations

from collections.abc import Iterator

from sqlwright import ir
from sqlwright.sql.pages import WherePiece
from sqlwright.sql.variants import ClausePiece, groups_of


def variant_sentences(query: ir.Query) -> tuple[str, ...]:
    """Return a sentence for each kind of variant that a query has; none for a query without variants."""
    return tuple(_sentences(query, query.variants)) if query.variants else ()


def _sentences(query: ir.Query, variants: ir.Variants) -> Iterator[str]:
    clauses = [piece.clause if isinstance(piece, WherePiece) else piece for piece in variants.pieces]
    names = {param.number: f"`{param.name}`" for param in query.params}
    leaving = [(piece.assigns, params) for piece in clauses if isinstance(piece, ClausePiece) for _, params in piece.parts if params]
    if any(not assigns for assigns, _ in leaving):
        yield "A filter that is left out, or is `UNSET`, adds no condition."
    if any(assigns for assigns, _ in leaving):
        empty = "without any, the row is returned unchanged" if variants.unchanged else "without any, ValueError is raised"
        yield f"A column whose argument is left out stays as it is; {empty}."
    for group in groups_of([params for _, params in leaving]):
        if len(group) > 1:
            together = " and ".join(names[number] for number in sorted(group))
            yield f"ValueError is raised unless {together} are passed together."
    if variants.page is not None:
        yield "CursorError is raised for a cursor that is damaged or of another query."
