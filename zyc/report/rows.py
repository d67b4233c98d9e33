"""The lines of a plan: a node each, or several that share a cause, with what is said of them in a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zyc import kinds
from zyc.catalogue.devices import Device
from zyc.gates import Interval
from zyc.graph import Node
from zyc.keeping.traces import Trace
from zyc.planning import offers
from zyc.planning.plan import Cause, Decision, GateOutlook, Plan, State, Why
from zyc.planning.why import Reason, moved, reasons
from zyc.quantity import about, in_bytes, in_time
from zyc.report import devices
from zyc.report.console import safe

_MANY = {Why.NEW: 40, Why.CHANGED: 40}  # from here on nodes of one cause share a line
_SEVERAL = 6
_EXPLAINED = 40
_BRIEF = 30  # letters of a value in a table; `zyc why` shows more

Read = Callable[[str], Trace | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a node, or several that share a cause."""

    label: str
    nodes: tuple[str, ...]
    state: State
    because: str
    result: str = ""
    memory: str = ""
    time: str = ""
    there: tuple[str, ...] = ()  # on each device that has a column


def is_quiet_keep(decision: Decision) -> bool:
    """Whether nothing at all happens to a node, not even that its tree is fetched."""
    return decision.state is State.KEEP and decision.cause.why is not Why.FETCH


@dataclass(frozen=True, slots=True)
class Listing:
    """The nodes that a plan shows, and what is folded into the line of each: counts are of what is shown."""

    shown: tuple[Decision, ...]
    folded: Mapping[str, tuple[Decision, ...]]

    def of(self, decision: Decision) -> tuple[Decision, ...]:
        """A node, and all that its line stands for besides."""
        return (decision, *self.folded.get(decision.name, ()))

    def count(self, *states: State) -> int:
        """How many of those that are shown are in one of these states."""
        return sum(1 for each in self.shown if each.state in states)


def listing(plan: Plan, *, every: bool = False) -> Listing:
    """Proofs and parts fold into their owner's line, and a prompt is a step of its own in no plan."""
    listed = [each for each in plan.decisions.values() if not _is_small(plan, each)] or list(plan.decisions.values())
    shown, folded = [], dict[str, list[Decision]]()
    for each in listed:
        holder = each.name
        while not every and _is_folded(plan, node := node_of(plan, plan.decisions[holder])):
            holder = node.name.rpartition(".")[0]
        if holder == each.name:
            shown.append(each)
        else:
            folded.setdefault(holder, []).append(each)
    return Listing(tuple(shown), {name: tuple(them) for name, them in folded.items()})


def _is_small(plan: Plan, decision: Decision) -> bool:
    """Whether a node is too small to be listed; one that is in trouble is."""
    return kinds.load(node_of(plan, decision).kind).quiet and decision.cause.why is not Why.FAILED


def rows_of(
    plan: Plan, told: Listing, shown: Sequence[Decision], read: Read, *, every: bool = False, brief: bool = False
) -> Iterable[Row]:
    """Members of a family share a line; so do many nodes of one cause. `brief` leaves to the gates what is said of them."""
    vertices = plan.graph.vertices
    alike: dict[tuple[object, ...], list[Decision]] = {}
    for each in shown:
        root = _root(plan, each.cause)
        alike.setdefault((each.state, each.cause.why, root, vertices[each.name].kind), []).append(each)  # type: ignore[union-attr]
    order = {each.name: at for at, each in enumerate(shown)}
    groups: dict[tuple[object, ...], list[Decision]] = {}
    for like, decisions in alike.items():
        if every:
            groups |= {(each.name,): [each] for each in decisions}
            continue
        nodes = [(each, node_of(plan, each)) for each in decisions]
        many = len({node.family or node.name for _, node in nodes}) > _MANY.get(decisions[0].cause.why, _SEVERAL)
        for each, node in nodes:
            group = like if many else (*like, node.family) if node.family else (each.name,)
            groups.setdefault(group, []).append(each)
    rows = sorted(groups.values(), key=lambda group: _standing(node_of(plan, group[0]), order))
    labels = _labels(plan, rows)
    columns = devices.columns(plan)
    for at, (label, members) in enumerate(zip(labels, rows, strict=True)):
        because = why_of(plan, members[0], read if at < _EXPLAINED else lambda _: None, brief=brief)
        yield _row(plan, label, because, members, [part for each in members for part in told.of(each)], columns)


