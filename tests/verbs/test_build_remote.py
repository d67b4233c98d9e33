"""Building with a remote: what others built is taken, and nothing behind it is built or fetched."""

import json

import pytest
from desk import Desk

from zyc.front import Call, open_front
from zyc.runner import Build, Fate, Started
from zyc.world import World

CHAIN = """steps:
  grain: echo rye > out/grain
  flour: {inputs: {grain: grain}, run: tr a-z A-Z < in/grain/grain > out/flour}
  bread: {inputs: {flour: flour}, run: cat in/flour/flour > out/bread; echo baked >> out/bread}
"""


@pytest.fixture
def shared(tmp_path):
    """A remote that holds a chain of three."""
    first = Desk(tmp_path / "first")
    first.spec(CHAIN)
    assert first.zyc("build", "--remote", str(tmp_path / "shared"), "--push").code == 0
    return tmp_path / "shared"


@pytest.fixture
def second(tmp_path):
    """Another project with the same specs and nothing built."""
    desk = Desk(tmp_path / "second")
    desk.spec(CHAIN)
    return desk


def events(desk, *words):
    """What a build tells programs."""
    return [json.loads(line) for line in desk.zyc("build", *words, "--json").lines]


def fates(told):
    """The last fate of each node, and how many bytes came from afar."""
    return {each["node"]: (each["fate"], each["fetched"]) for each in told if each["event"] == "end"}


def trees(desk):
    """How many trees a project's store holds."""
    return sum(1 for path in (desk.root / "artifacts/store/trees").glob("*/*"))


def names(folder):
    """Every file below a folder, and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_asked_for_is_fetched_and_nothing_behind_it(shared, second):
    """One tree arrives; the two that it stands on are kept by their traces alone, and nothing runs."""
    told = events(second, "--remote", str(shared))
    assert fates(told) == {"grain": ("kept", 0), "flour": ("kept", 0), "bread": ("kept", 10)}
    assert not [each for each in told if each["event"] == "start"]
    assert second.tree("bread") == {"bread": b"RYE\nbaked\n"}
    assert trees(second) == 1
    assert set(second.states().values()) == {"keep"}, "the traces came along: the next plan needs no remote"


def test_an_input_is_fetched_when_a_step_reads_it(shared, second):
    """A new step over a kept one: the bytes of that one come, those behind it stay away."""
    second.spec(CHAIN + "  toast: {inputs: {bread: bread}, run: cp in/bread/bread out/toast}\n")
    told = fates(events(second, "toast", "--remote", str(shared)))
    assert told == {"grain": ("kept", 0), "flour": ("kept", 0), "bread": ("kept", 10), "toast": ("ran", 0)}
    assert trees(second) == 2


def test_a_key_that_is_known_only_in_the_build_is_looked_up_then(shared, second):
    """Another recipe gives the same grain: from there on everything is somebody else's work."""
    second.spec(CHAIN.replace("echo rye >", "printf 'rye\\n' >"))
    told = fates(events(second, "--remote", str(shared)))
    assert told == {"grain": ("ran", 0), "flour": ("kept", 0), "bread": ("kept", 10)}
    assert second.tree("bread") == {"bread": b"RYE\nbaked\n"}


def test_what_a_remote_cannot_give_is_built_here(shared, second):
    """A damaged object is told, and never published; the step runs."""
    for path in (shared / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes()[::-1])
    said = second.zyc("build", "--remote", str(shared))
    assert said.code == 0
    assert "is not what its name says" in " ".join(said.text.split())
    assert second.tree("bread") == {"bread": b"RYE\nbaked\n"}
    assert {path.name for path in second.root.glob("artifacts/nodes/*")} == {"grain", "flour", "bread"}


def test_a_remote_is_only_read(shared, second):
    """A build sends nothing unless it is told to; `--push` sends what is kept then, and only what is not there."""
    before = names(shared)
    second.spec(CHAIN + "  toast: {inputs: {bread: bread}, run: cp in/bread/bread out/toast}\n")
    assert second.zyc("build", "--remote", str(shared)).code == 0
    assert names(shared) == before
    said = second.zyc("build", "--remote", str(shared), "--push")
    assert (said.code, "1 sent" in said.out) == (0, True), said.text
    assert before.items() < names(shared).items()
    third = Desk(second.root.parent / "third")
    third.spec(second.read("specs/mill.yml").removeprefix("zyc: 1\n"))
    assert fates(events(third, "toast", "--remote", str(shared)))["toast"] == ("kept", 10)


def test_what_failed_is_not_sent(second, tmp_path):
    """What is kept is worth having, though the build failed; its exit code stays 1."""
    second.spec(CHAIN.replace("echo baked >> out/bread", "exit 3"))
    said = second.zyc("build", "--remote", str(tmp_path / "new"), "--push")
    assert (said.code, "2 sent" in said.out) == (1, True), said.text
    assert len(list((tmp_path / "new/traces").glob("*/*"))) == 2


def test_ctrl_c_ends_a_fetch(shared, second):
    """What was to be fetched is not waited for, and the next build brings it."""
    front = open_front(World(), second.root, Call(remote=str(shared)))

    def told(event):
        if isinstance(event, Started) and event.fetches:
            build.press()

    build = Build(front, front.plan, told)
    assert build.run()["bread"].fate is Fate.INTERRUPTED
    assert trees(second) == 0
    assert fates(events(second, "--remote", str(shared)))["bread"] == ("kept", 10)


def test_the_last_event_of_a_build_that_sends_is_its_end(second, tmp_path):
    """Programs read until `done`: nothing comes after it."""
    told = [each["event"] for each in events(second, "--remote", str(tmp_path / "new"), "--push")]
    assert told[-2:] == ["push", "done"]
