"""One call from its words to a plan: specs read, compiled, narrowed, gathered, settled, checked, planned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zyc import search as searches
from zyc.compile import Compiled, Request, Source, Trouble, compile_specs
from zyc.compile.choose import measured_at
from zyc.errors import Problem, ZycError
from zyc.graph import Graph, Search
from zyc.keeping.journal import Summary
from zyc.keeping.store import Store
from zyc.keeping.traces import Trace, Traces
from zyc.kept import Kept
from zyc.place import lock as locks
from zyc.place import project as projects
from zyc.place import site as sites
from zyc.place.hub import Unreached
from zyc.place.lock import Lock
from zyc.place.project import Project
from zyc.place.site import Site
from zyc.place.toolchain import Probe
from zyc.planning.check import check, conditions, notes
from zyc.planning.files import Disk, Files, read_own, read_profile, read_specs
from zyc.planning.gather import gather, history
from zyc.planning.known import History, Known
from zyc.planning.plan import Plan, State, Why, make_plan
from zyc.planning.render import template_problems
from zyc.planning.settle import Settlement, settle
from zyc.planning.twin import rehearsal
from zyc.selection import Selection, Selector, closure
from zyc.world import World

if TYPE_CHECKING:
    from zyc.keeping.remote import Remote


@dataclass(frozen=True, slots=True)
class Call:
    """What a person asked for."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    profile: str = ""
    sets: tuple[str, ...] = ()
    twin: bool = False
    frozen: bool = False
    remote: str = ""  # a name of the site, a URL or a folder: where results of others are looked for


