"""What a step is made from: its inputs as they are now, and all that is decided of it before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from zyc import kinds
from zyc.errors import ZycError, problem
from zyc.graph import Choice, Cluster, Node
from zyc.keeping.store import Store
from zyc.planning import offers
from zyc.planning.digest import Manifest, key_of
from zyc.planning.known import History
from zyc.planning.plan import Forward, Plan, State
from zyc.runner.schedule import Share
from zyc.runner.task import Task

_LIGHTER = 2  # changes that are told of a step that was killed


@dataclass(frozen=True, slots=True)
class Options:
    """How a build goes about its work; nothing of it is part of a key."""

    keep_going: bool = False  # a step that failed stops only what stands on it
    retries: int = 0
    timeout: float | None = None  # seconds; a step's own placement comes first
    jobs: int | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)  # node -> why it cannot run here: it is left out
    fresh: bool = False  # no step goes on from its state


@dataclass(frozen=True, slots=True)
class Inputs:
    """The graph as a build knows it at this moment."""

    plan: Plan
    forward: Forward
    store: Store
    history: History
    options: Options

    def absent(self, names: Iterable[str]) -> Iterable[str]:
        """The nodes whose trees a step is about to read and that are gone; groups of what is here are put together."""
        for name in names:
            vertex, tree = self.plan.graph.vertices[name], self.forward.trees[name]
            if tree is None:
                raise ZycError(problem("not-made-again", node=self.forward.roots.get(name, name)))
            if self.store.has(tree):
                continue
            if isinstance(vertex, Choice):
                winner = self.forward.winners[name] or ""
                self.forward.trees[name] = self.forward.trees[winner]
                yield from self.absent([winner])
            elif isinstance(vertex, Cluster):
                gone = list(self.absent(edge.source for edge in vertex.members))
                yield from gone
                if not gone:
                    self.forward.cluster(vertex)
                    self.store.group({edge.field: self.forward.trees[edge.source] or "" for edge in vertex.members})
            else:
                yield name

    def task(self, node: Node, manifest: Manifest, share: Share) -> Task:
        """All that is decided of a step."""
        key = key_of(manifest)
        kind = kinds.load(node.kind)
        edges = [edge for edge in node.edges if not edge.order]
        inputs = {kind.place(edge.field): self.forward.trees[edge.source] or "" for edge in edges}
        lineage = {
            f"in/{kind.place(edge.field)}": (self.forward.keys.get(edge.source) or "", inputs[kind.place(edge.field)])
            for edge in edges
        }
        limit = dict(node.shape.placement).get("timeout") or self.options.timeout
        assert limit is None or isinstance(limit, int | float)
        return Task(
            node,
            key,
            manifest,
            self.plan.settlement.rendered(node),
            inputs,
            lineage,
            {self.forward.trees[name] or "": name for name in self._read_by(node)},
            self._goes_on(node, key),
            share,
            limit,
            offers.predicted(self.plan.decisions[node.name].thought),
            offers.classroom(self.plan.settlement.known.machine, twin=self.plan.settlement.twin),
            self._lighter(node),
        )

    def _lighter(self, node: Node) -> tuple[str, ...]:
        """The first changes that take less memory: what to try when a machine ends the step."""
        kind, case = kinds.load(node.kind), self.plan.settlement.case(node)
        most = kind.estimate(case).memory
        told = ((says, kind.estimate(replace(case, spec=spec)).memory) for says, spec in kind.lighter(case))
        return tuple(islice((says for says, needs in told if needs and most and needs < most), _LIGHTER))

    def _goes_on(self, node: Node, key: str) -> bool:
        """Whether a state that is there may be gone on from."""
        if not node.shape.resumes or self.options.fresh:
            return False
        unfinished = self.history.unfinished.get(key[:24])
        return unfinished is None or not kinds.load(node.kind).carries(unfinished.placement, dict(node.shape.placement))

    def _read_by(self, node: Node) -> Iterable[str]:
        """The nodes whose trees a step reads, behind families and choices too."""
        waiting = [edge.source for edge in node.edges if not edge.order]
        while waiting:
            name = waiting.pop()
            vertex = self.plan.graph.vertices[name]
            if isinstance(vertex, Cluster):
                waiting += [edge.source for edge in vertex.members]
            elif isinstance(vertex, Choice):
                waiting.append(self.forward.winners[name] or "")
            else:
                yield name


def still_searching(plan: Plan) -> Iterable[str]:
    """Choices among the members of a search that is not over: the best so far is not worth building on."""
    graph = plan.graph
    going = {
        name
        for search in graph.searches.values()
        if len(graph.families[search.family].rows) < search.runs
        for name in (search.family, search.judge)
    }
    for vertex in graph.vertices.values():
        if isinstance(vertex, Choice):
            judges = [graph.vertices[name] for _, name in vertex.judges]
            searched = any(isinstance(judge, Node) and judge.family in going for judge in judges)
            if searched and any(plan.decisions[name].state is not State.KEEP for _, name in vertex.judges):
                yield vertex.name
