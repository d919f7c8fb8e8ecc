"""Queries with pages: their statements as a module has them, and the module of the package that reads and writes cursors."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.comments import commented
from sqlwright.render.header import header_line
from sqlwright.render.layout import Group, Keyword, Node, Text, exempt_if_too_long, fits, flat, lay_out
from sqlwright.render.literals import string_literal, utf8_literal
from sqlwright.render.pgvalues import free_name
from sqlwright.render.variants import VARIANTS_MODULE, clause_lines, template, text_lines
from sqlwright.sql.pages import KeysPiece, Page, PageOrder, PagePiece, SortPiece, WherePiece
from sqlwright.sql.variants import ClausePiece, OrderPiece

# No query file can have this name: those begin with a letter.
PAGES_MODULE = "_pages"
CURSOR = "cursor"
EXPORTED = ("CursorError", "Page", "sign_cursors")

_PAGE = '''\
@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, and the cursors of the pages after and before them; None for none."""

    rows: list[Row]
    next: str | None
    previous: str | None
'''
_ERROR = '''\
class CursorError(ValueError):
    """A cursor is changed, not signed, too long, or of another query or order."""
'''
_SIGN = '''\
def sign_cursors(*keys: bytes) -> None:
    """Sign cursors with the first key from now on, and accept those of all the keys.

    Without a key, cursors are not signed.
    """
    if any(len(key) < MIN_KEY for key in keys):
        raise ValueError(f"a key has at least {MIN_KEY} bytes")
    if not all(map(any, keys)):
        raise ValueError("a key of zeros is no secret")
    signing[:] = keys
'''
_TAG = '''\
def tag(key: bytes | None, body: bytes) -> bytes:
    """Return what shows that a cursor was not changed; without a key, a checksum."""
    if key is None:
        return sha256(PACKAGE + body).digest()[:TAG_SIZE]
    return digest(key, PACKAGE + body, "sha256")[:TAG_SIZE]
'''
_WRITE = '''\
def write_cursor(body: str) -> str:
    """Return the text of a cursor."""
    raw = body.encode()
    key = signing[0] if signing else None
    text = urlsafe_b64encode(tag(key, raw) + raw).decode().rstrip("=")
    if len(text) >= MAX_CURSOR:
        raise CursorError("what rows are sorted by is too long for a cursor")
    return f"{VERSION}{text}"
'''
_READ = '''\
def read_cursor(cursor: str) -> str:
    """Return the body of a cursor."""
    version, text = cursor[:1], cursor[1:]
    if version.isdigit() and version != VERSION:
        raise CursorError("the cursor is of another version")
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        raw = b""
    mark, body = raw[:TAG_SIZE], raw[TAG_SIZE:]
    canonical = urlsafe_b64encode(raw).decode().rstrip("=")
    if version != VERSION or not body or text != canonical or len(cursor) > MAX_CURSOR:
        raise CursorError("the cursor is damaged")
    keys: list[bytes | None] = [*signing] if signing else [None]
    if any(compare_digest(mark, tag(key, body)) for key in keys):
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise CursorError("the cursor is damaged") from None
    if signing and compare_digest(mark, tag(None, body)):
        raise CursorError("the cursor is not signed")
    raise CursorError("the cursor is damaged or signed by another key")
'''
_SLOT = '''\
class Slot(Enum):
    """The place of the column that holds what rows are sorted by."""

    KEYS = "keys"
'''
_WHERE = '''\
class Where(Clause):
    """The clause that the condition of a page is added to."""

    def narrowed(self, condition: str) -> Clause:
        """Return the clause with a condition."""
        return Clause(self._opening, self._separator, *self._parts, condition)
