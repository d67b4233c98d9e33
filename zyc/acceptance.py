"""A kept output stands for a new key: what a person overlooks knowingly is written down, and never taken for the real thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from zyc import kinds
from zyc.errors import Problem, ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Node
from zyc.keeping.journal import Journal, Summary
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.planning.digest import Manifest, key_of
from zyc.planning.known import History
from zyc.planning.plan import Decision, Forward, Plan, State
from zyc.planning.why import Reason, files_of, reasons, recipe_fields


@dataclass(frozen=True, slots=True)
class Accepted:
    """One node whose kept output stands for its new key, and what is overlooked by that."""

    node: str
    trace: Trace
    overlooked: tuple[Reason, ...]


@dataclass
class Acceptance:
    """One call of `zyc accept`: all of it is looked at before anything is written."""

    front: Front
    plan: Plan
    names: frozenset[str]
    _flaws: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        history = self.plan.history
        self.history = History(dict(history.traces), history.last, history.present, history.unfinished)
        self.forward = Forward(self.plan.settlement, self.history)

    def find(self) -> list[Accepted]:
        """What would be accepted, inputs first: a node is judged as if those before it were accepted already."""
        found: list[Accepted] = []
        for vertex in self.plan.graph.vertices.values():
            if isinstance(vertex, Cluster):
                self.forward.cluster(vertex)
            elif isinstance(vertex, Choice):
                self.forward.choice(vertex)
            else:
                found += self._node(vertex)
        if self._flaws:
            raise ZycError(self._flaws)
        return found

    def _node(self, node: Node) -> Iterator[Accepted]:
        manifest, unknown = self.forward.manifest(node)
        key = None if unknown else key_of(manifest)
        summary = self.history.traces.get(key) if key is not None else None
        if node.name not in self.names or summary is not None:
            if node.name in self.names and self.plan.decisions[node.name].state is State.KEEP:
                self._refuse("accept-nothing-new", node)  # else one of those accepted before it has made it so
            self.forward.learn(node.name, key, summary)
            return
        last = self._last(node) if key is not None else None
        if key is None:
            waiting = self._waits_for(node)
            self._refuse("accept-unknown-input", node, input=waiting[0], all=" ".join((*waiting, node.name)))
        if key is None or last is None:
            self.forward.learn(node.name, None, None)
            return
        trace = self._trace(node, key, manifest, last)
        yield Accepted(node.name, trace, tuple(self._overlooked(node, key, manifest)))
        summary = Summary.of(trace)
        self.history.traces[key] = summary  # type: ignore[index]  # a copy of ours
        self.forward.learn(node.name, key, summary)

    def _last(self, node: Node) -> Trace | None:
        """The trace whose tree would stand for the node; what speaks against it is told."""
        last_key = self.history.last.get(node.name)
        last = self.front.read_trace(last_key) if last_key is not None else None
        if last is None:
            self._refuse("accept-nothing-kept", node)
        elif last.kind != node.kind:
            self._refuse("accept-other-kind", node, before=last.kind, after=node.kind)
        elif last.tree not in self.history.present:
            self._refuse("accept-gone", node, tree=last.tree[:12])
        else:
            return last
        return None

    def _waits_for(self, node: Node) -> list[str]:
        """The nodes before it that have no tree, inputs first."""
        upstream = self.plan.graph.upstream({node.name}) - {node.name}
        nodes = (each.name for each in self.plan.graph.nodes() if each.name in upstream)
        return [name for name in nodes if self.forward.trees[name] is None]

    def _refuse(self, code: str, node: Node, **facts: object) -> None:
        self._flaws.append(problem(code, node.span, node=node.name, **facts))

    def _trace(self, node: Node, key: str, manifest: Manifest, last: Trace) -> Trace:
        known = self.plan.settlement.known
        sources = {kinds.label(node.kind, edge.field): edge.source for edge in node.edges if not edge.order}
        return replace(
            last,
            key=key,
            manifest=manifest,
            fields=tuple(sorted({**recipe_fields(node, known), **files_of(node, known)}.items())),
            inputs={
                label: (self.forward.keys.get(name) or "", self.forward.trees[name] or "") for label, name in sources.items()
            },
            accepted=last.key,
        )

    def _overlooked(self, node: Node, key: str, manifest: Manifest) -> list[Reason]:
        now: Decision = self.plan.decisions[node.name]._replace(key=key, manifest=manifest, unknown=())
        seen = replace(self.plan, decisions={**self.plan.decisions, node.name: now})
        return reasons(seen, node.name, self.front.read_trace)


def write(front: Front, accepted: list[Accepted]) -> None:
    """Let them stand: one trace each, inputs first; whatever was written when it ends early is right by itself."""
    world, project = front.world, front.project
    store = Store.open(world, project.store)
    told: Callable[[Problem], None] = front.warnings.append
    traces, roots = Traces(store, told=told), Roots(store, project.root, twin=front.call.twin, told=told)
    with store.sharing(), Journal.open(store, told=told) as journal:
        for each in accepted:
            with store.lock(each.trace.key):
                if traces.read(each.trace.key) is None:  # else a build was faster, and what it made is the real thing
                    traces.write(each.trace)
                    journal.record(each.trace)
            roots.set(each.node, each.trace.key)
            store.expose(project.link(each.node, twin=front.call.twin), each.trace.tree)
