"""Who holds which tree of a store: the last keys of all nodes of all projects, what each gave, and what that stands on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zyc.errors import Problem, ZycError, problem
from zyc.keeping.journal import Journal, Summary
from zyc.keeping.store import Store
from zyc.keeping.traces import Root, Traces, project_id, projects, read_root
from zyc.world import AnyPath


class Holder(NamedTuple):
    """A node of a project, and the result that it last had."""

    project: str  # its id
    folder: str
    here: bool  # of the project of this call
    twin: bool
    node: str
    key: str
    tree: str  # nothing when its key has no trace


@dataclass
class Holders:
    """All that is held, and by whom."""

    store: Store
    holders: tuple[Holder, ...]
    former: Mapping[str, Holder]  # each key that somebody has or had
    summaries: Mapping[str, Summary]
    present: frozenset[str]
    members: Mapping[str, tuple[str, ...]]  # group -> the trees that it leads to
    _keys: dict[str, list[str]] = field(default_factory=dict)  # tree -> the keys that gave it
    _repeatable: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, summary in self.summaries.items():
            self._keys.setdefault(summary.tree, []).append(key)

    def with_members(self, trees: set[str]) -> set[str]:
        """These trees, and what the groups among them lead to."""
        found, waiting = set(trees), list(trees)
        while waiting:
            inside = set(self.members.get(waiting.pop(), ())) - found
            found |= inside
            waiting += inside
        return found

    def groups_within(self, keep: set[str]) -> set[str]:
        """The groups that kept results were made from and that lead to nothing but what is kept."""
        used = {tree for summary in self.summaries.values() if summary.tree in keep for tree in summary.inputs.values()}
        return {tree for tree in used if self.members.get(tree) and set(self.members[tree]) <= keep}

    def owner(self, tree: str) -> Holder | None:
        """Whose tree it is or was, this project's nodes first."""
        found = [self.former[key] for key in self._keys.get(tree, ()) if key in self.former]
        return min(found, key=lambda each: (not each.here, each.twin, each.tree != tree, each.node), default=None)

    def started(self, tree: str) -> str:
        """When the first of the keys that gave it was built."""
        traces = Traces(self.store)
        told = (traces.read(key) for key in self._keys.get(tree, ()))
        return min((each.started for each in told if each is not None and each.started), default="")

    def again(self, trees: Iterable[str], there: Container[str]) -> float | None:
        """What making these again takes, with all that is not there for it, each once; nothing when nobody knows how."""
        seconds, seen = 0.0, set(trees)
        waiting = sorted(seen)
        while waiting:
            made = self._made(waiting.pop(), there)
            if made is None:
                return None
            seconds += made[0]
            waiting += made[1] - seen
            seen |= made[1]
        return seconds

    def again_each(self, trees: Iterable[str], there: Container[str]) -> dict[str, float | None]:
        """The same of each by itself; along a chain each one adds its own to what the one before it takes."""
        told: dict[str, float | None] = {}
        for tree in trees:
            path, at = [tree], tree
            while at not in told:
                made = self._made(at, there)
                if made is not None and made[1] & {*path}:
                    # a step that copies its input gives the tree that it stands on: each of such a ring walks it once
                    told |= {each: self.again([each], there) for each in path}
                elif made is None or len(made[1]) != 1:
                    told[at] = self.again([at], there)
                else:
                    (at,) = made[1]
                    path.append(at)
            for above, below in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
                if above in told:
                    continue
                made, rest = self._made(above, there), told[below]
                told[above] = made[0] + rest if made is not None and rest is not None else None
        return told

    def _made(self, tree: str, there: Container[str]) -> tuple[float, set[str]] | None:
        """What making one tree takes, and which trees are not there for it; nothing when nobody knows how."""
        inside, seconds = set(self.members.get(tree, ())), 0.0
        if not inside:
            keys = self._keys.get(tree)
            if not keys:
                return None
            made = (self.summaries[key] for key in keys)
            quickest = min(made, key=lambda told: (tree in told.inputs.values(), told.seconds))
            inside, seconds = set(quickest.inputs.values()) - {tree}, quickest.seconds
        return seconds, {each for each in inside if each not in there}

    def known(self, trees: Iterable[str]) -> list[str]:
        """Those of which somebody knows how they were made."""
        return [each for each in trees if each in self._keys or self.members.get(each)]

    def nodes_of(self, tree: str) -> list[str]:
        """The nodes that a tree belongs to: whose last result it is, or was; of a group, those that read it."""
        last = {each.node for each in self.holders if each.tree == tree}
        readers = {each.node for each in self.holders if tree in self._inputs(each)} if self.members.get(tree) else set()
        owner = self.owner(tree)
        return sorted(last or readers or ({owner.node} if owner is not None else set()))

    def bytes_of(self, tree: str) -> int:
        """How much is in a tree, as its trace says."""
        keys = self._keys.get(tree)
        return self.summaries[keys[0]].bytes if keys else 0

    def _inputs(self, holder: Holder) -> Collection[str]:
        summary = self.summaries.get(holder.key)
        return summary.inputs.values() if summary is not None else ()

    def repeatable(self, tree: str) -> bool:
        """Whether the recipe of a tree gives it again: somebody's word is no recipe, nor is another machine."""
        if tree not in self._repeatable:
            self._repeatable[tree] = False  # a ring of broken records ends here
            members = self.members.get(tree)
            told = [self.summaries[key] for key in self._keys.get(tree, ())]
            if members:
                whole = all(each in self.present or self.repeatable(each) for each in members)
            else:
                whole = bool(told) and all(
                    not (each.accepted or each.adopted)
                    and all(one in self.present or self.repeatable(one) for one in each.inputs.values())
                    for each in told
                )
            self._repeatable[tree] = whole
        return self._repeatable[tree]


def read_holders(store: Store, here: AnyPath, *, told: Callable[[Problem], None] | None = None) -> Holders:
    """Everything that is held; a record that is damaged could hold anything: told, or where nobody hears it an error."""
    damaged: list[Problem] = []
    with Journal.open(store, told=lambda each: damaged.append(each) if each.code == "unreadable-record" else None) as journal:
        summaries = journal.summaries()
    mine = project_id(store.world.real(here))
    holders: list[Holder] = []
    former: dict[str, Holder] = {}
    for name, folder in projects(store).items():
        for kind in ("real", "twin"):
            top = store.root / "roots" / name / kind
            for file in store.world.list(top):
                root = read_root(store, top / file, told=damaged.append) if file.endswith(".json") else None
                if root is None:
                    continue
                holder = _holder(name, folder, root, summaries, here=name == mine, twin=kind == "twin")
                holders.append(holder)
                former |= {key: holder for key in (*root.former, root.key) if key not in former or holder.here}
    if told is not None:
        for each in damaged:
            told(each)
    elif damaged:
        raise ZycError(problem("sweep-damaged", count=len(damaged), file=_shown(store, damaged[0])))
    present = store.present()
    members = {tree: inside for tree in present if (inside := store.members(tree))}
    return Holders(store, tuple(holders), former, summaries, present, members)


def _holder(name: str, folder: str, root: Root, summaries: Mapping[str, Summary], *, here: bool, twin: bool) -> Holder:
    summary = summaries.get(root.key)
    return Holder(name, folder, here, twin, root.node, root.key, summary.tree if summary is not None else "")


def _shown(store: Store, damaged: Problem) -> str:
    file = Path(str(dict(damaged.facts)["file"]))
    return str(file.relative_to(store.root)) if file.is_relative_to(store.root) else file.name
