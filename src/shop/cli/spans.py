"""Spans as trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from shop.bootstrap.observability import Span

# What a span shows of its attributes.
_SHOWN = ("db.operation.name", "db.collection.name", "http.response.status_code", "shop.event_type", "shop.outcome", "shop.verdict")


def span_tree(spans: Sequence[Span]) -> Tree:
    """Return the spans, in the order in which they began, as a tree.

    Each has its duration and when it began after the first one of its trace, and its process where that is another one than its parent's.
    """
    root = Tree("spans", hide_root=True)
    trees: dict[str, Tree] = {}
    by_id = {span.span_id: span for span in spans}
    began = {span.trace_id: span.began_at for span in reversed(spans)}
    for span in spans:
        line = Text(span.name)
        values = [str(span.attributes[name]) for name in _SHOWN if name in span.attributes]
        shown = " ".join(value for value in values if value not in span.name)
        line.append(f"  {shown}" if shown else "", style="dim")
        line.append(f"  {span.seconds * 1000:.1f} ms", style="cyan")
        parent = None if span.parent_id is None else by_id.get(span.parent_id)
        if parent is None:
            line.append(f"  {span.began_at:%Y-%m-%d %H:%M:%S} trace {span.trace_id}", style="dim")
        else:
            line.append(f"  +{(span.began_at - began[span.trace_id]).total_seconds() * 1000:.1f} ms", style="dim")
        if parent is None or parent.process != span.process:
            line.append(f"  process {span.process}", style="dim")
        line.append(f"  {span.error}" if span.error else "", style="red")
        # The parent of a request may be a span of its client.
        above = root if parent is None else trees.get(parent.span_id, root)
        trees[span.span_id] = above.add(line)
    return root
