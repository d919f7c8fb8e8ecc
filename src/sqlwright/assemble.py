"""From what sqlc says and what PostgreSQL proved to the package that is rendered: types, row classes, docstrings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlwright import ir
from sqlwright.claims import claims_in_words, column_name, is_always_one, is_nullable
from sqlwright.copying import binary_types, copy_sql
from sqlwright.diagnostics import Place
from sqlwright.naming import ClassName, Identifier, distinct_members
from sqlwright.pgtypes import scalar
from sqlwright.prove.proof import Catalog, Enum, Proofs, ProvenColumn, QueryProof, Table, find_table


def assemble(package: ir.UnprovenPackage, proofs: Proofs, *, parameter_limit: int | None = None) -> ir.Package:
    """Join the unproven package with its proofs. Every query of the package must have one.

    With a `parameter_limit`, queries with more parameters take them as one object, with a limit of 0 all that have parameters do.
    """
    schema = _Schema.of(proofs.catalog)
    modules = tuple(_module(module, proofs, schema, parameter_limit) for module in package.modules)
    shapes = [shape for module in modules for query in module.queries for shape in _shapes(query)]
    shared = {name for shape in shapes if isinstance(shape, ir.RowRef) for name in _shared_classes(shape)}
    models = tuple(schema.row_class(table) for table in proofs.catalog.tables if _table_class(table) in shared)
    enums = _enums_in_use(modules, models)
    return ir.Package(
        modules=modules,
        models=tuple(sorted(models, key=lambda model: model.name)),
        enums=tuple(sorted((_enum_class(e) for e in proofs.catalog.enums if e.type in enums), key=lambda enum: enum.name)),
        constraints=tuple(
            sorted((_constraint_class(table) for table in proofs.catalog.tables if table.constraints), key=lambda found: found.name)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Schema:
    """The catalog, by the names that proofs use."""

    catalog: Catalog
    tables: Mapping[tuple[str, str], Table]
    enums: Mapping[str, ClassName]

    @classmethod
    def of(cls, catalog: Catalog) -> _Schema:
        return cls(catalog, {(t.schema, t.name): t for t in catalog.tables}, {e.type: _class_name(e.schema, e.name) for e in catalog.enums})

    def value_type(self, name: str, *, element_nullable: bool = False) -> ir.ValueType:
        """The type behind a proof's type text; `element_nullable` is for arrays."""
        if name.endswith("[]"):
            return ir.ListOf(name, self.type(name.removesuffix("[]"), nullable=element_nullable))
        if name in {"json", "jsonb"}:
            return ir.Json(name)
        if name in self.enums:
            return ir.EnumRef(name, self.enums[name])
        return scalar(name) or ir.Opaque(name)

    def type(self, name: str, *, nullable: bool, element_nullable: bool = False) -> ir.Type:
        value = self.value_type(name, element_nullable=element_nullable)
        return ir.Nullable(value) if nullable else value

    def column(self, query: ir.UnprovenQuery, proof: QueryProof, proven: ProvenColumn) -> ir.Column:
        name = column_name(proven)
        return ir.Column(
            name=Identifier.from_sql(name),
            sql_name=name,
            type=self.type(proven.type, nullable=is_nullable(query, proven), element_nullable=proven.element_nullable),
            origin=proven.origin,
            doc=self._comment(proven.origin),
            reason=proven.reason,
            place=_place(query, proof, proven.offset),
        )

    def _comment(self, origin: ir.Origin | None) -> str:
        table = self.tables.get((origin.schema, origin.table)) if origin else None
        return next((c.comment for c in table.columns if origin and c.name == origin.column), "") if table else ""

    def matching_table(self, columns: tuple[ir.Field, ...]) -> Table | None:
        """The table whose columns these are: all of them, in its order, under their own names, with its nullability."""
        first = columns[0] if columns else None
        origin = first.origin if isinstance(first, ir.Column) else None
        table = self.tables.get((origin.schema, origin.table)) if origin else None
        if table is None or len(table.columns) != len(columns):
            return None
        same = all(
            isinstance(found, ir.Column)
            and found.origin == ir.Origin(table.schema, table.name, own.name)
            and (found.sql_name, found.type) == (own.name, self.type(own.type, nullable=not own.not_null))
            for own, found in zip(table.columns, columns, strict=True)
        )
        return table if same else None

    def embedded(self, name: Identifier, table: Table, columns: tuple[ProvenColumn, ...]) -> ir.Embedded:
        """A whole row of a table inside another row. `check` refuses one that may be absent and has no witness of that."""
        witness = next((index for index, column in enumerate(columns) if column.witness), -1)
        optional = any(column.absent_row for column in columns)
        return ir.Embedded(name, _table_class(table), self.table_columns(table), optional, witness)

    def row_class(self, table: Table) -> ir.RowClass:
        """The class of a table's rows."""
        qualified = f"{table.schema}.{table.name}"
        doc = table.comment or f"A row of `{qualified.removeprefix('public.')}`."
        return ir.RowClass(_table_class(table), self.table_columns(table), doc, qualified)

    def table_columns(self, table: Table) -> tuple[ir.Column, ...]:
        """A table's own columns."""
        return tuple(
            ir.Column(
                name=Identifier.from_sql(c.name),
                sql_name=c.name,
                type=self.type(c.type, nullable=not c.not_null),
                origin=ir.Origin(table.schema, table.name, c.name),
                doc=c.comment,
                reason=f"`{table.name}.{c.name}` is NOT NULL" if c.not_null else f"`{table.name}.{c.name}` allows NULL",
                place=None,
            )
            for c in table.columns
        )


