"""Plans as values: two passes over keys and traces, which need no disk, and ask for no more than is needed."""

import os
from dataclasses import replace

import pytest
from desk import Desk

from zyc.front import Call, open_front
from zyc.planning.plan import State, Why, make_plan
from zyc.world import World

CHAIN = """\
vars: {who: world}
steps:
  grain: echo rye > out/x
  flour: {inputs: {it: grain}, run: tr a-z A-Z < in/it/x > out/x}
  label: echo "for $ZYC_VARS_WHO" > out/x
  sack: {inputs: {it: flour, label: label}, run: cat in/it/x in/label/x > out/x}
  truck: {inputs: {it: sack}, run: wc -l < in/it/x > out/x}
"""


@pytest.fixture
def desk(tmp_path):
    """A chain of five steps, built."""
    desk = Desk(tmp_path / "mill")
    desk.spec(CHAIN)
    assert desk.zyc("build").code == 0
    return desk


def front_of(desk, *select, **call):
    """The front half of a call."""
    return open_front(World(), desk.root, Call(select, **call))


def told(desk, *select, **call):
    """State, kind of cause and its root, of each node that would not simply be kept."""
    decisions = front_of(desk, *select, **call).plan.decisions.values()
    return {
        each.name: (each.state.value, each.cause.why.value, each.cause.root) for each in decisions if each.state is not State.KEEP
    }


def lose(desk, *nodes):
    """The trees of nodes are gone, their traces are not."""
    for node in nodes:
        tree = (desk.root / "artifacts/nodes" / node).resolve()
        tree.chmod(0o755)
        for path in tree.iterdir():
            path.unlink()
        tree.rmdir()


def test_a_plan_needs_no_disk(desk, monkeypatch):
    """What is decided is a function of the graph, of what is known, and of history: no file is looked at for it."""
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    front = front_of(desk)
    settlement, history, asked = front.settlement, front.history, {"truck"}

    def refuse(*_, **__):
        raise AssertionError("the plan looked at the disk")

    with monkeypatch.context() as patched:
        for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink"):
            patched.setattr(os, name, refuse)
        patched.setattr("builtins.open", refuse)
        plan = make_plan(settlement, history, asked)
    assert plan.decisions["grain"].state is State.RUN


def test_a_cause_is_told_once_and_pointed_to(desk):
    """What runs has a cause of its own; what may run points to the node at the root of it, however far."""
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    assert told(desk) == {
        "grain": ("run", "changed", ""),
        "flour": ("maybe", "waits", "grain"),
        "sack": ("maybe", "waits", "grain"),
        "truck": ("maybe", "waits", "grain"),
    }


def test_a_node_between_two_causes_runs_for_its_own(desk):
    """A node that was edited itself runs for that, and what stands on it points to the nearest root."""
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    desk.edit("specs/mill.yml", "run: cat in", "run: cat -n in")
    assert told(desk)["sack"] == ("run", "changed", "")
    assert told(desk)["truck"] == ("maybe", "waits", "sack")


def test_an_input_that_did_change_is_no_maybe(desk):
    """Once the other tree is there, its reader runs: the plan says through which input."""
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    assert desk.fates("grain") == {"grain": "ran"}
    assert told(desk) == {
        "flour": ("run", "input", "grain"),
        "sack": ("maybe", "waits", "flour"),
        "truck": ("maybe", "waits", "flour"),
    }


def test_absent_and_not_needed_is_kept(desk):
    """Trees that are gone are made again only where something that runs, or somebody who asked, wants their bytes."""
    lose(desk, "grain", "flour", "label", "sack")
    assert told(desk) == {}
    assert told(desk, "sack") == {
        "grain": ("run", "missing", ""),
        "flour": ("run", "missing", ""),
        "label": ("run", "missing", ""),
        "sack": ("run", "missing", ""),
    }
    assert told(desk, "flour").keys() == {"grain", "flour"}


def test_what_is_gone_and_needed_is_held_against_this_machine(desk):
    """A kept node that is made again needs what a new one needs, and goes on from a state that is there."""
    line = '  label: echo "for $ZYC_VARS_WHO" > out/x\n'
    needs = '  label:\n    placement: {memory: 1 GB, resume: true}\n    run: echo "for $ZYC_VARS_WHO" > out/x\n'
    desk.edit("specs/mill.yml", line, needs)
    desk.write("zyc.yml", "hosts: {local: {memory: 500 MB}}\n")
    assert (front_of(desk, "label").plan.decisions["label"].cannot, told(desk, "label")) == ("", {})
    lose(desk, "label")
    front = front_of(desk, "label")
    assert (front.plan.decisions["label"].state, front.plan.decisions["label"].cannot) == (State.RUN, "needs 1 GB, has 0.5 GB")
    assert desk.zyc("build", "label").code == 2
    desk.write(f"{front.project.step(front.plan.decisions['label'].key).relative_to(desk.root)}/state/progress.json", "{}")
    assert told(desk, "label")["label"][0] == "resume"