def _standing(node: Node, order: Mapping[str, int]) -> tuple[int, bool, int]:
    """Where a line stands: as the plan has it, what the compiler put there right behind its owner."""
    return order.get(node.owner, order[node.name]), node.owner in order, order[node.name]


def node_of(plan: Plan, decision: Decision) -> Node:
    """The node that a decision is about."""
    node = plan.graph.vertices[decision.name]
    assert isinstance(node, Node)
    return node


def _is_folded(plan: Plan, node: Node) -> bool:
    """A proof or part says nothing of its own while it shares the state of its owner."""
    owner, _, suffix = node.name.rpartition(".")
    if not node.owner or owner not in plan.decisions:
        return False
    here, there = plan.decisions[node.name], plan.decisions[owner]
    if here.state is not there.state or here.cause.why in (Why.FAILED, Why.RUNS) or any(each.bad for each in here.gates):
        return False
    fetched = [each.cause.why is Why.FETCH for each in (here, there)]
    parts = (edge.source for edge in plan.graph.vertices[owner].edges if edge.field.startswith("parts."))
    return fetched[0] is fetched[1] and (suffix == "proof" or node.name in parts)


def _root(plan: Plan, cause: Cause) -> str:
    """Where a cause stands: of a family, its name."""
    vertex = plan.graph.vertices.get(cause.root)
    return (vertex.family if isinstance(vertex, Node) else "") or cause.root.removesuffix("@*")


def _row(
    plan: Plan, label: str, because: str, group: Sequence[Decision], told: Sequence[Decision], columns: Sequence[Device]
) -> Row:
    """The line of a node, or of several; `told` has what is folded into it, too: times add up, the most memory counts."""
    first, names, nowhere = group[0], tuple(each.name for each in group), ("",) * len(columns)
    if first.cause.why is Why.FETCH:
        weight = in_bytes(sum(each.estimate.disk or 0 for each in told))
        return Row(label, names, first.state, because, f"{weight} ↓", there=nowhere)
    result = _result(first, told) if len(group) == 1 else ""
    if first.state is State.BLOCKED:
        return Row(label, names, first.state, because, result, there=nowhere)
    memory = max((each.estimate.memory or 0 for each in told), default=0)
    held, cannot = in_bytes(memory) if memory else "", next((each.cannot for each in told if each.cannot), "")
    if not columns:
        because += f" ({cannot})" if cannot else ""
        return Row(label, names, first.state, because, result, held, _times(told))
    machine, gpu = plan.settlement.known.machine, max((each.estimate.gpu_memory or 0 for each in group), default=0)
    if gpu and (first.cannot or machine.gpus):
        held = f"{in_bytes(gpu)} gpu"
    time = cannot or ("no network" if first.estimate.download and machine.offline else _times(told))
    if not time and len(group) == 1 and (says := offers.imitated(first.thought, machine, devices.placement_of(plan, first))):
        time = f"no {says}"
    if cannot and machine.memory is not None and memory > machine.memory and first.thought.work is None:
        time = f"{memory / 1e9:.3g} > {machine.memory / 1e9:.3g} GB"
    return Row(label, names, first.state, because, result, held, time, devices.cells(plan, told, columns))


def _result(first: Decision, told: Sequence[Decision]) -> str:
    """What comes of a node: as it says itself, as its parts say, or how large it was."""
    words = first.estimate.result or _together([each.estimate.result for each in told if each.estimate.result])
    return words or (in_bytes(first.estimate.disk) if first.measured and first.estimate.disk else "")


def _together(results: Sequence[str]) -> str:
    """`180 questions` and `30 questions` are `210 questions`."""
    counts: dict[str, int] = {}
    for count, _, what in (each.partition(" ") for each in results):
        if not count.replace(",", "").isdigit():
            return ", ".join(results)
        counts[what] = counts.get(what, 0) + int(count.replace(",", ""))
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _labels(plan: Plan, rows: Sequence[Sequence[Decision]]) -> list[str]:
    """What each line is called: what the compiler put there hangs on its owner."""
    alone = {group[0].name for group in rows if len(group) == 1}
    owners = [node.owner if len(group) == 1 and (node := node_of(plan, group[0])).owner in alone else "" for group in rows]
    told, last = [], {owner: at for at, owner in enumerate(owners)}
    for at, (group, owner) in enumerate(zip(rows, owners, strict=True)):
        branch = "├" if last[owner] > at else "└"
        told.append(f" {branch} {group[0].name.removeprefix(owner)}" if owner else _label(plan, group))
    return told