'''
_ORDER = '''\
class PageOrder:
    """An order of pages: what it sorts by, by the names of parameters.

    `after` and `before` are the conditions of the rows after and before a row, by the
    indexes of what is NULL in it. `mark` begins all cursors of the order. What is at
    `floats` is encoded.
    """

    def __init__(
        self,
        mark: str,
        forwards: str,
        backwards: str,
        keys: dict[str, str],
        after: dict[tuple[int, ...], str],
        before: dict[tuple[int, ...], str],
        floats: tuple[int, ...] = (),
    ) -> None:
        self.mark = mark
        self.by = (forwards, backwards)
        self.keys = keys
        self.conditions = (after, before)
        self._floats = floats

    def write(self, row: tuple[Any, ...], *, backwards: bool) -> str:
        """Return the cursor of the page that begins beside a row."""
        return write_cursor(f"{self.mark}{'-' if backwards else '+'}{row[-1]}")

    def read(self, text: str) -> list[str | None] | None:
        """Return the values of a row; None if these are none."""
        try:
            found = decoder.decode(text)
            values = [str(v).lower() if isinstance(v, bool) else v for v in found]
            for index in self._floats:
                if values[index] is not None:
                    bits = bytes.fromhex(values[index])
                    values[index] = repr(struct.unpack(">d", bits)[0])
            # PostgreSQL has no text with a surrogate or with a NUL.
            joined = "".join(value for value in values if value is not None)
            joined.encode()
        except (IndexError, RecursionError, TypeError, ValueError, struct.error):
            return None
        return values if isinstance(found, list) and "\\0" not in joined else None
'''
_NULLS = '''\
def find_nulls(values: list[str | None] | None) -> tuple[int, ...] | None:
    """Return the indexes of the values that are NULL; None without values."""
    if values is None:
        return None
    return tuple(index for index, value in enumerate(values) if value is None)
'''
_PLACE = '''\
class Place(NamedTuple):
    """Where a page begins: beside a row whose values are `values`, or at an end."""

    query: str
    order: PageOrder
    backwards: bool
    values: list[str | None] | None
    size: int

    def cut(
        self, fetched: Iterable[tuple[Any, ...]]
    ) -> tuple[list[tuple[Any, ...]], str | None, str | None]:
        """Return the rows of the page, and the cursors of those after and before it."""
        begun = self.values is not None
        rows = list(fetched)
        more = len(rows) > self.size
        rows = rows[: self.size]
        if not rows and not begun:
            return rows, None, None
        if not rows:
            # The row beside the page may still be there, at the end that it is at.
            return (rows, FIRST, None) if self.backwards else (rows, None, LAST)
        if self.backwards:
            rows.reverse()
        is_after, is_before = (begun, more) if self.backwards else (more, begun)
        write = self.order.write
        try:
            after = write(rows[-1], backwards=False) if is_after else None
            before = write(rows[0], backwards=True) if is_before else None
        except CursorError as error:
            raise CursorError(f"query {self.query}: {error}") from None
        return rows, after, before
