"""How long the nodes of a plan take together, and of how many nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zyc.gates import Interval
from zyc.planning.plan import Plan, State
from zyc.report import devices
from zyc.report.rows import Listing
from zyc.runner.schedule import ways

ACTS = (State.RUN, State.RESUME)


class Length(NamedTuple):
    """Seconds of what would run here."""

    total: Interval | None  # from the first step to the last one; None when nothing is known
    work: float  # of all steps, at most
    unknown: int  # lines that have a step of unknown length


def length(plan: Plan, told: Listing) -> Length:
    """What takes so long that nobody would wait for it here is in no sum."""
    away = {each.name for each in devices.working(plan) if each.cannot}
    steps = {each.name: [part for part in told.of(each) if part.state in ACTS and part.name not in away] for each in told.shown}
    known = [part.estimate.seconds for parts in steps.values() for part in parts if part.estimate.seconds is not None]
    unknown = sum(1 for parts in steps.values() if any(part.estimate.seconds is None for part in parts))
    return Length(_side_by_side(plan, known) if known else None, sum(each.high for each in known), unknown)


def _side_by_side(plan: Plan, known: Sequence[Interval]) -> Interval:
    """How long a build takes: its longest way, or all of its work shared out over the machine."""
    low, high = sum(each.low for each in known), sum(each.high for each in known)
    found = ways(plan.graph, plan.decisions, ACTS)
    wall = found.left(found.own, {}, width=plan.settlement.known.machine.cpus)
    share = min(1.0, 2 * wall / (low + high)) if low + high else 1.0
    return Interval(low * share, high * share)
