"""Where steps run: what every host is asked, and what it answers; a host knows step folders, and no kind, store or journal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from zyc.world import World

# What stands in a step folder besides its files, in/, out/ and state/.
EXIT = "exit"  # how run.sh ended, by its own hand
CARD = "job.json"  # the attempt that was submitted and not judged yet
FAILED = "failed.json"  # why the last attempt failed; gone when the next one starts
PROCESS = "process.json"  # of the host that is this machine: which process runs it
SPENT = "spent.json"  # the seconds of the attempts that its state stands on, by job
SAVED = "progress.json"  # in state/, by the step itself: `{"step": 400, "of": 1000}`, how far its state has come
PLACEMENT = ".placement.json"  # in state/: where and how it was written
LOG = "log.txt"
_LONGEST_NOTE = 1 << 20  # bytes
_EARLIER = re.compile(r"log\.(\d+)\.txt")


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at a step. Its name tells key and attempt, so that no host ever has it twice."""

    name: str
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # values that its log must not show
    cpus: int = 1
    memory: int = 0
    gpus: int = 0
    cores: tuple[int, ...] = ()  # of this machine, when it runs here
    descriptors: tuple[int, ...] = ()  # locks that its processes hold while they live, when it runs here


class Phase(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"  # the host does not know it, or took it away: nobody writes into its folder any more


@dataclass(frozen=True, slots=True)
class Report:
    """What a host says of a job."""

    phase: Phase
    code: int = 0  # once it has ended; negative: the signal that ended it
    seconds: float = 0.0
    peak_memory: int = 0  # bytes; 0 is not known
    memory: int = 0  # bytes, now
    says: str = ""  # in the host's words: why it waits, who took it away


class Host(Protocol):
    """Somewhere that steps run. Every call may come from any thread, and may be made again after a crash of the caller."""

    @property
    def name(self) -> str:
        """What the site calls it."""

    @property
    def local(self) -> bool:
        """Whether jobs take this machine's cores and memory, which the runner then shares out."""

    def prepare(self, job: Job) -> None:
        """Bring what the job needs to where it will run."""

    def submit(self, job: Job) -> None:
        """Let it run; nothing when a job of this name was submitted before."""

    def poll(self, job: Job, *, seconds: float) -> Report:
        """How far it is; waits for news up to so long."""

    def cancel(self, job: Job, *, hard: bool) -> None:
        """Ask it to stop, so that it keeps a state; hard: end it at once. Its end is told by `poll`."""

    def fetch(self, job: Job) -> bool:
        """Bring home what an ended job left, log and state too; false while some of it has not arrived."""


def code_in(text: str) -> int | None:
    """The exit code in the file of a run.sh; nothing while it runs, and when it was cut off."""
    word, _, number = text.partition(" ")
    whole = word == "ended" and number.endswith("\n") and number.strip().isdecimal()
    return int(number) if whole else None


def note(world: World, path: Path) -> Mapping[str, object]:
    """What a small file of a step folder says; nothing of one that is gone, torn, or whatever else a step made of it."""
    seen = world.stat(path)
    if seen is None or seen.kind != "file" or seen.size > _LONGEST_NOTE:
        return {}  # to read a pipe would be to wait for ever
    try:
        told = json.loads(world.read(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def has_state(world: World, folder: Path) -> bool:
    """Whether a step that was cut short left something to go on from."""
    return bool(set(world.list(folder / "state")) - {PLACEMENT})


def earlier_logs(world: World, folder: Path) -> list[int]:
    """The numbers of the logs of earlier attempts, oldest first."""
    found = (_EARLIER.fullmatch(name) for name in world.list(folder))
    return sorted(int(each[1]) for each in found if each is not None)


def log_name(number: int) -> str:
    """The file of the log of an earlier attempt."""
    return f"log.{number}.txt"
