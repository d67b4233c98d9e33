"""What a store and a project can do without, found first and listed, then removed: nothing else goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from zyc.errors import ZycError, guess, problem
from zyc.graph import Node
from zyc.keeping.holders import Holder, Holders, read_holders
from zyc.keeping.store import Store, plainly
from zyc.keeping.traces import projects
from zyc.place.project import Project, slug
from zyc.planning.plan import Plan, State
from zyc.world import World, alive

_DAY = 86_400
_INTERMEDIATE = "it can be made again"
_GROUP = "members of it go"
_STEP = re.compile(r"[0-9a-f]{24}")
_FRESH = re.compile(r"\.zyc-([0-9]+)-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can go: what it is, where, whose it was, and what it would take to have it again."""

    what: str  # tree, group, quarantine, leftover, lock, step, link, project
    path: Path
    name: str  # for people: the digest of a tree, the path below artifacts/ of all else
    node: str = ""
    project: str = ""  # the folder of the other project whose node it is
    age: float | None = None  # seconds
    bytes: int = 0  # of the disk
    seconds: float | None = None  # what making it again would take, with all that would be made again for it
    because: str = ""


@dataclass(frozen=True, slots=True)
class Sweep:
    """All that goes, in the order in which it may go; what stays that a person may want to hear of."""

    items: tuple[Item, ...] = ()
    gone: Mapping[str, str] = field(default_factory=dict)  # registered projects that are on no disk: id -> folder
    undeclared: tuple[Item, ...] = ()  # results of nodes that no spec declares any more: they stay unless asked for
    kept: int = 0  # trees
    blind: bool = False  # the specs could not be read

    @property
    def bytes(self) -> int:
        """What it frees."""
        return sum(each.bytes for each in self.items)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for beyond the plain sweep."""

    intermediates: bool = False
    undeclared: bool = False
    forget: tuple[str, ...] = ()  # folders or ids of projects that are gone


@dataclass
class Survey:
    """Looks at all that is there, and tells what nobody needs; changes nothing."""

    world: World
    project: Project
    plans: Mapping[bool, Plan | None]  # twin or not -> the plan of everything; None: the specs are broken
    wish: Wish = Wish()

    def __post_init__(self) -> None:
        self.store = Store.open(self.world, self.project.store, create=False)
        self.now = self.world.now()

    def sweep(self) -> Sweep:
        """What can go."""
        if not self.store.made():
            return Sweep()
        held = read_holders(self.store, self.project.root)
        folders = projects(self.store)
        gone = {name: folder for name, folder in folders.items() if not folder or not self.world.exists(folder)}
        forgotten = self._forgotten(folders, gone)
        strangers = [each for each in held.holders if each.project not in forgotten and self._is_undeclared(each)]
        out = set(strangers) if self.wish.undeclared else set()
        live = [each for each in held.holders if each.project not in forgotten and each not in out]
        dropped = self._intermediates(held, live) if self.wish.intermediates else set()
        keep = self._trees_of(held, live) - dropped
        keep |= held.groups_within(keep)
        going = sorted(held.present - keep)
        trees = list(self._trees(held, going, keep, dropped))
        freed = {each.name for each in trees}
        spare = self._trees_of(held, [each for each in live if each not in strangers])
        only = held.present & {each.tree for each in strangers} - spare if not self.wish.undeclared else set()
        items = [
            *(self._project(name, folders[name]) for name in sorted(forgotten)),
            *(each for each in trees if each.what == "group"),  # first: a group never leads to what is gone
            *(each for each in trees if each.what != "group"),
            *self._quarantine(),
            *self._leftovers(),
            *self._locks(),
            *self._steps(held),
            *self._links(freed),
        ]
        return Sweep(
            tuple(items),
            {name: _nearby(folder) for name, folder in gone.items() if name not in forgotten},
            tuple(self._trees(held, sorted(only), keep - only, set())),
            len(keep & held.present),
            None in self.plans.values(),
        )

    # --- whose it is ---

    def _forgotten(self, folders: Mapping[str, str], gone: Mapping[str, str]) -> set[str]:
        told = set()
        for text in self.wish.forget:
            places = {text, os.path.abspath(text), self.world.real(text)}  # noqa: PTH100  # as text: it need not be there
            found = [name for name, folder in folders.items() if name == text or folder in places]
            if not found:
                hint = guess(
                    text,
                    [_nearby(each) for each in gone.values()] or [*gone],
                    otherwise="every registered project is still on the disk",
                )
                raise ZycError(problem("unknown-project", text=text, hint=hint))
            if found[0] not in gone:
                raise ZycError(problem("project-still-there", path=text))
            told.add(found[0])
        return told

    def _is_undeclared(self, holder: Holder) -> bool:
        """Whether it is a node of this project that no spec declares any more, as far as the specs can be read."""
        plan = self.plans[holder.twin]
        return holder.here and plan is not None and holder.node not in plan.decisions

    def _trees_of(self, held: Holders, live: Iterable[Holder]) -> set[str]:
        """What is kept for somebody: their last results, what the specs of this project say now, members of groups."""
        wanted = {each.tree for each in live if each.tree}
        for twin, plan in self.plans.items():
            if plan is not None:
                wanted |= {each.tree for each in plan.decisions.values() if each.tree}
            else:  # broken specs may mean any of those that they once meant
                wanted |= {held.summaries[key].tree for key in self._former(held, twin=twin) if key in held.summaries}
        return held.with_members(wanted)

    def _intermediates(self, held: Holders, live: Iterable[Holder]) -> set[str]:
        """Trees of this project that others stand on and that its specs can make again."""
        free, bound = set[str](), set[str]()
        reading = {twin: _reading(plan) for twin, plan in self.plans.items() if plan is not None}
        for each in live:
            plan = self.plans[each.twin]
            if each.here and plan is not None and _remade(plan, held, each, *reading[each.twin]):
                free.add(each.tree)
            else:
                bound |= held.with_members({each.tree})
        for twin, plan in self.plans.items():
            for name, decision in plan.decisions.items() if plan is not None else ():
                if decision.tree and name not in reading[twin][0]:
                    bound.add(decision.tree)
        return (free - bound) & held.present

    @staticmethod
    def _former(held: Holders, *, twin: bool) -> Iterator[str]:
        """All keys that this project's nodes ever had."""
        return (key for key, each in held.former.items() if each.here and each.twin == twin)

    # --- what it is ---

    def _trees(self, held: Holders, going: Iterable[str], keep: set[str], dropped: set[str]) -> Iterator[Item]:
        wanted = list(going)
        again = held.again_each(wanted, keep)
        for tree in wanted:
            path = self.store.path(tree)
            group = bool(held.members.get(tree))
            owner = held.owner(tree)
            yield Item(
                "group" if group else "tree",
                path,
                tree,
                node=owner.node if owner is not None else "",
                project="" if owner is None or owner.here else _nearby(owner.folder),
                age=self._age(held.started(tree), path),
                bytes=self.world.usage(path),
                seconds=again[tree],
                because=_INTERMEDIATE if tree in dropped else _GROUP if group else _because(owner, tree),
            )

    def _project(self, name: str, folder: str) -> Item:
        path = self.store.root / "roots" / name
        return Item("project", path, _nearby(folder) or name, bytes=self.world.usage(path), because="forgotten")

    def _quarantine(self) -> Iterator[Item]:
        for name in self.world.list(self.store.root / "quarantine"):
            path = self.store.root / "quarantine" / name
            yield self._item("quarantine", path, "put aside: it was damaged")

    def _leftovers(self) -> Iterator[Item]:
        """What a killed process left; of a living one only after a day, whatever the clock did in between."""
        for folder in self._written():
            for name in self.world.list(folder):
                mark = _FRESH.fullmatch(name)
                age = self._age("", folder / name) or 0
                if mark is not None and (not alive(int(mark[1])) or age > _DAY):
                    yield self._item("leftover", folder / name, "of a process that was killed")

    def _written(self) -> Iterator[Path]:
        """The folders in which something is made beside its place first."""
        root, artifacts = self.store.root, self.project.artifacts
        yield from (root, root / "tmp", root / "locks", artifacts / "steps", artifacts / "nodes", artifacts / "twin")
        yield from (root / "traces" / shard for shard in self.world.list(root / "traces"))
        for name in self.world.list(root / "roots"):
            yield from (root / "roots" / name, root / "roots" / name / "real", root / "roots" / name / "twin")

    def _locks(self) -> Iterator[Item]:
        for name in self.world.list(self.store.root / "locks"):
            if name != "store" and not _FRESH.fullmatch(name):
                yield self._item("lock", self.store.root / "locks" / name, "nobody holds it")

    def _steps(self, held: Holders) -> Iterator[Item]:
        """Step folders of no key that anybody's specs or last results have; with broken specs all that may go on stays."""
        last = {each.key for each in held.holders if each.here}
        last |= {held.summaries[key].accepted for key in last if key in held.summaries}  # the log of what stands for it
        last = {key[:24] for key in last}
        known = {(each.key or "")[:24] for plan in self.plans.values() if plan is not None for each in plan.decisions.values()}
        known |= {key[:24] for twin, plan in self.plans.items() if plan is None for key in self._former(held, twin=twin)}
        steps, owners = self.project.artifacts / "steps", {key[:24]: holder for key, holder in held.former.items()}
        wanted, locks = last | known, self.store.root / "locks"
        done = {key[:24] for key in held.summaries}
        held_now = {name[:24] for name in self.world.list(locks) if name != "store" and self.world.is_locked(locks / name)}
        for name in self.world.list(steps):
            if not _STEP.fullmatch(name) or name in held_now:
                continue
            if name in done and self.world.exists(steps / name / "state"):
                yield self._item("leftover", steps / name / "state", "its step is done")  # a kill came right after its trace
            if name in wanted or self._may_go_on(steps / name):
                continue
            owner = owners.get(name)
            because = "of a former key" if owner is not None else "of no key that the specs have"
            yield self._item("step", steps / name, because, node=owner.node if owner is not None else "")

    def _may_go_on(self, folder: Path) -> bool:
        """Whether a state in it may be of a key that is not known before an input is built."""
        if not set(self.world.list(folder / "state")) - {".placement.json"}:
            return False
        if any(plan is None for plan in self.plans.values()):
            return True
        try:
            lines = {tuple(line.split("\t")) for line in self.world.read_text(folder / "manifest.txt").splitlines()}
        except (OSError, ValueError):
            return False
        waiting = (
            each.manifest for plan in self.plans.values() if plan is not None for each in plan.decisions.values() if each.unknown
        )
        return any(set(manifest) <= lines for manifest in waiting)

    def _links(self, freed: set[str]) -> Iterator[Item]:
        for twin, place in ((False, "nodes"), (True, "twin")):
            plan = self.plans[twin]
            names = {slug(name) for name in plan.decisions} if plan is not None else None
            for name in self.world.list(self.project.artifacts / place):
                path = self.project.artifacts / place / name
                seen = self.world.stat(path)
                if seen is None or seen.kind != "link":
                    continue
                target = self.world.read_link(path).rpartition("/")[2]
                if target in freed:
                    yield self._item("link", path, "what it leads to goes")
                elif not self.world.exists(path):
                    yield self._item("link", path, "it leads nowhere")
                elif names is not None and name not in names:
                    yield self._item("link", path, "no spec declares its node any more")

    def _item(self, what: str, path: Path, because: str, *, node: str = "") -> Item:
        name = os.path.relpath(path, self.project.artifacts)
        return Item(what, path, name, node, age=self._age("", path), bytes=self.world.usage(path), because=because)

    def _age(self, started: str, path: Path) -> float | None:
        """How long ago; a clock that went back makes nothing younger than new."""
        try:
            began = datetime.fromisoformat(started).timestamp()
        except ValueError:
            seen = self.world.stat(path)
            began = seen.mtime_ns / 1e9 if seen is not None else self.now
        return max(0.0, self.now - began)


