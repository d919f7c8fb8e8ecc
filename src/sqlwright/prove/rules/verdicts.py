"""Verdicts: whether a value may be NULL, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Nullability:
    """Whether a value may be NULL, and whether an array may hold NULL.

    `null_extended`: the row that the value is of may be absent as a whole, null-extended by an outer join or as OLD or NEW. A value that is
    NULL only then makes its column a `presence_column`: it shows whether the row is there.
    """

    nullable: bool
    element_nullable: bool
    null_extended: bool = False
    presence_column: bool = False


@dataclass(frozen=True, slots=True)
class NullProof:
    """A nullability, and why, in a sentence."""

    nullability: Nullability
    reason: str

    @property
    def nullable(self) -> bool:
        """Whether the value may be NULL."""
        return self.nullability.nullable

    @property
    def element_nullable(self) -> bool:
        """Whether an array may hold NULL."""
        return self.nullability.element_nullable


@dataclass(frozen=True, slots=True)
class ParamProof(NullProof):
    """Whether a parameter may be None. `refused_by` is the column or domain that refuses the NULL that `sqlc.narg` allows."""

    refused_by: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict(NullProof):
    """The nullability of an expression. `location` is a byte offset into the statement, if there is a place to point at.

    `join_condition` is where the condition stands of the join that null-extends the value.
    """

    location: int | None = None
    join_condition: int | None = None

    def with_elements(self, *, nullable: bool) -> Self:
        """Return the same verdict on the value, and another one on its elements."""
        return replace(self, nullability=replace(self.nullability, element_nullable=nullable))

    def without_row(self) -> Self:
        """Return the verdict on a value that is no longer a column of the row that may be absent."""
        return replace(self, nullability=Nullability(nullable=self.nullable, element_nullable=self.element_nullable))


def may_be_null(
    reason: str, place: int | None = None, *, element_nullable: bool = True, null_extended: bool = False, presence_column: bool = False
) -> Verdict:
    """Return the verdict that nothing is proven, and why not."""
    nullability = Nullability(
        nullable=True, element_nullable=element_nullable, null_extended=null_extended, presence_column=presence_column
    )
    return Verdict(nullability, reason, place)


def never_null(reason: str, place: int | None = None, *, element_nullable: bool = True) -> Verdict:
    """Return the verdict that the value is never NULL, and why."""
    return Verdict(Nullability(nullable=False, element_nullable=element_nullable), reason, place)


def first_nullable(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the first verdict that its value may be NULL, if there is one."""
    return next((verdict for verdict in verdicts if verdict.nullable), None)


def either(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on a value that is one of several."""
    chosen = first_nullable(verdicts) or verdicts[0]
    elements = any(verdict.element_nullable for verdict in verdicts)
    return Verdict(Nullability(nullable=chosen.nullable, element_nullable=elements), chosen.reason, chosen.location)


def both(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on a value that all of several agree on."""
    chosen = next((verdict for verdict in verdicts if not verdict.nullable), verdicts[0])
    elements = all(verdict.element_nullable for verdict in verdicts)
    return Verdict(Nullability(nullable=chosen.nullable, element_nullable=elements), chosen.reason, chosen.location)
