"""From a proof's type text to the Python type, according to the schema and the options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from sqlwright import ir
from sqlwright.ir.naming import ClassName, Identifier
from sqlwright.ir.proofs import Catalog, Enum, RecordField, Table, TypeKind, UserType
from sqlwright.options import Domains, Intervals, Options, Override
from sqlwright.types.formats import is_binary
from sqlwright.types.pgtypes import builtin, builtin_array_is_registered, canonical_name, of_extension


@dataclass(slots=True)
class ValueTypes:
    """The types of a schema, by the names that proofs use."""

    options: Options
    enums: Mapping[str, Enum]
    types: Mapping[str, UserType]
    tables: frozenset[str]
    # The class names of tables and enums, which take precedence over a composite type's.
    taken: frozenset[ClassName] = frozenset()
    # A schema has few names and types, and its queries mention them repeatedly.
    _field_names: dict[str, Identifier] = field(default_factory=dict[str, Identifier], compare=False, repr=False)
    _plain_types: dict[tuple[str, bool], ir.ValueType] = field(
        default_factory=dict[tuple[str, bool], ir.ValueType], compare=False, repr=False
    )

    @classmethod
    def of(cls, catalog: Catalog, options: Options) -> ValueTypes:
        """Index a catalog. The row type of a table is a composite type."""
        rows = {table.type: _row_type(table) for table in catalog.tables}
        types = {each.type: each for each in catalog.types}
        found = cls(options, {enum.type: enum for enum in catalog.enums}, types | rows, frozenset(rows))
        taken = {found.table_class(table.schema, table.name) for table in catalog.tables}
        return replace(found, taken=frozenset(taken | {found.class_name(enum.schema, enum.name) for enum in catalog.enums}))

    def type(
        self,
        name: str,
        *,
        nullable: bool,
        element_nullable: bool = False,
        origin: ir.Origin | None = None,
        fields: Sequence[RecordField] | None = None,
    ) -> ir.Type:
        """Return the type of a column or parameter.

        `origin` is the table column it comes from, `element_nullable` is for arrays, `fields` are those of an anonymous record.
        """
        if fields is None:
            value = self.value(name, element_nullable=element_nullable, origin=origin)
        else:
            value = self._overridden(name, self._record(name, fields, element_nullable=element_nullable))
        return ir.Nullable(value) if nullable else value

    def value(self, name: str, *, element_nullable: bool = False, origin: ir.Origin | None = None) -> ir.ValueType:
        """Return the same as `type`, for a value that is not NULL."""
        plain = self._plain_types.get((name, element_nullable))
        if plain is None:
            plain = self._plain_types[name, element_nullable] = self._plain(name, element_nullable=element_nullable)
        json = next((python for column, python in self.options.json_types.items() if origin and _matches(column, origin)), None)
        if json is not None and (typed := typed_json(plain, json)) is not None:
            return typed
        override = next((o for o in self.options.overrides if o.column and origin and _matches(o.column, origin)), None)
        return plain if override is None else overridden(plain, override)

    def _plain(self, name: str, *, element_nullable: bool = False) -> ir.ValueType:
        """The type regardless of column overrides; overrides by database type apply."""
        return self._overridden(name, self._unnamed(name, element_nullable=element_nullable))

    def _unnamed(self, name: str, *, element_nullable: bool) -> ir.ValueType:
        listed = name.endswith("[]")
        return self._list(name, element_nullable=element_nullable) if listed else self._single(name, element_nullable=element_nullable)

    def _overridden(self, name: str, found: ir.ValueType) -> ir.ValueType:
        override = next((o for o in self.options.overrides if o.db_type and canonical_name(o.db_type) == name), None)
        return found if override is None else overridden(found, override)

    def _record(self, name: str, fields: Sequence[RecordField], *, element_nullable: bool) -> ir.ValueType:
        """Return a tuple type if psycopg loads every field: it does not know the schema's types, not even domains."""
        if name.endswith("[]"):
            element = self._record(name.removesuffix("[]"), fields, element_nullable=False)
            if isinstance(element, ir.Opaque):
                return ir.Opaque(name)
            return ir.ListOf(name, ir.Nullable(element) if element_nullable else element)
        types: list[ir.Type] = []
        for each in fields:
            if each.fields is not None:
                value = self._record(each.type, each.fields, element_nullable=each.element_nullable)
            else:
                value = self._plain(each.type, element_nullable=each.element_nullable)
            innermost = each.type.replace("[]", "")
            if innermost in self.enums or innermost in self.types or isinstance(value, ir.Overridden) or not is_binary(value):
                return ir.Opaque(name)
            types.append(ir.Nullable(value) if each.nullable else value)
        return ir.RecordOf(name, tuple(types))

    def _list(self, name: str, *, element_nullable: bool) -> ir.ValueType:
        element_name = name.removesuffix("[]")
        if element_name.endswith("[]"):
            inner = self._list(element_name, element_nullable=element_nullable)
            # It is the whole array that is registered.
            return ir.ListOf(name, replace(inner, registered=False), inner.registered) if isinstance(inner, ir.ListOf) else ir.Opaque(name)
        known = element_name in self.enums or element_name in self.types
        registered = known or builtin_array_is_registered(element_name)
        # The element is itself an array if its type is a domain over one.
        element = self._plain(element_name, element_nullable=self.options.nullable_elements)
        # psycopg would assume a comma as the delimiter of an array of a domain over box.
        if registered is None or isinstance(element, ir.Opaque) or (known and is_box(element)):
            return ir.Opaque(name)
        return ir.ListOf(name, ir.Nullable(element) if element_nullable else element, registered=registered)

    def _single(self, name: str, *, element_nullable: bool = False) -> ir.ValueType:
        if name in self.enums:
            enum = self.enums[name]
            return ir.EnumRef(name, self.class_name(enum.schema, enum.name))
        if name in self.types:
            return self._of_user(self.types[name], element_nullable=element_nullable)
        if name == "interval" and self.options.intervals is Intervals.EXACT:
            return ir.ExactInterval(name)
        return builtin(name) or ir.Opaque(name)

    def _of_user(self, found: UserType, *, element_nullable: bool) -> ir.ValueType:
        match found.kind:
            case TypeKind.BASE:
                return of_extension(found.extension, found.name, found.type) or ir.Opaque(found.type)
            case TypeKind.DOMAIN:
                base = self._plain(found.base, element_nullable=element_nullable)
                # One class serves one type: that of arrays as tables store them.
                is_stored = not isinstance(base, ir.ListOf) or element_nullable == self.options.nullable_elements
                if self.options.domains is Domains.NEWTYPE and is_stored and _may_be_new_type(base):
                    return ir.DomainRef(found.type, self.class_name(found.schema, found.name), base)
                return base
            case TypeKind.RANGE | TypeKind.MULTIRANGE:
                element = self._single(found.base)
                if isinstance(element, ir.Opaque):
                    return ir.Opaque(found.type)
                return ir.RangeOf(found.type, element, multiple=found.kind is TypeKind.MULTIRANGE, registered=True)
            case TypeKind.COMPOSITE:
                return ir.CompositeRef(found.type, self.composite_class(found), self._fields(found))

    def _fields(self, composite: UserType) -> tuple[ir.Column, ...]:
        is_table = composite.type in self.tables
        origins = [ir.Origin(composite.schema, composite.name, name) if is_table else None for name, _ in composite.fields]
        return tuple(
            ir.Column(
                name=self.field_name(name),
                sql_name=name,
                type=ir.Nullable(self.value(type_name, element_nullable=self.options.nullable_elements, origin=origin)),
                origin=origin,
                doc="",
                reason="a field of a composite value may always be NULL",
                place=None,
            )
            for (name, type_name), origin in zip(composite.fields, origins, strict=True)
        )

    def declared(self, name: str, declared: str) -> str:
        """The name to resolve for a column declared as a domain: the domain's if it becomes a type, else the base type's."""
        wished = any(o.db_type and canonical_name(o.db_type) == declared for o in self.options.overrides)
        return declared if declared in self.types and (wished or self.options.domains is Domains.NEWTYPE) else name

    def class_name(self, schema: str, name: str) -> ClassName:
        """The class name of an enum, a composite or a domain."""
        renamed = self.options.class_names.get(name)
        return ClassName(renamed) if renamed else ClassName.from_sql(name if schema == "public" else f"{schema}_{name}")

    def composite_class(self, found: UserType) -> ClassName:
        """Return the class name of a composite: `PersonValue` where `Person` is a table's row class or an enum.

        A table's row class has fields that are not NULL and values of its row type do not, so those two always differ.
        """
        if found.type in self.tables:
            return ClassName(f"{self.table_class(found.schema, found.name)}Value")
        own = self.class_name(found.schema, found.name)
        return ClassName(f"{own}Value") if own in self.taken and found.name not in self.options.class_names else own

    def table_class(self, schema: str, table: str) -> ClassName:
        """Return the name of a table's row class."""
        if renamed := self.options.class_names.get(table):
            return ClassName(renamed)
        name = table if schema == "public" else f"{schema}_{table}"
        exact = self.options.emit_exact_table_names or table in self.options.inflection_exclude_table_names
        return ClassName.from_sql(name) if exact else ClassName.from_table(name)

    def field_name(self, sql_name: str) -> Identifier:
        """Return the name of a column's field."""
        found = self._field_names.get(sql_name)
        if found is None:
            renamed = self.options.field_names.get(sql_name)
            found = self._field_names[sql_name] = Identifier(renamed) if renamed else Identifier.from_sql(sql_name)
        return found

    def registrations(self, types: Iterable[ir.Type]) -> tuple[ir.Registration, ...]:
        """Return what must be registered for psycopg to load values of these types, each type after those it is composed of."""
        found: dict[ir.Registration, None] = {}
        for each in types:
            for name in needing_registration(each):
                found |= dict.fromkeys(self._registrations(name))
        return tuple(found)

    def _registrations(self, name: str) -> Iterator[ir.Registration]:
        if name.endswith("[]"):
            element = name.removesuffix("[]")
            yield from self._registrations(element)
            if element not in self.types and element not in self.enums and builtin_array_is_registered(element):
                yield ir.Registration("pg_catalog", element, ir.Adapter.ARRAY)
        elif name in self.enums:
            enum = self.enums[name]
            yield ir.Registration(enum.schema, enum.name, ir.Adapter.ENUM, self.class_name(enum.schema, enum.name))
        elif name in self.types:
            found = self.types[name]
            for part in (found.base, *(field_type for _, field_type in found.fields)):
                yield from self._registrations(part)
            yield self._registration(found)

    def _registration(self, found: UserType) -> ir.Registration:
        match found.kind:
            case TypeKind.BASE:
                known = of_extension(found.extension, found.name, found.type)
                adapter = ir.Adapter.HSTORE if isinstance(known, ir.Hstore) else ir.Adapter.ARRAY
                return ir.Registration(found.schema, found.name, ir.Adapter.VECTOR if isinstance(known, ir.Vector) else adapter)
            case TypeKind.COMPOSITE:
                name, fields = self.composite_class(found), tuple(field for field, _ in found.fields)
                return ir.Registration(found.schema, found.name, ir.Adapter.COMPOSITE, name, fields)
            case TypeKind.DOMAIN:
                return ir.Registration(found.schema, found.name, ir.Adapter.DOMAIN)
            case TypeKind.RANGE:
                return ir.Registration(found.schema, found.name, ir.Adapter.RANGE)
            case TypeKind.MULTIRANGE:
                return ir.Registration(found.schema, found.name, ir.Adapter.MULTIRANGE)


