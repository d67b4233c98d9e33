"""Who tells of a build here: JSON for programs, a picture in place on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from zyc.planning.plan import Plan
from zyc.report import devices
from zyc.report.build import Lines
from zyc.report.console import Console
from zyc.report.events import Log, Words
from zyc.report.live import Live
from zyc.report.stream import Stream
from zyc.runner import Event, Options

Clock = Callable[[], float]


class Teller(Protocol):
    """Tells of a build, from before its first event to after its last one."""

    def __call__(self, event: Event, /) -> None:
        """One event."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


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
    words = Words.of(console, plan.graph, log, devices.expected(plan))
    if not console.moves:
        return Lines(words, clock, every)
    return Live(Lines(words, clock, every, beats=False), plan, options)
