"""From sqlc's view and PostgreSQL's proofs to the package that is rendered: types, row classes, docstrings."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlwright import ir
from sqlwright.assemble.claims import claims_in_words, claims_not_null, column_name, is_always_one, is_nullable, why_one
from sqlwright.assemble.variants import variants_of
from sqlwright.ir.naming import ClassName, Identifier, distinct_members
from sqlwright.ir.proofs import (
    Catalog,
    Enum,
    Proofs,
    ProvenColumn,
    ProvenEmbed,
    ProvenParam,
    QueryProof,
    Table,
    TableColumn,
    TypeKind,
)
from sqlwright.options import Options
from sqlwright.sql.sources import PlaceInQuery
from sqlwright.types.copying import binary_types, copy_sql
from sqlwright.types.formats import is_converted, reads_binary, without_records
from sqlwright.types.valuetypes import ValueTypes, holds_interval, parts, typed_json

_Field = TypeVar("_Field", bound=ir.Field)


def assemble(package: ir.UnprovenPackage, proofs: Proofs, options: Options) -> ir.Package:
    """Join the unproven package with its proofs. Every query of the package must have a proof."""
    schema = _Schema.of(proofs.catalog, options)
    modules = tuple(_module(module, proofs, schema) for module in package.modules)
    shapes = [shape for module in modules for query in module.queries for shape in _shapes(query)]
    shared = {name for shape in shapes if isinstance(shape, ir.RowRef) for name in _shared_classes(shape)}
    every = not options.omit_unused_models
    models = [schema.row_class(table) for table in proofs.catalog.tables if every or schema.table_class(table) in shared]
    loaded = [column.type for model in models for column in ir.columns_in(model.fields)]
    loaded += [column.type for module in modules for query in module.queries for column in ir.columns_in(ir.fields_of(query.result))]
    loaded += [found for module in modules for query in module.queries for found in _of_cursor(query.result)]
    sent = [param.type for module in modules for query in module.queries for param in query.params]
    used = {part.postgres: part for found in (*loaded, *sent) for part in parts(found)}
    if every:
        used |= {part.postgres: part for name in schema.types.enums for part in parts(schema.types.value(name))}
    return ir.Package(
        modules=modules,
        models=tuple(sorted((*models, *schema.composites(used)), key=lambda model: model.name)),
        enums=tuple(sorted((_enum_class(e, schema.types) for e in proofs.catalog.enums if e.type in used), key=lambda enum: enum.name)),
        constraints=tuple(
            sorted((_constraint_class(table, schema) for table in proofs.catalog.tables if table.constraints), key=lambda found: found.name)
        ),
        new_types=tuple(sorted(schema.new_types(used), key=lambda found: found.name)),
        registrations=schema.types.registrations(loaded),
        row_style=options.row_style,
        str_enums=options.emit_str_enum,
    )


@dataclass(slots=True)
class _Schema:
    """The catalog, by the names that proofs use."""

    catalog: Catalog
    tables: Mapping[tuple[str, str], Table]
    types: ValueTypes
    # Built once for each table, however many queries return its rows.
    _table_columns: dict[tuple[str, str], tuple[ir.Column, ...]] = field(default_factory=dict[tuple[str, str], tuple[ir.Column, ...]])

    @classmethod
    def of(cls, catalog: Catalog, options: Options) -> _Schema:
        return cls(catalog, {(t.schema, t.name): t for t in catalog.tables}, ValueTypes.of(catalog, options))

    def table_class(self, table: Table) -> ClassName:
        return self.types.table_class(table.schema, table.name)

    def composites(self, used: Mapping[str, ir.ValueType]) -> Iterator[ir.RowClass]:
        """The row classes of the composite types in use."""
        for found in self.types.types.values():
            composite = used.get(found.type)
            if found.kind is TypeKind.COMPOSITE and isinstance(composite, ir.CompositeRef):
                doc = found.comment or f"A value of the composite type `{found.type}`."
                if found.type in self.types.tables:
                    doc = f"A value of the row type of `{found.type}`: unlike in its rows, each field may be None."
                yield ir.RowClass(composite.class_name, composite.fields, doc, "", found.type)

    def new_types(self, used: Mapping[str, ir.ValueType]) -> Iterator[ir.NewTypeClass]:
        """The `NewType`s of the domains in use."""
        for found in self.catalog.types:
            domain = used.get(found.type)
            if isinstance(domain, ir.DomainRef):
                yield ir.NewTypeClass(domain.class_name, domain.value, found.comment)

    def column(self, query: ir.UnprovenQuery, proof: QueryProof, proven: ProvenColumn) -> ir.Column:
        name = column_name(proven)
        return ir.Column(
            name=self.types.field_name(name),
            sql_name=name,
            type=self._claimed_json(
                query,
                name,
                self.types.type(
                    self._declared(proven.type, proven.origin),
                    nullable=is_nullable(query, proven),
                    element_nullable=proven.element_nullable,
                    origin=proven.origin,
                    fields=proven.fields,
                ),
            ),
            origin=proven.origin,
            doc=self._comment(proven.origin),
            reason=proven.reason,
            place=_place(query, proof, proven.offset),
        )

    def param(self, query: ir.UnprovenQuery, said: ir.UnprovenParam, proven: ProvenParam) -> ir.Param:
        """Build a parameter. The column that sqlc associates with it counts if both have the same type."""
        column = self._table_column(said.origin)
        origin = said.origin if column and column.type == proven.type else None
        found = self.types.type(
            self.types.declared(proven.type, proven.cast) if proven.cast != proven.type else self._declared(proven.type, origin),
            nullable=proven.nullable,
            element_nullable=proven.element_nullable,
            origin=origin,
        )
        renamed = self.types.options.field_names.get(said.name)
        name = Identifier(renamed) if renamed else said.name
        return ir.Param(said.number, name, proven.cast, self._claimed_json(query, said.name, found), proven.reason)

    def _claimed_json(self, query: ir.UnprovenQuery, name: str, found: ir.Type) -> ir.Type:
        """The type that `@json` sets for a column or parameter. `check` refuses it where the type is not JSON."""
        path = query.annotations.json.get(name)
        typed = typed_json(_value(found), path) if path else None
        if typed is None:
            return found
        return ir.Nullable(typed) if isinstance(found, ir.Nullable) else typed

    def _declared(self, name: str, origin: ir.Origin | None) -> str:
        column = self._table_column(origin)
        return self.types.declared(name, column.declared) if column and column.type == name else name

    def _table_column(self, origin: ir.Origin | None) -> TableColumn | None:
        table = self.tables.get((origin.schema, origin.table)) if origin else None
        return next((c for c in table.columns if origin and c.name == origin.column), None) if table else None

    def _comment(self, origin: ir.Origin | None) -> str:
        column = self._table_column(origin)
        return column.comment if column else ""

    def matching_table(self, columns: tuple[ir.Field, ...], narrowed: Container[str]) -> Table | None:
        """The table that these are all the columns of, in its order, under their own names, with its types.

        Columns not in `narrowed` may be proven not NULL although the table allows NULL.
        """
        first = columns[0] if columns else None
        origin = first.origin if isinstance(first, ir.Column) else None
        table = self.tables.get((origin.schema, origin.table)) if origin else None
        if table is None or len(table.columns) != len(columns):
            return None
        same = all(
            isinstance(found, ir.Column)
            and (found.origin, found.sql_name) == (own.origin, own.sql_name)
            and (found.type == own.type or (found.sql_name not in narrowed and _is_narrowed(found.type, own.type)))
            for own, found in zip(self.table_columns(table), columns, strict=True)
        )
        return table if same else None

    def embedded(self, name: Identifier, proven: ProvenEmbed) -> ir.Embedded:
        """Build a whole row of a table inside another row. `check` refuses one that may be absent without a presence column."""
        table = self.tables[proven.schema, proven.table]
        own = {column.sql_name: column for column in self.table_columns(table)}
        columns = tuple(own[column] for column in proven.columns)
        return ir.Embedded(name, self.table_class(table), columns, proven.absent, proven.witness if proven.witness >= 0 else None)

    def row_class(self, table: Table) -> ir.RowClass:
        """Build a table's row class."""
        qualified = f"{table.schema}.{table.name}"
        doc = table.comment or f"A row of `{qualified.removeprefix('public.')}`."
        return ir.RowClass(self.table_class(table), self.table_columns(table), doc, qualified)

    def table_columns(self, table: Table) -> tuple[ir.Column, ...]:
        """A table's own columns."""
        found = self._table_columns.get((table.schema, table.name))
        if found is None:
            found = self._table_columns[table.schema, table.name] = self._columns_of(table)
        return found

    def _columns_of(self, table: Table) -> tuple[ir.Column, ...]:
        origins = [ir.Origin(table.schema, table.name, c.name) for c in table.columns]
        columns = (
            ir.Column(
                name=self.types.field_name(c.name),
                sql_name=c.name,
                type=self.types.type(
                    self.types.declared(c.type, c.declared),
                    nullable=not c.not_null,
                    element_nullable=c.element_nullable,
                    origin=origin,
                ),
                origin=origin,
                doc=c.comment,
                reason=c.reason,
                place=None,
            )
            for c, origin in zip(table.columns, origins, strict=True)
        )
        return tuple(_distinct(columns))


