"""A whole build in which one effect on the disk goes wrong: the store stays whole, and the next build ends in the same bytes."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from example.workshop import Workshop
from faulty import Crash, Crashing, Quick, Refusing

from zyc.errors import ZycError
from zyc.front import Call, open_front
from zyc.hosts.local import Local
from zyc.keeping.store import Store
from zyc.keeping.traces import Traces
from zyc.runner import Alone, Build, Ending

SPEC = """steps:
  grain: {matrix: {size: [1, 2]}, run: 'echo $ZYC_MATRIX_SIZE > out/x; echo $$ >> $HOME/grain'}
  sacks:
    inputs: {all: [grain]}
    placement: {resume: true}
    run: |
      for i in 1 2; do [ -e state/$i ] || { echo $i > state/new; mv state/new state/$i; }; done
      mkdir out/deep; cat state/? > out/deep/sacks; find -L in -type f | sort > out/list; chmod +x out/list
  heavy: {inputs: {sacks: sacks}, run: 'cp in/sacks/list out/x; echo {\\"n\\": 1} > measures.json', gates: [n > 1]}
  road: {inputs: {heavy: heavy}, run: cp in/heavy/x out/x}
"""
FATES = {"grain@size=1": "ran", "grain@size=2": "ran", "sacks": "ran", "heavy": "ran", "road": "blocked"}


class Tracked(Local):
    """The local host; what a step leaves in out/ has reached no disk yet."""

    def fetch(self, job):
        """Tell the world of it."""
        done = super().fetch(job)
        self.world.settle()
        for path in sorted((job.folder / "out").rglob("*")):
            self.world._made(path)
        return done


@dataclass
class Bench:
    """One project, built again and again."""

    shop: Workshop
    trees: dict[str, str]

    @contextmanager
    def host(self, world, kind=Local):
        """A local host; what a crash leaves running on it is ended."""
        host = kind.here(world)
        try:
            yield host
        finally:
            for process in host.running.values():
                process.close()

    def build(self, world, kind=Local) -> dict[str, Ending]:
        """In the caller's thread, one effect after the other."""
        with self.host(world, kind) as host:
            front = open_front(world, self.shop.root, Call())
            return Build(front, front.plan, lambda _: None, host=host, crew=Alone()).run()

    def afresh(self) -> None:
        """Nothing was ever built."""
        Quick().remove_tree(self.shop.root / "artifacts")

    def mend(self, world=None) -> dict[str, Ending]:
        """The store is whole; a build in a world in which nothing goes wrong ends in the bytes that it always ends in."""
        self.check_store()
        endings = self.build(world or Quick())
        assert {name: each.tree for name, each in endings.items()} == self.trees
        assert all(self.shop.tree(name).resolve().name == tree for name, tree in self.trees.items() if tree)
        assert {each.fate.value for each in self.build(Quick()).values()} == {"kept", "blocked"}
        return endings

    def check_store(self) -> None:
        """Each tree is what its name says; each trace is whole, and its tree is there."""
        if not (self.shop.root / "artifacts/store/FORMAT").exists():
            return
        store = Store.open(Quick(), self.shop.root / "artifacts/store")
        assert all(store.recheck(tree) for tree in store.present())
        told: list = []
        traces = Traces(store, told=told.append)
        assert all(store.has(traces.read(key).tree) for key in sorted(traces.keys()))
        assert not told


@pytest.fixture
def bench(workshop, monkeypatch):
    """A project of three steps and a family, and what comes of it."""
    monkeypatch.setenv("HOME", str(workshop.root))
    workshop.spec(SPEC)
    bench = Bench(workshop, {})
    endings = bench.build(Quick())
    assert {name: each.fate.value for name, each in endings.items()} == FATES
    bench.trees = {name: each.tree for name, each in endings.items()}
    bench.afresh()
    return bench


def effects(bench: Bench) -> int:
    """How many there are in a build."""
    world = Crashing(-1)
    bench.build(world)
    bench.afresh()
    return world.count


def crashes(bench: Bench, at: int) -> None:
    """The process dies at this effect."""
    bench.afresh()
    with pytest.raises(Crash):
        bench.build(Crashing(at))
    bench.mend()


class Restarted(Quick):
    """The same machine after its power came back."""

    def boot(self):
        """Another one."""
        return "another start"


def cuts(bench: Bench, at: int, loses) -> None:
    """The power is cut at this effect."""
    bench.afresh()
    world = Crashing(at)
    with pytest.raises(Crash):
        bench.build(world, Tracked)
    world.cut_power(bench.shop.root / "artifacts", loses=loses)
    bench.mend(Restarted())


def refuses(bench: Bench, at: int, number: int, *, once: bool) -> None:
    """The disk refuses this effect, and those that need room from there on, or this one only."""
    bench.afresh()
    world = Refusing(at, number=number, once=once)
    told = ""
    try:
        endings = bench.build(world)
        told = " ".join(each.reason for each in endings.values() if each.fate.value == "failed")
    except ZycError as error:
        told = "; ".join(each.message for each in error.problems)
    except OSError as error:
        told = f"{error.strerror} {error.filename}"  # the call says it in these words: see cli
    assert world.refused
    if not told:  # what may be missing without harm: a lock's signature, a note for the next plan
        assert {name: each.tree for name, each in endings.items()} == bench.trees
    else:
        assert {"disk", "space", "refuses", "Read-only", "Input/output"} & {*told.replace(":", "").split()}, told
    left = [path for path in bench.shop.root.rglob(".zyc-*") if path.parent.name != "tmp"]  # the store's tmp/ is swept by `gc`
    assert not left or not once
    bench.mend()


def _sample(count: int, most: int) -> list[int]:
    """The first, the last, and some between them."""
    step = max(1, count // most)
    return sorted({*range(0, count, step), count - 1})


def test_a_crash_at_some_effects(bench):
    """Here and there; the whole of them is a torture test."""
    for at in _sample(effects(bench), 5):
        crashes(bench, at)


def test_a_power_cut_at_some_effects(bench):
    """All that no fsync reached is lost: names, bytes, renames."""
    for at in _sample(effects(bench), 5):
        cuts(bench, at, lambda _: True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_refuses_some_effects(bench, number):
    """It is told in words, no temporary file stays, and nothing half-written is kept."""
    for at in _sample(effects(bench), 3):
        refuses(bench, at, number, once=number == errno.EIO)
