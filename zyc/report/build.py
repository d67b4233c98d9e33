"""A build as it happens, where no line can be written over: a line for each change."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from zyc.report.events import NOT_STARTED, Words
from zyc.runner import Ending, Event, Fate, Progress, Started

_FAR = 20  # lines further down a failure is told of once more, at the end
_TAILS = 3  # failures of which the log is shown
_QUIET = 60.0  # seconds between two lines of a step that runs, where no line is written over
_LOOK = 5.0  # seconds between two looks at who was quiet for so long

Clock = Callable[[], float]


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
