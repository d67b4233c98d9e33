"""The store: what is published is absent or whole, whatever happens in between."""

import errno
import itertools
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from faulty import Crash, Crashing, Quick, Refusing, names, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from zyc.errors import ZycError
from zyc.keeping.store import Store, group_digest, tree_of
from zyc.world import World

ABSENT = "0" * 64


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store.open(Quick(), tmp_path / "store")


def fill(folder: Path, mark: str = "", *, files: int = 2) -> Path:
    """An output: files, one that runs, a folder in a folder, an empty folder, a link inside; different for each mark."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty").mkdir()
    for number in range(files):
        (folder / f"file {number}").write_text(f"{mark} {number}")
    (folder / "deep" / "er" / "weights").write_bytes(b"\0" * 100)
    (folder / "deep" / "run.sh").write_text("true\n")
    (folder / "deep" / "run.sh").chmod(0o755)
    (folder / "deep" / "link").symlink_to("../file 0")
    return folder


def codes(error: pytest.ExceptionInfo[ZycError]) -> list[str]:
    """The kinds of problems that were told."""
    return [each.code for each in error.value.problems]


# --- opening ---


def test_a_new_store_says_its_format_and_opens_again(tmp_path):
    """A store that was made opens again, and says what it is."""
    Store.open(Quick(), tmp_path / "store")
    assert (tmp_path / "store" / "FORMAT").read_text() == "zyc-store 1\n"
    assert Store.open(Quick(), tmp_path / "store").present() == frozenset()


def test_an_unknown_format_is_refused_with_what_to_do(tmp_path):
    """A store of another format is never touched; the message says what it is and what helps."""
    (tmp_path / "FORMAT").write_text("zyc-store 9\n")
    with pytest.raises(ZycError) as error:
        Store.open(World(), tmp_path)
    assert codes(error) == ["store-format"]
    assert "`zyc-store 9`" in error.value.problems[0].message
    assert "remove artifacts/store" in error.value.problems[0].help
    assert names(tmp_path) == ["FORMAT"]


@pytest.mark.parametrize("said", [None, "", "zyc-stord 1\n", "zyc-store 1"], ids=["gone", "empty", "flipped", "torn"])
def test_a_store_that_lost_its_name_is_told_and_not_read_as_empty(store, tmp_path, said):
    """What holds results is never taken for a new store; the next command is named, and nothing is written."""
    store.publish(fill(tmp_path / "out"))
    (store.root / "FORMAT").unlink()
    if said is not None:
        (store.root / "FORMAT").write_text(said)
    for create in (True, False):
        with pytest.raises(ZycError) as error:
            Store.open(Crashing(0), store.root, create=create)
        assert codes(error) == ["store-unnamed"]
    assert "zyc verify --repair" in error.value.problems[0].help


def test_looking_at_a_missing_store_makes_nothing(tmp_path):
    """A plan in a new project reads an empty store and leaves no trace of its look."""
    store = Store.open(World(), tmp_path / "store", create=False)
    assert store.present() == frozenset()
    assert not store.has(ABSENT)
    assert not (tmp_path / "store").exists()


def test_a_crash_while_a_store_is_made_leaves_one_that_can_be_made(tmp_path):
    """Whatever effect is the last one of a process that makes a store, the next process makes it whole."""
    for at in itertools.count():
        world = Crashing(at)
        with suppress(Crash):
            Store.open(world, tmp_path / str(at))
        assert Store.open(Quick(), tmp_path / str(at)).publish(fill(tmp_path / f"out{at}")).files == 4
        if not world.dead:
            break
    assert at > 10


# --- publishing ---


def test_a_published_folder_is_gone_whole_and_read_only(store, tmp_path):
    """The folder moves into the store as it is, and nothing in it may be written any more."""
    expected = tree_of(store.world, fill(tmp_path / "out"))
    tree = store.publish(tmp_path / "out")
    assert tree == expected
    assert (tree.files, tree.bytes) == (4, 2 + 2 + 100 + 5)
    assert not (tmp_path / "out").exists()
    assert store.has(tree.digest)
    assert store.present() == {tree.digest}
    top = store.path(tree.digest)
    assert (top / "deep" / "link").read_text() == " 0"
    assert all(not path.lstat().st_mode & 0o222 for path in [top, *top.rglob("*")] if not path.is_symlink())
    assert store.recheck(tree.digest)


def test_equal_folders_are_kept_once(store, tmp_path):
    """Publishing what is there already keeps the first, consumes the second, and leaves nothing behind."""
    first = store.publish(fill(tmp_path / "one"))
    second = store.publish(fill(tmp_path / "two"))
    assert first == second
    assert store.present() == {first.digest}
    assert not (tmp_path / "two").exists()
    assert names(store.root / "tmp") == []


def test_what_was_frozen_can_be_published(store, tmp_path):
    """A second attempt finds the folder read-only, as the first one left it."""
    out = fill(tmp_path / "out")
    store.world.freeze(out)
    assert store.recheck(store.publish(out).digest)


def test_a_user_without_privileges_can_publish(tmp_path):
    """Moving a folder needs it writable, which root never notices: so this one runs as nobody."""
    home = Path(tempfile.mkdtemp(prefix="zyc-test-"))
    Store.open(World(), home / "warm").publish(fill(home / "warm out"))  # imports what it needs
    for path in [home, *home.rglob("*")]:
        os.chown(path, *((65534, 65534) if os.getuid() == 0 else (-1, -1)), follow_symlinks=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork while a test runner has threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            store = Store.open(Quick(), home / "store")
            store.world.freeze(fill(home / "frozen"))
            trees = [store.publish(fill(home / "one")), store.publish(fill(home / "two")), store.publish(home / "frozen")]
            moved = store.quarantine(trees[0].digest)
            code = 0 if moved.is_dir() and not store.present() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    World().remove_tree(home)


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        ("file 0", False),
        ("./deep/../file 0", True),  # what `deep` leads to decides where its `..` is
        ("deep/run.sh", False),
        ("../out/file 0", True),
        ("..", True),
        ("/etc/passwd", True),
        ("missing", False),
    ],
)
def test_links_stay_inside(store, tmp_path, target, refused):
    """A link may lead to its own tree only, and the refusal names it and where it leads."""
    (fill(tmp_path / "out") / "a link").symlink_to(target)
    if not refused:
        assert store.recheck(store.publish(tmp_path / "out").digest)
        return
    with pytest.raises(ZycError) as error:
        store.publish(tmp_path / "out")
    assert error.value.problems[0].message == f"`a link` leads out of the result, to `{target}`"
    assert (tmp_path / "out" / "file 0").exists()


def test_special_files_and_shared_bytes_are_refused_all_at_once(store, tmp_path):
    """A socket, a pipe and a hard link are each named."""
    out = fill(tmp_path / "out")
    os.mkfifo(out / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(out)
        made.bind("socket")
        os.chdir(here)
    os.link(out / "file 0", tmp_path / "mine")
    with pytest.raises(ZycError) as error:
        store.publish(out)
    assert sorted(each.facts for each in error.value.problems) == [
        (("path", "file 0"),),
        (("path", "pipe"),),
        (("path", "socket"),),
    ]
    assert (tmp_path / "mine").stat().st_mode & 0o200


def test_a_file_or_nothing_cannot_be_published(store, tmp_path):
    """Only a folder is an output: a path that is none is a bug of the caller."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(NotADirectoryError):
            store.publish(path)


