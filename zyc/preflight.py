"""What must be true before anything starts: this machine has what the plan needs, and the pins say so."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator

from zyc import kinds
from zyc.catalogue.devices import article
from zyc.compile.validate import field_words, owner_words
from zyc.errors import Problem, Span, problem
from zyc.front import Front
from zyc.graph import Node
from zyc.keeping.store import Store
from zyc.kind import EnvironmentNeed, HubNeed, PinNeed
from zyc.place import lock as locks
from zyc.place.hub import Unreached, by_hand, resolve
from zyc.place.lock import Lock
from zyc.planning import offers
from zyc.planning.check import field_place
from zyc.planning.known import named
from zyc.planning.offers import Offer
from zyc.planning.plan import Decision, Plan, State
from zyc.quantity import about, in_bytes


def hindrances(front: Front, plan: Plan, *, probing: bool = True) -> list[Problem]:
    """What this machine or call lacks for the plan; nothing is started while there is any.

    Without `probing` no program is started to tell its version, only looked for: what a plan has time for.
    """
    flaws = flaws_by_node(front, plan, probing=probing)
    return list(dict.fromkeys([*flaws_of_place(front, plan), *(each for them in flaws.values() for each in them)]))


def flaws_of_place(front: Front, plan: Plan) -> list[Problem]:
    """What keeps the results from being kept, whichever they are."""
    acting = [each for each in plan.decisions.values() if each.state in (State.RUN, State.RESUME)]
    told = offers.room(offers.taken(each.estimate, _placement(plan, each), resumed=each.state is State.RESUME) for each in acting)
    fetched, free = sum(each.estimate.disk or 0 for each in plan.fetches), plan.settlement.known.machine.disk
    needed = told.result + told.scratch + fetched
    if free is not None and needed > free:
        what = "the results and the checkpoints on the way there" if told.scratch else "the results"
        return [problem("disk-short", what=what, needed=in_bytes(needed), free=in_bytes(free))]
    if plan.changes and not Store(front.world, front.project.store).writable():
        return [problem("store-read-only", path=os.path.relpath(front.project.store, front.project.root))]
    return []


def _placement(plan: Plan, decision: Decision) -> dict[str, object]:
    node = plan.graph.vertices[decision.name]
    assert isinstance(node, Node)
    return dict(node.shape.placement)


def flaws_by_node(front: Front, plan: Plan, *, probing: bool = True) -> dict[str, list[Problem]]:
    """The nodes that this machine or call lacks something for, and what."""
    found = {node.name: list(_flaws(front, plan, node, probing=probing)) for node in plan.graph.nodes()}
    return {name: them for name, them in found.items() if them}


def _flaws(front: Front, plan: Plan, node: Node, *, probing: bool) -> Iterator[Problem]:
    decision = plan.decisions[node.name]
    if decision.state in (State.KEEP, State.BLOCKED):
        return
    if decision.cannot:
        at = field_place(front.compiled, node, "placement")
        if decision.thought.work is None:
            yield problem("cannot-here", at, node=node.name, lacks=decision.cannot)
        else:
            yield problem("no-device-here", at, node=node.name, lacks=decision.cannot, remedies=_elsewhere(plan, node))
    for need in node.shape.needs:
        if isinstance(need, EnvironmentNeed) and need.secret and need.name not in front.world.environ():
            at, owner = field_place(front.compiled, node, need.field), owner_words(node.kind, node.name)
            yield problem("missing-variable", at, name=need.name, owner=owner, field=field_words(need.field))
        elif isinstance(need, PinNeed):
            yield from _pin_flaws(front, node, need, probing=probing)
        elif isinstance(need, HubNeed):
            yield from _hub_flaws(front, plan, node, need)
    for name, version in _needed_packages(plan, node):
        here = front.probe.version(name)
        if here != version:
            yield _moved(node.span, name, here, version)


def _elsewhere(plan: Plan, node: Node) -> str:
    """Where a node would run, or what would let it."""
    machine, thought = plan.settlement.known.machine, plan.decisions[node.name].thought
    placement = dict(node.shape.placement)
    told = [each for device in offers.wanted(machine, placement) if (each := offers.offer(thought, device, machine)) is not None]
    fitting = [f"{article(each.device.says)} {each.device.says} takes {_words(each)}" for each in told if each.fits]
    if fitting or not told:
        return " and ".join(fitting) or "run it elsewhere"
    largest = max(told, key=lambda each: each.device.memory or 0).device
    remedies = offers.remedies(kinds.load(node.kind), plan.settlement.case(node), largest, machine)
    what = "; ".join(f"`{each.says}`: {_words(each.offer)}" for each in remedies if each.offer.fits)
    return f"it does not fit {article(largest.says)} {largest.says} either" + (f"; what does: {what}" if what else "")


def _words(offer: Offer) -> str:
    """`8.8 GB, 9 min`."""
    return f"{in_bytes(offer.needs or 0)}" + (f", {about(offer.seconds)}" if offer.seconds is not None else "")


def _needed_packages(plan: Plan, node: Node) -> list[tuple[str, str]]:
    pins = plan.settlement.known.pins
    if not plan.settlement.known.templates[node.kind].dependencies:
        return []
    return [(f"package:{name}", pins[f"package:{name}"]) for name in named(plan.settlement.rendered(node).recipe.values())]


def _moved(at: Span, name: str, here: str | None, pinned: str) -> Problem:
    what, _, bare = name.partition(":")
    remedy = f"`pip install {bare}=={pinned}`" if what == "package" else f"install version {pinned} of `{bare}`"
    return problem("pin-moved", at, name=name, found=here or "missing", pinned=pinned, remedy=remedy)


def _pin_flaws(front: Front, node: Node, need: PinNeed, *, probing: bool) -> list[Problem]:
    pinned = front.lock.pins.get(need.name)
    if pinned is None:
        if front.call.frozen:
            at, owner = field_place(front.compiled, node, need.field), owner_words(node.kind, node.name)
            return [problem("unpinned", at, name=need.name, owner=owner, field=field_words(need.field))]
        return []
    if not probing and need.name.startswith("tool:"):
        here = pinned if front.probe.is_here(need.name) else None
    else:
        here = front.probe.version(need.name)
    return [] if here == pinned else [_moved(field_place(front.compiled, node, need.field), need.name, here, pinned)]


def _hub_flaws(front: Front, plan: Plan, node: Node, need: HubNeed) -> Iterator[Problem]:
    """What is not here must be fetched, and what is fetched must be pinned."""
    known, at = plan.settlement.known, field_place(front.compiled, node, need.field)
    hub, why = known.hubs[need.name], front.unreached.get(need.name)
    if front.call.frozen and need.name not in front.lock.pins:
        owner = owner_words(node.kind, node.name)
        yield problem("unpinned", at, name=need.name, owner=owner, field=field_words(need.field))
    elif why is not None and not hub.commit:
        yield problem("hub-unreached", at, name=need.repository, why=why.why, help=why.help)
    elif known.machine.offline:
        gone = [each for each in need.wants if not any(fnmatch.fnmatch(name, each) for name in hub.files)]
        if gone or not hub.commit:
            what = f"no {gone[0]}" if hub.commit else "nothing of it"
            yield problem("hub-offline", at, name=need.repository, what=what, help=by_hand(need))


def ask_hubs(front: Front) -> None:
    """Ask hubs for the commits that nothing pins, of what a build would fetch; the answers are in the cache, and planned with."""
    known = front.plan.settlement.known
    if known.machine.offline or front.call.frozen:
        return
    asked = False
    for node in front.plan.graph.nodes():
        if front.plan.decisions[node.name].state in (State.KEEP, State.BLOCKED):
            continue
        for need in (need for need in node.shape.needs if isinstance(need, HubNeed)):
            hub = known.hubs[need.name]
            if hub.commit and (not need.texts or hub.texts.keys() & {*need.texts}):
                continue
            try:
                front.resolved[need.name] = resolve(need, front.world.environ(), hub.commit)
                asked = True
            except Unreached as why:
                front.unreached[need.name] = why
    if asked:
        front.forget()


def add_pins(front: Front, plan: Plan) -> list[str]:
    """Pin what has none yet; what has one stays where it is."""
    known = plan.settlement.known
    new = {name: known.pins[name] for name in sorted(plan.settlement.unpinned()) if name in known.pins}
    if not new or front.call.frozen:
        return []
    lock = Lock({**front.lock.pins, **new})
    front.world.write(front.project.root / locks.FILE, lock.text(), durable=True)
    return list(new)
