"""Explanations of diagnostics about queries with variants."""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.diagnostics import Code
from sqlwright.explanations.examples import Example, Explanation

VARIANTS: Mapping[Code, Explanation] = {
    Code.UNKNOWN_PARAMETER: Explanation(
        "A parameter that the query does not have",
        "`@optional` and `@patch` name parameters, as the query writes them without the `@`.",
        "Correct the name; the help lists the parameters.",
        Example("-- @optional titel\n-- name: Find :many\nSELECT id FROM posts WHERE title = @title;\n"),
    ),
    Code.REPEATED_ANNOTATION: Explanation(
        "An annotation, or a name in one, that is written twice",
        "Only one of the two could take effect. Each order has its own name.",
        "Remove one of the two, or rename the order.",
        Example("-- @optional title, title\n-- name: Find :many\nSELECT id FROM posts WHERE title = @title;\n"),
    ),
    Code.INSEPARABLE_CONDITION: Explanation(
        "An optional parameter outside of the conditions that can leave",
        "A condition leaves the statement if AND alone connects it with the rest of a WHERE. Under OR or NOT, in EXISTS, in ON or "
        "in the list of columns, it is not clear what would leave with the parameter. A required parameter must be used where it always "
        "remains.",
        "Write the condition in WHERE, as the help shows, or use another parameter.",
        Example("-- @optional name\n-- name: Find :many\nSELECT id FROM users WHERE name = @name OR nick = 'x';\n"),
    ),
    Code.UNGUARDED_WRITE: Explanation(
        "A write to every row if all filters are left out",
        "Without its optional conditions, the UPDATE or DELETE has no WHERE: forgetting an argument would change the whole table.",
        "Add a condition that always remains, or make the parameter required.",
        Example("-- @optional title\n-- name: Purge :exec\nDELETE FROM posts WHERE title = @title;\n"),
    ),
    Code.REFUSED_ORDER: Explanation(
        "An order that the query cannot have",
        "PostgreSQL refuses it, it is more than a list for ORDER BY, it has parameters, or no order is the statement's own, which "
        "is the default.",
        "Write `-- @order name` for the statement's own ORDER BY and `-- @order name: column DESC, column` for each other one.",
        Example("-- @order newest\n-- @order title: titel\n-- name: List :many\nSELECT id FROM posts ORDER BY id DESC;\n"),
    ),
    Code.REFUSED_DERIVATION: Explanation(
        "A query whose rows cannot be counted by another one",
        "`@count` and `@exists` make a statement of the query without its ORDER BY and LIMIT. If that writes, locks rows, calls volatile "
        "functions, or returns other rows than the query, nothing can be said about the query's rows.",
        "Remove the annotation and write a query for the number, or move what writes out of the query.",
        Example("-- @count\n-- name: Lock :many\nSELECT id FROM posts FOR UPDATE;\n"),
    ),
    Code.REFUSED_PAGE: Explanation(
        "A query that can have no pages",
        "A page continues behind the last row of the one before it, so that no two rows may have the same place in the order: a unique key "
        "that is never NULL is among its columns. What is sorted by must be the same each time, and its values must fit into a cursor. The "
        "condition of a page is added to the WHERE of a plain SELECT, whose LIMIT is a parameter.",
        "Add the column that the help names to ORDER BY, or put what the query computes into a subquery in FROM and sort around it.",
        Example("-- @page\n-- name: List :many\nSELECT id FROM posts ORDER BY title LIMIT @page_size;\n"),
    ),
    Code.REFUSED_PATCH: Explanation(
        "A patch of nothing",
        "`@patch` lets assignments of an UPDATE leave the statement: those of a whole column whose value mentions a parameter. Here there "
        "is none, or it names a parameter that no assignment mentions.",
        "Remove the annotation, or assign a parameter, `column = @parameter`.",
        Example("-- @patch\n-- name: Reset :exec\nUPDATE users SET nick = NULL WHERE id = @id;\n"),
    ),
    Code.UNVERIFIED_VARIANT: Explanation(
        "A variant that PostgreSQL reads as another statement",
        "Each variant must be the statement without those parts and nothing else, and one statement with switches must stand for all of "
        "them. PostgreSQL's trees are compared; where they differ, nothing is assumed.",
        "Write the condition or assignment more plainly, such as with a cast to the column's own type, or write a query for each variant.",
        Example("-- @patch\n-- name: Rename :exec\nUPDATE users SET name = @name::int, nick = @nick WHERE id = @id;\n"),
    ),
}