def test_a_file_that_changes_meanwhile_is_not_published(tmp_path):
    """Bytes that move between the look and the rename would not be those of the digest."""

    class Restless(Quick):
        def digest(self, path):
            found = super().digest(path)
            if path.name == "file 1":
                path.write_text("longer than before")
            return found

    store = Store.open(Restless(), tmp_path / "store")
    with pytest.raises(ZycError) as error:
        store.publish(fill(tmp_path / "out"))
    assert codes(error) == ["tree-changed"]
    assert not store.present()


# --- faults ---


def _losses(count: int, luck: random.Random) -> list[frozenset[int]]:
    """Which unsynced names a power cut takes: all, none, each alone, all but one, and some at random."""
    all_of = frozenset(range(count))
    alone = [frozenset({each}) for each in all_of]
    some = [frozenset(each for each in all_of if luck.random() < 0.5) for _ in range(3)]
    return [all_of, frozenset(), *alone, *(all_of - each for each in alone), *some]


def test_a_crash_at_any_effect_of_publish_leaves_absent_or_whole(store, tmp_path):
    """Whatever effect is the last, the tree is absent or whole, and what is left of the folder can be published."""
    for at in itertools.count():
        out = fill(tmp_path / f"out{at}", f"crash {at}")
        digest = tree_of(store.world, out).digest
        world = Crashing(at)
        try:
            Store(world, store.root).publish(out)
        except Crash:
            assert store.has(digest) in (False, store.recheck(digest))
            if not store.has(digest):
                assert store.publish(out).digest == digest
        assert store.recheck(digest)
        if not world.dead:
            break
    assert at > 10
    assert names(store.root / "tmp") == []


