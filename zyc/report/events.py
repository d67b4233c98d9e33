"""What a build tells, in words: each event, each ending, the end of a log."""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from zyc import gates, kinds
from zyc.gates import Verdict
from zyc.graph import Graph, Node
from zyc.measures import matches
from zyc.quantity import about, in_bytes, in_time
from zyc.report.console import Console, cells, clipped, safe
from zyc.report.outlook import whole
from zyc.runner import Ending, Fate, Progress, Started, Stopping, Waiting

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
_MEASURES = 3  # of a node that ended
_FEW = 2  # nodes that one thing blocks have a line each,
_NAMED = 6  # more share one, with so many names
_STATED = ("step", "of", "loss", "tokens_per_second", "eta")  # facts that have a place of their own
_CONTROL = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)")

Log = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Words:
    """One event in lines for people."""

    console: Console
    log: Log
    width: int
    graph: Graph
    expected: Mapping[str, float] = field(default_factory=dict)  # seconds, of nodes whose time was estimated
    root: str = ""  # of the project, as one types it where the call was made

    @classmethod
    def of(
        cls, console: Console, graph: Graph, log: Log, expected: Mapping[str, float] | None = None, *, root: str = ""
    ) -> Words:
        """With a column as wide as the names need, within reason."""
        longest = max((cells(node.name) for node in graph.nodes()), default=0)
        return cls(console, log, min(40, max(16, console.width - 34), longest), graph, expected or {}, root)

    def ended(self, ending: Ending, *, tail: bool = True) -> list[str]:
        """What became of a node; of one that failed, the end of its log."""
        console, ran = self.console, ending.fate in (Fate.RAN, Fate.RESUMED)
        took = in_time(ending.seconds) if ran or ending.seconds else ""
        told = [each for each, _ in zip(self._measures(ending), range(_MEASURES), strict=False)]
        told += [console.paint(each.text, "red") for each in ending.gates if each.verdict is Verdict.FAILS]
        if ending.fate is Fate.RAN and ending.node in self.expected:
            told.append(f"expected {about(self.expected[ending.node])}")
        if ending.reason:
            told.append(safe(ending.reason))
        if ending.attempts > 1:
            told.append(f"attempt {ending.attempts}")
        size = in_bytes(ending.bytes) if ran else in_bytes(ending.fetched) if ending.fetched else ""
        lines = self._line(self.name(ending.node), ending.fate, took, size, " · ".join(told))
        if ending.fate is Fate.FAILED and ending.log:
            said = last_lines(self.log(ending.log), _TAIL) if tail else []
            lines += [f"    {console.paint('|', 'red')} {clipped(line, console.width - 6)}" for line in said]
            where = posixpath.normpath(posixpath.join(self.root, ending.log))
            lines.append(f"    {console.paint('log', 'dim')} {where}")
        return lines

    def _measures(self, ending: Ending) -> Iterator[str]:
        """What a node measured, in the order in which its kind names it, each number in its unit."""
        vertex = self.graph.vertices.get(ending.node)
        known = dict(kinds.load(vertex.kind).measures) if isinstance(vertex, Node) else {}
        place = {name: next((at for at, each in enumerate(known) if matches(name, each)), len(known)) for name in ending.measures}
        for name in sorted(ending.measures, key=lambda name: (place[name], name)):
            dimension = [*(each.dimension for each in known.values()), "number"][place[name]]
            value = ending.measures[name]
            shown = f"{value:.4g}" if dimension in ("number", "count") else gates.show(value, dimension)
            yield f"{' '.join(name.split())} {shown}"

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
