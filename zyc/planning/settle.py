"""Every node with all that can be said of it before anything runs: facts, objections, estimate, lines of its manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from zyc import kinds
from zyc.compile.plain import plain_gate
from zyc.gates import Gate, Interval
from zyc.graph import Choice, Cluster, Graph, Node
from zyc.kept import Kept
from zyc.kind import Ancestor, Case, EnvironmentNeed, Estimate, FileNeed, Group, HubNeed, Objection, PinNeed, Work
from zyc.planning.digest import Manifest, key_of, of_text, own_lines
from zyc.planning.known import Known, Template, named
from zyc.planning.lineage import lineage
from zyc.planning.render import Rendered, render
from zyc.types import TYPES, Artifact, facts_of, meet


class Settled(NamedTuple):
    """What is known of one node."""

    facts: Artifact
    facts_id: str  # equal when the facts are
    estimate: Estimate = Estimate()
    own: Manifest = ()
    own_digest: str = ""
    objections: tuple[Objection, ...] = ()
    notes: tuple[Objection, ...] = ()  # what is allowed and better known
    bounds: tuple[Gate, ...] = ()  # that facts decide, beside those of its shape


@dataclass(frozen=True, slots=True)
class Settlement:
    """Every vertex settled, inputs first."""

    graph: Graph
    known: Known
    nodes: Mapping[str, Settled]
    twin: bool = False

    def case(self, node: Node) -> Case[Any]:
        """All that the kind of a node may look at."""
        return _case(self.graph, node, self.nodes, self.known, twin=self.twin)

    def rendered(self, node: Node) -> Rendered:
        """The files of a node's step folder."""
        return render(kinds.load(node.kind), self.case(node), template_of(node, self.known))

    def gates(self, node: Node) -> tuple[Gate, ...]:
        """What a node is held to: what its spec and kind say, and what facts say of the other measures."""
        written = node.shape.twin_gates if self.twin else node.shape.gates
        named = {gate.measure for gate in written}
        return (*(gate for gate in self.nodes[node.name].bounds if gate.measure not in named), *written)

    def unpinned(self) -> frozenset[str]:
        """What has no pin in the lock, without packages that no script of this graph names: a branch of its template does."""
        if not self.known.unpinned or not any(template.branches for template in self.known.templates.values()):
            return self.known.unpinned
        may: set[str] = set()
        do = {need.name for node in self.graph.nodes() for need in node.shape.needs if isinstance(need, PinNeed)}
        for node in self.graph.nodes():
            template = template_of(node, self.known)
            packages = named(self.rendered(node).recipe.values()) if template.branches else template.dependencies
            may.update(f"package:{name}" for name in template.dependencies)
            do.update(f"package:{name}" for name in packages)
        return self.known.unpinned - (may - do)


def template_of(node: Node, known: Known) -> Template:
    """The templates of a node's kind."""
    return known.templates.get(node.kind, Template())


def _case(graph: Graph, node: Node, settled: Mapping[str, Settled], known: Known, *, twin: bool) -> Case[Any]:
    inputs = {edge.field: settled[edge.source].facts for edge in node.edges if not edge.order}
    files = {
        need.path: known.files[need.path] for need in node.shape.needs if isinstance(need, FileNeed) and need.path in known.files
    }
    hubs = {need.name: known.hubs[need.name] for need in node.shape.needs if isinstance(need, HubNeed)}
    return Case(node.spec, inputs, files, known.pins, hubs, node.values, twin, *_lineage(graph, node, settled, known))


def _lineage(
    graph: Graph, node: Node, settled: Mapping[str, Settled], known: Known
) -> tuple[tuple[Ancestor, ...], tuple[tuple[str, str], ...]]:
    """All that the node stands on, where its kind asks for it."""
    if not node.shape.lineage:
        return (), ()
    facts = {name: each.facts for name, each in settled.items()}
    own = {name: each.own_digest for name, each in settled.items()}
    return lineage(graph, node, facts, own, known)


def settle(graph: Graph, known: Known, kept: Kept, *, twin: bool = False) -> Settlement:
    """Ask every kind about every node of its own, inputs first."""
    settled: dict[str, Settled] = {}
    for vertex in graph.vertices.values():
        if isinstance(vertex, Cluster):
            settled[vertex.name] = _cluster(vertex, settled)
        elif isinstance(vertex, Choice):
            facts = meet([settled[name].facts for _, name in vertex.takes])
            settled[vertex.name] = Settled(facts, facts_id(facts))
        else:
            settled[vertex.name] = _node(graph, vertex, settled, known, kept, twin=twin)
    return Settlement(graph, known, settled, twin)


def _cluster(cluster: Cluster, settled: Mapping[str, Settled]) -> Settled:
    facts = Group(tuple((edge.field, settled[edge.source].facts) for edge in cluster.members))
    return Settled(facts, of_text("\n".join(f"{edge.field} {settled[edge.source].facts_id}" for edge in cluster.members)))


def facts_id(facts: Artifact) -> str:
    """A text that is equal when the facts are."""
    return repr(facts)


