"""Cleaning up: what anybody asked for stays, what is listed is what goes, and no crash on the way harms a store."""

import itertools
import os
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from faulty import Crash, Crashing, Quick, Refusing, refusal
from house import House as Bare
from house import digest
from hypothesis import given, settings
from hypothesis import strategies as st

from zyc.errors import ZycError
from zyc.graph import Graph
from zyc.keeping.store import Store, tree_of
from zyc.keeping.traces import Roots, Trace, projects
from zyc.planning.known import History, Known
from zyc.planning.plan import Plan
from zyc.planning.settle import Settlement
from zyc.sweep import Item, Survey, Wish, carry_out

EMPTY = Plan(Settlement(Graph({}), Known(), {}), History(), {})
NOTHING = {False: EMPTY, True: EMPTY}  # no spec declares anything: only roots count
BROKEN = {False: None, True: None}


class House(Bare):
    """A house that is swept."""

    def sweep(self, *, plans=NOTHING, world=None, **wish):
        """What can go."""
        return Survey(world or self.world, self.project, plans, Wish(**wish)).sweep()

    def carry_out(self, sweep, *, world=None):
        """Let it go; what went."""
        done: list[Item] = []
        carry_out(Store(world or self.world, self.store.root), self.project, sweep, done=done.append)
        return done


@pytest.fixture
def house(tmp_path):
    """A store with one project."""
    return House(tmp_path / "house")


def whats(sweep):
    """What goes, by kind and name."""
    return sorted((each.what, each.name) for each in sweep.items if each.what != "lock")


# --- what stays, and what goes ---


def test_the_last_result_of_each_node_of_each_project_stays(house, tmp_path):
    """Of two projects on one store, each keeps its own; an older result goes, with the name of the node that had it."""
    (tmp_path / "other").mkdir()
    mine, theirs = house.result(1, node="a"), house.result(2, node="a", where=tmp_path / "other")
    newer = house.result(3, node="a")
    found = house.sweep()
    assert whats(found) == [("tree", mine)]
    assert (found.items[0].node, found.items[0].because) == ("a", "an older result")
    assert found.kept == 2
    house.carry_out(found)
    assert house.store.present() == {theirs, newer}


def test_while_the_specs_are_broken_all_that_they_could_mean_stays(house, tmp_path):
    """Who cannot read what is wanted keeps what ever was; results that nobody had go all the same."""
    (tmp_path / "other").mkdir()
    older, last, nobodys = house.result(1, node="a"), house.result(2, node="a"), house.result(3)
    theirs = [house.result(number, node="a", where=tmp_path / "other") for number in (4, 5)]
    found = house.sweep(plans=BROKEN)
    assert found.blind
    assert sorted(each.name for each in found.items if each.what == "tree") == sorted([nobodys, theirs[0]])
    house.carry_out(found)
    assert house.store.present() == {older, last, theirs[1]}


def test_twins_hold_their_own(house):
    """A rehearsal's results stay beside the real ones."""
    real, twin = house.result(1, node="a"), house.result(2)
    Roots(house.store, house.root, twin=True).set("a", digest(2))
    assert whats(house.sweep()) == []
    assert house.store.present() == {real, twin}


def test_members_of_kept_groups_stay_and_groups_never_dangle(house):
    """A group that a kept result was made from stays as long as all it leads to does; else it goes before its members."""
    one, two, three = house.result(1, node="a"), house.result(2, node="b"), house.result(3)
    whole, torn = house.store.group({"one": one, "two": two}), house.store.group({"one": one, "three": three})
    house.result(4, whole, torn, node="c")
    found = house.sweep()
    assert [(each.what, each.name) for each in found.items if each.what != "lock"] == [("group", torn), ("tree", three)]
    house.carry_out(found)
    assert house.whole()
    assert house.store.has(whole)


