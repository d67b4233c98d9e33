"""One attempt at a step, from an empty folder to a trace: what it leaves is published whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from zyc import kinds
from zyc.errors import ZycError, problem
from zyc.hosts import CARD, FAILED, LOG, PLACEMENT, SPENT, Job, Phase, Report, earlier_logs, has_state, log_name, note
from zyc.hosts.local import environment
from zyc.keeping.store import Tree
from zyc.keeping.traces import Trace
from zyc.kind import EnvironmentNeed, FileNeed, Found
from zyc.planning import folder
from zyc.planning.files import Disk, find
from zyc.planning.why import files_of, recipe_fields
from zyc.runner import spent
from zyc.runner.fates import Fate, Progress, Started, exit_words, refusal
from zyc.runner.heard import Heard
from zyc.runner.schedule import Share
from zyc.runner.task import Bench, Result, Task, machine_words
from zyc.world import Lock

_GRACE = 15.0  # seconds that a step which took too long has to keep a state
_MOST_LOST = 10
_MOST_LOGS = 5
_NOTICE = 0.2  # seconds between two looks at what a step says of itself


class _NotArrivedError(Exception):
    """Nobody waits any more for what a job left."""


class Attempt:
    """A step being made; `stop` may be called from another thread."""

    def __init__(self, bench: Bench, task: Task, *, freed: Callable[[], None], number: int = 1) -> None:
        self.bench = bench
        self.task = task
        self.world = bench.world
        self.home = bench.project.step(task.key)
        self.number = number
        self._freed = freed  # the step has ended: its share of the machine is free
        self._job: Job | None = None
        self._resumed = False
        self._card: dict[str, object] = {}
        self._tree: Tree | None = None  # what an earlier zyc published before it could write the trace
        self._presses = 0
        self._timed_out = False
        self._gate = threading.Lock()
        self._heard = Heard(self.world, self.home)

    def stop(self, *, hard: bool) -> None:
        """Ask the step to keep a state and end; hard: end it."""
        with self._gate:
            self._presses = max(self._presses, 2 if hard else 1)
            if self._job is not None:
                with suppress(OSError):
                    self.bench.host.cancel(self._job, hard=hard)

    def run(self, lock: Lock) -> Result:
        """Make it, or take what another zyc made meanwhile. Problems are results; a bug is not."""
        with lock:
            try:
                there = self.bench.traces.read(self.task.key)
                if there is not None and self.bench.store.has(there.tree):
                    return Result(Fate.KEPT, there)
                return self._made(lock)
            except _NotArrivedError:
                return Result(Fate.INTERRUPTED)
            except (OSError, ZycError) as error:
                return self._given_up(refusal(error))

    def _given_up(self, reason: str) -> Result:
        """What we cannot go on with must not go on without us."""
        job, over = self._job, self._job is None
        if job is not None:
            with suppress(OSError):
                while self.bench.host.poll(job, seconds=_NOTICE).phase not in (Phase.ENDED, Phase.LOST):
                    self.bench.host.cancel(job, hard=True)
                over = True
                self.bench.host.fetch(job)
        return self._failed(reason, over=over)

    # --- from start to end of the step ---

    def _made(self, lock: Lock) -> Result:
        stamps: Mapping[str, object] | None = None
        report = self._found(lock)
        for _ in range(_MOST_LOST):
            if report is not None:
                break
            if self._presses:
                return Result(Fate.INTERRUPTED)
            if self._timed_out:
                return self._failed(self._too_long())
            gone = next((giver for tree, giver in self.task.givers.items() if not self.bench.store.has(tree)), "")
            if gone:  # since it was looked at: somebody spoiled or removed it
                return self._failed(_gone(gone))
            stamps = self._stamps()
            report = self._submitted(lock)
        if report is None:
            return self._failed("its host took it away again and again")
        if report.code == 0:
            self._freed()  # while the disk takes what it made; a failure is told first: nothing may start after it
        return self._judged(report, stamps)

    def _judged(self, report: Report, stamps: Mapping[str, object] | None) -> Result:
        node = self.task.node
        short = report.code != 0 or (self._tree is None and self._is_empty())
        if self._timed_out and short:
            return self._failed(self._too_long(), report.seconds)
        if self._presses and short:
            self._spend(report.seconds)
            self._forget()
            return Result(Fate.INTERRUPTED, seconds=report.seconds, log=self._log())
        if report.code != 0:
            goes_on = self.task.node.shape.resumes and has_state(self.world, self.home)
            told = exit_words(
                report.code, expected=self.task.predicted.get("memory", 0), lighter=self.task.lighter, goes_on=goes_on
            )
            return self._failed(told, report.seconds)
        for tree, giver in self.task.givers.items():
            if not self.bench.store.has(tree):  # a step beside this one spoiled it
                return self._failed(_gone(giver), report.seconds)
            if (stamps is None or stamps[tree] != self._stamp(tree)) and not self.bench.store.recheck(tree):
                self.bench.store.quarantine(tree)
                raise ZycError(problem("input-changed", node=node.name, input=giver))
        flaw = self._flaw() if self._tree is None else ""
        if flaw:
            return self._failed(flaw, report.seconds)
        return self._published(report)

    def _failed(self, reason: str, seconds: float = 0.0, *, over: bool = True) -> Result:
        """Noted in the step's folder, too: the next plan says so. A job that may live on is not forgotten."""
        self._spend(seconds)
        with suppress(OSError):
            if over:
                self._forget()
            if self.world.exists(self.home):
                self.world.write(self.home / FAILED, json.dumps({"reason": reason, "attempt": self.number}))
        return Result(Fate.FAILED, reason=reason, seconds=seconds, log=self._log())

    def _log(self) -> str:
        log = self.home / LOG
        seen = self.world.stat(log)
        # a step may have made something else of it
        return os.path.relpath(log, self.bench.project.root) if seen is not None and seen.kind == "file" else ""

    # --- a new job, or one that an earlier zyc left ---

    def _submitted(self, lock: Lock) -> Report | None:
        """How a new job ended; nothing when its host lost it."""
        self._prepare()
        # a host may remember what it was given long ago: no two attempts ever have one name
        job = self._new_job(f"{self.task.key[:24]}-{self.number}-{os.urandom(4).hex()}", lock)
        self.bench.host.prepare(job)
        self._card = {
            "job": job.name,
            "host": self.bench.host.name,
            "attempt": self.number,
            "resumed": self._resumed,
            "boot": self.world.boot(),
            "began": self.world.now(),
        }
        # before it is submitted: whoever comes after us can ask for it
        self.world.write(self.home / CARD, json.dumps(self._card))
        self.bench.say(Started(self.task.node.name, self.number, self._resumed, self._log()))
        with self._gate:
            self._job = job  # before it is submitted: a submission that goes wrong half-way may have started it
        self.bench.host.submit(job)
        report = self._followed(job)
        if report is None:
            self.number += 1
        return report

    def _found(self, lock: Lock) -> Report | None:
        """How a job ended that an earlier zyc submitted and could not judge; nothing when there is none worth waiting for."""
        try:
            card = dict(note(self.world, self.home / CARD))
            name, number, began = str(card["job"]), int(str(card["attempt"])), float(str(card["began"]))
            card["began"] = datetime.fromtimestamp(began, UTC).timestamp()
            ours = name.startswith(self.task.key[:24]) and card["host"] == self.bench.host.name and self._is_as_rendered()
            # after a power cut a step's last bytes may be missing, whatever its exit says
            alive = ours and (not self.bench.host.local or card["boot"] == self.world.boot() != "")
        except (OSError, ValueError, LookupError, OverflowError):
            return None
        self.number = number
        if alive:
            self._card = card
            job = self._new_job(name, lock)
            self._resumed = bool(card.get("resumed"))
            first = self.bench.host.poll(job, seconds=0).phase
            lives = first in (Phase.QUEUED, Phase.RUNNING)
            if first is not Phase.LOST:
                why = f"{'still' if lives else 'no more'}: an earlier build started it"
                self.bench.say(Started(self.task.node.name, number, self._resumed, self._log(), why))
            report = self._followed(job)  # of a lost one, too, the state is brought home
            self._tree = self._announced()
            if report is not None and (lives or (report.code == 0 and not (self._tree is None and self._is_empty()))):
                return report
            unseen = spent.lived(self.world, self.home) - began if self.bench.host.local else 0.0
            self._spend(unseen if report is None else report.seconds)
        elif ours:
            self._job = self._new_job(name, lock)
            self._spend(spent.lived(self.world, self.home) - began)
        self.number, self._job, self._tree = number + 1, None, None
        return None

    def _spend(self, seconds: float) -> None:
        """Note what an attempt took that left a state."""
        if self._job is not None and self.task.node.shape.resumes:
            spent.spend(self.world, self.home, self._job.name, seconds)

    def _announced(self) -> Tree | None:
        """The tree that an earlier zyc was about to publish, if it did."""
        digest, size = self._card.get("tree"), self._card.get("bytes")
        if (
            not isinstance(digest, str)
            or not isinstance(size, int)
            or not self._is_empty()
            or not self.bench.store.recheck(digest)
        ):
            return None
        self.world.sync(self.bench.store.path(digest).parent)
        return Tree(digest, bytes=size, files=0)

    def _announce(self, tree: Tree) -> None:
        """Note what is about to leave the step's folder: a kill before there is a trace must not cost the work."""
        self._card |= {"tree": tree.digest, "bytes": tree.bytes}
        self.world.write(self.home / CARD, json.dumps(self._card))

    def _is_as_rendered(self) -> bool:
        files = {name: text for name, text in self.task.rendered.files().items() if name.startswith("recipe/")}
        return all(self.world.read(self.home / name) == text.encode() for name, text in files.items())

    def _new_job(self, name: str, lock: Lock) -> Job:
        share = self.task.share
        return Job(
            name,
            self.home,
            self._environment(share),
            self._secrets(),
            share.need.cpus,
            share.need.memory,
            share.need.gpus,
            share.cores,
            (lock.descriptor, *self.bench.held),
        )

    def _followed(self, job: Job) -> Report | None:
        """Wait for its end, and pass on what it says of itself; nothing when its host lost it."""
        with self._gate:
            self._job = job
            pressed = self._presses
        if pressed:
            self.bench.host.cancel(job, hard=pressed > 1)
        began, last = self.world.monotonic(), Progress("")
        while True:
            report = self.bench.host.poll(job, seconds=_NOTICE)
            if report.phase in (Phase.ENDED, Phase.LOST):
                break
            if report.phase is Phase.QUEUED:
                began = self.world.monotonic()  # what waits for its turn takes no time of its limit
            told = Progress(
                self.task.node.name, self._heard.facts(), report.memory, report.says if report.phase is Phase.QUEUED else ""
            )
            if told != last:
                self.bench.say(told)
                last = told
            self._watch_the_clock(job, self.world.monotonic() - began)
        while not self.bench.host.fetch(job):
            if self._presses > 1:
                raise _NotArrivedError  # the next build asks for it
            self.world.sleep(_NOTICE)
        return report if report.phase is Phase.ENDED else None

    def _too_long(self) -> str:
        return f"it took longer than its timeout of {self.task.limit or 0:g} s"

    def _watch_the_clock(self, job: Job, seconds: float) -> None:
        limit = self.task.limit
        if limit is None or seconds < limit:
            return
        if not self._timed_out or seconds > limit + _GRACE:
            self._timed_out = True
            self.bench.host.cancel(job, hard=seconds > limit + _GRACE)

    # --- the folder ---

    def _prepare(self) -> None:
        """The step folder, fresh but for a state that goes on and the logs of earlier attempts."""
        world, home, task = self.world, self.home, self.task
        self._resumed = task.goes_on and has_state(world, home)
        logs = earlier_logs(world, home)
        names = world.list(home)
        stay = {log_name(number) for number in logs[-(_MOST_LOGS - (LOG in names)) :]}
        stay |= {"state", SPENT} if self._resumed else set()
        for name in names:
            if name == LOG:
                world.rename(home / name, to=home / log_name(max(logs, default=0) + 1))
            elif name not in stay:
                world.remove_tree(home / name)
        world.make_folder(home)
        folder.write_files(world, home, task.rendered)
        world.write(home / "manifest.txt", "".join(f"{label}\t{digest}\n" for label, digest in task.manifest))
        for name in ("out", "state", "in"):
            world.make_folder(home / name)
        world.write(home / "state" / PLACEMENT, json.dumps(dict(task.node.shape.placement), sort_keys=True))
        for place, tree in task.inputs.items():
            self.bench.store.expose(home / "in" / place, tree)
        for place, path in folder.user_files(task.node, self.bench.known):
            folder.link_file(world, home / "in" / place, self.bench.project.root / path)
        self._heard = Heard(world, home)

    def _environment(self, share: Share) -> dict[str, str]:
        environ = self.world.environ()
        names = [need.name for need in self.task.node.shape.needs if isinstance(need, EnvironmentNeed)]
        passed = {name: environ[name] for name in names if name in environ}
        # threads are counted out like cores: steps side by side do not take each other's
        given = {"OMP_NUM_THREADS": str(share.need.cpus)}
        ours = self.world.accelerators() if share.gpus else ()
        # said to whoever takes none, too: what is not said is every accelerator there is
        given["CUDA_VISIBLE_DEVICES"] = ",".join(ours[at] if at < len(ours) else str(at) for at in share.gpus)
        return environment(self.world, {**given, **passed})

    def _secrets(self) -> tuple[str, ...]:
        environ = self.world.environ()
        names = [need.name for need in self.task.node.shape.needs if isinstance(need, EnvironmentNeed) and need.secret]
        return tuple(environ[name] for name in names if environ.get(name))

    # --- what came out ---

    def _flaw(self) -> str:
        """Why what a step left cannot be kept, though it ended well."""
        seen = self.world.stat(self.home / "out")
        if seen is not None and seen.kind != "folder":
            return "it ended well, but made `out` something else than a folder"
        if self._is_empty():
            return "it ended well, but left nothing in `out/`"
        moved = self._moved_inputs()
        if moved:
            return f"`{moved}` changed while the step ran: build again; a step may only read `in/`"
        leaked = folder.holds_secret(self.world, self.home, self._secrets())
        return f"{leaked} holds a secret that the step was given: nothing of it is kept" if leaked else ""

    def _is_empty(self) -> bool:
        seen = self.world.stat(self.home / "out")
        return seen is None or (seen.kind == "folder" and not self.world.list(self.home / "out"))

    def _moved_inputs(self) -> str:
        """What a field names of the user's, when it is not what the key says any more."""
        needs = [each for each in self.task.node.shape.needs if isinstance(each, FileNeed) and not each.text]
        disk = Disk(self.world, self.bench.project.root, self.bench.kept) if needs else None
        for need in needs:
            assert disk is not None
            before, now = self.bench.known.files[need.path], find(disk, need.path, text=False)
            if not isinstance(now, Found) or now.digest != before.digest:
                after = dict(now.files) if isinstance(now, Found) else {}
                return min((path for path, _ in {*before.files} ^ {*after.items()}), default=need.path)
        return ""

    def _stamps(self) -> Mapping[str, object]:
        """How the trees of its inputs look: a step can only read them, and if it changes one it must show."""
        return {tree: self._stamp(tree) for tree in self.task.givers}

    def _stamp(self, tree: str) -> object:
        inside = self.world.walk(self.bench.store.path(tree))
        return tuple((name, seen.size, seen.mtime_ns, seen.mode) for name, seen in inside)

    def _published(self, report: Report) -> Result:
        node, task = self.task.node, self.task
        measures = folder.read_measures(self.world, self.home)
        began = self._card["began"]
        assert isinstance(began, int | float)
        tree = self._tree or self.bench.store.publish(
            self.home / "out", told=self._announce, links=kinds.load(self.task.node.kind).links
        )
        before = spent.before(self.world, self.home, self._job.name if self._job is not None else "")
        trace = Trace(
            key=task.key,
            kind=node.kind,
            tree=tree.digest,
            bytes=tree.bytes,
            manifest=task.manifest,
            fields=tuple(sorted({**recipe_fields(node, self.bench.known), **files_of(node, self.bench.known)}.items())),
            inputs=task.lineage,
            measures=measures,
            environment=machine_words(self.bench.host.name),
            placement={name: str(value) for name, value in node.shape.placement},
            seconds=before + report.seconds,
            peak_memory=report.peak_memory,
            started=datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
            predicted=task.predicted,
            device=task.device if task.predicted else "",
        )
        self.bench.traces.write(trace)
        for name in ("state", SPENT, "in", CARD):  # only now: a kill before this moment must find them again
            self.world.remove_tree(self.home / name)
        fate = Fate.RESUMED if self._resumed else Fate.RAN
        return Result(fate, trace, seconds=report.seconds, log=self._log())

    def _forget(self) -> None:
        """The job is judged: nobody asks for it again."""
        self.world.remove_tree(self.home / CARD)


def _gone(giver: str) -> str:
    return f"its input `{giver}` is gone from the store: build again"


def stop_found(bench: Bench, key: str, *, hard: bool) -> None:
    """Stop the job that an earlier zyc left at the step of a key; whoever asks for its end has nobody else to ask."""
    home = bench.project.step(key)
    with suppress(OSError, LookupError):
        bench.host.cancel(Job(str(note(bench.world, home / CARD)["job"]), home), hard=hard)
