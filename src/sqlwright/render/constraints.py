"""The constraints module: for each table an enum of the names by which PostgreSQL reports a violated constraint."""

from __future__ import annotations

from functools import lru_cache

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.docstrings import docstring
from sqlwright.render.enums import member_lines
from sqlwright.render.header import header_line
from sqlwright.render.layout import LINE_LENGTH
from sqlwright.render.literals import string_literal
from sqlwright.render.sql_lines import in_lines

# Between the quotes of a docstring in a class.
_DEFINITION_COLUMNS = LINE_LENGTH - len('    """"""')


# Packages over the same schema have the same one.
@lru_cache(maxsize=4)
def constraints_module(constraints: tuple[ir.ConstraintClass, ...]) -> str:
    """Return the text of constraints.py."""
    builder = ModuleBuilder(
        header=header_line(),
        doc="Names of constraints and unique indexes, as in `error.diag.constraint_name`.",
        taken=[found.name for found in constraints],
    )
    for found in constraints:
        lines = [
            f"class {found.name}({builder.name('enum', 'StrEnum')}):",
            *docstring([f"Constraints of `{found.table.removeprefix('public.')}`."], 1),
            "",
        ]
        for constraint in found.members:
            lines += [
                *member_lines(constraint.member, string_literal(constraint.name)),
                *docstring([in_lines(constraint.definition, _DEFINITION_COLUMNS)], 1),
            ]
        builder.add_definition(lines)
    return builder.text()