def _nearby(folder: str) -> str:
    """A folder as one would type it here."""
    return min(os.path.relpath(folder), folder, key=len) if folder else ""


def _because(owner: Holder | None, tree: str) -> str:
    if owner is None:
        return "no project has it"
    if owner.tree != tree:
        return "an older result"
    return "no spec declares it any more" if owner.here else "its project is forgotten"


def _reading(plan: Plan) -> tuple[set[str], set[str]]:
    """The vertices whose bytes some node reads, behind families and choices too, and those that a step to come reads."""
    read, needed = set[str](), set[str]()
    for name in reversed(list(plan.graph.vertices)):
        vertex = plan.graph.vertices[name]
        node = isinstance(vertex, Node)
        runs = node and plan.decisions[name].state not in (State.KEEP, State.BLOCKED)
        for edge in vertex.edges:
            if not edge.order:
                read |= {edge.source} if node or name in read else set()
                needed |= {edge.source} if runs or (not node and name in needed) else set()
    return read, needed


def _remade(plan: Plan, held: Holders, holder: Holder, read: set[str], needed: set[str]) -> bool:
    """Whether a result can go until somebody needs it."""
    decision = plan.decisions.get(holder.node)
    if decision is None or decision.key != holder.key or decision.state is not State.KEEP:
        return False  # the specs cannot make this one again
    return holder.node in read - needed and held.repeatable(holder.tree)


