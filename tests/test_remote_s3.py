"""A remote on a real S3 server: pushed, planned, pulled; and what is said when the server lies, refuses or dies."""

import os
import threading
import time

import loopback
import pytest
from desk import Desk

from zyc.errors import ZycError
from zyc.keeping.remote import Remote, layout
from zyc.keeping.store import Store
from zyc.keeping.traces import Trace
from zyc.world import World

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not loopback.is_here(), reason="no rclone in this environment")]
URL = "s3://bucket/deep/store"
KEY = "a" * 64
SPEC = """\
steps:
  grain: printf 'rye\\n' > out/x; printf '' > out/empty; cp out/x "$(printf 'out/odd \\377')"
  flour: {inputs: {it: grain}, run: tr a-z A-Z < in/it/x > out/x; cp out/x out/again; chmod +x out/again}
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server that listens, and an environment that knows it."""
    with loopback.S3(tmp_path / "s3") as server:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
            monkeypatch.delenv(name)
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server


def desk(tmp_path, name, server):
    """Somebody at work."""
    made = Desk(tmp_path / name, environ=dict(server.environ))
    made.spec(SPEC)
    made.write("zyc.yml", f"remotes: {{team: {{url: {URL}}}}}\n")
    return made


@pytest.fixture
def heavy(tmp_path, server):
    """A store with a tree of some weight, pushed."""
    store = Store.open(World(), tmp_path / "store")
    (tmp_path / "out").mkdir()
    for number in range(6):
        (tmp_path / "out" / f"part{number}").write_bytes(os.urandom(3 * layout.PIECE + number))
    tree = store.publish(tmp_path / "out")
    trace = Trace(key=KEY, kind="step", tree=tree.digest, bytes=tree.bytes)
    assert Remote.open(World(), URL, create=True).push(trace, store).objects == 6
    return trace


def test_there_and_back_over_s3(tmp_path, server):
    """What one machine pushes another plans with and pulls, odd names and x bits included; nothing runs twice."""
    ann, bob = desk(tmp_path, "ann", server), desk(tmp_path, "bob", server)
    assert ann.zyc("build").code == 0
    said = ann.zyc("push", "--remote", "team", "--json")
    assert (said.code, said.data["counts"]["sent"]) == (0, 2), said.text
    assert ann.zyc("push", "--remote", "team", "--json").data["counts"]["there"] == 2
    plan = bob.zyc("plan", "--remote", URL, "--json").data
    assert (plan["counts"]["keep"], plan["fetch"]["nodes"], plan["fetch"]["remote"]) == (2, 1, URL)
    said = bob.zyc("pull", "--remote", "team")
    assert said.code == 0, said.text
    assert bob.tree("flour") == ann.tree("flour")
    assert bob.tree("grain") == ann.tree("grain")
    assert os.access(bob.root / "artifacts/nodes/flour/again", os.X_OK)
    assert set(bob.fates().values()) == {"kept"}
    files = [path for path in server.root.rglob("*") if path.is_file()]
    assert {path.relative_to(server.root).parts[:3] for path in files} == {
        ("bucket", "deep", "store"),
    }
    assert not [path for path in (*files, *ann.root.rglob("*")) if path.is_file() and b"sesame" in path.read_bytes()]


def test_large_objects_come_in_pieces_and_whole(tmp_path, server, heavy):
    """Objects of several pieces and of exactly that many arrive as they were."""
    other = Store.open(World(), tmp_path / "other")
    told = []
    tree = Remote.open(World(), URL).fetch(heavy.tree, other, told=lambda done, total: told.append((done, total)))
    assert tree.bytes == heavy.bytes
    assert other.recheck(heavy.tree)
    assert told[-1] == (heavy.bytes, heavy.bytes)


