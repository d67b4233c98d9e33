"""The typed graph: nodes, families, choices and the edges between them; order, cones and cycles in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from zyc.errors import Span
from zyc.gates import Gate
from zyc.kind import Need, Spec


class Link(NamedTuple):
    """A reference as a spec writes it, before names are resolved."""

    field: str
    name: str
    accepts: str
    order: bool = False
    collects: bool = False
    select: tuple[str, str, bool, str] | None = None  # judge, measure, largest, take


class Part(NamedTuple):
    """A node that another one is made of, or its proof: fields as plain data."""

    suffix: str
    kind: str
    fields: Mapping[str, Any]


class Shape(NamedTuple):
    """What the spec of one node says by itself, without looking at any other node."""

    links: tuple[Link, ...]
    needs: tuple[Need, ...]
    yields: str
    gates: tuple[Gate, ...] = ()
    twin_gates: tuple[Gate, ...] = ()
    tags: tuple[str, ...] = ()
    about: str = ""
    resumes: bool = False
    parts: tuple[Part, ...] = ()
    proof: Part | None = None
    placement: tuple[tuple[str, object], ...] = ()
    lineage: bool = False  # whether its kind is told all that it stands on


class Edge(NamedTuple):
    """One input of a node: the field that asks for it and the vertex that gives it."""

    field: str
    source: str
    order: bool = False


class Node(NamedTuple):
    """One thing to build."""

    name: str
    kind: str
    shape: Shape
    edges: tuple[Edge, ...]
    span: Span
    load: Callable[[], Spec]  # the validated spec, read when it is first needed
    digest: str = ""  # of the text that the spec was read from; empty when it was put together
    values: Mapping[str, str] = MappingProxyType({})
    family: str = ""
    coordinates: tuple[tuple[str, str], ...] = ()
    owner: str = ""  # the declared node that an inserted one belongs to

    @property
    def spec(self) -> Any:
        """The validated fields."""
        return self.load()

    @property
    def inserted(self) -> bool:
        """Whether the compiler put it there."""
        return bool(self.owner)


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """All members of a family (or of a part of one) where a list takes them: one edge instead of many."""

    name: str
    members: tuple[Edge, ...]  # the field of each is the member's coordinates
    span: Span
    verdicts: tuple[str, ...] = ()  # the proofs of the members

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The members, and what is waited for besides."""
        return (*self.members, *(Edge("proof", name, order=True) for name in self.verdicts))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The best member of a family: its tree is the winner's, so it takes no step."""

    name: str
    judges: tuple[tuple[str, str], ...]  # coordinates -> the node whose measures decide
    takes: tuple[tuple[str, str], ...]  # coordinates -> the vertex that is taken
    measure: str
    largest: bool
    owner: str
    span: Span
    verdicts: tuple[tuple[str, str], ...] = ()  # coordinates -> the proof of what is taken

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What it is chosen from and by."""
        takes = (Edge(f"takes.{at}", name) for at, name in self.takes)
        judges = (Edge(f"judges.{at}", name, order=True) for at, name in self.judges)
        return (*takes, *judges, *(Edge(f"proofs.{at}", name, order=True) for at, name in self.verdicts))


Vertex = Node | Cluster | Choice


@dataclass(frozen=True, slots=True)
class Family:
    """The members of a node with a matrix, in order."""

    name: str
    axes: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def member(self, row: Sequence[str]) -> str:
        """The name of the member with these coordinates."""
        return self.name + "".join(f"@{axis}={label}" for axis, label in zip(self.axes, row, strict=True))


@dataclass(frozen=True, slots=True)
class Header:
    """What a spec file says of all its nodes."""

    file: str
    about: str = ""
    use: str = ""
    vars: tuple[tuple[str, str], ...] = ()
    spans: tuple[tuple[str, Span], ...] = ()  # `use`, `vars.epochs` -> place
    used: frozenset[str] = frozenset()  # vars that a field of the file took


@dataclass(frozen=True, slots=True)
class Search:
    """A family that chooses its next member itself."""

    family: str
    over: tuple[tuple[str, tuple[str, ...]], ...]
    judge: str
    measure: str
    largest: bool
    runs: int


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices in topological order (inputs first, else as written), the families among them, the files they come from."""

    vertices: Mapping[str, Vertex]
    families: Mapping[str, Family] = field(default_factory=dict)
    headers: Mapping[str, Header] = field(default_factory=dict)
    searches: Mapping[str, Search] = field(default_factory=dict)

    def nodes(self) -> Iterator[Node]:
        """The things to build, inputs first."""
        return (each for each in self.vertices.values() if isinstance(each, Node))

    def readers(self) -> dict[str, list[str]]:
        """Who takes each vertex as an input, in order."""
        readers: dict[str, list[str]] = {name: [] for name in self.vertices}
        for vertex in self.vertices.values():
            for edge in vertex.edges:
                readers[edge.source].append(vertex.name)
        return readers

    def upstream(self, names: Iterable[str], *, steps: int | None = None) -> set[str]:
        """These vertices and all that they need."""
        return reach(names, lambda name: (edge.source for edge in self.vertices[name].edges), steps)

    def downstream(self, names: Iterable[str], *, steps: int | None = None) -> set[str]:
        """These vertices and all that stands on them."""
        readers = self.readers()
        return reach(names, lambda name: readers[name], steps)

    def cut(self, names: set[str]) -> Graph:
        """The part of the graph with these vertices; they must be closed under what they need."""
        if len(names) == len(self.vertices):
            return self
        vertices = {name: vertex for name, vertex in self.vertices.items() if name in names}
        return Graph(vertices, self.families, self.headers, self.searches)