def _row_type(table: Table) -> UserType:
    fields = tuple((column.name, column.declared) for column in table.columns)
    return UserType(TypeKind.COMPOSITE, table.schema, table.name, table.type, "", fields, "", "")


def overridden(plain: ir.ValueType, override: Override) -> ir.ValueType:
    """Return the type with the user's override applied."""
    python = python_object(override.python_type)
    load = python_object(override.to_python) if override.to_python else python
    return ir.Overridden(python, plain, load, python_object(override.from_python) if override.from_python else None)


def typed_json(found: ir.ValueType, path: str) -> ir.ValueType | None:
    """Return json or an array of json as the Python type at a path; None for any other type."""
    match found:
        case ir.Json(postgres=postgres) | ir.TypedJson(postgres=postgres):
            return ir.TypedJson(postgres, python_object(path))
        case ir.ListOf(element=ir.Nullable(value=element)) if typed := typed_json(element, path):
            return replace(found, element=ir.Nullable(typed))
        case ir.ListOf(element=ir.Json() | ir.TypedJson() | ir.ListOf() as element) if typed := typed_json(element, path):
            return replace(found, element=typed)
        case _:
            return None


def python_object(path: str) -> ir.PythonObject:
    """Return the object named `package.module.Name`, or a builtin such as `str`."""
    module, _, name = path.rpartition(".")
    return ir.PythonObject(module, name)


