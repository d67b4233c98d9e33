"""How much of two models a proof compares: as much as can be waited for, and of a large one what still tells."""

from __future__ import annotations

from typing import NamedTuple

from zyc.craft import arch
from zyc.types import Model

SMALL = 125e6  # parameters: up to here nobody waits


class Few(NamedTuple):
    """The bounds of a count that falls as models grow."""

    least: int
    most: int

    def of(self, model: Model | None) -> int:
        """The most of a small model or an unknown one, and the least of a large one."""
        count = arch.parameters(model) if model is not None else None
        return self.most if not count else min(self.most, max(self.least, round(self.most * SMALL / count)))
