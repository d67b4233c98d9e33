"""The journal: always what the files say, whoever wrote them, and whatever became of the index."""

import random
import sqlite3
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from faulty import Quick

from zyc.errors import ZycError
from zyc.keeping.journal import Journal, Summary
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.world import Stat, World


class Counting(Quick):
    """Counts the files that are read."""

    def __init__(self) -> None:
        self.reads: list[str] = []

    def read(self, path):
        """Read, and note it."""
        self.reads.append(str(path))
        return super().read(path)


def digest(text: str) -> str:
    """A digest for a word."""
    return sha256(text.encode()).hexdigest()


def trace(name: str, **more) -> Trace:
    """A trace whose every part depends on a word."""
    measures = {"loss": len(name) / 7}
    return replace(
        Trace(digest(name), "dataset", digest(f"tree {name}"), bytes=len(name), measures=measures, seconds=0.5), **more
    )


@pytest.fixture
def store(tmp_path):
    """An empty store that counts what is read."""
    return Store.open(Counting(), tmp_path / "store")


@pytest.fixture
def full(store):
    """A store with forty traces."""
    for number in range(40):
        Traces(store).write(trace(f"trace {number}"))
    return store


def truth(store: Store) -> dict[str, Summary]:
    """What the files say, each of them read."""
    traces = Traces(store)
    found = [traces.read(key) for key in sorted(traces.keys())]
    return {each.key: Summary.of(each) for each in found if each}


def look(store: Store, told: list | None = None) -> dict[str, Summary]:
    """What a new process would see; all that is told must be expected."""
    said = [] if told is None else told
    with Journal.open(store, told=said.append) as journal:
        found = journal.summaries()
    assert told is not None or not said
    return found


def settle(store: Store) -> None:
    """Look until the index is sure of each folder."""
    for _ in range(50):
        store.world.reads.clear()
        with Journal.open(store) as journal:
            journal.summaries()
            if all(folder.stamp for folder in journal._folders.values()):
                return
    raise AssertionError("the index never gets sure")


# --- right whoever wrote ---


def test_an_empty_and_a_missing_store_have_nothing(store, tmp_path):
    """No traces, no summaries, and looking at a store that is not there makes none."""
    assert look(store) == {}
    missing = Store.open(World(), tmp_path / "missing", create=False)
    assert look(missing) == {}
    with Journal.open(missing) as journal:
        assert journal.last_keys(tmp_path) == {}
    assert not (tmp_path / "missing").exists()


def test_traces_of_others_are_found(full):
    """Nobody has to tell the journal of a trace: the folders do."""
    assert look(full) == truth(full)
    Traces(full).write(trace("one more"))
    assert digest("one more") in look(full)


def test_what_has_not_moved_is_not_read_again(full):
    """The second look reads no trace, and one new trace costs one read."""
    settle(full)
    full.world.reads.clear()
    assert len(look(full)) == 40
    assert full.world.reads == []
    Traces(full).write(trace("one more"))
    look(full)
    assert [path.rpartition("/")[2] for path in full.world.reads] == [f"{digest('one more')}.json"]


def test_recorded_traces_are_not_read(store):
    """Who wrote a trace tells the journal, which then has no need to read it."""
    with Journal.open(store) as journal:
        for number in range(100):
            Traces(store).write(trace(f"trace {number}"))
            journal.record(trace(f"trace {number}"))
        assert len(journal.summaries()) == 100
    assert len(look(store)) == 100
    assert store.world.reads == []
    assert look(store) == truth(store)


def test_a_trace_that_the_index_missed_is_found(store):
    """A crash between the rename of a trace and the write of the index loses nothing."""
    journal = Journal.open(store)
    journal.summaries()
    Traces(store).write(trace("noted"))
    journal.record(trace("noted"))
    Traces(store).write(trace("missed"))
    journal._database.close()  # and no more: the process is gone
    assert look(store) == truth(store)
    assert len(look(store)) == 2