def _label(plan: Plan, group: Sequence[Decision]) -> str:
    first = node_of(plan, group[0])
    if len(group) == 1:
        return first.name
    families = {node_of(plan, each).family for each in group}
    if len(families) == 1 and first.family:
        return f"{first.family}[{len(group)}]"
    return f"{len(group):,} {first.kind}s"


def _times(group: Sequence[Decision]) -> str:
    known = [each.estimate.seconds for each in group if each.estimate.seconds is not None]
    if not known:
        return ""
    low, high = sum(each.low for each in known), sum(each.high for each in known)
    more = "+" if len(known) < len(group) else ""
    return span_of_time(Interval(low, high)) + more


def span_of_time(time: Interval) -> str:
    """`3 min`, `2 to 5 min`, `50 s to 3 h`: what lies so far apart is told in round figures."""
    low, high = in_time(time.low), in_time(time.high)
    if low == high or time.high < 1:
        return low if low == high else f"{low} to {high}"
    low, high = about(time.low), about(time.high)
    if low == high:
        return high
    return f"{low.split()[0] if low.split()[1] == high.split()[1] else low} to {high}"


def why_of(plan: Plan, decision: Decision, read: Read, *, brief: bool = False) -> str:
    """The cause of a node in a few words; a cause stands at its root, and is only pointed to from below."""
    cause = decision.cause
    root = _root(plan, cause)
    node = node_of(plan, decision)
    if cause.why is Why.NEW:
        words = "inserted" if node.inserted else "new"
    elif cause.why is Why.FAILED:
        words = f"failed last time: {cause.text}"
    elif cause.why is Why.CHANGED:
        words = short(reasons(plan, decision.name, read)) or "it changed"
    elif cause.why is Why.INPUT:
        words = f"`{root}` {moved(root)}" if root else "its inputs are others now"
    elif cause.why is Why.WAITS:
        words = f"only if `{root}` changes"
    elif cause.why is Why.MISSING:
        words = "its tree is gone"
    elif cause.why is Why.GATE:
        words = _a_gate(plan, cause) if brief else gate_words(plan, cause)
    elif cause.why is Why.UPSTREAM:
        words = f"behind `{cause.root}`"
    else:
        words = cause.text
    return safe(words + _from_state(decision))


def _from_state(decision: Decision) -> str:
    if decision.state is State.RESUME:
        return ", goes on from " + ("its state" if decision.saved is None else "step {:,} of {:,}".format(*decision.saved))
    return f", its state cannot go on: {decision.resume}" if decision.resume else ""


def _a_gate(plan: Plan, cause: Cause) -> str:
    """What is said where the gates stand below: of which node where there are several that hold something up."""
    bad = [name for name, each in plan.decisions.items() if any(gate.bad for gate in each.gates)]
    return "a gate" if bad == [cause.root] else f"a gate of `{cause.root}`" if cause.root in bad else gate_words(plan, cause)


def gate_words(plan: Plan, cause: Cause) -> str:
    """`count` fails `letters >= 50`: it is 9, off by 41."""
    root = plan.decisions.get(cause.root)
    bad = next((each for each in root.gates if each.bad), None) if root is not None else None
    if bad is None:
        return f"`{cause.root}`: {cause.text}"
    return f"`{cause.root}` {bad.verdict.value} `{bad.gate}`: {briefly(bad)}"


def briefly(gate: GateOutlook) -> str:
    """What is said of a gate where the gate itself stands beside it."""
    return gate.text.removeprefix(f"`{gate.gate}`: ")


def short(found: Sequence[Reason], limit: int = 3) -> str:
    """The first few reasons."""
    words = ", ".join(each.told(_BRIEF) for each in found[:limit])
    return words + (f" and {len(found) - limit} more" if len(found) > limit else "")


def elsewhere(trace: Trace) -> str:
    """Where a result was made that was taken in: `colab, 1 x Tesla T4, linux, Python 3.12.11`."""
    there = trace.environment
    python = f"Python {there['python']}" if "python" in there else ""
    words = (there.get("host", ""), there.get("accelerator", ""), there.get("platform", ""), python)
    return safe(", ".join(word for word in words if word))
