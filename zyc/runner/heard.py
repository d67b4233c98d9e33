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
        for line in reversed(self._world.tail(self._path, most=_END).splitlines()):
            with suppress(ValueError, AttributeError):
                told = json.loads(line)
                self._facts = {str(name): float(each) for name, each in told.items() if isinstance(each, int | float)}
                break
        return self._facts
