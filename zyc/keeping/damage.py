"""What in a store is not what was written, whose it is, and how it is put aside so that builds make it again."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zyc.errors import Problem
from zyc.keeping.holders import Holders, read_holders
from zyc.keeping.store import FORMAT, Store, plainly
from zyc.keeping.traces import CARD, Roots, Traces, key_of, project_id, read_card, read_root, slug
from zyc.place import project as projects
from zyc.place.project import Project

_STRANGE = "it is nothing that zyc wrote"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not whole: what it is, where, whose, and what is wrong with it."""

    what: str  # format, tree, group, trace, root, card, link, stray
    path: Path
    name: str  # for people: the digest or key, else the path below artifacts/
    says: str
    nodes: tuple[str, ...] = ()
    right: str = ""  # of a link: the tree that it should lead to
    mended: bool = True  # whether a repair can do something about it


@dataclass(frozen=True, slots=True)
class Finding:
    """All that is damaged, of so much that was looked at."""

    damages: tuple[Damage, ...] = ()
    trees: int = 0
    bytes: int = 0
    records: int = 0
    seconds: float | None = 0.0  # what making the damaged results again takes; nothing when nobody knows

    @property
    def nodes(self) -> list[str]:
        """The nodes that have something to make again."""
        return sorted({node for each in self.damages if each.what in ("tree", "trace", "root") for node in each.nodes})


