"""From the proven package to the source files of a Python package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from sqlwright import ir
from sqlwright.options import Calls, Clients, Tracing
from sqlwright.render.adapters import adapters_module, needs_adapters
from sqlwright.render.builder import ModuleBuilder, member_order
from sqlwright.render.colour import ASYNC, SYNC
from sqlwright.render.constraints import constraints_module
from sqlwright.render.direct.module import DIRECT_MODULE, direct_module, makes_direct_calls
from sqlwright.render.enums import enums_module
from sqlwright.render.error_notes import ROWS_MODULE, rows_module, takes_rows
from sqlwright.render.execution import EXECUTION_MODULE, execution_module, waits_for_results
from sqlwright.render.header import header_line
from sqlwright.render.late_classes import CLASSES_MODULE, dataclasses_module, has_dataclasses
from sqlwright.render.layout import Group, lay_out
from sqlwright.render.literals import string_literal
from sqlwright.render.pages import EXPORTED, PAGES_MODULE, has_pages, pages_module
from sqlwright.render.pgvalues import holds_json, result_types
from sqlwright.render.promises import PROOF_BROKEN, PROOFS_MODULE, makes_promises, proofs_module
from sqlwright.render.queriers import QuerierClass, Queriers
from sqlwright.render.queries import query_module
from sqlwright.render.registration import REGISTER, aio_package, registration_module
from sqlwright.render.registry import registry_module
from sqlwright.render.rows import models_module
from sqlwright.render.streaming import STREAMS_MODULE, has_streams, streams_module
from sqlwright.render.tracing.module import TRACING_MODULE, tracing_module
from sqlwright.render.variants import UNSET, UNSET_TYPE, VARIANTS_MODULE, has_variants, variants_module

_NO_QUERIERS = Queriers()


def render(
    package: ir.Package,
    *,
    package_name: str,
    clients: Clients,
    queriers: Queriers = _NO_QUERIERS,
    registry: bool = False,
    calls: Calls = Calls.CURSOR,
    tracing: Tracing = Tracing.NONE,
    comments: bool = False,
) -> tuple[ir.SourceFile, ...]:
    """Return the files of the generated package, sorted by path; `package_name` is the name that it is imported by.

    Each of `queriers` needs functions of its colour among the `clients`. `registry`: the package has its registry module.
    """
    files = _files(package, package_name, clients, queriers, registry=registry, calls=calls, tracing=tracing, comments=comments)
    return tuple(sorted(files, key=lambda file: file.path))


def _files(
    package: ir.Package,
    package_name: str,
    clients: Clients,
    queriers: Queriers,
    *,
    registry: bool,
    calls: Calls,
    tracing: Tracing,
    comments: bool,
) -> Iterator[ir.SourceFile]:
    modules = [module for module in package.modules if module.queries]
    colour = ASYNC if clients is Clients.ASYNC else SYNC
    aio = clients is Clients.BOTH
    needs_register = bool(package.registrations)

    exported = [(f".{PROOFS_MODULE}", PROOF_BROKEN)] * makes_promises(package) + [(".registration", REGISTER)] * needs_register

    exported += [(f".{VARIANTS_MODULE}", name) for name in (UNSET, UNSET_TYPE)] * has_variants(package)
    exported += [(f".{PAGES_MODULE}", name) for name in EXPORTED] * has_pages(package)

    yield ir.SourceFile("__init__.py", _root(exported))
    yield ir.SourceFile("py.typed", "")
    yield from _schema_files(package)
    if needs_adapters(package):
        yield ir.SourceFile("adapters.py", adapters_module(package, package_name=package_name, aio=aio))
    if needs_register:
        yield ir.SourceFile("registration.py", registration_module(package, colour=colour))
    yield from _private_files(package, package_name, clients)
    direct = calls is Calls.DIRECT and makes_direct_calls(package)
    if direct:
        yield ir.SourceFile(f"{DIRECT_MODULE}.py", direct_module(package, clients))
    traced = tracing is Tracing.OPENTELEMETRY and bool(modules)
    if traced:
        yield ir.SourceFile(f"{TRACING_MODULE}.py", tracing_module(package, package_name, clients))
    if registry:
        yield ir.SourceFile("registry.py", registry_module(modules))
    classes = [QuerierClass(SYNC)] * queriers.sync + [QuerierClass(ASYNC, ".aio" if aio else "")] * queriers.asynchronous
    write = partial(query_module, package, direct=direct, traced=traced, comments=comments)
    for module in modules:
        yield ir.SourceFile(f"{module.name}.py", write(module, colour, queriers=tuple(classes)))
    if aio:
        yield ir.SourceFile("aio/__init__.py", aio_package(register=needs_register))
        for module in modules:
            yield ir.SourceFile(f"aio/{module.name}.py", write(module, ASYNC, definitions=f"..{module.name}"))


def _private_files(package: ir.Package, package_name: str, clients: Clients) -> Iterator[ir.SourceFile]:
    """The modules that only the generated functions use."""
    if makes_promises(package):
        yield ir.SourceFile(f"{PROOFS_MODULE}.py", proofs_module(package))
    if waits_for_results(package):
        yield ir.SourceFile(f"{EXECUTION_MODULE}.py", execution_module(clients))
    if has_dataclasses(package):
        yield ir.SourceFile(f"{CLASSES_MODULE}.py", dataclasses_module())
    if takes_rows(package):
        yield ir.SourceFile(f"{ROWS_MODULE}.py", rows_module(package, clients))
    if has_variants(package):
        yield ir.SourceFile(f"{VARIANTS_MODULE}.py", variants_module())
    if has_pages(package):
        yield ir.SourceFile(f"{PAGES_MODULE}.py", pages_module(package_name))
    if has_streams(package):
        yield ir.SourceFile(f"{STREAMS_MODULE}.py", streams_module())


def _schema_files(package: ir.Package) -> Iterator[ir.SourceFile]:
    """The modules of classes that stand for things of the schema."""
    queries = [query for module in package.modules for query in module.queries]
    types = [column.type for model in package.models for column in ir.columns_in(model.fields)]
    types += [found for query in queries for found in (*result_types(query), *(param.type for param in query.params))]
    with_json = any(holds_json(found) for found in types)
    if package.models or package.new_types or with_json:
        yield ir.SourceFile("models.py", models_module(package, with_json=with_json))
    if package.enums:
        yield ir.SourceFile("enums.py", enums_module(package))
    if package.constraints:
        yield ir.SourceFile("constraints.py", constraints_module(package.constraints))


def _root(exported: Iterable[tuple[str, str]]) -> str:
    builder = ModuleBuilder(header=header_line(), doc="Typed functions for SQL queries, one module for each query file.", taken=())
    names = sorted((builder.name(module, name) for module, name in exported), key=member_order)
    if names:
        builder.add_constant(lay_out(Group("[", tuple(map(string_literal, names)), "]"), 0, "__all__ = "))
    return builder.text()
