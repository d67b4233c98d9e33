"""Commands timed in turn, A B B A, so that what else the machine does falls on all of them alike.

Figures are made of the least time of each: other work only ever adds. A median of few rounds flatters whoever is slower,
since a pause of the machine doubles a short run and hardly shows in a long one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

LIMIT = 600.0  # seconds: nothing here is meant to take longer
_LAUNCH = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class Run:
    """What one command took."""

    seconds: float
    cpu: float
    memory: int  # peak bytes of the command or of one of its children


@dataclass(slots=True)
class Runs:
    """What a command took, several times over."""

    name: str
    each: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median wall time."""
        return median(run.seconds for run in self.each)

    @property
    def least(self) -> float:
        """The shortest wall time: what the machine does when it is left alone."""
        return min(run.seconds for run in self.each)

    @property
    def cpu(self) -> float:
        """The median time on a core."""
        return median(run.cpu for run in self.each)

    @property
    def memory(self) -> int:
        """The largest peak."""
        return max(run.memory for run in self.each)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A command in a folder, and what is done before each run without being timed."""

    name: str
    command: Sequence[str]
    folder: Path
    before: Callable[[int], None] = lambda _: None
    env: Mapping[str, str] = field(default_factory=dict)


def in_turn(*entrants: Entrant, rounds: int, warm: int = 1) -> dict[str, Runs]:
    """Each entrant once a round, every other round the other way round: what one leaves in memory slows whoever is next.

    The rounds that warm up are not counted. `before` is told a number that never repeats.
    """
    runs = {entrant.name: Runs(entrant.name) for entrant in entrants}
    for turn in range(warm + rounds):
        for entrant in entrants if turn % 2 == 0 else reversed(entrants):
            entrant.before(turn)
            run = once(entrant.command, entrant.folder, env=entrant.env)
            if turn >= warm:
                runs[entrant.name].each.append(run)
    return runs


def once(command: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; one that fails or takes too long ends the benchmark."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCH), *command], cwd=folder, env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            told, _ = process.communicate(timeout=LIMIT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds, cpu, memory, code = told.split()
        if int(code) != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()[-600:]
            sys.exit(f"`{Path(command[0]).name} {' '.join(command[1:])}` ended with {int(code)}\n{words}")
    return Run(float(seconds), float(cpu), int(memory))
