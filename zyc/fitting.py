"""Which changes of a node, or of what it stands on, make all of its gates hold: each is planned as if it had been written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from zyc import kinds
from zyc.catalogue import devices
from zyc.craft.arch import answering
from zyc.errors import ZycError
from zyc.fields import read_device, words
from zyc.front import Front
from zyc.gates import Interval, Outlook, Verdict
from zyc.graph import Node
from zyc.kind import Change
from zyc.measures import takes
from zyc.planning.plan import Decision, GateOutlook, Plan, State, Why
from zyc.types import Artifact, Gguf, model_of

A_FIELD = 3  # changes of one field that are told: the least ones
TRIES = 60  # values of one field that are planned
PAIRS = 48  # and pairs of fields
COUNTS = ("prompt_tokens", "new_tokens")  # of answers that are timed, in whatever kind
FEWEST = 8  # tokens
CONTEXT = 4096  # tokens, for memory where nobody says how many


@dataclass(frozen=True, slots=True)
class Outcome:
    """A change, and what is then expected."""

    sets: tuple[str, ...]
    size: float | None = None
    memory: Interval | None = None
    answer: Interval | None = None
    divergence: float | None = None  # the most that a hop is apart from the one before it, or may be
    measured: bool = False  # whether that was measured
    changed: tuple[str, ...] = ()  # other nodes that are something else then
    licence: str = ""  # where it is another one
    front: Front | None = None

    @property
    def says(self) -> str:
        """As it would be written."""
        return ", ".join(each.replace("=", ": ", 1) for each in self.sets)


@dataclass(frozen=True, slots=True)
class Fit:
    """What stands in the way, and what would help."""

    node: str
    gates: tuple[tuple[str, GateOutlook], ...]  # all that hold the node, its parts and its proof
    now: Outcome
    found: tuple[Outcome, ...]
    tried: int
    others: tuple[str, ...] = ()  # members of its family that hold as they are
    behind: str = ""  # another node, a gate of which blocks it

    @property
    def bad(self) -> tuple[tuple[str, GateOutlook], ...]:
        """Those that cannot hold, or do not."""
        return tuple(each for each in self.gates if each[1].bad)


def fit(front: Front, name: str) -> Fit:
    """Single changes first; where none is enough, two of different fields. Of a family, such as help all of its members."""
    plan = front.plan
    names = _members(plan, name)
    here, now = gates_of(plan, names), _outcome(front, names, ())
    bad = any(gate.bad for _, gate in here)
    found: list[Outcome] = []
    tried = 0
    fields = _fields(front, names) if bad else {}
    for sets in fields.values():
        helped = 0
        for each in sets[:TRIES]:
            tried += 1
            outcome = _try(front, names, (each,))
            if outcome is not None:
                found.append(outcome)
                helped += 1
            if helped == A_FIELD:
                break
    if bad and not found:
        for one, two in _pairs(fields):
            tried += 1
            outcome = _try(front, names, (one, two))
            if outcome is not None:
                found.append(outcome)
                break
    return Fit(name, here, now, tuple(found), tried, _that_hold(plan, names) if bad else (), _behind(plan, names))


def _behind(plan: Plan, names: Sequence[str]) -> str:
    """The node a gate of which blocks one of these, where it is none of them."""
    causes = (plan.decisions[name].cause for name in names if plan.decisions[name].state is State.BLOCKED)
    stuck = (each.root for each in causes if each.why in (Why.GATE, Why.UPSTREAM))
    return next((root for root in stuck if not _is_of(root, names)), "")


def has_changes(front: Front, name: str) -> bool:
    """Whether anything of a node, or of what it stands on, could be planned otherwise: nothing is planned for it."""
    return any(_fields(front, _members(front.plan, name)).values())


def gates_of(plan: Plan, names: Sequence[str]) -> tuple[tuple[str, GateOutlook], ...]:
    """The gates of nodes, of their parts and of their proofs."""
    return tuple((each.name, gate) for each in plan.decisions.values() if _is_of(each.name, names) for gate in each.gates)


def _is_of(name: str, names: Sequence[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in names)


def _members(plan: Plan, name: str) -> tuple[str, ...]:
    """The members of a family, or the node itself."""
    return tuple(node.name for node in plan.graph.nodes() if name in (node.name, node.family))


def _that_hold(plan: Plan, names: Sequence[str]) -> tuple[str, ...]:
    """Of the families that the nodes are of, the members with which nothing is wrong."""
    families = {node.family for node in plan.graph.nodes() if node.name in names and node.family}
    every = [node.name for node in plan.graph.nodes() if node.family in families]
    return tuple(each for each in every if not any(gate.bad for _, gate in gates_of(plan, (each,))))


def _try(front: Front, names: Sequence[str], sets: tuple[str, ...]) -> Outcome | None:
    """What comes of a change; None when the specs are then wrong, or a gate still cannot hold."""
    other = front.varied(*sets)
    try:
        held = gates_of(other.plan, names)
    except ZycError:
        return None
    return None if any(gate.bad for _, gate in held) else _outcome(other, names, sets, front)


# --- what could be changed ---


def _fields(front: Front, names: Sequence[str]) -> Mapping[str, list[str]]:
    """By field, what `--set` takes: of the nodes, then of what they stand on, the nearest first; a family is set as a whole."""
    plan = front.plan
    missed = frozenset(gate.gate.measure for _, gate in gates_of(plan, names) if gate.bad)
    told: dict[str, dict[str, None]] = {}
    for node in _lineage(plan, names):
        if node.owner:
            continue  # it is not written as such
        case = plan.settlement.case(node)
        kind = kinds.load(node.kind)
        plain = node.name in names and any(map(takes, missed))  # no machine and no shorter answer makes it better
        for change in (*kind.changes(case, missed), *(_of_fields(case.spec) if plain else ())):
            if node.family and _is_told_apart(front, node, change.field):
                continue  # its matrix says which member has which value
            field = f"{node.family or node.name}.{change.field}"
            told.setdefault(field, {})[f"{field}={change.value}"] = None
    return {field: list(sets) for field, sets in told.items()}


def _is_told_apart(front: Front, node: Node, path: str) -> bool:
    """Whether the members of a family, asked about or not, have different values in a field."""
    values = {str(_value(each.spec, path)) for each in front.compiled.graph.nodes() if each.family == node.family}
    return len(values) > 1


def _value(spec: object, path: str) -> object:
    for part in path.split("."):
        spec = spec.get(part) if isinstance(spec, Mapping) else getattr(spec, part, None)
    return spec


def _lineage(plan: Plan, names: Sequence[str]) -> Iterator[Node]:
    seen, layer = set(names), list(names)
    while layer:
        yield from (node for each in layer if isinstance(node := plan.graph.vertices[each], Node))
        above = [edge.source for each in layer for edge in plan.graph.vertices[each].edges if not edge.order]
        layer = [each for each in dict.fromkeys(above) if each not in seen]
        seen.update(layer)


def _of_fields(group: BaseModel, path: str = "") -> Iterator[Change]:
    """Classes of machines, and how many tokens are asked and answered, wherever a spec has them."""
    for word, told in words(type(group)).items():
        name = next(each for each, field in type(group).model_fields.items() if field is told)
        yield from _of_value(getattr(group, name), f"{path}{word}", device=_is_device(told.annotation, told.metadata))


def _of_value(value: object, path: str, *, device: bool) -> Iterator[Change]:
    if isinstance(value, BaseModel):
        yield from _of_fields(value, f"{path}.")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _of_value(each, f"{path}.{key}", device=False)
    elif device and isinstance(value, str):
        here = devices.device(value)
        others = [each for each in map(devices.device, devices.names()) if each.name != here.name]
        others.sort(key=lambda each: (each.accelerator != here.accelerator, each.price, each.bandwidth))
        yield from (Change(path, each.name) for each in others)
    elif isinstance(value, int) and path.rpartition(".")[2] in COUNTS:
        yield from (Change(path, str(value * part // 4)) for part in (3, 2, 1) if value * part // 4 >= FEWEST)


def _is_device(annotation: Any, metadata: Any = ()) -> bool:
    """Whether a field names a class of machines."""
    if any(getattr(each, "func", None) is read_device for each in (*metadata, *getattr(annotation, "__metadata__", ()))):
        return True
    return any(_is_device(each) for each in get_args(annotation))


def _pairs(fields: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Two changes of different fields, the least ones first."""
    fields = {name: _spread(values) for name, values in fields.items()}
    names = list(fields)
    both = [
        (one + two, fields[names[first]][one], fields[names[second]][two])
        for first in range(len(names))
        for second in range(first + 1, len(names))
        for one in range(len(fields[names[first]]))
        for two in range(len(fields[names[second]]))
    ]
    yield from ((one, two) for _, one, two in sorted(both, key=lambda each: each[0])[:PAIRS])


