"""Extensions that the embedded server only declares."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from sqlwright.postgres import embedded
from sqlwright.postgres.server import postgres_server
from sqlwright.prove.scratch.database import scratch_database
from sqlwright.prove.scratch.schema import read_schema
from tests.support.servers import ReadyCluster, Servers, fresh_database

_CREATE = 'CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"'
_SIGNATURES = """
SELECT x.extname, p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension x ON x.oid = d.refobjid AND x.extname IN ('pgcrypto', 'uuid-ossp')
ORDER BY 1, 2, 3
"""


def test_the_declarations_have_the_signatures_of_the_extensions_themselves(
    servers: Servers, tmp_path: Path, ready_cluster: ReadyCluster
) -> None:
    with fresh_database(servers, 15, "real") as connection:
        connection.execute(_CREATE)
        real = connection.execute(_SIGNATURES).fetchall()
    (tmp_path / "1.sql").write_text(_CREATE, encoding="utf-8")
    ready_cluster.copy_to(tmp_path)
    with postgres_server(tmp_path, {}) as server:
        with scratch_database(server, read_schema(tmp_path, ("1.sql",))) as connection:
            assert connection.execute(_SIGNATURES).fetchall() == real
            assert connection.execute("SELECT uuid_generate_v4() <> uuid_generate_v4()").fetchone() == (True,)
        # On any other database of the server they would be a lie.
        with psycopg.connect(embedded.url(tmp_path, "postgres")) as development, pytest.raises(psycopg.errors.FeatureNotSupported):
            development.execute(_CREATE)
