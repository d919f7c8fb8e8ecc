"""Queries with variants: the pieces of their statements as a module has them, and the module of the package that joins the pieces."""

from __future__ import annotations

from collections.abc import Sequence

from sqlwright import ir
from sqlwright.ir.naming import ClassName
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.comments import commented
from sqlwright.render.header import header_line
from sqlwright.render.layout import LINE_LENGTH, Group, Node, Text, exempt_if_too_long, fits, lay_out, statement, width
from sqlwright.render.literals import TRIPLE, escape, string_literal
from sqlwright.render.sql_lines import in_lines
from sqlwright.sql.lexer import Kind, tokenize
from sqlwright.sql.pages import KeysPiece, PagePiece, SortPiece, WherePiece
from sqlwright.sql.placeholders import placeholder_number
from sqlwright.sql.variants import ClausePiece, OrderPiece

# No query file can have this name: those begin with a letter.
VARIANTS_MODULE = "_variants"
UNSET, UNSET_TYPE = "UNSET", "Unset"
ORDER = "order"

_UNSET = '''\
class Unset(Enum):
    """The type of `UNSET`, which stands for an argument that is left out."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return self.name
'''
_CLAUSE = '''\
class Clause:
    """A clause: its opening, what separates its parts, and the parts.

    One that may leave is a tuple: its text, and the parameters that it leaves with.
    """

    def __init__(
        self, opening: str, separator: str, *parts: str | tuple[str, ...]
    ) -> None:
        self._opening = opening
        self._separator = separator
        self._parts = parts

    def write(self, omitted: list[str]) -> str:
        """Return the clause without the parts of omitted parameters."""
        kept: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                kept.append(part)
                continue
            text, *names = part
            given = [name for name in names if name not in omitted]
            if given and len(given) < len(names):
                missing = ", ".join(name for name in names if name in omitted)
                raise ValueError(f"{', '.join(given)} needs {missing} as well")
            if given:
                kept.append(text)
        return self._opening + self._separator.join(kept) if kept else ""
'''
_ASSIGNMENTS = '''\
class Assignments(Clause):
    """A SET of which assignments may leave, but not all."""

    @property
    def names(self) -> list[str]:
        """The parameters with which assignments leave."""
        leaving = [part for part in self._parts if isinstance(part, tuple)]
        return [name for _, *names in leaving for name in names]

    def write(self, omitted: list[str]) -> str:
        """Return the clause without the assignments of omitted parameters."""
        if all(name in omitted for name in self.names):
            names = ", ".join(self.names)
            raise ValueError(f"nothing to set: pass at least one of {names}")
        return super().write(omitted)
'''
_VARIANTS = '''\
class Variants:
    """The statements of a query, in pieces: texts, clauses, and orders by name.

    `parameters` are in the order of their numbers in the statement with all parts. The
    pieces have `{name}` for `$1`. `unchanged` is sent where nothing is set.
    """

    def __init__(
        self,
        query: str,
        parameters: tuple[str, ...],
        *pieces: str | Clause | dict[str, str],
        unchanged: "Variants | None" = None,
    ) -> None:
        self._query = query
        self._parameters = parameters
        self._pieces = pieces
        self._unchanged = unchanged
        self._choices: dict[tuple[Any, ...], Choice] = {}

    @property
    def sql(self) -> LiteralString:
        """The statement with all parts, in the default order."""
        return self._write([], "")

    def choose(
        self, values: tuple[Any, ...], order: str = ""
    ) -> tuple[LiteralString, tuple[Any, ...]]:
        """Return the statement for the values that are not `UNSET`, and those.

        Values of the same types make the same choice, which is looked up.
        """
        key = (order, *map(type, values))
        choice = self._choices.get(key)
        if choice is None:
            choice = self._choose(values, order)
            if len(self._choices) >= MAX_CHOICES:
                self._choices.clear()
            self._choices[key] = choice
        sql, pick = choice
        return sql, pick(values)

    def _choose(self, values: tuple[Any, ...], order: str) -> Choice:
        given = [index for index, value in enumerate(values) if value is not UNSET]
        omitted = [
            name
            for name, value in zip(self._parameters, values, strict=True)
            if value is UNSET
        ]
        if self._unchanged and self._sets_nothing(omitted):
            return self._unchanged._of(self._parameters, values)
        try:
            sql = self._write(omitted, order)
        except ValueError as error:
            raise ValueError(f"query {self._query}: {error}") from None
        except KeyError as missing:
            raise TypeError(f"query {self._query} needs {missing}") from None
        if len(given) > 1:
            return sql, itemgetter(*given)
        return sql, lambda values: tuple(values[index] for index in given)

    def _sets_nothing(self, omitted: list[str]) -> bool:
        clauses = [piece for piece in self._pieces if isinstance(piece, Assignments)]
        return all(name in omitted for clause in clauses for name in clause.names)

    def _of(self, names: tuple[str, ...], values: tuple[Any, ...]) -> Choice:
        """Return the choice for values of more parameters than these."""
        places = [names.index(name) for name in self._parameters]
        sql, pick = self._choose(tuple(values[place] for place in places), "")
        return sql, lambda values: pick(tuple(values[place] for place in places))

    def _write(self, omitted: list[str], order: str) -> LiteralString:
        texts: list[str] = []
        for piece in self._pieces:
            if isinstance(piece, Clause):
                texts.append(piece.write(omitted))
            elif isinstance(piece, dict):
                name = order or next(iter(piece))
                if name not in piece:
                    names = ", ".join(piece)
                    raise ValueError(f"there is no order {name!r}, only {names}")
                texts.append(piece[name])
            else:
                texts.append(piece)
        given = [name for name in self._parameters if name not in omitted]
        numbers = {name: f"${number}" for number, name in enumerate(given, start=1)}
        text: Any = "".join(texts).format_map(numbers)
        # It is made of literals, which a type checker does not see.
        sql: LiteralString = text
        return sql
'''