def reach(starts: Iterable[str], neighbours: Callable[[str], Iterable[str]], steps: int | None = None) -> set[str]:
    """Everything that can be reached, within so many steps."""
    depth = dict.fromkeys(starts, 0)
    front = deque(depth)
    while front:
        here = front.popleft()
        if steps is not None and depth[here] >= steps:
            continue
        for there in neighbours(here):
            if there not in depth:
                depth[there] = depth[here] + 1
                front.append(there)
    return set(depth)


def ordered(needs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Names with what they need first, else as given; and the cycles, each as the names along it."""
    waiting = {name: {each for each in them if each in needs} for name, them in needs.items()}
    readers: dict[str, list[str]] = {name: [] for name in needs}
    for name, them in waiting.items():
        for each in them:
            readers[each].append(name)
    left = {name: len(them) for name, them in waiting.items()}
    order: list[str] = []
    front = deque(name for name, count in left.items() if count == 0)
    while front:
        here = front.popleft()
        order.append(here)
        for name in readers[here]:
            left[name] -= 1
            if left[name] == 0:
                front.append(name)
    if len(order) == len(needs):
        return order, []
    done = set(order)
    return order, cycles(
        {name: [each for each in needs[name] if each in needs and each not in done] for name in needs if name not in done}
    )


def cycles(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One cycle of each knot, shortest first, from its first name in order: `a -> b -> a` as [a, b, a]."""
    import networkx as nx  # only when something is wrong: the import costs more than a whole plan

    graph: Any = nx.DiGraph((name, each) for name, them in needs.items() for each in them)
    place = {name: at for at, name in enumerate(needs)}
    found = []
    for knot in nx.strongly_connected_components(graph):
        if len(knot) == 1 and not graph.has_edge(*(2 * list(knot))):
            continue
        start = min(knot, key=place.__getitem__)
        part = graph.subgraph(knot)
        back = min((nx.shortest_path(part, after, start) for after in sorted(part[start], key=place.__getitem__)), key=len)
        found.append([start, *back])
    return sorted(found, key=lambda cycle: place[cycle[0]])
