"""Facts of the catalogue, read once for a scratch database; the large parts on first use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import args_row

from sqlwright.prove.catalog.checks import Checks, column_not_null, column_without_null_elements, refuses_null
from sqlwright.prove.catalog.equalities import Equalities
from sqlwright.prove.catalog.indexes import read_unique_indexes
from sqlwright.prove.catalog.objects import Attribute, DataType, Function, Relation, UniqueIndex
from sqlwright.prove.catalog.refusals import Refusals
from sqlwright.prove.tree.enums import CmdType, RelKind, TriggerType, TypType, Volatility
from sqlwright.prove.tree.nodetree import Node, Tree, Unrecognised, parse

_RELATIONS = """
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (%(oid)s::int8 IS NULL AND c.oid >= 16384 OR c.oid = %(oid)s::int8::oid)
"""
_ATTRIBUTES = """
SELECT a.attrelid::int8, a.attnum, a.attname, a.atttypid::int8, a.attnotnull, a.attisdropped, a.attgenerated <> '',
       a.attndims
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (%(oid)s::int8 IS NULL AND c.oid >= 16384 OR c.oid = %(oid)s::int8::oid)
ORDER BY a.attrelid, a.attnum
"""
_TRIGGERS = """
SELECT tgrelid::int8, tgtype::int4 FROM pg_trigger WHERE NOT tgisinternal
"""
_RULES = """
SELECT ev_class::int8, ev_type::text::int4 FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class >= 16384
"""
# A call in a query tree does not show the arguments that are left out: defaults that are not constants make a function volatile. An
# aggregate is marked immutable whatever its functions are. The two functions that are named return NULL until the transaction has an ID.
_FUNCTION = """
SELECT p.oid::int8, p.proname, CASE WHEN p.oid < 16384 THEN p.proname || '(' || oidvectortypes(p.proargtypes) || ')' END,
       p.proisstrict, p.proretset, p.provolatile::text,
       CASE WHEN p.oid < 16384 THEN p.proname IN ('pg_current_xact_id_if_assigned', 'txid_current_if_assigned')
            ELSE coalesce(p.proargdefaults::text ~ '\\{(?!CONST )', false) OR p.prokind = 'a' AND EXISTS (
                SELECT FROM pg_aggregate a
                JOIN pg_proc f ON f.oid IN (
                    aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn)
                WHERE a.aggfnoid = p.oid AND f.provolatile = 'v') END,
       p.prorettype::int8
FROM pg_proc p WHERE p.oid = %s::int8::oid
"""
_POLICIES = """
SELECT p.polrelid::int8, p.polqual::text, p.polwithcheck::text
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relrowsecurity
"""
_DOMAIN_CHECKS = "SELECT contypid::int8, conbin::text FROM pg_constraint WHERE contypid <> 0 AND contype = 'c'"
_OUTPUTS = """
SELECT p.oid::int8, array_agg(o.type::int8 ORDER BY o.number)
FROM pg_proc p, unnest(p.proallargtypes, p.proargmodes) WITH ORDINALITY AS o (type, mode, number)
WHERE o.mode IN ('o', 'b', 't') GROUP BY p.oid
"""
_FIELDS = """
SELECT c.reltype::int8, a.attnum, a.attndims, a.atttypid::int8 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid WHERE c.reltype <> 0 AND (a.attndims > 1 OR t.typtype = 'd')
"""
_TYPE = """
SELECT t.oid::int8, t.typname, t.typtype::text, t.typbasetype::int8, t.typnotnull, nullif(t.typelem, 0)::int8,
       t.typinput::oid::int8 < 16384 AND t.typoutput::oid::int8 < 16384,
       (SELECT bool_and(p.provolatile = 'i') FROM pg_proc p WHERE p.oid IN (t.typinput, t.typoutput)), nullif(t.typarray, 0)::int8,
       t.typsubscript = 'array_subscript_handler'::regproc, t.typndims
