"""What the declarations of a project come to, before names are resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from zyc.compile.expand import Places, Row
from zyc.compile.outline import Source, key_of
from zyc.compile.validate import AnyKind, place_of
from zyc.errors import Problem, Span
from zyc.graph import Header, Search, Shape
from zyc.kind import Spec
from zyc.source import Map, Value


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem and whose it is: a broken file outside what was asked for is only a warning."""

    problem: Problem
    file: str = ""
    node: str = ""


class Member(NamedTuple):
    """One node of a declaration: with a matrix, one of several."""

    row: Row
    shape: Shape
    load: Callable[[], Spec]
    digest: str = ""
    values: Mapping[str, str] = MappingProxyType({})
    unread: tuple[str, ...] = ()  # axes that no field took; a script may


@dataclass(slots=True)
class Declaration:
    """A node as declared, with everything that a profile, `--set` or a matrix makes of it."""

    name: str
    kind: AnyKind
    source: Source
    span: Span
    places: Places
    members: list[Member] = field(default_factory=list)
    search: Search | None = None
    broken: bool = False
    told: set[tuple[str, tuple[Span, ...]]] = field(default_factory=set)  # its problems so far, by code and place
    written: Callable[[], Value | None] = lambda: None

    def at(self, path: str) -> Span:
        """The place of a field."""
        value = self.written()
        return self.span if value is None else self.places.span(place_of(value, path))

    def at_key(self, path: str, name: str) -> Span:
        """The place of a key of the mapping at a path."""
        value = self.written()
        holder = place_of(value, path) if value is not None else None
        return self.places.span(key_of(holder, name)) if isinstance(holder, Map) and name in holder else self.at(path)


@dataclass(frozen=True, slots=True)
class Request:
    """What a call adds to the specs."""

    profile: tuple[str, bytes] | None = None  # file, text
    sets: tuple[str, ...] = ()
    searched: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)  # the rows that a search has chosen


@dataclass(slots=True)
class Patches:
    """What a profile and `--set` change, by node and by var."""

    nodes: dict[str, list[tuple[Value, str]]] = field(default_factory=dict)
    vars: dict[str, tuple[Value, str]] = field(default_factory=dict)
    names: dict[str, Span] = field(default_factory=dict)  # where the vars are named


@dataclass(slots=True)
class Declared:
    """All declarations of a project."""

    nodes: dict[str, Declaration] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)