def _is_narrowed(found: ir.Type, own: ir.Type) -> bool:
    """Whether one type is the other without None."""
    return isinstance(own, ir.Nullable) and found == own.value


def _module(module: ir.UnprovenModule, proofs: Proofs, schema: _Schema) -> ir.Module:
    row_classes: list[ir.RowClass] = []
    queries: list[ir.Query] = []
    for query in module.queries:
        proof = proofs.queries[module.source_file, query.name]
        result = _result(query, proof, schema)
        match ir.shape_of(result):
            case ir.RowRef(shared=False) as row:
                row_classes.append(ir.RowClass(row.row_class, row.fields, f"A row of `{query.function}`.", ""))
            case _:
                pass
        queries.append(_query(query, proof, result, schema))
    return ir.Module(module.name, module.source_file, tuple(row_classes), tuple(queries))


def _query(query: ir.UnprovenQuery, proof: QueryProof, result: ir.Result, schema: _Schema) -> ir.Query:
    limit = schema.types.options.query_parameter_limit
    as_object = isinstance(result, ir.Copied | ir.Batch) or (limit is not None and len(proof.params) > limit)
    return ir.Query(
        name=query.name,
        function=query.function,
        constant=query.constant,
        command=query.command,
        sql=copy_sql(query.copied, binary=bool(result.types)) if query.copied and isinstance(result, ir.Copied) else proof.sql,
        doc=(*query.doc, *(line for claim in claims_in_words(query, proof) for line in ("", claim))),
        params=_params(query, proof, schema),
        params_class=query.params_class if as_object else None,
        result=result,
        source=query.source,
        rows=ir.Rows(proof.cardinality, proof.cardinality_reason, _place(query, proof, proof.cardinality_offset)),
        reads=proof.reads,
        writes=proof.writes,
        # The query of `:copyfrom` is an INSERT; what is sent is not.
        operation=replace(proof.operation, name="COPY") if isinstance(result, ir.Copied) else proof.operation,
        variants=variants_of(proof.sql, proof.variants) if proof.variants else None,
    )


