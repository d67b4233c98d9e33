"""A build as it happens: a line a node for people, a stream of events for programs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from zyc.gates import Verdict
from zyc.graph import Graph
from zyc.plan import Plan
from zyc.quantity import in_bytes, in_time
from zyc.report.console import Console, clipped, data, safe
from zyc.runner import Ending, Event, Fate, Progress, Started, Stopping, Waiting

COLOURS = {
    Fate.KEPT: "dim",
    Fate.RAN: "green",
    Fate.RESUMED: "cyan",
    Fate.FAILED: "red",
    Fate.BLOCKED: "red",
    Fate.INTERRUPTED: "yellow",
}
_TAIL = 12
_QUIET = 60.0  # seconds between two lines of a step that runs, where no line is written over

Log = Callable[[str], str]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Words:
    """One event in lines for people."""

    console: Console
    log: Log
    width: int

    @classmethod
    def of(cls, console: Console, graph: Graph, log: Log) -> Words:
        """With a column as wide as the names need, within reason."""
        longest = max((len(node.name) for node in graph.nodes()), default=0)
        return cls(console, log, min(40, max(16, console.width - 34), longest))

    def ended(self, ending: Ending) -> list[str]:
        """What became of a node; of one that failed, the end of its log."""
        console, ran = self.console, ending.fate in (Fate.RAN, Fate.RESUMED)
        took = in_time(ending.seconds) if ran or ending.seconds else ""
        told = [f"{' '.join(name.split())} {value:.4g}" for name, value in sorted(ending.measures.items())[:3]]
        told += [console.paint(each.text, "red") for each in ending.gates if each.verdict is Verdict.FAILS]
        if ending.reason:
            told.append(safe(ending.reason))
        if ending.attempts > 1:
            told.append(f"attempt {ending.attempts}")
        fate = console.paint(ending.fate.value.ljust(11), COLOURS[ending.fate])
        size = in_bytes(ending.bytes) if ran else in_bytes(ending.fetched) if ending.fetched else ""
        lines = console.said(f"{self.name(ending.node)}  {fate}  {took.rjust(6)}  {size.rjust(7)}  {' · '.join(told)}", indent=2)
        if ending.fate is Fate.FAILED and ending.log:
            said = [safe(line) for line in self.log(ending.log).splitlines()[-_TAIL:]]
            lines += [f"    {console.paint('|', 'red')} {clipped(line, console.width - 6)}" for line in said]
            lines.append(f"    {console.paint('log', 'dim')} {ending.log}")
        return lines

    def name(self, node: str) -> str:
        """The name of a node in its column."""
        return clipped(node, self.width).ljust(self.width)

    def aside(self, event: Started | Waiting | Stopping) -> str:
        """What is told besides, where it is worth a line."""
        if isinstance(event, Waiting):
            return f"  {self.name(event.node)}  {self.console.paint('waits', 'yellow')}  {safe(event.whom)}"
        if isinstance(event, Started):
            return f"  {self.name(event.node)}  {self.console.paint('runs', 'cyan')}  {safe(event.why)}" if event.why else ""
        return stopping(event)


def stopping(event: Stopping) -> str:
    """What a first and a second Ctrl-C do."""
    if event.hard:
        return "killed: what was not kept is lost, what is done is kept"
    steps = f"{event.running:,} step{'s' * (event.running != 1)}"
    return f"stopping: {steps} may keep a state and end; Ctrl-C again kills" if event.running else "stopping"


class Lines:
    """A line for each change, where no line can be written over."""

    def __init__(self, words: Words, clock: Clock, *, every: bool) -> None:
        self._words = words
        self._every = every
        self._clock = clock
        self._told: dict[str, float] = {}  # when a step that runs was last told of

    def __call__(self, event: Event) -> None:
        """One event."""
        console = self._words.console
        if isinstance(event, Ending):
            if event.fate is not Fate.KEPT or self._every or event.fetched:
                for line in self._words.ended(event):
                    console.print(line)
        elif isinstance(event, Progress):
            last = self._told.get(event.node, 0.0)
            if self._clock() - last >= _QUIET:
                self._told[event.node] = self._clock()
                console.print(f"  {self._words.name(event.node)}  {console.paint('runs', 'cyan')}  {progress(event)}".rstrip())
        else:
            if isinstance(event, Started):
                self._told[event.node] = self._clock()
            line = self._words.aside(event)
            if line:
                console.print(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


class Stream:
    """Each event as a line of JSON."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """One event."""
        self._console.print(data(as_data(event)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to do."""


def teller(console: Console, plan: Plan, log: Log, *, clock: Clock, as_json: bool, every: bool) -> Stream | Lines:
    """Who tells of a build here."""
    words = Words.of(console, plan.graph, log)
    if as_json:
        return Stream(console)
    return Lines(words, clock, every=every)


def progress(event: Progress) -> str:
    """`step 74/101 · loss 0.61 · 1,910 tok/s · 2 min left`, as far as a step says it."""
    facts = dict(event.facts)
    told = [event.queued] if event.queued else []
    step, of = facts.pop("step", None), facts.pop("of", None)
    if step is not None:
        told.append(f"step {step:,.0f}/{of:,.0f}" if of else f"step {step:,.0f}")
    eta = facts.pop("eta", None)
    speed = facts.pop("tokens_per_second", None)
    told += [f"{name} {value:.3g}" for name, value in list(facts.items())[:2]]
    if speed is not None:
        told.append(f"{speed:,.0f} tok/s")
    if eta is not None:
        told.append(f"{in_time(eta)} left")
    return safe(" · ".join(told))


def summary(console: Console, endings: Mapping[str, Ending], *, left: int, again: str, took: float) -> None:
    """What came of it, what was saved, and the next command."""
    counts = {fate: [each for each in endings.values() if each.fate is fate] for fate in Fate}
    words = [console.paint(f"{len(them):,} {fate.value}", COLOURS[fate]) for fate, them in counts.items() if them]
    words += [f"{left:,} not started"] if left else []
    saved = sum(each.saved for each in counts[Fate.KEPT])
    worked = sum(each.seconds for each in endings.values())
    acted = any(each.seconds or each.fetched for each in endings.values())
    console.say(
        " · ".join(words or ["nothing to do"])
        + (f" · {in_time(worked)} of work" if worked else "")
        + (f" in {in_time(took)}" if acted and took else "")
        + (f" · {in_time(saved)} saved" if saved >= 1 else "")
    )
    failed = [each for each in endings.values() if each.fate is Fate.FAILED]
    gates = [each for each in endings.values() if any(gate.verdict is Verdict.FAILS for gate in each.gates)]
    if failed:
        done = "   what is done is kept" if counts[Fate.RAN] or counts[Fate.KEPT] else ""
        console.say(f"next   mend `{failed[0].node}` (zyc logs {failed[0].node}), then {again}{done}")
        if left:
            console.say("       --keep-going builds what does not stand on it")
    elif gates:
        console.say(f"next   zyc show {gates[0].node}   its gates and measures; a moved bound reruns nothing")
    elif counts[Fate.INTERRUPTED]:
        console.say(f"next   {again}   goes on where it stopped")


def as_data(event: Event) -> dict[str, object]:
    """An event for programs."""
    if isinstance(event, Started):
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
