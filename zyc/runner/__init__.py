"""States and loop: what the plan says is done, side by side, longest way first; every result is published whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from queue import Empty, SimpleQueue

from zyc import kinds
from zyc.digest import Manifest, key_of
from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Graph, Node, Vertex
from zyc.hosts import Host
from zyc.hosts.local import Local
from zyc.journal import Journal, Summary
from zyc.known import History
from zyc.plan import Cause, Forward, Plan, State, Why, hindrance
from zyc.runner.attempt import Attempt
from zyc.runner.crew import Alone, Crew, Threads
from zyc.runner.fates import Ending, Event, Fate, Progress, Started, Stopping, Told, Waiting, refusal, verdict_failed
from zyc.runner.schedule import Need, Room, Share, Ways, seconds_of, ways
from zyc.runner.task import Bench, Result, Task
from zyc.store import Store
from zyc.traces import Roots, Trace, Traces
from zyc.world import Lock, World

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
    "seconds_of",
    "verdict_failed",
    "ways",
]

_PUBLISHING = 16  # results on their way into the store at once: the disk takes them together
_LOOKED_AT = 64  # how many ready steps are tried for one that fits beside what runs
_PATIENCE = 30.0  # seconds for which smaller steps may go before one that does not fit
_RETRY_LOCK = 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """How a build goes about its work; nothing of it is part of a key."""

    keep_going: bool = False  # a step that failed stops only what stands on it
    retries: int = 0
    timeout: float | None = None  # seconds; a step's own placement comes first
    jobs: int | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)  # node -> why it cannot run here: it is left out
    fresh: bool = False  # no step goes on from its state


@dataclass(slots=True)
class _Run:
    """A step that runs."""

    attempt: Attempt
    share: Share | None


class Build:
    """One call of `zyc build`."""

    def __init__(
        self,
        front: Front,
        plan: Plan,
        told: Told,
        *,
        options: Options = Options(),  # frozen
        host: Host | None = None,
        crew: Crew | None = None,
    ) -> None:
        self.front, self.plan, self.options, self.told = front, plan, options, told
        self.world: World = front.world.acting()
        self.store = Store.open(self.world, front.project.store)
        self.traces = Traces(self.store, told=front.warnings.append)
        self.roots = Roots(self.store, front.project.root, twin=front.call.twin)
        self.journal = Journal.open(self.store, told=front.warnings.append)
        history = plan.history
        self.history = History(dict(history.traces), dict(history.last), history.present, history.unfinished)
        self.forward = Forward(plan.settlement, self.history)
        self.endings: dict[str, Ending] = {}
        self.left: list[str] = []  # could have started, had nothing failed before
        self.held = set(_still_searching(plan))  # vertices that wait for the end of a search
        self.events: SimpleQueue[Event | tuple[str, Result | BaseException | None]] = SimpleQueue()
        self.host: Host = host or Local.here(self.world)
        self.crew: Crew = crew or Threads(_PUBLISHING + self._width())  # as many as `_dispatch` lets run
        self.bench = Bench(
            self.world,
            front.project,
            self.store,
            self.traces,
            plan.settlement.known,
            front.kept,
            self.host,
            self.events.put,
        )
        self.room = self._whole_room()
        self.ways = ways(plan.graph, plan.decisions)
        self._readers = plan.graph.readers()
        self._pending = {name: len(each.edges) for name, each in plan.graph.vertices.items()}
        self._order = {name: at for at, name in enumerate(plan.graph.vertices)}
        self._todo: deque[str] = deque(name for name, count in self._pending.items() if count == 0)
        self._settled: set[str] = set()
        self._ready: list[tuple[float, int, str]] = []
        self._later: list[str] = []  # another zyc holds their keys
        self._look_again = 0.0  # when they are tried next
        self._told_waiting: set[str] = set()
        self._refused: dict[str, float] = {}  # since when a step does not fit
        self._running: dict[str, _Run] = {}
        self._making: dict[str, list[str]] = {}  # key -> who makes it, and who waits for the same
        self._again: set[str] = set()  # their trees are gone, and needed
        self._lacking: dict[str, set[str]] = {}  # node -> inputs that are made again
        self._tries: dict[str, int] = {}
        self._manifests: dict[str, Manifest] = {}
        self._halted = False
        self._presses = 0

    def _whole_room(self) -> Room:
        machine, jobs = self.plan.settlement.known.machine, self.options.jobs
        if not self.host.local:
            return Room(cpus=1 << 30, memory=None, gpus=1 << 16, jobs=jobs or 240)
        return Room(cpus=machine.cpus, memory=machine.memory, gpus=machine.gpus, cores=self.world.cores(), jobs=jobs)

    def run(self) -> dict[str, Ending]:
        """Build everything that can be built; a failure blocks its cone."""
        quiet = self.world.pressed(self._press)
        try:
            self._loop()
        except BaseException:
            self._stop(hard=True)  # a bug of ours must leave nobody running
            raise
        finally:
            self.crew.close()
            self.journal.close()
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
            while self._todo:
                self._arrive(self.plan.graph.vertices[self._todo.popleft()])
            if not (self._halted or self._presses):
                self._dispatch()
            if self._todo:
                continue
            over = self._halted or bool(self._presses)
            if not self._running and (over or not (self._ready or self._later)):
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
                self._enqueue(name)
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
        for reader in self._readers[name]:
            self._pending[reader] -= 1
            if self._pending[reader] == 0:
                self._todo.append(reader)

    def _consider(self, node: Node) -> None:
        """What is to be done for a node whose inputs are known."""
        manifest, _ = self.forward.manifest(node)
        key = key_of(manifest)
        summary = self.history.traces.get(key)
        if summary is not None and node.name not in self._again and (not self._is_wanted(node) or self.store.has(summary.tree)):
            self._kept(node, key, summary)
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
            lacking = set(self._absent(edge.source for edge in node.edges if not edge.order))
        except ZycError as error:
            self._fail(node, key, error.problems[0].message)
            return
        if lacking:
            self._lacking[node.name] = lacking
            for name in lacking - self._again:
                self._again.add(name)
                again = self.plan.graph.vertices[name]
                assert isinstance(again, Node)
                self._consider(again)
            return
        self._manifests[node.name] = manifest
        if key in self._making:
            self._making[key].append(node.name)
        else:
            self._making[key] = [node.name]
            self._enqueue(node.name)

    def _enqueue(self, name: str) -> None:
        heappush(self._ready, (-self.ways.tail(name), self._order[name], name))

    def _is_wanted(self, node: Node) -> bool:
        """Whether somebody asked for the very bytes, which were gone when it was planned."""
        decision = self.plan.decisions[node.name]
        return decision.cause.why is Why.MISSING and decision.state is State.RUN

    def _absent(self, names: Iterable[str]) -> Iterable[str]:
        """The nodes whose trees a step is about to read and that are gone; groups of what is here are put together."""
        for name in names:
            vertex, tree = self.plan.graph.vertices[name], self.forward.trees[name]
            if tree is None:
                raise ZycError(problem("not-made-again", node=self.forward.roots.get(name, name)))
            if self.store.has(tree):
                continue
            if isinstance(vertex, Choice):
                winner = self.forward.winners[name] or ""
                self.forward.trees[name] = self.forward.trees[winner]
                yield from self._absent([winner])
            elif isinstance(vertex, Cluster):
                gone = list(self._absent(edge.source for edge in vertex.members))
                yield from gone
                if not gone:
                    self.forward.cluster(vertex)
                    self.store.group({edge.field: self.forward.trees[edge.source] or "" for edge in vertex.members})
            else:
                yield name

    # --- ready steps, as far as there is room ---

    def _dispatch(self) -> None:
        passed: list[tuple[float, int, str]] = []
        while self._ready and not self.room.full and len(self._running) < _PUBLISHING + self._width():
            entry = heappop(self._ready)
            name = entry[2]
            share = self.room.take(self._need(name))
            if share is None:
                passed.append(entry)
                since = self._refused.setdefault(name, self.world.monotonic())
                if len(passed) == _LOOKED_AT or self.world.monotonic() - since > _PATIENCE:
                    break
                continue
            try:
                lock = self._lock(name)
            except (OSError, ZycError) as error:
                self.room.give(share)
                self._fail_all(name, key_of(self._manifests[name]), refusal(error))
                if self._halted:
                    break
                continue
            if lock is None:
                self.room.give(share)
                if not self._later:
                    self._look_again = self.world.monotonic() + _RETRY_LOCK
                self._later.append(name)
                continue
            self._refused.pop(name, None)
            self._start(name, share, lock)
        for entry in passed:
            heappush(self._ready, entry)

    def _width(self) -> int:
        return self.plan.settlement.known.machine.cpus if self.host.local else 240

    def _need(self, name: str) -> Need:
        decision, node = self.plan.decisions[name], self._node(name)
        placement = dict(node.shape.placement)
        memory = placement.get("memory") or decision.estimate.memory or 0
        cpus, gpus = placement.get("cpus") or 1, placement.get("gpus") or 0
        assert isinstance(memory, int)
        assert isinstance(cpus, int)
        assert isinstance(gpus, int)
        return Need(cpus, memory, gpus)

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
            if name not in self._told_waiting:
                self._told_waiting.add(name)
                self.told(Waiting(name, "".join(whom).strip()))
            return None

    def _start(self, name: str, share: Share, lock: Lock) -> None:
        node = self._node(name)
        task = self._task(node, share)
        number = self._tries.get(name, 0) + 1
        attempt = Attempt(self.bench, task, freed=lambda: self.events.put((name, None)), number=number)
        self._running[name] = _Run(attempt, share)

        def work() -> None:
            try:
                result = attempt.run(lock)
                if result.trace is not None:
                    refused = self._point(node, task.key, result.trace.tree)
                    # it is kept all the same: the next build says so
                    result = replace(result, fate=Fate.FAILED, trace=None, reason=refused) if refused else result
                self.events.put((name, result))
            except BaseException as error:  # noqa: BLE001  # a bug is raised in the loop, where it ends the call
                self.events.put((name, error))

        self.crew.start(work)

    def _task(self, node: Node, share: Share) -> Task:
        manifest = self._manifests[node.name]
        key = key_of(manifest)
        kind = kinds.load(node.kind)
        edges = [edge for edge in node.edges if not edge.order]
        inputs = {kind.place(edge.field): self.forward.trees[edge.source] or "" for edge in edges}
        lineage = {
            f"in/{kind.place(edge.field)}": (self.forward.keys.get(edge.source) or "", inputs[kind.place(edge.field)])
            for edge in edges
        }
        limit = dict(node.shape.placement).get("timeout") or self.options.timeout
        assert limit is None or isinstance(limit, int | float)
        return Task(
            node,
            key,
            manifest,
            self.plan.settlement.rendered(node),
            inputs,
            lineage,
            {self.forward.trees[name] or "": name for name in self._read_by(node)},
            self._goes_on(node, key),
            share,
            limit,
        )

    def _goes_on(self, node: Node, key: str) -> bool:
        """Whether a state that is there may be gone on from."""
        if not node.shape.resumes or self.options.fresh:
            return False
        unfinished = self.history.unfinished.get(key[:24])
        return unfinished is None or not kinds.load(node.kind).carries(unfinished.placement, dict(node.shape.placement))

    def _read_by(self, node: Node) -> Iterable[str]:
        """The nodes whose trees a step reads, behind families and choices too."""
        waiting = [edge.source for edge in node.edges if not edge.order]
        while waiting:
            name = waiting.pop()
            vertex = self.plan.graph.vertices[name]
            if isinstance(vertex, Cluster):
                waiting += [edge.source for edge in vertex.members]
            elif isinstance(vertex, Choice):
                waiting.append(self.forward.winners[name] or "")
            else:
                yield name

    # --- what came of a step ---

    def _free(self, name: str) -> None:
        run = self._running.get(name)
        if run is not None and run.share is not None:
            self.room.give(run.share)
            run.share = None

    def _done(self, name: str, result: Result) -> None:
        node = self._node(name)
        self._free(name)
        key = self._running.pop(name).attempt.task.key
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        if result.fate is Fate.FAILED and tries <= self.options.retries and not (self._halted or self._presses):
            self.told(Started(name, tries + 1, why=f"once more, after: {result.reason}"))
            self._enqueue(name)
            return
        if result.trace is not None:
            same = self._making.pop(key)[1:]
            summary = self._remember(result.trace)
            if result.fate is Fate.KEPT:
                self._kept(node, key, summary, reason="made by another zyc meanwhile")
            else:
                self.forward.learn(name, key, summary)
                self._made(node, key, summary, result, tries)
            for other in same:
                self._consider(self._node(other))
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

    def _kept(self, node: Node, key: str, summary: Summary, reason: str = "") -> None:
        self.forward.learn(node.name, key, summary)
        refused = self._point(node, key, summary.tree)
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
                    self._consider(self._node(name))

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
        self._again.discard(node.name)
        for name in [name for name, lacking in self._lacking.items() if node.name in lacking]:
            del self._lacking[name]
            self._fail(self._node(name), "", problem("not-made-again", node=node.name).message)

    def _end(self, ending: Ending) -> None:
        self.endings[ending.node] = ending
        self.told(ending)

    def _remember(self, trace: Trace) -> Summary:
        self.journal.record(trace)
        summary = Summary.of(trace)
        dict.__setitem__(self.history.traces, trace.key, summary)  # type: ignore[index]
        return summary

    def _point(self, node: Node, key: str, tree: str) -> str:
        """The readable link, and which key this node last had; what the machine says when it refuses."""
        try:
            if self.history.last.get(node.name) != key:
                self.roots.set(node.name, key)
            if self.store.has(tree):
                self.store.expose(self.front.project.link(node.name, twin=self.front.call.twin), tree)
        except (OSError, ZycError) as error:
            return refusal(error)
        return ""

    # --- being stopped ---

    def _press(self) -> None:
        """Ctrl-C, from a signal handler: the loop hears of it like of everything else."""
        self._presses += 1
        self.events.put(Stopping(self._presses > 1, len(self._running)))

    def _stop(self, *, hard: bool) -> None:
        for run in list(self._running.values()):
            run.attempt.stop(hard=hard)


def _still_searching(plan: Plan) -> Iterable[str]:
    """Choices among the members of a search that is not over: the best so far is not worth building on."""
    graph: Graph = plan.graph
    going = {
        name
        for search in graph.searches.values()
        if len(graph.families[search.family].rows) < search.runs
        for name in (search.family, search.judge)
    }
    for vertex in graph.vertices.values():
        if isinstance(vertex, Choice):
            judges = [graph.vertices[name] for _, name in vertex.judges]
            searched = any(isinstance(judge, Node) and judge.family in going for judge in judges)
            if searched and any(plan.decisions[name].state is not State.KEEP for _, name in vertex.judges):
                yield vertex.name


def _blocked_by(cause: Cause) -> str:
    return f"by `{cause.root}`: {cause.text}" if cause.text else f"by `{cause.root}`"
