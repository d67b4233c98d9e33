"""What a build writes down of its results besides the trees: traces by the index, the last key of each node, readable links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from zyc.errors import ZycError
from zyc.front import Front
from zyc.keeping.journal import Journal, Summary
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.place.project import Project
from zyc.planning.known import History
from zyc.runner.fates import Fate, refusal
from zyc.runner.task import Result


class _StoppedError(Exception):
    """Nobody wants the rest of a fetch any more."""


@dataclass(frozen=True, slots=True)
class Records:
    """One project's, in one store."""

    front: Front
    store: Store
    project: Project
    twin: bool
    traces: Traces
    roots: Roots
    journal: Journal
    history: History  # what was built before, and since

    @classmethod
    def open(cls, store: Store, front: Front, history: History) -> Records:
        """Those of a call; its history is added to, in a copy."""
        told, twin = front.warnings.append, front.call.twin
        mine = replace(history, traces=dict(history.traces), last=dict(history.last))
        roots = Roots(store, front.project.root, twin=twin)
        return cls(front, store, front.project, twin, Traces(store, told=told), roots, Journal.open(store, told=told), mine)

    def remember(self, trace: Trace) -> Summary:
        """A trace that was just written, here or by another zyc."""
        self.journal.record(trace)
        summary = Summary.of(trace)
        dict.__setitem__(self.history.traces, trace.key, summary)  # type: ignore[index]
        return summary

    def point(self, node: str, key: str, tree: str) -> str:
        """The readable link, and which key the node last had; what the machine says when it refuses."""
        try:
            if self.history.last.get(node) != key:
                self.roots.set(node, key)
            if self.store.has(tree):
                self.store.expose(self.project.link(node, twin=self.twin), tree)
        except (OSError, ZycError) as error:
            return refusal(error)
        return ""

    def hit(self, key: str) -> Summary | None:
        """What the remote knows of a key that only this build came to know."""
        remote, hits = self.front.remote, self.front.hits
        found = remote.traces([key]) if remote is not None and key not in hits else {}
        hits |= found
        if key in found:
            dict.__setitem__(self.history.traces, key, Summary.of(found[key]))  # type: ignore[index]
        return self.history.traces.get(key)

    def fetched(self, key: str, tree: str, *, stopped: Callable[[], bool]) -> Result:
        """A tree that the remote has, brought here; its trace follows its bytes. What came before a stop counts later."""
        remote = self.front.remote
        assert remote is not None

        def told(_: int, __: int) -> None:
            if stopped():
                raise _StoppedError

        try:
            told(0, 0)
            got = remote.fetch(tree, self.store, told=told)
            trace = remote.keep(key, self.traces, trace=self.front.hits.get(key))
        except _StoppedError:
            return Result(Fate.INTERRUPTED)
        except ZycError as error:
            unreachable = any(each.code == "remote-failed" for each in error.problems)
            return Result(Fate.FAILED if unreachable else Fate.BLOCKED, reason=error.problems[0].message)
        return Result(Fate.KEPT, trace, fetched=got.bytes)

    def close(self) -> None:
        """Write what is not yet written."""
        self.front.keep_hits(self.traces)
        self.journal.close()
