"""Where steps run: each host knows step folders, and nothing of kinds, store or journal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended on a host; code 0 says only that its script ended well."""

    code: int
    seconds: float
    peak_memory: int  # bytes, the largest process
