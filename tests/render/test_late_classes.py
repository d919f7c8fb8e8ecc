"""The generated package's own `dataclass` makes what the standard library's makes, at the first use instead of the import."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
import threading
import typing
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

import pydantic
import pytest

from sqlwright.render.late_classes import dataclasses_module

# A module with a class, as packages have them.
SOURCE = '''
import datetime

@dataclass(slots=True)
class Item:
    """A row of `items`."""

    id: int
    """The key."""
    name: str | None
    added: datetime.date

    @classmethod
    def from_row(cls, row):
        return cls(*row)

@dataclass(slots=True)
class Nothing:
    """A row without columns."""
'''


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[str], Any]]:
    """Import a module of classes made by one of the decorators, under the same name."""
    late = ModuleType("late")
    exec(dataclasses_module(), vars(late))  # noqa: S102 - our own text
    decorators: dict[str, Any] = {"late": vars(late)["dataclass"], "real": dataclasses.dataclass}

    def make(which: str) -> Any:
        module = ModuleType("items")
        monkeypatch.setitem(sys.modules, "items", module)
        vars(module)["dataclass"] = decorators[which]
        exec(SOURCE, vars(module))  # noqa: S102 - our own text
        return module

    yield make
    sys.modules.pop("items", None)


def _match(items: Any) -> object:
    match items.Item(1, "a", 2):
        case items.Item(1, "a", 2):
            return True
        case _:
            return False


def _attempt(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - compared
        return type(error), str(error)


def _subclass(items: Any) -> object:
    @dataclasses.dataclass
    class More(items.Item):  # type: ignore[misc]
        more: int = 3

    return [field.name for field in dataclasses.fields(More)], More(1, None, 2) == More(1, None, 2), More.from_row((1, "a", 2)).more


def _without_init(items: Any) -> object:
    item = items.Item.__new__(items.Item)
    item.id, item.name, item.added = 1, "a", 2
    return repr(item), item.__eq__(item)


USES: dict[str, Callable[[Any], object]] = {
    "repr": lambda items: repr(items.Item(1, "a", 2)),
    "eq": lambda items: (items.Item(1, "a", 2) == items.Item(1, "a", 2), items.Item(1, "a", 2) == items.Item(1, "b", 2)),
    "eq of another": lambda items: (items.Item(1, "a", 2) == 1, items.Nothing() == items.Nothing(), repr(items.Nothing())),
    "hash": lambda items: _attempt(lambda: hash(items.Item(1, "a", 2))),
    "is_dataclass": lambda items: (dataclasses.is_dataclass(items.Item), dataclasses.is_dataclass(items.Nothing)),
    "fields": lambda items: [(field.name, field.type, field.default) for field in dataclasses.fields(items.Item)],
    "params": lambda items: repr(items.Item.__dataclass_params__),
    "asdict": lambda items: dataclasses.asdict(items.Item(1, "a", 2)),
    "astuple": lambda items: dataclasses.astuple(items.Item(1, "a", 2)),
    "replace": lambda items: repr(dataclasses.replace(items.Item(1, "a", 2), name="b")),
    "match": _match,
    "match_args": lambda items: items.Item.__match_args__,
    "slots": lambda items: (items.Item.__slots__, _attempt(lambda: setattr(items.Item(1, "a", 2), "other", 1))),
    "set": lambda items: _attempt(lambda: setattr(items.Item(1, "a", 2), "name", 1)),
    "signature": lambda items: (str(inspect.signature(items.Item)), str(inspect.signature(items.Item.__init__))),
    "doc": lambda items: (items.Item.__doc__, items.Item.__qualname__, items.Item.__module__),
    "annotations": lambda items: (items.Item.__annotations__, typing.get_type_hints(items.Item)),
    "too few": lambda items: _attempt(lambda: items.Item(1)),
    "unknown": lambda items: _attempt(lambda: items.Item(id=1, nome="a", added=2)),
    "classmethod": lambda items: repr(items.Item.from_row((1, "a", 2))),
    "pickle": lambda items: repr(pickle.loads(pickle.dumps(items.Item(1, "a", 2)))),  # noqa: S301 - ours
    "made without __init__": _without_init,
    "copy": lambda items: repr(copy.copy(items.Item(1, "a", 2))),
    "subclass": _subclass,
    "pydantic": lambda items: repr(pydantic.TypeAdapter(items.Item).validate_python({"id": "1", "name": None, "added": "2026-01-02"})),
    "json schema": lambda items: pydantic.TypeAdapter(items.Item).json_schema(),
    "members": lambda items: [name for name, _ in inspect.getmembers(items.Item)],
}


@pytest.mark.parametrize("use", USES)
def test_a_class_is_a_dataclass_from_its_first_use(made: Callable[[str], Any], use: str) -> None:
    # pickle finds classes by the name of their module: one module after the other.
    assert USES[use](made("late")) == USES[use](made("real"))


def test_nothing_is_compiled_before_the_first_use(made: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[str] = []
    real: Any = dataclasses.dataclass

    def counted(*, slots: bool) -> Any:
        finished.append("class")
        return real(slots=slots)

    monkeypatch.setattr(dataclasses, "dataclass", counted)
    items = made("late")
    assert finished == []
    items.Item(1, "a", 2)
    items.Item(2, "b", 3)
    assert finished == ["class"]


def test_threads_may_use_a_class_first_at_the_same_time(made: Callable[[str], Any]) -> None:
    for _ in range(20):
        items = made("late")
        barrier, wrong = threading.Barrier(4), list[Exception]()

        def use(items: Any = items, barrier: threading.Barrier = barrier, wrong: list[Exception] = wrong) -> None:
            barrier.wait()
            try:
                assert items.Item(1, "a", 2) == items.Item(1, "a", 2)
            except Exception as error:  # noqa: BLE001 - reported by the test
                wrong.append(error)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