def test_a_group_that_is_itself_a_result_keeps_its_members(house):
    """What a kept tree leads to is kept, whoever made it."""
    member = house.result(1)
    group = house.store.group({"m": member})
    house.traces.write(Trace(digest(2), "step", group, 0))
    Roots(house.store, house.root).set("node", digest(2))
    assert whats(house.sweep()) == []


def test_traces_stay_and_say_what_was_measured(house):
    """A record is small: what went can be told, estimated, and made again."""
    old = house.result(1, node="a")
    house.result(2, node="a")
    house.carry_out(house.sweep())
    assert not house.store.has(old)
    assert house.traces.read(digest(1)).tree == old


def test_again_is_what_would_have_to_be_made_again_too_each_once(house):
    """The cost of a result is its own and that of what it stands on and would be gone as well, never counted twice."""
    base = house.result(1, seconds=100.0)
    left, right = house.result(2, base, seconds=10.0), house.result(3, base, seconds=20.0)
    top = house.result(4, left, right, seconds=1.0)
    here = house.result(5, node="a", seconds=1000.0)
    cheap = house.result(6, here, seconds=2.0)
    costs = {each.name: each.seconds for each in house.sweep().items if each.what == "tree"}
    assert costs == {base: 100.0, left: 110.0, right: 120.0, top: 131.0, cheap: 2.0}


def test_steps_that_give_back_what_they_read_go_round_no_circle(house):
    """Two trees, each made from the other by some step, and one from itself: the cost is told all the same."""
    one, two = house.result(1, seconds=5.0), house.result(2, seconds=7.0)
    for number, (tree, source) in enumerate([(one, two), (two, one), (one, one)]):
        house.traces.write(Trace(digest(50 + number), "step", tree, 0, inputs={"in/x": ("", source)}, seconds=1.0))
    costs = {each.name: each.seconds for each in house.sweep().items if each.what == "tree"}
    assert costs == {one: 2.0, two: 2.0}


def test_what_nobody_knows_how_to_make_says_so(house):
    """A tree without a trace is listed without a cost, not with none."""
    (house.root / "out").mkdir()
    (house.root / "out" / "x").touch()
    tree = house.store.publish(house.root / "out").digest
    (found,) = [each for each in house.sweep().items if each.what == "tree"]
    assert (found.name, found.seconds, found.because) == (tree, None, "no project has it")


def test_bytes_are_those_of_the_disk(house):
    """What is told to be freed is what the disk has more afterwards, to the byte."""
    for number in range(1, 8):
        house.result(number, node="a")

    def used():
        done = subprocess.run(["du", "-s", "-B1", house.store.root / "trees"], capture_output=True, text=True, check=True)
        return int(done.stdout.split()[0])

    before, found = used(), house.sweep()
    done = house.carry_out(found)
    assert sum(each.bytes for each in done if each.what == "tree") == before - used()


def test_a_dry_look_changes_nothing_and_lists_what_goes(house):
    """Not one effect; and the sweep that follows removes exactly what was listed."""
    for number in range(1, 6):
        house.result(number, node="a")
    house.store.lock(digest(9)).release()
    (house.store.root / "tmp" / f".zyc-{2**22 - 1}-abc").mkdir()
    world = Crashing(10**9)
    house.sweep()  # the index is written
    before = world.count
    found = house.sweep(world=world)
    assert world.count - before <= 4  # the tick of the clock, beside the store
    there = set(house.store.root.rglob("*")) | set(house.root.rglob("*"))
    done = house.carry_out(found)
    assert done == list(found.items)
    gone = there - set(house.store.root.rglob("*")) - set(house.root.rglob("*"))
    assert {each.path for each in done} == {path for path in gone if path.parent not in gone}
    assert house.sweep().items == ()


