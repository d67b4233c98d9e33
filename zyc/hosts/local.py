"""Runs steps on this machine: a session of its own each, which outlives zyc and is found again."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zyc.hosts import EXIT, LOG, PROCESS, Job, Phase, Report, code_in, note
from zyc.world import World
from zyc.world.process import Process

# a socket's path may have 104 bytes (macOS), and Python's workers put theirs some 34 below TMPDIR
_LONGEST_TMPDIR = 68
_ALIAS = re.compile(r"/tmp/zyc-\w+")  # noqa: S108  # as World.private_folder makes them: a step may write anything into its folder


@dataclass(frozen=True, slots=True)
class Local:
    """The machine that zyc itself runs on."""

    world: World
    running: dict[str, Process]
    name: str = "local"
    local: bool = True

    @classmethod
    def here(cls, world: World) -> Local:
        """A host with nothing on it."""
        return cls(world, {})

    def prepare(self, job: Job) -> None:
        """A tmp/ of its own, empty."""
        self._clean(job)
        self.world.make_folder(job.folder / "tmp")

    def submit(self, job: Job) -> None:
        """Start `bash run.sh` in its folder, in exactly the environment that it is given and a TMPDIR of its own."""
        if job.name in self.running or self._is_alive(job):
            return
        inside = self.world.real(job.folder / "tmp")
        alias = self.world.private_folder() if len(os.fsencode(inside)) > _LONGEST_TMPDIR else ""
        if alias:
            self.world.symlink(f"{alias}/t", target=inside)
        process = self.world.launch(
            ("bash", "run.sh"),
            cwd=job.folder,
            env={**job.env, "TMPDIR": f"{alias}/t" if alias else inside},
            log_path=job.folder / LOG,
            redact=job.secrets,
            pass_descriptors=job.descriptors,
            cores=job.cores,
        )
        self.running[job.name] = process
        card = {"job": job.name, "pid": process.pid, "born": self.world.born(process.pid), "alias": alias}
        self.world.write(job.folder / PROCESS, json.dumps(card))

    def poll(self, job: Job, *, seconds: float) -> Report:
        """How far it is: by its process, or, when another zyc started it, by what is left of that."""
        process = self.running.get(job.name)
        if process is None:
            return self._found(job, seconds)
        ended = process.wait(seconds=seconds)
        if ended is None:
            return Report(Phase.RUNNING, memory=process.memory)
        return Report(Phase.ENDED, ended.code, ended.seconds, ended.peak_memory)

    def cancel(self, job: Job, *, hard: bool) -> None:
        """A signal to its whole group, whoever started it."""
        process = self.running.get(job.name)
        if process is not None:
            (process.kill if hard else process.interrupt)()
        elif self._is_alive(job):
            self.world.end(int(self._card(job)["pid"]), hard=hard)

    def fetch(self, job: Job) -> bool:
        """Everything is here already; its tmp/ goes."""
        process = self.running.pop(job.name, None)
        if process is not None:
            process.close()
        self._clean(job)
        return True

    # --- what an earlier zyc started ---

    def _found(self, job: Job, seconds: float) -> Report:
        if self._is_alive(job):
            until = self.world.monotonic() + seconds
            while self._is_alive(job) and self.world.monotonic() < until:
                self.world.sleep(0.05)
            if self._is_alive(job):
                return Report(Phase.RUNNING)
        card = self._card(job)
        if card and not self.world.born(int(card["pid"])):
            self.world.end(int(card["pid"]), hard=True)  # whom its leader left behind: the group still has its number
        path = job.folder / EXIT
        code = code_in(self.world.read_text(path)) if self.world.exists(path) else None
        return Report(Phase.LOST) if code is None else Report(Phase.ENDED, code, self._took(job))

    def _took(self, job: Job) -> float:
        began, ended = self.world.stat(job.folder / PROCESS), self.world.stat(job.folder / EXIT)
        return max(0.0, (ended.mtime_ns - began.mtime_ns) / 1e9) if began is not None and ended is not None else 0.0

    def _is_alive(self, job: Job) -> bool:
        return _lives(self.world, self._card(job))

    def _card(self, job: Job) -> Mapping[str, str]:
        """What was noted of the process of this very job."""
        card = _noted(self.world, job.folder)
        return card if card.get("job") == job.name else {}

    def _clean(self, job: Job) -> None:
        alias = self._card(job).get("alias", "")
        if _ALIAS.fullmatch(alias):
            self.world.remove_tree(alias)
        self.world.remove_tree(job.folder / "tmp")
        self.world.remove_tree(job.folder / PROCESS)


def runs(world: World, folder: Path) -> bool:
    """Whether a step of this machine runs in a folder, whoever started it."""
    return _lives(world, _noted(world, folder))


def _lives(world: World, card: Mapping[str, str]) -> bool:
    return bool(card) and bool(card["born"]) and world.born(int(card["pid"])) == card["born"]


def _noted(world: World, folder: Path) -> Mapping[str, str]:
    told = note(world, folder / PROCESS)
    card = {name: str(told.get(name, "")) for name in ("job", "pid", "born", "alias")}
    # 0 would be our own group
    return card if card["pid"].isdecimal() and int(card["pid"]) > 0 else {}


# where this machine keeps what it fetched, and how it gets there: they change no result, so they are in no key
_PLACES = (
    "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "ZYC_TOOLCHAIN", "ZYC_ENVIRONMENTS",
    "SSL_CERT_FILE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_CONFIG_FILE",
)  # fmt: skip


def environment(world: World, passed: Mapping[str, str]) -> dict[str, str]:
    """What every step sees of this machine, and what the spec or the site passes on to it; nothing else."""
    here = world.environ()
    own = os.path.dirname(sys.executable)  # noqa: PTH120  # as it is called: the real path would leave the virtual environment
    found = [own, *here.get("PATH", os.defpath).split(os.pathsep)]
    scrubbed = {
        "PATH": os.pathsep.join(dict.fromkeys(each for each in found if each.startswith("/"))),
        "HOME": here.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",  # the last words of a step that is killed are worth having
    }
    return {**{name: here[name] for name in _PLACES if name in here}, **scrubbed, **passed}
