"""A plan as a table on a screen."""

from __future__ import annotations

from collections.abc import Sequence

from zyc.errors import Problem
from zyc.front import Front
from zyc.planning import offers
from zyc.planning.plan import Plan, State, Why
from zyc.quantity import in_bytes, in_time
from zyc.report import advice, bounds, devices, sums
from zyc.report.console import Console, safe
from zyc.report.rows import Listing, Row, is_quiet_keep, listing, rows_of, span_of_time

COLOURS = {State.KEEP: "dim", State.RUN: "green", State.RESUME: "cyan", State.MAYBE: "yellow", State.BLOCKED: "red"}
_MOVES = (State.RUN, State.RESUME, State.MAYBE, State.BLOCKED)
_TOLD = 3
_EVERYBODYS = {"disk-short", "store-read-only"}  # no part of a build could do without
_CAUSE, _BRIEFLY = 22, 6  # columns of a cause, where what comes out, where devices need the room


def table(console: Console, front: Front, lacks: Sequence[Problem], *, title: str, every: bool = False) -> None:
    """What would happen, on a screen."""
    plan, read = front.plan, front.read_trace
    told = listing(plan, every=every)
    kept = [each for each in told.shown if is_quiet_keep(each)]
    shown = told.shown if every else [each for each in told.shown if not is_quiet_keep(each)]
    console.say(heading(console, front, told, title))
    rows = list(rows_of(plan, told, shown, read, every=every, brief=True))
    if rows:
        console.print()
        body = [(row.label, _painted(console, row), row.because, row.result, row.memory, row.time, *row.there) for row in rows]
        there = devices.columns(plan)
        head = ("node", "plan", "because", "result", "memory", "here" if there else "time", *(each.says for each in there))
        # what comes out goes first where there is no room, the devices last
        spare = (3, 4, 5, *reversed(range(6, 6 + len(there)))) if there else (4, 3, 5)
        enough = (_CAUSE, *(_BRIEFLY for _ in spare[1:])) if there else ()
        console.table(body, head=head, flexible=2, right=() if there else (4, 5), spare=spare, enough=enough)
    if kept and not every:
        console.print()
        console.print(console.paint("  " + _folded(console, "unchanged", [each.name for each in kept]), "dim"))
    bounds.tell(console, front, every=every)
    _misfits(console, plan)
    _footer(console, front, told, lacks)


def _painted(console: Console, row: Row) -> str:
    return console.paint(row.state.value, COLOURS[row.state])


def heading(console: Console, front: Front, told: Listing, title: str) -> str:
    """What the plan is of, and how much."""
    plan = front.plan
    counted = f"{len(told.shown):,} node{'s' if len(told.shown) != 1 else ''}"
    built = told.count(State.KEEP)
    state = "nothing built yet" if not built and not plan.history.last else f"{built:,} kept"
    twin = " · twin" if plan.settlement.twin else ""
    twin += " · offline" if unreached(front) else ""
    return f"{console.paint(safe(title), 'bold')}  {console.paint(f'{counted} · {state}{twin}', 'dim')}"


def unreached(front: Front) -> bool:
    """Whether something is to be downloaded, and nobody can be asked for it."""
    plan = front.plan
    waiting = any(each.estimate.download for each in plan.decisions.values() if each.state is not State.KEEP)
    return waiting and (plan.settlement.known.machine.offline or not front.world.routed())


def _folded(console: Console, what: str, names: Sequence[str]) -> str:
    text = f"{len(names):,} {what}"
    room = console.width - len(text) - 6
    part = ""
    for name in names:
        if len(part) + len(name) + 2 > room - 4:
            return f"{text}  {part}…"
        part += f"{name}  "
    return f"{text}  {part.rstrip()}"


# --- what does not fit, and totals ---


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


def _footer(console: Console, front: Front, told: Listing, lacks: Sequence[Problem]) -> None:
    plan = front.plan
    machine, fetched = plan.settlement.known.machine, [each for each in told.shown if each.cause.why is Why.FETCH]
    console.print()
    if not plan.fetches and not plan.count(*_MOVES):
        console.print("nothing to do")
        return
    words = [f"{told.count(state):,} {state.value}" for state in _MOVES if told.count(state)]
    if plan.fetches:
        words.append(f"{len(fetched):,} from {safe(plan.history.remote_name)}, {in_bytes(weight(plan))} ↓")
    took = sums.length(plan, told)
    if took.total is not None:
        words.append(f"about {span_of_time(took.total)}")
        if took.work > 1.5 * took.total.high and took.work >= 1:
            words.append(f"{in_time(took.work)} of work")
        price = machine.price * took.total.high / 3600
        if price >= 0.005:
            words.append(f"≈ {price:.2f} at {machine.price:g} an hour")
    if took.unknown:
        words.append(f"{took.unknown:,} of unknown length" if took.total is not None else "of unknown length")
    running = [each for each in plan.decisions.values() if each.state in sums.ACTS]
    download = sum(each.estimate.download for each in running)
    if download:
        words.append(f"{in_bytes(download)} to download")
    disk = sum(
        offers.room(
            offers.taken(each.estimate, devices.placement_of(plan, each), resumed=each.state is State.RESUME) for each in running
        )
    ) + weight(plan)
    if machine.disk is not None and disk > machine.disk / 10:
        words.append(f"{in_bytes(disk)} of disk ({in_bytes(machine.disk)} free)")
    words += devices.summed(plan)
    console.say(" · ".join(words))
    _notes(console, plan, lacks)
    advice.tell(console, front, told)


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
        more = [f"and {len(lacks) - _TOLD} more like that"] if len(lacks) > _TOLD else []
        more += ["`zyc build --partial` builds the rest"] if not _EVERYBODYS & {each.code for each in lacks} else []
        for words in (*(each.message for each in lacks[:_TOLD]), *more):
            console.say(words, indent=2)
    for device in devices.columns(plan):
        if device.wheels:
            console.say(console.paint(f"{device.says}: {device.wheels}", "dim"))
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
