"""Traces and roots: what made what, whole or absent, and never a traceback from a damaged file."""

import errno
import itertools
import json
import math
import random
from contextlib import suppress

import pytest
from faulty import Crash, Crashing, Quick, Refusing, refusal
from hypothesis import given
from hypothesis import strategies as st

from zyc.errors import ZycError
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces, decode, encode, projects, read_root, slug


def digest(letter: str) -> str:
    """A digest that is easy to see."""
    return letter * 64


def trace(key: str = "a", **more) -> Trace:
    """A trace that says something of everything."""
    facts = {
        "kind": "finetune",
        "tree": digest("b"),
        "bytes": 10,
        "manifest": (("recipe/train.py", digest("c")), ("kind", "finetune")),
        "fields": (("train.epochs", "3"),),
        "inputs": {"base": (digest("d"), digest("e")), "data": ("", digest("f"))},
        "measures": {"loss.train": 0.1, "accuracy": 1.0},
        "environment": {"python": "3.11.7"},
        "placement": {"threads": "2"},
        "seconds": 12.5,
        "peak_memory": 1 << 30,
        "started": "2026-01-02T03:04:05Z",
        "accepted": digest("9"),
    }
    return Trace(key=digest(key), **{**facts, **more})


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return Store.open(Quick(), tmp_path / "store")


@pytest.fixture
def told():
    """What was told."""
    return []


# --- traces ---


def test_a_trace_is_read_as_it_was_written(store):
    """All that a trace says comes back, and its key is among the keys."""
    traces = Traces(store)
    traces.write(trace())
    assert traces.read(digest("a")) == trace()
    assert traces.keys() == {digest("a")}
    assert traces.read(digest("0")) is None


def test_a_newer_trace_takes_the_place_of_an_older_one(store):
    """A key has one trace: the last."""
    traces = Traces(store)
    traces.write(trace())
    traces.write(trace(seconds=1.0))
    assert traces.read(digest("a")) == trace(seconds=1.0)


def test_the_file_of_a_trace_is_json_for_people_and_the_same_each_time():
    """Sorted keys, one fact a line: two equal traces are equal bytes, whatever the order they were told in."""
    one = trace(measures={"a": 1, "b": 2})
    other = trace(measures={"b": 2.0, "a": 1.0})
    assert encode(one) == encode(other)
    assert list(json.loads(encode(one))) == sorted(json.loads(encode(one)))


WORDS = st.text(max_size=8)
NUMBERS = st.one_of(st.floats(allow_nan=False), st.integers(-(2**53), 2**53), st.sampled_from([math.inf, -math.inf]))
TRACES = st.builds(
    trace,
    kind=WORDS,
    fields=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    measures=st.dictionaries(WORDS, NUMBERS, max_size=3),
    environment=st.dictionaries(WORDS, WORDS, max_size=3),
    seconds=st.floats(0, 1e9),
)


@given(TRACES)
def test_any_trace_survives_its_file(one):
    """Any text and any number come back the same."""
    assert decode(encode(one), key=one.key) == one


def test_a_loss_that_is_not_a_number_survives():
    """A run that diverged has measures too, and its file is still JSON everywhere."""
    data = encode(trace(measures={"loss": math.nan}))
    assert b"NaN" not in data
    assert math.isnan(decode(data, key=digest("a")).measures["loss"])


@given(st.integers(min_value=0), st.integers(0, 7))
def test_any_flipped_bit_shows(place, bit):
    """No bit of the file of a trace can turn without the trace becoming unreadable."""
    data = bytearray(encode(trace()))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(ValueError, match=r"."):
        decode(bytes(data), key=digest("a"))


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b'"text"', b"1e999", b"\xff\xfe", b"{}" * 2, b"[" * 100_000, b'{"key": 1}', encode(trace("b"))],
    ids=["empty", "torn", "null", "list", "text", "infinite", "binary", "two", "deep", "short", "another's"],
)
def test_a_torn_or_foreign_trace_is_absent_and_told(store, told, data):
    """The problem names the file; nobody sees a traceback; writing the trace again mends it."""
    traces = Traces(store, told=told.append)
    traces.path(digest("a")).parent.mkdir()
    traces.path(digest("a")).write_bytes(data)
    assert traces.read(digest("a")) is None
    assert [each.code for each in told] == ["unreadable-record"]
    assert f"{digest('a')}.json" in told[0].message
    traces.write(trace())
    assert traces.read(digest("a")) == trace()


