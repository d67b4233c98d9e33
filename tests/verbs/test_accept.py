"""`zyc accept`: what stands for a new key survives crashes, is never mistaken for the real thing, and holds downstream."""

import itertools
from contextlib import suppress
from dataclasses import replace

from faulty import Crash, Crashing, Refusing, refusal

from zyc.acceptance import Acceptance, write
from zyc.front import Call, open_front
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Traces
from zyc.world import World


def accepted(desk, *names, world=None):
    """Accept in this process, on a world of its own."""
    front = open_front(World(), desk.root, Call(names))
    found = Acceptance(front, front.plan, front.selection.names).find()
    front.world = world or front.world
    write(front, found)
    return found


def test_what_stands_on_an_accepted_node_is_kept_by_its_key(built):
    """The output is the same tree, so nothing downstream runs; and the trace says which key was built."""
    before = built.tree("sack")
    built.edit("scripts/grind.sh", "tr a-z A-Z", "# a comment\ntr a-z A-Z")
    assert built.states() == {"grain": "keep", "label": "keep", "flour": "run", "sack": "maybe"}
    said = built.zyc("accept", "flour", "--json").data
    assert [each["node"] for each in said["accepted"]] == ["flour"]
    assert set(built.states().values()) == {"keep"}
    assert set(built.fates().values()) == {"kept"}
    assert built.tree("sack") == before
    plan = {each["name"]: each for each in built.zyc("plan", "--json").data["nodes"]}
    assert plan["flour"]["accepted"] == said["accepted"][0]["stands"]
    assert plan["sack"]["stands_on_accepted"] == ["flour"]
    assert plan["grain"]["accepted"] is None


def test_measures_and_gates_come_along(built):
    """What was measured holds for the new key: a gate is judged, not asked for again."""
    built.edit("specs/mill.yml", "    tags: [nightly]", "    gates: [loaves >= 3]")
    built.edit("scripts/grind.sh", "tr a-z A-Z", "tr a-z A-Z; echo '{\"loaves\": 4}' > measures.json")
    assert built.zyc("build").code == 0
    built.edit("scripts/grind.sh", "tr a-z", "tr  a-z")
    built.zyc("accept", "flour")
    (gate,) = next(each for each in built.zyc("plan", "--json").data["nodes"] if each["name"] == "flour")["gates"]
    assert gate["verdict"] == "holds"


def test_a_change_after_it_is_seen_again(built):
    """Somebody's word is for one key: the next change of the node makes it run."""
    built.edit("scripts/grind.sh", "tr a-z", "tr  a-z")
    built.zyc("accept", "flour")
    built.edit("scripts/grind.sh", "tr  a-z", "tr   a-z")
    assert built.states("flour")["flour"] == "run"
    built.edit("scripts/grind.sh", "tr   a-z", "tr a-z")
    assert set(built.states().values()) == {"keep"}


def test_the_output_of_another_kind_stands_for_nothing(built):
    """A name that was given to something else has another sort of output: it is refused, and nothing is written."""
    store = Store.open(World(), built.root / "artifacts/store")
    traces, key = Traces(store), Roots(store, built.root).get("label")
    traces.write(replace(traces.read(key), kind="dataset"))
    built.edit("specs/mill.yml", 'echo "for', 'echo  "for')
    said = built.zyc("accept", "label")
    assert said.code == 2
    assert said.err.startswith("error: `label` was a dataset when it was built, and is a step now\n")
    assert built.states("label")["label"] == "run"


def test_a_twin_is_accepted_apart(built):
    """What is said of the rehearsal says nothing of the real thing."""
    built.zyc("build", "--twin")
    built.edit("scripts/grind.sh", "tr a-z", "tr  a-z")
    assert built.zyc("accept", "flour", "--twin").code == 0
    assert {each["plan"] for each in built.zyc("plan", "--twin", "--json").data["nodes"]} == {"keep"}
    assert built.states()["flour"] == "run"


def test_an_accepted_output_is_never_dropped_as_an_intermediate(built):
    """No recipe gives it again: a sweep keeps it, and drops what can be made again beside it."""
    built.edit("scripts/grind.sh", "tr a-z", "tr  a-z")
    built.zyc("accept", "flour")
    gone = {each["node"] for each in built.zyc("gc", "--intermediates", "--json").data["items"] if each["what"] == "tree"}
    assert gone == {"grain", "label"}
    assert built.zyc("build", "sack").code == 0
    assert set(built.fates().values()) == {"kept"}


def test_a_crash_at_any_effect_leaves_the_word_given_or_not(built):
    """After each effect the plan reads well: a node is kept or would run, and accepting again ends it."""
    for at in itertools.count():
        built.edit("scripts/grind.sh", "\n", f" # {at}\n")
        built.edit("specs/mill.yml", "cat ", "cat  ")
        world = Crashing(at)
        with suppress(Crash):
            accepted(built, "flour", "sack", world=world)
        assert set(built.states().values()) <= {"keep", "run", "maybe"}
        left = [name for name in ("flour", "sack") if built.states()[name] != "keep"]
        if left:
            assert built.zyc("accept", *left).code == 0
        assert set(built.states().values()) == {"keep"}
        assert built.zyc("verify").code == 0
        if not world.dead:
            break
    assert at > 10


def test_a_full_disk_at_any_effect_is_told(built):
    """Nothing half-written is ever read as somebody's word."""
    for at in itertools.count():
        built.edit("scripts/grind.sh", "\n", f" # {at}\n")
        world = Refusing(at)
        refused = refusal(lambda world=world: accepted(built, "flour", world=world))
        assert refused is None or [each.code for each in refused.problems] == ["disk-full"]
        assert built.zyc("verify").code == 0
        if built.states()["flour"] != "keep":
            accepted(built, "flour")
        if not world.refused:
            break
    assert at > 5
