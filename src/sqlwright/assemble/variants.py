"""From where the variants of a statement differ to the pieces that they are made of."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.ir.proofs import ProvenVariants
from sqlwright.sql.pages import page_pieces
from sqlwright.sql.variants import pieces


def variants_of(sql: str, found: ProvenVariants) -> ir.Variants:
    """Return the variants of a statement, in pieces."""
    unchanged, page = found.unchanged, found.page
    selecting = ir.Selecting(pieces(unchanged.sql, unchanged.cut), unchanged.params) if unchanged else None
    whole = pieces(sql, found.cut) if page is None else page_pieces(sql, found.cut, page)
    return ir.Variants(whole, found.cut.optional, found.orders, selecting, page)
