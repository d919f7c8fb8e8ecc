"""Who takes part, by the name in the tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

from benchmarks.contenders import (
    AsyncContender,
    SyncContender,
    aiosql_over_psycopg,
    asyncpg_by_hand,
    by_hand,
    generated,
    orm,
    rival_form,
    sqlc_gen_python,
)
from benchmarks.names import AIOSQL, ASYNCPG, BY_HAND, GENERATED, ORM, RIVAL_FORM, SQLC_DATACLASS, SQLC_PYDANTIC
from benchmarks.place import Place

_SYNC = {
    GENERATED: generated.Sync,
    BY_HAND: by_hand.Sync,
    RIVAL_FORM: rival_form.Sync,
    AIOSQL: aiosql_over_psycopg.Sync,
    SQLC_DATACLASS: sqlc_gen_python.Sync,
    SQLC_PYDANTIC: sqlc_gen_python.PydanticSync,
    ORM: orm.Sync,
}
_ASYNC = {
    GENERATED: generated.Async,
    BY_HAND: by_hand.Async,
    RIVAL_FORM: rival_form.Async,
    ASYNCPG: asyncpg_by_hand.Async,
    AIOSQL: aiosql_over_psycopg.Async,
    SQLC_DATACLASS: sqlc_gen_python.Async,
    SQLC_PYDANTIC: sqlc_gen_python.PydanticAsync,
    ORM: orm.Async,
}


@contextmanager
def sync_contenders(place: Place) -> Generator[dict[str, SyncContender]]:
    """Open all that are sync."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(contender.opened(place)) for name, contender in _SYNC.items()}


@asynccontextmanager
async def async_contenders(place: Place) -> AsyncGenerator[dict[str, AsyncContender]]:
    """Open all that are async."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(contender.opened(place)) for name, contender in _ASYNC.items()}
