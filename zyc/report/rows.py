"""The lines of a plan: a node each, or several that share a cause, with what is said of them in a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zyc.catalogue.devices import Device
from zyc.gates import Interval
from zyc.graph import Node
from zyc.plan import Cause, Decision, GateOutlook, Plan, State, Why
from zyc.quantity import in_bytes, in_time
from zyc.report import devices
from zyc.report.console import safe
from zyc.traces import Trace
from zyc.why import Reason, moved, reasons

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


def rows_of(plan: Plan, shown: Sequence[Decision], read: Read, *, every: bool) -> Iterable[Row]:
    """Members of a family share a line; so do many nodes of one cause; proofs and parts fold into their owner's line."""
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
        nodes = [(each, node) for each in decisions if not _is_folded(plan, node := node_of(plan, each))]
        many = len({node.family or node.name for _, node in nodes}) > _MANY.get(decisions[0].cause.why, _SEVERAL)
        for each, node in nodes:
            group = like if many else (*like, node.family) if node.family else (each.name,)
            groups.setdefault(group, []).append(each)
    groups = dict(sorted(groups.items(), key=lambda group: _standing(node_of(plan, group[1][0]), order)))
    columns = devices.columns(plan)
    for at, members in enumerate(groups.values()):
        yield _row(plan, members, read if at < _EXPLAINED else lambda _: None, columns)


def _standing(node: Node, order: Mapping[str, int]) -> tuple[int, int]:
    """Where a line stands: as the plan has it, what the compiler put there right behind its owner."""
    return order.get(node.owner, order[node.name]), order[node.name]


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
    subject = plan.graph.vertices[owner]
    parts = {part.suffix for part in subject.shape.parts} if isinstance(subject, Node) else set()
    here, there = plan.decisions[node.name], plan.decisions[owner]
    return (suffix == "proof" or suffix in parts) and here.state is there.state and not any(each.bad for each in here.gates)


def _root(plan: Plan, cause: Cause) -> str:
    """Where a cause stands: of a family, its name."""
    vertex = plan.graph.vertices.get(cause.root)
    return (vertex.family if isinstance(vertex, Node) else "") or cause.root.removesuffix("@*")


def _row(plan: Plan, group: Sequence[Decision], read: Read, columns: Sequence[Device]) -> Row:
    first = group[0]
    works = first.estimate.work is not None
    because = why_of(plan, first, read) + (f" ({first.cannot})" if first.cannot and not works else "")
    estimate = first.estimate
    result = estimate.result if len(group) == 1 else ""
    if not result and len(group) == 1 and first.measured and estimate.disk:
        result = in_bytes(estimate.disk)
    if first.cause.why is Why.FETCH:
        weight = in_bytes(sum(each.estimate.disk or 0 for each in group))
        names = tuple(each.name for each in group)
        return Row(_label(plan, group), names, first.state, because, f"{weight} ↓", there=("",) * len(columns))
    memory = max((each.estimate.memory or 0 for each in group), default=0)
    label, names = _label(plan, group), tuple(each.name for each in group)
    if first.state is State.BLOCKED:
        return Row(label, names, first.state, because, result, there=("",) * len(columns))
    held = in_bytes(memory) if memory else ""
    if not columns:
        return Row(label, names, first.state, because, result, held, _times(group))
    machine, gpu = plan.settlement.known.machine, max((each.estimate.gpu_memory or 0 for each in group), default=0)
    if gpu and (first.cannot or machine.gpus):
        held = f"{in_bytes(gpu)} gpu"
    time = first.cannot or ("no network" if estimate.download and machine.offline else _times(group))
    return Row(label, names, first.state, because, result, held, time, devices.cells(plan, group, columns))


def _label(plan: Plan, group: Sequence[Decision]) -> str:
    first = node_of(plan, group[0])
    if len(group) == 1:
        owner, dot, suffix = first.name.rpartition(".")
        return (
            f" ├ .{suffix}" if dot and owner in plan.decisions and plan.decisions[owner].state is not State.KEEP else first.name
        )
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
    """`3 min`, `2 min to 5 min`."""
    low, high = in_time(time.low), in_time(time.high)
    return low if low == high else f"{low} to {high}"


def why_of(plan: Plan, decision: Decision, read: Read) -> str:
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
        words = gate_words(plan, cause)
    elif cause.why is Why.UPSTREAM:
        words = f"behind `{cause.root}`"
    else:
        words = cause.text
    return safe(words + _from_state(decision))


def _from_state(decision: Decision) -> str:
    if decision.state is State.RESUME:
        return ", goes on from " + ("its state" if decision.saved is None else "step {:,} of {:,}".format(*decision.saved))
    return f", its state cannot go on: {decision.resume}" if decision.resume else ""


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
