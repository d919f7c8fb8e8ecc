"""What may vary in a query, from its annotations: names of parameters become numbers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.ir.naming import Identifier
from sqlwright.sql.annotations import Annotations
from sqlwright.sql.sources import QuerySource


def variant_words(annotations: Annotations) -> list[str]:
    """Return the annotations that make variants."""
    found = {"optional": annotations.optional, "order": annotations.orders, "patch": annotations.patch, "page": annotations.page}
    return [word for word, value in found.items() if value]


def variation(annotations: Annotations, params: Sequence[ir.UnprovenParam]) -> ir.Variation | None:
    """Return what may vary in a query; None if nothing does."""
    if not variant_words(annotations):
        return None
    numbers = {param.name: param.number for param in params}
    return ir.Variation(
        frozenset(numbers[Identifier.from_sql(name)] for name in annotations.optional),
        tuple((order.name, order.by) for order in annotations.orders),
        bool(annotations.patch),
        frozenset(numbers[Identifier.from_sql(name)] for name in annotations.patched),
        annotations.or_select,
        bool(annotations.page),
    )


def _positional(source: QuerySource, word: str, position: str, line: str, names: Mapping[str, str]) -> Diagnostic:
    known = ", ".join(f"`{name}` ({each})" for each, name in names.items()) or "none"
    return Diagnostic(
        Code.UNKNOWN_PARAMETER,
        f"@{word} on query {source.name} names `{position}`, which is not the name of a parameter",
        source.doc_place(line),
        help=f"write its name, `{names[position]}`; the statement is clearer with `@{names[position]}` for `{position}`."
        if position in names
        else f"its parameters: {known}.",
    )


def unknown_parameters(source: QuerySource, annotations: Annotations, params: Sequence[ir.UnprovenParam]) -> list[Diagnostic]:
    """Report names in `@optional` and `@patch` that no parameter has, and those that both have."""
    names = [param.name for param in params]
    found: list[Diagnostic] = []
    for word, named in (("optional", annotations.optional), ("patch", annotations.patched)):
        for name, line in named.items():
            if name.startswith("$"):
                found.append(_positional(source, word, name, line, {f"${param.number}": param.name for param in params}))
            elif Identifier.from_sql(name) not in names:
                close = difflib.get_close_matches(Identifier.from_sql(name), names, n=1)
                known = ", ".join(f"`{each}`" for each in names) or "none"
                found.append(
                    Diagnostic(
                        Code.UNKNOWN_PARAMETER,
                        f"@{word} on query {source.name} names `{name}`, which is not one of its parameters",
                        source.doc_place(line),
                        help=f"did you mean `{close[0]}`?" if close else f"its parameters: {known}.",
                    )
                )
    found += [
        Diagnostic(
            Code.CONTRADICTING_CLAIMS,
            f"query {source.name} names `{name}` both in @optional and in @patch",
            source.doc_place(line),
            help="keep it in @patch if it is set, and in @optional if it filters.",
        )
        for name, line in annotations.patched.items()
        if name in annotations.optional
    ]
    return found