FROM pg_type t WHERE t.oid = %s::int8::oid
"""
_CASTS_TO_TEXT = "SELECT castsource::int8 FROM pg_cast WHERE casttarget = 'text'::regtype AND castfunc >= 16384"
_TRIGGER_EVENTS = {CmdType.INSERT: TriggerType.INSERT, CmdType.UPDATE: TriggerType.UPDATE, CmdType.DELETE: TriggerType.DELETE}


@dataclass(frozen=True, slots=True)
class _Column:
    """A row of `_ATTRIBUTES`. `declared`: the column is marked NOT NULL."""

    relation: int
    number: int
    name: str
    type: int
    declared: bool
    dropped: bool
    generated: bool
    dimensions: int


class SchemaFacts:
    """All facts that proofs take from the catalogue of one scratch database, whose schema no longer changes.

    `stored_elements_nullable` is the user's setting for arrays in tables: whether they may hold NULL where no constraint forbids it.
    """

    def __init__(self, connection: psycopg.Connection[Any], *, stored_elements_nullable: bool = False) -> None:
        self._connection = connection
        self.stored_elements_nullable = stored_elements_nullable
        self.major = connection.info.server_version // 10000
        self.checks = Checks(connection, self.major)
        self.equalities = Equalities(connection)
        self.refusals = Refusals(connection)
        self._relations: dict[int, Relation] = {}
        self._views: dict[int, Node] = {}
        self._defaults: dict[int, dict[int, Node]] = {}
        self._type_names: dict[str, int] = {}
        self._functions: dict[int, Function] = {}
        self._types: dict[int, DataType] = {}

    @classmethod
    def load(cls, connection: psycopg.Connection[Any], *, stored_elements_nullable: bool = False) -> SchemaFacts:
        """Read the facts that most queries need; the connection is kept to read the others later."""
        facts = cls(connection, stored_elements_nullable=stored_elements_nullable)
        facts._read_relations(None)
        return facts

    # --- relations ------------------------------------------------------------------------------------------------------

    def relation(self, oid: int) -> Relation:
        """Return a table or view by its OID."""
        if oid not in self._relations:
            self._read_relations(oid)
        try:
            return self._relations[oid]
        except KeyError:
            raise Unrecognised(f"no relation {oid}") from None

    def _read_relations(self, only: int | None) -> None:
        """Read one relation, or all that are not PostgreSQL's own."""
        found = {
            row[0]: Relation(row[0], row[1], row[2], RelKind(row[3]))
            for row in self._connection.execute(_RELATIONS, {"oid": only}).fetchall()
        }
        for relation in found.values():
            relation.descendants = tuple(self._descendants(relation.oid))
            family = (relation.oid, *relation.descendants)
            relation.rules = frozenset(CmdType(event) for oid, event in self._rules if oid == relation.oid)
            relation.before_triggers = self._trigger_events(family, TriggerType.BEFORE)
            relation.instead_triggers = self._trigger_events((relation.oid,), TriggerType.INSTEAD)
        raw: dict[int, dict[int, Attribute]] = defaultdict(dict)
        for column in self._connection.cursor(row_factory=args_row(_Column)).execute(_ATTRIBUTES, {"oid": only}).fetchall():
            raw[column.relation][column.number] = self._attribute(found[column.relation], column)
        self._relations.update(found)
        for relation in found.values():
            relation.attributes = raw[relation.oid]
            relation.without_null_elements = {
                number for number in raw[relation.oid] if (relation.oid, number) in self._without_null_elements
            }
        for relation in found.values():
            for child in relation.descendants:
                self._weaken(relation, self.relation(child))

    def _attribute(self, relation: Relation, column: _Column) -> Attribute:
        label, slot = f"`{relation.name}.{column.name}`", (relation.oid, column.number)
        strict_domain = not column.dropped and self.is_strict_domain(column.type)  # a dropped column has no type
        proven, why = False, f"{label} has no NOT NULL constraint"
        if column.dropped:
            why = f"{label} is dropped"
        elif relation.kind is RelKind.FOREIGN_TABLE:
            why = f"{label} is a column of a foreign table, whose constraints PostgreSQL does not enforce"
        elif column.declared and slot in self._not_valid:
            why = f"the NOT NULL constraint of {label} is NOT VALID"
        elif column.declared:
            proven, why = True, f"{label} is NOT NULL"
        elif slot in self._checked:
            proven, why = True, f"{label} is never NULL by the constraint `{self._checked[slot]}`"
        elif strict_domain:
            # The NULL of an empty subquery is of the domain's type already and is stored unchecked (manual, CREATE DOMAIN, Notes).
            domain = self.type(column.type).name
            why = f"{label} has no NOT NULL constraint of its own, and the domain `{domain}` lets the NULL of an empty subquery in"
        dimensions = column.dimensions if column.dropped else max(column.dimensions, self.declared_dimensions(column.type))
        refuses = column.declared or column.dropped or column.generated or strict_domain or slot in self._checked
        return Attribute(column.name, column.type, proven, why, column.dropped, column.generated, not refuses, dimensions)

    def _weaken(self, parent: Relation, child: Relation) -> None:
        """Restrict the facts about a parent to those that hold in a child too, whose rows a read of the parent includes."""
        by_name = {attribute.name: attribute for attribute in child.attributes.values() if not attribute.dropped}
        for number, attribute in parent.attributes.items():
            own = by_name.get(attribute.name)
            if attribute.not_null and not (own and own.not_null):
                why = f"`{parent.name}.{attribute.name}` may be NULL in the child table `{child.name}`"
                parent.attributes[number] = replace(attribute, not_null=False, why=why)
            if not any(child.attributes[own] is by_name.get(attribute.name) for own in child.without_null_elements):
                parent.without_null_elements.discard(number)

    def _descendants(self, oid: int) -> Iterable[int]:
        pending = list(self._children.get(oid, ()))
        seen: set[int] = set()
        while pending:
            child = pending.pop()
            if child not in seen:
                seen.add(child)
                pending.extend(self._children.get(child, ()))
        return sorted(seen)

    def _trigger_events(self, relations: Iterable[int], timing: TriggerType) -> frozenset[CmdType]:
        wanted = set(relations)
        events: set[CmdType] = set()
        for oid, kind in self._triggers:
            if oid in wanted and kind & TriggerType.ROW and kind & timing:
                events.update(event for event, bit in _TRIGGER_EVENTS.items() if kind & bit)
        return frozenset(events)

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = defaultdict(list)
        for parent, child in self._connection.execute("SELECT inhparent::int8, inhrelid::int8 FROM pg_inherits").fetchall():
            children[parent].append(child)
        return children

    @cached_property
    def _triggers(self) -> list[tuple[int, int]]:
        return self._connection.execute(_TRIGGERS).fetchall()

    @cached_property
    def _rules(self) -> list[tuple[int, int]]:
        return self._connection.execute(_RULES).fetchall()

    @cached_property
    def _not_valid(self) -> frozenset[tuple[int, int]]:
        rows = self._connection.execute(
            "SELECT conrelid::int8, conkey[1] FROM pg_constraint WHERE contype = 'n' AND NOT convalidated"
        ).fetchall()
        return frozenset((oid, number) for oid, number in rows)

    @cached_property
    def _checked(self) -> dict[tuple[int, int], str]:
        """Columns that a CHECK constraint says are not NULL (`CHECK (x IS NOT NULL)`), with the constraint's name."""
        return self.checks.columns(column_not_null)

    @cached_property
    def _without_null_elements(self) -> dict[tuple[int, int], str]:
        """Columns of arrays without NULL elements by a CHECK constraint, with the constraint's name."""
        return self.checks.columns(column_without_null_elements)

    def elements_nullable(self, relation: Relation, attribute: int) -> bool:
        """Return whether a stored array may hold NULL: as the user has set it for all, unless a constraint forbids it in all children."""
        return self.stored_elements_nullable and attribute not in relation.without_null_elements

    def view_query(self, oid: int) -> Node:
        """Return the query of a view or materialised view, from its rewrite rule."""
        if oid not in self._views:
            row = self._connection.execute(
                "SELECT ev_action::text FROM pg_rewrite WHERE ev_class = %s::int8::oid AND rulename = '_RETURN'", (oid,)
            ).fetchone()
            tree = parse(row[0]) if row else None
            if not isinstance(tree, list) or len(tree) != 1 or not isinstance(tree[0], Node):
                raise Unrecognised(f"the view {oid} has no single query")
            self._views[oid] = tree[0]
        return self._views[oid]

    @cached_property
    def _policies(self) -> dict[int, list[Tree]]:
        found: dict[int, list[Tree]] = defaultdict(list)
        for oid, *conditions in self._connection.execute(_POLICIES).fetchall():
            found[oid] += [parse(text) for text in conditions if text is not None]
        return found

    def behind(self, oid: int) -> list[Tree]:
        """Return what PostgreSQL puts into a statement that reads a relation: the query of a view, the policies of row security."""
        return [self.view_query(oid)] if self.relation(oid).kind is RelKind.VIEW else self._policies.get(oid, [])

    @cached_property
    def _domain_checks(self) -> dict[int, list[Tree]]:
        found: dict[int, list[Tree]] = defaultdict(list)
        for oid, text in self._connection.execute(_DOMAIN_CHECKS).fetchall():
            found[oid].append(parse(text))
        return found

    def domain_checks(self, oid: int) -> list[Tree]:
        """Return the CHECK constraints of a domain, and of those under it."""
        found, domain = list(self._domain_checks.get(oid, ())), self.type(oid)
        return [*found, *self.domain_checks(domain.base)] if domain.kind is TypType.DOMAIN else found

    def defaults(self, oid: int) -> dict[int, Node]:
        """Return the default and generation expressions of a table, by attribute number."""
        if oid not in self._defaults:
            rows = self._connection.execute("SELECT adnum, adbin::text FROM pg_attrdef WHERE adrelid = %s::int8::oid", (oid,)).fetchall()
            trees = {number: parse(text) for number, text in rows}
            self._defaults[oid] = {number: tree for number, tree in trees.items() if isinstance(tree, Node)}
        return self._defaults[oid]

    @cached_property
    def _indexes(self) -> dict[int, list[UniqueIndex]]:
        return read_unique_indexes(self._connection)

    def unique_indexes(self, oid: int) -> list[UniqueIndex]:
        """Return the unique indexes of a table, the primary key first."""
        return self._indexes.get(oid, [])

    # --- functions, types, operators -------------------------------------------------------------------------------------

    def function(self, oid: int) -> Function:
        """Return a function by its OID."""
        if oid not in self._functions:
            # There are thousands, and queries call a few.
            row = self._connection.cursor(row_factory=args_row(_function)).execute(_FUNCTION, (oid,)).fetchone()
            if row is None:
                raise Unrecognised(f"no function {oid}")
            self._functions[oid] = row
        return self._functions[oid]

    @cached_property
    def _output_types(self) -> dict[int, tuple[int, ...]]:
        return {oid: tuple(types) for oid, types in self._connection.execute(_OUTPUTS).fetchall()}

    def output_types(self, oid: int) -> tuple[int, ...]:
        """Return the types of a function's OUT parameters or RETURNS TABLE columns; nothing where one of them depends on the call."""
        types = self._output_types.get(oid, ())
        return () if any(self.type(found).kind is TypType.PSEUDO for found in types) else types

    @cached_property
    def _field_dimensions(self) -> dict[tuple[int, int], int]:
        rows = self._connection.execute(_FIELDS).fetchall()
        return {(oid, number): max(count, self.declared_dimensions(type_oid)) for oid, number, count, type_oid in rows}

    def field_dimensions(self, composite: int, number: int) -> int:
        """Return the dimensions that an array in a composite type or row type is declared with; 1 if unknown."""
        return self._field_dimensions.get((self.below_domains(composite).oid, number), 1)

    def type(self, oid: int) -> DataType:
        """Return a type by its OID."""
        if oid not in self._types:
            row = self._connection.cursor(row_factory=args_row(_data_type)).execute(_TYPE, (oid,)).fetchone()
            if row is None:
                raise Unrecognised(f"no type {oid}")
            self._types[oid] = row
        return self._types[oid]

    def below_domains(self, oid: int) -> DataType:
        """Return the type that a domain is over in the end; any other type as it is."""
        found = self.type(oid)
        while found.kind is TypType.DOMAIN:
            found = self.type(found.base)
        return found

    def is_array(self, oid: int) -> bool:
        """Return whether values of the type are arrays of any length, domains over them included."""
        return self.below_domains(oid).is_array

    def refuses_elements(self, oid: int) -> bool:
        """Return whether the type is one of arrays that refuses NULL in them: by a domain of the elements, or over the array."""
        return self.is_array(oid) and self.refusals.by_elements(oid)

    @cached_property
    def _casts_to_text(self) -> frozenset[int]:
        return frozenset(row[0] for row in self._connection.execute(_CASTS_TO_TEXT).fetchall())

    def has_cast_to_text(self, oid: int) -> bool:
        """Return whether a user's function casts values of the type to text."""
        return self.below_domains(oid).oid in self._casts_to_text

    def declared_dimensions(self, oid: int) -> int:
        """Return the dimensions that a domain over arrays is declared with, itself or by a domain under it; 1 for any other type."""
        found, dimensions = self.type(oid), 1
        while found.kind is TypType.DOMAIN:
            dimensions, found = max(dimensions, found.dimensions), self.type(found.base)
        return dimensions

    def is_strict_domain(self, oid: int) -> bool:
        """Return whether the type is a domain that refuses NULL, itself or by a domain under it: by NOT NULL or by a CHECK."""
        found = self.type(oid)
        while found.kind is TypType.DOMAIN:
            if found.not_null or any(refuses_null(check) for check in self._domain_checks.get(found.oid, ())):
                return True
            found = self.type(found.base)
        return False

    def type_oid(self, name: str) -> int:
        """Return the OID of a type by its SQL name; 0 when there is none, which makes PostgreSQL infer it."""
        if name not in self._type_names:
            row = self._connection.execute("SELECT coalesce(to_regtype(%s)::oid::int8, 0)", (name,)).fetchone()
            self._type_names[name] = row[0] if row else 0
        return self._type_names[name]


def _function(oid: int, name: str, signature: str | None, strict: bool, returns_set: bool, volatility: str, *others: Any) -> Function:  # noqa: FBT001 - the columns of a row
    return Function(oid, name, signature, strict, returns_set, Volatility(volatility), *others)


def _data_type(oid: int, name: str, kind: str, *others: Any) -> DataType:
    return DataType(oid, name, TypType(kind), *others)
