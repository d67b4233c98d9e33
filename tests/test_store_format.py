"""A store of each format that zyc ever wrote opens, plans, verifies and is built from."""

import shutil
from pathlib import Path

import pytest
from desk import Desk

from zyc.keeping.journal import Journal
from zyc.keeping.store import FORMAT, Store
from zyc.keeping.traces import Roots, Traces, projects
from zyc.world import World

HERE = Path(__file__).parent / "store_format_1"
MEMBERS = {"bread@size=1", "bread@size=2"}


@pytest.fixture
def desk(tmp_path):
    """A project whose store is the committed one."""
    desk = Desk(tmp_path / "mill")
    desk.write("specs/mill.yml", (HERE / "mill.yml").read_text())
    shutil.copytree(HERE / "store", desk.root / "artifacts" / "store", symlinks=True)
    return desk


def test_the_format_that_is_written_now_has_a_committed_store():
    """Whoever changes the format adds a store of the new one; the old ones stay."""
    assert (HERE / "store" / "FORMAT").read_text() == FORMAT


def test_it_opens_and_says_what_it_said(desk):
    """Roots lead to traces, traces to trees that are what their names say, a group to its members."""
    store = Store.open(World(), desk.root / "artifacts/store")
    last = Roots(store, "/mill").all()
    assert last.keys() == {*MEMBERS, "toast"}
    assert Roots(store, "/mill", twin=True).all().keys() == last.keys()
    assert list(projects(store).values()) == ["/mill"]
    traces = {node: Traces(store).read(key) for node, key in last.items()}
    assert {node: dict(traces[node].measures) for node in MEMBERS} == {"bread@size=1": {"size": 1}, "bread@size=2": {"size": 2}}
    ((_, group),) = traces["toast"].inputs.values()
    assert {*store.members(group)} == {traces[node].tree for node in MEMBERS}
    assert all(store.recheck(tree) for tree in store.present())
    told = []
    with Journal.open(store, told=told.append) as journal:
        assert journal.summaries().keys() >= {*last.values()}
    assert [each.code for each in told] == ["index-missing"], "an index is not committed"


def test_all_of_it_is_kept_and_verified(desk):
    """Its keys are those that this zyc makes of the same specs, so nothing runs; and every byte is as it was."""
    assert set(desk.states().values()) == {"keep"}
    assert set(desk.fates().values()) == {"kept"}
    said = desk.zyc("verify")
    assert said.code == 0, said.text


def test_it_is_swept_and_built_on(desk):
    """The project that it was made by is gone; once that is forgotten, what this one has stays."""
    desk.zyc("build")
    assert desk.zyc("gc", "--forget", "/mill").code == 0
    assert set(desk.states().values()) == {"keep"}
    desk.edit("specs/mill.yml", "a loaf of", "a large loaf of")
    assert set(desk.fates().values()) == {"ran"}
    assert desk.tree("toast")["toast.txt"] == b"a large loaf of 1\na large loaf of 2\n"
