"""Who makes attempts: threads side by side, or the caller himself, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class Crew(Protocol):
    """Takes work and has it done."""

    def start(self, work: Callable[[], None]) -> None:
        """Have it done, now or soon; what goes wrong is the work's own to tell."""

    def close(self) -> None:
        """Wait for what was started."""


class Threads:
    """Side by side: most of an attempt is waiting, for a step or for the disk."""

    def __init__(self, width: int) -> None:
        self._pool = ThreadPoolExecutor(width, thread_name_prefix="attempt")

    def start(self, work: Callable[[], None]) -> None:
        """Soon."""
        self._pool.submit(work)

    def close(self) -> None:
        """All of it."""
        self._pool.shutdown()


class Alone:
    """One after the other, in order: what a test needs that counts effects."""

    def start(self, work: Callable[[], None]) -> None:
        """Now."""
        work()

    def close(self) -> None:
        """Nothing is left."""
