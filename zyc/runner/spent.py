"""What the attempts took that a state stands on: seconds, noted beside it by job, so that twice told is once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from zyc.hosts import LOG, SPENT, has_state, note
from zyc.runner.heard import FILE
from zyc.world import World

_LONGEST = 1e9  # seconds; what is said to have taken longer is no time


def spend(world: World, home: Path, job: str, seconds: float) -> None:
    """Note what an attempt took, if it left a state: whoever goes on from there adds to it."""
    with suppress(OSError):
        if seconds > 0 and has_state(world, home):
            world.write(home / SPENT, json.dumps({**_noted(world, home), job: seconds}))


def before(world: World, home: Path, job: str) -> float:
    """The seconds of the attempts before a job that its state stands on."""
    return sum(each for name, each in _noted(world, home).items() if name != job)


def lived(world: World, home: Path) -> float:
    """The moment of the last sign of a step that nobody saw end."""
    places = [home / LOG, home / FILE, *(home / "state" / name for name in world.list(home / "state"))]
    return max((seen.mtime_ns / 1e9 for seen in map(world.stat, places) if seen is not None), default=0.0)


def _noted(world: World, home: Path) -> Mapping[str, float]:
    told = note(world, home / SPENT)
    return {name: each for name, each in told.items() if isinstance(each, int | float) and 0 < each < _LONGEST}
