"""What the devices of a plan take, hold and cost, in the words of its table: a column each, the sums, what would make it fit."""

from __future__ import annotations

from collections.abc import Sequence

from zyc import kinds
from zyc.catalogue.devices import Device, article
from zyc.graph import Node
from zyc.keeping.traces import Trace
from zyc.planning import offers
from zyc.planning.offers import Offer, Remedy
from zyc.planning.plan import Decision, Plan, State
from zyc.quantity import about, in_bytes, in_time

_ACTS = (State.RUN, State.RESUME, State.MAYBE)


def working(plan: Plan) -> tuple[Decision, ...]:
    """The nodes that would run and that an accelerator makes quicker; a rehearsal on a processor needs none."""
    if plan.settlement.twin and not plan.settlement.known.machine.gpus:
        return ()
    return tuple(each for each in plan.decisions.values() if each.estimate.work is not None and each.state in _ACTS)


def elsewhere(plan: Plan, long: float) -> list[str]:
    """The nodes that this machine cannot run, or only in so many seconds, and that a device would: the longest first."""
    machine = plan.settlement.known.machine
    found = [each for each in working(plan) if each.cannot or (not machine.gpus and offers.middle(each.estimate) > long)]
    return [each.name for each in sorted(found, key=lambda each: -offers.middle(each.thought))]


def columns(plan: Plan) -> tuple[Device, ...]:
    """The devices that have a column: those of the site and those that placements name, where there is work for them."""
    machine, told = plan.settlement.known.machine, working(plan)
    asked = (device for each in told for device in offers.wanted(machine, placement_of(plan, each)))
    return tuple({device.name: device for device in (*offers.shown(machine), *asked)}.values()) if told else ()


def placement_of(plan: Plan, decision: Decision) -> dict[str, object]:
    """Where a node is to run."""
    node = plan.graph.vertices[decision.name]
    assert isinstance(node, Node)
    return dict(node.shape.placement)


def offers_of(plan: Plan, decision: Decision, devices: Sequence[Device]) -> tuple[Offer, ...]:
    """What a node would take on each of them."""
    machine = plan.settlement.known.machine
    told = (offers.offer(decision.thought, device, machine) for device in devices)
    return tuple(each for each in told if each is not None)


def cell(offer: Offer, wanted: str) -> str:
    """`31 min fp16`, `22.4 GB`: how long, or how much it would have to hold."""
    if not offer.fits:
        return f"{in_bytes(offer.needs or 0)} > {in_bytes(offer.device.memory or 0)}"
    if offer.seconds is None:
        return ""
    return about(offer.seconds) + (f" {offer.precision}" if offer.precision != wanted else "")


def cells(plan: Plan, group: Sequence[Decision], devices: Sequence[Device]) -> tuple[str, ...]:
    """A row's words in each column: of several nodes the sum, of one that does not fit why."""
    told = []
    for at in range(len(devices)):
        found = [
            (each, offers_of(plan, each, devices)[at]) for each in group if each.thought.work is not None and each.state in _ACTS
        ]
        misfit = next(((each, offer) for each, offer in found if not offer.fits), None)
        if misfit is not None or len(found) == 1:
            decision, offer = misfit or found[0]
            told.append(cell(offer, decision.thought.work.precision if decision.thought.work else ""))
        else:
            known = [offer.seconds for _, offer in found if offer.seconds is not None]
            others = {
                "" if each.thought.work and each.thought.work.precision == offer.precision else offer.precision
                for each, offer in found
            }
            told.append(f"{about(sum(known))} {others.pop() if len(others) == 1 else ''}".rstrip() if known else "")
    return tuple(told)


def sums(plan: Plan) -> list[tuple[Device, float, float, int]]:
    """Of each device with a column: the seconds of all that fits, their cost, and how many nodes do not fit."""
    told = []
    devices, them = columns(plan), working(plan)
    for at, device in enumerate(devices):
        found = [offers_of(plan, each, devices)[at] for each in them]
        fit = [each for each in found if each.fits]
        told.append((device, sum(each.seconds or 0.0 for each in fit), sum(each.cost for each in fit), len(found) - len(fit)))
    return told


