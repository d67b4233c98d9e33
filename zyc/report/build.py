"""A build as it happens: a line a node for people, a stream of events for programs."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, Self

from zyc.gates import Verdict
from zyc.graph import Graph, Node
from zyc.plan import Plan, State
from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, cells, clipped, data, safe
from zyc.report.outlook import whole
from zyc.runner import Ending, Event, Fate, Options, Progress, Started, Stopping, Waiting

COLOURS = {
    Fate.KEPT: "dim",
    Fate.RAN: "green",
    Fate.RESUMED: "cyan",
    Fate.FAILED: "red",
    Fate.BLOCKED: "red",
    Fate.INTERRUPTED: "yellow",
}
NOT_STARTED = "not started"  # what a build that was stopped says of a node that it did not come to
_TAIL = 12  # lines of the log of a step that failed
_FAR = 20  # lines further down a failure is told of once more, at the end
_FEW = 2  # nodes that one thing blocks have a line each,
_NAMED = 6  # more share one, with so many names
_TAILS = 3  # failures of which the log is shown
_QUIET = 60.0  # seconds between two lines of a step that runs, where no line is written over
_LOOK = 5.0  # seconds between two looks at who was quiet for so long
_PACE = 1.0  # seconds between two events of progress of one step, for programs
_STATED = ("step", "of", "loss", "tokens_per_second", "eta")  # facts that have a place of their own
_CONTROL = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")

Log = Callable[[str], str]
Clock = Callable[[], float]


class Teller(Protocol):
    """Tells of a build, from before its first event to after its last one."""

    def __call__(self, event: Event, /) -> None:
        """One event."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Pulse:
    """Does something again and again beside the build; whatever goes wrong in it, the build goes on."""

    def __init__(self, work: Callable[[], None], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self) -> None:
        """From now on; the first time after one pause."""
        self._thread.start()

    def stop(self) -> None:
        """Not once more."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._seconds):
            with suppress(Exception):  # a reader that is gone is noticed by the build itself
                self._work()


@dataclass(frozen=True, slots=True)
class Words:
    """One event in lines for people."""

    console: Console
    log: Log
    width: int
    graph: Graph

    @classmethod
    def of(cls, console: Console, graph: Graph, log: Log) -> Words:
        """With a column as wide as the names need, within reason."""
        longest = max((cells(node.name) for node in graph.nodes()), default=0)
        return cls(console, log, min(40, max(16, console.width - 34), longest), graph)

    def ended(self, ending: Ending, *, tail: bool = True) -> list[str]:
        """What became of a node; of one that failed, the end of its log."""
        console, ran = self.console, ending.fate in (Fate.RAN, Fate.RESUMED)
        took = in_time(ending.seconds) if ran or ending.seconds else ""
        told = [f"{' '.join(name.split())} {value:.4g}" for name, value in sorted(ending.measures.items())[:3]]
        told += [console.paint(each.text, "red") for each in ending.gates if each.verdict is Verdict.FAILS]
        if ending.reason:
            told.append(safe(ending.reason))
        if ending.attempts > 1:
            told.append(f"attempt {ending.attempts}")
        size = in_bytes(ending.bytes) if ran else in_bytes(ending.fetched) if ending.fetched else ""
        lines = self._line(self.name(ending.node), ending.fate, took, size, " · ".join(told))
        if ending.fate is Fate.FAILED and ending.log:
            said = last_lines(self.log(ending.log), _TAIL) if tail else []
            lines += [f"    {console.paint('|', 'red')} {clipped(line, console.width - 6)}" for line in said]
            lines.append(f"    {console.paint('log', 'dim')} {ending.log}")
        return lines

    def blocked(self, reason: str, nodes: list[str]) -> list[str]:
        """Those that one thing keeps from being built: a few by name, many in a line."""
        if len(nodes) <= _FEW:
            return [line for name in nodes for line in self._line(self.name(name), Fate.BLOCKED, "", "", safe(reason))]
        names = self._folded(nodes)
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        told = f"{safe(reason)} · {', '.join(names[:_NAMED])}{more}"
        return self._line(f"{len(nodes):,} nodes".ljust(self.width), Fate.BLOCKED, "", "", told)

    def _folded(self, nodes: list[str]) -> list[str]:
        """Their names; of members of a family, how many there are."""
        counts: dict[tuple[str, bool], int] = {}
        for name in nodes:
            vertex = self.graph.vertices.get(name)
            family = vertex.family if isinstance(vertex, Node) else ""
            label = (family or name, bool(family))
            counts[label] = counts.get(label, 0) + 1
        return [f"{name}[{count:,}]" if many else name for (name, many), count in counts.items()]

    def runs(self, node: str, seconds: float, event: Progress | None, *, fetches: str = "") -> str:
        """A step that is at it for a while, or a tree that takes a while to come."""
        told = progress(event) if event is not None else ""
        size = in_bytes(event.memory) if event is not None and event.memory else ""
        told = f"from {safe(fetches)}" if fetches else told
        does = "fetches" if fetches else "queued" if event is not None and event.queued else "runs"
        word = self.console.paint(does.ljust(11), "cyan")
        line = f"  {self.name(node)}  {word}  {whole(seconds).rjust(6)}  {size.rjust(7)}  {told}"
        return line.rstrip()

    def _line(self, column: str, fate: Fate, took: str, size: str, told: str) -> list[str]:
        word = self.console.paint(fate.value.ljust(11), COLOURS[fate])
        return self.console.said(f"{column}  {word}  {took.rjust(6)}  {size.rjust(7)}  {told}", indent=2)

    def name(self, node: str) -> str:
        """The name of a node in its column."""
        short = clipped(node, self.width)
        return short + " " * (self.width - cells(short))

    def aside(self, event: Started | Waiting | Stopping) -> list[str]:
        """What is told besides, where it is worth a line."""
        if isinstance(event, Stopping):
            return self.console.said(stopping(event))
        word = "waits" if isinstance(event, Waiting) else "runs"
        why = waits_for(event) if isinstance(event, Waiting) else event.why
        if not why:
            return []
        colour = "yellow" if isinstance(event, Waiting) else "cyan"
        return self.console.said(f"{self.name(event.node)}  {self.console.paint(word.ljust(11), colour)}  {safe(why)}", indent=2)


def waits_for(event: Waiting) -> str:
    """For whom: `for process 71 on here`."""
    return f"for {event.whom}" if event.whom else "for another zyc"


def stopping(event: Stopping) -> str:
    """What a first and a second Ctrl-C do."""
    if event.hard:
        return "killed: what was not kept is lost, what is done is kept"
    steps = f"{event.running:,} step{'s' * (event.running != 1)}"
    return f"stopping: {steps} may keep a state and end; Ctrl-C again kills" if event.running else "stopping"


def last_lines(text: str, most: int) -> list[str]:
    """The end of a log as a terminal would have left it: bars that wrote over themselves are one line, colours are gone."""
    lines = [_CONTROL.sub("", line) for line in text.rstrip().split("\n")[-most:]]
    shown = [next((part for part in reversed(line.split("\r")) if part.strip()), "") for line in lines]
    return [safe(line.expandtabs(4)) for line in shown] if text.strip() else []


@dataclass(slots=True)
class _Running:
    """A step that runs, as it was told of."""

    began: float
    told: float  # when there was a line of it
    progress: Progress | None = None
    fetches: str = ""  # from which remote


@dataclass(slots=True)
class _Failure:
    """A step that failed, and how many lines there were when it had been told."""

    ending: Ending
    line: int


@dataclass
class Lines:
    """A line for each change, where no line can be written over; a step that runs long says so once a minute."""

    words: Words
    clock: Clock
    every: bool = False
    beats: bool = True
    _running: dict[str, _Running] = field(default_factory=dict)
    _failures: list[_Failure] = field(default_factory=list)
    _blocked: dict[str, list[str]] = field(default_factory=dict)  # reason -> nodes
    _printed: int = 0
    _gate: threading.RLock = field(default_factory=threading.RLock)
    _pulse: Pulse | None = None

    def __call__(self, event: Event) -> None:
        """One event."""
        with self._gate:
            if isinstance(event, Ending):
                self._running.pop(event.node, None)
                self._ended(event)
            elif isinstance(event, Progress):
                self._progress(event)
            else:
                if isinstance(event, Started):
                    now = self.clock()
                    self._running[event.node] = _Running(now, now, fetches=event.fetches)
                self._print(self.words.aside(event))

    def _ended(self, ending: Ending) -> None:
        if ending.fate is Fate.BLOCKED:
            self._blocked.setdefault(ending.reason, []).append(ending.node)
        elif ending.fate is Fate.INTERRUPTED and ending.reason == NOT_STARTED:
            return
        elif ending.fate is Fate.FAILED:
            self._print(self.words.ended(ending, tail=len(self._failures) < _TAILS))
            self._failures.append(_Failure(ending, self._printed))
        elif ending.fate is not Fate.KEPT or self.every or ending.fetched:
            self._print(self.words.ended(ending))

    def _progress(self, event: Progress) -> None:
        run = self._running.get(event.node)
        if run is None:
            return
        queued = run.progress.queued if run.progress is not None else ""
        run.progress = event
        if event.queued != queued:
            if not event.queued:
                run.began = self.clock()  # until now it stood in a queue
            run.told = -math.inf
        if not event.queued or event.queued != queued:
            self._tell(event.node, run)

    def _tell(self, node: str, run: _Running) -> None:
        now = self.clock()
        if self.beats and now - run.told >= _QUIET:
            run.told = now
            self._print([self.words.runs(node, now - run.began, run.progress, fetches=run.fetches)])

    def beat(self) -> None:
        """Tell of those that were quiet for long."""
        with self._gate:
            for node, run in self._running.items():
                if run.progress is None or not run.progress.queued:
                    self._tell(node, run)

    def finish(self) -> None:
        """What went wrong, where it has scrolled away since, and what that keeps from being built."""
        lines = self._printed
        for each in self._failures[:_TAILS]:
            if lines - each.line > _FAR:
                self._print(self.words.ended(each.ending))
        for reason, nodes in self._blocked.items():
            self._print(self.words.blocked(reason, nodes))
        self._failures.clear()
        self._blocked.clear()

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self.words.console.print(line)
        self._printed += len(lines)

    def __enter__(self) -> Self:
        if self.beats:
            self._pulse = Pulse(self.beat, seconds=_LOOK)
            self._pulse.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._pulse is not None:
            self._pulse.stop()
        self.finish()


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


def teller(
    console: Console,
    plan: Plan,
    log: Log,
    *,
    clock: Clock,
    as_json: bool,
    every: bool,
    options: Options,
) -> Teller:
    """Who tells of a build here."""
    if as_json:
        return Stream(console, plan, clock)
    words = Words.of(console, plan.graph, log)
    if not console.moves:
        return Lines(words, clock, every)
    from zyc.report.live import Live

    return Live(Lines(words, clock, every, beats=False), plan, options)


def progress(event: Progress) -> str:
    """`step 74/101 · loss 0.61 · 1,910 tok/s · 2 min left`, as far as a step says it."""
    facts = {name: value for name, value in event.facts.items() if math.isfinite(value)}
    told = [event.queued] if event.queued else []
    step, of = facts.get("step"), facts.get("of")
    if step is not None:
        told.append(f"step {step:,.0f}/{of:,.0f}" if of else f"step {step:,.0f}")
    told += [f"{name} {value:.3g}" for name, value in named_facts(event)[:2]]
    if "tokens_per_second" in facts:
        told.append(f"{facts['tokens_per_second']:,.0f} tok/s")
    if "eta" in facts:
        told.append(f"{in_time(max(0.0, facts['eta']))} left")
    return safe(" · ".join(told))


def named_facts(event: Progress) -> list[tuple[str, float]]:
    """The facts that a step named itself, its loss first."""
    named = [(name, value) for name, value in event.facts.items() if name not in _STATED]
    lost = [("loss", event.facts["loss"])] if "loss" in event.facts else []
    return [(" ".join(name.split()), value) for name, value in lost + named if math.isfinite(value)]


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