'''
_PAGES = '''\
class Pages:
    """The statements of a query's pages, in pieces; `size` is LIMIT's parameter."""

    def __init__(
        self,
        query: str,
        parameters: tuple[str, ...],
        size: str,
        *pieces: str | Clause | Slot | dict[str, PageOrder],
    ) -> None:
        self._query = query
        self._parameters = parameters
        self._size = parameters.index(size)
        self._pieces = pieces
        orders = [piece for piece in pieces if isinstance(piece, dict)]
        self._orders = orders[0]
        self._default = next(iter(self._orders))
        self._statements: dict[tuple[Any, ...], Variants] = {}

    @property
    def sql(self) -> LiteralString:
        """The statement of the first page with all parts, in the default order."""
        return self._statement(self._orders[self._default], 0, None).sql

    def choose(
        self, values: tuple[Any, ...], cursor: str | None, order: str = ""
    ) -> tuple[LiteralString, tuple[Any, ...], Place]:
        """Return the statement of a page, its values, and where the page begins.

        It is one row longer than the page, which shows whether there are more.
        """
        size = values[self._size]
        name = self._parameters[self._size]
        if size < 1:
            raise ValueError(f"query {self._query}: {name} is {size}, but at least 1")
        if size > MAX_SIZE:
            raise ValueError(
                f"query {self._query}: {name} is {size}, but at most {MAX_SIZE}"
            )
        found = self._orders.get(order or self._default)
        if found is None:
            names = ", ".join(self._orders)
            raise ValueError(
                f"query {self._query}: there is no order {order!r}, only {names}"
            )
        sent = list(values)
        sent[self._size] = size + 1
        nulls = None
        if cursor is None or cursor in ENDS:
            place = Place(self._query, found, cursor == LAST, None, size)
        else:
            try:
                place = self._place(cursor, found, size)
            except CursorError as error:
                raise CursorError(f"query {self._query}: {error}") from None
            nulls = find_nulls(place.values)
            sent += [key for key in place.values or () if key is not None]
        chosen = (found.mark, place.backwards, nulls)
        variants = self._statements.get(chosen)
        if variants is None:
            variants = self._statement(found, place.backwards, nulls)
            self._statements[chosen] = variants
        sql, given = variants.choose(tuple(sent))
        return sql, given, place

    def _place(self, cursor: str, order: PageOrder, size: int) -> Place:
        body = read_cursor(cursor)
        mark, sign, text = body[:MARK_SIZE], body[MARK_SIZE:][:1], body[MARK_SIZE + 1 :]
        if mark != order.mark:
            names = [n for n, other in self._orders.items() if other.mark == mark]
            what = f"of the order {names[0]}" if names else "not of this query"
            raise CursorError(f"the cursor is {what}")
        values = order.read(text)
        backwards = sign == "-"
        is_row = values is not None and len(values) == len(order.keys)
        if not is_row or find_nulls(values) not in order.conditions[backwards]:
            raise CursorError("the cursor is damaged")
        return Place(self._query, order, backwards, values, size)

    def _statement(
        self, order: PageOrder, backwards: int, nulls: tuple[int, ...] | None
    ) -> Variants:
        pieces: list[str | Clause] = []
        for piece in self._pieces:
            if isinstance(piece, dict):
                pieces.append(order.by[backwards])
            elif isinstance(piece, Slot):
                keys = ", ".join(order.keys.values())
                pieces.append(f", json_build_array({keys})::text")
            elif isinstance(piece, Where) and nulls is not None:
                pieces.append(piece.narrowed(order.conditions[backwards][nulls]))
            else:
                pieces.append(piece)
        names = () if nulls is None else order.keys
        sent = [name for index, name in enumerate(names) if index not in (nulls or ())]
        return Variants(self._query, (*self._parameters, *sent), *pieces)