@dataclass
class Front:
    """The front half of every verb; each part is made when it is first asked for."""

    world: World
    project: Project
    call: Call
    here: str = ""
    kept: Kept = field(default_factory=Kept)
    files: Files | None = None
    glance: bool = False  # the specs are checked and nothing is planned: data files are looked at, not read
    warnings: list[Problem] = field(default_factory=list)
    resolved: dict[str, str] = field(default_factory=dict)  # what hubs told in this call: pin -> commit
    unreached: dict[str, Unreached] = field(default_factory=dict)  # what they did not tell, and why
    hits: dict[str, Trace] = field(default_factory=dict)  # traces of the remote that this store has none of, by key

    @cached_property
    def reading(self) -> Files:
        """The user's files."""
        return self.files if self.files is not None else Disk(self.world, self.project.root, self.kept, reads=not self.glance)

    @cached_property
    def sources(self) -> list[Source]:
        """The texts of all specs."""
        return read_specs(self.reading)

    @cached_property
    def request(self) -> Request:
        """What the call adds to the specs."""
        profile = read_profile(self.reading, self.call.profile) if self.call.profile else None
        return Request(profile, self.call.sets)

    @cached_property
    def lock(self) -> Lock:
        """The pins."""
        text = read_own(self.reading, locks.FILE)
        return Lock() if text is None else locks.read(text)

    @cached_property
    def site(self) -> Site:
        """The settings of this place."""
        texts = {file: read_own(self.reading, file, anywhere=True) for file in sites.FILES}
        return sites.read({file: text for file, text in texts.items() if text is not None})

    @cached_property
    def probe(self) -> Probe:
        """What this machine has."""
        return Probe(self.world)

    @cached_property
    def history(self) -> History:
        """What was built before, here or where the call looks for it."""
        here = history(self.world, self.project, twin=self.call.twin, told=self.warnings.append)
        if self.remote is None:
            return here
        self.remote.look()
        found = {key: Summary.of(trace) for key, trace in self.hits.items()}
        traces = {**found, **here.traces}
        return replace(here, traces=traces, remote=self.remote.trees(), remote_name=self.remote.name)

    @cached_property
    def remote(self) -> Remote | None:
        """Where the call looks for results of others."""
        return self.remote_at(self.call.remote) if self.call.remote else None

    def remote_at(self, text: str, *, create: bool = False) -> Remote:
        """The remote that a name of the site, a URL or a folder means."""
        from zyc.keeping.remote import Remote  # most calls have none
        from zyc.keeping.remote.url import shown

        url, name = sites.remote_of(self.site, text)
        base = self.project.root if name else self.project.root / self.here
        if "://" not in url:
            url = os.path.normpath(base / Path(url).expanduser())
        return Remote.open(self.world, url, name=name or shown(text), create=create, told=self.warnings.append)

    def keep_hits(self, traces: Traces) -> None:
        """Write the traces that came from the remote into the store: from then on this machine knows them, too."""
        if self.remote is not None:
            for key, trace in self.hits.items():
                self.remote.keep(key, traces, trace=trace)

    @cached_property
    def compiled(self) -> Compiled:
        """The whole project; a search has as many members as its results so far let it choose."""
        compiled = compile_specs(self.sources, self.request, self.kept)
        rows: dict[str, tuple[tuple[str, ...], ...]] = {}
        while compiled.graph.searches:
            chosen = {name: self._next_row(compiled, search) for name, search in compiled.graph.searches.items()}
            new = {name: row for name, row in chosen.items() if row is not None}
            if not new:
                break
            for name, row in new.items():
                rows[name] = (*compiled.graph.families[name].rows, row)
            compiled = compile_specs(self.sources, replace(self.request, searched=dict(rows)), self.kept)
        return compiled

    def _next_row(self, compiled: Compiled, search: Search) -> tuple[str, ...] | None:
        """What a search tries next, once every member so far is measured."""
        family = compiled.graph.families.get(search.family)
        if family is None or len(family.rows) >= search.runs:
            return None
        judges = compiled.graph.families.get(search.judge)
        if judges is None or not set(family.axes) <= set(judges.axes):
            return None
        if any(judges.member(row) not in compiled.graph.vertices for row in judges.rows):
            return None  # a member is broken: that is told where it stands
        plan = self._plan(compiled.graph, compiled, check_it=False)
        scores = {}
        for row in judges.rows:
            decision = plan.decisions[measured_at(compiled.graph.vertices, judges.member(row), search.measure)]
            if decision.state is State.BLOCKED:
                continue  # a gate stands before it, so it has no score
            trace = self.history.traces.get(decision.key or "")
            if decision.state is not State.KEEP or trace is None or search.measure not in trace.measures:
                return None
            labels = dict(zip(judges.axes, row, strict=True))
            scores[tuple(labels[axis] for axis in family.axes)] = trace.measures[search.measure]
        return searches.following(search, family.rows, scores)

    def varied(self, *sets: str) -> Front:
        """The same call with some fields set to something else; what that cannot change is not looked at twice."""
        other = replace(self, call=replace(self.call, sets=(*self.call.sets, *sets)), warnings=[])
        for name in ("reading", "sources", "lock", "site", "probe", "history"):
            vars(other)[name] = getattr(self, name)
        return other

    def as_twin(self) -> Front:
        """The same call as its rehearsal."""
        other = replace(self, call=replace(self.call, twin=True), warnings=[])
        for name in ("reading", "sources", "lock", "site", "probe", "compiled"):
            vars(other)[name] = getattr(self, name)
        return other

    # --- what the call is about ---

    @cached_property
    def selector(self) -> Selector:
        """Reads the words of the call."""
        return Selector(self.compiled, [source.file for source in self.sources], self.here, self._states)

    def _states(self) -> Mapping[str, set[str]]:
        told: dict[str, set[str]] = {}
        for decision in self._plan(self.compiled.graph, self.compiled, check_it=False).decisions.values():
            told.setdefault(decision.state.value, set()).add(decision.name)
            if decision.cause.why is Why.FAILED:
                told.setdefault("failed", set()).add(decision.name)
            elif decision.cause.why is Why.NEW:
                told.setdefault("new", set()).add(decision.name)
            elif decision.cause.why is Why.MISSING:
                told.setdefault("missing", set()).add(decision.name)
            elif decision.cause.why in (Why.CHANGED, Why.INPUT, Why.WAITS):
                told.setdefault("changed", set()).add(decision.name)
        return told

    @cached_property
    def selection(self) -> Selection:
        """The nodes that the call names."""
        try:
            chosen = self.selector.select(self.call.select, self.call.exclude)
        except ZycError as error:
            # a name may be unknown because its file is broken
            files = [each.problem for each in self.compiled.troubles if not each.node]
            told = [each for each in error.problems if not self.compiled.may_declare(str(dict(each.facts).get("text", "\0")))]
            raise ZycError([*told, *files]) from None
        return chosen

    @cached_property
    def graph(self) -> Graph:
        """What the call is about and all that it needs; its troubles end the call, others are warnings."""
        selection = self.selection
        graph = self.compiled.graph
        needed = closure(graph, selection.names)
        cut = graph.cut(needed)
        self._judge_troubles(cut, selection)
        return cut

    def _judge_troubles(self, cut: Graph, selection: Selection) -> None:
        owners = {node.owner or node.family or node.name for node in cut.nodes()} | selection.broken
        files = {node.span.file for node in cut.nodes()} | selection.files
        everything = not self.call.select and not self.call.exclude
        fatal: list[Trouble] = []
        other: list[Trouble] = []
        for trouble in self.compiled.troubles:
            mine = everything or not trouble.file or trouble.node in owners or (not trouble.node and trouble.file in files)
            (fatal if mine else other).append(trouble)
        if not fatal and selection.broken:
            fatal = list(self.compiled.behind(selection.broken))
        if fatal:
            raise ZycError(each.problem for each in fatal)
        self.warnings += [each.problem for each in other if each.problem not in self.warnings]

    # --- what is known of it ---

    def known(self, graph: Graph) -> Known:
        """What the nodes of a graph need to know."""
        return gather(
            self.world,
            self.reading,
            graph,
            lock=self.lock,
            resolved=self.resolved,
            site=self.site,
            probe=self.probe,
            project=self.project,
        )

    @cached_property
    def settlement(self) -> Settlement:
        """Every node with what can be said of it; problems end the call. A twin is checked at its real size first."""
        return self._settled(self.graph, self.compiled, check_it=True)

    def _settled(self, graph: Graph, compiled: Compiled, *, check_it: bool) -> Settlement:
        known = self.known(graph)
        flawed = template_problems(known.templates, known.pins)
        if flawed:
            raise ZycError(flawed)
        real = settle(graph, known, self.kept)
        if check_it:
            troubles = check(compiled, graph, real)
            if troubles:
                raise ZycError(each.problem for each in troubles)
            said = (*notes(compiled, graph, real), *conditions(graph, real))
            self.warnings += [each for each in said if each not in self.warnings]
        if not self.call.twin:
            return real
        small = rehearsal(graph, real)
        twin = settle(small, self.known(small), self.kept, twin=True)
        wrong = check(compiled, small, twin) if check_it else []
        if wrong:  # what is possible at its real size must be so at toy size
            raise ZycError(each.problem for each in wrong)
        return twin

    @cached_property
    def plan(self) -> Plan:
        """What would happen."""
        return self._plan(self.graph, self.compiled, check_it=True)

    @cached_property
    def whole(self) -> Plan:
        """What would happen were the call about the whole project; what is wrong elsewhere in it is not its matter."""
        graph = self.compiled.graph
        named = {node.name for node in graph.nodes() if not node.inserted}
        return self._plan(graph.cut(closure(graph, named)), self.compiled, check_it=False)

    def _plan(self, graph: Graph, compiled: Compiled, *, check_it: bool) -> Plan:
        settlement = self.settlement if check_it else self._settled(graph, compiled, check_it=False)
        readers = graph.readers()
        names = self.selection.names if check_it else frozenset(graph.vertices)
        sinks = {name for name in names if name in graph.vertices and not readers[name]}
        explicit = self.selection.explicit if check_it else frozenset()
        plan = make_plan(settlement, self.history, sinks | explicit)
        while self._finds(plan):  # what was found tells the keys of what stands on it
            plan = make_plan(settlement, self.history, sinks | explicit)
        return plan

    def _finds(self, plan: Plan) -> bool:
        """Whether the remote has traces of keys that this store has none of; history has them then."""
        if self.remote is None:
            return False
        asked = {each.key for each in plan.decisions.values() if each.key is not None} - self.history.traces.keys()
        found = self.remote.traces(asked)
        self.hits |= found
        summaries = {key: Summary.of(trace) for key, trace in found.items()}
        self.history = replace(self.history, traces={**self.history.traces, **summaries})
        return bool(found)

    def read_trace(self, key: str) -> Trace | None:
        """The whole trace of a key, for people who ask why."""
        if key in self.hits:
            return self.hits[key]
        return Traces(Store.open(self.world, self.project.store, create=False), told=self.warnings.append).read(key)

    def forget(self) -> None:
        """The store moved on: read it again when next asked."""
        for name in ("history", "compiled", "selector", "selection", "graph", "settlement", "plan", "whole"):
            self.__dict__.pop(name, None)


def open_front(world: World, cwd: Path, call: Call, *, context: str = "") -> Front:
    """The front half of a call made in a folder."""
    project = projects.find(world, cwd)
    here = os.path.relpath(cwd, project.root)
    path = project.memo / "kept.bin"
    earlier = world.read(path) if world.exists(path) else b""
    return Front(world, project, call, "" if here == "." else here, Kept(context, earlier))


def save_kept(front: Front) -> None:
    """Keep the answers for the next call; a memo that cannot be written costs time, nothing else."""
    text, replaces = front.kept.news()
    if not text:
        return
    path = front.project.memo / "kept.bin"
    try:
        front.world.make_folder(front.project.memo)
        if replaces or not front.world.exists(path):
            front.world.write(path, text)
        else:
            front.world.append(path, text)
    except OSError:
        return