def test_a_crash_at_any_effect_of_dropping_a_duplicate_harms_nothing(store, tmp_path):
    """The tree that is there stays whole; the folder is all there or gone, never a smaller output."""
    digest = store.publish(fill(tmp_path / "first")).digest
    for at in itertools.count():
        out = fill(tmp_path / f"out{at}")
        world = Crashing(at)
        try:
            Store(world, store.root).publish(out)
        except Crash:
            assert not out.exists() or tree_of(store.world, out).digest == digest
        assert store.recheck(digest)
        assert store.publish(fill(tmp_path / f"again{at}")).digest == digest
        if not world.dead:
            break
    assert at > 10


def _publish_and_cut_power(store: Store, out: Path, *, at: int, lost: frozenset[int]) -> tuple[int, bool]:
    """How many names were unsynced when the power went, and whether the publish had returned."""
    digest = tree_of(store.world, fill(out, out.name, files=1)).digest
    world = Crashing(at, unsynced=out)
    with suppress(Crash):
        Store(world, store.root).publish(out)
    world.settle()
    unsynced = len(world.names)
    world.cut_power(out.parent, store.root / "trees", store.root / "tmp", loses=lambda name: name in lost)
    whole = store.recheck(digest)
    assert store.has(digest) == whole, (at, sorted(lost), world.names)
    assert whole or world.dead
    store.world.remove_tree(store.path(digest))
    return unsynced, not world.dead


def test_a_power_cut_at_any_effect_of_publish_leaves_absent_or_whole(store, tmp_path):
    """Also when bytes and names that no fsync reached are lost, in any order; what was returned is never lost."""
    luck = random.Random(1)
    outs = (tmp_path / f"work{number}" / f"power {number}" for number in itertools.count())
    for at in itertools.count():
        unsynced, _ = _publish_and_cut_power(store, next(outs), at=at, lost=frozenset())
        # a tree whose shard is new has more effects than another: so all must be through
        done = [_publish_and_cut_power(store, next(outs), at=at, lost=lost)[1] for lost in _losses(unsynced, luck)]
        if all(done):
            break
    assert at > 10


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_any_effect_is_told_and_harms_nothing(store, tmp_path, number, once):
    """A full or read-only disk is a message with the path in it; the store stays whole and can go on afterwards."""
    for at in itertools.count():
        out = fill(tmp_path / f"out{at}", f"{number} {once} {at}")
        digest = tree_of(store.world, out).digest
        world = Refusing(at, number=number, once=once)
        refused = refusal(Store(world, store.root).publish, out)
        assert world.refused == (refused is not None)
        if refused is not None:
            assert [each.code for each in refused.problems] == ["disk-full" if number == errno.ENOSPC else "not-allowed"]
            assert str(tmp_path) in refused.problems[0].message
            assert store.has(digest) in (False, store.recheck(digest))
            if not store.has(digest):
                assert store.publish(out).digest == digest
        assert store.recheck(digest)
        if not world.refused:
            break
    assert at > 10


class Elsewhere(Crashing):
    """A store on another file system than what is published: only what lies in the store moves within it."""

    def __init__(self, root: Path, at: int = -1) -> None:
        super().__init__(at)
        self.root = str(root)

    def rename(self, path, *, to):
        """Refused from one to the other, as the machine does."""
        if str(to).startswith(self.root) and not str(path).startswith(self.root):
            self.effect("rename", str(path), str(to))
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
        super().rename(path, to=to)


def test_a_result_on_another_file_system_is_carried_over_whole_at_any_crash(store, tmp_path):
    """The one case in which bytes are copied: absent or whole after each effect, and nothing of it stays behind."""
    for at in itertools.count():
        out = fill(tmp_path / str(at) / "out", f"far {at}")
        digest = tree_of(store.world, out).digest
        world = Elsewhere(store.root, at)
        try:
            assert Store(world, store.root).publish(out).digest == digest
        except Crash:
            assert store.has(digest) in (False, store.recheck(digest))
            assert not out.exists() or tree_of(store.world, out).digest == digest
            if not store.has(digest):
                assert Store(Elsewhere(store.root), store.root).publish(out).digest == digest
        assert store.recheck(digest)
        if not world.dead:
            break
        store.world.remove_tree(store.root / "tmp")
        (store.root / "tmp").mkdir()
    assert at > 30
    assert names(store.root / "tmp") == names(tmp_path / str(at)) == []
    top = store.path(digest)
    assert all(not path.lstat().st_mode & 0o222 for path in [top, *top.rglob("*")] if not path.is_symlink())


