"""`@count` and `@exists`: the queries that ask about the rows of another one, which are proven and rendered as any other query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic
from sqlwright.ir.naming import ClassName, ConstantName, Identifier
from sqlwright.sql.annotations import Annotations
from sqlwright.sql.derived import Asking, Question, ask
from sqlwright.sql.sources import QuerySource

_COLUMNS = {
    Question.COUNT: ir.UnprovenColumn("count", "bigint", sqlc_not_null=True),
    Question.EXISTS: ir.UnprovenColumn("exists", "bool", sqlc_not_null=True),
}


def derived_queries(query: ir.UnprovenQuery, taken: Mapping[str, QuerySource]) -> tuple[list[ir.UnprovenQuery], list[Diagnostic]]:
    """Return the queries that a query's annotations ask for, and errors in the place of those whose names are `taken` by another one."""
    derived: dict[str, ir.UnprovenQuery] = {}
    clashes: list[Diagnostic] = []
    for question in Question:
        if question not in query.annotations.asked:
            continue
        found = _derived(query, question)
        other = query.source if found.name in derived else taken.get(found.name)
        if other is None:
            derived[found.name] = found
        else:
            clashes.append(_clash(query, question, found.name, other))
    return list(derived.values()), clashes


def _clash(query: ir.UnprovenQuery, question: Question, name: str, other: QuerySource) -> Diagnostic:
    return Diagnostic(
        Code.NAME_COLLISION,
        f"@{question} on query {query.name} makes a query {name}, and there is another one of that name",
        query.source.doc_place(query.annotations.asked[question][1]),
        label=f"the other one is in {other.file}, line {other.line}",
        help=f"name it: `-- @{question} OtherName`.",
    )


def name_of(question: Question, query: str, wanted: str) -> str:
    """Return the name of the query that asks about the rows of another one; `wanted` is what the annotation names it, or ""."""
    return wanted or f"{question.capitalize()}{query[:1].upper()}{query[1:]}"


def _derived(query: ir.UnprovenQuery, question: Question) -> ir.UnprovenQuery:
    asking = ask(question, query.sql)
    name = name_of(question, query.name, query.annotations.asked[question][0])
    numbers = {number: index for index, number in enumerate(asking.params, start=1)}
    params = tuple(replace(param, number=numbers[param.number]) for param in query.params if param.number in numbers)
    names = {param.name for param in params}
    annotations = query.annotations
    optional = {name: line for name, line in annotations.optional.items() if Identifier.from_sql(name) in names}
    varied = query.variation.optional if query.variation else frozenset[int]()
    return ir.UnprovenQuery(
        name=name,
        function=Identifier.from_sql(name),
        constant=ConstantName.from_sql(name),
        row_class=ClassName(f"{ClassName.from_sql(name)}Row"),
        params_class=ClassName(f"{ClassName.from_sql(name)}Params"),
        command=ir.Command.ONE,
        sql=asking.sql,
        doc=(_doc(question, query, asking),),
        annotations=Annotations(
            json={column: path for column, path in annotations.json.items() if column in names},
            optional=optional,
            asked={question: annotations.asked[question]},
        ),
        params=params,
        columns=(_COLUMNS[question],),
        embeds=(),
        copied=None,
        source=query.source,
        variation=ir.Variation(frozenset(numbers[number] for number in varied if number in numbers)) if optional else None,
        derivation=ir.Derivation(
            question, query.name, query.sql, tuple((param.number, param.sqlc_type) for param in query.params), asking.params
        ),
    )


def _doc(question: Question, query: ir.UnprovenQuery, asking: Asking) -> str:
    limit = ", without its limit" if asking.limited else ""
    if question is Question.EXISTS:
        return f"Return whether `{query.function}` has rows{limit}."
    return f"Count the rows of `{query.function}`{limit}."
