"""What sqlwright generates for `project/` with `tracing: opentelemetry`, called within a request that is not sampled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from benchmarks.contenders import generated
from benchmarks.place import Place


class Sync(generated.Sync):
    """The functions at the package's root."""

    package = "bench_traced_db"

    @classmethod
    @contextmanager
    def opened(cls, place: Place) -> Generator[Self]:
        """Connect, in a request."""
        with _request(), super().opened(place) as found:
            yield found


class Async(generated.Async):
    """The functions of the package's `aio`."""

    package = "bench_traced_db"

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Place) -> AsyncGenerator[Self]:
        """Connect, and open a pool, in a request."""
        async with super().opened(place) as found:
            with _request():
                yield found


class DirectSync(Sync):
    """The same functions, with `calls: direct`."""

    package = "bench_traced_direct_db"


class DirectAsync(Async):
    """The same functions, with `calls: direct`."""

    package = "bench_traced_direct_db"


@contextmanager
def _request() -> Generator[None]:
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    token = context.attach(trace.set_span_in_context(provider.get_tracer("benchmarks").start_span("request")))
    try:
        yield
    finally:
        context.detach(token)
