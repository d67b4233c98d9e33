"""What a name in a spec leads to, among the declarations and in the graph as it grows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zyc.compile.declared import Declaration, Declared, Trouble
from zyc.errors import guess, problem
from zyc.graph import Choice, Family, Node, Search, Vertex
from zyc.types import TYPES, Artifact

_SUFFIXED = re.compile(r"(.+)(\.[a-z][a-z0-9_-]*)")


class Unlinked(Exception):
    """A reference that leads nowhere: its trouble has been told, and the node is left out."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a name in a spec leads to: one vertex, or the rows of a family that begin as the name says."""

    node: Declaration
    family: Family | None
    rows: tuple[tuple[str, ...], ...] = ()
    free: tuple[str, ...] = ()  # the axes that the name leaves open


@dataclass(slots=True)
class Names:
    """The graph as it grows, and the names in it."""

    declared: Declared
    vertices: dict[str, Vertex] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    searches: dict[str, Search] = field(default_factory=dict)
    unread: dict[str, tuple[str, ...]] = field(default_factory=dict)
    picked: set[tuple[str, str]] = field(
        default_factory=set
    )  # axes by which a node picks its inputs, which is a way to read them

    def _trouble(self, node: Declaration, what: object) -> None:
        trouble = Trouble(what, node.source.file, node.name)  # type: ignore[arg-type]
        if trouble not in self.declared.troubles:
            self.declared.troubles.append(trouble)
        node.broken = True

    def _target(self, node: Declaration, name: str, path: str) -> Target:
        base, *coordinates = self._stem(name)[0].split("@")
        target = self.declared.nodes.get(base)
        if target is None:
            hint = guess(base, self.declared.nodes, otherwise="names are those of nodes in any spec of this project")
            self._trouble(node, problem("unknown-node", node.at(path), name=base, hint=hint))
            raise Unlinked
        family = self.families.get(base)
        if not coordinates:
            if target.broken:
                raise Unlinked
            return Target(target, family, family.rows if family else (), family.axes if family else ())
        if family is None:
            if target.broken:
                raise Unlinked
            self._trouble(node, problem("not-a-family", node.at(path), target.span, family=base, name=name))
            raise Unlinked
        rows = tuple(
            row
            for row in family.rows
            if [f"{axis}={label}" for axis, label in zip(family.axes, row, strict=True)][: len(coordinates)] == coordinates
        )
        if not rows:
            hint = guess(name, (family.member(row) for row in family.rows))
            self._trouble(node, problem("unknown-member", node.at(path), family=base, name=name, hint=hint))
            raise Unlinked
        return Target(target, family, rows, family.axes[len(coordinates) :])

    def _stem(self, name: str) -> tuple[str, list[str]]:
        """A name without the suffixes of what the compiler puts behind a node; a label may hold dots, too."""
        stem, suffixes = name, ""
        while not self._is_declared(stem):
            found = _SUFFIXED.fullmatch(stem)
            if found is None:
                return name, []
            stem, suffixes = found[1], found[2] + suffixes
        return stem, suffixes.split(".")[1:]

    def _is_declared(self, name: str) -> bool:
        base, *coordinates = name.split("@")
        if not coordinates or base not in self.families:
            return base in self.declared.nodes
        label = coordinates[-1].partition("=")[2]
        return any(label in row for row in self.families[base].rows)

    def _type(self, vertex: str) -> type[Artifact]:
        here = self.vertices[vertex]
        if isinstance(here, Node):
            return TYPES[here.shape.yields]
        return self._type(here.edges[0].source)

    def _owner(self, vertex: str) -> Declaration:
        here = self.vertices[vertex]
        owner = (
            here.owner
            if isinstance(here, Node | Choice) and here.owner
            else here.family
            if isinstance(here, Node) and here.family
            else here.name
        )
        return self.declared.nodes[owner.split("@")[0].split(".")[0]]
