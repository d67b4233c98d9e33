"""How long a build still takes: nothing is promised that nobody knows, and what was measured meanwhile counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from zyc.graph import Node
from zyc.planning.plan import Plan, State
from zyc.quantity import in_time
from zyc.runner import Ending, Fate, Options, Progress, need_of, seconds_of

_ACTS = (State.RUN, State.RESUME, State.MAYBE)
_SAMPLES = 3  # steps of a kind that have to end before others of it are thought to take as long
_MANY = 20  # steps after which it shows what a step takes besides itself,
_MOST_BESIDES = 0.1  # and how much of that is ours rather than waiting for each other
_OVER = 1.2  # a step that takes so much longer than expected has overrun
_KEPT_UP = 0.15  # a forecast stands, and runs down, while the next one is no further away than this share
_DEAR = 50.0  # thinking about what is left takes a fiftieth of the time at most


@dataclass(slots=True)
class Step:
    """A step that runs, and what it says of itself."""

    began: float
    expected: float | None = None  # seconds
    measured: bool = False  # that is what an earlier run took
    supposed: float | None = None  # what others of its kind took meanwhile: good enough for a sum, not to be told of one
    told: Progress | None = None
    heard: float = 0.0  # when it told that
    first: tuple[float, float] | None = None  # when it first told of a step, and of which
    usual: float | None = None  # its loss of late
    better: bool | None = None  # than that

    def hear(self, event: Progress, now: float) -> None:
        """What it says now."""
        if self.told is not None and self.told.queued and not event.queued:
            self.began = now  # until now it stood in a queue
        news = self.told is None or event.facts != self.told.facts
        self.told = event
        at, loss = self.fact("step"), self.fact("loss")
        if at is not None and (self.first is None or at < self.first[1]):
            self.first = (now, at)
        if news:
            self.heard = now
            if loss is not None:
                self.better = None if self.usual is None or loss == self.usual else loss < self.usual
                self.usual = loss if self.usual is None else 0.7 * self.usual + 0.3 * loss

    def fact(self, name: str) -> float | None:
        """One of its numbers, if it is one."""
        value = self.told.facts.get(name) if self.told is not None else None
        return value if value is not None and math.isfinite(value) else None

    def share(self) -> float | None:
        """How much of it is done, from 0 to 1."""
        at, of = self.fact("step"), self.fact("of")
        return min(1.0, max(0.0, at / of)) if at is not None and of is not None and of > 0 else None

    def left(self, now: float) -> float | None:
        """Seconds: as it says, as it goes, as it was expected; nothing when nobody knows."""
        since, eta, at, of = now - self.heard, self.fact("eta"), self.fact("step"), self.fact("of")
        if eta is not None:
            return max(0.0, eta - since)
        if self.first is not None and at is not None and of is not None and at > self.first[1] and self.heard > self.first[0]:
            pace = (self.heard - self.first[0]) / (at - self.first[1])
            return max(0.0, (of - at) * pace - since)
        usual = self.supposed if self.expected is None else self.expected
        if usual is None or self.overrun(now):
            return None
        return max(0.0, usual - (now - self.began))

    def overrun(self, now: float) -> bool:
        """Whether it takes longer than it should."""
        usual = self.supposed if self.expected is None else self.expected
        return usual is not None and now - self.began > usual * _OVER + 1


@dataclass
class Outlook:
    """What is left of a build."""

    plan: Plan
    options: Options
    running: dict[str, Step] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    halted: bool = False  # nothing new is started
    ran: int = 0
    _worked: float = 0.0  # seconds of the whole machine
    _began: float | None = None
    _samples: dict[str, list[float]] = field(default_factory=dict)  # kind -> how many ended, and what they took
    _end: float = 0.0
    _unknown: int = 0
    _next: float = -math.inf  # when what is left is looked at anew,
    _soonest: float = -math.inf  # and when at the soonest
    _words: str = ""

    def starts(self, name: str, now: float) -> Step:
        """A step runs."""
        decision = self.plan.decisions.get(name)
        known = decision is not None and decision.estimate.seconds is not None
        self._began = now if self._began is None else self._began
        self.ended.discard(name)  # its tree may have been gone, and is made again
        expected = seconds_of(decision) if known and decision is not None else None
        measured = known and decision is not None and decision.measured
        step = self.running[name] = Step(now, expected, measured, None if known else self._learned(name))
        return step

    def ends(self, ending: Ending) -> None:
        """A node is settled."""
        self.running.pop(ending.node, None)
        self.ended.add(ending.node)
        if self._unknown:
            self._next = self._soonest  # a number of steps that is too high would be wrong, not rough
        node = self.plan.graph.vertices.get(ending.node)
        if ending.fate in (Fate.RAN, Fate.RESUMED) and isinstance(node, Node):
            self.ran += 1
            self._worked += ending.seconds * self._part(ending.node)
            if self.plan.decisions[node.name].estimate.seconds is None:
                count_and_sum = self._samples.setdefault(node.kind, [0.0, 0.0])
                count_and_sum[0] += 1
                count_and_sum[1] += ending.seconds

    def _part(self, name: str) -> float:
        """How much of the machine a step takes while it runs."""
        node, machine = self.plan.graph.vertices[name], self.plan.settlement.known.machine
        if not isinstance(node, Node):
            return 0.0
        need = need_of(node, self.plan.decisions[name])
        parts = [need.cpus / max(1, machine.cpus), 1 / self.options.jobs if self.options.jobs else 0.0]
        parts += [need.memory / machine.memory] if machine.memory else []
        parts += [need.gpus / machine.gpus] if machine.gpus else []
        return min(1.0, max(parts))

    def _learned(self, name: str) -> float | None:
        """What others of its kind took in this build."""
        node = self.plan.graph.vertices.get(name)
        count, total = self._samples.get(node.kind, (0.0, 0.0)) if isinstance(node, Node) else (0.0, 0.0)
        return total / count if count >= _SAMPLES else None

    def _besides(self, now: float) -> float:
        """What a step takes of us: to start it, to keep its result."""
        if self._began is None or self.ran < _MANY:
            return 0.0
        return min(_MOST_BESIDES, max(0.0, (now - self._began - self._worked) / self.ran))

    def seconds(self, now: float) -> tuple[float, int, bool]:
        """What is left at least; of how many steps nobody knows; whether some may turn out not to be needed.

        The longest way through what is left, or all of it shared out over the machine, whichever is longer.
        """
        besides, work, longest, unknown, maybe = self._besides(now), 0.0, 0.0, 0, False
        behind: dict[str, float] = {}
        vertices, decisions = self.plan.graph.vertices, self.plan.decisions
        for name in reversed(list(vertices)):
            if name in self.ended:
                continue
            own: float | None = 0.0
            step, decision = self.running.get(name), decisions.get(name)
            if step is not None:
                own = step.left(now)
            elif decision is not None and decision.state in _ACTS and not self.halted:
                own = self._learned(name) if decision.estimate.seconds is None else seconds_of(decision)
                own = None if own is None else own + besides
                maybe = maybe or decision.state is State.MAYBE
            unknown += own is None
            tail = (own or 0.0) + behind.get(name, 0.0)
            longest = max(longest, tail)
            work += own * self._part(name) if own else 0.0
            for edge in vertices[name].edges:
                if tail > behind.get(edge.source, 0.0):
                    behind[edge.source] = tail
        return max(work, longest), unknown, maybe

    def words(self, now: float, clock: Callable[[], float]) -> str:
        """`about 3 min left`; looked at anew once a second, and moved only when it was wrong."""
        if now < self._next:
            return self._words
        asked = clock()
        left, self._unknown, maybe = self.seconds(now)
        self._soonest = now + _DEAR * (clock() - asked)
        self._next = max(self._soonest, now + 1.0)
        if abs(now + left - self._end) > max(2.0, _KEPT_UP * left):
            self._end = now + left
        self._words = words_of(max(0.0, self._end - now), self._unknown, maybe=maybe)
        return self._words


def words_of(seconds: float, unknown: int, *, maybe: bool) -> str:
    """A remaining time as one may say it."""
    steps = f"{unknown:,} step{'s' * (unknown != 1)}"
    if unknown:
        return f"at least {roughly(seconds)} · {steps} unknown" if seconds >= 1 else f"{steps} of unknown length"
    if seconds < 1:
        return "nearly done"
    return f"{'up to' if maybe else 'about'} {roughly(seconds)} left"


def roughly(seconds: float) -> str:
    """A time as exactly as one can know it beforehand: `8 s`, `40 s`, `2 min 30 s`, `25 min`."""
    for below, unit in ((10, 1), (60, 5), (600, 10), (3600, 60), (86_400, 300)):
        if seconds < below:
            rounded = unit * math.ceil(seconds / unit)
            return f"{rounded} s" if rounded < 60 else in_time(rounded)
    return in_time(3600 * math.ceil(seconds / 3600))


def whole(seconds: float) -> str:
    """A time that runs, without its tenths."""
    return f"{int(seconds)} s" if seconds < 60 else in_time(int(seconds))
