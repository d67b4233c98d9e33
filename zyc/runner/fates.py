"""What can happen to a node, and what a build tells while it happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zyc.errors import ZycError
from zyc.gates import Verdict
from zyc.planning.plan import GateOutlook
from zyc.quantity import in_bytes


class Fate(StrEnum):
    """What happened to a node."""

    KEPT = "kept"
    RAN = "ran"
    RESUMED = "resumed"
    FAILED = "failed"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended for one node."""

    node: str
    fate: Fate
    key: str = ""
    tree: str = ""
    seconds: float = 0.0
    saved: float = 0.0  # what a kept node took when it was built
    bytes: int = 0
    peak_memory: int = 0
    measures: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[GateOutlook, ...] = ()
    reason: str = ""  # in one line: why it failed or is blocked, or what else there is to say
    log: str = ""  # where its log is, relative to the project's root
    attempts: int = 1
    fetched: int = 0  # bytes that came from a remote


@dataclass(frozen=True, slots=True)
class Started:
    """A step runs, or an attempt at it that failed is made again."""

    node: str
    attempt: int = 1
    resumed: bool = False
    log: str = ""
    why: str = ""  # it is tried once more, or was found running
    fetches: str = ""  # no step runs: its tree comes from this remote


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step that runs says of itself, and what it holds."""

    node: str
    facts: Mapping[str, float] = field(default_factory=dict)  # step, of, loss, tokens_per_second, eta, ...
    memory: int = 0
    queued: str = ""  # why its host has not started it yet


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step waits for what is none of this build's."""

    node: str
    whom: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """Somebody asked the build to stop: once, and twice."""

    hard: bool
    running: int


Event = Started | Progress | Waiting | Stopping | Ending
Told = Callable[[Event], None]


def verdict_failed(endings: Mapping[str, Ending]) -> bool:
    """Whether a build ends with exit code 1."""
    fates = {each.fate for each in endings.values()}
    bad = any(gate.verdict is Verdict.FAILS for each in endings.values() for gate in each.gates)
    return bad or bool(fates & {Fate.FAILED, Fate.BLOCKED})


def exit_words(code: int, *, expected: float = 0, lighter: Iterable[str] = (), goes_on: bool = False) -> str:
    """How a step ended, for a person; of one that was killed also what it was thought to hold, what holds less, what is kept."""
    killed = -code if code < 0 else code - 128 if code in (128 + 9, 128 + 15) else 0
    if killed == 9:
        told = ["it was killed (signal 9), as a machine does that runs out of memory"]
        told += [f"it was expected to take {in_bytes(round(expected))}"] if expected else []
        less = [f"`{each}`" for each in lighter]
        told += [f"less is taken by {' or '.join(less)}"] if less else []
        told += ["its state is kept, and the next build goes on from there"] if goes_on else []
        return "; ".join(told)
    return f"it was ended by signal {killed}" if killed else f"it ended with exit code {code}"


def refusal(error: OSError | ZycError) -> str:
    """What the machine refused, in one line."""
    if isinstance(error, ZycError):
        return "; ".join(each.message for each in error.problems)
    name = os.path.basename(str(error.filename or ""))  # noqa: PTH119
    return f"`{name}`: {error.strerror or error}" if name else error.strerror or str(error)
