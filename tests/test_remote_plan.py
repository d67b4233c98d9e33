"""Plans with a remote: what others built is kept, nothing upstream of it is needed, and a plan changes nothing."""

import io
import json
import shutil

import pytest
from desk import Desk

from zyc.elsewhere.share import Fate, Share
from zyc.front import Call, open_front
from zyc.planning.plan import State, Why
from zyc.report.console import Console
from zyc.report.share import Lines
from zyc.world import World

CHAIN = """\
vars: {who: world}
steps:
  grain: echo rye > out/x
  flour: {inputs: {it: grain}, run: tr a-z A-Z < in/it/x > out/x}
  label: echo "for $ZYC_VARS_WHO" > out/x
  sack: {inputs: {it: flour, label: label}, run: cat in/it/x in/label/x > out/x}
  truck: {inputs: {it: sack}, run: 'wc -l < in/it/x > out/x; echo "{\\"lines\\": 2}" > measures.json'}
"""


@pytest.fixture
def ann(tmp_path):
    """Somebody who built a chain of five steps and pushed it; the site names the place."""
    desk = Desk(tmp_path / "ann")
    desk.spec(CHAIN)
    desk.write("zyc.yml", f"remotes: {{team: {{url: {tmp_path}/shared}}}}\n")
    assert desk.zyc("build").code == 0
    assert desk.zyc("push", "--remote", "team").code == 0
    return desk


@pytest.fixture
def bob(ann, tmp_path):
    """Somebody else with the same project, and nothing built."""
    desk = Desk(tmp_path / "bob")
    shutil.copytree(ann.root / "specs", desk.root / "specs")
    shutil.copy(ann.root / "zyc.yml", desk.root)
    return desk


def told(desk, *select, **call):
    """State and kind of cause of each node that is not simply kept."""
    plan = open_front(World(), desk.root, Call(select, **{"remote": "team"} | call)).plan
    return {
        each.name: (each.state.value, each.cause.why.value)
        for each in plan.decisions.values()
        if each.state is not State.KEEP or each.cause.why is Why.FETCH
    }


def everything(desk):
    """All that is in a project but for what may be deleted at any moment, by path."""
    paths = (path for path in desk.root.rglob("*") if not {"memo", "tmp", "journal.sqlite"} & {*path.parts})
    return {path: path.lstat().st_mtime_ns for path in paths if not path.is_dir()}


def flip(path):
    """One bit is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_hit_is_kept_and_nothing_upstream_is_needed(bob):
    """Only what was asked for would be fetched: what it stands on is known by its traces, and stays where it is."""
    assert told(bob) == {"truck": ("keep", "fetch")}
    assert told(bob, "sack", "label") == {"label": ("keep", "fetch"), "sack": ("keep", "fetch")}
    assert {each[1] for each in told(bob, remote="").values()} == {"new"}


def test_a_step_that_runs_has_its_inputs_fetched_and_no_more(bob):
    """What runs here needs the bytes of what it reads, and of that alone."""
    bob.edit("specs/mill.yml", 'echo "for', 'echo "from me, for')
    assert told(bob) == {
        "label": ("run", "new"),
        "flour": ("keep", "fetch"),
        "sack": ("run", "new"),
        "truck": ("run", "new"),
    }


def test_what_only_a_maybe_would_read_may_be_fetched(ann, bob):
    """Where an input may come out the same, what stands beside it is fetched only if it is needed: the plan says so."""
    assert bob.zyc("pull", "truck", "--remote", "team").code == 0
    bob.edit("specs/mill.yml", 'echo "for', 'echo   "for')
    assert told(bob) == {
        "label": ("run", "changed"),
        "flour": ("keep", "fetch"),
        "sack": ("maybe", "waits"),
        "truck": ("maybe", "waits"),
    }
    front = open_front(World(), bob.root, Call((), remote="team"))
    assert front.plan.decisions["flour"].cause.text == "from team, if it is needed"


def test_a_tree_that_is_gone_here_is_fetched_and_not_made_again(ann):
    """A trace of one's own whose tree is gone: what the remote holds needs no step."""
    tree = (ann.root / "artifacts/nodes/truck").resolve()
    tree.chmod(0o755)
    shutil.rmtree(tree)
    assert told(ann, remote="") == {"truck": ("run", "missing")}
    assert told(ann) == {"truck": ("keep", "fetch")}


def test_hits_are_found_level_by_level(ann, bob):
    """What another build made of other inputs is found as far as it goes, whoever built what."""
    ann.edit("specs/mill.yml", "echo rye", "echo oats")
    assert ann.zyc("build", "sack").code == 0
    assert ann.zyc("push", "+sack", "--remote", "team").code == 0
    bob.edit("specs/mill.yml", "echo rye", "echo oats")
    assert told(bob) == {"sack": ("keep", "fetch"), "truck": ("run", "new")}