def _spread(values: list[str], count: int = 4) -> list[str]:
    """A few of them, from the least change to the largest."""
    if len(values) <= count:
        return values
    return [values[at * (len(values) - 1) // (count - 1)] for at in range(count)]


# --- what comes of it ---


def _outcome(front: Front, names: Sequence[str], sets: tuple[str, ...], before: Front | None = None) -> Outcome:
    """What the nodes take then: of several, the one that takes most."""
    plan = front.plan
    sizes, memories, answers = [], [], []
    for name in names:
        known = _measures(plan, name)
        facts = _nearest(plan, name)
        sizes.append(getattr(facts, "bytes", None) or _middle(known.get("bytes")))
        memories.append(_ending(known, "memory_peak") or _memory(facts))
        answers.append(_ending(known, "answer_p95") or _ending(known, "answer_p50"))
    changed, licence = _differences(before.plan, plan, names, sets) if before is not None else ((), "")
    return Outcome(
        sets,
        max((each for each in sizes if each), default=None),
        max((each for each in memories if each), key=_upper, default=None),
        max((each for each in answers if each), key=_upper, default=None),
        *_divergence(plan, names),
        changed,
        licence,
        front,
    )


def _measures(plan: Plan, name: str) -> dict[str, Interval]:
    """What arithmetic knows of the measures of a node and its parts."""
    mine = [each for each in plan.decisions if each == name or each.startswith(f"{name}.")]
    return {measure: told for each in mine for measure, told in plan.settlement.nodes[each].estimate.measures}


def _ending(known: Mapping[str, Interval], end: str) -> Interval | None:
    return next((told for measure, told in known.items() if measure == end or measure.endswith(f".{end}")), None)


def _upper(told: Interval) -> float:
    return told.high


def _middle(told: Interval | None) -> float | None:
    return (told.low + told.high) / 2 if told is not None else None


def _nearest(plan: Plan, name: str) -> Artifact | None:
    """The node itself, or the nearest above it, of whose files the size is known."""
    told = (plan.settlement.nodes[node.name].facts for node in _lineage(plan, (name,)))
    return next((each for each in told if getattr(each, "bytes", None)), None)


def _memory(facts: Artifact | None) -> Interval | None:
    """While it answers, where nobody measures it."""
    if not isinstance(facts, Gguf) or facts.bytes is None:
        return None
    model = model_of(facts.base)
    told = answering.memory(model, facts.bytes, min(CONTEXT, model.context or CONTEXT))
    return Interval(told, told) if told is not None else None


def _divergence(plan: Plan, names: Sequence[str]) -> tuple[float | None, bool]:
    """How far any hop to the nodes is apart from the one before it, at most: as it was measured, or as its proof allows."""
    told: list[tuple[float, bool]] = []
    for node in _lineage(plan, names):
        proof = plan.decisions.get(f"{node.name}.proof")
        kept = plan.history.traces.get(proof.key) if proof is not None and proof.key else None
        if kept is not None and "kl" in kept.measures:
            told.append((kept.measures["kl"], True))
        elif proof is not None:
            bounds = [each.gate for each in proof.gates if each.gate.measure == "kl" and each.gate.sign in ("<", "<=")]
            told += [(each.bound, False) for each in bounds]
    return max(told, default=(None, False))


def _differences(before: Plan, after: Plan, names: Sequence[str], sets: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The nodes that people wrote that are something else then, and another licence."""
    written = {*names, *(each.partition(".")[0] for each in sets)}
    old, new = before.settlement.nodes, after.settlement.nodes
    moved: set[str] = set()
    for vertex in after.graph.vertices.values():
        here = vertex.name not in old or old[vertex.name].own_digest != new[vertex.name].own_digest
        if here or any(edge.source in moved for edge in vertex.edges if not edge.order):
            moved.add(vertex.name)
    # what the compiler inserted is its owner's; behind members stand the members themselves
    families = {node.family for node in after.graph.nodes()}
    told = [node for node in after.graph.nodes() if node.name in moved and node.owner not in families - {""}]
    owners = [node.owner or node.name for node in told]
    one, two = (getattr(each[names[0]].facts, "licence", None) for each in (old, new))
    return tuple(each for each in dict.fromkeys(owners) if each not in written), two if two and two != one else ""


def verdict_words(gate: GateOutlook) -> str:
    """`cannot hold`, `fails`: what is in the way."""
    assert isinstance(gate.verdict, Verdict | Outlook)
    return gate.verdict.value


def costs(decisions: Mapping[str, Decision]) -> float | None:
    """Seconds of all that would run here."""
    told = [each.estimate.seconds for each in decisions.values() if each.estimate.seconds is not None and not each.measured]
    return sum((each.low + each.high) / 2 for each in told) if told else None