# --- removing ---


def carry_out(store: Store, project: Project, sweep: Sweep, *, done: Callable[[Item], None] = lambda _: None) -> None:
    """Remove what was found; the caller holds the store alone. A crash or power cut at any moment leaves a whole store.

    What others could read is renamed first, in one piece, and only removed once those renames would outlive a power cut.
    """
    with plainly(store.root):
        store.world.make_folder(store.root / "tmp")
        for what in (("project",), ("group",), ("tree",)):
            _in_one_piece(store.world, [each for each in sweep.items if each.what in what], store.root / "tmp", done)
        steps = [each for each in sweep.items if each.what == "step"]
        _in_one_piece(store.world, steps, project.artifacts / "steps", done)
        for each in sweep.items:
            if each.what == "lock":
                _unlock(store.world, each, done)
            elif each.what in ("quarantine", "leftover", "link"):
                store.world.remove_tree(each.path)
                done(each)


def _in_one_piece(world: World, items: list[Item], aside: Path, done: Callable[[Item], None]) -> None:
    moved = []
    for each in items:
        gone, seen = world.fresh(aside), world.stat(each.path)
        if seen is None:
            continue
        if not seen.mode & 0o200:
            world.chmod(each.path, mode=seen.mode | 0o200)  # a folder that moves must be writable: its `..` changes
        world.rename(each.path, to=gone)
        moved.append((each, gone))
    for folder in sorted({each.path.parent for each, _ in moved} | ({aside} if moved else set())):
        world.sync(folder)
    for each, gone in moved:
        world.remove_tree(gone)
        done(each)


def _unlock(world: World, item: Item, done: Callable[[Item], None]) -> None:
    """Take the lock first: whoever waits for it finds another file, and looks again."""
    try:
        lock = world.lock(item.path, wait=False)
    except BlockingIOError:
        return
    with lock:
        world.remove_tree(item.path)
    done(item)