@dataclass
class Examination:
    """Reads everything again, trusting neither modes nor times nor the index; changes nothing."""

    store: Store
    project: Project
    only: frozenset[str] | None = None  # nodes; nothing: all of the store
    twin: bool = False
    told: Callable[[int, int], None] = lambda *_: None  # bytes that were read, of how many
    _seen: int = 0
    _records: int = 0
    _problems: dict[str, str] = field(default_factory=dict)  # path of a record -> what is wrong with it

    def examine(self) -> Finding:
        """What is damaged."""
        damages = list(self._format())
        with plainly(self.store.root):
            records = [*self._traces(), *self._roots()]
            held = read_holders(self.store, self.project.root, told=lambda _: None)
            wanted = self._wanted(held)
            trees = [*self._trees(held, wanted)]
        if self.only is not None:
            mine = {each.key for each in held.holders if each.node in self.only}
            records = [each for each in records if {*each.nodes} & self.only or each.name in mine]
        bad = {each.name for each in trees}
        known = held.known(bad)  # what a damaged record said of its cost is not known any more
        vague = len(known) < len(bad) or any(each.what in ("trace", "root") for each in records)
        seconds = None if vague else held.again(known, held.present - bad)
        links = list(self._links(held, bad))
        return Finding((*damages, *records, *trees, *links), len(wanted), self._seen, self._records, seconds)

    def _format(self) -> Iterator[Damage]:
        file = self.store.root / "FORMAT"
        found = self.store.world.read(file).decode("utf-8", "replace") if self.store.world.exists(file) else ""
        if found != FORMAT:
            yield Damage("format", file, "store/FORMAT", f"it should say `{FORMAT.strip()}`")

    # --- records ---

    def _traces(self) -> Iterator[Damage]:
        traces, world = Traces(self.store, told=self._hear), self.store.world
        owners = self._owners()
        for shard in world.list(traces.folder):
            for name in world.list(traces.folder / shard):
                path, key = traces.folder / shard / name, key_of(name)
                if name.startswith(".zyc-"):
                    continue  # what a killed process left: `gc` takes it
                self._records += 1
                try:
                    whole = shard == key[:2] and traces.read(key) is not None
                except ValueError:
                    whole = False
                if not whole:
                    says = self._problems.get(self.store.shown(path), "it is not named as a trace is")
                    yield Damage("trace" if key else "stray", path, key or self._below(path), says, owners.get(key, ()))

    def _owners(self) -> dict[str, tuple[str, ...]]:
        told: dict[str, set[str]] = {}
        for path, _, _ in self._root_files():
            root = read_root(self.store, path, told=lambda _: None)
            for key in (root.key, *root.former) if root is not None else ():
                told.setdefault(key, set()).add(root.node if root is not None else "")
        return {key: tuple(sorted(nodes)) for key, nodes in told.items()}

    def _root_files(self) -> Iterator[tuple[Path, str, str]]:
        top, world = self.store.root / "roots", self.store.world
        for name in world.list(top):
            for kind in ("real", "twin"):
                yield from ((top / name / kind / file, name, kind) for file in world.list(top / name / kind))

    def _roots(self) -> Iterator[Damage]:
        world, top = self.store.world, self.store.root / "roots"
        for name in world.list(top):
            self._records += 1
            if world.exists(top / name / CARD) and not read_card(self.store, name):
                mine = name == project_id(world.real(self.project.root))
                says = "its bytes are not those that were written" + ("" if mine else "; the next build of that project mends it")
                yield Damage("card", top / name / CARD, self._below(top / name / CARD), says, mended=mine)
            for other in world.list(top / name):
                if other not in (CARD, "real", "twin") and not other.startswith(".zyc-"):
                    yield Damage("stray", top / name / other, self._below(top / name / other), _STRANGE)
        for path, _, _ in self._root_files():
            if path.name.startswith(".zyc-"):
                continue
            self._records += 1
            root = read_root(self.store, path, told=self._hear)
            if root is None or path.name != f"{slug(root.node)}.json":
                says = self._problems.get(self.store.shown(path), "it is of another node than its name says")
                node = path.name.removesuffix(".json").rpartition("-")[0]  # as readable as a name was made for a file
                yield Damage("root", path, self._below(path), says, (node,) if node else ())

    def _hear(self, each: Problem) -> None:
        facts = dict(each.facts)
        self._problems[str(facts.get("file", ""))] = str(facts.get("reason", ""))

    # --- trees ---

    def _wanted(self, held: Holders) -> list[str]:
        if self.only is None:
            return sorted(held.present)
        mine = {each.tree for each in held.holders if each.here and each.twin == self.twin and each.node in self.only}
        return sorted(held.with_members(mine) & held.present)

    def _trees(self, held: Holders, wanted: Collection[str]) -> Iterator[Damage]:
        total = sum(held.bytes_of(tree) for tree in wanted)

        def read(count: int) -> None:
            self._seen += count
            self.told(self._seen, total)

        wrong = self.store.flaws(wanted, told=read)
        for tree in wanted:
            # what came while the folders were listed is looked for again: a group is made after its members
            absent = [each for each in held.members.get(tree, ()) if each not in held.present and not self.store.has(each)]
            if tree not in wrong and absent:
                wrong[tree] = f"it leads to {absent[0][:12]}, which is not here"
        waiting = list(wrong)
        while waiting:  # whoever follows a group must not end at what was put aside
            bad = waiting.pop()
            above = [group for group, inside in held.members.items() if bad in inside and group not in wrong]
            wrong |= dict.fromkeys(above, f"it leads to {bad[:12]}, which is damaged")
            waiting += above
        for tree in sorted(wrong, key=lambda each: (not held.members.get(each), each)):
            what = "group" if held.members.get(tree) else "tree"
            yield Damage(what, self.store.path(tree), tree, wrong[tree], tuple(held.nodes_of(tree)))
        if self.only is None:
            yield from self._strays()

    def _strays(self) -> Iterator[Damage]:
        world, top = self.store.world, self.store.root / "trees"
        for shard in world.list(top):
            seen = world.stat(top / shard)
            if seen is None or seen.kind != "folder":
                yield Damage("stray", top / shard, self._below(top / shard), _STRANGE)
                continue
            for name in world.list(top / shard):
                if len(name) != 64 or name[:2] != shard:
                    yield Damage("stray", top / shard / name, self._below(top / shard / name), _STRANGE)

    # --- links ---

    def _links(self, held: Holders, bad: Collection[str]) -> Iterator[Damage]:
        world = self.store.world
        for twin, place in ((False, "nodes"), (True, "twin")):
            nodes = {projects.slug(each.node): each for each in held.holders if each.here and each.twin == twin}
            for name in world.list(self.project.artifacts / place):
                path, holder = self.project.artifacts / place / name, nodes.get(name)
                seen = world.stat(path)
                if seen is None or seen.kind != "link" or name.startswith(".zyc-"):
                    continue
                if self.only is not None and (holder is None or holder.node not in self.only or twin != self.twin):
                    continue
                target = world.read_link(path).rpartition("/")[2]
                node = (holder.node,) if holder is not None else ()
                right = holder.tree if holder is not None and holder.tree in held.present and holder.tree not in bad else ""
                if target in bad:
                    yield Damage("link", path, self._below(path), "what it leads to is damaged", node)
                elif not world.exists(path):
                    yield Damage("link", path, self._below(path), "it leads nowhere", node, right)
                elif right and target != right:
                    yield Damage("link", path, self._below(path), "it leads to another result than the last one", node, right)

    def _below(self, path: Path) -> str:
        return os.path.relpath(path, self.project.artifacts)


def repair(store: Store, project: Project, finding: Finding) -> None:
    """Put what is damaged aside, groups before what they lead to; the caller holds the store alone.

    What is gone from its place is absent, and builds make it again; what was put aside stays until `gc`.
    """
    world = store.world
    with plainly(store.root):
        for each in finding.damages:
            if each.what in ("tree", "group"):
                store.quarantine(each.name)
            elif each.what == "card" and each.mended:
                Roots(store, project.root).register()
            elif each.what in ("trace", "root", "stray"):
                store.put_aside(each.path)
            elif each.what == "link" and each.right:
                store.expose(each.path, each.right)
            elif each.what == "link":
                world.remove_tree(each.path)
        if any(each.what == "format" for each in finding.damages):
            world.write(store.root / "FORMAT", FORMAT, durable=True)  # last: until then the store says that it is damaged
