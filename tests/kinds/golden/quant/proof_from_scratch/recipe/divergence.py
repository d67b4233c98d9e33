"""How far two models are apart on the same tokens: the divergence of their chances, and how often they agree on the next one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Distance:
    """Summed over positions, one text after the other."""

    positions: int = 0
    total: float = 0.0
    largest: float = 0.0
    agreed: int = 0

    def add(self, wanted: np.ndarray, found: np.ndarray) -> None:
        """Logits of the same positions: those of the model as it should be, and as it became."""
        rows = min(wanted.shape[-1], found.shape[-1])  # some engines pad the vocabulary
        log_wanted, log_found = chances(wanted[:, :rows]), chances(found[:, :rows])
        apart = np.sum(np.exp(log_wanted) * (log_wanted - log_found), axis=-1)
        self.positions += len(apart)
        self.total += float(np.sum(apart))
        self.largest = max(self.largest, float(np.max(apart)))
        self.agreed += int(np.sum(np.argmax(log_wanted, axis=-1) == np.argmax(log_found, axis=-1)))

    @property
    def kl(self) -> float:
        """The mean divergence, in nats a token; rounding may put it a hair under zero."""
        return max(0.0, self.total / self.positions) if self.positions else float("nan")

    @property
    def top1(self) -> float:
        """The share of positions at which both expect the same token most."""
        return self.agreed / self.positions if self.positions else float("nan")


def chances(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the chances, in double precision."""
    wide = logits.astype(np.float64)
    wide -= np.max(wide, axis=-1, keepdims=True)
    return wide - np.log(np.sum(np.exp(wide), axis=-1, keepdims=True))