def test_a_copy_that_came_out_otherwise_is_not_published(store, tmp_path):
    """What is carried over is read once more: a disk that lies is caught before anybody reads the tree."""

    class Lying(Elsewhere):
        def copy_tree(self, path, *, to):
            super().copy_tree(path, to=to)
            (Path(to) / "deep" / "er" / "weights").write_bytes(b"\1" * 100)

    out = fill(tmp_path / "out")
    with pytest.raises(ZycError) as error:
        Store(Lying(store.root), store.root).publish(out)
    assert codes(error) == ["tree-changed"]
    assert store.present() == frozenset()
    assert names(store.root / "tmp") == []
    assert (out / "file 0").exists()


@pytest.mark.parametrize("once", [True, False])
def test_a_full_disk_while_a_result_is_carried_over_is_told_and_harms_nothing(store, tmp_path, once):
    """At each effect: a message, the tree absent or whole, and the result where it was."""

    class Both(Refusing):
        def rename(self, path, *, to):
            if str(to).startswith(self.root) and not str(path).startswith(self.root):
                self.effect("rename", str(path), str(to))
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
            super().rename(path, to=to)

    for at in itertools.count():
        out = fill(tmp_path / str(at) / "out", f"{once} {at}")
        digest = tree_of(store.world, out).digest
        world = Both(at, once=once)
        world.root = str(store.root)
        refused = refusal(Store(world, store.root).publish, out)
        assert refused is None or [each.code for each in refused.problems] == ["disk-full"]
        assert store.has(digest) in (False, store.recheck(digest))
        assert store.has(digest) or tree_of(store.world, out).digest == digest
        if not world.refused:
            break
    assert at > 30


def test_a_store_whose_own_folders_lie_on_two_file_systems_is_told(tmp_path):
    """Within the store a rename must do: where it cannot, the message says what to keep together."""
    store = Store.open(Quick(), tmp_path / "store")

    class Torn(Quick):
        def rename(self, path, *, to):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))

    with pytest.raises(ZycError) as error:
        Store(Torn(), store.root).publish(fill(tmp_path / "out"))
    assert codes(error) == ["other-disk"]


def test_two_that_publish_the_same_at_once_both_succeed(tmp_path):
    """Whoever comes second finds the tree, drops its own, and says the same."""

    class Overtaken(Quick):
        def rename(self, path, *, to):
            if "trees" in str(to) and not Path(to).exists():
                shutil.copytree(path, to, symlinks=True)
            super().rename(path, to=to)

    store = Store.open(Overtaken(), tmp_path / "store")
    digest = store.publish(fill(tmp_path / "out")).digest
    assert store.recheck(digest)
    assert not (tmp_path / "out").exists()
    assert names(store.root / "tmp") == []


# --- digests of trees ---

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
CONTENTS = st.one_of(
    st.none(), st.tuples(st.binary(max_size=20), st.booleans())
)  # an empty folder, or bytes and whether they run
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), CONTENTS, max_size=6)


def lay(folder: Path, tree, *, backwards=False):
    """Make a tree; what collides is left out, the same way in any order."""
    kept = {path: content for path, content in tree.items() if not any(other.startswith(f"{path}/") for other in tree)}
    folder.mkdir()
    for path, content in sorted(kept.items(), reverse=backwards):
        place = folder / path
        if content is None:
            place.mkdir(parents=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content[0])
            place.chmod(0o755 if content[1] else 0o644)
    return kept


@settings(max_examples=60, deadline=None)
@given(TREES, TREES)
def test_tree_digests_are_equal_exactly_when_the_trees_are(one, other):
    """Order of making, times and owners do not count; names (any name), bytes, x bits and empty folders do."""
    with tempfile.TemporaryDirectory() as home:
        first = lay(Path(home, "first"), one)
        lay(Path(home, "again"), one, backwards=True)
        second = lay(Path(home, "second"), other)
        digests = {name: tree_of(Quick(), Path(home, name)).digest for name in ("first", "again", "second")}
    assert digests["first"] == digests["again"]
    assert (digests["first"] == digests["second"]) == (first == second)