@pytest.mark.parametrize(
    "lost",
    [lambda _: True, lambda _: False, lambda name: name == 0, lambda name: name == 1],
    ids=["all", "none", "first", "second"],
)
@pytest.mark.parametrize("older", [True, False])
def test_a_crash_or_power_cut_at_any_effect_of_a_write_leaves_a_whole_trace_or_none(store, told, lost, older):
    """An older trace of the key is whole as well until the new one is; a write that returned is never lost."""
    traces = Traces(store, told=told.append)
    for at in itertools.count():
        if older:
            traces.write(trace(seconds=1.0))
        world = Crashing(at)
        with suppress(Crash):
            Traces(Store(world, store.root)).write(trace(seconds=2.0))
        world.settle()
        world.cut_power(traces.folder, loses=lost)
        found = traces.read(digest("a"))
        assert found in ([trace(seconds=2.0)] if not world.dead else [None, trace(seconds=1.0), trace(seconds=2.0)])
        assert told == []
        traces.write(trace())
        assert traces.read(digest("a")) == trace()
        store.world.remove_tree(traces.path(digest("a")).parent)
        if not world.dead:
            break
    assert at == (5 if older else 7)


def test_a_full_disk_is_told_and_harms_nothing(store, told):
    """At each effect of a write: a message, and the older trace or none; no temporary file stays."""
    traces = Traces(store, told=told.append)
    for at in itertools.count():
        world = Refusing(at)
        refused = refusal(Traces(Store(world, store.root)).write, trace())
        assert refused is None or [each.code for each in refused.problems] == ["disk-full"]
        assert world.refused == (refused is not None)
        assert traces.read(digest("a")) in (None, trace())
        assert told == []
        assert {name for name, _ in store.world.walk(traces.folder)} <= {"aa", f"aa/{digest('a')}.json"}
        store.world.remove_tree(traces.path(digest("a")).parent)
        if not world.refused:
            break
    assert at == 7


