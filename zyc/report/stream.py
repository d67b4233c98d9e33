"""A build for programs: each event as a line of JSON, the plan first."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

from zyc.planning.plan import Plan, State
from zyc.report.console import Console, data
from zyc.runner import Ending, Event, Progress, Started, Stopping, Waiting

_PACE = 1.0  # seconds between two events of progress of one step, for programs

Clock = Callable[[], float]


class Stream:
    """Each event as a line of JSON, the plan first."""

    def __init__(self, console: Console, plan: Plan, clock: Clock) -> None:
        self._console = console
        self._plan = plan
        self._clock = clock
        self._told: dict[str, float] = {}  # when there was progress of a step
        self._queued: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """One event; progress of one step at most once a second."""
        if isinstance(event, Progress):
            soon = self._clock() - self._told.get(event.node, -math.inf) < _PACE
            if soon and event.queued == self._queued.get(event.node, ""):
                return
            self._told[event.node] = self._clock()
            self._queued[event.node] = event.queued
        self._console.print(data(as_data(event)))

    def __enter__(self) -> Self:
        self._console.print(data(plan_data(self._plan)))
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


def plan_data(plan: Plan) -> dict[str, object]:
    """What is about to happen, for programs."""
    acting = [each for each in plan.decisions.values() if each.state in (State.RUN, State.RESUME, State.MAYBE)]
    known = [each.estimate.seconds for each in acting if each.estimate.seconds is not None]
    return {
        "event": "plan",
        "nodes": len(plan.decisions),
        "counts": {state.value: plan.count(state) for state in State},
        "seconds": {
            "low": sum(each.low for each in known),
            "high": sum(each.high for each in known),
            "unknown": len(acting) - len(known),
        },
        "twin": plan.settlement.twin,
    }


def as_data(event: Event) -> dict[str, object]:
    """An event for programs."""
    if isinstance(event, Started):
        if event.fetches:
            return {"event": "fetch", "node": event.node, "remote": event.fetches}
        told: dict[str, object] = {"event": "start", "node": event.node, "attempt": event.attempt}
        return {**told, **({"resumed": True} if event.resumed else {}), **({"text": event.why} if event.why else {})}
    if isinstance(event, Progress):
        queued = {"queued": event.queued} if event.queued else {}
        return {"event": "progress", "node": event.node, **queued, "memory": event.memory, "facts": dict(event.facts)}
    if isinstance(event, Waiting):
        return {"event": "wait", "node": event.node, "text": event.whom}
    if isinstance(event, Stopping):
        return {"event": "stop", "hard": event.hard, "running": event.running}
    return {"event": "end", **_ending(event)}


def _ending(ending: Ending) -> dict[str, object]:
    return {
        "node": ending.node,
        "fate": ending.fate.value,
        "key": ending.key,
        "tree": ending.tree,
        "seconds": round(ending.seconds, 6),
        "bytes": ending.bytes,
        "fetched": ending.fetched,
        "peak_memory": ending.peak_memory,
        "attempts": ending.attempts,
        "measures": dict(ending.measures),
        "reason": ending.reason,
        "log": ending.log,
        "gates": [{"gate": str(each.gate), "verdict": each.verdict.value, "text": each.text} for each in ending.gates],
    }