@pytest.mark.parametrize(
    "change",
    [
        lambda out: (out / "file 0").rename(out / "file 9"),
        lambda out: (out / "file 0").write_text("other"),
        lambda out: (out / "file 0").chmod(0o755),
        lambda out: (out / "empty").rmdir(),
        lambda out: (out / "deep" / "empty").mkdir(),
        lambda out: (out / "deep" / "link").rename(out / "deep" / "other"),
        lambda out: [(out / "deep" / "link").unlink(), (out / "deep" / "link").symlink_to("../file 1")],
        lambda out: [(out / "deep" / "link").unlink(), (out / "deep" / "link").write_text("../file 0")],
    ],
    ids=["name", "bytes", "x", "empty folder gone", "empty folder new", "link moved", "link turned", "link made a file"],
)
def test_each_part_of_a_tree_counts(tmp_path, change):
    """A name, a byte, an x bit, an empty folder, a link and where it leads: each alone changes the digest."""
    before = tree_of(World(), fill(tmp_path / "out"))
    change(tmp_path / "out")
    assert tree_of(World(), tmp_path / "out").digest != before.digest


def test_the_digest_of_a_known_tree_never_changes(tmp_path):
    """Stores live longer than versions: this digest is written down."""
    digest = tree_of(World(), fill(tmp_path / "out", "golden")).digest
    assert digest == "9ff374b7a2e5ae169c41d87b98acc83d0569d9c15811f0b43c846b5a454a0e89"
    assert (
        group_digest({"rank=8": "a" * 64, "rank=64": "b" * 64})
        == "9e1433f0023db4bf98399516861f40205a46dea0cbbe55ce66427f27c3b0f662"
    )


def test_names_that_are_not_text_are_published(store, tmp_path):
    """A file name is bytes: one that is no UTF-8 survives, and can be told."""
    out = fill(tmp_path / "out")
    try:
        Path(os.fsdecode(os.fsencode(out) + b"/\xff\xfe")).write_text("x")
    except OSError:
        pytest.skip("this file system only has names in UTF-8")
    assert store.recheck(store.publish(out).digest)


# --- groups ---


def test_a_group_leads_to_its_members_without_a_copy(store, tmp_path):
    """A group is one tree of links; its digest is known without the disk."""
    members = {f"rank={number}": store.publish(fill(tmp_path / str(number), str(number))).digest for number in range(3)}
    digest = store.group(members)
    assert digest == group_digest(dict(reversed(members.items())))
    assert (store.path(digest) / "rank=1" / "file 0").read_text() == "1 0"
    assert store.recheck(digest)
    assert store.group(members) == digest
    assert group_digest({**members, "rank=3": ABSENT}) != digest
    assert names(store.root / "tmp") == []


@pytest.mark.parametrize("label", ["", ".", "..", "a/b", "a\0b", "x" * 256])
def test_labels_that_are_no_names_are_refused(label):
    """A label becomes a file name, so it cannot lead anywhere else."""
    with pytest.raises(ValueError, match="cannot label"):
        group_digest({label: ABSENT})


def test_a_group_of_absent_trees_is_refused(store):
    """A group never dangles when it is made."""
    with pytest.raises(ValueError, match="not here"):
        store.group({"one": ABSENT})


def _group_and_cut_power(store: Store, members: dict[str, str], *, at: int, lost: frozenset[int]) -> tuple[int, bool]:
    digest = group_digest(members)
    world = Crashing(at)
    with suppress(Crash):
        Store(world, store.root).group(members)
    world.settle()
    unsynced = len(world.names)
    world.cut_power(store.root / "trees", store.root / "tmp", loses=lambda name: name in lost)
    whole = store.recheck(digest)
    assert store.has(digest) == whole, (at, sorted(lost), world.names)
    assert whole or world.dead
    assert store.recheck(store.group(members))
    store.world.remove_tree(store.path(digest))
    return unsynced, not world.dead


def test_a_power_cut_at_any_effect_of_a_group_leaves_absent_or_whole(store, tmp_path):
    """As for any tree."""
    luck = random.Random(1)
    member = store.publish(fill(tmp_path / "member")).digest
    trials = ({f"{number} {label}": member for label in "ab"} for number in itertools.count())
    for at in itertools.count():
        unsynced, _ = _group_and_cut_power(store, next(trials), at=at, lost=frozenset())
        done = [_group_and_cut_power(store, next(trials), at=at, lost=lost)[1] for lost in _losses(unsynced, luck)]
        if all(done):
            break
    assert at > 5


# --- using and checking ---