def test_what_was_put_aside_and_what_killed_processes_left_goes(house):
    """Quarantine, and what is half-made of processes that are dead; that of a living one stays for a day."""
    house.store.quarantine(house.result(1, node="a"))
    dead = subprocess.Popen(["true"])
    dead.wait()
    tmp = house.store.root / "tmp"
    (tmp / f".zyc-{dead.pid}-00").mkdir()
    (tmp / f".zyc-{dead.pid}-00" / "half").write_text("x")
    (tmp / f".zyc-{os.getpid()}-00").write_text("mine")
    (tmp / f".zyc-{os.getpid()}-01").write_text("mine, long ago")
    os.utime(tmp / f".zyc-{os.getpid()}-01", (0, 0))
    (tmp / "other").write_text("not ours")
    house.carry_out(house.sweep())
    assert sorted(path.name for path in tmp.iterdir()) == [f".zyc-{os.getpid()}-00", "other", "tick"]
    assert list((house.store.root / "quarantine").iterdir()) == []


@pytest.mark.parametrize("days", [-3000, -2, 2, 3000])
def test_a_clock_that_jumps_takes_nothing_that_is_wanted(house, days):
    """Days back or on: the same results go, and no age is below nothing."""

    class Jumping(Quick):
        def now(self):
            return super().now() + days * 86_400

    house.result(1, node="a")
    house.result(2, node="a")
    found = house.sweep(world=Jumping())
    assert whats(found) == whats(house.sweep())
    assert all(each.age >= 0 for each in found.items)


def test_locks_that_somebody_holds_stay(house):
    """Each is taken first: a lock that is held is left, and whoever waits for a removed one gets the new one."""
    held = house.store.lock(digest(1))
    house.store.lock(digest(2)).release()
    done = house.carry_out(house.sweep())
    assert [each.name for each in done] == [f"store/locks/{digest(2)}"]
    held.release()
    assert [each.what for each in house.carry_out(house.sweep())] == ["lock"]


def test_a_project_that_is_gone_holds_its_results_until_it_is_forgotten(house, tmp_path):
    """A disk that is not mounted is no reason to lose what it holds; forgetting is said by name, and only what is gone."""
    (tmp_path / "other").mkdir()
    theirs = house.result(1, node="a", where=tmp_path / "other")
    with pytest.raises(ZycError, match="still there"):
        house.sweep(forget=(str(tmp_path / "other"),))
    (tmp_path / "other").rmdir()
    found = house.sweep()
    assert whats(found) == []
    assert [str(Path(each).absolute().resolve()) for each in found.gone.values()] == [str(tmp_path / "other")]
    with pytest.raises(ZycError, match="knows no project"):
        house.sweep(forget=(str(tmp_path / "othre"),))
    found = house.sweep(forget=(str(tmp_path / "other"),))
    assert [each.what for each in found.items] == ["project", "tree"]
    assert found.items[1].name == theirs
    house.carry_out(found)
    assert projects(house.store) == {}
    assert house.store.present() == frozenset()


def test_a_damaged_record_stops_it(house):
    """Who cannot read what is held removes nothing, and says what helps."""
    house.result(1, node="a")
    (path,) = Roots(house.store, house.root).folder.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ZycError) as error:
        house.sweep()
    assert error.value.problems[0].code == "sweep-damaged"
    assert "zyc verify --repair" in error.value.problems[0].help


# --- bad luck ---


def furnish(root: Path) -> tuple[House, set[str]]:
    """A house with something of everything that can go, and the trees that must stay."""
    house = House(root)
    kept = {house.result(1, node="a"), house.result(2, node="b")}
    kept.add(house.store.group({"one": min(kept), "two": max(kept)}))
    kept.add(house.result(3, max(kept), *kept, node="c"))
    old = [house.result(number) for number in (10, 11)]
    house.store.group({"one": old[0], "two": min(kept)})
    house.store.quarantine(house.result(12))
    house.store.lock(digest(5)).release()
    (house.store.root / "tmp" / f".zyc-{2**22 - 1}-abc").mkdir()
    step = house.project.artifacts / "steps" / ("f" * 24)
    (step / "state").mkdir(parents=True)
    (step / "log.txt").write_text("old")
    link = house.project.artifacts / "nodes" / "old"
    link.parent.mkdir()
    link.symlink_to("../store/trees/00/nowhere")
    return house, kept & house.store.present()


