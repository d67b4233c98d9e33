"""States and loop: what the plan says is done, one step at a time, and every result is published whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from zyc import __version__, folder, kinds
from zyc.digest import Manifest, key_of
from zyc.errors import ZycError, problem
from zyc.files import Disk, find
from zyc.front import Front
from zyc.gates import Verdict
from zyc.graph import Choice, Cluster, Node, Vertex
from zyc.hosts import Outcome, local
from zyc.journal import Journal, Summary
from zyc.kind import EnvironmentNeed, FileNeed, Found
from zyc.known import History
from zyc.plan import Cause, Forward, GateOutlook, Plan, State, Why, hindrance
from zyc.store import Store
from zyc.traces import Roots, Trace, Traces
from zyc.why import files_of, recipe_fields
from zyc.world import Stat


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
    measures: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[GateOutlook, ...] = ()
    reason: str = ""  # in one line: why it failed or is blocked
    log: str = ""  # where its log is, relative to the project's root


Told = Callable[[str, Ending | str], None]


@dataclass
class Build:
    """One call of `zyc build`."""

    front: Front
    plan: Plan
    told: Told  # ("start", node) and ("end", Ending), as they happen
    endings: dict[str, Ending] = field(default_factory=dict)

    def __post_init__(self) -> None:
        world, project = self.front.world, self.front.project
        self.world, self.project = world, project
        self.store = Store.open(world, project.store)
        self.traces = Traces(self.store, told=self.front.warnings.append)
        self.roots = Roots(self.store, project.root, twin=self.front.call.twin)
        self.journal = Journal.open(self.store, told=self.front.warnings.append)
        history = self.plan.history
        self.history = History(dict(history.traces), dict(history.last), history.present, history.unfinished)
        self.forward = Forward(self.plan.settlement, self.history)
        self.held = set(_still_searching(self.plan))  # vertices that wait for the end of a search

    def run(self) -> dict[str, Ending]:
        """Build everything that can be built; a failure blocks its cone and nothing else."""
        try:
            for vertex in self.plan.graph.vertices.values():
                self._vertex(vertex)
        except KeyboardInterrupt:
            for node in self.plan.graph.nodes():
                if node.name not in self.endings and node.name not in self.held:
                    self._end(Ending(node.name, Fate.INTERRUPTED))
        finally:
            self.journal.close()
        return self.endings

    # --- one vertex after the other, inputs first ---

    def _vertex(self, vertex: Vertex) -> None:
        stuck = self.forward.stuck
        if vertex.name in self.held or any(edge.source in self.held for edge in vertex.edges):
            self.held.add(vertex.name)
            return
        if isinstance(vertex, Cluster):
            self.forward.cluster(vertex)
        elif isinstance(vertex, Choice):
            self.forward.choice(vertex)
        cause = hindrance(vertex, self.forward)
        if not isinstance(vertex, Node):
            if cause is not None:
                stuck[vertex.name] = cause
            return
        if cause is not None:
            self.forward.learn(vertex.name, None, None)
            stuck[vertex.name] = Cause(Why.UPSTREAM, cause.root, cause.text)
            self._end(Ending(vertex.name, Fate.BLOCKED, reason=_blocked_by(cause)))
            return
        self._node(vertex)
        bad = next((each for each in self.endings[vertex.name].gates if each.bad), None)
        if bad is not None:
            stuck[vertex.name] = Cause(Why.GATE, vertex.name, bad.text)
        elif self.endings[vertex.name].fate is Fate.FAILED:
            stuck[vertex.name] = Cause(Why.UPSTREAM, vertex.name, "it failed")

    def _node(self, node: Node) -> None:
        key = ""
        try:
            while True:
                manifest, _ = self.forward.manifest(node)
                key = key_of(manifest)
                summary = self.history.traces.get(key)
                if summary is not None and not (self._is_wanted(node) and not self.store.has(summary.tree)):
                    self._kept(node, key, summary)
                    return
                self._materialised(edge.source for edge in node.edges if not edge.order)
                if self.forward.manifest(node)[0] == manifest:
                    break
                # an input that was made again is another tree now
            self._step(node, key, manifest)
        except ZycError as error:
            self._failed(node, key, "; ".join(each.message for each in error.problems))
        except OSError as error:
            self._failed(node, key, f"`{os.path.basename(str(error.filename or ''))}`: {error.strerror or error}")  # noqa: PTH119

    def _is_wanted(self, node: Node) -> bool:
        """Whether somebody asked for the very bytes, which were gone when it was planned."""
        decision = self.plan.decisions[node.name]
        return decision.cause.why is Why.MISSING and decision.state is State.RUN

    def _kept(self, node: Node, key: str, summary: Summary) -> None:
        self.forward.learn(node.name, key, summary)
        self._point(node, key, summary.tree)
        ending = Ending(
            node.name, Fate.KEPT, key, summary.tree, saved=summary.seconds, bytes=summary.bytes, measures=summary.measures
        )
        self._end(_with_gates(ending, self.forward))

    def _failed(self, node: Node, key: str, reason: str, seconds: float = 0.0) -> None:
        log = self.project.step(key) / "log.txt"
        where = os.path.relpath(log, self.project.root) if self.world.exists(log) else ""
        self.forward.learn(node.name, None, None)
        self._end(Ending(node.name, Fate.FAILED, key, seconds=seconds, reason=reason, log=where))

    def _end(self, ending: Ending) -> None:
        self.endings[ending.node] = ending
        self.told("end", ending)

    def _point(self, node: Node, key: str, tree: str) -> None:
        """The readable link, and which key this node last had."""
        if self.history.last.get(node.name) != key:
            self.roots.set(node.name, key)
        if self.store.has(tree):
            self.store.expose(self.project.link(node.name, twin=self.front.call.twin), tree)

    # --- inputs ---

    def _materialised(self, names: Iterable[str]) -> None:
        """Every tree that a step is about to read is in the store; one that is gone is made again."""
        for name in names:
            vertex = self.plan.graph.vertices[name]
            tree = self.forward.trees[name]
            if tree is None:
                raise ZycError(problem("not-made-again", node=self.forward.roots.get(name, name)))
            if self.store.has(tree):
                continue
            if isinstance(vertex, Cluster):
                self._materialised(edge.source for edge in vertex.members)
                self.forward.cluster(vertex)
                self.store.group({edge.field: self.forward.trees[edge.source] or "" for edge in vertex.members})
            elif isinstance(vertex, Choice):
                winner = self.forward.winners[name] or ""
                self._materialised([winner])
                self.forward.trees[name] = self.forward.trees[winner]
            else:
                self._again(vertex)

    def _again(self, node: Node) -> None:
        """Make a tree that is gone, by the same recipe; where that fails, nothing can stand on it."""
        self._materialised(edge.source for edge in node.edges if not edge.order)
        manifest, _ = self.forward.manifest(node)
        self._step(node, key_of(manifest), manifest)
        if self.forward.trees[node.name] is None:
            self.forward.stuck[node.name] = Cause(Why.UPSTREAM, node.name, "it failed")
            raise ZycError(problem("not-made-again", node=node.name))

    # --- one step ---

    def _step(self, node: Node, key: str, manifest: Manifest) -> None:
        lock = self.store.lock(
            key, told=lambda who: self.told("wait", f"{node.name} is being built by another zyc ({who.strip()})")
        )
        with lock:
            there = self.traces.read(key)
            if there is not None and self.store.has(there.tree):
                summary = self._remember(there)  # another build was faster
                self._kept(node, key, summary)
                return
            self.told("start", node.name)
            resumed = self._prepare(node, key, manifest)
            home = self.project.step(key)
            began = datetime.fromtimestamp(self.world.now(), UTC).isoformat(timespec="seconds")
            stamps = self._stamps(node)
            outcome = local.run(
                self.world, home, env=self._environment(node), secrets=self._secrets(node), pass_descriptors=(lock.descriptor,)
            )
            if outcome.code != 0:
                self._failed(node, key, _exit_words(outcome.code), outcome.seconds)
                return
            self._hold_inputs(node, stamps)
            self._publish(node, key, manifest, home, began, outcome, resumed=resumed)

    def _publish(
        self, node: Node, key: str, manifest: Manifest, home: Path, began: str, outcome: Outcome, *, resumed: bool
    ) -> None:
        seen = self.world.stat(home / "out")
        if seen is not None and seen.kind != "folder":
            self._failed(node, key, "it ended well, but made `out` something else than a folder", outcome.seconds)
            return
        if not self.world.list(home / "out"):
            self._failed(node, key, "it ended well, but left nothing in `out/`", outcome.seconds)
            return
        moved = self._moved_inputs(node)
        if moved:
            why = f"`{moved}` changed while the step ran: build again; a step may only read `in/`"
            self._failed(node, key, why, outcome.seconds)
            return
        leaked = folder.holds_secret(self.world, home, self._secrets(node))
        if leaked:
            self._failed(node, key, f"{leaked} holds a secret that the step was given: nothing of it is kept", outcome.seconds)
            return
        measures = folder.read_measures(self.world, home)
        tree = self.store.publish(home / "out")
        known = self.plan.settlement.known
        trace = Trace(
            key=key,
            kind=node.kind,
            tree=tree.digest,
            bytes=tree.bytes,
            manifest=manifest,
            fields=tuple(sorted({**recipe_fields(node, known), **files_of(node, known)}.items())),
            inputs=self._lineage(node),
            measures=measures,
            environment=_machine_words(),
            placement={name: str(value) for name, value in node.shape.placement},
            seconds=outcome.seconds,
            peak_memory=outcome.peak_memory,
            started=began,
        )
        self.traces.write(trace)
        for name in ("state", "tmp", "in"):  # only now: a kill before this moment must find the state again
            self.world.remove_tree(home / name)
        summary = self._remember(trace)
        self.forward.learn(node.name, key, summary)
        self._point(node, key, tree.digest)
        fate = Fate.RESUMED if resumed else Fate.RAN
        ending = Ending(node.name, fate, key, tree.digest, outcome.seconds, bytes=tree.bytes, measures=measures)
        self._end(_with_gates(ending, self.forward))

    def _remember(self, trace: Trace) -> Summary:
        self.journal.record(trace)
        summary = Summary.of(trace)
        dict.__setitem__(self.history.traces, trace.key, summary)  # type: ignore[index]
        return summary

    def _lineage(self, node: Node) -> dict[str, tuple[str, str]]:
        kind = kinds.load(node.kind)
        return {
            f"in/{kind.place(edge.field)}": (self.forward.keys.get(edge.source) or "", self.forward.trees[edge.source] or "")
            for edge in node.edges
            if not edge.order
        }

    def _prepare(self, node: Node, key: str, manifest: Manifest) -> bool:
        """The step folder, fresh but for a state that goes on; whether one does."""
        world, home = self.world, self.project.step(key)
        resumed = self.plan.decisions[node.name].state is State.RESUME or self._goes_on(node, key)
        for name in world.list(home):
            if name != "state" or not resumed:
                world.remove_tree(home / name)
        rendered = self.plan.settlement.rendered(node)
        world.make_folder(home)
        folder.write_files(world, home, rendered)
        world.write(home / "manifest.txt", "".join(f"{label}\t{digest}\n" for label, digest in manifest))
        for name in ("out", "state", "in"):
            world.make_folder(home / name)
        world.write(home / "state" / ".placement.json", json.dumps(dict(node.shape.placement), sort_keys=True))
        kind = kinds.load(node.kind)
        for edge in node.edges:
            if not edge.order:
                self.store.expose(home / "in" / kind.place(edge.field), self.forward.trees[edge.source] or "")
        for place, path in folder.user_files(node, self.plan.settlement.known):
            folder.link_file(world, home / "in" / place, self.project.root / path)
        return resumed

    def _goes_on(self, node: Node, key: str) -> bool:
        unfinished = self.history.unfinished.get(key[:24])
        if unfinished is None or not node.shape.resumes:
            return False
        return not kinds.load(node.kind).carries(unfinished.placement, dict(node.shape.placement))

    def _environment(self, node: Node) -> dict[str, str]:
        environ = self.world.environ()
        names = [need.name for need in node.shape.needs if isinstance(need, EnvironmentNeed)]
        return local.environment(self.world, {name: environ[name] for name in names if name in environ})

    def _secrets(self, node: Node) -> tuple[str, ...]:
        environ = self.world.environ()
        names = [need.name for need in node.shape.needs if isinstance(need, EnvironmentNeed) and need.secret]
        return tuple(environ[name] for name in names if environ.get(name))

    def _moved_inputs(self, node: Node) -> str:
        """What a field names of the user's, when it is not what the key says any more."""
        known, disk = self.plan.settlement.known, Disk(self.world, self.project.root, self.front.kept)
        for need in node.shape.needs:
            if isinstance(need, FileNeed) and not need.text:
                before, now = known.files[need.path], find(disk, need.path, text=False)
                if not isinstance(now, Found) or now.digest != before.digest:
                    after = dict(now.files) if isinstance(now, Found) else {}
                    moved = [path for path, _ in {*before.files} ^ {*after.items()}]
                    return min(moved, default=need.path)
        return ""

    def _stamps(self, node: Node) -> dict[str, tuple[object, ...]]:
        """How the trees of a node's inputs look: a step can only read them, and if it changes one it must show."""
        trees = {self.forward.trees[name] or "" for name in self._read_by(node)}
        return {tree: tuple((name, seen.size, seen.mtime_ns, seen.mode) for name, seen in self._inside(tree)) for tree in trees}

    def _inside(self, tree: str) -> tuple[tuple[str, Stat], ...]:
        return self.world.walk(self.store.path(tree))

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

    def _hold_inputs(self, node: Node, before: Mapping[str, tuple[object, ...]]) -> None:
        """A tree that the step changed is no result of anybody any more."""
        after = self._stamps(node)
        for tree in before:
            if before[tree] != after[tree] and not self.store.recheck(tree):
                self.store.quarantine(tree)
                name = next(each for each in self._read_by(node) if self.forward.trees[each] == tree)
                raise ZycError(problem("input-changed", node=node.name, input=name))


def _still_searching(plan: Plan) -> Iterable[str]:
    """Choices among the members of a search that is not over: the best so far is not worth building on."""
    graph = plan.graph
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


def _with_gates(ending: Ending, forward: Forward) -> Ending:
    return replace(ending, gates=forward.gates(ending.node))


def _blocked_by(cause: Cause) -> str:
    return f"by `{cause.root}`: {cause.text}" if cause.text else f"by `{cause.root}`"


def _exit_words(code: int) -> str:
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"


def _machine_words() -> dict[str, str]:
    return {"zyc": __version__, "python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}


def verdict_failed(endings: Mapping[str, Ending]) -> bool:
    """Whether a build ends with exit code 1."""
    fates = {each.fate for each in endings.values()}
    bad = any(gate.verdict is Verdict.FAILS for each in endings.values() for gate in each.gates)
    return bad or bool(fates & {Fate.FAILED, Fate.BLOCKED})