def test_a_server_that_dies_in_mid_fetch_costs_what_was_on_its_way(tmp_path, server, heavy, monkeypatch):
    """The fetch ends in words, nothing is seen; once the server is back only what had not arrived is asked for."""
    monkeypatch.setattr(World, "sleep", lambda *_: None)
    other = Store.open(World(), tmp_path / "other")
    remote = Remote.open(World(), URL)
    arrived = threading.Event()

    def told(done, total):
        if done > total // 3:
            arrived.set()

    def end():
        arrived.wait(60)
        server.kill()

    killer = threading.Thread(target=end)
    killer.start()
    with pytest.raises(ZycError) as error:
        remote.fetch(heavy.tree, other, told=told)
    killer.join()
    assert [each.code for each in error.value.problems] == ["remote-failed"]
    assert "objects/" in error.value.problems[0].message
    assert not other.present()
    server.start()
    had = [path for path in (other.root / "tmp").glob("fetch-*/*") if len(path.name) == 64]
    pieces = []
    remote = Remote.open(World(), URL)
    piece = remote.shelf.piece
    monkeypatch.setattr(remote.shelf, "piece", lambda path, **how: pieces.append(path) or piece(path, **how))
    assert remote.fetch(heavy.tree, other).digest == heavy.tree
    assert len({path for path in pieces if path.startswith("objects/")}) == 6 - len(had)


def test_a_flipped_bit_on_the_server_is_found(tmp_path, server, heavy):
    """What the server gives is held against its digest on arrival."""
    place = next((server.root / "bucket/deep/store/objects").glob("*/*"))
    data = bytearray(place.read_bytes())
    data[layout.PIECE + 7] ^= 4
    place.write_bytes(data)
    with pytest.raises(ZycError) as error:
        Remote.open(World(), URL).fetch(heavy.tree, Store.open(World(), tmp_path / "other"))
    assert [each.code for each in error.value.problems] == ["remote-damaged"]
    assert place.name in error.value.problems[0].message


def test_an_empty_trace_on_the_server_is_none(server, heavy):
    """A file without bytes, which some servers answer with an error, is a damaged trace like any other."""
    (server.root / "bucket/deep/store" / layout.trace_path(KEY)).write_bytes(b"")
    told = []
    assert Remote.open(World(), URL, told=told.append).trace(KEY) is None
    assert [each.code for each in told] == ["remote-unreadable"]


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        ("s3://bucket/none", {}, "holds no results of zyc's"),
        ("s3://nobody/store", {}, "holds no results of zyc's"),
        (URL, {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "signature"),
        (URL, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "failed at `FORMAT`"),
    ],
    ids=["no remote", "no bucket", "wrong secret", "no server"],
)
def test_what_goes_wrong_with_a_server_is_told_in_words(tmp_path, server, heavy, url, environ, words):
    """No traceback, exit code 2, no secret, and soon."""
    began = time.monotonic()
    said = desk(tmp_path, "ann", server).shell(f"zyc plan --remote {url}", within=120, **environ)
    assert said.code == 2
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.text
    assert "secret" not in said.text
    assert time.monotonic() - began < 60


def test_a_bucket_that_is_not_there_cannot_be_pushed_to(tmp_path, server):
    """A push makes a remote in an empty place, and no bucket."""
    ann = desk(tmp_path, "ann", server)
    ann.zyc("build")
    said = ann.zyc("push", "--remote", "s3://nobody/store")
    assert said.code == 2
    assert "there is no such place" in said.err


def test_two_push_to_one_server_at_once(tmp_path, server):
    """Both end well, and the remote holds one of each."""
    both = [desk(tmp_path, name, server) for name in ("ann", "bob")]
    for each in both:
        assert each.zyc("build").code == 0
    said = []
    pair = [threading.Thread(target=lambda each=each: said.append(each.shell("zyc push --remote team --json"))) for each in both]
    for each in pair:
        each.start()
    for each in pair:
        each.join()
    assert [each.code for each in said] == [0, 0], [each.text for each in said]
    carol = desk(tmp_path, "carol", server)
    assert carol.zyc("pull", "--json", "--remote", "team").data["counts"]["fetched"] == 2
