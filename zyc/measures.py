"""The names of measures: `balance.*` stands for every measure that begins so."""

from __future__ import annotations

from collections.abc import Iterable


def matches(name: str, pattern: str) -> bool:
    """Whether a measure is one that the pattern stands for; a `*` at the end takes all further parts."""
    parts, wanted = name.split("."), pattern.split(".")
    if wanted[-1] == "*" and len(parts) >= len(wanted):
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(want in ("*", part) for part, want in zip(parts, wanted, strict=True))


def known(name: str, patterns: Iterable[str]) -> bool:
    """Whether any of the patterns stands for the measure."""
    return any(matches(name, pattern) for pattern in patterns)


_TAKES = {
    "bytes", "memory_peak", "parameters", "first_token", "answer_p50", "answer_p95",
    "tokens_per_second", "prompt_per_second", "prompt_tokens",
}  # fmt: skip
_DRIFTS = {"kl", "kl_max", "top1", "first_difference"}


def takes(name: str) -> bool:
    """Whether a measure says what a model takes from whoever runs it: something smaller mends it, and nothing larger does."""
    return name.rpartition(".")[2] in _TAKES


def drifts(name: str) -> bool:
    """Whether a measure says how far a model is from what it was made of: more bits mend it, and no other model does."""
    return name.partition(".")[0] in _DRIFTS
