"""What is kept here to a remote, and from there to here: node by node, each of them whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from threading import Lock

from zyc.errors import Problem, ZycError
from zyc.front import Front
from zyc.keeping.remote import Remote
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Traces
from zyc.planning.plan import Decision, State

_WIDTH = 4  # trees side by side, each of them up to eight objects wide
# what is wrong with one node only; anything else ends the whole
_OF_A_NODE = {"remote-lacks", "remote-damaged", "remote-too-large", "tree-absent", "tree-damaged", "tree-differs"}


class Fate(StrEnum):
    """What became of a node."""

    SENT = "sent"
    THERE = "there"  # already
    FETCHED = "fetched"
    HERE = "here"  # already
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Share:
    """How it went for one node."""

    node: str
    fate: Fate
    key: str = ""
    tree: str = ""
    objects: int = 0
    bytes: int = 0
    problem: Problem | None = None
    reason: str = ""  # why it is absent


Told = Callable[[Share], None]
Moves = Callable[[str, int, int], None]  # node, bytes of it that have moved, bytes that will


def untold(share: Share) -> None:
    """Nobody is told of a node before the end."""


def unseen(node: str, done: int, total: int) -> None:
    """Nobody watches."""


def push_nodes(
    front: Front, remote: Remote, names: Collection[str], told: Told, *, moves: Moves = unseen, again: bool = False
) -> list[Share]:
    """Send the nodes that are kept here."""
    store = Store.open(front.world, front.project.store, create=False)
    traces = Traces(store, told=front.warnings.append)

    def push(decision: Decision) -> Share:
        share = _kept(front, remote, decision, again=again)
        trace = traces.read(share.key) if share.fate is Fate.SENT else None
        if trace is None:
            return share if share.fate is not Fate.SENT else replace(share, fate=Fate.ABSENT, reason="its trace is not here")
        pushed = remote.push(trace, store, told=partial(moves, share.node), again=again)
        fate = Fate.SENT if pushed.is_new or pushed.objects else Fate.THERE
        return replace(share, fate=fate, objects=pushed.objects, bytes=pushed.bytes)

    return _each(front, names, push, told)


def would_push(front: Front, remote: Remote | None, names: Collection[str], told: Told) -> list[Share]:
    """What a push would send; a remote that is still to be made has nothing yet."""
    return _each(front, names, lambda decision: _kept(front, remote, decision), told)


def _kept(front: Front, remote: Remote | None, decision: Decision, *, again: bool = False) -> Share:
    history, key = front.plan.history, decision.key or ""
    summary = history.traces.get(key)
    if summary is None:
        return Share(decision.name, Fate.ABSENT, key, reason="it is not built")
    share = Share(decision.name, Fate.SENT, key, summary.tree, bytes=summary.bytes)
    if remote is not None and not again and key in remote.keys():  # noqa: SIM118  # a listing
        return replace(share, fate=Fate.THERE, bytes=0)
    if summary.tree not in history.present:
        return replace(share, fate=Fate.ABSENT, bytes=0, reason="its bytes are not here: `zyc build NODE` makes them again")
    return share


def unsent(front: Front, remote: Remote, names: Collection[str]) -> list[str]:
    """What the nodes stand on and the remote lacks: without it nobody can tell their keys, and so nobody finds them."""
    keys = remote.keys()
    return [each.name for each in _decisions(front, front.graph.vertices.keys() - {*names}) if each.key not in keys]


def pull_nodes(front: Front, names: Collection[str], told: Told, *, moves: Moves = unseen) -> list[Share]:
    """Bring the nodes that the remote of the call has; of what they stand on the traces alone, which make their keys known."""
    assert front.remote is not None
    remote, plan = front.remote, front.plan
    store = Store.open(front.world, front.project.store)
    traces = Traces(store, told=front.warnings.append)
    sharing = store.sharing()  # nobody sweeps what is on its way
    try:
        shares = _each(front, names, lambda decision: _pulled(front, remote, store, decision, moves), told)
    finally:
        front.keep_hits(traces)  # bytes first: a trace whose tree is here needs no remote
        _point(front, store, plan.decisions.values())
        sharing.release()
    return shares


def would_pull(front: Front, names: Collection[str], told: Told) -> list[Share]:
    """What a pull would bring."""
    return _each(front, names, lambda decision: _wanted(front, decision), told)


def _wanted(front: Front, decision: Decision) -> Share:
    history = front.plan.history
    summary = history.traces.get(decision.key or "")
    if summary is None:
        why = "nobody has it there" if decision.key else "what it stands on is not known"
        return Share(decision.name, Fate.ABSENT, decision.key or "", reason=why)
    share = Share(decision.name, Fate.HERE, decision.key or "", summary.tree)
    if summary.tree in history.present:
        return share
    if summary.tree in history.remote:
        return replace(share, fate=Fate.FETCHED, bytes=summary.bytes)
    return replace(share, fate=Fate.ABSENT, reason="its tree is not there")


def _pulled(front: Front, remote: Remote, store: Store, decision: Decision, moves: Moves) -> Share:
    share = _wanted(front, decision)
    if share.fate is Fate.FETCHED:
        remote.fetch(share.tree, store, told=partial(moves, share.node))
    return share


def _point(front: Front, store: Store, decisions: Iterable[Decision]) -> None:
    """The readable links, and which key each node last had, as a build leaves them."""
    roots = Roots(store, front.project.root, twin=front.call.twin)
    for each in decisions:
        if each.state is State.KEEP and each.key and each.tree:
            if front.history.last.get(each.name) != each.key:
                roots.set(each.name, each.key)
            if store.has(each.tree):
                store.expose(front.project.link(each.name, twin=front.call.twin), each.tree)


def _each(front: Front, names: Collection[str], share: Callable[[Decision], Share], told: Told) -> list[Share]:
    """Every node, some side by side; told in the order of the graph."""
    decisions, done, lock = _decisions(front, names), dict[int, Share](), Lock()

    def tried(at: int) -> Share:
        each = decisions[at]
        try:
            found = share(each)
        except ZycError as error:
            if any(each.code not in _OF_A_NODE for each in error.problems):
                raise
            found = Share(each.name, Fate.FAILED, each.key or "", each.tree or "", problem=error.problems[0])
        with lock:
            done[at] = found
            while waiting and waiting[0] in done:
                told(done[waiting.popleft()])
        return found

    waiting = deque(range(len(decisions)))
    return list(front.world.each(tried, range(len(decisions)), width=_WIDTH))


def _decisions(front: Front, names: Collection[str]) -> list[Decision]:
    return [each for each in front.plan.decisions.values() if each.name in names]
