"""What a user sees of extensions that the embedded server only declares, and of queries that only the planner refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Sqlwright

_NOTE = "the embedded PostgreSQL has no pgcrypto: it knows its functions by their signatures alone"


@pytest.mark.usefixtures("started_before")
def test_stand_ins_are_pointed_out_and_planned_queries_refused_at_their_place(project: Path, embedded_sqlwright: Sqlwright) -> None:
    (project / "migrations/2_crypto.sql").write_text("CREATE EXTENSION pgcrypto;", encoding="utf-8")
    queries = project / "queries/users.sql"
    good = "-- name: Digest :one\nSELECT digest(name, 'sha256') AS digest FROM users WHERE id = @id;\n"
    bad = "\n-- name: Put :exec\nINSERT INTO users (id, name) VALUES (@id, @name)\nON CONFLICT (name) DO NOTHING;\n"

    queries.write_text(good + bad, encoding="utf-8")
    refused = embedded_sqlwright("generate")
    assert refused.code == 1
    assert "PostgreSQL refuses query Put: there is no unique or exclusion constraint matching" in refused.err
    assert "  --> queries/users.sql:6:1\n" in refused.err

    queries.write_text(good, encoding="utf-8")
    generated = embedded_sqlwright("generate")
    assert generated.code == 0
    assert f"warning: {_NOTE}\n  --> queries/users.sql:1:10\n" in generated.err
    # What is on record says so too, unless another server would prove.
    assert f"  note: {_NOTE}\n" in embedded_sqlwright("why", "Digest").out
    assert "note:" not in embedded_sqlwright("why", "Digest", SQLWRIGHT_DATABASE_URL="postgres://elsewhere/db").out