def needing_registration(found: ir.Type) -> Iterator[str]:
    """Return the outermost PostgreSQL types in a type that psycopg loads only where they are registered."""
    match found:
        case ir.Nullable(value=value) | ir.Overridden(value=value) | ir.DomainRef(value=value):
            yield from needing_registration(value)
        case ir.ListOf(postgres=name, registered=True):
            yield name
        case ir.ListOf(element=element):
            yield from needing_registration(element)
        case ir.RangeOf(postgres=name, registered=True) | ir.CompositeRef(postgres=name) | ir.Hstore(postgres=name):
            yield name
        case ir.Vector(postgres=name):
            yield name
        case _:
            pass


def is_box(found: ir.Type) -> bool:
    """Return whether a type is box, whose arrays separate elements by semicolons, or an array of it."""
    match found:
        case ir.Nullable(value=value) | ir.Overridden(value=value) | ir.DomainRef(value=value):
            return is_box(value)
        case ir.ListOf(element=element):
            return is_box(element)
        case ir.Scalar(postgres=postgres):
            return postgres == "box"
        case _:
            return False


def holds_arrays(found: ir.ListOf) -> bool:
    """Return whether the elements of an array are arrays themselves, as those of a domain over an array are, and no further dimension."""
    element: ir.Type = found.element
    own = found.postgres.removesuffix("[]")
    while isinstance(element, ir.Nullable | ir.Overridden | ir.DomainRef):
        element = element.value
    return isinstance(element, ir.ListOf) and element.postgres != own