def test_gates_and_verdicts_see_measures_at_once(bob):
    """A bound is applied to numbers that came with the traces, before any byte is fetched."""
    said = bob.zyc("plan", "--remote", "team", "--set", "truck.gates=[lines >= 3]", "--json")
    (truck,) = [each for each in said.data["nodes"] if each["name"] == "truck"]
    assert [each["verdict"] for each in truck["gates"]] == ["fails"]


def test_the_plan_says_what_would_come_and_how_much(bob):
    """People and programs see what is fetched, from where, and how heavy it is."""
    said = bob.zyc("plan", "--remote", "team")
    assert said.code == 0
    assert [line.split() for line in said.lines if line.startswith("  truck")] == [
        ["truck", "keep", "from", "team", "2", "B", "↓"],
    ]
    assert "1 from team, 2 B ↓" in said.out
    assert "nothing to do" not in said.out
    data = bob.zyc("plan", "--remote", "team", "--json").data
    assert data["fetch"] == {"remote": "team", "nodes": 1, "bytes": 2}
    (truck,) = [each for each in data["nodes"] if each["name"] == "truck"]
    assert (truck["plan"], truck["why"], truck["because"]) == ("keep", "fetch", "from team")
    assert bob.zyc("plan", "--remote", "team", "--exit-code").code == 0


def test_a_plan_changes_nothing(ann, bob, tmp_path):
    """Neither the store here nor the remote has anything new after a plan."""
    bob.zyc("build", "label")
    before, there = everything(bob), everything(Desk(tmp_path / "shared"))
    assert told(bob) == {"truck": ("keep", "fetch")}
    assert bob.zyc("plan", "--remote", "team").code == 0
    assert everything(bob) == before
    assert everything(Desk(tmp_path / "shared")) == there


def test_a_plan_with_a_remote_is_asked_each_time(ann, bob):
    """Others write there while nothing moves here: the same call is never answered from its memo."""
    ann.edit("specs/mill.yml", "echo rye", "echo oats")
    bob.edit("specs/mill.yml", "echo rye", "echo oats")
    first = bob.zyc("plan", "--remote", "team", "--json")
    assert first.data["counts"]["keep"] == 1
    ann.zyc("build")
    ann.zyc("push", "--remote", "team")
    second = bob.zyc("plan", "--remote", "team", "--json")
    assert not second.replayed
    assert second.data["counts"]["keep"] == 5


def test_a_damaged_trace_is_a_warning_and_the_node_runs(bob, tmp_path):
    """What cannot be believed counts as absent, and the plan says of which remote it speaks."""
    for path in (tmp_path / "shared/traces").glob("*/*.json"):
        if json.loads(path.read_bytes())["measures"]:
            flip(path)
    said = bob.zyc("plan", "--remote", "team", "--json")
    assert said.err.count("warning: ") == 1
    assert "`team`" in said.err
    assert {each["name"]: each["why"] for each in said.data["nodes"] if each["plan"] != "keep"} == {"truck": "new"}


def test_a_tree_that_is_not_there_is_made(bob, tmp_path):
    """A trace there whose tree somebody removed is a hit all the same, but its bytes are made where they are needed."""
    shutil.rmtree(tmp_path / "shared/trees")
    assert {each[1] for each in told(bob).values()} == {"missing"}


def test_a_remote_can_be_a_folder(bob, tmp_path):
    """`--remote` takes a folder, relative to where one stands; in the site it is relative to the project."""
    assert told(bob, remote="../shared") == {"truck": ("keep", "fetch")}
    assert told(bob, remote=str(tmp_path / "shared")) == {"truck": ("keep", "fetch")}
    bob.write("zyc.yml", "remotes: {near: {url: ../shared}}\n")
    assert told(bob, remote="near") == {"truck": ("keep", "fetch")}
    below = Desk(bob.root, "specs")
    assert below.zyc("plan", "--remote", "../../shared", "--json").data["fetch"]["nodes"] == 1
    assert below.zyc("plan", "--remote", "near", "--json").data["fetch"]["nodes"] == 1


def test_twins_are_shared_like_all_else(ann, bob):
    """A rehearsal that somebody did is known to others, and is no result of the real graph."""
    ann.zyc("build", "--twin")
    assert ann.zyc("push", "--twin", "--remote", "team").code == 0
    assert told(bob, twin=True) == {"truck": ("keep", "fetch")}


# --- push and pull ---


def test_what_was_pulled_is_kept_from_then_on(bob):
    """After a pull the plan knows everything without the remote: the bytes that were asked for, and the traces of the rest."""
    said = bob.zyc("pull", "truck", "--remote", "team")
    assert said.code == 0, said.text
    assert told(bob, remote="") == {}
    assert bob.tree("truck") == {"x": b"2\n"}
    assert sorted(path.name for path in (bob.root / "artifacts/nodes").iterdir()) == ["truck"]
    assert len(list((bob.root / "artifacts/store/trees").glob("*/*"))) == 1
    assert {*bob.fates().values()} == {"kept"}
    bob.edit("specs/mill.yml", "echo rye", "echo oats")
    assert told(bob, remote="")["grain"] == ("run", "changed"), "each node has a past"


