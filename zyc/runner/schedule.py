"""Who goes first, and what there is to run on: pure arithmetic over estimates and resources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from zyc.graph import Graph, Node
from zyc.planning.plan import Decision, State

UNKNOWN = 1.0  # seconds: what nobody has estimated or measured
_LOOKED_AT = 64  # how many ready steps are tried for one that fits beside what runs
_PATIENCE = 30.0  # seconds for which smaller steps may go before one that does not fit
_ACTS = (State.RUN, State.RESUME, State.MAYBE)


@dataclass(frozen=True, slots=True)
class Need:
    """What a step takes while it runs."""

    cpus: int = 1
    memory: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What a step was given."""

    need: Need
    cores: tuple[int, ...] = ()
    gpus: tuple[int, ...] = ()


class Room:
    """What is free of a machine. A step that asks for more than there is may run alone."""

    def __init__(self, *, cpus: int, memory: int | None, gpus: int, cores: Iterable[int] = (), jobs: int | None = None) -> None:
        self.cpus = self._free_cpus = cpus
        self.memory = self._free_memory = memory
        self._gpus = list(range(gpus))
        self._all_gpus = gpus
        numbers = list(cores)
        self._cores = numbers[:cpus] if len(numbers) >= cpus else []  # steps may share cores only where the site says so
        self._jobs = jobs
        self._taken = 0

    @property
    def full(self) -> bool:
        """Whether nothing at all can start."""
        return self._free_cpus <= 0 or (self._jobs is not None and self._taken >= self._jobs)

    def take(self, need: Need) -> Share | None:
        """A share of that size; nothing while it does not fit beside what runs."""
        need = self._clamped(need)
        fits = (
            not self.full
            and need.cpus <= self._free_cpus
            and need.gpus <= len(self._gpus)
            and (self._free_memory is None or need.memory <= self._free_memory)
        )
        if not fits:
            return None
        cores = tuple(self._cores[: need.cpus]) if need.cpus <= len(self._cores) else ()
        self._cores = self._cores[len(cores) :]
        gpus = tuple(self._gpus[: need.gpus])
        self._gpus = self._gpus[len(gpus) :]
        self._free_cpus -= need.cpus
        if self._free_memory is not None:
            self._free_memory -= need.memory
        self._taken += 1
        return Share(need, cores, gpus)

    def give(self, share: Share) -> None:
        """A share that is free again."""
        self._cores = [*self._cores, *share.cores]
        self._gpus = sorted([*self._gpus, *share.gpus])
        self._free_cpus += share.need.cpus
        if self._free_memory is not None:
            self._free_memory += share.need.memory
        self._taken -= 1

    def _clamped(self, need: Need) -> Need:
        memory = need.memory if self.memory is None else min(need.memory, self.memory)
        return Need(min(need.cpus, self.cpus), memory, min(need.gpus, self._all_gpus))


def need_of(node: Node, decision: Decision) -> Need:
    """What a step takes: what its spec says, or what it is expected to hold; `gpus` left open is one, where there is one."""
    placement = {"gpus": 0, **dict(node.shape.placement)}
    memory = placement.get("memory") or decision.estimate.memory or 0
    cpus, gpus = placement.get("cpus") or 1, 1 if placement["gpus"] is None else placement["gpus"]
    assert isinstance(memory, int)
    assert isinstance(cpus, int)
    assert isinstance(gpus, int)
    return Need(cpus, memory, gpus)


def seconds_of(decision: Decision) -> float:
    """How long a node will take, as far as anybody knows."""
    seconds = decision.estimate.seconds
    return UNKNOWN if seconds is None else (seconds.low + seconds.high) / 2


@dataclass(frozen=True, slots=True)
class Ways:
    """For each vertex, how long it takes itself, and how long the longest way behind it takes."""

    own: Mapping[str, float]
    behind: Mapping[str, float]
    guessed: frozenset[str]  # nodes of which nobody knows how long they take

    def tail(self, name: str) -> float:
        """From its start to the end of the build: whoever has the longest goes first."""
        return self.own[name] + self.behind[name]

    def left(self, waiting: Iterable[str], running: Mapping[str, float], *, width: int) -> float:
        """How long the rest takes at least: its longest way, and all of it shared out over the machine."""
        waiting = list(waiting)
        work = sum(self.own[name] for name in waiting) + sum(running.values())
        longest = [self.tail(name) for name in waiting] + [left + self.behind[name] for name, left in running.items()]
        return max(work / max(1, width), max(longest, default=0.0))


def ways(graph: Graph, decisions: Mapping[str, Decision], acts: Collection[State] = _ACTS) -> Ways:
    """The ways through what would run; what is kept takes no time."""
    acting = {name: each for name, each in decisions.items() if each.state in acts}
    own = {name: seconds_of(acting[name]) if name in acting else 0.0 for name in graph.vertices}
    behind = dict.fromkeys(graph.vertices, 0.0)
    for name in reversed(list(graph.vertices)):
        for edge in graph.vertices[name].edges:
            behind[edge.source] = max(behind[edge.source], own[name] + behind[name])
    return Ways(own, behind, frozenset(name for name, each in acting.items() if each.estimate.seconds is None))


class Ready:
    """Steps that wait for nothing but room: longest way first; whoever fits beside what runs may overtake, for a while."""

    def __init__(self, ways: Ways, order: Mapping[str, int], clock: Callable[[], float]) -> None:
        self._ways, self._order, self._clock = ways, order, clock
        self._heap: list[tuple[float, int, str]] = []
        self._refused: dict[str, float] = {}  # since when a step does not fit

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, name: str) -> None:
        """One more."""
        heappush(self._heap, (-self._ways.tail(name), self._order[name], name))

    def fitting(self, room: Room, need: Callable[[str], Need]) -> Iterator[tuple[str, Share]]:
        """Each step that can start now, with its share; whoever stops asking leaves the others as they are."""
        passed: list[tuple[float, int, str]] = []
        try:
            while self._heap and not room.full:
                entry = heappop(self._heap)
                share = room.take(need(entry[2]))
                if share is not None:
                    self._refused.pop(entry[2], None)
                    yield entry[2], share
                    continue
                passed.append(entry)
                since = self._refused.setdefault(entry[2], self._clock())
                if len(passed) == _LOOKED_AT or self._clock() - since > _PATIENCE:
                    return
        finally:
            for entry in passed:
                heappush(self._heap, entry)
