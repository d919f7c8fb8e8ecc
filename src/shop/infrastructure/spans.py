"""Spans, as they are read from the file that the processes of the service share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a trace. `parent_id` is None for the first one; `error` is empty unless it failed."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    process: int
    began_at: datetime
    seconds: float
    attributes: Mapping[str, object]
    error: str


def older(path: Path) -> Path:
    """Return the file that a full one becomes."""
    return path.with_name(f"{path.name}.1")


def read_spans(path: Path, trace_ids: Collection[str]) -> list[Span]:
    """Return the spans of traces, in the order in which they began. Raises `OSError`, but not for a file that does not exist."""
    wanted = [trace_id.encode() for trace_id in trace_ids]
    spans: dict[str, Span] = {}
    # The older one first: what becomes it while this reads is found again at the new place or read twice, and never missed.
    for line in (line for each in (older(path), path, older(path)) for line in _lines(each)):
        if any(trace_id in line for trace_id in wanted):
            try:
                span = _Line.model_validate_json(line).span()
            except ValidationError:
                # The disk was full, or the line is being written.
                continue
            if span.trace_id in trace_ids:
                spans[span.span_id] = span
    return sorted(spans.values(), key=lambda span: span.began_at)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


class _Context(BaseModel):
    trace_id: str
    span_id: str


class _Status(BaseModel):
    status_code: str
    description: str = ""


class _Resource(BaseModel):
    attributes: dict[str, object]


class _Line(BaseModel):
    name: str
    context: _Context
    parent_id: str | None
    start_time: datetime
    end_time: datetime
    status: _Status
    attributes: dict[str, object] = Field(default_factory=dict[str, object])
    resource: _Resource

    def span(self) -> Span:
        process = self.resource.attributes.get(PROCESS)
        return Span(
            self.context.trace_id.removeprefix("0x"),
            self.context.span_id.removeprefix("0x"),
            None if self.parent_id is None else self.parent_id.removeprefix("0x"),
            self.name,
            process if isinstance(process, int) else 0,
            self.start_time,
            (self.end_time - self.start_time).total_seconds(),
            self.attributes,
            (self.status.description or "failed") if self.status.status_code == "ERROR" else "",
        )


PROCESS = "process.pid"


def resource() -> dict[str, str | int]:
    """Return the attributes that all spans of this process have."""
    return {"service.name": "shop", PROCESS: os.getpid()}