def test_changed_and_removed_traces_are_noticed(full):
    """A trace that another run replaced, and one that was swept away, are not remembered as they were."""
    settle(full)
    Traces(full).write(trace("trace 3", tree=digest("another tree")))
    full.world.remove_tree(Traces(full).path(digest("trace 5")))
    found = look(full)
    assert found == truth(full)
    assert found[digest("trace 3")].tree == digest("another tree")
    assert digest("trace 5") not in found


def test_one_process_sees_what_another_writes_meanwhile(full, tmp_path):
    """A journal that stays open follows the folders each time it is asked."""
    with Journal.open(full) as one, Journal.open(full) as other:
        one.summaries()
        Traces(full).write(trace("by the other"))
        other.record(trace("by the other"))
        assert one.summaries() == other.summaries() == truth(full)
        Traces(full).write(trace("by the one"))
        one.record(trace("by the one"))
    assert look(full) == truth(full)


def test_two_processes_write_the_index_at_once(full):
    """Neither loses anything, and both end well."""
    code = """
import sys
from zyc.keeping.journal import Journal
from zyc.keeping.store import Store
from zyc.keeping.traces import Trace, Traces
from zyc.world import World
store = Store.open(World(), sys.argv[1])
with Journal.open(store, told=print) as journal:
    for number in range(130):
        key = f"{int(sys.argv[2]) * 1000 + number:064x}"
        trace = Trace(key, "dataset", key, bytes=1)
        Traces(store).write(trace)
        journal.record(trace)
        if number % 30 == 0:
            journal.summaries()
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, full.root, str(number)], stdout=subprocess.PIPE, text=True)
        for number in (1, 2)
    ]
    assert [(each.communicate()[0], each.returncode) for each in running] == [("", 0), ("", 0)]
    assert len(look(full)) == 300
    assert look(full) == truth(full)


class Coarse(Counting):
    """A disk whose clock ticks every thousand seconds."""

    def stat(self, path, *, follow=False):
        """The facts, with the times that such a disk keeps."""
        seen = super().stat(path, follow=follow)
        facts = {name: getattr(seen, name) for name in Stat.__slots__} if seen else {}
        coarse = {name: facts[name] // 10**12 * 10**12 for name in ("mtime_ns", "ctime_ns") if facts}
        return Stat(facts.pop("kind"), **{**facts, **coarse}) if seen else None


def test_a_folder_that_changes_twice_in_a_tick_is_looked_at_again(tmp_path):
    """Where times are coarse, an equal time proves nothing until the clock has moved on."""
    store = Store.open(Coarse(), tmp_path / "store")
    for name in ("0", "1", "2"):
        Traces(store).write(trace(name, key=f"{name:a>64}"))
        assert look(store) == truth(store)
    Traces(store).write(trace("new", key=f"{'0':a>64}"))
    assert look(store) == truth(store)


# --- the index is lost, damaged, or cannot be used ---


def test_a_deleted_index_is_told_and_made_again(full):
    """It may go at any moment: the message names it, once, and the summaries are right; a new store has nothing to tell."""
    settle(full)
    told = []
    with Journal.open(full, told=told.append) as journal:
        journal.summaries()
    assert told == []
    (full.root / "journal.sqlite").unlink()
    with Journal.open(full, told=told.append) as journal:
        assert journal.summaries() == truth(full)
        journal.last_keys(full.root)
    assert [(each.code, dict(each.facts)) for each in told] == [("index-missing", {"file": "store/journal.sqlite"})]
    assert look(full) == truth(full)
    full.world.reads.clear()
    look(full)
    assert full.world.reads == []


def test_an_index_deleted_while_open_harms_nobody(full):
    """Who has it open goes on, and the next one makes it again."""
    with Journal.open(full) as journal:
        journal.summaries()
        (full.root / "journal.sqlite").unlink()
        Traces(full).write(trace("after"))
        journal.record(trace("after"))
        assert journal.summaries() == truth(full)
    assert look(full, []) == truth(full)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "half", "text"])
def test_a_damaged_index_is_told_and_made_again(full, damage):
    """The message names the file; the summaries are right, now and after."""
    settle(full)
    index = full.root / "journal.sqlite"
    data = index.read_bytes()
    index.write_bytes(
        {"garbage": b"\0garbage" * 2000, "truncated": data[:5000], "half": data[: len(data) // 2], "text": b"hello"}[damage]
    )
    told = []
    assert look(full, told) == truth(full)
    assert {each.code for each in told} == {"index-rebuilt"}
    assert "journal.sqlite" in told[0].message
    assert look(full) == truth(full)


def test_no_flipped_bit_in_the_index_is_believed(full):
    """Whichever bit turns: what is said is what the traces say."""
    settle(full)
    index = full.root / "journal.sqlite"
    data = index.read_bytes()
    luck, right = random.Random(2), truth(full)
    noticed = 0
    for _ in range(150):
        torn = bytearray(data)
        torn[luck.randrange(len(torn))] ^= 1 << luck.randrange(8)
        index.write_bytes(torn)
        told = []
        assert look(full, told) == right
        noticed += bool(told)
        full.world.reads.clear()
        assert look(full) == right
        assert full.world.reads == []  # it is whole again
    assert noticed > 10


def test_another_shape_of_index_is_not_read(full):
    """A table of another version is left alone, and the summaries are right."""
    with sqlite3.connect(full.root / "journal.sqlite") as database:
        database.execute("CREATE TABLE folders_0 (name)")
    database.close()
    assert look(full) == truth(full)


@pytest.mark.parametrize("index", ["absent", "present", "stale"])
def test_a_store_that_cannot_be_written_is_still_read(full, monkeypatch, index):
    """A plan of somebody else's store works, with the index or without."""
    if index != "absent":
        settle(full)
    if index == "stale":
        Traces(full).write(trace("one more"))
    right = truth(full)

    class ReadOnly(Counting):
        def effect(self, verb, path, target=""):
            raise OSError(30, "Read-only file system", path)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more))
    store, told = Store.open(ReadOnly(), full.root), []
    with Journal.open(store, told=told.append) as journal:
        assert journal.summaries() == right
        assert journal.last_keys(full.root) == {}
    assert told == []
    if index == "present":
        assert not any("traces" in path for path in store.world.reads)


