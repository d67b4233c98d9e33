"""Keys and traces -> what would happen to each node, and why; a pure function, in two passes.

Forward: which digests are known. Backward: which bytes are needed by something that runs or was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from zyc import gates, kinds
from zyc.gates import Gate, Interval, Outlook, Verdict
from zyc.graph import Choice, Cluster, Graph, Node, Vertex
from zyc.keeping.journal import Summary
from zyc.keeping.store import group_digest
from zyc.kind import Estimate
from zyc.planning import offers
from zyc.planning.digest import Manifest, key_of
from zyc.planning.known import History
from zyc.planning.settle import Settlement

NOTHING_KNOWN = Estimate()
_IF = ", if it is needed"


class State(StrEnum):
    """What would happen to a node."""

    KEEP = "keep"
    RUN = "run"
    RESUME = "resume"
    MAYBE = "maybe"  # runs only if an input really changes
    BLOCKED = "blocked"


class Why(StrEnum):
    """The kind of a cause."""

    KEPT = "kept"
    NEW = "new"
    FAILED = "failed"  # its last attempt did
    RUNS = "runs"  # at this moment: another zyc, or one that is gone, started it
    CHANGED = "changed"  # something of its own
    INPUT = "input"  # an input is another tree now
    WAITS = "waits"  # an input may become another tree
    MISSING = "missing"  # its tree is gone, and needed
    FETCH = "fetch"  # its tree is gone, and needed, and the remote holds it
    GATE = "gate"  # something it stands on failed a gate, or cannot hold it
    UPSTREAM = "upstream"  # something it stands on is blocked
    NO_WINNER = "no winner"  # no member of a family passed its gates


class Cause(NamedTuple):
    """Why a node has its state; `root` is the vertex at which the cause stands."""

    why: Why
    root: str = ""
    text: str = ""


KEPT, NEW, CHANGED = Cause(Why.KEPT), Cause(Why.NEW), Cause(Why.CHANGED)


class GateOutlook(NamedTuple):
    """A gate of a node, and what numbers or arithmetic say of it now."""

    gate: Gate
    verdict: Verdict | Outlook
    text: str = ""

    @property
    def bad(self) -> bool:
        """Whether what stands on the node is blocked."""
        return self.verdict in (Verdict.FAILS, Outlook.CANNOT)


class Decision(NamedTuple):
    """What would happen to one node."""

    name: str
    state: State
    cause: Cause
    key: str | None = None  # None when an input's tree is not known yet
    manifest: Manifest = ()  # as far as it is known
    unknown: tuple[str, ...] = ()  # labels of the manifest that wait for an input
    tree: str | None = None
    estimate: Estimate = NOTHING_KNOWN
    measured: bool = False  # the estimate is what an earlier run took
    thought: Estimate = NOTHING_KNOWN  # what arithmetic says of it on this machine, whatever runs say
    gates: tuple[GateOutlook, ...] = ()
    cannot: str = ""  # what this machine lacks for it
    resume: str = ""  # why a state that is there cannot go on
    saved: tuple[int, int] | None = None  # how far the state has come that it goes on from: step, of

    @property
    def fetched(self) -> bool:
        """Whether its bytes are brought here from the remote, whatever else happens."""
        return self.cause.why is Why.FETCH and not self.cause.text.endswith(_IF)


@dataclass(frozen=True)
class Plan:
    """What would happen, inputs first."""

    settlement: Settlement
    history: History
    decisions: Mapping[str, Decision]
    asked: frozenset[str] = frozenset()  # nodes whose bytes the caller wants

    @property
    def graph(self) -> Graph:
        """The part of the graph that was asked for."""
        return self.settlement.graph

    def count(self, *states: State) -> int:
        """How many nodes are in one of these states."""
        return sum(1 for each in self.decisions.values() if each.state in states)

    def accepted(self, name: str) -> str:
        """The key whose kept output a person let stand for the one that a node has now; nothing for most."""
        summary = self.history.traces.get(self.decisions[name].key or "")
        return summary.accepted if summary is not None else ""

    def adopted(self, name: str) -> str:
        """When what the key of a node gave elsewhere was taken in; nothing for what was built."""
        summary = self.history.traces.get(self.decisions[name].key or "")
        return summary.adopted if summary is not None else ""

    @cached_property
    def lineage(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that stand on somebody's word, by each vertex that stands on them, itself too when it is one."""
        return self._standing(self.accepted)

    @cached_property
    def made_elsewhere(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that were adopted, by each vertex that stands on them, itself too when it is one."""
        return self._standing(self.adopted)

    def _standing(self, marked: Callable[[str], str]) -> Mapping[str, tuple[str, ...]]:
        told: dict[str, tuple[str, ...]] = {}
        for vertex in self.graph.vertices.values():
            own = (vertex.name,) if isinstance(vertex, Node) and marked(vertex.name) else ()
            above = [name for edge in vertex.edges if not edge.order for name in told[edge.source]]
            told[vertex.name] = tuple(dict.fromkeys((*above, *own))) if own or above else ()
        return told

    @property
    def fetches(self) -> tuple[Decision, ...]:
        """The nodes whose trees would come from the remote."""
        return tuple(each for each in self.decisions.values() if each.cause.why is Why.FETCH)

    @property
    def changes(self) -> bool:
        """Whether anything would run."""
        return self.count(State.RUN, State.RESUME, State.MAYBE) > 0


@dataclass(slots=True)
class Forward:
    """The first pass, also taken step by step by a build: what each vertex gives, as far as it is known."""

    settlement: Settlement
    history: History
    trees: dict[str, str | None] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)
    measures: dict[str, Mapping[str, float]] = field(default_factory=dict)  # of nodes whose key has a trace
    roots: dict[str, str] = field(default_factory=dict)  # vertex whose tree is not known -> the vertex at its root
    winners: dict[str, str | None] = field(default_factory=dict)  # choice -> the vertex it takes; None: nobody passed
    stuck: dict[str, Cause] = field(default_factory=dict)  # vertex -> why nothing can stand on it
    _lessons: Mapping[str, tuple[Summary, ...]] | None = None  # runs that were estimated before, by kind

    def manifest(self, node: Node) -> tuple[Manifest, tuple[str, ...]]:
        """The lines of a node's manifest, and the labels of those that are not known yet."""
        lines, unknown = [], []
        for edge in node.edges:
            if edge.order:
                continue
            label, tree = kinds.label(node.kind, edge.field), self.trees[edge.source]
            if tree is None:
                unknown.append(label)
            else:
                lines.append((label, tree))
        return (*self.settlement.nodes[node.name].own, *lines), tuple(unknown)

    def cluster(self, vertex: Cluster) -> None:
        """A group is known once all of its members are."""
        members = {edge.field: self.trees[edge.source] for edge in vertex.members}
        known = {label: tree for label, tree in members.items() if tree is not None}
        self.trees[vertex.name] = group_digest(known) if len(known) == len(members) else None
        if len(known) < len(members):
            first = next(edge.source for edge in vertex.members if self.trees[edge.source] is None)
            self.roots[vertex.name] = self.roots.get(first, first)

    def choice(self, vertex: Choice) -> None:
        """The winner is known once every judge is measured, and every proof of what could be taken."""
        out = {label for label, name in (*vertex.judges, *vertex.takes, *vertex.verdicts) if self.passes_over(name)}
        open_ = [name for label, name in (*vertex.judges, *vertex.verdicts) if label not in out]
        waiting = next((name for name in open_ if name not in self.measures), None)
        if waiting is not None:
            self.trees[vertex.name] = None
            self.roots[vertex.name] = self.roots.get(waiting, waiting)
            return
        members = [(label, self.measures.get(name, {}), label not in out) for label, name in vertex.judges]
        label = gates.best(members, vertex.measure, largest=vertex.largest)
        winner = dict(vertex.takes)[label] if label is not None else None
        self.winners[vertex.name] = winner
        self.trees[vertex.name] = self.trees[winner] if winner is not None else None
        if winner is None or self.trees[vertex.name] is None:
            self.roots[vertex.name] = self.roots.get(winner, winner) if winner is not None else vertex.name

    def passes_over(self, name: str) -> bool:
        """Whether a gate stands between a vertex and whoever would stand on it; a step that failed is another matter."""
        cause = self.stuck.get(name)
        root = self.settlement.graph.vertices.get(cause.root) if cause is not None else None
        return isinstance(root, Node) and any(each.bad for each in self.gates(root.name))

    def gates(self, name: str) -> tuple[GateOutlook, ...]:
        """The gates of a node against its numbers, or against arithmetic while it has none."""
        vertex = self.settlement.graph.vertices[name]
        assert isinstance(vertex, Node)
        return tuple(self._gate(vertex, gate) for gate in self.settlement.gates(vertex))

    def _gate(self, node: Node, gate: Gate) -> GateOutlook:
        measures = self.measures.get(node.name)
        if measures is not None:
            verdict = gates.judge(gate, measures)
            if verdict is Verdict.HOLDS:
                return GateOutlook(gate, verdict, gates.show(measures[gate.measure], gate.dimension))
            return GateOutlook(gate, Verdict.FAILS, gates.by_how_much(gate, measures))
        known = dict(self.settlement.nodes[node.name].estimate.measures)
        outlook = gates.foresee(gate, known)
        return GateOutlook(gate, outlook, sum_words(known.get(gate.measure), gate) if outlook is not Outlook.RUNNING else "")

    def lesson(self, node: Node, estimate: Estimate) -> offers.Lesson | None:
        """What earlier runs of its kind teach about an estimate."""
        if self._lessons is None and estimate.seconds is not None:
            room = offers.classroom(self.settlement.known.machine, twin=self.settlement.twin)
            self._lessons = offers.lessons(self.history.traces.values(), room)
        return offers.lesson((self._lessons or {}).get(node.kind, ()), estimate)

    def learn(self, name: str, key: str | None, summary: Summary | None) -> None:
        """Take in what the key of a node gave."""
        self.keys[name] = key
        self.trees[name] = summary.tree if summary is not None else None
        if summary is not None:
            self.measures[name] = summary.measures
        else:
            self.roots.setdefault(name, name)


def sum_words(value: Interval | None, gate: Gate) -> str:
    """What arithmetic says of a measure, in the words of a gate: `6.6 s to 11 s (on a free CPU)`."""
    if value is None:
        return ""
    low, high = (gates.show_beside(each, gate) for each in (value.low, value.high))
    span = low if low == high else f"at most {high}" if value.low == 0 else f"{low} to {high}"
    return f"{span} ({value.because})" if value.because else span


def make_plan(settlement: Settlement, history: History, asked: Iterable[str]) -> Plan:
    """What would happen to each node of the graph; `asked` are the ones whose bytes the caller wants."""
    forward = Forward(settlement, history)
    decisions: dict[str, Decision] = {}
    for vertex in settlement.graph.vertices.values():
        if isinstance(vertex, Cluster):
            forward.cluster(vertex)
        elif isinstance(vertex, Choice):
            forward.choice(vertex)
        else:
            decisions[vertex.name] = _decide(vertex, forward)
        _block(vertex, forward, decisions)
    wanted = frozenset(asked)
    _need(settlement.graph, forward, history, decisions, wanted)
    return Plan(settlement, history, decisions, wanted)


def _decide(node: Node, forward: Forward) -> Decision:
    history, settled = forward.history, forward.settlement.nodes[node.name]
    manifest, unknown = forward.manifest(node)
    key = None if unknown else key_of(manifest)
    trace = history.traces.get(key) if key is not None else None
    last_key = history.last.get(node.name)
    last = history.traces.get(last_key) if last_key is not None else None
    forward.learn(node.name, key, trace)
    told_gates = forward.gates(node.name)
    machine, placement = forward.settlement.known.machine, dict(node.shape.placement)
    thought = offers.as_here(settled.estimate, machine, placement)
    if trace is not None:
        estimate = offers.as_before(thought, trace)
        return Decision(
            node.name,
            State.KEEP,
            KEPT,
            key,
            manifest,
            unknown,
            trace.tree,
            estimate,
            measured=True,
            thought=thought,
            gates=told_gates,
        )
    state, cause = State.RUN, NEW if last is None else CHANGED
    if last is not None and last.own == settled.own_digest:
        state, cause = _from_inputs(node, forward, manifest, unknown, last)
    cannot = offers.lacks(thought, machine, placement)
    estimate, measured = _foreseen(node, forward, thought, last)
    told = Decision(node.name, state, cause, key, manifest, unknown, None, estimate, measured, thought, told_gates, cannot)
    return _resumed(node, forward, told) if key is not None else told


def _from_inputs(
    node: Node, forward: Forward, manifest: Manifest, unknown: tuple[str, ...], last: Summary
) -> tuple[State, Cause]:
    """Nothing of its own moved: it is the inputs."""
    now = {kinds.label(node.kind, edge.field): edge.source for edge in node.edges if not edge.order}
    known = dict(manifest) if len(unknown) < len(now) else {}
    moved = [label for label in now if label not in unknown and known[label] != last.inputs.get(label)]
    if moved or now.keys() != last.inputs.keys():
        return State.RUN, Cause(Why.INPUT, now[moved[0]] if moved else "")
    waiting = now[unknown[0]]
    root = forward.roots.get(waiting, waiting)
    forward.roots[node.name] = root
    return State.MAYBE, Cause(Why.WAITS, root)


def _foreseen(node: Node, forward: Forward, thought: Estimate, last: Summary | None) -> tuple[Estimate, bool]:
    """What a run here would take, and whether that was measured: what a run elsewhere took tells its bytes only."""
    room = offers.classroom(forward.settlement.known.machine, twin=forward.settlement.twin)
    if last is not None and not last.adopted and last.device in ("", room):
        return offers.as_before(thought, last), True
    told = offers.learned(thought, forward.lesson(node, thought))
    return (told._replace(disk=last.bytes) if last is not None else told), False


def _resumed(node: Node, forward: Forward, told: Decision) -> Decision:
    """A state of the same key goes on, if the kind carries it over to today's placement."""
    assert told.key is not None
    unfinished = forward.history.unfinished.get(told.key[:24])
    if unfinished is None:
        return told
    if unfinished.runs:
        return told._replace(cause=Cause(Why.RUNS, text="it runs now"))
    if unfinished.failed:
        told = told._replace(cause=Cause(Why.FAILED, "", unfinished.failed))
    if not node.shape.resumes or not unfinished.has_state:
        return told
    reason = kinds.load(node.kind).carries(unfinished.placement, dict(node.shape.placement))
    return told._replace(resume=reason) if reason else told._replace(state=State.RESUME, saved=unfinished.saved)


def _block(vertex: Vertex, forward: Forward, decisions: dict[str, Decision]) -> None:
    """What stands on a failed gate waits until the bound or the numbers move."""
    name, cause = vertex.name, hindrance(vertex, forward)
    if not isinstance(vertex, Node):
        if cause is not None:
            forward.stuck[name] = cause
        return
    if cause is not None:
        decisions[name] = decisions[name]._replace(state=State.BLOCKED, cause=cause)
        forward.stuck[name] = Cause(Why.UPSTREAM, cause.root, cause.text)
        return
    bad = next((each for each in decisions[name].gates if each.bad), None)
    if bad is not None:
        text = bad.text if isinstance(bad.verdict, Verdict) else f"`{bad.gate}` cannot hold: {bad.text}"
        forward.stuck[name] = Cause(Why.GATE, name, text)


def hindrance(vertex: Vertex, forward: Forward) -> Cause | None:
    """Why a vertex cannot be built, seen from what stands before it."""
    stuck = forward.stuck
    if not isinstance(vertex, Choice):
        return next((stuck[edge.source] for edge in vertex.edges if edge.source in stuck), None)
    # members that fail a gate are passed over; only when nobody is left is the choice stuck
    if vertex.name not in forward.winners:
        return next(
            (stuck[edge.source] for edge in vertex.edges if edge.source in stuck and not forward.passes_over(edge.source)), None
        )
    if forward.winners[vertex.name] is None:
        return Cause(Why.NO_WINNER, vertex.name, f"no member passes its gates with a `{vertex.measure}`")
    return None


def _need(graph: Graph, forward: Forward, history: History, decisions: dict[str, Decision], asked: frozenset[str]) -> None:
    """Bytes that are gone are made again only where something needs them."""
    wanted: dict[str, State] = dict.fromkeys(asked, State.RUN)
    for name in reversed(list(graph.vertices)):
        vertex = graph.vertices[name]
        need = wanted.get(name)
        if isinstance(vertex, Node):
            here = decisions[name]
            if here.state is State.KEEP and need is not None and here.tree not in history.present:
                there = here.tree in history.remote  # then it is kept, and nothing upstream of it is needed
                told = here._replace(cause=_from(history, need)) if there else _missing(vertex, forward, here, need)
                decisions[name] = here = told
            passes = {State.RUN: State.RUN, State.RESUME: State.RUN, State.MAYBE: State.MAYBE}.get(here.state)
        else:
            passes = need
        if passes is None:
            continue
        winner = forward.winners.get(name)
        for edge in vertex.edges:
            if edge.order or (winner is not None and edge.source != winner):
                continue
            if wanted.get(edge.source) is not State.RUN:
                wanted[edge.source] = passes


def _missing(node: Node, forward: Forward, here: Decision, need: State) -> Decision:
    """What was kept and is made again is held against this machine like what is new, and goes on from a state like it."""
    cannot = offers.lacks(here.thought, forward.settlement.known.machine, dict(node.shape.placement))
    estimate, measured = _foreseen(node, forward, here.thought, forward.history.traces.get(here.key or ""))
    told = here._replace(state=need, cause=Cause(Why.MISSING), cannot=cannot, estimate=estimate, measured=measured)
    return _resumed(node, forward, told) if need is State.RUN else told


def _from(history: History, need: State) -> Cause:
    return Cause(Why.FETCH, text=f"from {history.remote_name}{'' if need is State.RUN else _IF}")
