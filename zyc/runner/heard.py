"""What a step says of itself while it runs: the numbers of the last whole line of its `events.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from zyc.world import World

FILE = "events.jsonl"
_END = 65_536  # bytes


class Heard:
    """Listens to one step; the file is read again only when it has grown."""

    def __init__(self, world: World, home: Path) -> None:
        self._world = world
        self._path = home / FILE
        self._size = 0
        self._facts: Mapping[str, float] = {}

    def facts(self) -> Mapping[str, float]:
        """The numbers that it said last."""
        seen = self._world.stat(self._path)
        if seen is None or seen.kind != "file" or seen.size == self._size:
            return self._facts
        self._size = seen.size
        with suppress(OSError):  # it may be gone again
            lines = reversed(self._world.tail(self._path, most=_END).splitlines())
            self._facts = next((facts for facts in map(_numbers, lines) if facts is not None), self._facts)
        return self._facts


def _numbers(line: bytes) -> Mapping[str, float] | None:
    """The numbers in a line; nothing when it is torn, or none of ours."""
    with suppress(ValueError, AttributeError, RecursionError, OverflowError):
        told = json.loads(line)
        return {str(name): float(each) for name, each in told.items() if isinstance(each, int | float)}
    return None
