"""The rules for expressions: is this expression ever NULL?

A rule is a function that takes the prover, the node and the scope in which the node is evaluated, and returns a verdict. What has no rule
here, and what its rule does not recognise, may be NULL: the safe answer is the default.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlwright.prove.rules.expressions import aggregates, columns, conditions, functions, subqueries, values
from sqlwright.prove.rules.scopes import Rule

EXPRESSIONS: Mapping[str, Rule] = {
    "AGGREF": aggregates.aggregate,
    "ARRAYCOERCEEXPR": values.converted_array,
    "ARRAYEXPR": values.array,
    "BOOLEANTEST": conditions.test,
    "BOOLEXPR": conditions.boolean,
    "CASEEXPR": values.case,
    "CASETESTEXPR": values.tested_value,
    "COALESCEEXPR": values.coalesce,
    "COERCETODOMAIN": values.checked_by_domain,
    "COERCEVIAIO": values.converted_by_text,
    "COLLATEEXPR": values.same_value,
    "CONST": values.constant,
    "CONVERTROWTYPEEXPR": values.same_value,
    "DISTINCTEXPR": conditions.distinct,
    "FIELDSELECT": values.field,
    "FUNCEXPR": functions.function_call,
    "GROUPINGFUNC": values.always_there,
    "JSONCONSTRUCTOREXPR": functions.json_constructor,
    "JSONISPREDICATE": conditions.is_json,
    "JSONVALUEEXPR": functions.json_value,
    "MERGESUPPORTFUNC": values.always_there,
    "MINMAXEXPR": values.greatest,
    "NAMEDARGEXPR": values.same_value,
    "NULLIFEXPR": values.nullif,
    "NULLTEST": conditions.test,
    "OPEXPR": functions.operator,
    "PARAM": values.parameter,
    "RELABELTYPE": values.same_value,
    "ROWCOMPAREEXPR": conditions.row_comparison,
    "ROWEXPR": values.row,
    "SCALARARRAYOPEXPR": conditions.any_or_all,
    "SQLVALUEFUNCTION": values.value_function,
    "SUBLINK": subqueries.sublink,
    "SUBSCRIPTINGREF": values.subscript,
    "VAR": columns.var,
    "WINDOWFUNC": aggregates.window_function,
    "XMLEXPR": functions.xml,
    "XMLSERIALIZE": functions.xml_serialize,
}
"""The rules, by the tag of the node that each judges."""