def test_no_permission_to_read_is_told(store):
    """What the machine refuses is said in words, with the path."""

    class Closed(Quick):
        def read(self, path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(ZycError) as error:
        Traces(Store(Closed(), store.root)).read(digest("a"))
    assert error.value.problems[0].code == "not-allowed"


# --- roots ---


def test_roots_remember_the_last_key_of_each_node(store, tmp_path):
    """The last one counts, a node's name comes back as it is, and projects do not see each other."""
    roots = Roots(store, tmp_path / "project")
    roots.set("philo-lora@rank=8", digest("a"))
    roots.set("philo-lora@rank=8", digest("b"))
    roots.set("weird / näme\n", digest("c"))
    assert roots.get("philo-lora@rank=8") == digest("b")
    assert roots.get("other") is None
    assert roots.all() == {"philo-lora@rank=8": digest("b"), "weird / näme\n": digest("c")}
    assert Roots(store, tmp_path / "another").all() == {}


def test_twins_are_apart(store, tmp_path):
    """A rehearsal never takes the place of the real thing."""
    Roots(store, tmp_path).set("node", digest("a"))
    Roots(store, tmp_path, twin=True).set("node", digest("b"))
    assert Roots(store, tmp_path).all() == {"node": digest("a")}
    assert Roots(store, tmp_path, twin=True).all() == {"node": digest("b")}


def test_a_project_is_registered_with_its_real_path(store, tmp_path):
    """Whoever cleans up finds each project that ever kept something, by the one path that it has."""
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    Roots(store, tmp_path / "project").set("node", digest("a"))
    assert Roots(store, tmp_path / "link").get("node") == digest("a")
    assert list(projects(store).values()) == [str((tmp_path / "project").resolve())]


def test_the_keys_that_a_node_had_before_are_remembered(store, tmp_path):
    """Who cleans up can say whose an old tree was: each key once, the latest first, and no more than some."""
    roots = Roots(store, tmp_path)
    for letter in "abab":
        roots.set("node", digest(letter))
    path = roots.folder / f"{slug('node')}.json"
    assert read_root(store, path, told=print) == ("node", digest("b"), (digest("a"),))
    for number in range(100):
        roots.set("node", f"{number:064}")
    assert len(read_root(store, path, told=print).former) == 64


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_effect_keeps_the_root_that_was_set(store, tmp_path, told, seed):
    """A sweep goes by what is remembered: once `set` returns it is not forgotten, and until then the older one stands."""
    luck = random.Random(seed)
    for at in itertools.count():
        project = tmp_path / f"{seed} {at}"
        if at % 2:
            Roots(store, project).set("node", digest("a"))
        world = Crashing(at)
        with suppress(Crash):
            Roots(Store(world, store.root), project).set("node", digest("b"))
        world.settle()
        world.cut_power(store.root / "roots", loses=lambda _: luck.random() < (1.0, 0.0, 0.3, 0.7)[seed])
        found = Roots(store, project, told=told.append).get("node")
        assert found in ((digest("b"),) if not world.dead else (None, digest("a"), digest("b")))
        assert at % 2 == 0 or found is not None
        assert told == []
        if not world.dead:
            break
    assert at > 4


@pytest.mark.parametrize("damage", ["flip", "tear", "swap"])
def test_a_damaged_card_is_told_and_its_project_counts(store, tmp_path, told, damage):
    """A flipped bit never makes another project of one; the next build of the project writes its card again."""
    Roots(store, tmp_path).set("node", digest("a"))
    (name,) = projects(store)
    path = store.root / "roots" / name / "project.json"
    data = path.read_bytes()
    other = data.replace(b'"path"', b'"pith"') if damage == "flip" else data[:20] if damage == "tear" else b"{}"
    path.write_bytes(other)
    assert projects(store) == {name: ""}
    Roots(store, tmp_path, told=told.append).set("node", digest("a"))
    assert [each.code for each in told] == ["unreadable-record"]
    assert projects(store) == {name: str(tmp_path.resolve())}


def test_looking_at_roots_writes_nothing(store, tmp_path):
    """A plan registers nobody."""
    Roots(store, tmp_path).all()
    assert projects(store) == {}


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"[" * 100_000, b'{"node": "node", "key": "x"}'], ids=["empty", "object", "list", "deep", "short"]
)
def test_a_torn_root_is_absent_and_told(store, tmp_path, told, data):
    """A damaged root is as good as none, and its file is named."""
    roots = Roots(store, tmp_path, told=told.append)
    roots.set("node", digest("a"))
    store.world.write(roots.folder / f"{slug('node')}.json", data)
    assert roots.get("node") is None
    assert roots.all() == {}
    assert {each.code for each in told} == {"unreadable-record"}


def test_a_flipped_bit_in_a_root_shows(store, tmp_path, told):
    """A root that says another key than was written is no root."""
    roots = Roots(store, tmp_path, told=told.append)
    roots.set("node", digest("a"))
    path = roots.folder / f"{slug('node')}.json"
    store.world.write(path, path.read_bytes().replace(b"aaaa", b"aaba", 1))
    assert roots.get("node") is None
    assert len(told) == 1


@given(st.text(max_size=30), st.text(max_size=30))
def test_slugs_are_file_names_and_never_meet(one, other):
    """Any name gives a safe file name, and two names never share one, even where case does not count."""
    assert "/" not in slug(one)
    assert len(slug(one).encode()) < 120
    assert (slug(one).lower() == slug(other).lower()) == (one == other)


@pytest.mark.parametrize("key", ["", "../x", "A" * 64])
def test_keys_from_outside_are_digests_or_refused(store, tmp_path, key):
    """No text that is not a sha256 becomes a path, or is written as a key."""
    for use in (Traces(store).read, Traces(store).path, lambda name: Roots(store, tmp_path).set("node", name)):
        with pytest.raises(ValueError, match="not a sha256"):
            use(key)