def _params(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> tuple[ir.Param, ...]:
    said = {param.number: param for param in query.params}
    return tuple(schema.param(query, said[number], proven) for number, proven in enumerate(proof.params, start=1))


def _place(query: ir.UnprovenQuery, proof: QueryProof, offset: int) -> PlaceInQuery:
    return PlaceInQuery(query.source, proof.sql, offset if offset >= 0 else None)


def _result(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Result:
    match query.command:
        case ir.Command.ONE:
            return _one(query, proof, schema)
        case ir.Command.MANY:
            shape = _shape(query, proof, schema)
            paged = bool(query.annotations.page)
            return ir.Stream(shape, query.annotations.stream) if query.annotations.stream else ir.Many(shape, paged=paged)
        case ir.Command.COPYFROM:
            return _copied(query, proof, schema)
        case ir.Command.BATCHEXEC:
            return ir.Batch(ir.NoResult())
        case ir.Command.BATCHONE:
            return ir.Batch(_one(query, proof, schema))
        case ir.Command.BATCHMANY:
            return ir.Batch(ir.Many(_shape(query, proof, schema)))
        case ir.Command.EXEC:
            return ir.NoResult()
        case ir.Command.EXECROWS:
            return ir.RowCount()
        case ir.Command.EXECRESULT:
            return _cursor(query, proof, schema)


def _one(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.One:
    return ir.One(_shape(query, proof, schema), always=is_always_one(query, proof), because=why_one(query, proof))


def _value(found: ir.Type) -> ir.ValueType:
    return found.value if isinstance(found, ir.Nullable) else found


def _of_cursor(result: ir.Result) -> tuple[ir.Type, ...]:
    return result.types if isinstance(result, ir.CursorResult) else ()


def _cursor(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.CursorResult:
    """A cursor in the text format: its user receives psycopg's values, unconverted."""
    types = tuple(without_records(column.type) for column in ir.columns_in(_fields(query, proof, schema)))
    return ir.CursorResult(
        types=tuple(ir.Opaque(_postgres(found)) if is_converted(found) else found for found in types),
        intervals=any(holds_interval(found) for found in types),
    )


def _postgres(found: ir.Type) -> str:
    return _value(found).postgres


def _copied(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Copied:
    order = query.copied.params if query.copied else ()
    types = {param.number: param.type for param in _params(query, proof, schema)}
    return ir.Copied(order, binary_types([types[number] for number in order]))


def _shape(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Shape:
    fields = _fields(query, proof, schema)
    match fields:
        case (ir.Column() as column,):
            return ir.BareValue(column)
        case (ir.Embedded(optional=False) as embedded,):
            return ir.RowRef(embedded.row_class, embedded.columns, shared=True)
        case _:
            pass
    table = schema.matching_table(fields, _narrowed(query, proof, schema.types.options))
    if table is not None:
        return ir.RowRef(schema.table_class(table), fields, shared=True)
    return ir.RowRef(query.row_class, fields, shared=False)


def _narrowed(query: ir.UnprovenQuery, proof: QueryProof, options: Options) -> set[str]:
    """The columns whose narrower type is requested, although their table allows NULL."""
    every = options.narrow_rows or query.annotations.narrow
    return {column_name(column) for column in proof.columns if every or claims_not_null(query, column)}


def _fields(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> tuple[ir.Field, ...]:
    """The columns in order, with those of an embedded table combined into one field."""
    fields: list[ir.Field] = []
    embedded = {found.first: schema.embedded(said.name, found) for said, found in zip(query.embeds, proof.embeds, strict=True)}
    index = 0
    while index < len(proof.columns):
        row = embedded.get(index)
        fields.append(row or schema.column(query, proof, proof.columns[index]))
        index += len(row.columns) if row else 1
    fields = _distinct(fields)
    if reads_binary(ir.columns_in(fields)):
        return tuple(fields)
    return tuple(replace(field, type=without_records(field.type)) if isinstance(field, ir.Column) else field for field in fields)


def _distinct(fields: Iterable[_Field]) -> list[_Field]:
    """Number the fields that share a name: `id`, `id_2`, like sqlc's own generators."""
    fields = list(fields)
    wanted = {each.name for each in fields}
    taken: set[str] = set()
    found: list[_Field] = []
    for each in fields:
        name, number = each.name, 1
        while name in taken or (number > 1 and name in wanted):
            number += 1
            name = Identifier(f"{each.name}_{number}")
        taken.add(name)
        found.append(each if number == 1 else replace(each, name=name, numbered=True))
    return found


def _shared_classes(shape: ir.RowRef) -> set[ClassName]:
    embedded = {field.row_class for field in shape.fields if isinstance(field, ir.Embedded)}
    return embedded | {shape.row_class} if shape.shared else embedded


def _shapes(query: ir.Query) -> tuple[ir.Shape, ...]:
    shape = ir.shape_of(query.result)
    return () if shape is None else (shape,)


def _enum_class(enum: Enum, types: ValueTypes) -> ir.EnumClass:
    members = tuple(zip(distinct_members(enum.labels), enum.labels, strict=True))
    return ir.EnumClass(types.class_name(enum.schema, enum.name), enum.schema, enum.name, members, enum.comment)


def _constraint_class(table: Table, schema: _Schema) -> ir.ConstraintClass:
    members = distinct_members(tuple(constraint.name for constraint in table.constraints))
    return ir.ConstraintClass(
        ClassName(f"{schema.table_class(table)}Constraint"),
        f"{table.schema}.{table.name}",
        tuple(ir.Constraint(member, found.name, found.definition) for member, found in zip(members, table.constraints, strict=True)),
    )
