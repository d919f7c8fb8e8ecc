"""All contenders, by their names in the tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

from benchmarks.contenders import (
    AsyncContender,
    SyncContender,
    aiosql_over_psycopg,
    asyncpg_by_hand,
    by_hand,
    core,
    generated,
    orm,
    psqlpy_by_hand,
    rival_form,
    sqlc_gen_python,
    traced,
)
from benchmarks.names import (
    AIOSQL,
    ASYNCPG,
    BY_HAND,
    CORE,
    DIRECT,
    GENERATED,
    ORM,
    PSQLPY,
    RIVAL_FORM,
    SQLC_DATACLASS,
    SQLC_PYDANTIC,
    TRACED,
    TRACED_DIRECT,
)
from benchmarks.place import Place

_SYNC: dict[str, Callable[[Place], AbstractContextManager[SyncContender]]] = {
    GENERATED: generated.Sync.opened,
    DIRECT: generated.DirectSync.opened,
    TRACED: traced.Sync.opened,
    TRACED_DIRECT: traced.DirectSync.opened,
    BY_HAND: by_hand.Sync.opened,
    RIVAL_FORM: rival_form.Sync.opened,
    AIOSQL: aiosql_over_psycopg.Sync.opened,
    SQLC_DATACLASS: sqlc_gen_python.Sync.opened,
    SQLC_PYDANTIC: sqlc_gen_python.PydanticSync.opened,
    CORE: core.Sync.opened,
    ORM: orm.Sync.opened,
}
_ASYNC: dict[str, Callable[[Place], AbstractAsyncContextManager[AsyncContender]]] = {
    GENERATED: generated.Async.opened,
    DIRECT: generated.DirectAsync.opened,
    TRACED: traced.Async.opened,
    TRACED_DIRECT: traced.DirectAsync.opened,
    BY_HAND: by_hand.Async.opened,
    RIVAL_FORM: rival_form.Async.opened,
    ASYNCPG: asyncpg_by_hand.Async.opened,
    PSQLPY: psqlpy_by_hand.Async.opened,
    AIOSQL: aiosql_over_psycopg.Async.opened,
    SQLC_DATACLASS: sqlc_gen_python.Async.opened,
    SQLC_PYDANTIC: sqlc_gen_python.PydanticAsync.opened,
    CORE: core.Async.opened,
    ORM: orm.Async.opened,
}


@contextmanager
def sync_contenders(place: Place) -> Generator[dict[str, SyncContender]]:
    """Open all that are sync."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened(place)) for name, opened in _SYNC.items()}


@asynccontextmanager
async def async_contenders(place: Place, *only: str) -> AsyncGenerator[dict[str, AsyncContender]]:
    """Open all that are async, or those named."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(_ASYNC[name](place)) for name in only or _ASYNC}
