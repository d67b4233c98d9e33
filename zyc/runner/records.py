"""What a build writes down of its results besides the trees: traces by the index, the last key of each node, readable links."""

from __future__ import annotations

from dataclasses import dataclass

from zyc.front import Front
from zyc.journal import Journal, Summary
from zyc.known import History
from zyc.project import Project
from zyc.store import Store
from zyc.traces import Roots, Trace, Traces


@dataclass(frozen=True, slots=True)
class Records:
    """One project's, in one store."""

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
        mine = History(dict(history.traces), dict(history.last), history.present, history.unfinished)
        roots = Roots(store, front.project.root, twin=twin)
        return cls(store, front.project, twin, Traces(store, told=told), roots, Journal.open(store, told=told), mine)

    def remember(self, trace: Trace) -> Summary:
        """A trace that was just written, here or by another zyc."""
        self.journal.record(trace)
        summary = Summary.of(trace)
        dict.__setitem__(self.history.traces, trace.key, summary)  # type: ignore[index]
        return summary

    def point(self, node: str, key: str, tree: str) -> None:
        """The readable link, and which key the node last had."""
        if self.history.last.get(node) != key:
            self.roots.set(node, key)
        if self.store.has(tree):
            self.store.expose(self.project.link(node, twin=self.twin), tree)

    def close(self) -> None:
        """Write what is not yet written."""
        self.journal.close()
