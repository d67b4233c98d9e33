"""Remotes: what arrives is what was sent, whole or not at all; a trace there is a promise that its bytes are there."""

import errno
import itertools
import json
import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from faulty import Crash, Crashing, Quick, Refusing, names

from zyc.errors import ZycError
from zyc.keeping.remote import Remote, layout
from zyc.keeping.remote.record import decode, encode
from zyc.keeping.remote.shelf import Folder
from zyc.keeping.remote.url import shown, without_secrets
from zyc.keeping.store import Store, digest_of_records
from zyc.keeping.traces import Trace, Traces
from zyc.world import World

KEY = "a" * 64
HEX = "0123456789abcdef" * 4
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Patient(Quick):
    """A world without waiting, which notes how long it would have waited."""

    def __init__(self):
        self.waited = []

    def sleep(self, seconds):
        """Only note it."""
        self.waited.append(seconds)


def fill(folder: Path) -> Path:
    """An output with everything that a tree can hold, odd names and equal bytes too."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "one").write_text("same")
    (folder / "deep" / "two").write_text("same")
    (folder / "deep" / "run.sh").write_text("true\n")
    (folder / "deep" / "run.sh").chmod(0o755)
    (folder / "deep" / "er" / "nothing").write_bytes(b"")
    (folder / "deep" / "link").symlink_to("../one")
    (folder / "weights").write_bytes(bytes(range(256)) * 40)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff odd\n\xe9")).write_text("odd")
    return folder


@pytest.fixture
def store(tmp_path):
    """A store with one tree, and its trace."""
    store = Store.open(Quick(), tmp_path / "store")
    tree = store.publish(fill(tmp_path / "out"))
    Traces(store).write(Trace(key=KEY, kind="step", tree=tree.digest, bytes=tree.bytes, measures={"loss": 0.5}))
    return store


@pytest.fixture
def trace(store):
    """The one trace of the store."""
    return Traces(store).read(KEY)


@pytest.fixture
def other(tmp_path):
    """The store of somebody else, with nothing in it."""
    return Store.open(Patient(), tmp_path / "other")


@pytest.fixture
def there(tmp_path, store, trace):
    """A folder that holds what was pushed."""
    remote = Remote.open(Quick(), str(tmp_path / "there"), create=True)
    remote.push(trace, store)
    return tmp_path / "there"


def opened(there, **more):
    """A remote as somebody else opens it."""
    return Remote.open(Patient(), str(there), **({"name": "team"} | more))


def files(there, part):
    """The files of one part of a remote."""
    return sorted(path for path in (there / part).rglob("*") if path.is_file())


def code(error):
    """The kind of the one problem that was told."""
    (told,) = error.value.problems
    return told.code


def nothing_is_here(store):
    """Nothing half-done can be seen."""
    return store.present() == frozenset() and not Traces(store).keys()


# --- there and back ---


@pytest.mark.parametrize("url", ["folder", "file", "memory"])
def test_what_was_pushed_arrives_as_it_was(url, store, trace, other, tmp_path):
    """Names of any bytes, x bits, links, empty files and folders: in a folder or at a URL, the tree comes out the same."""
    place = {"folder": str(tmp_path / "there"), "file": f"file://{tmp_path}/there", "memory": f"memory://{tmp_path}/there"}[url]
    pushed = Remote.open(Patient(), place, create=True).push(trace, store)
    assert (pushed.is_new, pushed.objects, pushed.bytes) == (True, 5, 4 + 5 + 256 * 40 + 3)
    remote = Remote.open(Patient(), place)
    assert remote.keys() == {KEY}
    assert remote.trees() == {trace.tree}
    assert remote.trace(KEY) == trace
    tree = remote.fetch(trace.tree, other)
    assert (tree.digest, tree.files) == (trace.tree, 6)
    assert other.recheck(trace.tree)
    assert names(other.root / "tmp") == []
    assert remote.keep(KEY, Traces(other)) == trace
    assert Traces(other).path(KEY).read_bytes() == Traces(store).path(KEY).read_bytes()


def test_the_layout_is_what_its_page_says(there, store, trace):
    """Objects once each under their sha256, records of trees, traces as they are: read by anybody without zyc."""
    assert (there / "FORMAT").read_text() == "zyc-remote 1\n"
    assert {path.name for path in files(there, "objects")} >= {EMPTY}
    assert len(files(there, "objects")) == 5, "equal bytes are there once"
    (record,) = files(there, "trees")
    assert record.name == f"{trace.tree}.json"
    assert ["deep/link", "link", "../one"] in json.loads(record.read_text())
    assert (there / layout.trace_path(KEY)).read_bytes() == Traces(store).path(KEY).read_bytes()


def test_what_is_there_is_never_written_again(there, store, trace):
    """A second push sends nothing and touches nothing, not even when it looks again."""

    def seen():
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in there.rglob("*")}

    before = seen()
    assert opened(there).push(trace, store).objects == 0
    pushed = opened(there).push(trace, store, again=True)
    assert (pushed.objects, pushed.is_new) == (0, False)
    assert seen() == before


def test_an_object_of_two_trees_is_sent_once(there, store, tmp_path):
    """What another tree holds already is not sent again, in this push or a later one."""
    (tmp_path / "out2").mkdir()
    (tmp_path / "out2" / "mine").write_text("same")
    tree = store.publish(tmp_path / "out2")
    pushed = opened(there).push(Trace(key="b" * 64, kind="step", tree=tree.digest, bytes=4), store)
    assert (pushed.is_new, pushed.objects, pushed.bytes) == (True, 0, 0)


def test_a_group_comes_with_its_members(there, store, trace, other, tmp_path):
    """A tree that leads to other trees brings them along; each of them is whole."""
    group = store.group({"rank=8": trace.tree, "rank=64": trace.tree})
    opened(there).push(Trace(key="b" * 64, kind="step", tree=group, bytes=0), store)
    assert opened(there).fetch(group, other).digest == group
    assert other.present() == {group, trace.tree}
    assert (other.path(group) / "rank=8" / "one").read_text() == "same"


def test_a_tree_that_is_here_is_not_fetched(store, trace, there):
    """Nothing is asked of the remote for a tree that the store has."""
    shutil.rmtree(there / "objects")
    assert opened(there).fetch(trace.tree, store).files == 6


def test_progress_is_told_in_bytes(there, trace, other):
    """Whoever watches hears of every piece, up to all of it."""
    told = []
    opened(there).fetch(trace.tree, other, told=lambda done, total: told.append((done, total)))
    assert told[-1] == (10252, 10252)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_memory_stays_flat(there, store, other, tmp_path, monkeypatch):
    """A large file comes and goes in pieces of a few megabytes, whatever its size."""
    (tmp_path / "big").mkdir()
    with (tmp_path / "big" / "weights").open("wb") as file:
        file.truncate(3 * layout.PIECE + 5)
    tree = store.publish(tmp_path / "big")
    pieces = []
    piece = Folder.piece
    monkeypatch.setattr(Folder, "piece", lambda *a, **b: pieces.append(len(found := piece(*a, **b))) or found)
    remote = opened(there)
    remote.push(Trace(key="b" * 64, kind="step", tree=tree.digest, bytes=0), store)
    remote.fetch(tree.digest, other)
    assert other.recheck(tree.digest)
    assert max(pieces) == layout.PIECE


# --- what is wrong there ---


def flip(path):
    """One bit is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def weights(there):
    """The largest object."""
    return max(files(there, "objects"), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize(
    ("hurt", "expected"),
    [
        (lambda there: flip(weights(there)), "remote-damaged"),
        (lambda there: weights(there).write_bytes(weights(there).read_bytes()[:-1]), "remote-damaged"),
        (lambda there: weights(there).write_bytes(weights(there).read_bytes() + b"x"), "remote-damaged"),
        (lambda there: weights(there).write_bytes(b""), "remote-damaged"),
        (lambda there: weights(there).unlink(), "remote-lacks"),
        (lambda there: flip(files(there, "trees")[0]), "remote-damaged"),
        (lambda there: files(there, "trees")[0].write_text("[" * 100_000), "remote-damaged"),
        (lambda there: files(there, "trees")[0].write_text("{}"), "remote-damaged"),
        (lambda there: files(there, "trees")[0].write_text("[[1]]"), "remote-damaged"),
        (lambda there: files(there, "trees")[0].unlink(), "remote-lacks"),
    ],
    ids=["bit", "shorter", "longer", "empty", "gone", "record bit", "record deep", "record other", "record odd", "record gone"],
)
def test_what_is_damaged_there_does_not_arrive(hurt, expected, there, trace, other):
    """A flipped bit, a byte more or less, a missing object: nothing of it is seen here, and the message says what is wrong."""
    hurt(there)
    with pytest.raises(ZycError) as error:
        opened(there).fetch(trace.tree, other)
    assert code(error) == expected
    message = error.value.problems[0].message
    assert "`team`" in message
    assert "objects/" in message or "trees/" in message
    assert "zyc push --again" in error.value.problems[0].help
    assert nothing_is_here(other)


def test_pushing_again_mends_what_is_missing(there, store, trace, other):
    """Objects and records that somebody removed are sent again when one asks to look, and only then."""
    weights(there).unlink()
    assert opened(there).push(trace, store).objects == 0
    assert opened(there).push(trace, store, again=True).objects == 1
    flip(files(there, "trees")[0])
    flip(files(there, "traces")[0])
    assert opened(there).push(trace, store, again=True).is_new
    assert opened(there).fetch(trace.tree, other).digest == trace.tree
    assert opened(there).trace(KEY) == trace


def test_a_damaged_object_is_never_replaced_unseen(there, store, trace):
    """An object of a wrong size is told, and left for somebody to look at."""
    weights(there).write_bytes(b"short")
    with pytest.raises(ZycError) as error:
        opened(there).push(trace, store, again=True)
    assert code(error) == "remote-damaged"
    assert b"short" in [path.read_bytes() for path in files(there, "objects")]


@pytest.mark.parametrize("text", [None, b"", b"[" * 100_000, b"{}"], ids=["bit", "empty", "deep", "other"])
def test_a_damaged_trace_is_told_and_absent(text, there, store, trace):
    """A trace that is not what was written counts as none; the next push writes a sound one."""
    (path,) = files(there, "traces")
    flip(path) if text is None else path.write_bytes(text)
    told = []
    remote = opened(there, told=told.append)
    assert remote.trace(KEY) is None
    assert [each.code for each in told] == ["remote-unreadable"]
    assert "team" in told[0].message
    assert remote.keys() == frozenset()
    assert remote.traces([KEY]) == {}
    assert remote.push(trace, store).is_new
    assert opened(there).trace(KEY) == trace


def test_a_trace_under_the_name_of_another_is_none(there):
    """A trace that was copied to another key is not believed."""
    (there / "traces" / "bb").mkdir()
    shutil.copy(there / layout.trace_path(KEY), there / layout.trace_path("b" * 64))
    assert opened(there).trace("b" * 64) is None


def test_what_is_not_ours_is_not_counted(there):
    """Files that somebody else put there are no keys."""
    for name in ("README.json", f"{HEX}.txt", f"{HEX}.json"):
        (there / "traces" / "aa" / name).write_text("x")
    (there / "traces" / "note").write_text("x")
    assert opened(there).keys() == {KEY}


def test_a_tree_that_is_damaged_here_is_not_sent(store, trace, tmp_path):
    """What is no longer what its name says does not spread: nothing of it is promised to others."""
    path = store.path(trace.tree) / "weights"
    path.chmod(0o644)
    flip(path)
    remote = Remote.open(Quick(), str(tmp_path / "there"), create=True)
    with pytest.raises(ZycError) as error:
        remote.push(trace, store)
    assert code(error) == "tree-damaged"
    assert names(tmp_path / "there") == ["FORMAT"]


def test_a_file_that_changes_while_it_is_sent_is_taken_back(store, trace, tmp_path):
    """An object there is what its name says, even when the file moved under the copy."""

    class Moving(Quick):
        def copy(self, path, *, to):
            super().copy(path, to=to)
            if Path(path).name == "weights":
                Path(path).chmod(0o644)
                flip(Path(path))

    remote = Remote.open(Moving(), str(tmp_path / "there"), create=True)
    with pytest.raises(ZycError) as error:
        remote.push(trace, store)
    assert code(error) == "tree-damaged"
    assert [path for path in files(tmp_path / "there", "objects") if path.stat().st_size > 1000] == []


# --- a remote that is none ---


@pytest.mark.parametrize(
    ("prepare", "create", "expected"),
    [
        (lambda _: None, False, "remote-missing"),
        (lambda there: there.mkdir(), False, "remote-missing"),
        (lambda there: (there.mkdir(), (there / "thesis.doc").touch()), False, "remote-missing"),
        (lambda there: (there.mkdir(), (there / "thesis.doc").touch()), True, "remote-not-empty"),
        (lambda there: (there.mkdir(), (there / "FORMAT").write_text("zyc-remote 9\n")), False, "remote-format"),
        (lambda there: (there.mkdir(), (there / "FORMAT").write_text("zyc-store 1\n")), True, "remote-format"),
        (lambda there: there.write_text("a file"), True, "remote-failed"),
    ],
    ids=["missing", "empty", "something else", "to push to", "another format", "a store", "a file"],
)
def test_what_is_no_remote_is_refused(prepare, create, expected, tmp_path):
    """Nothing is read from, or written to, a place that does not say that it is a remote of this format."""
    place = tmp_path / "there"
    prepare(place)
    before = names(place) if place.is_dir() else None
    with pytest.raises(ZycError) as error:
        Remote.open(Patient(), str(place), create=create)
    assert code(error) == expected
    assert (names(place) if place.is_dir() else None) == before


def test_opening_makes_nothing_unless_asked(tmp_path):
    """A remote is only made by whoever pushes; an empty folder will do."""
    (tmp_path / "there").mkdir()
    assert Remote.open(World(), str(tmp_path / "there"), create=True).keys() == frozenset()
    assert Remote.open(World(), str(tmp_path / "there")).trees() == frozenset()


# --- hostile records ---


def planted(there, records):
    """A record that proves itself, with whatever entries."""
    digest = digest_of_records(records)
    path = there / layout.tree_path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(records))
    return digest


