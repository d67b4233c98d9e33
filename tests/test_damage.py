"""Verifying: whatever bit flips in results and records is found and named, and what is put aside is made again."""

import errno
import itertools
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from desk import Desk
from faulty import Crash, Crashing, Quick, Refusing, refusal
from house import House, digest

from zyc.keeping.damage import Examination, repair
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, slug

THREE = """\
steps:
  first: echo one > out/first.txt
  second: {inputs: {first: first}, run: cat in/first/first.txt > out/second.txt}
  third: {inputs: {second: second}, run: cat in/second/second.txt > out/third.txt}
"""


def furnish(root: Path) -> House:
    """Results, a group, records, links; of two nodes."""
    house = House(root, links=True)
    one, two = house.result(1, node="one"), house.result(2, node="two")
    house.result(3, house.store.group({"a": one, "b": two}), node="three")
    return house


@pytest.fixture
def house(tmp_path):
    """A store in which all is whole."""
    return furnish(tmp_path / "house")


def examined(house, *, world=None, **more):
    """What is damaged."""
    return Examination(Store(world or house.world, house.store.root), house.project, **more).examine()


def told(house):
    """The damaged things by kind and name."""
    return [(each.what, each.name) for each in examined(house).damages]


def overwrite(path: Path, data: bytes) -> None:
    """Other bytes in a file that is read-only, as a disk that fails would leave them: no time of it moves."""
    seen = path.stat()
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(seen.st_mode)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def test_all_whole_is_said_with_how_much_it_is(house):
    """Every result, all its bytes, every trace, root and card is looked at."""
    found = examined(house)
    assert found.damages == ()
    assert (found.trees, found.bytes, found.records) == (4, 15_000, 3 + 3 + 1)


def _flip(house, luck, files):
    path = luck.choice(files)
    data = path.read_bytes()
    at = luck.randrange(len(data) * 8)
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    overwrite(path, bytes(flipped))
    found = examined(house)
    assert any(each.path in (path, *path.parents) for each in found.damages), (path, at)
    overwrite(path, data)


@pytest.mark.parametrize(
    ("part", "count"),
    [
        *((part, 20) for part in ("trees", "traces", "roots")),
        *(pytest.param(part, 340, marks=pytest.mark.slow) for part in ("trees", "traces", "roots")),
    ],
)
def test_every_flipped_bit_is_found_and_told_where(house, part, count):
    """Whatever bit of whatever file, though no time, size or mode of it moved; and it is the damaged thing that is named."""
    luck = random.Random(count)
    files = sorted(path for path in (house.store.root / part).rglob("*") if path.is_file() and not path.is_symlink())
    assert len(files) >= 3
    examined(house)  # the index is warm: it must not be asked
    for _ in range(count):
        _flip(house, luck, files)
    assert examined(house).damages == ()


@pytest.mark.parametrize("part", ["trees", "traces", "roots"])
def test_what_was_removed_or_added_is_found(house, part):
    """A file that is gone from a result, or has come to one, or stands where only zyc writes."""
    if part == "trees":
        tree = house.store.path(house.traces.read(digest(1)).tree)
        tree.chmod(0o700)
        (tree / "more").touch()
        assert ("tree", tree.name) in told(house)
        (tree / "more").unlink()
        (tree / "file").unlink()
        assert ("tree", tree.name) in told(house)
    else:
        folder = next(path for path in (house.store.root / part).rglob("*.json")).parent
        (folder / "stranger.json").write_text("{}")
        assert [each.path.name for each in examined(house).damages] == ["stranger.json"]


def test_a_member_that_comes_while_the_folders_are_listed_is_no_damage(house):
    """Builds go on while one examines: a group may be seen that was made after its member's folder was listed."""
    member = house.traces.read(digest(1)).tree

    class Early(Quick):
        def list(self, path):
            return [name for name in super().list(path) if name != member]

    assert [each for each in examined(house, world=Early()).damages if each.what == "group"] == []


def test_a_group_that_leads_to_nothing_or_to_damage_is_damaged(house):
    """Who follows a group must end at whole results: else it goes aside as well, and before them."""
    one = house.traces.read(digest(1)).tree
    (group,) = house.traces.read(digest(3)).inputs.values()
    overwrite(house.store.path(one) / "file", b"x")
    assert [each for each in told(house) if each[0] != "link"] == [("group", group[1]), ("tree", one)]
    house.world.remove_tree(house.store.path(one))
    assert [each for each in told(house) if each[0] != "link"] == [("group", group[1])]


def test_links_lead_to_the_last_result(house):
    """A link that leads nowhere, or to another result than the node last had, is told, and a repair turns it round."""
    link = house.project.link("one")
    target = str(link.readlink())
    link.unlink()
    link.symlink_to("../store/trees/00/nowhere")
    house.project.link("two").unlink()
    house.project.link("two").symlink_to(target)
    found = examined(house)
    assert [(each.name, each.nodes) for each in found.damages] == [("nodes/one", ("one",)), ("nodes/two", ("two",))]
    repair(house.store, house.project, found)
    assert str(link.readlink()) == target
    assert examined(house).damages == ()