def _module(module: ir.UnprovenModule, proofs: Proofs, schema: _Schema, parameter_limit: int | None) -> ir.Module:
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
        queries.append(_query(query, proof, result, schema, parameter_limit))
    return ir.Module(module.name, module.source_file, tuple(row_classes), tuple(queries))


def _query(query: ir.UnprovenQuery, proof: QueryProof, result: ir.Result, schema: _Schema, parameter_limit: int | None) -> ir.Query:
    names = {p.number: p.name for p in query.params}
    as_object = isinstance(result, ir.Copied | ir.Batch) or (parameter_limit is not None and len(proof.params) > parameter_limit)
    return ir.Query(
        name=query.name,
        function=query.function,
        constant=query.constant,
        command=query.command,
        sql=copy_sql(query.copied, binary=bool(result.types)) if query.copied and isinstance(result, ir.Copied) else proof.sql,
        doc=(*query.doc, *(line for claim in claims_in_words(query, proof) for line in ("", claim))),
        params=tuple(
            ir.Param(number, names[number], p.cast, schema.type(p.type, nullable=p.nullable, element_nullable=p.element_nullable), p.reason)
            for number, p in enumerate(proof.params, start=1)
        ),
        params_class=query.params_class if as_object else None,
        result=result,
        source=query.source,
        rows=ir.Rows(proof.cardinality, proof.cardinality_reason, _place(query, proof, proof.cardinality_offset)),
        reads=proof.reads,
        writes=proof.writes,
    )


def _place(query: ir.UnprovenQuery, proof: QueryProof, offset: int) -> Place:
    return query.source.place_of(proof.sql, offset) if offset >= 0 else query.source.header_place()


