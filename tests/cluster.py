"""A cluster in a folder: jobs run by themselves on disks of their own, start late, are taken away, and deliver late."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from zyc.hosts import Job, Phase, Report
from zyc.world import World
from zyc.world.redact import Redactor

# What a node of the cluster does with a job: nobody who submitted it is needed for that.
_NODE = """
trap : INT TERM
sleep "$DELAY" || { echo 130 > ended.new; mv ended.new ended; exit; }
date +%s.%N > running
cd disk
bash run.sh > log.txt 2>&1
code=$?
cd ..
date +%s.%N > stopped
echo $code > ended.new
mv ended.new ended
"""
Whether = Callable[[Path], bool]


def never(disk: Path) -> bool:
    """No job is taken away."""
    return False


@dataclass
class Cluster:
    """What one driver holds of the cluster; everything that counts is in its folder, so that the next driver sees the same."""

    root: Path
    delay: float = 0.0  # seconds in the queue
    late: int = 0  # how often `fetch` comes too early
    takes: Whether = never  # preempts a job that runs: its disk is looked at, and read once more by `fetch`
    forgets: Whether = never  # loses a job with everything on its disk
    name: str = "cluster"
    local: bool = False
    fetched: Counter[str] = field(default_factory=Counter)

    def _place(self, job: Job) -> Path:
        return self.root / job.name

    def prepare(self, job: Job) -> None:
        """Copy its folder to a disk of its own: what links lead to stands there itself."""
        place = self._place(job)
        assert not place.exists(), f"{job.name} is prepared twice"
        place.mkdir(parents=True)
        shutil.copytree(job.folder, place / "disk")
        (place / "disk" / "tmp").mkdir()

    def submit(self, job: Job) -> None:
        """Queue it; a second time is no second job."""
        place = self._place(job)
        self._note(job.name)
        try:
            os.mkdir(place / "submitted")  # noqa: PTH102  # one of two drivers at once
        except FileExistsError:
            return
        environ = {**job.env, "TMPDIR": str(place / "disk" / "tmp"), "DELAY": str(self.delay)}
        command = ["bash", "-c", _NODE]
        with (place / "node.txt").open("wb") as words:
            node = subprocess.Popen(
                command, cwd=place, env=environ, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        (place / "node.json").write_text(json.dumps({"pid": node.pid, "born": World().born(node.pid)}))
        node.returncode = 0  # it is the cluster's: whoever submitted it does not wait for it

    def _note(self, name: str) -> None:
        with (self.root / "submissions").open("a") as file:
            file.write(f"{name}\n")

    @property
    def submissions(self) -> Counter[str]:
        """How often each job was submitted."""
        path = self.root / "submissions"
        return Counter(path.read_text().splitlines()) if path.exists() else Counter()

    def poll(self, job: Job, *, seconds: float) -> Report:
        """How far it is."""
        until = time.monotonic() + seconds
        while (report := self._seen(job)).phase in (Phase.QUEUED, Phase.RUNNING) and time.monotonic() < until:
            time.sleep(0.02)
        return report

    def _seen(self, job: Job) -> Report:
        place = self._place(job)
        if not (place / "submitted").exists() or (place / "taken").exists():
            return Report(Phase.LOST, says="taken away")
        if (place / "ended").exists():
            return Report(Phase.ENDED, int((place / "ended").read_text()), self._took(place), peak_memory=1 << 20)
        if not (place / "running").exists() and self._lives(place):
            return Report(Phase.QUEUED, says="waits for a node")
        if not self._lives(place):
            return self._seen(job) if (place / "ended").exists() else Report(Phase.LOST, says="its node died")
        forgotten = self.forgets(place / "disk")
        if forgotten or self.takes(place / "disk"):
            if forgotten:
                (place / "forgotten").touch()
            (place / "taken").touch()
            self._signal(place, signal.SIGKILL)
            return Report(Phase.LOST, says="taken away")
        return Report(Phase.RUNNING, memory=1 << 20)

    @staticmethod
    def _took(place: Path) -> float:
        times = [place / name for name in ("running", "stopped")]
        return float(times[1].read_text()) - float(times[0].read_text()) if all(each.exists() for each in times) else 0.0

    @staticmethod
    def _lives(place: Path) -> bool:
        try:
            node = json.loads((place / "node.json").read_text())
        except (OSError, ValueError):
            return True  # it is being submitted at this moment
        _reap(node["pid"])
        return World().born(node["pid"]) == node["born"]

    def _signal(self, place: Path, number: int) -> None:
        node = json.loads((place / "node.json").read_text())
        if self._lives(place):
            os.killpg(node["pid"], number)
        _reap(node["pid"])

    def cancel(self, job: Job, *, hard: bool) -> None:
        """A signal to all of it."""
        place = self._place(job)
        if (place / "node.json").exists() and not (place / "ended").exists():
            self._signal(place, signal.SIGKILL if hard else signal.SIGINT)

    def fetch(self, job: Job) -> bool:
        """Bring home what it left: a part of it, cut off, as long as not all has arrived."""
        place, home = self._place(job), job.folder
        disk = place / "disk"
        if not disk.exists() or (place / "forgotten").exists() or not (place / "submitted").exists():
            return True
        self.fetched[job.name] += 1
        partial = self.fetched[job.name] <= self.late
        for name in ("out", "state"):
            shutil.rmtree(home / name, ignore_errors=True)
        names = sorted(path.relative_to(disk) for path in disk.rglob("*") if path.parts[len(disk.parts)] not in _OURS)
        for name in names[: len(names) // 2] if partial else names:
            _bring(disk / name, home / name, cut=partial, hide=Redactor(job.secrets))
        return not partial


_OURS = ("in", "recipe", "harness", "placement", "run.sh", "manifest.txt", "job.json", "tmp")


def _bring(source: Path, target: Path, *, cut: bool, hide: Redactor) -> None:
    if source.is_dir():
        target.mkdir(exist_ok=True)
        return
    told = source.read_bytes()
    if target.name == "log.txt":
        told = hide.feed(told) + hide.flush()
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(told[: len(told) // 2] if cut else told)
    target.chmod(source.stat().st_mode)


def _reap(pid: int) -> None:
    """A node that this very process started is nobody's child on a real cluster."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
