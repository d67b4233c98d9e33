"""How much one asks, and how many are answered at once: buckets that fill by the minute, and a queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, deque

from . import faults

MOST = 10_000  # buckets that are remembered: addresses are many


class Rate:
    """So many a minute for each name; a full bucket may be spent at once."""

    def __init__(self, per_minute, what, clock=time.monotonic):
        self.per_minute, self.what, self.clock = per_minute, what, clock
        self._left = OrderedDict()

    def take(self, name, amount=1):
        """Spend some, or refuse with the seconds until there is some again."""
        left = self.left(name)
        if left < min(amount, self.per_minute):
            wait = (min(amount, self.per_minute) - left) * 60 / self.per_minute
            message = f"more than {self.per_minute:,} {self.what} a minute: try again in {max(1, round(wait))} s"
            raise faults.Fault(429, "rate_limit_exceeded", message, retry=wait)
        self.spend(name, amount)

    def spend(self, name, amount):
        """Count what is known only afterwards; the bucket may go below nothing."""
        self._left[name] = (self.left(name) - amount, self.clock())
        self._left.move_to_end(name)
        while len(self._left) > MOST:
            self._left.popitem(last=False)

    def left(self, name):
        """What may be spent now."""
        left, then = self._left.get(name, (self.per_minute, self.clock()))
        return min(self.per_minute, left + (self.clock() - then) * self.per_minute / 60)


class Slots:
    """So many answers at once; a few wait in line, the rest is sent away with a time."""

    def __init__(self, count, waiting, patience):
        self.count, self.longest, self.patience = count, waiting, patience
        self.busy = 0
        self._line = deque()
        self._usual = 5.0  # seconds that an answer takes, as seen lately

    @property
    def waiting(self):
        """How many stand in line."""
        return len(self._line)

    def soon(self):
        """Seconds until somebody who comes now would be answered."""
        return max(1.0, self._usual * (self.waiting + 1) / self.count)

    @contextlib.asynccontextmanager
    async def taken(self):
        """A slot for as long as it lasts."""
        await self._take()
        began = time.monotonic()
        try:
            yield
        finally:
            self._usual += 0.1 * (time.monotonic() - began - self._usual)
            self._give()

    async def _take(self):
        if self.busy < self.count and not self._line:
            self.busy += 1
            return
        if self.waiting >= self.longest:
            raise faults.busy(self.soon())
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(self.patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._give()  # it was our turn just as we left
            elif turn in self._line:  # who gave a slot on may have passed over it already
                self._line.remove(turn)
            if isinstance(error, TimeoutError):
                raise faults.busy(self.soon()) from None
            raise

    def _give(self):
        """To the next in line: the slot stays busy."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1
