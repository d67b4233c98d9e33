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
        weights = np.exp(log_wanted)
        with np.errstate(invalid="ignore"):
            terms = weights * (log_wanted - log_found)
        apart = np.sum(np.where(weights == 0, 0.0, terms), axis=-1)  # what is never expected is apart from nothing
        self.positions += len(apart)
        self.total += float(np.sum(apart))
        self.largest = float(np.maximum(self.largest, np.max(apart)))  # what is no number stays none
        self.agreed += int(np.sum(np.argmax(log_wanted, axis=-1) == np.argmax(log_found, axis=-1)))

    @property
    def kl(self) -> float:
        """The mean divergence, in nats a token; rounding may put it a hair under zero, and what is no number stays none."""
        return float(np.maximum(self.total / self.positions, 0.0)) if self.positions else float("nan")

    @property
    def top1(self) -> float:
        """The share of positions at which both expect the same token most."""
        return self.agreed / self.positions if self.positions else float("nan")


def chances(logits: np.ndarray) -> np.ndarray:
    """The logarithms of the chances, in double precision."""
    wide = logits.astype(np.float64)
    wide -= np.max(wide, axis=-1, keepdims=True)
    return wide - np.log(np.sum(np.exp(wide), axis=-1, keepdims=True))