def test_an_index_that_another_process_holds_is_done_without(full, monkeypatch):
    """Somebody who never lets go costs time, not the plan."""
    settle(full)
    connect = sqlite3.connect
    holder = connect(full.root / "journal.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(path, **{**more, "timeout": 0.05}))
    assert look(full) == truth(full)
    holder.execute("ROLLBACK")
    holder.close()


def test_an_index_that_cannot_be_opened_is_done_without(full):
    """A folder in its place is odd, but no reason to stop."""
    (full.root / "journal.sqlite").unlink()
    (full.root / "journal.sqlite").mkdir()
    assert look(full) == truth(full)


# --- damaged records ---


def test_a_damaged_trace_is_told_each_time_and_the_rest_is_right(full):
    """It counts as absent until somebody mends it."""
    settle(full)
    full.world.write(Traces(full).path(digest("trace 7")), "{")
    full.world.make_folder(full.root / "traces" / "00")
    full.world.write(full.root / "traces" / "00" / "notes.json", "mine")
    for _ in range(3):
        told = []
        found = look(full, told)
        assert {each.code for each in told} == {"unreadable-record"}
        assert len(told) == 2
        assert found.keys() == {digest(f"trace {number}") for number in range(40)} - {digest("trace 7")}


def test_a_trace_changed_in_place_is_noticed_with_its_folder(full):
    """A file overwritten without a rename moves no folder, so only a look at its folder finds it: verify's work."""
    settle(full)
    Traces(full).path(digest("trace 7")).write_text("{")
    assert digest("trace 7") in look(full)


def test_a_trace_in_the_wrong_folder_is_no_trace(full):
    """Only what has its own place counts."""
    path = Traces(full).path(digest("trace 7"))
    other = "00" if not digest("trace 7").startswith("00") else "01"
    full.world.make_folder(full.root / "traces" / other)
    full.world.rename(path, to=full.root / "traces" / other / path.name)
    told = []
    assert digest("trace 7") not in look(full, told)


def test_a_trace_that_may_not_be_read_is_told_in_words(full):
    """No permission is the machine's no, not a bug."""

    class Closed(Quick):
        def read(self, path):
            raise PermissionError(13, "Permission denied", str(path))

    with pytest.raises(ZycError):
        look(Store(Closed(), full.root))


# --- roots ---


def test_last_keys_are_what_the_roots_say(store, tmp_path):
    """The same as reading each root, without reading them again; twins apart."""
    roots, twins = Roots(store, tmp_path), Roots(store, tmp_path, twin=True)
    for number in range(20):
        roots.set(f"node {number}", digest(str(number)))
    twins.set("node 1", digest("twin"))
    for _ in range(2):
        with Journal.open(store) as journal:
            assert journal.last_keys(tmp_path) == roots.all()
            assert journal.last_keys(tmp_path, twin=True) == {"node 1": digest("twin")}
            assert journal.last_keys(tmp_path / "other") == {}
    roots.set("node 3", digest("changed"))
    store.world.reads.clear()
    with Journal.open(store) as journal:
        assert journal.last_keys(tmp_path)["node 3"] == digest("changed")
    assert len(store.world.reads) == 1


# --- the clock ---


class Jumping(Quick):
    """A disk whose clock jumps: what changes carries the time that the clock showed then."""

    def __init__(self) -> None:
        self.ahead = 0  # ns
        self.shown: dict[str, int] = {}

    def effect(self, verb, path, target=""):
        """Whatever changes, and the folder that it is in, changes now by this clock."""
        for each in (path, target):
            if each:
                self.shown |= {each: self.ahead, str(Path(each).parent): self.ahead}

    def stat(self, path, *, follow=False):
        """The times as that clock wrote them."""
        seen = super().stat(path, follow=follow)
        ahead = self.shown.get(str(path), 0)
        if seen is None:
            return None
        facts = {name: getattr(seen, name) for name in Stat.__slots__ if name != "kind"}
        return Stat(seen.kind, **{**facts, "mtime_ns": seen.mtime_ns + ahead, "ctime_ns": seen.ctime_ns + ahead})


@pytest.mark.parametrize("seed", range(5))
def test_a_clock_that_jumps_by_days_hides_no_trace(tmp_path, seed):
    """Back and on between any two operations: what is said is what the files say, each time."""
    luck, world = random.Random(seed), Jumping()
    store = Store.open(world, tmp_path / "store")
    for number in range(30):
        world.ahead = luck.choice([-3, -1, 0, 0, 1, 30]) * 86_400 * 10**9
        if luck.random() < 0.7:
            Traces(store).write(trace("again", key=f"{luck.randrange(3)}{'a' * 63}", seconds=float(number)))
        else:
            Traces(store).write(trace(f"trace {number}", key=f"0{digest(str(number))[1:]}"))
        world.ahead = luck.choice([-3, 0, 30]) * 86_400 * 10**9
        assert look(store) == truth(store)


def test_a_stray_file_in_a_store_hides_nothing(full):
    """A file manager leaves files of its own in any folder: they are no results, and no reason to stop."""
    for part in ("trees", "traces", "roots"):
        (full.root / part / ".DS_Store").write_text("?")
    assert look(full) == truth(full)
    assert full.present() == frozenset()
    assert Roots(full, full.root).all() == {}
