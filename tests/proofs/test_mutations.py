# pyright: reportUnknownLambdaType=false, reportPrivateUsage=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""Mutations: with any one rule or caution taken away, some label is no longer what the proof says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import psycopg
import pytest

from sqlwright.prove.catalog import facts, refusals, totals
from sqlwright.prove.rules import EXPRESSIONS, narrowing, scopes, verdicts
from sqlwright.prove.rules.expressions import aggregates, columns, functions, setreturning, values
from sqlwright.prove.rules.queries import outputs, recursion, returning
from sqlwright.prove.rules.rows import cardinality, dependencies, reach, reevaluation, steadiness
from sqlwright.prove.rules.verdicts import may_be_null
from sqlwright.prove.shape import parameters, writes
from sqlwright.prove.statement import prove_statement
from sqlwright.prove.tree import rowfacts
from tests.support.servers import Servers, fresh_database

from .labelled import CASES, Case, read_cases

pytestmark = pytest.mark.slow

_TABLES_OF_RULES: dict[str, Any] = {
    "expression": EXPRESSIONS,
    "true": narrowing.TRUTHS,
    "false": narrowing.FALSEHOODS,
    "not true": narrowing.REFUSALS,
    "present": narrowing.PRESENCES,
}
# XML needs a server with libxml; the suite does not reach the others; NULLIF's rule only words what is the answer without it.
_UNREACHED = {
    "expression XMLEXPR",
    "expression XMLSERIALIZE",
    "expression NAMEDARGEXPR",
    "expression CONVERTROWTYPEEXPR",
    "expression NULLIFEXPR",
    "present NAMEDARGEXPR",
    "present CONVERTROWTYPEEXPR",
}
RULES = [f"{kind} {tag}" for kind, table in _TABLES_OF_RULES.items() for tag in table if f"{kind} {tag}" not in _UNREACHED]

# A function and what stands in for it, by what the mutant no longer knows.
MUTANTS: dict[str, tuple[object, str, object]] = {
    "generated columns": (facts.SchemaFacts, "defaults", lambda self, oid: {}),
    "CHECK (x IS NOT NULL)": (facts, "column_not_null", lambda condition: None),
    "NOT NULL domains": (facts.SchemaFacts, "is_strict_domain", lambda self, oid: False),
    "children of a table": (facts.SchemaFacts, "_weaken", lambda self, parent, child: None),
    "triggers": (facts.SchemaFacts, "_trigger_events", lambda self, relations, timing: frozenset()),
    "unique indexes": (facts.SchemaFacts, "unique_indexes", lambda self, oid: []),
    "conclusions from ON conditions": (rowfacts, "close", lambda clauses: frozenset()),
    "conditions": (narrowing, "row_facts", lambda prover, scope: frozenset()),
    "merged columns of joins": (narrowing, "_through_alias", lambda ground, item, attribute: frozenset()),
    "indexes on expressions": (dependencies.FunctionalDependencies, "_senses_of_expression", lambda self, key, item: set()),
    "conditions of partial indexes": (dependencies.FunctionalDependencies, "_implies", lambda self, predicate, item: False),
    "caution with partial indexes": (dependencies.FunctionalDependencies, "_implies", lambda self, predicate, item: True),
    "comparisons with one row of a subquery": (dependencies.FunctionalDependencies, "_has_one_value", lambda self, node: False),
    "caution with subqueries that choose": (dependencies, "is_repeatable", lambda prover, subquery: True),
    "caution with views that choose": (reevaluation, "relation_is_repeatable", lambda prover, oid: True),
    "caution with common tables that choose": (reevaluation, "is_evaluated_once", lambda prover_facts, common_table: True),
    "what is evaluated once": (reevaluation, "is_evaluated_once", lambda prover_facts, common_table: False),
    "IS NOT DISTINCT FROM": (dependencies.FunctionalDependencies, "_apply_likeness", lambda self, likeness: None),
    "CHECK constraints that fix a key": (dependencies.FunctionalDependencies, "_take_checks", lambda self, item: None),
    "caution with CHECK constraints that let NULL pass": (
        dependencies.FunctionalDependencies,
        "_not_null",
        lambda self, item: set(range(99)),
    ),
    "functions of fixed columns": (dependencies.FunctionalDependencies, "_is_function_of_fixed", lambda self, key, item: False),
    "caution with equal values that differ": (
        dependencies.FunctionalDependencies,
        "_is_exact",
        lambda self, item, attribute: bool(cast("dependencies.FunctionalDependencies", self).fixed.get((item, attribute))),
    ),
    "boolean columns as conditions": (dependencies, "true_or_false_column", lambda node: None),
    "caution with rows that may be absent": (dependencies.FunctionalDependencies, "_presence_is_fixed", lambda self, item: True),
    "caution with values that vary": (dependencies.FunctionalDependencies, "_same", lambda self, node: True),
    "caution with stable values": (steadiness, "_depends_on_settings", lambda prover, node: False),
    "statements that change no setting": (scopes, "changes_settings", lambda schema_facts, statement: True),
    "caution with policies": (facts.SchemaFacts, "_policies", {}),
    "caution with joins that are evaluated again": (dependencies, "matches_alike", lambda *arguments: True),
    "joins that find the same again": (dependencies, "matches_alike", lambda *arguments: False),
    "groups that HAVING leaves": (dependencies.FunctionalDependencies, "is_compared", lambda self, node, operator, condition: False),
    "users' casts to text": (facts.SchemaFacts, "has_cast_to_text", lambda self, oid: False),
    "equal values": (dependencies.FunctionalDependencies, "_same", lambda self, node: False),
    "caution with ON conditions": (dependencies.FunctionalDependencies, "_counts", lambda self, guard, item: True),
    "fixed groups": (cardinality, "_all_fixed", lambda *arguments: False),
    "LIMIT and OFFSET": (cardinality, "_limited", lambda query, rows: rows),
    "constants of LIMIT": (cardinality, "constant_number", lambda node: None),
    "WITH TIES": (cardinality, "_with_ties", lambda query: False),
    "rows that an INSERT may skip": (reach, "_altered", lambda *arguments: ""),
    "rows of MERGE": (cardinality, "_merged", lambda *arguments: cardinality.many("mutant")),
    "conditions that are constant": (cardinality, "_conditionless", lambda condition: False),
    "caution with conditions": (cardinality, "_conditionless", lambda condition: True),
    "items of FROM that have a row": (cardinality, "_item_has_row", lambda *arguments: False),
    "limits of subqueries": (cardinality, "_limits_entry", lambda *arguments: False),
    "SEARCH and CYCLE": (recursion, "_search_and_cycle", lambda *arguments: []),
    "the second arm of a recursion": (recursion, "_weaker", lambda old, new: old),
    "window frames": (aggregates, "_frame", lambda query, reference: False),
    "caution with window frames": (aggregates, "_frame", lambda query, reference: True),
    "groups with rows": (cardinality, "group_has_rows", lambda prover, at: False),
    "caution with empty groups": (cardinality, "group_has_rows", lambda prover, at: True),
    "extract of a fixed field": (functions, "constant_text", lambda node: None),
    "elements of arrays": (functions, "_element_nullable", lambda function, verdicts: True),
    "rows of functions": (setreturning, "set_member", lambda *arguments: may_be_null("mutant")),
    "learned columns": (columns, "_learned", lambda at, item, attribute: False),
    "whole rows": (columns, "_whole_row", lambda *arguments: may_be_null("mutant")),
    "assigned values": (returning._Written, "_assigned", lambda self, item, attribute, present: present),
    "either side": (verdicts, "either", verdicts.both),
    "both sides": (verdicts, "both", verdicts.either),
    "parameters in unnest": (writes._Writes, "_elements", lambda self, call, use: iter(())),
    "parameters in subqueries": (writes._Writes, "_through", lambda self, levels, attribute, use: iter(())),
    "parameters in WITH items": (writes._Writes, "_through_item", lambda self, levels, entry, attribute, use: iter(())),
    "domains that refuse NULL": (refusals.Refusals, "by_domain", lambda self, oid: False),
    "columns that refuse NULL": (refusals.Refusals, "by_column", lambda self, relation, number: False),
    "tests of parameters": (parameters, "_tests", lambda facts, tree: iter(())),
    "other uses of a parameter's column": (writes, "_only_written", lambda *arguments: True),
}
_TABLES = {
    "NEVER_NULL_AGGREGATES": totals.NEVER_NULL_AGGREGATES,
    "NON_EMPTY_AGGREGATES": {"array_agg", "json_agg", "jsonb_object_agg", "json_agg_strict", "json_object_agg"},
    "VALUE_AGGREGATES": totals.VALUE_AGGREGATES - {"xmlagg", "range_agg", "range_intersect_agg", "bit_xor"},
    "ORDERED_SET_AGGREGATES": totals.ORDERED_SET_AGGREGATES,
}