def test_expose_is_one_relative_link_that_moves_with_the_project(store, tmp_path):
    """The link is replaced in one step, holds no absolute path, and is not written again when it is right."""
    one, two = (store.publish(fill(tmp_path / name, name)).digest for name in ("one", "two"))
    link = tmp_path / "artifacts" / "nodes" / "a node"
    store.expose(link, one)
    store.expose(link, two)
    assert not str(link.readlink()).startswith("/")
    assert (link / "file 0").read_text() == "two 0"
    idle = Crashing(0)
    Store(idle, store.root).expose(link, two)
    assert idle.count == 0


def test_expose_works_below_a_linked_folder(store, tmp_path):
    """`..` is taken from where a linked folder really is."""
    digest = store.publish(fill(tmp_path / "out", "seen")).digest
    (tmp_path / "far" / "away" / "disk").mkdir(parents=True)
    (tmp_path / "nodes").symlink_to(tmp_path / "far" / "away" / "disk")
    store.expose(tmp_path / "nodes" / "it", digest)
    assert (tmp_path / "nodes" / "it" / "file 0").read_text() == "seen 0"


@pytest.mark.parametrize("name", ["", "..", "../../etc", "A" * 64, "g" * 64, "a" * 63, "a" * 64 + "\n"])
def test_names_from_outside_are_digests_or_refused(store, name):
    """No text that is not a sha256 becomes a path."""
    for use in (store.path, store.has, store.recheck, store.quarantine, store.lock):
        with pytest.raises(ValueError, match="not a sha256"):
            use(name)


@pytest.mark.parametrize("damage", ["flip", "grow", "remove", "add", "x", "link", "empty folder"])
def test_recheck_finds_any_damage_and_quarantine_makes_it_absent(store, tmp_path, damage):
    """Read-only modes prove nothing: the bytes are read again."""
    digest = store.publish(fill(tmp_path / "out")).digest
    top = store.path(digest)
    store.world.thaw(top)
    file = top / "deep" / "er" / "weights"
    if damage == "flip":
        file.write_bytes(b"\0" * 50 + b"\1" + b"\0" * 49)
    elif damage == "grow":
        file.write_bytes(b"\0" * 101)
    elif damage == "remove":
        file.unlink()
    elif damage == "add":
        (top / "more").touch()
    elif damage == "x":
        file.chmod(0o755)
    elif damage == "link":
        (top / "deep" / "link").unlink()
        (top / "deep" / "link").symlink_to("../file 1")
    else:
        (top / "empty").rmdir()
    assert not store.recheck(digest)
    first = store.quarantine(digest)
    assert first.is_dir()
    assert not store.has(digest)
    assert store.publish(fill(tmp_path / "out")).digest == digest
    assert store.quarantine(digest) != first


def test_a_sector_that_cannot_be_read_is_not_whole(store, tmp_path):
    """An input/output error is damage, not a reason to stop a check of the rest."""
    digest = store.publish(fill(tmp_path / "out")).digest

    class Failing(Quick):
        def digest(self, path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    assert not Store(Failing(), store.root).recheck(digest)


def test_one_key_has_one_lock(store):
    """A key is locked once; without waiting, a second try says so."""
    with store.lock(ABSENT), pytest.raises(BlockingIOError):
        store.lock(ABSENT, wait=False)
    store.lock(ABSENT, wait=False).release()


def test_whoever_wants_the_store_alone_waits_for_no_build(store):
    """Builds share a store; who removes is told who is at work, and builds wait for it to end."""
    one, other = store.sharing(), store.sharing()
    one.release()
    with pytest.raises(ZycError) as error:
        store.alone()
    assert codes(error) == ["store-busy"]
    assert f"process {os.getpid()} " in error.value.problems[0].message
    other.release()
    told, got = [], []
    with store.alone():
        waiting = threading.Thread(target=lambda: got.append(store.sharing(told=told.append)))
        waiting.start()
        while not told:
            time.sleep(0.01)
        assert not got
    waiting.join()
    got[0].release()


def test_a_step_that_outlives_its_build_keeps_the_store(store):
    """Its inherited descriptor holds the lock; it is told as what it is."""
    lock = store.sharing()
    step = subprocess.Popen(["sleep", "60"], pass_fds=[lock.descriptor])
    lock.release()
    (store.root / "locks" / "store").write_text("")
    with pytest.raises(ZycError, match="a step that outlived its build"):
        store.alone()
    step.kill()
    step.wait()
    store.alone().release()
