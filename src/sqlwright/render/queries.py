"""Modules of query functions: for each query its SQL, its row class if that is its own, and its function, in either colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlwright import ir
from sqlwright.render.arguments import add_params_class, call_parameters, cursor_field, order_field, param_fields
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.bulk import Batched, batch_lines, copy_lines, direct_batch_lines, stream_lines
from sqlwright.render.colour import Colour
from sqlwright.render.comments import commented
from sqlwright.render.direct.module import DIRECT_MODULE, is_direct
from sqlwright.render.docstrings import docstring
from sqlwright.render.execution import EXECUTION_MODULE
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, ListComprehension, Node, NoneUnless, fits, flat, statement
from sqlwright.render.literals import sql_literal, string_literal
from sqlwright.render.pages import CURSOR, PAGES_MODULE, is_paged, pages_constant
from sqlwright.render.pgvalues import columns_of, free_name, is_scalar_enum, json_alias, keeps_intervals
from sqlwright.render.promises import checked_row
from sqlwright.render.queriers import Method, QuerierClass, add_queriers, class_names
from sqlwright.render.rows import add_row_class, from_row_name, names_in
from sqlwright.render.sql_lines import in_lines
from sqlwright.render.streaming import STREAMS_MODULE
from sqlwright.render.tracing.module import traced_lines
from sqlwright.render.values import Values
from sqlwright.render.variant_docs import variant_sentences
from sqlwright.render.variants import ORDER, order_alias, orders_lines, variants_constant
from sqlwright.types.formats import asks_binary, reads_binary


def query_module(
    package: ir.Package,
    module: ir.Module,
    colour: Colour,
    *,
    definitions: str = "",
    queriers: tuple[QuerierClass, ...] = (),
    direct: bool = False,
    traced: bool = False,
    comments: bool = False,
) -> str:
    """Return the text of a module of query functions, followed by classes of methods over them.

    With `definitions`, the relative name of a module of the other colour, the SQL and the classes of rows and parameters are imported
    from there. `direct`: the functions that can do without a cursor. `traced`: calls have spans. `comments`: the SQL names its query.
    """
    builder = ModuleBuilder(
        header=header_line(module.source_file),
        doc=f"Typed functions for the queries in {module.source_file}.",
        taken=[*_names_bound(module, with_definitions=not definitions), *class_names(queriers)],
    )
    root = ".." if definitions else "."
    values = Values(builder, package, root=root, json_alias=json_alias(package))
    own_rows: dict[str, ir.RowClass] = {row.name: row for row in module.row_classes}
    for query in module.queries:
        if not definitions:
            builder.add_constant(_constant(builder, root, query, comments=comments))
            if query.variants and query.variants.orders:
                builder.add_constant(orders_lines(builder, order_alias(query), query.variants))
            if query.params_class:
                add_params_class(builder, values, query, query.params_class)
            row = own_rows.pop(_row_class(query), None)
            if row is not None:
                add_row_class(builder, values, row)
        function = _Function(builder, values, query, colour, root, definitions, direct=direct and is_direct(query), traced=traced)
        builder.add_definition(function.lines())

    def methods(colour: Colour) -> list[Method]:
        functions = [_Function(builder, values, query, colour, root, definitions) for query in module.queries]
        return [Method(function.query, function.doc(), function.parameters(), function.item_type()) for function in functions]

    add_queriers(builder, queriers, module.name, methods)
    return builder.text()


def _constant(builder: ModuleBuilder, root: str, query: ir.Query, *, comments: bool) -> list[str]:
    """Return the constant of a query's SQL."""
    if query.variants is not None and query.variants.page is not None:
        return pages_constant(builder, root, query, query.variants, query.variants.page, comments=comments)
    if query.variants is not None:
        return variants_constant(builder, root, query, query.variants, comments=comments)
    sql = in_lines(query.sql)
    return [f"{query.constant}: {builder.name('typing', 'Final')} = {sql_literal(commented(query, sql) if comments else sql)}"]


def _names_bound(module: ir.Module, *, with_definitions: bool) -> list[str]:
    names: list[str] = [name for query in module.queries for name in (query.function, *(param.name for param in query.params))]
    names += [ORDER for query in module.queries if order_field(query)]
    names += [CURSOR for query in module.queries if is_paged(query)]
    if with_definitions:
        names += [*(query.constant for query in module.queries), *names_in(module.row_classes)]
        names += [query.params_class for query in module.queries if query.params_class]
        names += [order_alias(query) for query in module.queries if order_field(query)]
    return names


