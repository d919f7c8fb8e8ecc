"""The warning that a query was proven where an extension is only declared."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.diagnostics import Code, Diagnostic, Severity
from sqlwright.ir.proofs import Proofs
from sqlwright.postgres import standins
from sqlwright.postgres.server import URL_VARIABLE


def check_stand_ins(package: ir.UnprovenPackage, proofs: Proofs) -> list[Diagnostic]:
    """Warn about extensions that the embedded server only declares, at the first query that calls each."""
    first: dict[str, Diagnostic] = {}
    for module in package.modules:
        for query in module.queries:
            for extension in proofs.queries[module.source_file, query.name].stand_ins:
                warning = Diagnostic(
                    Code.DECLARED_EXTENSION,
                    standins.explain(extension),
                    query.source.header_place(),
                    severity=Severity.WARNING,
                    help=f"types and nullability depend on nothing else; to prove against a server that has it, set {URL_VARIABLE}.",
                )
                first.setdefault(extension, warning)
    return list(first.values())
