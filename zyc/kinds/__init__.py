"""The kinds of nodes: one module each, found by their names and held to the contract when they are first needed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from zyc.kind import Kind, Measure, Spec
from zyc.types import Artifact

AnyKind = Kind[Any]


class BrokenKind(TypeError):
    """A module in `zyc/kinds/` does not keep the contract: a bug of ours, told with a traceback."""


def section_of(stem: str) -> str:
    """The section word of a kind: `quant` -> `quants`, `index` -> `indexes`."""
    return f"{stem}es" if stem.endswith(("x", "s", "ch")) else f"{stem}s"


@cache
def stems() -> tuple[str, ...]:
    """The names of all kinds, without importing any."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def load(stem: str) -> AnyKind:
    """The kind of that name, held to the contract."""
    module = importlib.import_module(f"{__name__}.{stem}")
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Kind) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise BrokenKind(f"{module.__name__} has {len(found)} kinds; a kind is one module")
    kind: AnyKind = found[0]()
    for flaw in _flaws(kind, stem):
        raise BrokenKind(f"{module.__name__}: {flaw}")
    return kind


@cache
def label(stem: str, path: str) -> str:
    """What the manifest of a node calls the input of a field."""
    return f"in/{load(stem).place(path)}"


def _flaws(kind: AnyKind, stem: str) -> Iterator[str]:
    if getattr(kind, "name", "") != stem:
        yield f"its name must be `{stem}`"
    if kind.section not in (None, section_of(stem)):
        yield f"its section must be `{section_of(stem)}`"
    if not issubclass(kind.Spec, Spec):
        yield "its Spec must be a zyc.kind.Spec"
    if not kind.__doc__:
        yield "it needs a docstring: it becomes its page in the docs"
    for name, told in kind.Spec.model_fields.items():
        if not told.description:
            yield f"the field `{name}` has no docstring"
    yield from (f"`{name}` is sought, but is no field" for name in kind.seeks if name not in kind.Spec.model_fields)
    yield from _flaws_of_coercion(kind)


def _flaws_of_coercion(kind: AnyKind) -> Iterator[str]:
    if kind.coerces and not kind.suffix:
        yield "a coercion needs a suffix, such as `fused`"
    if kind.coerces and list(kind.Spec.model_fields) and "source" not in kind.Spec.model_fields:
        yield "a coercion takes its input in the field `source`"
    for name in kind.follows:
        if not kind.coerces or name not in kind.Spec.model_fields:
            yield f"`{name}` follows its source, but is no field of a coercion"


def every() -> tuple[AnyKind, ...]:
    """All kinds, by name."""
    return tuple(load(stem) for stem in stems())


@cache
def section_stem(section: str) -> str | None:
    """The name of the kind that a section word would have, without importing it."""
    return next((each for each in stems() if section_of(each) == section), None)


def of_section(section: str) -> AnyKind | None:
    """The kind that a section word names."""
    stem = section_stem(section)
    kind = load(stem) if stem else None
    return kind if kind is not None and kind.section == section else None


@cache
def coercions() -> dict[type[Artifact], tuple[AnyKind, ...]]:
    """The kinds that turn one type into another, by what they take; at most one path between two types."""
    table: dict[type[Artifact], tuple[AnyKind, ...]] = {}
    for kind in every():
        if kind.coerces:
            table[kind.coerces[0]] = (*table.get(kind.coerces[0], ()), kind)
    for start in table:
        seen: set[type[Artifact]] = set()
        front = [start]
        while front:
            for kind in table.get(front.pop(), ()):
                target = cast("tuple[type[Artifact], type[Artifact]]", kind.coerces)[1]
                if target in seen or target is start:
                    raise BrokenKind(f"more than one way from {start.__name__} to {target.__name__}")
                seen.add(target)
                front.append(target)
    return table


def behind(given: type[Artifact]) -> tuple[AnyKind, ...]:
    """The kinds that the compiler may put behind a node that gives a type, the nearest first."""
    found: list[AnyKind] = []
    front = [given]
    for here in front:
        for kind in (each for base in here.__mro__ for each in coercions().get(base, ()) if each not in found):
            found.append(kind)
            front.append(cast("tuple[type[Artifact], type[Artifact]]", kind.coerces)[1])
    return tuple(found)


def proves(kind: AnyKind) -> Mapping[str, Measure]:
    """What the proof of a kind measures."""
    return load(kind.proof).measures if kind.proof else {}


def path_between(given: type[Artifact], wanted: type[Artifact]) -> tuple[AnyKind, ...] | None:
    """The coercions that lead from one type to the other; empty when none is needed, None when there is no way."""
    if issubclass(given, wanted):
        return ()
    front: list[tuple[type[Artifact], tuple[AnyKind, ...]]] = [(given, ())]
    while front:
        here, path = front.pop(0)
        for kind in (each for base in here.__mro__ for each in coercions().get(base, ())):
            target = cast("tuple[type[Artifact], type[Artifact]]", kind.coerces)[1]
            if issubclass(target, wanted):
                return (*path, kind)
            front.append((target, (*path, kind)))
    return None


@cache
def templates_of(stem: str) -> tuple[Path, ...]:
    """The folders that hold the built-in templates beside the package that the kind comes from."""
    home = Path(cast("str", importlib.import_module(f"{__name__}.{stem}").__file__)).parent
    return tuple(
        root
        for root in (home.parent / "templates", home.parent.parent / "templates")
        if (root / stem).is_dir() or (root / "lib").is_dir()
    )[:1]