def _node(graph: Graph, node: Node, settled: Mapping[str, Settled], known: Known, kept: Kept, *, twin: bool) -> Settled:
    # what an ancestor says by itself is in no question: a kind that asks for its lineage is asked each time
    question = _question(node, settled, known, twin=twin) if node.digest and not node.shape.lineage else None
    if question is not None:
        answer = kept.get("settled", question)
        if answer is not None:
            name, values, estimate, own, own_digest, told, bounds = answer
            notes = tuple(Objection(*each) for each in told)
            held = tuple(Gate(*each) for each in bounds)
            return Settled(*_read_facts(name, values), _read_estimate(estimate), own, own_digest, notes=notes, bounds=held)
    kind = kinds.load(node.kind)
    case = _case(graph, node, settled, known, twin=twin)
    missing = any(isinstance(need, FileNeed) and need.path in known.missing for need in node.shape.needs)
    # a kind is asked about a node whose files are there
    objections = () if missing else tuple(kind.check(case))
    if missing or objections:
        facts = TYPES[node.shape.yields]()
        return Settled(facts, facts_id(facts), objections=objections)
    facts, estimate, notes, bounds = kind.facts(case), kind.estimate(case), tuple(kind.notes(case)), kind.foreseen(case)
    rendered = render(kind, case, template_of(node, known))
    template = template_of(node, known)
    # how a project of its own launches a step may change what comes out of it
    apart = {
        path: text
        for path, text in template.own.items()
        if not path.startswith(tuple(f"{node.kind}/{part}/" for part in ("recipe", "lib", "parts")))
    }
    own = own_lines(kind, node.shape, case, rendered.recipe, known.environment, apart)
    if question is not None and _is_plain(facts):
        values = tuple(value for _, value in facts_of(facts))
        told = tuple((each.field, each.says, each.help) for each in notes)
        plain = tuple(plain_gate(each) for each in bounds)
        answer = (type(facts).__name__, values, _plain_estimate(estimate), own, key_of(own), told, plain)
        kept.keep("settled", question, answer)
    return Settled(facts, facts_id(facts), estimate, own, key_of(own), notes=notes, bounds=bounds)


def _question(node: Node, settled: Mapping[str, Settled], known: Known, *, twin: bool) -> tuple[object, ...]:
    """Everything that a kind's answers about a node depend on."""
    needs: list[str] = []
    for need in node.shape.needs:
        if isinstance(need, FileNeed):
            found = known.files.get(need.path)
            needs.append(found.digest if found else "")
        elif isinstance(need, EnvironmentNeed):
            needs.append(known.environment.get(need.name, ""))
        elif isinstance(need, PinNeed):
            needs.append(known.pins.get(need.name, ""))
        elif isinstance(need, HubNeed):
            needs.append(of_text(repr(known.hubs[need.name])))
    facts = tuple([settled[edge.source].facts_id for edge in node.edges if not edge.order])
    values = tuple(node.values.items()) if node.values else ()
    template = template_of(node, known)
    needs += [known.pins.get(f"package:{name}", "") for name in template.dependencies]
    return (node.kind, node.digest, facts, tuple(needs), values, template.digest, twin)


def _is_plain(facts: Artifact) -> bool:
    """Whether the facts can be kept: made of plain values only."""

    def plain(value: object) -> bool:
        return value is None or isinstance(value, str | int | float) or (type(value) is tuple and all(map(plain, value)))

    return all(plain(value) for _, value in facts_of(facts))


@cache
def _read_facts(name: str, values: tuple[Any, ...]) -> tuple[Artifact, str]:
    """Facts and their id; many nodes give the same."""
    facts = TYPES[name](*values)
    return facts, facts_id(facts)


def _plain_estimate(estimate: Estimate) -> tuple[Any, ...]:
    seconds = (estimate.seconds.low, estimate.seconds.high, estimate.seconds.because) if estimate.seconds else None
    measures = tuple((name, (each.low, each.high, each.because)) for name, each in estimate.measures)
    work = tuple(estimate.work) if estimate.work is not None else None
    needs = (estimate.memory, estimate.gpu_memory, estimate.disk, estimate.download)
    return (seconds, *needs, estimate.result, measures, work, estimate.wide, estimate.scratch)


@cache
def _read_estimate(plain: tuple[Any, ...]) -> Estimate:
    seconds, memory, gpu_memory, disk, download, result, measures, work, wide, scratch = plain
    told = tuple((name, Interval(*each)) for name, each in measures)
    time = Interval(*seconds) if seconds else None
    return Estimate(time, memory, gpu_memory, disk, download, result, told, Work(*work) if work else None, wide, scratch)


def named_values(node: Node, known: Known) -> set[str]:
    """The vars and matrix values that a node's own code names: `ZYC_VARS_EPOCHS`."""
    kind = kinds.load(node.kind)
    texts = [
        known.files[need.path].text or "" for need in node.shape.needs if isinstance(need, FileNeed) and need.path in known.files
    ]
    texts += [str(getattr(node.spec, name)) for name, told in kind.Spec.model_fields.items() if _is_verbatim(told)]
    return {word for text in texts for word in re.findall(r"ZYC_(?:VARS|MATRIX)_[A-Z0-9_]+", text)}


def _is_verbatim(told: Any) -> bool:
    return isinstance(told.json_schema_extra, dict) and bool(told.json_schema_extra.get("verbatim"))
