"""The checks of a package before it is rendered: name collisions, options without effect, claims against the proofs."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.check.claims import check_claims
from sqlwright.check.needless import check_needless_nulls
from sqlwright.check.options import check_options
from sqlwright.check.package import check_package
from sqlwright.check.standins import check_stand_ins
from sqlwright.diagnostics import Diagnostic
from sqlwright.ir.proofs import Proofs
from sqlwright.options import Options


def check(
    unproven: ir.UnprovenPackage,
    proofs: Proofs,
    package: ir.Package,
    options: Options,
    *,
    config_name: str,
    embedded: bool,
    complete: bool,
) -> list[Diagnostic]:
    """Return every error and warning.

    `embedded` says that the embedded server, which only declares some extensions, proved the queries; `complete` that no query was left
    out for its errors.
    """
    return [
        *(check_stand_ins(unproven, proofs) if embedded else ()),
        *check_claims(unproven, proofs, strict_one=options.strict_one),
        *check_needless_nulls(unproven, proofs),
        *check_options(unproven, proofs, options, config_name=config_name, complete=complete),
        *check_package(package),
    ]
