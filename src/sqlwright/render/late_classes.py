"""The module of a package that makes dataclasses whose methods are compiled when they are first used."""

from __future__ import annotations

from sqlwright import ir
from sqlwright.render.builder import ModuleBuilder
from sqlwright.render.header import header_line

# No query file can have this name: those begin with a letter.
CLASSES_MODULE = "_dataclasses"

_DECORATOR = '''\
if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, slots: bool) -> Callable[[type], type]:
        """Do what `dataclasses.dataclass` does, and most of it later."""
        return make_slots if slots else dataclasses.dataclass
'''
_MAKE_SLOTS = '''\
def make_slots(cls: type) -> type:
    """Return the class with a slot for each field."""
    namespace = dict(vars(cls))
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace |= {name: Late() for name in WRITTEN}
    namespace["__slots__"] = tuple(cls.__annotations__)
    namespace["__qualname__"] = cls.__qualname__
    namespace["__hash__"] = None
    return type(cls.__name__, cls.__bases__, namespace)
'''
_LATE = '''\
class Late:
    """An attribute of a dataclass that is made, with all others, at the first use."""

    __slots__ = ("_name", "_owner")

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        """Return what the attribute is of the finished class."""
        finish(self._owner)
        value: Any = vars(self._owner)[self._name]
        return value.__get__(instance, owner) if callable(value) else value
'''
_FINISH = '''\
def finish(cls: type) -> None:
    """Take from a real dataclass with the same fields what is still missing.

    Threads may do so at the same time: what they take is the same.
    """
    names = ("__annotations__", "__module__", "__qualname__")
    fields = {name: getattr(cls, name) for name in names}
    made: type = dataclasses.dataclass(slots=True)(type(cls.__name__, (), fields))
    for name in WRITTEN:
        setattr(cls, name, vars(made)[name])
'''
_WRITTEN = """\
__all__ = ["dataclass"]

# What `dataclasses.dataclass` adds to a class, in this version of Python.
WRITTEN = (
    vars(dataclasses.dataclass(type("Empty", (), {}))).keys()
    - vars(type("Empty", (), {})).keys()
    - {"__hash__"}
)
"""


def has_dataclasses(package: ir.Package) -> bool:
    """Return whether the package needs the module."""
    rows = [*package.models, *(row for module in package.modules for row in module.row_classes)]
    params = [query.params_class for module in package.modules for query in module.queries if query.params_class and not query.variants]
    return bool(params) or (package.row_style is ir.RowStyle.DATACLASS and bool(rows))


def dataclasses_module() -> str:
    """Return the text of the module."""
    doc = "Dataclasses whose methods are compiled at their first use, since that takes longer than to import a class."
    builder = ModuleBuilder(header=header_line(), doc=doc, taken=())
    builder.module("dataclasses")
    builder.name("collections.abc", "Callable")
    for name in ("TYPE_CHECKING", "Any"):
        builder.name("typing", name)
    builder.add_constant(_WRITTEN.splitlines())
    builder.add_constant(_DECORATOR.splitlines())
    for definition in (_MAKE_SLOTS, _LATE, _FINISH):
        builder.add_definition(definition.splitlines())
    return builder.text()


def dataclass_decorator(builder: ModuleBuilder) -> str:
    """Mention the decorator, in a module at the package's root."""
    return f"@{builder.name(f'.{CLASSES_MODULE}', 'dataclass')}(slots=True)"