def _row_class(query: ir.Query) -> str:
    shape = ir.shape_of(query.result)
    return shape.row_class if isinstance(shape, ir.RowRef) else ""


@dataclass(frozen=True, slots=True)
class _Function:
    """The emitter of one query's function."""

    builder: ModuleBuilder
    values: Values
    query: ir.Query
    colour: Colour
    root: str
    definitions: str
    direct: bool = False
    traced: bool = False

    def lines(self) -> list[str]:
        traced = traced_lines(self.builder, self.query, self._whole_text(), self.colour, self.root) if self.traced else []
        return [*traced, *self._signature(), *docstring(self.doc(), 1), *self._body()]

    def doc(self) -> tuple[str, ...]:
        """Return the query's comment, or without one the query's place, which an editor can follow; then what its variants do."""
        own = self.query.doc
        if not any(line.strip() for line in own):
            # A line number changes with every line above it, so a query that has a comment goes without.
            own = (f"See {self.query.source.file}:{self.query.source.line}.",)
        sentences = variant_sentences(self.query)
        return (*own, "", *sentences) if sentences else own

    def _signature(self) -> list[str]:
        connection = f"{self.builder.name('psycopg', self.colour.connection)}[{self.builder.name('typing', 'Any')}]"
        items = (f"{self._local('conn')}: {connection}", *self.parameters())
        return statement(Group(f"{self.colour.define}{self.query.function}(", items), 0, suffix=f" -> {self._returns(self.query.result)}:")

    def parameters(self) -> tuple[str, ...]:
        """Return the parameters after the connection, as the signature has them."""
        return call_parameters(self.builder, self.values, self.query, self.colour, self.definitions)

    def item_type(self) -> str:
        """Return the annotation of the result, or of one row where there are many."""
        match self.query.result:
            case ir.Many(shape=shape, paged=False) | ir.Stream(shape=shape):
                return self._annotation(shape, optional=False)
            case other:
                return self._returns(other)

    def _returns(self, result: ir.Result) -> str:
        match result:
            case ir.NoResult():
                return "None"
            case ir.RowCount() | ir.Copied():
                return self.builder.builtin("int")
            case ir.CursorResult(types=types):
                cursor = self.builder.name("psycopg", self.colour.cursor)
                columns = [self.values.annotation(found) for found in types] or [self.builder.builtin("object"), "..."]
                return f"{cursor}[{self.builder.builtin('tuple')}[{', '.join(columns)}]]"
            case ir.One(shape=shape, always=always):
                return self._annotation(shape, optional=not always)
            case ir.Many(shape=shape, paged=True):
                return f"{self._pages_name('Page')}[{self._annotation(shape, optional=False)}]"
            case ir.Many(shape=shape):
                return f"{self.builder.builtin('list')}[{self._annotation(shape, optional=False)}]"
            case ir.Stream(shape=shape):
                generator = self.builder.name("collections.abc", self.colour.generator)
                return f"{generator}[{self._annotation(shape, optional=False)}]"
            case ir.Batch(each=ir.NoResult()):
                return "None"
            case ir.Batch(each=each):
                return f"{self.builder.builtin('list')}[{self._returns(each)}]"

    def _annotation(self, shape: ir.Shape, *, optional: bool) -> str:
        if isinstance(shape, ir.RowRef):
            return self._row(shape) + (" | None" if optional else "")
        found = shape.column.type
        return self.values.annotation(ir.Nullable(found) if optional and not isinstance(found, ir.Nullable) else found)

    def _body(self) -> list[str]:
        if self.direct:
            return self._direct_body()
        connection, cursor = self._local("conn"), self._local("cur")
        chosen = self._choice()
        make = Group(
            f"{self.builder.name('psycopg', self.colour.cursor)}(",
            (connection, f"row_factory={self.builder.name('psycopg.rows', 'tuple_row')}"),
        )
        made = [*chosen, *statement(make, 1, f"{cursor} = ")]
        if keeps_intervals(self.query):
            found = ir.shape_of(self.query.result)
            binary = found is not None and reads_binary(columns_of(found))
            made += statement(self.values.keeping_intervals(cursor, binary=binary), 1)
        match self.query.result:
            case ir.Copied() as copied:
                return [*made, *copy_lines(self.builder, self.colour, self.root, self._constant(), self._values(copied.columns), copied)]
            case ir.Batch(each=each):
                return [*made, *batch_lines(self._batch(each))]
            case ir.Stream(shape=shape, size=size):
                call = Group(f"{cursor}.stream(", (*self._arguments(), f"size={size}"))
                names = self._local("stream"), self._local("rows"), self._local("row")
                streaming = Group(
                    f"{self.builder.name(f'{self.root}{STREAMS_MODULE}', 'Streaming')}(", (connection, string_literal(self.query.name))
                )
                lines = stream_lines(self.builder, self.colour, call, names, self._made(shape, names[2]), (f"{connection}.lock", streaming))
                return [*made, *lines]
            case ir.RowCount() | ir.CursorResult():
                returned = f"{cursor}.rowcount" if isinstance(self.query.result, ir.RowCount) else cursor
                execute_now = self.builder.name(f"{self.root}{EXECUTION_MODULE}", self.colour.execute_now)
                call = Group(f"{execute_now}(", (cursor, *self._arguments()))
                return [*made, *statement(call, 1, self.colour.wait), f"    return {returned}"]
            case _:
                pass
        lines = [*made, *statement(Group(f"{cursor}.execute(", self._arguments()), 1, self.colour.wait)]
        match self.query.result:
            case ir.One() as one:
                fetched = self._local("row")
                return [*lines, f"    {fetched} = {self.colour.wait}{cursor}.fetchone()", *self._one(one, fetched, f"{cursor}.rowcount")]
            case ir.Many(shape=shape, paged=True):
                return [*lines, *self._page(shape, f"{self.colour.wait}{cursor}.fetchall()")]
            case ir.Many(shape=shape):
                return [*lines, *self._many(shape, cursor)]
            case _:
                return lines

    def _whole_text(self) -> str:
        """Return the expression for the SQL: of a query with variants, with all parts."""
        return f"{self._constant()}.sql" if self.query.variants else self._constant()

    def _constant(self) -> str:
        return self.builder.name(self.definitions, self.query.constant) if self.definitions else self.query.constant

    def _values(self, order: tuple[int, ...] = ()) -> Group:
        """Return the tuple that is sent for the parameters: in the order of their numbers, or of those in `order`."""
        item = self._local("item")
        fields = param_fields(self.query)
        params = {param.number: param for param in self.query.params}
        optional = self.query.variants.optional if self.query.variants else ()
        dumped = {number: self.values.dumped(params[number].type, fields[number], item) for number in order or sorted(params)}
        sent = [self.values.optional(fields[number], node) if number in optional else node for number, node in dumped.items()]
        return Group("(", tuple(sent), is_tuple=True)

    def _choice(self) -> list[str]:
        """Return the lines that choose the variant's statement and values; none for a query without variants."""
        if self.query.variants is None:
            return []
        chosen = [self._local("sql"), self._local("values"), *([self._local("place")] if is_paged(self.query) else [])]
        fields = [field for field in (cursor_field(self.query), order_field(self.query)) if field]
        return statement(Group(f"{self._constant()}.choose(", (self._values(), *fields)), 1, f"{', '.join(chosen)} = ")

    def _arguments(self) -> tuple[Node, ...]:
        """Return the arguments of `execute`, `execute_now` and `stream`."""
        sent: list[Node] = [self._constant(), *([self._values()] if self.query.params else [])]
        if self.query.variants is not None:
            sent = [self._local("sql"), self._local("values")]
        shape = ir.shape_of(self.query.result)
        binary = ["binary=True"] if shape is not None and asks_binary(columns_of(shape)) else []
        return *sent, *binary

    def _direct_body(self) -> list[str]:
        return [*self._choice(), *self._direct_call_lines()]

    def _direct_call_lines(self) -> list[str]:
        match self.query.result:
            case ir.One() as one:
                row, count = self._local("row"), self._local("count")
                returned = self._one(one, row, count)
                unused = "" if any(count in line for line in returned) else "_"
                fetched = statement(self._direct_call("fetch_one"), 1, f"{row}, {unused or count} = {self.colour.wait}")
                return [*fetched, *returned]
            case ir.Many(shape=shape, paged=paged):
                row, rows = self._local("row"), self._local("rows")
                fetched = statement(self._direct_call("fetch_all"), 1, f"{rows} = {self.colour.wait}")
                if paged:
                    return [*fetched, *self._page(shape, rows)]
                return [*fetched, *statement(ListComprehension(self._made(shape, row), f"for {row} in {rows}"), 1, "return ")]
            case ir.RowCount():
                return statement(self._direct_call("execute_count"), 1, f"return {self.colour.wait}")
            case ir.Batch(each=each):
                return direct_batch_lines(self._batch(each))
            case _:
                return statement(self._direct_call("execute"), 1, self.colour.wait)

    def _batch(self, each: ir.NoResult | ir.One | ir.Many) -> Batched:
        batched = Batched(self.builder, self.colour, self.root, self._constant(), self._values(), self.query, each)
        shape = ir.shape_of(each)
        if shape is None:
            return batched
        made, annotation = self._made(shape, "row"), self._returns(each)
        return replace(batched, made=made, annotation=annotation, binary=asks_binary(columns_of(shape)))

    def _direct_call(self, function: str) -> Group:
        name = self.builder.name(f"{self.root}{DIRECT_MODULE}", f"{self.colour.prefix}{function}")
        return Group(f"{name}(", (self._local("conn"), *self._arguments()))

    def _one(self, one: ir.One, row: str, count: str) -> list[str]:
        """Check the proof and return the row: psycopg has fetched every row already, so that costs no more than a comparison."""
        shape = one.shape
        fetched = checked_row(self.builder, self.root, self.query, one, row, count, in_batch=False)
        made = self._made(shape, row)
        if not one.always:
            return [*fetched, *_return(made, f"{row} is None")]
        if isinstance(shape, ir.BareValue) and not is_scalar_enum(shape.column.type):
            value = self._local("value")
            return [*fetched, *statement(f"{value}: {self._annotation(shape, optional=False)} = {flat(made)}", 1), f"    return {value}"]
        return [*fetched, *_return(made, "")]

    def _many(self, shape: ir.Shape, cursor: str) -> list[str]:
        row = self._local("row")
        fetch = f"{self.colour.wait}{cursor}.fetchall()"
        made = self._made(shape, row)
        whole = f"return [{flat(made)} for {row} in {fetch}]"
        if fits(whole, 1):
            return [f"    {whole}"]
        rows = self._local("rows")
        return [f"    {rows} = {fetch}", *statement(ListComprehension(made, f"for {row} in {rows}"), 1, "return ")]

    def _page(self, shape: ir.Shape, fetched: str) -> list[str]:
        """Return the lines that make a page of the rows that were fetched."""
        row, rows, after, before = (self._local(name) for name in ("row", "rows", "after", "before"))
        cut = statement(Group(f"{self._local('place')}.cut(", (fetched,)), 1, f"{rows}, {after}, {before} = ")
        made = ListComprehension(self._made(shape, row), f"for {row} in {rows}")
        return [*cut, *statement(Group(f"{self._pages_name('Page')}(", (made, after, before)), 1, "return ")]

    def _pages_name(self, name: str) -> str:
        return self.builder.name(f"{self.root}{PAGES_MODULE}", name)

    def _made(self, shape: ir.Shape, row: str) -> Node:
        """Return the annotated result, made of a plain row. That of a page has the row's keys too, at the end."""
        if isinstance(shape, ir.BareValue):
            return self.values.loaded(shape.column.type, f"{row}[0]")
        if self.values.converts(shape.fields):
            return Group(f"{self._row(shape)}.{from_row_name(shape.fields)}(", (row,))
        return Group(f"{self._row(shape)}(", (f"*{row}[:-1]" if is_paged(self.query) else f"*{row}",))

    def _row(self, shape: ir.RowRef) -> str:
        module = f"{self.root}models" if shape.shared else self.definitions
        return self.builder.name(module, shape.row_class) if module else shape.row_class

    def _local(self, wanted: str) -> str:
        """Return the wanted name, with trailing underscores if a parameter has it."""
        taken: set[str] = (
            set()
            if self.query.params_class
            else {
                *(param.name for param in self.query.params),
                order_field(self.query),
                cursor_field(self.query),
            }
        )
        return free_name(wanted, taken)


def _return(made: Node, none_if: str) -> list[str]:
    """Return the statement that returns the expression, or None if there is a condition and it holds; the long form is `if`."""
    conditions = [none_if] if none_if else []
    if isinstance(made, NoneUnless):
        conditions.append(made.condition)
        made = made.value
    if not conditions:
        return statement(made, 1, "return ")
    condition = " or ".join(conditions)
    short = f"return {flat(NoneUnless(condition, made))}"
    if fits(short, 1):
        return [f"    {short}"]
    return [f"    if {condition}:", "        return None", *statement(made, 1, "return ")]
