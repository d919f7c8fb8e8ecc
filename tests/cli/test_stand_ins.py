"""What a user sees of extensions that the embedded server only declares, and of queries that only the planner refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import Sqlwright
from tests.support.small_project import declare, write_files

_NOTE = "the embedded PostgreSQL has no pgcrypto: it knows only the signatures of its functions"


GOOD = "-- name: Digest :one\nSELECT digest(name, 'sha256') AS digest FROM users WHERE id = @id;\n"
BAD = "\n-- name: Put :exec\nINSERT INTO users (id, name) VALUES (@id, @name)\nON CONFLICT (name) DO NOTHING;\n"
_CRYPTO = {"migrations/2_crypto.sql": "CREATE EXTENSION pgcrypto;"}
REFUSED = declare({**_CRYPTO, "queries/users.sql": GOOD + BAD})
ACCEPTED = declare({**_CRYPTO, "queries/users.sql": GOOD})


@pytest.mark.usefixtures("started_before")
def test_stand_ins_are_pointed_out_and_planned_queries_refused_at_their_place(project: Path, embedded_sqlwright: Sqlwright) -> None:
    write_files(project, REFUSED)
    refused = embedded_sqlwright("generate")
    assert refused.code == 1
    assert "PostgreSQL refuses query Put: there is no unique or exclusion constraint matching" in refused.err
    assert "  --> queries/users.sql:6:1\n" in refused.err

    write_files(project, ACCEPTED)
    generated = embedded_sqlwright("generate")
    assert generated.code == 0
    assert f"warning: {_NOTE}\n  --> queries/users.sql:1:10\n" in generated.err
    # What is on record says so too, unless another server would prove.
    assert f"  note: {_NOTE}\n" in embedded_sqlwright("why", "Digest").out
    assert "note:" not in embedded_sqlwright("why", "Digest", SQLWRIGHT_DATABASE_URL="postgres://elsewhere/db").out