def summed(plan: Plan) -> list[str]:
    """`A100 40 8 min ≈ $0.15`, as the footer says it."""
    words = []
    for device, seconds, cost, misfits in sums(plan):
        if seconds and not misfits:
            words.append(f"{device.says} {about(seconds)}" + (f" ≈ ${cost:.2f}" if cost >= 0.005 else ""))
    return words


# --- what does not fit ---


def misfits(plan: Plan) -> list[tuple[Decision, Offer, tuple[Remedy, ...]]]:
    """The nodes that none of the devices holds that they are planned for, with what would help."""
    machine, told = plan.settlement.known.machine, []
    for each in working(plan):
        node = plan.graph.vertices[each.name]
        assert isinstance(node, Node)
        offer = offers.misfit(each.thought, machine, dict(node.shape.placement))
        if offer is not None:
            told.append((each, offer, remedies(plan, node, offer.device)))
    return told


def remedies(plan: Plan, node: Node, device: Device) -> tuple[Remedy, ...]:
    """What would make a node fit."""
    return offers.remedies(kinds.load(node.kind), plan.settlement.case(node), device, plan.settlement.known.machine)


def does_not_fit(name: str, offer: Offer) -> str:
    """`philo-lora` does not fit a T4: it needs 22.4 GB, and that has 15 GB."""
    device = offer.device
    needs, has = in_bytes(offer.needs or 0), in_bytes(device.memory or 0)
    return f"`{name}` does not fit {article(device.says)} {device.says}: it needs {needs}, and that has {has}"


def remedy_words(remedy: Remedy) -> tuple[str, ...]:
    """`micro_batch: 4`, `14.1 GB`, `33 min`, `fits`: a row of what would help."""
    offer = remedy.offer
    time = about(offer.seconds) if offer.seconds is not None else ""
    cost = f"≈ ${offer.cost:.2f}" if offer.cost >= 0.005 else ""
    return (remedy.says, in_bytes(offer.needs or 0), time, cost, "fits" if offer.fits else "does not fit")


def expected(plan: Plan) -> dict[str, float]:
    """The seconds of each node that works, to be told again beside what it took."""
    told = ((each.name, offers.middle(each.estimate)) for each in plan.decisions.values() if each.thought.work is not None)
    return {name: seconds for name, seconds in told if seconds}


def beforehand(plan: Plan, decision: Decision) -> list[tuple[str, ...]]:
    """What is thought of a node, as `zyc show` lists it: here, and on each device."""
    thought = decision.thought
    rows: list[tuple[str, ...]] = []
    seconds = decision.estimate.seconds
    if thought.work is not None and thought.work.says:
        rows.append(("work", thought.work.says, ""))
    if decision.cannot:
        rows.append(("here", decision.cannot, ""))
    elif seconds is not None:
        learned = seconds.because if thought.work is None or seconds.because != thought.work.says else ""
        rows.append(("here", about(offers.middle(decision.estimate)), learned))
    elif says := offers.imitated(thought, plan.settlement.known.machine, placement_of(plan, decision)):
        rows.append(("here", f"no {says}", "it ends before it loads; `precision: fp16` trains here, and is another recipe"))
    for name, value in (("memory", thought.memory), ("memory of a GPU", thought.gpu_memory), ("download", thought.download)):
        if value:
            rows.append((name, in_bytes(value), ""))
    if thought.result:
        rows.append(("result", thought.result, ""))
    if thought.scratch:
        rows.append(("checkpoints", in_bytes(thought.scratch), "on the disk while it works"))
    for offer in offers_of(plan, decision, columns(plan)):
        cost = f"≈ ${offer.cost:.2f}" if offer.cost >= 0.005 else ""
        rows.append((offer.device.says, cell(offer, thought.work.precision if thought.work else ""), cost))
    return rows


def beside(trace: Trace) -> list[tuple[str, ...]]:
    """What was thought of a run beside what was measured."""
    told: list[tuple[str, ...]] = []
    measured = {"seconds": trace.seconds, "memory": float(trace.peak_memory), "bytes": float(trace.bytes)}
    names = {"seconds": "time", "memory": "memory", "bytes": "result"}
    for name, thought in sorted(trace.predicted.items()):
        if measured.get(name):
            words = in_time if name == "seconds" else in_bytes
            ratio = measured[name] / thought if thought else 0.0
            told.append((names[name], words(measured[name]), f"expected {words(thought)}, {ratio:.2g} times that"))
    return told
