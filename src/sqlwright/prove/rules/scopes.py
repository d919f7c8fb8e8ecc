"""Scopes, in which expressions are judged, and the prover, which finds the rule for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from sqlwright.prove.catalog.facts import SchemaFacts
from sqlwright.prove.rules.exprtypes import types_may_agree
from sqlwright.prove.rules.verdicts import Verdict, may_be_null
from sqlwright.prove.rules.volatility import changes_settings
from sqlwright.prove.tree.enums import CmdType, VarReturningType
from sqlwright.prove.tree.expressions import location, structure
from sqlwright.prove.tree.jointree import JoinTree
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Unrecognised, parse
from sqlwright.prove.tree.querytree import Query, RangeEntry
from sqlwright.prove.tree.rowfacts import RowFact, RowFacts


@dataclass(eq=False)
class Scope:
    """The context of an expression: its query level, the levels around it, and the facts about every row at that place.

    `row` is the scope before grouping, for a scope after it. `test` is the verdict on a CaseTestExpr, `test_node` its
    expression. `sublink` holds the columns of the subquery whose comparison is evaluated. `written` judges the columns of the
    written table in RETURNING, `excluded` those of `excluded` in DO UPDATE.
    """

    query: Query
    parent: Scope | None
    known: RowFacts = frozenset()
    row: Scope | None = None
    test: Verdict | None = None
    test_node: Node | None = None
    sublink: tuple[Verdict, ...] = ()
    written: Callable[[int, int, VarReturningType], Verdict] | None = None
    excluded: Callable[[int, int], Verdict | None] | None = None
    joins: JoinTree | None = None

    def up(self, levels: int) -> Scope:
        """Return the scope that many query levels up."""
        scope: Scope | None = self
        for _ in range(levels):
            scope = scope.parent if scope else None
        if scope is None:
            raise Unrecognised("a reference to a query level that does not exist")
        return scope

    def common_table(self, entry: RangeEntry) -> tuple[Node, Scope]:
        """Return the WITH item that an entry of FROM names, and the scope in which it stands."""
        scope = self.up(entry.node.number("ctelevelsup"))
        name = entry.node.text("ctename")
        for item in scope.query.common_tables:
            if item.text("ctename") == name:
                return item, scope
        raise Unrecognised(f"no WITH item {name}")

    @property
    def is_serial(self) -> bool:
        """Whether no parallel worker takes part in the statement: PostgreSQL uses none where something is written.

        See standard_planner in PostgreSQL's planner.c; a view counts as a part of the statement that names it.
        """
        if self.query.command is not CmdType.SELECT or self.query.node.flag("hasModifyingCTE"):
            return True
        return self.parent is not None and self.parent.is_serial

    def knowing(self, facts: Iterable[RowFact]) -> Scope:
        """Return the same scope with further facts about the row."""
        more = self.known | frozenset(facts)
        return self if more == self.known else replace(self, known=more)

    @property
    def tree(self) -> JoinTree:
        """The join tree of the query level."""
        if self.joins is None:
            self.joins = JoinTree(self.query)
        return self.joins


Rule: TypeAlias = Callable[["Prover", Node, Scope], Verdict]


@dataclass
class Prover:
    """Proves the columns of one statement.

    `statement` is its tree. `nullable_params` may be None, `nullable_elements` may hold None inside an array; `param_dimensions` are those
    that are more than one.

    `outputs` caches the verdicts on a subquery's columns by the identity of its node and of the scope around it, which `kept_scopes`
    keeps alive; `assumed` holds the assumptions of recursive queries about themselves.
    """

    facts: SchemaFacts
    rules: Mapping[str, Rule]
    statement: Node | None = None
    nullable_params: frozenset[int] = frozenset()
    nullable_elements: frozenset[int] = frozenset()
    param_dimensions: Mapping[int, int] = field(default_factory=dict[int, int])
    outputs: dict[tuple[int, int], tuple[Verdict, ...]] = field(default_factory=dict[tuple[int, int], tuple[Verdict, ...]])
    assumed: dict[tuple[int, int], tuple[Verdict, ...]] = field(default_factory=dict[tuple[int, int], tuple[Verdict, ...]])
    kept_scopes: dict[int, Scope] = field(default_factory=dict[int, Scope])
    _queries: dict[int, Query] = field(default_factory=dict[int, Query])

    @cached_property
    def settings_may_change(self) -> bool:
        """Whether stable functions may return another value within the statement, as settings change."""
        try:
            return self.statement is None or changes_settings(self.facts, self.statement)
        except UNREADABLE:
            return True

    def query(self, node: Node) -> Query:
        """Return the query of a QUERY node, the same object every time."""
        if id(node) not in self._queries:
            self._queries[id(node)] = Query(node)  # it holds the node, so the identity stays taken
        return self._queries[id(node)]

    def verdict(self, node: Node, scope: Scope) -> Verdict:
        """Return the verdict on an expression."""
        if scope.row is not None and _grouped_away(self, node, scope.query):
            return may_be_null("a grouping set leaves it out, and its value is NULL there", location(node))
        rule = self.rules.get(node.tag)
        if rule is None:
            return may_be_null(f"no rule proves a {node.tag} expression not NULL", location(node))
        try:
            return rule(self, node, scope)
        except UNREADABLE as problem:
            return may_be_null(f"the query tree holds something that is not known here: {problem}", location(node))

    def first_nullable(self, nodes: Iterable[Node], scope: Scope) -> Verdict | None:
        """Return the verdict of the first of the expressions that may be NULL; None when none may."""
        for node in nodes:
            verdict = self.verdict(node, scope)
            if verdict.nullable:
                return verdict
        return None


def _grouped_away(prover: Prover, node: Node, query: Query) -> bool:
    """Return whether an expression after grouping is one that some grouping set omits.

    Since PostgreSQL 18, trees mark it. Before, the planner compares the expressions after it has simplified them: `coalesce(x, 1 + 1)` in
    GROUP BY is `coalesce(x, 2)` above it.
    """
    sets = query.grouping_sets
    if sets is None or ("hasGroupRTE" in query.node.fields and query.node.flag("hasGroupRTE")):
        return False
    left_out = [t.expression for t in query.targets if t.sort_group and not all(t.sort_group in chosen for chosen in sets)]
    if any(expression.tag == node.tag and structure(expression) == structure(node) for expression in left_out):
        return True
    simplified = node.tag not in _NEVER_GROUPED and any(e.tag != "VAR" and types_may_agree(prover.facts, e, node) for e in left_out)
    return simplified and prover.facts.major < _GROUPS_MARKED


# The planner takes no aggregate and no constant for a grouped expression.
_NEVER_GROUPED = frozenset({"AGGREF", "CONST", "GROUPINGFUNC"})
_GROUPS_MARKED = 18


_TABLE = """
{QUERY :commandType 1 :resultRelation 0 :rtable ({RANGETBLENTRY :eref <> :rtekind 0 :relid %d :inh false})
 :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 1}) :quals <>} :targetList <> :groupClause <>
 :groupingSets <> :havingQual <> :hasAggs false}
"""


def table_scope(prover: Prover, relation: int) -> Scope:
    """Return the scope of expressions over one row of a table, as the catalogue stores them: defaults, generated columns."""
    node = parse(_TABLE % relation)
    if not isinstance(node, Node):
        raise Unrecognised("no query over one table")
    return Scope(prover.query(node), None)