def _result(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Result:
    match query.command:
        case ir.Command.ONE:
            return ir.One(_shape(query, proof, schema), always=is_always_one(query, proof))
        case ir.Command.MANY:
            shape = _shape(query, proof, schema)
            return ir.Stream(shape, query.annotations.stream) if query.annotations.stream else ir.Many(shape)
        case ir.Command.COPYFROM:
            return _copied(query, proof, schema)
        case ir.Command.BATCHEXEC:
            return ir.Batch(ir.NoResult())
        case ir.Command.BATCHONE:
            return ir.Batch(ir.One(_shape(query, proof, schema), always=is_always_one(query, proof)))
        case ir.Command.BATCHMANY:
            return ir.Batch(ir.Many(_shape(query, proof, schema)))
        case ir.Command.EXEC:
            return ir.NoResult()
        case ir.Command.EXECROWS:
            return ir.RowCount()
        case ir.Command.EXECRESULT:
            return ir.CursorResult()


def _copied(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Copied:
    order = query.copied.params if query.copied else ()
    types = [schema.type(proof.params[number - 1].type, nullable=proof.params[number - 1].nullable) for number in order]
    return ir.Copied(order, binary_types(types))


def _shape(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> ir.Shape:
    fields = _fields(query, proof, schema)
    match fields:
        case (ir.Column() as column,):
            return ir.BareValue(column)
        case (ir.Embedded(optional=False) as embedded,):
            return ir.RowRef(embedded.row_class, embedded.columns, shared=True)
        case _:
            pass
    table = schema.matching_table(fields)
    if table is not None:
        return ir.RowRef(_table_class(table), fields, shared=True)
    return ir.RowRef(query.row_class, fields, shared=False)


def _fields(query: ir.UnprovenQuery, proof: QueryProof, schema: _Schema) -> tuple[ir.Field, ...]:
    """Columns as they come; those of an embedded table together as one field."""
    fields: list[ir.Field] = []
    columns = proof.columns
    for said in query.columns if any(isinstance(said, ir.UnprovenEmbed) for said in query.columns) else ():
        if isinstance(said, ir.UnprovenEmbed):
            table = find_table(schema.catalog, said.schema, said.table)
            fields.append(schema.embedded(said.name, table, columns[: len(table.columns)]))
            columns = columns[len(table.columns) :]
        else:
            fields.append(schema.column(query, proof, columns[0]))
            columns = columns[1:]
    return (*fields, *(schema.column(query, proof, column) for column in columns))


def _shared_classes(shape: ir.RowRef) -> set[ClassName]:
    embedded = {field.row_class for field in shape.fields if isinstance(field, ir.Embedded)}
    return embedded | {shape.row_class} if shape.shared else embedded


def _shapes(query: ir.Query) -> tuple[ir.Shape, ...]:
    shape = ir.shape_of(query.result)
    return () if shape is None else (shape,)


def _enums_in_use(modules: tuple[ir.Module, ...], models: tuple[ir.RowClass, ...]) -> set[str]:
    types: list[ir.Type] = [column.type for model in models for column in ir.columns_in(model.fields)]
    for module in modules:
        for query in module.queries:
            types += [param.type for param in query.params]
            types += [column.type for column in ir.columns_in(ir.fields_of(query.result))]
    return {name for name in map(_enum_inside, types) if name}


def _enum_inside(found: ir.Type) -> str:
    match found:
        case ir.Nullable(value=value):
            return _enum_inside(value)
        case ir.ListOf(element=element):
            return _enum_inside(element)
        case ir.EnumRef(postgres=name):
            return name
        case _:
            return ""


def _enum_class(enum: Enum) -> ir.EnumClass:
    members = tuple(zip(distinct_members(enum.labels), enum.labels, strict=True))
    return ir.EnumClass(_class_name(enum.schema, enum.name), enum.schema, enum.name, members, enum.comment)


def _constraint_class(table: Table) -> ir.ConstraintClass:
    members = distinct_members(tuple(constraint.name for constraint in table.constraints))
    return ir.ConstraintClass(
        ClassName(f"{_table_class(table)}Constraint"),
        f"{table.schema}.{table.name}",
        tuple(ir.Constraint(member, found.name, found.definition) for member, found in zip(members, table.constraints, strict=True)),
    )


def _table_class(table: Table) -> ClassName:
    return ClassName.from_table(table.name if table.schema == "public" else f"{table.schema}_{table.name}")


def _class_name(schema: str, name: str) -> ClassName:
    return ClassName.from_sql(name if schema == "public" else f"{schema}_{name}")