'''


def has_pages(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    return any(is_paged(query) for module in package.modules for query in module.queries)


def is_paged(query: ir.Query) -> bool:
    """Return whether a query's function returns pages."""
    return query.variants is not None and query.variants.page is not None


def pages_module(package_name: str) -> str:
    """Return the text of the module. Cursors of a package are of no use to another one, also where both have the same keys."""
    builder = ModuleBuilder(header=header_line(), doc="Pages of rows, and the cursors between them.", taken=())
    builder.module("json")
    builder.module("struct")
    names = {
        "collections.abc": ("Iterable",),
        "base64": ("b64decode", "urlsafe_b64encode"),
        "dataclasses": ("dataclass",),
        "enum": ("Enum",),
        "hashlib": ("sha256",),
        "hmac": ("compare_digest", "digest"),
        "typing": ("Any", "Final", "Generic", "LiteralString", "NamedTuple", "TypeVar"),
        f".{VARIANTS_MODULE}": ("Clause", "Variants"),
    }
    for module, members in names.items():
        for name in members:
            builder.name(module, name)
    builder.add_constant(
        [
            'Row = TypeVar("Row")',
            'FIRST, LAST = "first", "last"',
            "ENDS = {FIRST, LAST}",
            'VERSION = "1"',
            "MARK_SIZE, TAG_SIZE, MIN_KEY = 12, 16, 16",
            "# One more row than the page has is read, and the parameter may be an int4.",
            "MAX_SIZE = 2**31 - 2",
            "# No cursor is longer, in characters.",
            "MAX_CURSOR = 2**20",
            f"PACKAGE = {utf8_literal(f'{package_name}:')}",
            "# Numbers stay as they are written.",
            "decoder = json.JSONDecoder(parse_int=str, parse_float=str)",
            "# The keys of the process: the first one signs.",
            "signing: list[bytes] = []",
        ]
    )
    for text in (_PAGE, _ERROR, _SIGN, _TAG, _WRITE, _READ, _SLOT):
        builder.add_definition(text.splitlines())
    builder.add_constant(["KEYS: Final = Slot.KEYS"])
    for text in (_NULLS, _WHERE, _ORDER, _PLACE, _PAGES):
        builder.add_definition(text.splitlines())
    return builder.text()


def pages_constant(builder: ModuleBuilder, root: str, query: ir.Query, variants: ir.Variants, page: Page, *, comments: bool) -> list[str]:
    """Return the constant of a query with pages; with `comments`, its statements name it."""
    names = {param.number: str(param.name) for param in query.params}
    parameters = Group("(", tuple(string_literal(names[number]) for number in sorted(names)), is_tuple=True)
    count = len(names)
    for index in range(max(len(order.casts) for order in page.orders)):
        names[count + 1 + index] = free_name(f"{CURSOR}_{index + 1}", set(names.values()))
    first, *rest = variants.pieces
    # A statement begins with a word that never leaves.
    whole = (commented(query, first) if comments and isinstance(first, str) else first, *rest)
    pieces = [line for piece in whole for line in _piece(builder, root, piece, names, count)]
    lines = [f"{query.constant}: {builder.name('typing', 'Final')} = {builder.name(f'{root}{PAGES_MODULE}', 'Pages')}("]
    for item in (string_literal(query.name), parameters, string_literal(names[page.size])):
        lines += lay_out(item, 1, suffix=",")
    return exempt_if_too_long([*lines, *pieces, ")"])


def _piece(builder: ModuleBuilder, root: str, piece: PagePiece, names: dict[int, str], count: int) -> list[str]:
    module = f"{root}{PAGES_MODULE}"
    match piece:
        case str():
            return text_lines(piece, names, 1)
        case ClausePiece():
            return clause_lines(builder, f"{root}{VARIANTS_MODULE}", "Clause", piece, names)
        case WherePiece(clause=clause):
            return clause_lines(builder, module, "Where", clause, names)
        case KeysPiece():
            return [f"    {builder.name(module, 'KEYS')},"]
        case SortPiece(orders=orders):
            lines = [line for order in orders for line in _order(builder, module, order, names, count)]
            return ["    {", *lines, "    },"]
        case OrderPiece():
            return []


def _order(builder: ModuleBuilder, module: str, order: PageOrder, names: dict[int, str], count: int) -> list[str]:
    lines = [f"        {string_literal(order.name)}: {builder.name(module, 'PageOrder')}("]
    arguments: list[Node] = [
        string_literal(order.mark),
        Keyword("forwards", Text(template(order.forwards, names))),
        Keyword("backwards", Text(template(order.backwards, names))),
    ]
    for argument in arguments:
        lines += lay_out(argument, 3, suffix=",")
    lines += _mapping("keys", {string_literal(names[count + index]): text for index, text in enumerate(order.keys, start=1)}, names)
    for name, conditions in (("after", order.after), ("before", order.before)):
        lines += _mapping(name, {f"{nulls}": text for nulls, text in conditions}, names)
    if order.floats:
        lines += lay_out(Keyword("floats", f"{order.floats}"), 3, suffix=",")
    return [*lines, "        ),"]


def _mapping(name: str, entries: dict[str, str], names: dict[int, str]) -> list[str]:
    texts = {key: template(text, names) for key, text in entries.items()}
    short = Group("{", tuple(f"{key}: {string_literal(text)}" for key, text in texts.items()), "}")
    if fits(f"{name}={flat(short)},", 3):
        return lay_out(Keyword(name, short), 3, suffix=",")
    lines = [line for key, text in texts.items() for line in lay_out(Text(text), 4, f"{key}: ", ",")]
    return [f"            {name}={{", *lines, "            },"]