def test_a_pull_says_what_could_not_be_had(bob):
    """A node that nobody built is named, and so is one that stands on it; the others are here."""
    bob.edit("specs/mill.yml", 'echo "for', 'echo "from me, for')
    said = bob.zyc("pull", "--remote", "team")
    assert said.code == 0
    assert "team: 2 fetched, 8 B · 3 could not be had" in said.out
    assert "label: nobody has it there" in said.out
    assert "sack, truck: what it stands on is not known" in said.out
    fates = {each["name"]: each["fate"] for each in bob.zyc("pull", "--remote", "team", "--json").data["nodes"]}
    assert fates == {"grain": "here", "flour": "here", "label": "absent", "sack": "absent", "truck": "absent"}


def test_one_damaged_node_does_not_keep_the_others(bob, tmp_path):
    """What cannot be trusted is told and left out, the rest arrives; the call ends with 1."""
    heavy = max((tmp_path / "shared/objects").glob("*/*"), key=lambda path: path.stat().st_size)
    flip(heavy)
    said = bob.zyc("pull", "--remote", "team", "--json")
    assert said.code == 1
    assert said.data["counts"] == {"sent": 0, "there": 0, "fetched": 4, "here": 0, "absent": 0, "failed": 1}
    assert heavy.name in next(each["reason"] for each in said.data["nodes"] if each["fate"] == "failed")
    assert "is not what its name says" in " ".join(bob.zyc("pull", "--remote", "team").out.split())
    assert bob.zyc("build").code == 0, "what failed to arrive is made"


def test_a_dry_run_changes_nothing(ann, bob, tmp_path):
    """`--dry-run` says what would be sent or fetched, here and at a remote that is not even there."""
    before = everything(bob)
    said = bob.zyc("pull", "--remote", "team", "--dry-run")
    assert "5 would be fetched" in said.out
    assert everything(bob) == before
    said = ann.zyc("push", "--remote", "../nowhere", "--dry-run", "--json")
    assert said.data["counts"]["sent"] == 5
    assert not (tmp_path / "nowhere").exists()
    assert ann.zyc("push", "--remote", "team", "--dry-run", "--json").data["counts"]["there"] == 5


def test_a_push_says_what_nobody_could_find(ann):
    """A result whose inputs are not there cannot be found by others: the push names what is missing."""
    said = ann.zyc("push", "truck", "--remote", "../elsewhere")
    assert said.code == 0
    assert "not there: grain, label, flour, sack" in said.out
    assert ann.zyc("push", "+truck", "--remote", "../elsewhere", "--json").data["unsent"] == []


def test_what_is_not_kept_is_not_sent(bob):
    """A push sends results and makes none."""
    said = bob.zyc("push", "--remote", "../mine", "--json")
    assert (said.code, said.data["counts"]["absent"]) == (0, 5)
    assert not (bob.root / "artifacts/store").exists()


def test_the_only_remote_of_a_site_needs_no_name(bob):
    """With one remote in the site `--remote` may be left out of a push or pull; with two it may not."""
    assert bob.zyc("pull").code == 0
    bob.write("zyc.local.yml", "remotes: {other: {url: ../other}}\n")
    said = bob.zyc("pull")
    assert said.code == 2
    assert "`team`, `other`" in said.err


def test_nothing_but_traces_and_trees_is_sent(ann, tmp_path):
    """A secret that a step was given is in no file of a remote."""
    ann.edit("specs/mill.yml", "  grain: echo rye > out/x", "  grain: {run: 'echo rye > out/x', secrets: [KEY]}")
    assert ann.zyc("build", KEY="sesame-0815").code == 0
    assert ann.zyc("push", KEY="sesame-0815").code == 0
    paths = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
    assert [path for path in paths if b"sesame-0815" in path.read_bytes()] == []
    assert {path.relative_to(tmp_path / "shared").parts[0] for path in paths} == {"FORMAT", "objects", "trees", "traces"}


def test_a_terminal_shows_how_far_it_is_in_place():
    """Bytes of all that moves are told on one line that is written over, ten times a second at most; a pipe gets none of it."""
    for moves in (True, False):
        out = io.StringIO()
        clock = iter([1.0, 1.0, 1.01, 2.0, 2.0]).__next__
        with Lines(Console(out, out, moves=moves), width=5, clock=clock, dry_run=False) as lines:
            for done in (1_000, 2_000, 3_000):
                lines.moves("truck", done, 4_000)
            lines(Share("truck", Fate.SENT, bytes=4_000))
        shown = [line.strip() for line in out.getvalue().replace("\x1b[K", "").split("\r")]
        told = ["", "1 kB of 4 kB  truck", "3 kB of 4 kB  truck"] if moves else []
        assert shown[: len(told)] == told
        assert "truck             sent          4 kB" in out.getvalue()
        assert moves or "\r" not in out.getvalue()
