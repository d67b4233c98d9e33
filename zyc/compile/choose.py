"""`select`: the vertex whose tree is that of the best member of a family."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zyc import kinds
from zyc.compile.declare import measures_of
from zyc.compile.declared import Declaration
from zyc.compile.names import Names, Target, Unlinked
from zyc.compile.validate import owner_words
from zyc.errors import guess, problem
from zyc.graph import Choice, Cluster, Family, Link, Node, Vertex
from zyc.measures import known
from zyc.types import TYPES, Artifact


@dataclass(slots=True)
class Choices(Names):
    """Choices among the members of families, as fields ask for them."""

    @abstractmethod
    def _coerced(self, node: Declaration, link: Link, vertex: str) -> str:
        """The vertex, or what the compiler puts behind it so that the field gets the type that it takes."""

    def _measures(self, node: Declaration, path: str, judge: Declaration, measure: str) -> None:
        patterns = measures_of(judge.kind)
        if not known(measure, patterns):
            facts = {
                "owner": owner_words(judge.kind.name, judge.name),
                "measure": measure,
                "hint": guess(measure, patterns, listed="it measures"),
            }
            self._trouble(node, problem("unknown-measure", node.at(path), **facts))
            raise Unlinked

    def _choice(self, node: Declaration, owner: str, link: Link) -> str:
        """`select`: the vertex whose tree is the winner's."""
        assert link.select is not None
        judge, measure, largest, take = link.select
        judges = self._target(node, judge, link.field)
        if judges.family is None:
            self._trouble(node, problem("select-not-family", node.at(link.field), name=judge))
            raise Unlinked
        self._measures(node, link.field, judges.node, measure)
        members = [(self._label(judges.family, row), judges.family.member(row)) for row in judges.rows]
        if any(name not in self.vertices for _, name in members):
            raise Unlinked
        takes = self._takes(node, link, judges, members, take)
        takes = [(label, self._coerced(node, link, vertex)) for label, vertex in takes]
        proofs = tuple((label, f"{vertex}.proof") for label, vertex in takes if f"{vertex}.proof" in self.vertices)
        name = f"{owner}.select"
        span = node.at(link.field)
        measured = tuple((label, measured_at(self.vertices, vertex, measure)) for label, vertex in members)
        self.vertices[name] = Choice(name, measured, tuple(takes), measure, largest, node.name, span, proofs)
        return name

    @staticmethod
    def _label(family: Family, row: Sequence[str]) -> str:
        return ",".join(f"{axis}={value}" for axis, value in zip(family.axes, row, strict=True))

    def _takes(
        self, node: Declaration, link: Link, judges: Target, members: list[tuple[str, str]], take: str
    ) -> list[tuple[str, str]]:
        wanted = TYPES[link.accepts]
        if take:
            target = self._target(node, take, link.field)
            family, axes = target.family, judges.family.axes if judges.family else ()
            if family is not None and set(family.axes) <= set(axes) and len(target.rows) == len(family.rows):
                rows = [dict(zip(axes, row, strict=True)) for row in judges.rows]
                return [
                    (label, family.member(tuple(row[axis] for axis in family.axes)))
                    for (label, _), row in zip(members, rows, strict=True)
                ]
        elif kinds.path_between(self._type(members[0][1]), wanted) is not None:
            return members
        else:
            found = [[self._judged_by(vertex, path, wanted) for _, vertex in members] for path in self._inputs(members[0][1])]
            fits = [[name for name in each if name is not None] for each in found if None not in each]
            if len(fits) == 1:
                return [(label, name) for (label, _), name in zip(members, fits[0], strict=True)]
        facts = {"judge": judges.node.name, "wanted": wanted.says}
        help_ = f"name the family to take it from: `select: {{from: {judges.node.name}, ..., take: FAMILY}}`"
        if take:
            help_ = f"`take` names a family whose axes `{judges.node.name}` has, too"
        self._trouble(node, problem("select-nothing", node.at(link.field), **facts, help=help_))
        raise Unlinked

    def _inputs(self, vertex: str) -> list[str]:
        return [
            each.field
            for each in self.vertices[vertex].edges
            if not each.order and not isinstance(self.vertices[each.source], Cluster)
        ]

    def _judged_by(self, vertex: str, path: str, wanted: type[Artifact]) -> str | None:
        """What a judge was given in a field; where that was made of something by the compiler, perhaps what it was made of."""
        name: str | None = next(edge.source for edge in self.vertices[vertex].edges if edge.field == path)
        while name is not None and kinds.path_between(self._type(name), wanted) is None:
            here = self.vertices[name]
            made = isinstance(here, Node) and here.inserted and kinds.load(here.kind).coerces
            name = next((edge.source for edge in here.edges if edge.field == "source"), None) if made else None
        return name


def measured_at(vertices: Mapping[str, Vertex], name: str, measure: str) -> str:
    """The vertex whose numbers tell a measure of a node: its own, or those of its proof."""
    node, proof = vertices[name], f"{name}.proof"
    own = not isinstance(node, Node) or known(measure, kinds.load(node.kind).measures)
    return name if own or proof not in vertices else proof