def entry(name, text=b"same"):
    """A file whose object is there."""
    import hashlib

    return (name, b"file", b"-", str(len(text)).encode(), hashlib.sha256(text).hexdigest().encode())


TRICKS = {
    "up": [entry(b"../x")],
    "far up": [entry(b"deep/../../../x")],
    "absolute": [entry(b"/tmp/x")],
    "nothing": [entry(b"")],
    "dot": [entry(b"./x")],
    "twice a slash": [entry(b"a//x")],
    "end in a slash": [entry(b"a/")],
    "a long name": [entry(b"n" * 256)],
    "a long path": [entry(b"/".join([b"n" * 200] * 30))],
    "below a file": [entry(b"a"), entry(b"a/b")],
    "through a link": [(b"a", b"link", b"deep"), entry(b"a/b")],
    "through a link below": [(b"a", b"link", b"deep"), entry(b"a/b/c/d")],
    "out by a link": [(b"a", b"link", b"../x")],
    "absolute link": [(b"a", b"link", b"/etc/passwd")],
    "down and out": [(b"a", b"link", b"deep/../../x")],
    "no target": [(b"a", b"link", b"")],
    "twice": [entry(b"a"), (b"a", b"folder")],
    "two sizes": [entry(b"a"), (b"b", *entry(b"a")[1:3], b"5", entry(b"a")[4])],
    "a size below nought": [(b"a", b"file", b"-", b"-4", HEX.encode())],
    "a size that is no number": [(b"a", b"file", b"-", b"0x4", HEX.encode())],
    "a digest that is a path": [(b"a", b"file", b"-", b"4", b"../../../etc/passwd")],
    "a mode of its own": [(b"a", b"file", b"s", b"4", HEX.encode())],
    "a device": [(b"a", b"device", b"1", b"3")],
    "a member that is a path": [(b"a", b"member", b"../../etc")],
    "a member beside a file": [(b"a", b"member", HEX.encode()), entry(b"b")],
    "too short": [(b"a",)],
    "nothing at all": [()],
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_hostile_record_is_refused(trick, there, other):
    """Whatever a record claims, even one whose digest is right: nothing is written outside of the tree, or at all."""
    digest = planted(there, TRICKS[trick])
    before = sorted(other.root.parent.rglob("*"))
    with pytest.raises(ZycError) as error:
        opened(there).fetch(digest, other)
    assert code(error) == "remote-damaged"
    assert nothing_is_here(other)
    assert sorted(other.root.parent.rglob("*")) == before


def test_a_link_that_looks_like_a_member_is_a_link(store, other, there, tmp_path):
    """Deep inside a tree `../../ab/ab…` leads to nothing of the store's, and comes out as it was."""
    (tmp_path / "out2" / "a" / "b").mkdir(parents=True)
    (tmp_path / "out2" / "a" / "b" / "link").symlink_to(f"../../{HEX[:2]}/{HEX}")
    tree = store.publish(tmp_path / "out2")
    opened(there).push(Trace(key="b" * 64, kind="step", tree=tree.digest, bytes=0), store)
    assert opened(there).fetch(tree.digest, other).digest == tree.digest


def test_a_record_that_was_written_is_read_again(store, trace):
    """What a push writes, a fetch can read: byte by byte the same entries."""
    records = store.records(trace.tree)
    assert decode(encode(records), digest=trace.tree).objects.keys() >= {EMPTY}
    assert digest_of_records(tuple(map(os.fsencode, each)) for each in json.loads(encode(records))) == trace.tree


def test_a_tree_that_does_not_fit_is_refused_before_it_is_fetched(there, trace, other, monkeypatch):
    """The disk is not filled to the brim first; the message says how much is missing."""
    monkeypatch.setattr(World, "disk_free", lambda *_: 5_000)
    with pytest.raises(ZycError) as error:
        opened(there).fetch(trace.tree, other)
    assert code(error) == "remote-too-large"
    assert "10,256" in error.value.problems[0].message
    assert nothing_is_here(other)


# --- bad luck ---


class Shaky:
    """A shelf that fails now and then."""

    def __init__(self, shelf, *, fails):
        self._shelf = shelf
        self.fails = fails
        self.asked = []

    def __getattr__(self, name):
        def act(*args, **kwargs):
            self.asked.append((name, *args))
            if next(self.fails, False):
                raise OSError(errno.ECONNRESET, "connection reset")
            return getattr(self._shelf, name)(*args, **kwargs)

        return act


def shaky(there, fails):
    """A remote on a shaky shelf."""
    world = Patient()
    shelf = Shaky(Folder(world, there), fails=iter(fails))
    return Remote(world, shelf, "team"), shelf, world


def test_a_connection_that_breaks_is_tried_again(there, trace, other):
    """Every other question fails once: everything arrives all the same, after pauses that grow."""
    remote, _, world = shaky(there, itertools.cycle([True, True, False]))
    assert remote.fetch(trace.tree, other).digest == trace.tree
    assert world.waited[:2] == pytest.approx([0.2, 0.6])


def test_a_server_that_dies_costs_what_was_on_its_way(there, trace, other):
    """After a failure in the middle nothing is seen; the next fetch asks only for what had not arrived."""
    remote, shelf, world = shaky(there, itertools.chain([False] * 3, itertools.cycle([True])))
    with pytest.raises(ZycError) as error:
        remote.fetch(trace.tree, other)
    assert code(error) == "remote-failed"
    assert "`team`" in error.value.problems[0].message
    assert "connection reset" in error.value.problems[0].message
    assert len(world.waited) == 3
    assert nothing_is_here(other)
    remote, shelf, _ = shaky(there, [])
    assert remote.fetch(trace.tree, other).digest == trace.tree
    assert len([each for each in shelf.asked if "objects" in each[1]]) == 2, "two of four had arrived"
    assert names(other.root / "tmp") == []


def test_what_was_damaged_in_between_is_not_believed(there, trace, other):
    """An object that arrived in an earlier fetch is hashed again before it counts."""
    remote, _, _ = shaky(there, itertools.chain([False] * 3, itertools.cycle([True])))
    with pytest.raises(ZycError):
        remote.fetch(trace.tree, other)
    (home,) = (other.root / "tmp").iterdir()
    for path in home.iterdir():
        flip(path)
    assert opened(there).fetch(trace.tree, other).digest == trace.tree


def test_bytes_that_are_wrong_once_are_asked_for_again(there, trace, other, monkeypatch):
    """An object that was damaged on its way, and not there, arrives at the second try."""
    piece, spoiled = Folder.piece, []

    def spoil(self, path, **how):
        found = piece(self, path, **how)
        if "objects" in path and path not in spoiled:
            spoiled.append(path)
            return b"?" * len(found)
        return found

    monkeypatch.setattr(Folder, "piece", spoil)
    assert opened(there).fetch(trace.tree, other).digest == trace.tree
    assert len(spoiled) == 4


def everything_promised_is_there(place, tmp_path, at):
    """Each trace of a remote leads to a tree that can be fetched whole; says how many."""
    if not (place / "FORMAT").exists():
        return 0
    remote = Remote.open(Quick(), str(place))
    keys = remote.keys()
    for key in keys:
        found = remote.trace(key)
        assert found is not None, "a trace appears whole"
        mine = Store.open(Quick(), tmp_path / f"mine{at}{key[0]}")
        assert remote.fetch(found.tree, mine).digest == found.tree
    for tree in remote.trees():
        remote.fetch(tree, Store.open(Quick(), tmp_path / f"mine{at}{tree}"))
    return len(keys)


@pytest.mark.slow
@pytest.mark.parametrize("loses", [None, lambda _: True, lambda inode: inode % 2 == 0], ids=["kill", "power", "some"])
def test_a_crash_at_any_effect_of_a_push_leaves_no_promise_that_lies(loses, store, trace, tmp_path):
    """Killed, or cut from its power: a trace there has its bytes there, and the next push completes it."""
    for at in itertools.count():
        place = tmp_path / f"there{at}"
        world = Crashing(at)
        with suppress(Crash):
            Remote.open(world, str(place), create=True).push(trace, Store(world, store.root))
        if loses is not None and world.dead:
            world.cut_power(place, loses=loses)
        done = everything_promised_is_there(place, tmp_path, at)
        if not world.dead:
            assert done == 1
            break
        Remote.open(Quick(), str(place), create=True).push(trace, store)
        assert everything_promised_is_there(place, tmp_path, f"{at}again") == 1
    assert at > 30


@pytest.mark.slow
def test_a_crash_at_any_effect_of_a_fetch_leaves_the_tree_absent_or_whole(there, trace, tmp_path):
    """Whenever a fetch is killed, the next one brings the tree, and leaves nothing behind."""
    for at in itertools.count():
        world = Crashing(at)
        other = Store.open(Quick(), tmp_path / f"other{at}")
        with suppress(Crash):
            Remote.open(world, str(there)).fetch(trace.tree, Store(world, other.root))
        assert not other.has(trace.tree) or other.recheck(trace.tree)
        assert opened(there).fetch(trace.tree, other).digest == trace.tree
        assert other.recheck(trace.tree)
        if not world.dead:
            break
    assert at > 40


@pytest.mark.slow
@pytest.mark.parametrize("once", [True, False])
def test_a_disk_that_is_full_at_any_effect_is_told(once, there, store, trace, tmp_path):
    """Here or there: the message says so in words, nothing half-done is seen, and the next try ends well."""
    for at in itertools.count():
        world = Refusing(at, once=once)
        other, place = Store.open(Quick(), tmp_path / f"other{at}"), tmp_path / f"there{at}"
        told = set()
        for act in (
            lambda: Remote.open(world, str(there)).fetch(trace.tree, Store(world, other.root)),  # noqa: B023
            lambda: Remote.open(world, str(place), create=True).push(trace, Store(world, store.root)),  # noqa: B023
        ):
            try:
                act()
            except ZycError as error:
                told |= {each.code for each in error.problems}
        assert told <= {"disk-full", "remote-failed"}
        assert not other.has(trace.tree) or other.recheck(trace.tree)
        everything_promised_is_there(place, tmp_path, at)
        assert opened(there).fetch(trace.tree, other).digest == trace.tree
        if not world.refused:
            break
    assert at > 80


@pytest.mark.slow
def test_two_that_push_the_same_at_once_both_succeed(store, trace, tmp_path):
    """Whoever is second finds what is there, or puts the same bytes: the remote is whole for both."""
    for turn in range(10):
        place = tmp_path / f"there{turn}"
        Remote.open(World(), str(place), create=True)
        wrong = []

        def push(place=place, wrong=wrong):
            try:
                Remote.open(World(), str(place), create=True).push(trace, Store.open(World(), store.root))
            except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
                wrong.append(error)

        pair = [threading.Thread(target=push) for _ in range(2)]
        for each in pair:
            each.start()
        for each in pair:
            each.join()
        assert wrong == []
        assert everything_promised_is_there(place, tmp_path, turn) == 1
        assert not list(place.rglob(".zyc-*"))


def test_two_that_fetch_the_same_at_once_both_have_it(there, trace, other):
    """One of them fetches, the other waits for it."""
    found = []
    pair = [threading.Thread(target=lambda: found.append(opened(there).fetch(trace.tree, other))) for _ in range(4)]
    for each in pair:
        each.start()
    for each in pair:
        each.join()
    assert {each.digest for each in found} == {trace.tree}
    assert len(found) == 4


# --- URLs ---


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("s3://bucket/store", "s3://bucket/store"),
        ("sftp://ann:sesame@host/store", "sftp://host/store"),
        ("https://host/store?sig=sesame#x", "https://host/store"),
        ("s3://key:ses/ame@bucket/store", "s3://bucket/store"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, seen):
    """Neither user nor password nor a signed query is ever printed."""
    assert shown(url) == seen


def test_what_a_library_says_is_shown_without_the_secrets_of_the_url():
    """An error that repeats the URL, or the password alone, has them starred out."""
    url = "sftp://ann:sesame@host/store?sig=0815-4711"
    said = without_secrets(f"cannot open {url}: wrong password sesame, sig 0815-4711", url)
    assert "sesame" not in said
    assert "0815" not in said
    assert "cannot open sftp://host/store" in said


def test_a_url_of_no_known_kind_is_told():
    """What no library knows is said, with what a remote can be."""
    with pytest.raises(ZycError) as error:
        Remote.open(World(), "carrier-pigeon://loft")
    assert code(error) == "bad-remote"


def test_without_its_library_a_url_says_how_to_install_it(monkeypatch):
    """A folder needs nothing; a URL says which command brings what it needs."""
    for name in [name for name in sys.modules if name.split(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ZycError) as error:
        Remote.open(World(), "s3://ann:sesame@bucket/store")
    assert code(error) == "no-remote-library"
    assert "pip install 'zyc[remote]'" in error.value.problems[0].help
    assert "sesame" not in str(error.value)
