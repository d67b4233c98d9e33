"""Many processes on one store at once: they publish, trace, group, sweep and verify, and nothing is lost or broken."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from desk import Desk

from zyc.keeping.damage import Examination
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Traces
from zyc.place.project import Project
from zyc.world import World

WORKER = """
import json, random, sys, time
from pathlib import Path
from zyc.keeping.damage import Examination
from zyc.errors import ZycError
from zyc.graph import Graph
from zyc.planning.known import History, Known
from zyc.planning.plan import Plan
from zyc.place.project import Project
from zyc.planning.settle import Settlement
from zyc.keeping.store import Store
from zyc.sweep import Survey, carry_out
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.world import World

class Hasty(World):
    def flush(self, descriptor):
        pass

top, number, rounds, pause = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
luck, world, home = random.Random(number), Hasty(), top / f"project{number}"
(home / "specs").mkdir(parents=True)
(home / "artifacts").mkdir()
(home / "artifacts" / "store").symlink_to(top / "store")
project, store = Project(home), Store.open(world, top / "store")
traces, roots = Traces(store), Roots(store, home)
empty = Plan(Settlement(Graph({}), Known(), {}), History(), {})
swept = 0
for turn in range(rounds):
    with store.sharing():
        trees = []
        for name in ("shared", "own"):
            what = luck.randrange(6) if name == "shared" else number * 1000 + turn
            key = f"{what if name == 'own' else what + 10**9:064x}"
            with store.lock(key):
                there = traces.read(key)
                if there is None or not store.has(there.tree):
                    out = home / "out"
                    out.mkdir()
                    for file in range(3):
                        (out / str(file)).write_text(f"{name} {what} {file}" * 50)
                    tree = store.publish(out).digest
                    traces.write(Trace(key, "step", tree, 0))
                    assert there is None or there.tree == tree
                else:
                    tree = there.tree
            roots.set(name, key)
            trees.append(tree)
        group = store.group(dict(zip("ab", trees)))
        key = f"{10**12 + number:064x}"
        traces.write(Trace(key, "step", group, 0))
        roots.set("both", key)
    assert all(store.has(tree) for tree in (*trees, group)), "what is asked for was swept away"
    time.sleep(luck.random() * pause)
    if luck.random() < 0.5:
        for _ in range(20):
            try:
                with store.alone():
                    carry_out(store, project, Survey(world, project, {False: empty, True: empty}).sweep())
                    swept += 1
                    break
            except ZycError as error:
                assert error.problems[0].code == "store-busy", error
                time.sleep(0.005)
    elif luck.random() < 0.2:
        with store.sharing():
            found = Examination(store, project).examine()
            assert not found.damages, found.damages
assert all(store.recheck(tree) for tree in (*trees, group))
print(json.dumps({"swept": swept}))
"""


@pytest.mark.parametrize(("count", "rounds"), [(4, 6), pytest.param(16, 15, marks=pytest.mark.slow)])
def test_a_crowd_of_builders_and_sweepers_loses_and_breaks_nothing(tmp_path, count, rounds):
    """Each last result of each project is there and whole, whoever swept in between; equal results are kept once."""
    Store.open(World(), tmp_path / "store")
    call = [sys.executable, "-c", WORKER, str(tmp_path)]
    environ = dict(Desk(tmp_path / "desk").process_environ())
    crowd = [
        subprocess.Popen(
            [*call, str(number), str(rounds), str(count / 40)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    swept = 0
    for each in crowd:
        out, err = each.communicate(timeout=240)
        assert each.returncode == 0, err
        swept += json.loads(out)["swept"]
    assert swept > 0
    store = Store.open(World(), tmp_path / "store")
    assert Examination(store, Project(tmp_path / "project0")).examine().damages == ()
    for number in range(count):
        last = Roots(store, tmp_path / f"project{number}").all()
        assert last.keys() == {"shared", "own", "both"}
        assert all(store.has(Traces(store).read(key).tree) for key in last.values() if Traces(store).read(key))


def test_killed_at_any_moment_it_leaves_a_whole_store(tmp_path):
    """Four that publish, trace and sweep are killed after a moment, again and again: nothing that stays is half there."""
    Store.open(World(), tmp_path / "store")
    environ = dict(Desk(tmp_path / "desk").process_environ())
    for turn in range(3):
        crowd = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path), str(turn * 10 + number), "1000", "0.05"],
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for number in range(4)
        ]
        deadline = time.monotonic() + 20
        while len(_traces(tmp_path)) < 5 + turn * 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        for each in crowd:
            each.kill()
            each.wait()
        store = Store.open(World(), tmp_path / "store")
        assert Examination(store, Project(tmp_path / "project0")).examine().damages == ()
        store.alone().release()


def _traces(top: Path) -> list[Path]:
    return list((top / "store" / "traces").glob("*/*.json"))
