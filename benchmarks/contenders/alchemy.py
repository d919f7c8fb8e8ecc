"""How the contenders over SQLAlchemy connect: by psycopg, in autocommit, with a pool of the same size as the others'."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.contenders.pools import SIZE


def sync_engine(url: str) -> Engine:
    """An engine over sync psycopg."""
    return create_engine(_dialect_url(url), isolation_level="AUTOCOMMIT")


def async_engine(url: str) -> AsyncEngine:
    """An engine over async psycopg."""
    return create_async_engine(_dialect_url(url), isolation_level="AUTOCOMMIT", pool_size=SIZE, max_overflow=0)


def in_transactions(engine: AsyncEngine) -> AsyncEngine:
    """The same engine with connections on which statements begin a transaction."""
    return engine.execution_options(isolation_level="READ COMMITTED")


def _dialect_url(url: str) -> str:
    return url.replace("postgres://", "postgresql+psycopg://", 1)
