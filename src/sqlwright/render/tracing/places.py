"""Where a connection leads, as the module of a package tells it to spans and durations."""

from __future__ import annotations

from typing import Final

PLACE: Final = '''\
class Place:
    """A database and schema, and the attributes of the queries called there."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes: Attributes = {"db.system.name": "postgresql", **attributes}
        self.known: dict[Query, tuple[Attributes, Attributes]] = {}

    def describe(self, query: Query) -> tuple[Attributes, Attributes]:
        """Make the attributes of a query's spans, and those of its durations."""
        names = {**self._attributes, **query.names}
        self.known[query] = {**names, "db.query.text": query.text}, names
        return self.known[query]
'''
FIND_PLACE: Final = '''\
def find_place(conn: Any) -> Place:
    """Return where a connection leads; for a closed one, as far as that is known."""
    if conn is None:
        return NOWHERE
    known = places.get(ref(conn))
    try:
        # PostgreSQL 18 and later report it whenever it changes.
        search_path = conn.pgconn.parameter_status(b"search_path")
        if known is None or known[0] != search_path:
            known = search_path, read_place(conn, search_path)
            places[ref(conn, places.pop)] = known
    except OperationalError:
        pass
    return NOWHERE if known is None else known[1]
'''
READ_PLACE: Final = '''\
def read_place(conn: BaseConnection[Any], search_path: bytes | None) -> Place:
    """Read where a connection leads, and its schema as reported or as connected."""
    info = conn.info
    path = "" if search_path is None else search_path.decode(errors="replace")
    if search_path is None and (found := SEARCH_PATH.search(info.options)):
        path = re.sub(r"\\\\(.)", r"\\1", found[1])
    return get_place(info.host, info.port, info.dbname, get_schema(path))
'''
GET_SCHEMA: Final = '''\
def get_schema(path: str) -> str:
    """Return the first schema of a search path that is not the one of the user."""
    for quoted, plain in SCHEMA.findall(path):
        name: str = quoted.replace('""', '"') or plain
        if name and name != "$user":
            return name
    return ""
'''
GET_PLACE: Final = '''\
@lru_cache(maxsize=256)
def get_place(host: str, port: int, database: str, schema: str) -> Place:
    """Return a place, the same for all connections that lead there."""
    namespace = f"{database}|{schema}" if schema else database
    if host.startswith(("/", "@")):
        return Place(
            {
                "db.namespace": namespace,
                "server.address": f"{host}/.s.PGSQL.{port}",
            }
        )
    attributes: Attributes = {"db.namespace": namespace, "server.address": host}
    if port != DEFAULT_PORT:
        attributes["server.port"] = port
    return Place(attributes)
'''