def test_why_says_of_a_tree_that_is_gone_what_the_plan_of_the_project_says(desk):
    """To ask why is not to ask for bytes: what nothing needs is kept, and what something needs would run."""
    lose(desk, "sack", "label")
    assert (told(desk), told(desk, "label").keys()) == ({}, {"label"})
    said, data = desk.zyc("why", "label"), desk.zyc("why", "label", "--json").data
    assert (data["plan"], data["why"], data["here"]) == ("keep", "kept", False)
    assert "is kept" in said.text
    assert "are not here, and nothing needs them: `zyc build label` makes or fetches them" in " ".join(said.text.split())
    desk.write("specs/broken.yml", "steps: {bad: {nonsense: 1}}\n")
    assert desk.zyc("why", "label", "--json").data["plan"] == "keep", "what is wrong elsewhere is not its matter"
    (desk.root / "specs/broken.yml").unlink()
    told_if = desk.zyc("why", "label", "--json", "--set", "sack.run=echo > out/x").data
    assert (told_if["plan"], told_if["why"], told_if["here"]) == ("run", "missing", False)
    assert desk.zyc("why", "grain", "--json").data["here"]


def test_what_may_run_may_need_what_is_gone(desk):
    """A tree that only a `maybe` would read is itself a `maybe`."""
    lose(desk, "label")
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    assert told(desk)["label"] == ("maybe", "missing", "")
    assert told(desk, sets=("sack.run=echo > out/x",))["label"] == ("run", "missing", "")


def test_what_is_blocked_needs_nothing(desk):
    """A node that cannot run wants no bytes."""
    lose(desk, "label", "sack")
    gate = ("flour.gates=[none > 1]",)
    assert told(desk, sets=gate) == {"sack": ("blocked", "gate", "flour"), "truck": ("blocked", "upstream", "flour")}


def test_a_node_that_was_never_here_is_new_and_so_is_what_reads_it(desk):
    """New nodes run; an old node with a new input runs for that."""
    desk.edit("specs/mill.yml", "it: flour, label: label", "it: flour, label: label, seal: seal")
    with (desk.root / "specs/mill.yml").open("a") as spec:
        spec.write("  seal: echo wax > out/x\n")
    assert told(desk) == {
        "seal": ("run", "new", ""),
        "sack": ("run", "input", ""),
        "truck": ("maybe", "waits", "sack"),
    }


def test_the_last_build_of_a_name_is_what_it_is_compared_with(desk):
    """A key that was built once is kept, whatever was built under the name since."""
    old = told(desk, sets=("vars.who=moon",))
    assert old["label"] == ("run", "changed", "")
    assert desk.zyc("build", "--set", "vars.who=moon").code == 0
    assert told(desk) == {}
    assert told(desk, sets=("vars.who=moon",)) == {}
    assert told(desk, sets=("vars.who=sun",))["label"] == ("run", "changed", "")


def test_measured_time_comes_before_what_was_thought(desk):
    """The estimate of a node that ran once is what it took; of one that did not, what its spec says."""
    plan = front_of(desk, sets=("label.placement.time=3h", "label.run=echo > out/x")).plan
    assert plan.decisions["label"].measured
    assert plan.decisions["label"].estimate.seconds.high < 60
    fresh = front_of(desk, sets=("label.placement.time=3h",)).settlement
    assert fresh.nodes["label"].estimate.seconds.low == 3 * 3600


def test_what_a_run_elsewhere_took_is_no_time_of_this_machine(desk):
    """An adopted run, and one of another device, tell its bytes; the time is that of the estimate."""
    front = front_of(desk, sets=("label.placement.time=3h", "label.run=echo > out/x"))
    history, settlement, key = front.history, front.settlement, front.history.last["label"]
    for changes in ({"adopted": "2026-01-01T00:00:00+00:00"}, {"device": "1 x H100", "predicted": {"seconds": 9.0}}):
        traces = {**history.traces, key: history.traces[key]._replace(seconds=660.0, **changes)}
        decision = make_plan(settlement, replace(history, traces=traces), {"truck"}).decisions["label"]
        assert (decision.measured, decision.estimate.seconds.low, decision.estimate.disk) == (False, 3 * 3600, 10)
    lose(desk, "label")
    told = front_of(desk, "label")
    traces = {**told.history.traces, key: told.history.traces[key]._replace(seconds=660.0, adopted="2026-01-01T00:00:00+00:00")}
    decision = make_plan(told.settlement, replace(told.history, traces=traces), {"label"}).decisions["label"]
    assert (decision.cause.why, decision.measured, decision.estimate.seconds) == (Why.MISSING, False, None)


def test_a_twin_has_a_history_of_its_own(desk):
    """What a rehearsal built is no result of the real graph, and the other way round."""
    assert {each[1] for each in told(desk, twin=True).values()} == {"new"}
    assert desk.zyc("build", "--twin").code == 0
    assert told(desk, twin=True) == {}
    desk.edit("specs/mill.yml", "echo rye", "echo oats")
    assert desk.zyc("build", "--twin").code == 0
    assert told(desk)["grain"] == ("run", "changed", "")


def test_every_decision_says_why(desk):
    """Whatever happened to a project, each node has a state, and a kind of cause that goes with it."""
    allowed = {
        State.KEEP: {Why.KEPT},
        State.RUN: {Why.NEW, Why.CHANGED, Why.INPUT, Why.MISSING},
        State.MAYBE: {Why.WAITS, Why.MISSING},
        State.BLOCKED: {Why.GATE, Why.UPSTREAM, Why.NO_WINNER},
    }
    lose(desk, "label")
    for sets in (
        (),
        ("vars.who=moon",),
        ("grain.run=echo oats > out/x",),
        ("flour.gates=[none > 1]",),
        ("sack.run=echo > out/x",),
    ):
        for each in front_of(desk, sets=sets).plan.decisions.values():
            assert each.cause.why in allowed[each.state], each