def test_named_nodes_are_all_that_is_read(house):
    """A look at one node reads one node's result, and tells of nobody else's damage."""
    for number in (1, 2):
        overwrite(house.store.path(house.traces.read(digest(number)).tree) / "file", b"x")
    found = examined(house, only=frozenset({"two"}))
    assert [(each.what, each.nodes) for each in found.damages if each.what != "group"] == [
        ("tree", ("two",)),
        ("link", ("two",)),
    ]
    assert found.bytes == 1


def test_a_sector_that_cannot_be_read_is_damage_and_the_rest_is_read(house):
    """An input/output error names its file; everything else is looked at all the same."""

    class Failing(Quick):
        def digest(self, path):
            if str(house.traces.read(digest(2)).tree) in str(path):
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return super().digest(path)

    found = examined(house, world=Failing())
    assert [each.says for each in found.damages if each.what == "tree"] == ["`file` cannot be read: Input/output error"]
    assert found.bytes == 10_000


def test_what_it_costs_is_what_would_be_made_again(house):
    """The seconds of each damaged result once, and of nothing that is whole."""
    for number in (1, 3):
        overwrite(house.store.path(house.traces.read(digest(number)).tree) / "file", b"x")
    found = examined(house)
    assert found.seconds == 2.0
    assert found.nodes == ["one", "three"]


def spoil(house: House) -> None:
    """Damage of every sort."""
    one, two = (house.traces.read(digest(number)).tree for number in (1, 2))
    overwrite(house.store.path(one) / "file", b"other")
    house.world.thaw(house.store.path(two))
    (house.store.path(two) / "more").touch()
    house.traces.path(digest(3)).write_bytes(b"{}")
    roots = Roots(house.store, house.root)
    (roots.folder / f"{slug('two')}.json").write_bytes(b"")
    (roots.folder.parent / "project.json").write_bytes(b"?")
    (house.store.root / "trees" / "stray").write_text("?")
    (house.store.root / "FORMAT").write_text("zyc-stare 1\n")


def test_a_repair_makes_damage_absent_and_nothing_else(house):
    """What is whole stays where it is; what was damaged is in quarantine, bytes and all; a second look finds nothing."""
    kept = house.traces.read(digest(3)).tree
    spoil(house)
    found = examined(house)
    assert {each.what for each in found.damages} == {"format", "tree", "group", "trace", "root", "card", "stray", "link"}
    repair(house.store, house.project, found)
    assert examined(house).damages == ()
    assert house.store.made()
    assert house.store.present() == {kept}
    assert len(list((house.store.root / "quarantine").iterdir())) == 6
    assert Roots(house.store, house.root).all() == {"one": digest(1), "three": digest(3)}


def _repaired(house, world):
    """Repair once, whatever becomes of it; then a second time, on a machine that is well."""
    found = examined(house)
    with suppress(Crash):
        repair(Store(world, house.store.root), house.project, found)


def test_a_crash_or_power_cut_at_any_effect_of_a_repair_is_mended_by_the_next(tmp_path):
    """Damage is where it was or put aside; nothing whole is touched; a second repair ends it."""
    for at in itertools.count():
        house = furnish(tmp_path / str(at))
        kept = house.traces.read(digest(3)).tree
        spoil(house)
        world = Crashing(at)
        _repaired(house, world)
        world.settle()
        if at % 2:
            luck = random.Random(at)
            world.cut_power(house.root, loses=lambda _, luck=luck: luck.random() < 0.5)
        assert house.store.recheck(kept)
        repair(house.store, house.project, examined(house))
        assert examined(house).damages == ()
        assert house.store.made()
        assert house.whole()
        if not world.dead:
            break
        shutil.rmtree(house.root / "specs")
    assert at > 20


@pytest.mark.parametrize("once", [True, False])
def test_a_full_disk_at_any_effect_of_a_repair_is_told_and_harms_nothing(tmp_path, once):
    """What is whole stays whole, and once there is room a second repair ends it."""
    for at in itertools.count():
        house = furnish(tmp_path / str(at))
        spoil(house)
        world, found = Refusing(at, once=once), examined(house)
        refused = refusal(
            lambda house=house, world=world, found=found: repair(Store(world, house.store.root), house.project, found)
        )
        assert refused is None or [each.code for each in refused.problems] == ["disk-full"]
        repair(house.store, house.project, examined(house))
        assert examined(house).damages == ()
        if not world.refused:
            break
    assert at > 20


def test_what_was_damaged_is_built_again_to_the_same_bytes(tmp_path):
    """A person types what they are told: verify, repair, build; and all is as it was."""
    desk = Desk(tmp_path / "mill")
    desk.spec(THREE)
    desk.zyc("build")
    before = {node: desk.tree(node) for node in ("first", "second", "third")}
    for node in ("first", "third"):
        (file,) = (path for path in (desk.root / "artifacts/nodes" / node).resolve().iterdir())
        overwrite(file, b"two\n")
    said = desk.zyc("verify")
    assert said.code == 1
    assert "next   zyc verify --repair" in said.out
    said = desk.zyc("verify", "--repair")
    assert said.code == 0
    assert desk.types(said.lines[-1].removeprefix("next   ").partition("   ")[0]).code == 0
    assert {node: desk.tree(node) for node in before} == before
    assert desk.zyc("verify").code == 0