@pytest.fixture(scope="module")
def connection(servers: Servers) -> Iterator[psycopg.Connection]:
    with fresh_database(servers, 18, "mutations") as connection:
        for name in ("schema", "hostile", "schema18"):
            connection.execute((CASES / f"{name}.sql").read_bytes())
        yield connection


def test_without_a_mutation_every_label_is_proven(connection: psycopg.Connection) -> None:
    assert first_wrong_label(connection) is None


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_needed(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    kind, tag = rule.rsplit(" ", 1)
    monkeypatch.delitem(_TABLES_OF_RULES[kind], tag)
    assert first_wrong_label(connection) is not None


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_piece_of_knowledge_is_needed(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    owner, name, replacement = MUTANTS[mutant]
    monkeypatch.setattr(owner, name, replacement)
    for user in (cardinality, columns, functions, aggregates, narrowing, outputs, values):
        if getattr(user, name, None) is not None and user is not owner:
            monkeypatch.setattr(user, name, replacement)
    assert first_wrong_label(connection) is not None


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, names in _TABLES.items() for name in sorted(names)])
def test_an_aggregate_in_the_table_is_needed(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, table: str, name: str
) -> None:
    monkeypatch.setattr(aggregates, table, getattr(aggregates, table) - {name})
    assert first_wrong_label(connection) is not None


def first_wrong_label(connection: psycopg.Connection, choose: Callable[[Case], bool] = lambda case: True) -> str | None:
    """Prove all cases until one proof differs from its label; a crash counts."""
    known = facts.SchemaFacts.load(connection)
    with connection.transaction(force_rollback=True):
        for case in read_cases():
            if not choose(case):
                continue
            try:
                proof = prove_statement(connection, known, case.statement)
            except (RecursionError, LookupError, TypeError, ValueError, AttributeError) as crash:
                return f"{case.id}: {crash!r}"
            marks = ["?" if column.nullable else "!" for column in proof.columns]
            elements = [column.element_nullable for column in proof.columns]
            wrong = (
                marks != [mark.replace("~", "?") for mark in case.columns]
                or proof.rows.cardinality != case.rows
                or any(mark and found != (mark != "!") for found, mark in zip(elements, case.elements, strict=True))
                or any(
                    proof.params[n - 1].nullable != (mark == "?")
                    or (bool(element) and proof.params[n - 1].element_nullable != (element == "?"))
                    for n, (mark, element) in case.params.items()
                )
            )
            if wrong:
                return case.id
    return None