def has_variants(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(query.variants is not None for module in package.modules for query in module.queries)


def variants_module() -> str:
    """Return the text of the module."""
    builder = ModuleBuilder(header=header_line(), doc="Statements of which parts may be left out.", taken=())
    names = {
        "collections.abc": ("Callable",),
        "enum": ("Enum",),
        "operator": ("itemgetter",),
        "typing": ("Any", "Final", "LiteralString", "TypeAlias"),
    }
    for module, members in names.items():
        for name in members:
            builder.name(module, name)
    builder.add_constant(
        [
            "Choice: TypeAlias = tuple[LiteralString, Callable[[tuple[Any, ...]], tuple[Any, ...]]]",
            "# How many choices are kept for each query.",
            "MAX_CHOICES = 256",
        ]
    )
    builder.add_definition(_UNSET.splitlines())
    builder.add_constant([f"{UNSET}: Final = {UNSET_TYPE}.{UNSET}"])
    for text in (_CLAUSE, _ASSIGNMENTS, _VARIANTS):
        builder.add_definition(text.splitlines())
    return builder.text()


def variants_constant(builder: ModuleBuilder, root: str, query: ir.Query, variants: ir.Variants, *, comments: bool = False) -> list[str]:
    """Return the constant of a query with variants; with `comments`, each names its query."""
    module = f"{root}{VARIANTS_MODULE}"
    names = {param.number: str(param.name) for param in query.params}

    def call(head: str, pieces: tuple[PagePiece, ...], numbers: Sequence[int], depth: int = 1) -> list[str]:
        own = {index: names[number] for index, number in enumerate(numbers, start=1)}
        parameters = Group("(", tuple(string_literal(name) for name in own.values()), is_tuple=True)
        first, *rest = pieces
        # A statement begins with a word that never leaves.
        whole = (commented(query, first) if comments and isinstance(first, str) else first, *rest)
        lines = [f"{head}{builder.name(module, 'Variants')}("]
        for item in (string_literal(query.name), parameters):
            lines += lay_out(item, depth, suffix=",")
        return [*lines, *(line for piece in whole for line in _piece(builder, module, piece, own, depth))]

    lines = call(f"{query.constant}: {builder.name('typing', 'Final')} = ", variants.pieces, sorted(names))
    if variants.unchanged is not None:
        lines += [*call("    unchanged=", variants.unchanged.pieces, variants.unchanged.params, depth=2), "    ),"]
    return exempt_if_too_long([*lines, ")"])


def order_alias(query: ir.Query) -> str:
    """Return the name of the type of a query's orders."""
    return f"{ClassName.from_sql(query.name)}Order"


def orders_lines(builder: ModuleBuilder, name: str, variants: ir.Variants) -> list[str]:
    """Return the definition of the type of a query's orders."""
    literal = Group(f"{builder.name('typing', 'Literal')}[", tuple(string_literal(order.name) for order in variants.orders), "]")
    return statement(literal, 0, f"{name}: {builder.name('typing', 'TypeAlias')} = ")


def _piece(builder: ModuleBuilder, module: str, piece: PagePiece, names: dict[int, str], depth: int) -> list[str]:
    indent = "    " * depth
    match piece:
        case str():
            return text_lines(piece, names, depth)
        case ClausePiece(assigns=assigns):
            return clause_lines(builder, module, "Assignments" if assigns else "Clause", piece, names, depth)
        case OrderPiece(orders=orders):
            entries = [f"{indent}    {string_literal(name)}: {string_literal(template(by, names))}," for name, by in orders]
            return [f"{indent}{{", *entries, f"{indent}}},"]
        case KeysPiece() | WherePiece() | SortPiece():
            raise AssertionError("a piece of a page among those of a query without pages")


def clause_lines(builder: ModuleBuilder, module: str, name: str, piece: ClausePiece, names: dict[int, str], depth: int = 1) -> list[str]:
    """Return a clause as an item of its own, of the class of this name."""
    indent = "    " * depth
    lines = [f"{indent}{builder.name(module, name)}("]
    lines += [f"{indent}    {string_literal(template(text, names))}," for text in (piece.opening, piece.separator)]
    for text, params in piece.parts:
        written = Text(template(in_lines(text), names))
        item: Node = Group("(", (written, *(string_literal(names[number]) for number in params)))
        lines += lay_out(item if params else written, depth + 1, suffix=",")
    return [*lines, f"{indent}),"]


def text_lines(sql: str, names: dict[int, str], depth: int) -> list[str]:
    """Return SQL as an item of its own, its lines broken where they are too long; behind the last one stand the quotes."""
    end = f"{TRIPLE},"
    broken = in_lines(sql)
    if width(broken.rpartition("\n")[2] + end) > LINE_LENGTH:
        broken = in_lines(sql, LINE_LENGTH - len(end))
    return literal_lines(template(broken, names), depth)


def literal_lines(text: str, depth: int) -> list[str]:
    """Return a text as an item of its own: on one line where it fits, else between triple quotes."""
    short = string_literal(text)
    if fits(f"{short},", depth) or text.endswith('"'):
        return [f"{'    ' * depth}{short},"]
    lines = escape(text).split("\n")
    return [f"{'    ' * depth}{TRIPLE}\\", *lines[:-1], f"{lines[-1]}{TRIPLE},"]


def template(sql: str, names: dict[int, str]) -> str:
    """Return SQL with `{name}` for each placeholder, and its own braces doubled."""
    return "".join(
        f"{{{names[placeholder_number(token)]}}}" if token.kind is Kind.PLACEHOLDER else token.text.replace("{", "{{").replace("}", "}}")
        for token in tokenize(sql)
    )
