"""Functional dependencies: the items of FROM that can supply only one row, because a unique key of theirs is fixed.

A column is *fixed* when it has the same value in every row of the result, as an equality operator sees it; an item is *determined* when
it is the same row in all of them (or is null-extended). Equalities with constants, parameters and determined items fix columns; a unique
index whose columns are all fixed determines its table; a determined table supplies further values. The rules run until nothing changes.

An item is *changing* when it has one row for each row of the other items, but perhaps another one each time, because a join may evaluate it
again: a subquery with LIMIT, FOR UPDATE or something volatile. It adds no rows to the result, and fixes nothing in it.

An equality of an ON condition counts only for items that are null-extended whenever it does not hold.

A column that `IS NOT DISTINCT FROM` such a value is *alike* in all rows: it is fixed, or NULL in all of them, which is enough for an index
with NULLS NOT DISTINCT, and for a column that is never NULL. A table is *absent* in all rows if a column of it that is NOT NULL is NULL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from sqlwright.prove.catalog.objects import UniqueIndex
from sqlwright.prove.rules import narrowing
from sqlwright.prove.rules.rows.equalities import ANY_SENSE, Equality, Sense, both_ways
from sqlwright.prove.rules.rows.reevaluation import is_same_each_time, matches_alike, may_change
from sqlwright.prove.rules.rows.repeatable import is_repeatable
from sqlwright.prove.rules.rows.steadiness import is_steady, is_steady_itself
from sqlwright.prove.rules.scopes import Prover, Scope, table_scope
from sqlwright.prove.tree.enums import BoolExprType, JoinType, NullTestType, RelKind, RTEKind, SubLinkType
from sqlwright.prove.tree.expressions import (
    Slot,
    columns_of,
    conjuncts,
    outer_items,
    plain_column,
    stripped,
    structure,
    structure_for,
    true_or_false_column,
    ungrouped,
)
from sqlwright.prove.tree.nodetree import UNREADABLE, Node, Tree, walk
from sqlwright.prove.tree.querytree import RangeEntry, null_test
from sqlwright.prove.tree.rowfacts import ColumnPresent, JoinMatched, NullExtension, Side

_BINARY = 2


class FunctionalDependencies:
    """The fixed columns and the determined items of one query level.

    `outputs` are output columns that the surrounding query fixes; `row_limit` returns why a subquery has at most one row once some of its
    columns are fixed, "" if it may have more.
    """

    def __init__(
        self,
        prover: Prover,
        scope: Scope,
        outputs: Mapping[int, frozenset[Sense]],
        row_limit: Callable[[Prover, RangeEntry | Node, Scope, Mapping[int, frozenset[Sense]]], str],
        extra: Node | None = None,
        extra_guard: frozenset[NullExtension] = frozenset(),
    ) -> None:
        self._prover = prover
        self._scope = scope
        self._row_limit = row_limit
        self.determined: set[int] = set()
        self._changing: set[int] = set()
        self.fixed: dict[Slot, set[Sense]] = defaultdict(set)
        self.alike: dict[Slot, set[Sense]] = defaultdict(set)
        self.reasons: dict[int, str] = {}
        self._excluded = {fact.event for fact in scope.known if isinstance(fact, JoinMatched)}
        self._equalities: list[Equality] = []
        self._likenesses: list[Equality] = []
        self._checked: dict[Slot, str] = {}
        self._absent: set[int] = set()
        self._conjuncts: list[tuple[Node, frozenset[NullExtension]]] = []
        self._items = list(dict.fromkeys([*scope.tree.items, *scope.query.written_items]))
        for condition in scope.tree.conditions:
            self._take(condition.expression, condition.guard)
        if extra is not None:
            self._take(extra, extra_guard)
        for item in self._items:
            self._take_checks(item)
        for target in scope.query.outputs if outputs else ():
            column = plain_column(ungrouped(scope.query, target.expression))
            if target.number in outputs and column is not None:
                self.fixed[column] |= outputs[target.number]
        while self._round():
            pass

    @property
    def all_determined(self) -> bool:
        """Whether the result has at most one row before grouping: every item is determined, and no FULL JOIN can yield two halves."""
        for join in self._scope.tree.joins.values():
            if join.type is JoinType.FULL and not {NullExtension(join.number, side) for side in Side} & self._excluded:
                return False
        return self.loose_item is None

    @property
    def loose_item(self) -> int | None:
        """The first item that may have several rows."""
        return next((item for item in self._scope.tree.items if item not in self.determined | self._changing), None)

    def is_fixed(self, node: Node, operator: int) -> bool:
        """Return whether an expression has one value only, as the equality operator sees it."""
        node = ungrouped(self._scope.query, node)
        if self._same(node):
            return True
        column = plain_column(node)
        if column is None or not self._presence_is_fixed(column[0]):
            return False
        senses = self.fixed.get(column, set())
        return ANY_SENSE in senses or any((family, 0) in senses for family in self._prover.facts.equalities.families(operator))

    def families(self, operator: int) -> frozenset[int]:
        """Return the operator families in which an operator is equality."""
        return self._prover.facts.equalities.families(operator)

    def is_compared(self, node: Node, operator: int, condition: Node) -> bool:
        """Return whether a condition leaves an expression one value only, as the equality operator sees it: `k = $1 AND …`."""
        wanted = structure(stripped(ungrouped(self._scope.query, node)))
        return is_steady(self._prover, node) and any(
            structure(stripped(ungrouped(self._scope.query, equality.left))) == wanted
            and not columns_of(equality.right)
            and self._same(equality.right)
            and {(family, 0) for family in self.families(operator)} & equality.senses
            for part in conjuncts(condition)
            if part.tag == "OPEXPR" and len(part.nodes("args")) == _BINARY and not narrowing.names_null(part)
            for equality in both_ways(self._prover.facts, part, frozenset())
        )

    # --- conditions -------------------------------------------------------------------------------------------------------

    def _take(self, node: Node, guard: frozenset[NullExtension]) -> None:
        if node.tag == "BOOLEXPR" and node.text("boolop") == BoolExprType.AND:
            for part in node.nodes("args"):
                self._take(part, guard)
            return
        self._conjuncts.append((node, guard))
        if node.tag == "OPEXPR" and len(node.nodes("args")) == _BINARY and not narrowing.names_null(node):
            self._equalities += both_ways(self._prover.facts, node, guard)
        elif node.tag == "SUBLINK" and self._has_one_value(node):
            self._take(node.node("testexpr"), guard)
        elif node.tag == "BOOLEXPR" and node.text("boolop") == BoolExprType.NOT and node.nodes("args")[0].tag == "DISTINCTEXPR":
            self._likenesses += both_ways(self._prover.facts, node.nodes("args")[0], guard)
        elif null_test(node) is NullTestType.IS_NULL and not node.flag("argisrow"):
            self._likenesses.append(Equality(stripped(node.node("arg")), node, frozenset({ANY_SENSE}), guard))

    def _has_one_value(self, node: Node) -> bool:
        """Return whether a comparison with a subquery compares all rows with the same row.

        A row subquery fails where it finds two rows. One of IN may be evaluated again for each row.
        """
        subquery, kind = node.node("subselect"), node.enum("subLinkType", SubLinkType)
        if kind not in (SubLinkType.ANY, SubLinkType.ROWCOMPARE) or outer_items(subquery):
            return False
        if kind is SubLinkType.ROWCOMPARE:
            return is_same_each_time(self._prover, self._scope, subquery)
        return is_repeatable(self._prover, subquery) and bool(self._row_limit(self._prover, subquery, self._scope, {}))

    def _take_checks(self, item: int) -> None:
        """Take the CHECK constraints of a table that leave one value to a column: `CHECK (id = 1)`, `CHECK (id)`."""
        entry = self._scope.query.entry(item)
        if entry.kind is not RTEKind.RELATION or not self._prover.facts.relation(entry.relation).is_table:
            return
        for name, condition in self._prover.facts.checks.of(entry.relation):
            truth, senses = true_or_false_column(condition), frozenset({ANY_SENSE})
            column = truth[0] if truth else None
            for equality in both_ways(self._prover.facts, condition, frozenset()) if condition.tag == "OPEXPR" else ():
                if equality.right.tag == "CONST" and not equality.right.flag("constisnull") and plain_column(equality.left):
                    column, senses = plain_column(equality.left), equality.senses
            # A CHECK lets NULL pass, and a unique index any number of them.
            if column is not None and column[1] in self._not_null(item):
                self.fixed[item, column[1]] |= senses
                self._checked[item, column[1]] = name

    def _counts(self, guard: frozenset[NullExtension], item: int) -> bool:
        """Return whether a condition holds in every row in which the item is not null-extended."""
        path = self._scope.tree.paths.get(item, ())
        return all(event in path or event in self._excluded for event in guard)

    def _presence_is_fixed(self, item: int) -> bool:
        """Return whether the item is null-extended in all rows or in none.

        The joins that could do it have one row on their other side, and their conditions choose the same each time.
        """
        for event in self._scope.tree.paths.get(item, ()):
            if event in self._excluded:
                continue
            join = self._scope.tree.joins.get(event.join)
            if join is None or not matches_alike(self._prover, self._scope, event, join):
                return False
            if join.type is JoinType.FULL or not all(
                self._is_constant(other) for other in (join.left if event.side is Side.RIGHT else join.right)
            ):
                return False
        return True

    def _is_constant(self, item: int) -> bool:
        """Return whether the item is the same row in all rows, or absent in all."""
        return item in self.determined and self._presence_is_fixed(item)

    def _are_constant(self, items: set[int]) -> bool:
        return all(self._is_constant(item) for item in items)

    def _same(self, node: Tree) -> bool:
        """Return whether an expression is the very same value in all rows: over items that are, and steady."""
        for part in walk(node):
            match part.tag:
                case "VAR":
                    if not part.number("varlevelsup") and not self._is_constant(part.number("varno")):
                        return False
                case "SUBLINK":
                    subquery = part.node("subselect")
                    return (
                        part is node
                        and part.enum("subLinkType", SubLinkType) is SubLinkType.EXPR
                        and not outer_items(subquery)
                        and is_same_each_time(self._prover, self._scope, subquery)
                    )
                case "FUNCEXPR" if part.flag("funcretset"):
                    return False
                case "OPEXPR" if part.flag("opretset"):
                    return False
                case "AGGREF" | "WINDOWFUNC":
                    return False
                case _ if not is_steady_itself(self._prover, part):
                    return False
                case _:
                    pass
        return True

    # --- the rules --------------------------------------------------------------------------------------------------------

    def _round(self) -> bool:
        before = self._size()
        for equality in self._equalities:
            self._apply(equality)
        for likeness in self._likenesses:
            self._apply_likeness(likeness)
        for node, guard in self._conjuncts:
            truth = true_or_false_column(node)
            if truth is not None and self._counts(guard, truth[0][0]):
                self.fixed[truth[0]].add(ANY_SENSE)
        for item in self._items:
            if item not in self.determined | self._changing and self._is_single(item):
                (self._changing if may_change(self._prover, self._scope, item) else self.determined).add(item)
        return before != self._size()

    def _size(self) -> int:
        """Return the number of facts."""
        return (
            len(self.determined) + len(self._changing) + sum(len(senses) for found in (self.fixed, self.alike) for senses in found.values())
        )

    def _apply(self, equality: Equality) -> None:
        column = plain_column(equality.left)
        if column is not None and self._counts(equality.guard, column[0]):
            self.fixed[column] |= self._senses_of(equality)

    def _apply_likeness(self, likeness: Equality) -> None:
        column = plain_column(likeness.left)
        if column is None or not self._counts(likeness.guard, column[0]):
            return
        is_null = likeness.right.tag == "NULLTEST"
        if is_null or self._same(likeness.right):
            self.alike[column] |= likeness.senses
            if self._scope.query.entry(column[0]).kind is RTEKind.RELATION and column[1] in self._not_null(column[0]):
                self._absent |= {column[0]} if is_null else set()
                self.fixed[column] |= frozenset() if is_null else likeness.senses

    def _senses_of(self, equality: Equality) -> frozenset[Sense]:
        """Return the senses in which the right side, and so the left one, is fixed."""
        if self._same(equality.right):
            return equality.senses
        other = plain_column(equality.right)
        if other is not None and other[0] in self.determined:
            return equality.senses  # where the equality holds, the column is not NULL, so its item is there
        found: set[Sense] = set()
        for family, collation in self.fixed.get(other, ()) if other else ():
            for own_family, own_collation in equality.senses:
                if (family, collation) == ANY_SENSE:
                    found.add((own_family, own_collation))
                elif family == own_family and (not collation or not own_collation or collation == own_collation):
                    found.add((family, collation or own_collation))
        return frozenset(found)

    def _is_single(self, item: int) -> bool:
        try:
            return item in self._absent or self._supplies_one(item, self._scope.query.entry(item))
        except UNREADABLE:
            return False

    def _supplies_one(self, item: int, entry: RangeEntry) -> bool:
        own = {attribute: frozenset(senses) for (owner, attribute), senses in self.fixed.items() if owner == item}
        if entry.kind is RTEKind.RELATION:
            relation = self._prover.facts.relation(entry.relation)
            if relation.kind is RelKind.VIEW:
                return self._limits(item, entry, own)
            if relation.kind is RelKind.RELATION and relation.descendants and entry.with_children:
                return False  # the index of a parent does not cover its children; that of a partitioned table does
            for index in self._prover.facts.unique_indexes(relation.oid):
                if self._binds(index, item):
                    checks = [self._checked[item, key] for key in index.keys if isinstance(key, int) and (item, key) in self._checked]
                    self.reasons[item] = f"the unique index `{index.name}` allows one row for the given values" + (
                        f", one of which the constraint `{checks[0]}` fixes" if checks else ""
                    )
                    return True
            return False
        if entry.kind is RTEKind.VALUES:
            return len(self._scope.query.values_rows(entry)) == 1 and self._are_constant(outer_items(entry.node))
        if entry.kind is RTEKind.FUNCTION:
            calls = [function.node("funcexpr") for function in entry.node.nodes("functions")]
            single = not any(c.tag == "FUNCEXPR" and self._prover.facts.function(c.number("funcid")).returns_set for c in calls)
            return single and self._are_constant(outer_items(entry.node))
        if entry.kind is RTEKind.RESULT:
            return True
        if entry.kind in (RTEKind.SUBQUERY, RTEKind.CTE):
            needed = outer_items(entry.node.node("subquery")) if entry.kind is RTEKind.SUBQUERY else set[int]()
            return self._are_constant(needed) and self._limits(item, entry, own)
        return False

    def _limits(self, item: int, entry: RangeEntry, fixed: Mapping[int, frozenset[Sense]]) -> bool:
        """Return whether a subquery, CTE or view has at most one row, and keep the reason."""
        reason = self._row_limit(self._prover, entry, self._scope, fixed)
        if reason:
            self.reasons[item] = reason
        return bool(reason)

    def _binds(self, index: UniqueIndex, item: int) -> bool:
        if index.predicate is not None and not self._implies(index.predicate, item):
            return False
        for key, family, collation in zip(index.keys, index.families, index.collations, strict=True):
            loose = collation if collation in self._prover.facts.equalities.loose_collations else 0
            wanted = {ANY_SENSE, (family, 0), (family, loose)}
            senses = set(self.fixed.get((item, key), ())) if isinstance(key, int) else self._senses_of_expression(key, item)
            if isinstance(key, int) and index.nulls_not_distinct:
                senses |= self.alike.get((item, key), set())
            if not wanted & senses:
                return False
        return True

    def _senses_of_expression(self, key: Node, item: int) -> set[Sense]:
        """Return the senses in which an indexed expression is fixed: by a condition that contains it, or because all its columns are."""
        if self._is_function_of_fixed(key, item):
            return {ANY_SENSE}
        wanted = structure_for(key, item)
        found: set[Sense] = set()
        for equality in self._equalities:
            if self._counts(equality.guard, item) and structure(equality.left) == wanted:
                found |= self._senses_of(equality)
        return found

    def _is_function_of_fixed(self, key: Node, item: int) -> bool:
        """Return whether an indexed expression is made of columns that are the very same value in all rows, and is not NULL.

        What is indexed is immutable, so it is the same for the same bytes. A unique index allows any number of NULLs.
        """
        relation = self._scope.query.entry(item).relation
        columns = {attribute for _, attribute in columns_of(key)}
        if not all(self._is_exact(item, attribute) for attribute in columns):
            return False
        scope = table_scope(self._prover, relation).knowing(ColumnPresent(1, attribute) for attribute in columns)
        return not self._prover.verdict(key, scope).nullable

    def _is_exact(self, item: int, attribute: int) -> bool:
        """Return whether a fixed column holds the same bytes in all rows, and not just equal values."""
        exact = self._prover.facts.equalities.exact
        return any(sense == ANY_SENSE or (sense[0] in exact and not sense[1]) for sense in self.fixed.get((item, attribute), ()))

    def _implies(self, predicate: Tree, item: int) -> bool:
        """Return whether the conditions contain each condition of a partial index.

        A condition stands for itself, `active = true` for `active`, and whatever NULL does not satisfy for `x IS NOT NULL`.
        """
        for part in predicate if isinstance(predicate, list) else [predicate]:
            if not isinstance(part, Node):
                return False
            if part.tag == "BOOLEXPR" and part.text("boolop") == BoolExprType.AND:
                if not self._implies(list(part.nodes("args")), item):
                    return False
                continue
            wanted, truth = structure_for(part, item), true_or_false_column(part)
            own = ((item, truth[0][1]), truth[1]) if truth else None
            conditions = [node for node, guard in self._conjuncts if self._counts(guard, item)]
            if any(structure(node) == wanted or (own is not None and true_or_false_column(node) == own) for node in conditions):
                continue
            column = plain_column(part.node("arg")) if null_test(part) is NullTestType.IS_NOT_NULL else None
            if column is None or not (ColumnPresent(item, column[1]) in self._scope.known or column[1] in self._not_null(item)):
                return False
        return True

    def _not_null(self, item: int) -> set[int]:
        relation = self._prover.facts.relation(self._scope.query.entry(item).relation)
        return {number for number, attribute in relation.attributes.items() if attribute.not_null}
