"""A plan as a table, as markdown for a pull request, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from zyc import kinds
from zyc.errors import Problem
from zyc.gates import Interval, Outlook, Verdict
from zyc.graph import Node
from zyc.plan import Cause, Decision, GateOutlook, Plan, State, Why
from zyc.quantity import in_bytes, in_time
from zyc.report import devices
from zyc.report.console import Console, safe
from zyc.schedule import ways
from zyc.traces import Trace
from zyc.why import Reason, moved, reasons

COLOURS = {State.KEEP: "dim", State.RUN: "green", State.RESUME: "cyan", State.MAYBE: "yellow", State.BLOCKED: "red"}
_MANY = {Why.NEW: 40, Why.CHANGED: 40}  # from here on nodes of one cause share a line
_SEVERAL = 6
_EXPLAINED = 40
_TOLD = 3
_EVERYBODYS = {"disk-short", "store-read-only"}  # no part of a build could do without
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


def table(console: Console, plan: Plan, read: Read, lacks: Sequence[Problem], *, title: str, every: bool = False) -> None:
    """What would happen, on a screen."""
    shown = [each for each in plan.decisions.values() if every or not (is_quiet_keep(each) or _is_small(plan, each))]
    console.say(heading(console, plan, title))
    lines = list(rows(plan, shown, read, every=every))
    kept = [each for each in plan.decisions.values() if is_quiet_keep(each) and not _is_small(plan, each)]
    if lines:
        console.print()
        body = [(row.label, _painted(console, row), row.because, row.result, row.memory, row.time, *row.there) for row in lines]
        there = devices.columns(plan)
        head = ("node", "plan", "because", "result", "memory", "here" if there else "time", *(each.says for each in there))
        # devices go first where there is no room for them, the last one before the others
        spare = (*reversed(range(6, 6 + len(there))), 4, 3, 5)
        console.table(body, head=head, flexible=2, right=() if there else (4, 5), spare=spare)
    if kept and not every:
        console.print()
        console.print(console.paint("  " + _folded(console, "unchanged", [each.name for each in kept]), "dim"))
    _gates(console, plan, every=every)
    _misfits(console, plan)
    _footer(console, plan, lacks)


def is_quiet_keep(decision: Decision) -> bool:
    """Whether nothing at all happens to a node, not even that its tree is fetched."""
    return decision.state is State.KEEP and decision.cause.why is not Why.FETCH


def _is_small(plan: Plan, decision: Decision) -> bool:
    """Whether a node is too small to be listed; one that is in trouble is."""
    return kinds.load(node_of(plan, decision).kind).quiet and decision.cause.why is not Why.FAILED


def heading(console: Console, plan: Plan, title: str) -> str:
    """What the plan is of, and how much."""
    counted = f"{len(plan.decisions):,} node{'s' if len(plan.decisions) != 1 else ''}"
    built = plan.count(State.KEEP)
    state = "nothing built yet" if not built and not plan.history.last else f"{built:,} kept"
    twin = " · twin" if plan.settlement.twin else ""
    return f"{console.paint(safe(title), 'bold')}  {console.paint(f'{counted} · {state}{twin}', 'dim')}"


def _folded(console: Console, what: str, names: Sequence[str]) -> str:
    text = f"{len(names):,} {what}"
    room = console.width - len(text) - 6
    part = ""
    for name in names:
        if len(part) + len(name) + 2 > room - 4:
            return f"{text}  {part}…"
        part += f"{name}  "
    return f"{text}  {part.rstrip()}"


# --- rows ---


def rows(plan: Plan, shown: Sequence[Decision], read: Read, *, every: bool) -> Iterable[Row]:
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
    groups = dict(sorted(groups.items(), key=lambda group: order[group[1][0].name]))
    for at, members in enumerate(groups.values()):
        yield _row(plan, members, read if at < _EXPLAINED else lambda _: None)


def _painted(console: Console, row: Row) -> str:
    return console.paint(row.state.value, COLOURS[row.state])


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


def _row(plan: Plan, group: Sequence[Decision], read: Read) -> Row:
    first = group[0]
    works = first.estimate.work is not None
    because = because_of(plan, first, read) + (f" ({first.cannot})" if first.cannot and not works else "")
    estimate = first.estimate
    result = estimate.result if len(group) == 1 else ""
    if not result and len(group) == 1 and first.measured and estimate.disk:
        result = in_bytes(estimate.disk)
    if first.cause.why is Why.FETCH:
        weight, bare = in_bytes(sum(each.estimate.disk or 0 for each in group)), ("",) * len(devices.columns(plan))
        names = tuple(each.name for each in group)
        return Row(_label(plan, group), names, first.state, because, f"{weight} ↓", there=bare)
    memory = max((each.estimate.memory or 0 for each in group), default=0)
    label, names = _label(plan, group), tuple(each.name for each in group)
    if first.state is State.BLOCKED:
        return Row(label, names, first.state, because, result, there=("",) * len(devices.columns(plan)))
    held = in_bytes(memory) if memory else ""
    there = devices.columns(plan)
    if not there:
        return Row(label, names, first.state, because, result, held, _times(group))
    gpu = max((each.estimate.gpu_memory or 0 for each in group), default=0)
    if gpu and (first.cannot or plan.settlement.known.machine.gpus):
        held = f"{in_bytes(gpu)} gpu"
    offline = first.estimate.download and plan.settlement.known.machine.offline
    time = first.cannot or ("no network" if offline else _times(group))
    return Row(label, names, first.state, because, result, held, time, devices.cells(plan, group, there))


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


def because_of(plan: Plan, decision: Decision, read: Read) -> str:
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


# --- gates and totals ---


def _gates(console: Console, plan: Plan, *, every: bool) -> None:
    told = [(each, gate) for each in plan.decisions.values() for gate in each.gates]
    lines = [_gate(console, plan, each, gate) for each, gate in told if every or not _is_quiet(gate)]
    quiet = sum(1 for _, gate in told if _is_quiet(gate)) if not every else 0
    if not lines and not quiet:
        return
    console.print()
    console.print(console.paint("gates", "bold"))
    console.table(lines, flexible=3, spare=(4,))
    for verdict in (Outlook.RUNNING, Verdict.HOLDS) if not every else ():
        some = list(dict.fromkeys(str(gate.gate) for _, gate in told if gate.verdict is verdict))
        if some:
            more = f" and {len(some) - 4} more" if len(some) > 4 else ""
            console.say(f"{_marked(console, verdict)}  {', '.join(some[:4])}{more}", indent=2)


def _is_quiet(gate: GateOutlook) -> bool:
    return gate.verdict in (Outlook.RUNNING, Verdict.HOLDS)


def _gate(console: Console, plan: Plan, decision: Decision, gate: GateOutlook) -> tuple[str, ...]:
    place = node_of(plan, decision).span
    return (
        _marked(console, gate.verdict),
        decision.name,
        f"{gate.gate}",
        briefly(gate),
        f"{place.file}:{gate.gate.line}" if gate.gate.line and gate.bad else "",
    )


def _marked(console: Console, verdict: Verdict | Outlook) -> str:
    mark, colour = {
        Verdict.HOLDS: ("✓", "green"), Outlook.COULD: ("✓", "green"), Outlook.RUNNING: ("?", "yellow"),
        Verdict.FAILS: ("✗", "red"), Outlook.CANNOT: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow"),
    }[verdict]  # fmt: skip
    return f"{console.paint(mark, colour)} {verdict.value.ljust(11)}"


def _misfits(console: Console, plan: Plan) -> None:
    """What no device holds that it is planned for, and three things that would help."""
    found = devices.misfits(plan)
    if not found:
        return
    console.print()
    console.print(console.paint("too large", "bold"))
    for decision, offer, remedies in found[:_TOLD]:
        console.say(console.paint(devices.does_not_fit(safe(decision.name), offer), "red"), indent=2)
        console.table([devices.remedy_words(each) for each in remedies], indent=4, right=(1, 2))
    if len(found) > _TOLD:
        console.say(f"and {len(found) - _TOLD:,} more like that", indent=2)


def _footer(console: Console, plan: Plan, lacks: Sequence[Problem]) -> None:
    running = [each for each in plan.decisions.values() if each.state in (State.RUN, State.RESUME)]
    console.print()
    if not running and not plan.fetches and not plan.count(State.MAYBE, State.BLOCKED):
        console.print("nothing to do")
        return
    words = [
        f"{plan.count(state):,} {state.value}"
        for state in (State.RUN, State.RESUME, State.MAYBE, State.BLOCKED)
        if plan.count(state)
    ]
    if plan.fetches:
        words.append(f"{len(plan.fetches):,} from {safe(plan.history.remote_name)}, {in_bytes(weight_of(plan))} ↓")
    known = [each.estimate.seconds for each in running if each.estimate.seconds is not None]
    if known:
        total = _side_by_side(plan, known)
        words.append(f"about {span_of_time(total)}")
        work = sum(each.high for each in known)
        if work > 1.5 * total.high and work >= 1:
            words.append(f"{in_time(work)} of work")
        price = plan.settlement.known.machine.price * total.high / 3600
        if price >= 0.005:
            words.append(f"≈ {price:.2f} at {plan.settlement.known.machine.price:g} an hour")
    if running and len(known) < len(running):
        words.append(f"{len(running) - len(known):,} of unknown length" if known else "of unknown length")
    download = sum(each.estimate.download for each in running)
    if download:
        words.append(f"{in_bytes(download)} to download")
    disk, free = sum(each.estimate.disk or 0 for each in running) + weight_of(plan), plan.settlement.known.machine.disk
    if free is not None and disk > free / 10:
        words.append(f"{in_bytes(disk)} of disk ({in_bytes(free)} free)")
    words += devices.summed(plan)
    console.say(" · ".join(words))
    _notes(console, plan, lacks)


def _side_by_side(plan: Plan, known: Sequence[Interval]) -> Interval:
    """How long a build takes: its longest way, or all of its work shared out over the machine."""
    low, high = sum(each.low for each in known), sum(each.high for each in known)
    found = ways(plan.graph, plan.decisions, (State.RUN, State.RESUME))
    wall = found.left(found.own, {}, width=plan.settlement.known.machine.cpus)
    share = min(1.0, 2 * wall / (low + high)) if low + high else 1.0
    return Interval(low * share, high * share)


def weight_of(plan: Plan) -> int:
    """The bytes that would be fetched; a tree that two nodes gave counts once."""
    return sum({each.tree: each.estimate.disk or 0 for each in plan.fetches}.values())


def _notes(console: Console, plan: Plan, lacks: Sequence[Problem]) -> None:
    """What is not in the sums: searches that go on, what this machine lacks, what is not pinned."""
    families = {node.family for node in plan.graph.nodes()}
    for search in plan.graph.searches.values():
        chosen = len(plan.graph.families[search.family].rows)
        if search.family in families and chosen < search.runs:
            console.say(
                f"search {search.family}: {chosen} of {search.runs} members chosen, each further one follows from their results"
            )
    if lacks:
        console.say(console.paint("a build would start nothing:", "red"))
        more = [(f"and {len(lacks) - _TOLD} more like that",)] if len(lacks) > _TOLD else []
        more += [("`zyc build --partial` builds the rest",)] if not _EVERYBODYS & {each.code for each in lacks} else []
        console.table([*((each.message,) for each in lacks[:_TOLD]), *more])
    if plan.settlement.known.unpinned:
        names = ", ".join(sorted(plan.settlement.known.unpinned))
        console.say(console.paint(f"unpinned: {names} (`zyc lock` or the next build pins them)", "yellow"))


def cell(text: str) -> str:
    """A text that cannot leave its cell."""
    return safe(text).replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
