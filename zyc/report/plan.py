"""A plan as a table on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from zyc import kinds
from zyc.errors import Problem
from zyc.gates import Interval, Outlook, Verdict
from zyc.plan import Decision, GateOutlook, Plan, State, Why
from zyc.quantity import in_bytes, in_time
from zyc.report import devices
from zyc.report.console import Console, safe
from zyc.report.rows import Read, Row, briefly, is_quiet_keep, node_of, rows_of, span_of_time
from zyc.schedule import ways

COLOURS = {State.KEEP: "dim", State.RUN: "green", State.RESUME: "cyan", State.MAYBE: "yellow", State.BLOCKED: "red"}
_MANY = {Why.NEW: 40, Why.CHANGED: 40}  # from here on nodes of one cause share a line
_SEVERAL = 6
_EXPLAINED = 40
_TOLD = 3
_EVERYBODYS = {"disk-short", "store-read-only"}  # no part of a build could do without
_BRIEF = 30  # letters of a value in a table; `zyc why` shows more


def table(console: Console, plan: Plan, read: Read, lacks: Sequence[Problem], *, title: str, every: bool = False) -> None:
    """What would happen, on a screen."""
    listed = [each for each in plan.decisions.values() if not _is_small(plan, each)]
    kept = [each for each in listed if is_quiet_keep(each)]
    shown = list(plan.decisions.values()) if every else [each for each in listed if not is_quiet_keep(each)]
    console.say(heading(console, plan, title))
    rows = list(rows_of(plan, shown, read, every=every))
    if rows:
        console.print()
        body = [(row.label, _painted(console, row), row.because, row.result, row.memory, row.time, *row.there) for row in rows]
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


def _painted(console: Console, row: Row) -> str:
    return console.paint(row.state.value, COLOURS[row.state])


def _is_small(plan: Plan, decision: Decision) -> bool:
    """Whether a node is too small to be listed; one that is in trouble is."""
    return kinds.load(node_of(plan, decision).kind).quiet and decision.cause.why is not Why.FAILED


def heading(console: Console, plan: Plan, title: str) -> str:
    """What the plan is of, and how much."""
    counted = f"{len(plan.decisions):,} node{'s' if len(plan.decisions) != 1 else ''}"
    built = plan.count(State.KEEP)
    state = "nothing built yet" if not built and not plan.history.last else f"{built:,} kept"
    twin = " · twin" if plan.settlement.twin else ""
    waiting = any(each.estimate.download for each in plan.decisions.values() if each.state is not State.KEEP)
    twin += " · offline" if plan.settlement.known.machine.offline and waiting else ""
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
        words.append(f"{len(plan.fetches):,} from {safe(plan.history.remote_name)}, {in_bytes(weight(plan))} ↓")
    elsewhere = {
        each.name for each in devices.working(plan) if each.cannot
    }  # what takes so long that nobody would wait for it here
    known = [each.estimate.seconds for each in running if each.estimate.seconds is not None and each.name not in elsewhere]
    if known:
        total = _side_by_side(plan, known)
        words.append(f"about {span_of_time(total)}")
        work = sum(each.high for each in known)
        if work > 1.5 * total.high and work >= 1:
            words.append(f"{in_time(work)} of work")
        price = plan.settlement.known.machine.price * total.high / 3600
        if price >= 0.005:
            words.append(f"≈ {price:.2f} at {plan.settlement.known.machine.price:g} an hour")
    unknown = sum(1 for each in running if each.name not in elsewhere) - len(known)
    if unknown > 0:
        words.append(f"{unknown:,} of unknown length" if known else "of unknown length")
    download = sum(each.estimate.download for each in running)
    if download:
        words.append(f"{in_bytes(download)} to download")
    disk, free = sum(each.estimate.disk or 0 for each in running) + weight(plan), plan.settlement.known.machine.disk
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


def weight(plan: Plan) -> int:
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
    for device in devices.columns(plan):
        if device.wheels:
            console.say(console.paint(f"{device.says}: {device.wheels}", "dim"))
    stuck = [each.name for each in devices.working(plan) if each.cannot]
    if stuck:
        console.say(
            f"next   zyc render {safe(stuck[0])} --as notebook   runs it on another machine; `zyc adopt` brings home what it made"
        )
    if plan.settlement.unpinned():
        said = f"unpinned: {_unpinned(plan)} (`zyc lock` or the next build pins them)"
        console.say(console.paint(said, "yellow"))


def _unpinned(plan: Plan) -> str:
    """Names; packages of rendered scripts have a tested version, and are counted once there are some."""
    names = sorted(plan.settlement.unpinned())
    packages = [name for name in names if name.startswith("package:")]
    if len(packages) <= _TOLD:
        return ", ".join(names)
    others = [name for name in names if name not in packages]
    return ", ".join([*others, f"{len(packages)} packages, at the versions that they were tested at"])
