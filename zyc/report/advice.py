"""What a plan leads to: a change that would make its gates hold, a rehearsal here, a way to a GPU that is not here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zyc.again import line
from zyc.catalogue.devices import article
from zyc.errors import ZycError
from zyc.fitting import has_changes
from zyc.front import Front
from zyc.gates import Outlook
from zyc.graph import Node
from zyc.kind import HubNeed
from zyc.planning.plan import Plan, State
from zyc.report import devices
from zyc.report.console import Console, safe
from zyc.report.rows import Listing, listing, span_of_time
from zyc.report.sums import length

_LARGE = 300  # nodes from which on a rehearsal is named, and not planned to tell how long it takes
_FREE = "t4"  # what notebooks are lent for nothing
_LONG = 2 * 3600.0  # seconds here, from which on a device elsewhere is worth the way


def tell(console: Console, front: Front, told: Listing) -> None:
    """A line for each; none where there is nothing to do."""
    rows = list(_rows(front, told))
    if rows:
        console.print()
        lines = [(f"{'next' if not at else '':7}{call}", words, "") for at, (call, words) in enumerate(rows)]
        console.beside(lines, indent=0, under=9)


def _rows(front: Front, told: Listing) -> Iterator[tuple[str, str]]:
    plan = front.plan
    stuck = [name for name, each in plan.decisions.items() if any(gate.verdict is Outlook.CANNOT for gate in each.gates)]
    owners = dict.fromkeys(node.owner or node.name for node in plan.graph.nodes() if node.name in stuck)
    able = next((each for each in owners if has_changes(front, each)), "")
    if able:
        yield safe(line(front.call, "fit", able)), "changes that would hold"
    dear = devices.elsewhere(plan, _LONG)
    if devices.working(plan) and not plan.settlement.twin and not told.count(State.KEEP):
        words = _rehearsed(front, told)
        if words:
            yield safe(line(replace(front.call, twin=True), "build", *front.call.select)), words
    if dear:
        unpinned = _unpinned(plan, dear[0])
        if unpinned:
            yield "zyc lock", f"pins `{safe(unpinned)}`: a notebook fetches no other than what is pinned"
        render = line(front.call, "render", dear[0], "--as", "notebook")
        yield safe(render), f"train it {_on_what(plan, dear[0])}, bring it back with `zyc adopt`"


def _unpinned(plan: Plan, name: str) -> str:
    """An input of a node that a face of it would fetch, and that nothing pins."""
    vertices, unpinned = plan.graph.vertices, plan.settlement.known.unpinned
    sources = (vertices[edge.source] for edge in vertices[name].edges if not edge.order)
    hubs = (
        (each.name, need.name)
        for each in sources
        if isinstance(each, Node)
        for need in each.shape.needs
        if isinstance(need, HubNeed)
    )
    return next((source for source, pin in hubs if pin in unpinned), "")


def _on_what(plan: Plan, name: str) -> str:
    """Where a node finds room: on what may be had for nothing, on the cheapest device that the plan shows, or elsewhere."""
    offers = [each for each in devices.offers_of(plan, plan.decisions[name], devices.columns(plan)) if each.fits and each.seconds]
    if any(each.device.name == _FREE for each in offers):
        return "on a free GPU"
    cheapest = min(offers, key=lambda each: each.cost, default=None)
    return f"on {article(cheapest.device.says)} {cheapest.device.says}" if cheapest is not None else "elsewhere"


def _rehearsed(front: Front, told: Listing) -> str:
    """`rehearse all 9 nodes here, about 3 min`; nothing for what cannot be rehearsed."""
    words = f"rehearse all {len(told.shown):,} nodes here" if len(told.shown) > 1 else "rehearse it here"
    if len(front.plan.decisions) > _LARGE:
        return words
    try:
        twin: Plan = front.as_twin().plan
    except ZycError:
        return ""
    if not twin.changes:
        return f"{words}: it is built already"
    total = length(twin, listing(twin)).total
    return f"{words}, about {span_of_time(total)}" if total is not None else words
