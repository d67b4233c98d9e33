"""A host on which nothing runs: steps take as many looks as a test says, end as it says, and who ran beside whom is noted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zyc.hosts import Job, Phase, Report

Ends = Callable[[Job], int]


def well(job: Job) -> int:
    """With an output."""
    return 0


@dataclass
class Paper:
    """Steps are told apart by what their command says first, after a `#`."""

    ends: Ends = well
    looks: Callable[[str], int] = lambda _: 1  # how often a step says that it runs before it has ended
    started: list[str] = field(default_factory=list)  # in order
    beside: list[list[Job]] = field(default_factory=list)  # at each start, all that ran then
    jobs: list[Job] = field(default_factory=list)
    cancelled: list[tuple[str, bool]] = field(default_factory=list)
    name: str = "local"
    local: bool = True

    def __post_init__(self) -> None:
        self._gate = threading.Lock()
        self._running: dict[str, Job] = {}
        self._left: dict[str, int] = {}

    @staticmethod
    def called(job: Job) -> str:
        """What its command says first."""
        return (job.folder / "recipe" / "command.sh").read_text().split("#")[1].split()[0]

    def prepare(self, job: Job) -> None:
        """Nothing."""

    def submit(self, job: Job) -> None:
        """Note it."""
        with self._gate:
            self.started.append(self.called(job))
            self.jobs.append(job)
            self._running[job.name] = job
            self._left[job.name] = self.looks(self.called(job))
            self.beside.append([*self._running.values()])

    def poll(self, job: Job, *, seconds: float) -> Report:
        """One look more."""
        time.sleep(0.001)
        with self._gate:
            if job.name not in self._running:
                return Report(Phase.LOST)
            self._left[job.name] -= 1
            if self._left[job.name] >= 0:
                return Report(Phase.RUNNING, memory=self._left[job.name])
            code = self.ends(job)
            if code == 0:
                (job.folder / "out" / "it").write_text(f"{self.called(job)}\n")
            del self._running[job.name]
            return Report(Phase.ENDED, code, 2.0)

    def cancel(self, job: Job, *, hard: bool) -> None:
        """It ends at the next look."""
        with self._gate:
            self.cancelled.append((self.called(job), hard))
            self._left[job.name] = 0

    def fetch(self, job: Job) -> bool:
        """All is here."""
        return True
