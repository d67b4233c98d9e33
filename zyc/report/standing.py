"""How a build stands at a moment, in as many lines as there is room for: what runs, what waits and for what, how much is left."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from zyc.graph import Choice, Node
from zyc.planning.plan import Plan, State
from zyc.quantity import in_bytes
from zyc.report.console import cells, clipped, safe
from zyc.report.events import COLOURS, named_facts, stopping, waits_for
from zyc.report.outlook import Outlook, Step, roughly, whole
from zyc.runner import Ending, Event, Fate, Options, Progress, Stopping, Waiting

Part = tuple[str, str]  # a text and its style
Line = tuple[Part, ...]
Ranked = tuple[int, Part]  # the higher, the sooner it gives way; nought never does

_CALM = 0.3  # seconds that a step has to run before it has a line
_WAITING = 4  # lines of what waits
_LOOKED_AT = 64  # readers that are looked at for those that are next
_ACTS = (State.RUN, State.RESUME, State.MAYBE)
_NOTABLE = 100e6  # bytes: what a step holds is told from here on, or when it was foreseen


class Standing:
    """What is known of a build while it goes on; told by one thread, looked at by another."""

    def __init__(self, plan: Plan, options: Options, clock: Callable[[], float], *, blocks: bool = True) -> None:
        self.plan = plan
        self.options = options
        self.clock = clock
        self.outlook = Outlook(plan, options)
        self.full, self.empty = ("█", "░") if blocks else ("#", "-")
        self.arrows = {True: " ↓" if blocks else "", False: " ↑" if blocks else "", None: ""}
        self._gate = threading.Lock()
        self._readers = {name: list(dict.fromkeys(them)) for name, them in plan.graph.readers().items()}
        self._pending = {name: len({edge.source for edge in each.edges}) for name, each in plan.graph.vertices.items()}
        self._settled: set[str] = set()
        self._acting = {name for name, each in plan.decisions.items() if each.state in _ACTS}
        self._foreign: dict[str, str] = {}  # node -> for whom it waits
        self._overheard: set[str] = set()  # nodes whose step runs, and is of a build that is gone
        self._fetches: dict[str, str] = {}  # node -> the remote that its tree comes from
        self._again: set[str] = set()  # nodes that failed and will be tried again
        self._failed = ""
        self._stopping: Stopping | None = None

    def hear(self, event: Event) -> None:
        """One event."""
        with self._gate:
            now = self.clock()
            if isinstance(event, Ending):
                self._ended(event)
            elif isinstance(event, Stopping):
                self._stopping = event
                self.outlook.halted = True
            elif isinstance(event, Waiting):
                self._foreign[event.node] = waits_for(event)
                if event.node in self._overheard:  # it ended, and somebody else was faster
                    self._overheard.discard(event.node)
                    self.outlook.running.pop(event.node, None)
            elif isinstance(event, Progress):
                if event.node in self._foreign:
                    del self._foreign[event.node]
                    self._overheard.add(event.node)
                    self.outlook.starts(event.node, now)
                if event.node in self.outlook.running:
                    self.outlook.running[event.node].hear(event, now)
            elif event.why and not event.log:  # it failed, and stands in line once more
                self.outlook.running.pop(event.node, None)
                self._again.add(event.node)
            else:
                self._foreign.pop(event.node, None)
                self._overheard.discard(event.node)
                self._again.discard(event.node)
                self._fetches[event.node] = event.fetches
                self.outlook.starts(event.node, now)

    def _ended(self, ending: Ending) -> None:
        self.outlook.ends(ending)
        self._foreign.pop(ending.node, None)
        self._overheard.discard(ending.node)
        self._again.discard(ending.node)
        self._acting.discard(ending.node)
        if ending.fate is Fate.FAILED and not self.options.keep_going:
            self._failed = self._failed or ending.node
            self.outlook.halted = True
        waiting = [ending.node]
        while waiting:
            name = waiting.pop()
            if name in self._settled:
                continue
            self._settled.add(name)
            for reader in self._readers.get(name, ()):
                self._pending[reader] -= 1
                if self._pending[reader] == 0 and not isinstance(self.plan.graph.vertices[reader], Node):
                    waiting.append(reader)

    # --- lines ---

    def lines(self, width: int, height: int, *, column: int) -> list[Line]:
        """The lines at this moment: never more than fit under one line of what has ended, never wider than there is room."""
        with self._gate:
            now = self.clock()
            column = max(8, min(column, width // 3))
            room = max(0, height - 3)
            running = [(name, step) for name, step in self.outlook.running.items() if now - step.began >= _CALM]
            shown = running if len(running) <= room else running[: max(0, room - 1)]
            lines = [self._running(name, step, now, width, column) for name, step in shown]
            if len(shown) < len(running) and room:
                lines.append((("  " + f"and {len(running) - len(shown):,} more run", "dim"),))
            if not self.outlook.halted:
                lines += self._waiting(width, column, min(_WAITING, room - len(lines)))
            return [*lines, self._footer(now, width)]

    def _running(self, name: str, step: Step, now: float, width: int, column: int) -> Line:
        room = width - column - 5
        told = step.told
        if told is not None and told.queued:
            return self._named(name, column, [(f"queued {whole(now - step.began)}  ", "yellow"), (safe(told.queued), "")], width)
        if self._fetches.get(name):
            words = f"from {safe(self._fetches[name])} · {whole(now - step.began)}"
            return self._named(name, column, [("fetches", "cyan"), (f"  {words}", "")], width)
        share = step.share()
        bar, parts = _fitted(self._parts(name, step, now), room, bars=share is not None)
        line: list[Part] = []
        if share is not None and bar:
            done = round(share * bar)
            line += [(self.full * done, "cyan"), (self.empty * (bar - done), "dim"), ("  ", "")]
        for at, (_, part) in enumerate(parts):
            line += ([(" · ", "dim")] if at else []) + [part]
        return self._named(name, column, line, width)

    def _parts(self, name: str, step: Step, now: float) -> list[Ranked]:
        """What is told of a step, each with how soon it gives way."""
        parts: list[Ranked] = []
        at, of, left, speed = step.fact("step"), step.fact("of"), step.left(now), step.fact("tokens_per_second")
        gone = whole(now - step.began)
        if at is not None:
            parts.append((0, (f"step {at:,.0f}/{of:,.0f}" if of else f"step {at:,.0f}", "")))
        elif step.expected is not None and step.overrun(now):
            than = "last time" if step.measured else "expected"
            parts += [(0, (gone, "")), (1, (f"longer than {than}", "yellow"))]
        elif step.expected is not None and step.expected >= 1:
            parts.append((0, (f"{gone} of about {roughly(step.expected)}", "")))
        else:
            parts.append((0, (gone, "")))
        for rank, (label, value) in enumerate(named_facts(step.told)[:3] if step.told is not None else []):
            arrow = self.arrows[step.better] if label == "loss" else ""
            parts.append((4 if label == "loss" else 6 + rank, (safe(f"{label} {value:.3g}{arrow}"), "")))
        if speed is not None:
            parts.append((5, (f"{speed:,.0f} tok/s", "")))
        if left is not None and at is not None:
            parts.append((2, (f"{roughly(left)} left" if left >= 1 else "nearly done", "")))
        if at is not None and step.overrun(now) and step.measured:
            parts.append((7, ("longer than last time", "yellow")))
        return parts + self._memory(name, step)

    def _memory(self, name: str, step: Step) -> list[Ranked]:
        decision = self.plan.decisions.get(name)
        foreseen = (decision.estimate.memory or 0) if decision is not None else 0
        held = step.told.memory if step.told is not None else 0
        if not held or max(held, foreseen) < _NOTABLE:
            return []
        if not foreseen:
            return [(3, (in_bytes(held), ""))]
        now, then = in_bytes(held), in_bytes(foreseen)
        now = now.split()[0] if now.split()[1] == then.split()[1] else now
        return [(3, (f"{now} of {then}", "yellow" if held > 1.1 * foreseen else ""))]

    def _named(self, name: str, column: int, parts: Sequence[Part], width: int) -> Line:
        short = clipped(safe(name), column)
        return _cut([("  " + short + " " * (column - cells(short)) + "  ", ""), *parts], width - 1)

    def _waiting(self, width: int, column: int, most: int) -> list[Line]:
        """Those that are next, and how many there are besides."""
        waiting = len(self._acting) - sum(1 for name in self.outlook.running if name in self._acting)
        if most <= 0 or waiting <= 0:
            return []
        told = list(islice(self._next(), most + 1))
        if len(told) < waiting and len(told) >= most:
            told = told[: most - 1]
        lines = [self._named(name, column, [("waits", "yellow"), ("  " + safe(whom), "")], width) for name, whom in told[:most]]
        rest = waiting - len(lines)
        if rest and len(lines) < most:
            words = f"{rest:,} more wait" if lines else f"{rest:,} wait"
            lines.append(((("  " + words + ("s" if rest == 1 else "")), "dim"),))
        return lines

    def _next(self) -> Iterator[tuple[str, str]]:
        """Nodes that wait, and for what: for another zyc, for another attempt, for what runs now."""
        yield from self._foreign.items()
        seen = {*self._foreign, *self.outlook.running}
        for name in self._again:
            if name not in seen:
                seen.add(name)
                yield name, "for another attempt"
        found: list[tuple[int, str, str]] = []
        for giver in islice(self.outlook.running, _LOOKED_AT):
            for reader, of in self._behind(giver):
                if reader not in seen and reader in self._acting:
                    seen.add(reader)
                    more = self._pending[reader] - 1
                    whom = f"for {of or giver}" + (f" and {more:,} more" if more > 0 and not of else "")
                    found.append((self._pending[reader], reader, whom))
        yield from ((name, whom) for _, name, whom in sorted(found, key=lambda each: each[0]))

    def _behind(self, name: str) -> Iterator[tuple[str, str]]:
        """The nodes that read a vertex, some through a family of which so many are left."""
        vertices = self.plan.graph.vertices
        for reader in islice(self._readers.get(name, ()), _LOOKED_AT):
            if isinstance(vertices[reader], Node):
                yield reader, ""
                continue
            left = self._pending[reader]
            words = f"{left:,} of {self._group(reader)}" if left > 1 else ""
            for behind in islice(self._readers.get(reader, ()), _LOOKED_AT):
                if isinstance(vertices[behind], Node):
                    yield behind, words

    def _group(self, name: str) -> str:
        """What several nodes are called that are read as one: their family, where there is one."""
        vertex = self.plan.graph.vertices[name]
        judges = [self.plan.graph.vertices[judge] for _, judge in vertex.judges] if isinstance(vertex, Choice) else []
        families = {judge.family for judge in judges if isinstance(judge, Node)}
        return (families.pop() or "" if len(families) == 1 else "") or name.removesuffix("@*")

    def _footer(self, now: float, width: int) -> Line:
        outlook = self.outlook
        done, everything, running = len(outlook.ended), len(self.plan.decisions), len(outlook.running)
        parts: list[Ranked] = [(1, (f"{done:,} of {everything:,} done", "bold"))]
        if self._stopping is not None:
            told = Stopping(self._stopping.hard, running)
            short = "killed" if told.hard else "stopping; Ctrl-C again kills"
            words = stopping(told)
            parts = [(0, (words if cells(words) + 6 <= width else short, "yellow"))]
        else:
            parts += [(2, (f"{running:,} running", "cyan"))] if running else []
            if self._failed:
                parts.append((0, (f"`{self._failed}` failed: nothing new is started", COLOURS[Fate.FAILED])))
            words = outlook.words(now, self.clock)
            parts += [(3 if self._failed else 0, (words, ""))] if running or self._acting else []
        _, parts = _fitted(parts, width - 6, bars=False)
        line: list[Part] = [("  ", "")]
        for at, (_, part) in enumerate(parts):
            line += ([(" · ", "dim")] if at else []) + [(safe(part[0]), part[1])]
        return _cut(line, width - 4)  # Ctrl-C is echoed behind it


def _fitted(parts: Sequence[Ranked], room: int, *, bars: bool) -> tuple[int, list[Ranked]]:
    """How long a bar may be, and the parts that fit beside it: those of the highest rank give way first."""
    for bar, least in ((16, math.inf), (8, 4)) if bars else ():
        shown = _shortened(parts, room - bar - 2, least)
        if _wide(shown) + bar + 2 <= room:
            return bar, shown
    return 0, _shortened(parts, room, 1)


def _shortened(parts: Sequence[Ranked], room: int, least: float) -> list[Ranked]:
    """Without as many of the highest ranks as it takes."""
    shown = list(parts)
    while _wide(shown) > room:
        last = max(shown, key=lambda each: each[0])
        if last[0] < least:
            break
        shown.remove(last)
    return shown


def _wide(parts: Sequence[Ranked]) -> int:
    return sum(cells(text) + 3 for _, (text, _) in parts) - 3


def _cut(parts: Sequence[Part], width: int) -> Line:
    """The parts that fit."""
    line: list[Part] = []
    for text, style in parts:
        short = clipped(text, width)
        line.append((short, style))
        width -= cells(short)
        if short != text or width <= 0:
            break
    return tuple(line)