def test_a_crash_at_any_effect_leaves_a_whole_store_and_all_that_is_wanted(tmp_path):
    """Each tree is absent or whole, no group leads to what is gone, and the next sweep finishes what this one began."""
    for at in itertools.count():
        house, kept = furnish(tmp_path / str(at))
        world = Crashing(at)
        with suppress(Crash):
            house.carry_out(house.sweep(), world=world)
        assert house.whole()
        assert kept <= house.store.present()
        house.carry_out(house.sweep())
        assert house.store.present() == kept
        assert house.sweep().items == ()
        if not world.dead:
            break
        shutil.rmtree(house.root / "specs")
    assert at > 25


@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_at_any_effect_leaves_a_whole_store_and_all_that_is_wanted(tmp_path, seed):
    """Also when renames that no fsync reached come undone, in any order: no tree that is half there is ever seen."""
    luck = random.Random(seed)
    for at in itertools.count():
        house, kept = furnish(tmp_path / f"{seed} {at}")
        world = Crashing(at)
        with suppress(Crash):
            house.carry_out(house.sweep(), world=world)
        world.settle()
        lost = {each for each in range(len(world.names)) if luck.random() < (1.0, 0.5, 0.2)[seed]}
        world.cut_power(house.root, loses=lambda name, lost=lost: name in lost)
        assert house.whole()
        assert kept <= house.store.present()
        steps = house.project.artifacts / "steps" / ("f" * 24)
        assert not steps.exists() or (steps / "log.txt").exists()
        if not world.dead:
            break
    assert at > 25


@pytest.mark.parametrize("once", [True, False])
def test_a_disk_that_refuses_any_effect_is_told_and_harms_nothing(tmp_path, once):
    """A full disk is the very moment for a sweep: what it cannot do is said, and the store stays whole."""
    for at in itertools.count():
        house, kept = furnish(tmp_path / str(at))
        world = Refusing(at, once=once)
        refused = refusal(lambda house=house, world=world: house.carry_out(house.sweep(), world=world))
        assert (refused is not None) == world.refused
        assert refused is None or [each.code for each in refused.problems] == ["disk-full"]
        assert house.whole()
        assert kept <= house.store.present()
        if not world.refused:
            break
    assert at > 25


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_stands_on_whatever_what_is_held_stays_whole(tmp_path_factory, data):
    """Random stores: after a sweep each root has its tree, each group its members, and a second sweep finds nothing."""
    house = House(tmp_path_factory.mktemp("random") / "house")
    trees: list[str] = []
    held = set()
    for number in range(data.draw(st.integers(1, 6))):
        inputs = data.draw(st.lists(st.sampled_from(trees), max_size=3, unique=True)) if trees else []
        if len(inputs) > 1 and data.draw(st.booleans()):
            inputs = [house.store.group({str(at): each for at, each in enumerate(inputs)})]
            trees += inputs
        node = data.draw(st.sampled_from(["", "a", "b", f"n{number}"]))
        trees.append(house.result(number, *inputs, node=node))
        if node:
            held.add(node)
    house.carry_out(house.sweep())
    assert house.whole()
    last = Roots(house.store, house.root).all()
    assert last.keys() == held
    assert all(house.store.has(house.traces.read(key).tree) for key in last.values())
    assert [each for each in house.sweep().items if each.what != "leftover"] == []


def test_the_tree_of_a_folder_is_what_the_house_published(house):
    """The tests above look at the same trees that builds make."""
    (house.root / "x").mkdir()
    (house.root / "x" / "file").write_text("1" * 5_000)
    assert tree_of(house.world, house.root / "x").digest == house.result(1)
