"""States and loop: what the plan says is done, side by side, longest way first; every result is published whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Node, Vertex
from zyc.hosts import Host
from zyc.hosts.local import Local, runs
from zyc.keeping.journal import Summary
from zyc.keeping.store import Store
from zyc.planning.digest import Manifest, key_of
from zyc.planning.plan import Cause, Forward, Plan, State, Why, hindrance
from zyc.runner.attempt import Attempt, stop_found
from zyc.runner.crew import Alone, Crew, Threads
from zyc.runner.fates import Ending, Event, Fate, Progress, Started, Stopping, Told, Waiting, refusal, verdict_failed
from zyc.runner.heard import Heard
from zyc.runner.inputs import Inputs, Options, still_searching
from zyc.runner.records import Records
from zyc.runner.schedule import Ready, Room, Share, Ways, need_of, seconds_of, ways
from zyc.runner.task import Bench, Result
from zyc.world import LEFT, Lock, World

__all__ = [
    "Alone",
    "Build",
    "Ending",
    "Event",
    "Fate",
    "Options",
    "Progress",
    "Started",
    "Stopping",
    "Told",
    "Waiting",
    "Ways",
    "need_of",
    "seconds_of",
    "verdict_failed",
    "ways",
]

_PUBLISHING = 16  # results on their way into the store at once: the disk takes them together
_RETRY_LOCK = 0.2


_PLAIN = Options()


@dataclass(slots=True)
class _Run:
    """A step that runs, or a tree that is fetched."""

    key: str
    attempt: Attempt | None
    share: Share | None


class Build:
    """One call of `zyc build`."""

    def __init__(
        self,
        front: Front,
        plan: Plan,
        told: Told,
        *,
        options: Options = _PLAIN,
        host: Host | None = None,
        crew: Crew | None = None,
    ) -> None:
        self.front, self.plan, self.options, self.told = front, plan, options, told
        self.world: World = front.world.acting()
        self.store = Store.open(self.world, front.project.store)
        self.sharing = self.store.sharing()  # nobody sweeps what we, or a step that outlives us, may read
        self.records = Records.open(self.store, front, plan.history)
        self.history = self.records.history
        self.forward = Forward(plan.settlement, self.history)
        self.inputs = Inputs(plan, self.forward, self.store, self.history, options)
        self.endings: dict[str, Ending] = {}
        self.left: list[str] = []  # could have started, had nothing failed before
        self.held = set(still_searching(plan))  # vertices that wait for the end of a search
        self.events: SimpleQueue[Event | tuple[str, Result | BaseException | None]] = SimpleQueue()
        self.host: Host = host or Local.here(self.world)
        self.crew: Crew = crew or Threads(_PUBLISHING + self._width())  # as many as `_dispatch` lets run
        self.bench = Bench(
            self.world,
            front.project,
            self.store,
            self.records.traces,
            plan.settlement.known,
            front.kept,
            self.host,
            self.events.put,
            (self.sharing.descriptor,),
        )
        self.room = self._whole_room()
        self.ways = ways(plan.graph, plan.decisions)
        self._readers = plan.graph.readers()
        self._pending = {name: len(each.edges) for name, each in plan.graph.vertices.items()}
        self.ready = Ready(self.ways, {name: at for at, name in enumerate(plan.graph.vertices)}, self.world.monotonic)
        self._todo: deque[str] = deque(name for name, count in self._pending.items() if count == 0)
        self._once_more: deque[str] = deque()  # nodes to consider again: a call for each would be as deep as the graph
        self._settled: set[str] = set()
        self._later: list[str] = []  # another zyc holds their keys
        self._look_again = 0.0  # when they are tried next
        self._waiting: dict[str, str] = {}  # node -> for whom, as it was last told
        self._overheard: dict[str, Heard] = {}  # node -> the step of a build that is gone
        self._facts: dict[str, Mapping[str, float]] = {}  # node -> what that step said last
        self._running: dict[str, _Run] = {}
        self._making: dict[str, list[str]] = {}  # key -> who makes it, and who waits for the same
        self._again: set[str] = set()  # their trees are gone, and needed
        self._lacking: dict[str, set[str]] = {}  # node -> inputs that are made again
        self._tries: dict[str, int] = {}
        self._manifests: dict[str, Manifest] = {}
        self._unfetched: set[str] = set()  # what the remote promised and could not give
        self._halted = False
        self._presses = 0

    @property
    def pressed(self) -> bool:
        """Whether somebody asked it to stop."""
        return bool(self._presses)

    def _whole_room(self) -> Room:
        machine, jobs = self.plan.settlement.known.machine, self.options.jobs
        if not self.host.local:
            return Room(cpus=1 << 30, memory=None, gpus=1 << 16, jobs=jobs or 240)
        return Room(cpus=machine.cpus, memory=machine.memory, gpus=machine.gpus, cores=self.world.cores(), jobs=jobs)

    def run(self) -> dict[str, Ending]:
        """Build everything that can be built; a failure blocks its cone."""
        quiet = self.world.pressed(self.press)
        try:
            self._loop()
        except BaseException:
            self._stop(hard=True)  # a bug of ours must leave nobody running
            raise
        finally:
            self.crew.close()
            self.records.close()
            self.sharing.release()
            quiet()
        for node in self.plan.graph.nodes():
            if node.name not in self.endings and node.name not in self.held:
                if self._presses:
                    self._end(Ending(node.name, Fate.INTERRUPTED, reason="not started"))
                else:
                    self.left.append(node.name)
        return self.endings

    def _loop(self) -> None:
        while True:
            while self._todo or self._once_more:
                if self._once_more:
                    self._consider(self._node(self._once_more.popleft()))
                else:
                    self._arrive(self.plan.graph.vertices[self._todo.popleft()])
            if not (self._halted or self._presses):
                self._dispatch()
            if self._todo or self._once_more:
                continue
            over = self._halted or bool(self._presses)
            if not self._running and (over or not (self.ready or self._later)):
                return
            self._hear()

    def _hear(self) -> None:
        """The next event; those who wait for another zyc look again after a while."""
        rest = max(0.0, self._look_again - self.world.monotonic()) if self._later else None
        try:
            # steps that run may have something to say all the time: it waits while others look again
            event = self.events.get(timeout=rest) if rest != 0.0 else None
        except Empty:
            event = None
        if event is None:
            for name in self._later:
                self.ready.push(name)
            self._later.clear()
            return
        if isinstance(event, Stopping):
            self._stop(hard=event.hard)
            self.told(event)
        elif not isinstance(event, tuple):
            self.told(event)
        elif isinstance(event[1], Result):
            self._done(event[0], event[1])
        elif event[1] is None:
            self._free(event[0])
        else:
            raise event[1]

    # --- one vertex after the other, inputs first ---

    def _arrive(self, vertex: Vertex) -> None:
        """All that a vertex stands on is settled."""
        stuck = self.forward.stuck
        if vertex.name in self.held or any(edge.source in self.held for edge in vertex.edges):
            self.held.add(vertex.name)
            self._settle(vertex.name)
            return
        if isinstance(vertex, Cluster):
            self.forward.cluster(vertex)
        elif isinstance(vertex, Choice):
            self.forward.choice(vertex)
        cause = hindrance(vertex, self.forward)
        if isinstance(vertex, Node):
            if cause is None:
                self._consider(vertex)
                return
            self.forward.learn(vertex.name, None, None)
            self._end(Ending(vertex.name, Fate.BLOCKED, reason=_blocked_by(cause)))
            cause = Cause(Why.UPSTREAM, cause.root, cause.text)
        if cause is not None:
            stuck[vertex.name] = cause
        self._settle(vertex.name)

    def _settle(self, name: str) -> None:
        """Whoever waited for it has one thing less to wait for."""
        if name in self._settled:
            return
        self._settled.add(name)
        for reader in self._readers[name]:  # once for each edge
            self._pending[reader] -= 1
            if self._pending[reader] == 0:
                self._todo.append(reader)

    def _consider(self, node: Node) -> None:
        """What is to be done for a node whose inputs are known."""
        manifest, _ = self.forward.manifest(node)
        key = key_of(manifest)
        summary = self.history.traces.get(key) or self.records.hit(key)
        if summary is not None and node.name not in self._again and (not self._is_wanted(node) or self.store.has(summary.tree)):
            self._kept(node, key, summary)
            return
        if summary is not None and summary.tree in self.history.remote and node.name not in self._unfetched:
            self._fetch(node, key, summary.tree)
            return
        if node.name in self.options.lacking:
            self.forward.learn(node.name, None, None)
            cause = Cause(Why.UPSTREAM, node.name, self.options.lacking[node.name])
            self.forward.stuck[node.name] = cause
            self._end(Ending(node.name, Fate.BLOCKED, key, reason=cause.text))
            self._settle(node.name)
            return
        if self._halted or self._presses:
            return  # it is told at the end that it was not started
        try:
            lacking = set(self.inputs.absent(edge.source for edge in node.edges if not edge.order))
        except ZycError as error:
            self._fail(node, key, error.problems[0].message)
            return
        if lacking:
            self._lacking[node.name] = lacking
            self._once_more += sorted(lacking - self._again)
            self._again |= lacking
            return
        self._manifests[node.name] = manifest
        if key in self._making:
            self._making[key].append(node.name)
        else:
            self._making[key] = [node.name]
            self.ready.push(node.name)

    # --- what a remote has ---

    def _fetch(self, node: Node, key: str, tree: str) -> None:
        """Bring a tree here, beside whatever else happens."""
        if key in self._making:
            self._making[key].append(node.name)
            return
        self._making[key] = [node.name]
        self._running[node.name] = _Run(key, None, None)
        self.told(Started(node.name, fetches=self.plan.history.remote_name))
        self._begin(node.name, key, lambda: self.records.fetched(key, tree, stopped=lambda: self.pressed))

    def _fetched(self, node: Node, key: str, result: Result) -> None:
        """What the remote cannot give is built here; while it cannot be asked, nobody spends hours on what it has."""
        if result.fate is Fate.FAILED:
            self._fail_all(node.name, key, result.reason)
            return
        same = self._making.pop(key)
        if result.fate is Fate.INTERRUPTED:
            self._end(Ending(node.name, Fate.INTERRUPTED, key))
            return
        if result.trace is None:
            self._unfetched.update(same)
            self.told(Started(node.name, why=f"here: {result.reason}"))
        else:
            origin = f"from {self.plan.history.remote_name}"
            self._kept(node, key, self.history.traces[key], reason=origin, fetched=result.fetched)
            same.remove(node.name)
        self._once_more += same

    def _is_wanted(self, node: Node) -> bool:
        """Whether somebody asks for the very bytes."""
        decision = self.plan.decisions[node.name]
        return (
            node.name in self.plan.asked
            or decision.fetched
            or (decision.cause.why is Why.MISSING and decision.state is State.RUN)
        )

    # --- ready steps, as far as there is room ---

    def _dispatch(self) -> None:
        for name, share in self.ready.fitting(self.room, lambda name: need_of(self._node(name), self.plan.decisions[name])):
            try:
                lock = self._lock(name)
            except (OSError, ZycError) as error:
                self.room.give(share)
                self._fail_all(name, key_of(self._manifests[name]), refusal(error))
                if self._halted:
                    break
                continue
            if lock is not None:
                self._start(name, share, lock)
            else:
                self.room.give(share)
                if not self._later:
                    self._look_again = self.world.monotonic() + _RETRY_LOCK
                self._later.append(name)
            if len(self._running) >= _PUBLISHING + self._width():
                break

    def _width(self) -> int:
        return self.plan.settlement.known.machine.cpus if self.host.local else 240

    def _node(self, name: str) -> Node:
        vertex = self.plan.graph.vertices[name]
        assert isinstance(vertex, Node)
        return vertex

    def _lock(self, name: str) -> Lock | None:
        """The lock of its key; nothing while another zyc, or a step that one left, holds it."""
        whom: list[str] = []
        try:
            return self.store.lock(key_of(self._manifests[name]), wait=False, told=whom.append)
        except BlockingIOError:
            said = "".join(whom)
            if self._waiting.get(name) != said:
                self._waiting[name] = said
                self.told(Waiting(name, said))
            if said == LEFT:
                self._overhear(name)
            return None

    def _overhear(self, name: str) -> None:
        """What a step says that outlived its build: it may go on for hours."""
        home = self.bench.project.step(key_of(self._manifests[name]))
        if name not in self._overheard and not runs(self.world, home):
            return  # it is another project's, or about to end
        facts = self._overheard.setdefault(name, Heard(self.world, home)).facts()
        if facts != self._facts.get(name, {}):
            self._facts[name] = facts
            self.told(Progress(name, facts))

    def _start(self, name: str, share: Share, lock: Lock) -> None:
        node = self._node(name)
        task = self.inputs.task(node, self._manifests[name], share)
        number = self._tries.get(name, 0) + 1
        attempt = Attempt(self.bench, task, freed=lambda: self.events.put((name, None)), number=number)
        self._running[name] = _Run(task.key, attempt, share)
        self._begin(name, task.key, lambda: attempt.run(lock))

    def _begin(self, name: str, key: str, make: Callable[[], Result]) -> None:
        """Have it made by the crew; what comes of it is heard in the loop."""

        def work() -> None:
            try:
                result = make()
                if result.trace is not None:
                    refused = self.records.point(name, key, result.trace.tree)
                    # it is kept all the same: the next build says so
                    result = replace(result, fate=Fate.FAILED, trace=None, reason=refused) if refused else result
                self.events.put((name, result))
            except BaseException as error:  # noqa: BLE001  # a bug is raised in the loop, where it ends the call
                self.events.put((name, error))

        self.crew.start(work)

    # --- what came of a step ---

    def _free(self, name: str) -> None:
        run = self._running.get(name)
        if run is not None and run.share is not None:
            self.room.give(run.share)
            run.share = None

    def _done(self, name: str, result: Result) -> None:
        node = self._node(name)
        self._free(name)
        run = self._running.pop(name)
        key = run.key
        if run.attempt is None:
            self._fetched(node, key, result)
            return
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        if result.fate is Fate.FAILED and tries <= self.options.retries and not (self._halted or self._presses):
            self.told(Started(name, tries + 1, why=f"once more, after: {result.reason}"))
            self.ready.push(name)
            return
        if result.trace is not None:
            same = self._making.pop(key)[1:]
            summary = self.records.remember(result.trace)
            if result.fate is Fate.KEPT:
                self._kept(node, key, summary, reason="made by another zyc meanwhile")
            else:
                self.forward.learn(name, key, summary)
                self._made(node, key, summary, result, tries)
            self._once_more += same
        elif result.fate is Fate.INTERRUPTED:
            del self._making[key]
            self._end(Ending(name, Fate.INTERRUPTED, key, seconds=result.seconds, log=result.log))
        else:
            self._fail_all(name, key, result.reason, seconds=result.seconds, log=result.log, attempts=tries)

    def _made(self, node: Node, key: str, summary: Summary, result: Result, tries: int) -> None:
        ending = Ending(
            node.name,
            result.fate,
            key,
            summary.tree,
            result.seconds,
            bytes=summary.bytes,
            peak_memory=summary.peak_memory,
            measures=summary.measures,
            log=result.log,
            attempts=tries,
        )
        self._good(node, ending)

    def _kept(self, node: Node, key: str, summary: Summary, *, reason: str = "", fetched: int = 0) -> None:
        self.forward.learn(node.name, key, summary)
        refused = self.records.point(node.name, key, summary.tree)
        if refused:
            self._fail(node, key, refused)
            return
        ending = Ending(
            node.name,
            Fate.KEPT,
            key,
            summary.tree,
            saved=summary.seconds,
            bytes=summary.bytes,
            measures=summary.measures,
            reason=reason,
            fetched=fetched,
        )
        self._good(node, ending)

    def _good(self, node: Node, ending: Ending) -> None:
        """It has a tree; its gates may hold or not."""
        gates = self.forward.gates(node.name)
        self._end(replace(ending, gates=gates))
        bad = next((each for each in gates if each.bad), None)
        if bad is not None:
            self.forward.stuck[node.name] = Cause(Why.GATE, node.name, bad.text)
        self._settle(node.name)
        if node.name in self._again:
            self._again.discard(node.name)
            for name in [name for name, lacking in self._lacking.items() if node.name in lacking]:
                self._lacking[name].discard(node.name)
                if not self._lacking[name]:
                    del self._lacking[name]
                    self._once_more.append(name)

    def _fail_all(self, name: str, key: str, reason: str, *, seconds: float = 0.0, log: str = "", attempts: int = 1) -> None:
        """A step that failed, and whoever waited for the same one."""
        same = self._making.pop(key)[1:]
        self._fail(self._node(name), key, reason, seconds=seconds, log=log, attempts=attempts)
        for other in same:
            self._fail(self._node(other), key, f"it has the key of `{name}`, which failed")

    def _fail(self, node: Node, key: str, reason: str, *, seconds: float = 0.0, log: str = "", attempts: int = 1) -> None:
        self.forward.learn(node.name, None, None)
        self.forward.stuck[node.name] = Cause(Why.UPSTREAM, node.name, "it failed")
        self._end(Ending(node.name, Fate.FAILED, key, seconds=seconds, reason=reason, log=log, attempts=attempts))
        self._halted = self._halted or not self.options.keep_going
        self._settle(node.name)
        self._fail_lacking(node.name)

    def _fail_lacking(self, gone: str) -> None:
        """Whoever waits for a tree that is not made again, and whoever waits for theirs."""
        waiting = deque([gone])
        while waiting:
            gone = waiting.popleft()
            self._again.discard(gone)
            for name in [name for name, lacking in self._lacking.items() if gone in lacking]:
                del self._lacking[name]
                self.forward.learn(name, None, None)
                self.forward.stuck[name] = Cause(Why.UPSTREAM, name, "it failed")
                self._end(Ending(name, Fate.FAILED, reason=problem("not-made-again", node=gone).message))
                self._settle(name)
                waiting.append(name)

    def _end(self, ending: Ending) -> None:
        self.endings[ending.node] = ending
        self.told(ending)

    # --- being stopped ---

    def press(self) -> None:
        """Ctrl-C, from a signal handler, too: the loop hears of it like of everything else."""
        self._presses += 1
        self.events.put(Stopping(self._presses > 1, len(self._running)))

    def _stop(self, *, hard: bool) -> None:
        for run in list(self._running.values()):
            if run.attempt is not None:
                run.attempt.stop(hard=hard)
        for name in self._later:
            if self._waiting.get(name) == LEFT:
                stop_found(self.bench, key_of(self._manifests[name]), hard=hard)


def _blocked_by(cause: Cause) -> str:
    return f"by `{cause.root}`: {cause.text}" if cause.text else f"by `{cause.root}`"
