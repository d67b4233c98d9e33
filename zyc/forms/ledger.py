"""The chain of forms that a model goes through up to a node, and what the proofs of each hop measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zyc import kinds
from zyc.again import line
from zyc.front import Call, Front
from zyc.graph import Choice, Edge, Graph, Node, Vertex
from zyc.keeping.store import Store
from zyc.keeping.traces import Trace
from zyc.planning.plan import Decision, Forward, GateOutlook, State
from zyc.types import Adapter, Artifact, Gguf, HfQuant, Mlc, Model, Onnx

FORMS: Mapping[type[Artifact], str] = {
    Model: "folder",
    Adapter: "adapter",
    Gguf: "gguf",
    HfQuant: "folder",
    Onnx: "onnx",
    Mlc: "mlc",
}
_CARRIERS = ("source", "model", "subject", "base", "student")  # fields that say what a node is made of, the surest first
_STARTS = ("model", "pretrain")  # what was not made of another form of the same model: no hop
_TOKENS = ("tokenizer.json", "tokenizer.model")
_TEMPLATE = ("chat_template.jinja",)
SERVED = "served"


@dataclass(frozen=True, slots=True)
class Hop:
    """One form of the model."""

    node: str
    label: str  # base, adapter, fused, F16, Q4_K_M, served
    form: str  # folder, adapter, gguf, onnx, mlc
    tree: str = ""  # empty while nothing is kept
    here: bool = False  # whether its bytes are in this store
    base: str = ""  # of an adapter: the tree of the model that it belongs to
    large: bool = False  # whether single precision would be too much to answer in
    proof: str = ""  # the node that measures the hop, if there is one
    proven: bool = False
    measures: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[GateOutlook, ...] = ()
    difference: str = ""  # the first one that the proof found
    says: str = ""  # why there are no numbers
    call: Call = Call()  # noqa: RUF009  (it is frozen)

    @property
    def command(self) -> str:
        """What builds what is missing."""
        missing = [] if self.here else [self.node]
        missing += [self.proof] if self.proof and not self.proven else []
        return line(self.call, "build", *missing) if missing else ""

    @property
    def holds(self) -> bool | None:
        """Whether every gate of its proof holds; nothing while it is not proven."""
        return not any(each.bad for each in self.gates) if self.proven else None


def wanted(front: Front, node: str) -> tuple[str, ...]:
    """A node with all that its ledger reads: the forms inserted behind it, and the proofs of everything before."""
    graph = front.compiled.graph
    end = _end(graph, node)
    names = {end, *graph.upstream([end])}
    proofs = {f"{name}.proof" for name in names} & graph.vertices.keys()
    return tuple(sorted({node, end} | proofs))


def _end(graph: Graph, node: str) -> str:
    """The last form that the compiler inserted behind a node."""
    readers = graph.readers()
    while True:
        vertex = graph.vertices[node]
        owner = getattr(vertex, "owner", "") or node
        following = [
            name
            for name in readers[node]
            if isinstance(each := graph.vertices[name], Node) and each.owner == owner and kinds.load(each.kind).coerces
        ]
        if not following:
            return node
        node = following[0]


def chain(front: Front, node: str) -> tuple[Hop, ...]:
    """The hops up to a node, the first form first; none where no model stands behind it."""
    return Reading(front).chain(_end(front.plan.graph, node))


class Reading:
    """One look at a plan and its store."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.plan = front.plan
        self.store = Store.open(front.world, front.project.store, create=False)
        self.graph = self.plan.graph
        self.facts = {name: each.facts for name, each in self.plan.settlement.nodes.items()}

    def chain(self, node: str) -> tuple[Hop, ...]:
        """The hops up to a node, and the file as a server gives it where the last one is a GGUF."""
        names = list(self.lineage(node))[::-1]
        hops = [self._hop(name, names[at - 1] if at else "") for at, name in enumerate(names)]
        if hops and hops[-1].form == "gguf":
            hops.append(self._by_the_bundle(node, _served(hops[-1])))
        return tuple(hops)

    def _by_the_bundle(self, node: str, hop: Hop) -> Hop:
        """What serves it, where the chain ends in a deployment: the file of the bundle, and what its proof found."""
        vertex, decision = self.graph.vertices[node], self.plan.decisions.get(node)
        if not isinstance(vertex, Node) or vertex.kind != "deployment" or decision is None:
            return hop
        hop = replace(hop, node=node, says="its bundle is not built", tree="", here=False)
        if decision.state is State.KEEP and decision.tree:
            hop = replace(
                hop, tree=decision.tree, here=self.store.has(decision.tree), says="the file of its bundle, by llama-server"
            )
        proof = self.plan.decisions.get(f"{node}.proof")
        trace = self.trace(proof) if proof is not None and proof.state is State.KEEP else None
        if proof is None or trace is None:
            return hop
        measures, gates = dict(trace.measures), proof.gates
        told = f"{measures['same_answers']:.0%} of {measures['asked']:.0f} answers" if "same_answers" in measures else ""
        says = (
            f"its bundle was started: {told} are the direct ones" if told else "every file of its bundle is the one that it names"
        )
        return replace(hop, says=says, gates=gates)

    def lineage(self, node: str) -> Iterator[str]:
        """The models that a node was made of, one after the other: itself first."""
        at: str | None = node
        while at is not None and FORMS.get(type(self.facts.get(at, Artifact()))) is None:
            at = self._before(at)
        while at is not None:
            if self._is_a_form(self.graph.vertices[at]):
                yield at
            at = self._before(at)

    def _is_a_form(self, vertex: Vertex) -> bool:
        """Whether people know it as a model of its own: what one is made of, such as first weights, is not."""
        return isinstance(vertex, Node) and (not vertex.owner or kinds.load(vertex.kind).coerces is not None)

    def _before(self, name: str) -> str | None:
        """The model that this one was made of."""
        vertex = self.graph.vertices[name]
        if isinstance(vertex, Choice):
            return self._winner(vertex)
        if not isinstance(vertex, Node) or vertex.kind == "model":
            return None
        found = [edge for edge in vertex.edges if not edge.order and FORMS.get(type(self._facts_behind(edge.source)))]
        found.sort(key=_surely)
        return found[0].source if found else None

    def _facts_behind(self, name: str) -> Artifact:
        vertex = self.graph.vertices[name]
        name = vertex.takes[0][1] if isinstance(vertex, Choice) else name
        return self.facts.get(name, Artifact())

    def _winner(self, choice: Choice) -> str | None:
        forward = Forward(self.plan.settlement, self.plan.history)
        for name in (*dict(choice.takes).values(), *dict(choice.judges).values(), *dict(choice.verdicts).values()):
            decision = self.plan.decisions[name]
            forward.learn(name, decision.key, self.plan.history.traces.get(decision.key or ""))
        forward.choice(choice)
        return forward.winners.get(choice.name)

    def _hop(self, name: str, before: str) -> Hop:
        vertex, facts, decision = self.graph.vertices[name], self.facts[name], self.plan.decisions[name]
        assert isinstance(vertex, Node)
        hop = Hop(name, _label(vertex, facts, first=not before), FORMS[type(facts)], large=_is_large(facts), call=self.front.call)
        if decision.state is State.KEEP and decision.tree:
            hop = replace(hop, tree=decision.tree, here=self.store.has(decision.tree))
        if isinstance(facts, Adapter):
            base = next((edge.source for edge in vertex.edges if edge.field in ("base", "student")), before)
            hop = replace(hop, base=self.plan.decisions[base].tree or "" if base in self.plan.decisions else "")
        hop = self._proven(hop)
        if not hop.proof and before:
            hop = replace(hop, says="training changes it" if isinstance(facts, Adapter) else f"its {vertex.kind} changes it")
        return self._with_files(hop, before)

    def _proven(self, hop: Hop) -> Hop:
        """With what its proof measured."""
        name = f"{hop.node}.proof"
        decision = self.plan.decisions.get(name)
        vertex = self.graph.vertices.get(name)
        mine = self.graph.vertices[hop.node]
        if decision is None or not isinstance(vertex, Node) or (isinstance(mine, Node) and mine.kind in _STARTS):
            return hop  # a base was not made of another model: it is no hop
        hop = replace(hop, proof=name, gates=decision.gates)
        trace = self.trace(decision)
        if decision.state is not State.KEEP or trace is None:
            return replace(hop, says="its proof is not built")
        hop = replace(hop, proven=True, measures=dict(trace.measures), difference=self._difference(decision))
        whole = "its proof: every tensor is there, it loads and answers"
        return hop if self._compares(hop) or not hop.holds else replace(hop, says=whole)

    def _compares(self, hop: Hop) -> bool:
        """Whether its proof holds it against the form before; a merge has several, and is only looked at."""
        proof = self.graph.vertices.get(hop.proof)
        return isinstance(proof, Node) and "kl" in kinds.load(proof.kind).measures

    def trace(self, decision: Decision) -> Trace | None:
        """What is kept of a node."""
        return self.front.read_trace(decision.key) if decision.key else None

    def _difference(self, proof: Decision) -> str:
        """The first text or chat that the two engines of a proof read in different ways."""
        for told in self.documents(proof.tree):
            for name in ("texts", "chats"):
                examples = told.get(name)
                if isinstance(examples, list) and examples and isinstance(examples[0], dict):
                    first = examples[0]
                    return f"{first.get('engine', name)}: {json.dumps(first.get('of'), ensure_ascii=False)[:80]}"
        return ""

    def documents(self, tree: str | None) -> Iterator[dict[str, object]]:
        """Every small JSON document of a tree's own folder."""
        if not tree or not self.store.has(tree):
            return
        for name in self.front.world.list(self.store.path(tree)):
            if name.endswith(".json"):
                told = self.document_of(self.front, self.store.path(tree) / name)
                if isinstance(told, dict):
                    yield told

    @staticmethod
    def document_of(front: Front, path: Path) -> object:
        """What a file of JSON holds; nothing when it is not there, too large or none."""
        seen = front.world.stat(path, follow=True)
        if seen is None or seen.kind != "file" or seen.size > _LARGEST:
            return None
        try:
            told: object = json.loads(front.world.read(path))
        except (ValueError, RecursionError):
            return None
        return told

    def _with_files(self, hop: Hop, before: str) -> Hop:
        """Where a proof does not compare tokenizers, the files of two folders say whether they are one: byte for byte."""
        if hop.form != "folder" or not hop.here or not before or not self._compares(hop):
            return hop
        earlier = self._folder_before(before)
        measures = dict(hop.measures)
        for name, files in (("same_tokens", _TOKENS), ("same_template", _TEMPLATE)):
            if name not in measures and earlier is not None:
                here = self._digests(self.store.path(hop.tree), files)
                measures |= {name: float(here == self._digests(earlier, files))} if any(here) else {}
        return replace(hop, measures=measures)

    def _folder_before(self, name: str) -> Path | None:
        """The nearest earlier form that has its tokenizer beside it; an adapter has that of its base."""
        for each in self.lineage(name):
            tree = self.plan.decisions[each].tree
            if FORMS[type(self.facts[each])] == "folder" and tree and self.store.has(tree):
                return self.store.path(tree)
        return None

    def _digests(self, folder: Path, names: tuple[str, ...]) -> list[str]:
        world = self.front.world
        return [world.digest(folder / name) if world.exists(folder / name) else "" for name in names]


_LARGEST = 5_000_000  # bytes of a document
_LARGE = 3_000_000_000  # parameters: above, single precision would double what it takes to answer


def _surely(edge: Edge) -> int:
    first = edge.field.partition(".")[0]
    return _CARRIERS.index(first) if first in _CARRIERS else len(_CARRIERS)


def _label(node: Node, facts: Artifact, *, first: bool) -> str:
    if isinstance(facts, Gguf | Onnx | Mlc | HfQuant):
        return str(facts.type or node.kind)
    if isinstance(facts, Adapter):
        return "adapter"
    return "base" if first or node.kind == "model" else node.kind


def _is_large(facts: Artifact) -> bool:
    base = facts if isinstance(facts, Model) else None
    if base is None:
        return False
    return (base.layers or 0) * (base.width or 0) ** 2 * 12 > _LARGE


def _served(last: Hop) -> Hop:
    """A bare llama-server of the last file: the same bytes, so what is left to differ is the template that it applies."""
    shares = {name: last.measures[name] for name in ("same_template",) if name in last.measures}
    says = "the same file, by llama-server on this machine"
    return replace(last, label=SERVED, measures=shares, proof="", proven=False, gates=(), difference="", says=says)