def parts(found: ir.Type) -> Iterator[ir.ValueType]:
    """Return a type and every type it is composed of, without `Nullable`."""
    match found:
        case ir.Nullable(value=value):
            yield from parts(value)
        case ir.ListOf(element=element) | ir.RangeOf(element=element):
            yield found
            yield from parts(element)
        case ir.Overridden(value=value) | ir.DomainRef(value=value):
            yield found
            yield from parts(value)
        case ir.CompositeRef(fields=fields):
            for field in fields:
                yield from parts(field.type)
            yield found
        case ir.RecordOf(fields=types):
            for each in types:
                yield from parts(each)
            yield found
        case _:
            yield found


def holds_interval(found: ir.Type) -> bool:
    """Return whether a type contains intervals, which psycopg by itself would load with a loss."""
    return any(part.postgres == "interval" for part in parts(found))


def _matches(pattern: str, origin: ir.Origin) -> bool:
    """Whether `table.column` or `schema.table.column`, with or without wildcards, matches a column."""
    wanted = pattern.split(".")
    names = (origin.schema, origin.table, origin.column)[-len(wanted) :]
    return all(fnmatchcase(name, part) for name, part in zip(names, wanted, strict=True))


def matches_column(pattern: str, schema: str, table: str, column: str) -> bool:
    """Return whether a pattern of the options matches a column."""
    return _matches(pattern, ir.Origin(schema, table, column))


def _may_be_new_type(base: ir.ValueType) -> bool:
    """Whether a NewType can derive from it: a class that may have subclasses, so no union, bool or enum."""
    return isinstance(base, ir.ListOf) or (isinstance(base, ir.Scalar) and base.python_name != "bool")
