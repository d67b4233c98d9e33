"""The contract for kinds, kept by a family of kinds that lives beside the tests: letters, counted for real."""

import json

import pytest
from example.facts import Corpus, Matrix, Table
from example.workshop import WORDS

from zyc.errors import ZycError
from zyc.gates import Outlook, Verdict
from zyc.graph import Node
from zyc.planning.plan import State, Why
from zyc.runner import Fate

WORDS_SPEC = """
corpuses:
  my-words: {files: data/words.txt, card: data/card.json}
"""
COUNT = f"""{WORDS_SPEC}
counters:
  my-count: {{base: my-words, order: 2, train: {{epochs: 4, seed: 7}}}}
"""
SCORE = f"""{COUNT}
scorers:
  my-score: {{model: my-count, tasks: {{short: {{words: [ban, can]}}}}}}
"""


def states(plan):
    """What would happen, in words."""
    return {name: each.state.value for name, each in plan.decisions.items()}


def fates(endings):
    """What happened, in words."""
    return {name: each.fate.value for name, each in endings.items()}


def with_gates(spec, *gates):
    """The spec with gates on its counter."""
    return spec.replace("seed: 7}}", f"seed: 7}}, gates: [{', '.join(gates)}]}}")


def test_what_stands_behind_a_node_takes_what_the_node_takes(workshop):
    """A coercion whose field follows its source gets the input of the source: behind each member, that of the member."""
    workshop.spec(f"{COUNT}steps:\n  my-page: {{inputs: {{words: my-count.recited}}, run: cp in/words/words.txt out/}}\n")
    graph = workshop.front().graph
    edges = {edge.field: edge.source for edge in graph.vertices["my-count.recited"].edges}
    assert edges == {"source": "my-count", "base": "my-words"}
    assert set(fates(workshop.build()).values()) == {"ran"}
    said = (workshop.tree("my-page") / "words.txt").read_text().split()
    assert sorted(said) == sorted(WORDS) != said


def test_a_module_that_kinds_share_is_keyed_in_each(workshop):
    """A module of templates/shared stands in the recipe of every kind that shares it, and in no other."""
    workshop.spec(f"{SCORE}steps:\n  my-page: {{inputs: {{words: my-count.recited}}, run: cp in/words/words.txt out/}}\n")
    settled = workshop.front().settlement.nodes
    having = {name for name, each in settled.items() if "recipe/chances.py" in dict(each.own)}
    assert having == {"my-count.dense.proof", "my-count.recited"}


def test_how_a_node_is_arranged_is_in_its_placement_alone(workshop):
    """A template of placement/ takes its values from the placement, and moves no key."""
    workshop.spec(COUNT)
    files = [workshop.front(sets=(f"my-count.placement.shards={many}",)) for many in (1, 3)]
    told = [front.settlement.rendered(front.graph.vertices["my-count"]).files() for front in files]
    assert [each["placement/shards.json"] for each in told] == ['{"shards": [0]}\n', '{"shards": [0, 1, 2]}\n']
    keys = {front.plan.decisions["my-count"].key for front in files}
    assert len(keys) == 1


# --- what is known before anything runs ---


def test_facts_run_along_the_edges(workshop):
    """Every node tells what its result will be from what its inputs tell, before a byte exists."""
    workshop.spec(SCORE)
    facts = {name: each.facts for name, each in workshop.front().settlement.nodes.items()}
    assert facts["my-words"] == Corpus(len(WORDS), "abcns", "cc0-1.0")
    assert facts["my-count"] == Table(2, "abcns")
    assert facts["my-count.dense"] == Matrix(2, "abcns")


def test_an_edge_of_the_wrong_type_is_refused_where_it_is_written(workshop):
    """A field that takes words refuses a table, in the user's words and at the user's line."""
    workshop.spec(COUNT + "  my-other: {base: my-count}\n")
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["field"], facts["name"]) == ("letters.yml:8:20", "no-way-between", "base", "my-count")
    assert (facts["wanted"], facts["given"]) == ("a corpus", "a table of counts")


def test_an_impossible_node_is_refused_before_the_first_byte(workshop):
    """A kind's check fails at plan time: with the sum, at the field, and nothing is written."""
    workshop.card("data/card.json", alphabet="abcdefghijklmnopqrstuvwxyz")
    workshop.spec(COUNT.replace("order: 2", "order: 5"))
    told = "26 letters to the power of 5 are 11,881,376 contexts; a table holds 500,000"
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["says"], facts["help"]) == ("letters.yml:7:37", "objection", told, "`order: 4` fits")
    assert not (workshop.root / "artifacts" / "store").exists()


def test_a_file_that_says_too_little_is_refused_in_the_field_that_names_it(workshop):
    """What a kind reads of a file at plan time, it may object to; what stands on it adds no noise."""
    workshop.write("data/card.json", '{"words": "many", "alphabet": "abc"}')
    workshop.spec(SCORE)
    told = "`data/card.json` does not tell its `words` and `licence`"
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["says"]) == ("letters.yml:4:43", "objection", told)


def test_a_kind_sees_every_member_of_what_a_list_takes(workshop):
    """A check looks at each of a list, families opened, and names the one that is at fault by where it stands."""
    workshop.card("data/other.json", alphabet="abcdefghijklmnopqrstuvwxyz")
    workshop.spec(
        f"{WORDS_SPEC}  my-others: {{matrix: {{card: {{same: data/card.json, other: data/other.json}}}},"
        " files: data/words.txt, card: $(matrix.card)}\n"
        "counters:\n  my-count: {base: my-words, order: 1}\n  my-rivals: {base: my-others, order: 1}\n"
        "scorers:\n  my-score: {model: my-count, rivals: [my-count, my-rivals], tasks: {t: {words: ban}}}\n"
    )
    ((_, code, facts),) = workshop.problems()
    assert code == "objection"
    assert "`in/rivals/1/card=other`" in facts["says"]


def test_a_licence_is_held_against_the_use_of_what_stands_on_it(workshop):
    """`use: commercial` refuses a source whose licence does not allow it, however far upstream."""
    workshop.card("data/card.json", licence="cc-by-nc-4.0")
    workshop.spec("use: commercial\n" + SCORE)
    ((where, code, facts),) = workshop.problems()
    assert (where, code) == ("letters.yml:2:6", "licence")
    assert (facts["source"], facts["licence"], facts["use"]) == ("my-words", "cc-by-nc-4.0", "commercial")
    workshop.spec("use: research\n" + SCORE)
    assert workshop.problems() == []


def test_what_lies_between_two_types_is_inserted_once(workshop):
    """Two readers of one table share its matrix and its proof, and wait for the proof."""
    workshop.spec(SCORE + "  my-other: {model: my-count, tasks: {long: {words: bananas}}}\n")
    graph = workshop.front().graph
    assert [name for name in graph.vertices if name.startswith("my-count.")] == ["my-count.dense", "my-count.dense.proof"]
    for name in ("my-score", "my-other", "my-score.short"):
        edges = {edge.field: (edge.source, edge.order) for edge in graph.vertices[name].edges}
        assert edges["model"] == ("my-count.dense", False)
        assert edges["proof"] == ("my-count.dense.proof", True)


def test_what_was_inserted_may_be_named(workshop):
    """A reader may ask for what the compiler puts behind a node, and gets it whether or not somebody else needs it."""
    workshop.spec(
        "steps:\n  my-page: {inputs: {it: my-count.dense, that: my-count.dense.proof}, run: cat in/*/* > out/x}\n" + COUNT
    )
    assert workshop.problems() == []
    edges = {edge.field: edge.source for edge in workshop.front().graph.vertices["my-page"].edges if not edge.order}
    assert edges == {"inputs.it": "my-count.dense", "inputs.that": "my-count.dense.proof"}
    workshop.spec("steps:\n  my-page: {inputs: {it: my-count.dens}, run: cat in/*/* > out/x}\n" + COUNT)
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["name"]) == ("letters.yml:3:26", "unknown-node", "my-count.dens")


def test_arithmetic_answers_a_gate_before_anything_runs(workshop):
    """A gate on a number that the estimate knows could or cannot hold, with the sum; another is told by running."""
    workshop.spec(with_gates(SCORE, "rows >= 150", "rows > 152", "loss < 9"))
    plan = workshop.plan()
    could, cannot, running = plan.decisions["my-count"].gates
    assert (could.verdict, cannot.verdict, running.verdict) == (Outlook.COULD, Outlook.CANNOT, Outlook.RUNNING)
    assert cannot.text == "152 (38 words * 4 epochs)"
    blocked = plan.decisions["my-score"]
    assert (blocked.state, blocked.cause.root) == (State.BLOCKED, "my-count")
    assert blocked.cause.text == "`rows > 152` cannot hold: 152 (38 words * 4 epochs)"


def test_an_estimate_gives_way_to_what_was_measured(workshop):
    """Once a node has run, its next plan tells the time that it took."""
    workshop.spec(COUNT)
    assert not workshop.plan().decisions["my-count"].measured
    workshop.build()
    workshop.spec(COUNT.replace("order: 2", "order: 1"))
    again = workshop.plan().decisions["my-count"]
    assert (again.state, again.cause.why, again.measured) == (State.RUN, Why.CHANGED, True)
    assert again.estimate.seconds.because == "last time"


# --- building ---


def test_a_graph_is_built_for_real_and_kept(workshop):
    """A build leaves results that its readers read, and a second one has nothing to do."""
    workshop.spec(with_gates(SCORE, "rows = 152", "loss < 4"))
    first = workshop.build()
    assert set(fates(first).values()) == {"ran"}
    assert first["my-count"].measures["rows"] == 152
    assert [gate.verdict for gate in first["my-count"].gates] == [Verdict.HOLDS] * 2
    report = json.loads((workshop.tree("my-score") / "report.json").read_text())
    assert report["tasks"]["short"] == first["my-score"].measures["short.bits"] == first["my-score.short"].measures["bits"]
    assert set(states(workshop.plan()).values()) == {"keep"}
    assert set(fates(workshop.build()).values()) == {"kept"}


def test_a_failed_gate_blocks_its_cone_and_says_by_how_much(workshop):
    """What stands on a node whose gate fails is not built, and is told how far off the number was."""
    workshop.spec(with_gates(SCORE, "loss < 1"))
    endings = workshop.build()
    assert fates(endings)["my-count"] == "ran"
    assert {endings[name].fate for name in ("my-count.dense", "my-score", "my-score.short")} == {Fate.BLOCKED}
    loss, reason = endings["my-count"].measures["loss"], endings["my-score"].reason
    assert all(each in reason for each in ("`my-count`", "`loss < 1`", f"{loss:.4g}", f"off by {loss - 1:.4g}"))
    assert workshop.plan().decisions["my-score"].state is State.BLOCKED


def test_a_gate_that_is_loosened_reruns_nothing(workshop):
    """Bounds are applied to kept numbers: what was blocked is built now, and what was measured is not measured again."""
    workshop.spec(with_gates(SCORE, "loss < 1"))
    workshop.build()
    workshop.spec(with_gates(SCORE, "loss < 9"))
    told = fates(workshop.build())
    assert told["my-words"] == told["my-count"] == "kept"
    assert told["my-count.dense"] == told["my-score"] == "ran"


def test_a_failing_proof_blocks_what_stands_on_the_node(workshop):
    """A result that is not what it was made from is kept, with its numbers, and nothing is built on it."""
    workshop.spec(SCORE)
    template = (workshop.EXAMPLE / "templates/dense/recipe/dense.py").read_text()
    workshop.write("templates/dense/recipe/dense.py", template.replace("DIGITS = 6", "DIGITS = 1"))
    endings = workshop.build()
    assert endings["my-count.dense"].fate is Fate.RAN
    assert endings["my-count.dense.proof"].gates[0].verdict is Verdict.FAILS
    assert endings["my-score"].fate is Fate.BLOCKED
    assert all(each in endings["my-score"].reason for each in ("`my-count.dense.proof`", "`divergence <= 0.001`", "off by 0.0"))


def test_the_bound_of_a_proof_is_moved_where_its_node_is_declared(workshop):
    """A gate on a measure of the proof replaces the kind's own bound, and moving it reruns nothing."""
    pruned = f"{COUNT}pruners:\n  my-small: {{base: my-count, keep: 50%, gates: [contexts >= 1]}}\nscorers:\n"
    pruned += "  my-score: {model: my-small, tasks: {short: {words: ban}}}\n"
    workshop.spec(pruned)
    first = workshop.build()
    assert str(first["my-small.proof"].gates[0].gate) == "divergence <= 0.001"
    assert first["my-score"].fate is Fate.BLOCKED
    workshop.spec(pruned.replace("contexts >= 1", "contexts >= 1, divergence <= 90%"))
    second = workshop.build()
    assert fates(second)["my-small"] == fates(second)["my-small.proof"] == "kept"
    assert [str(each.gate) for each in second["my-small.proof"].gates] == ["divergence <= 90 %"]
    assert [str(each.gate) for each in second["my-small"].gates] == ["contexts >= 1"]
    assert second["my-score"].fate is Fate.RAN


def test_a_new_part_tries_nothing_twice(workshop):
    """A node that is made of parts runs a new part and itself, and keeps the parts that it had."""
    workshop.spec(SCORE)
    workshop.build()
    workshop.spec(SCORE.replace("tasks: {", "tasks: {long: {words: bananas}, "))
    told = fates(workshop.build())
    assert [name for name, fate in told.items() if fate == "ran"] == ["my-score.long", "my-score"]


def test_what_a_node_waits_for_is_not_in_its_key(workshop):
    """An order edge holds a node back while the gate of the other fails, and never changes its key."""
    workshop.spec(SCORE)
    key = workshop.plan().decisions["my-score.short"].key, workshop.build()["my-score"].key
    other = f"{SCORE}steps:\n  my-page: {{run: 'echo {{}} > out/x; echo {{\\\"n\\\": 1}} > measures.json', gates: [n > 1]}}\n"
    workshop.spec(other.replace("model: my-count", "model: my-count, requires: my-page"))
    held = workshop.build()["my-score"]
    assert held.fate is Fate.BLOCKED
    assert "`my-page`: `n > 1`" in held.reason
    workshop.spec(other.replace("model: my-count", "model: my-count, requires: my-page").replace("n > 1", "n >= 1"))
    free = workshop.build()["my-score"]
    assert (free.fate, free.key) == (Fate.KEPT, key[1])


# --- a step that is cut short ---


def test_a_step_that_is_cut_short_resumes_to_the_same_bytes(workshop, tmp_path):
    """After a failure past a checkpoint the plan says `resume`, and the result is that of a run nobody cut short."""
    workshop.spec(COUNT)
    cut = workshop.build(sets=("my-count.placement.stop_after=2",))["my-count"]
    assert cut.fate is Fate.FAILED
    assert "exit code 1" in cut.reason
    assert workshop.plan().decisions["my-count"].state is State.RESUME
    resumed = workshop.build()["my-count"]
    assert resumed.fate is Fate.RESUMED
    assert "from epoch 2" in (workshop.project.step(resumed.key) / "log.txt").read_text()
    other = type(workshop)(tmp_path / "other")
    other.spec(COUNT)
    whole = other.build()["my-count"]
    assert (resumed.key, resumed.tree, resumed.measures) == (whole.key, whole.tree, whole.measures)


def test_a_state_does_not_go_on_under_another_placement_than_its_kind_carries(workshop):
    """The plan says why a state cannot go on, the step starts anew, and the key is the same one."""
    workshop.spec(COUNT)
    cut = workshop.build(sets=("my-count.placement.stop_after=2",))["my-count"]
    told = workshop.plan(sets=("my-count.placement.shards=3",)).decisions["my-count"]
    assert (told.state, told.key) == (State.RUN, cut.key)
    assert told.resume == "its state is in 1 shards, and `placement.shards` is 3 now"
    ended = workshop.build(sets=("my-count.placement.shards=3",))["my-count"]
    assert ended.fate is Fate.RAN
    assert "from epoch 0" in (workshop.project.step(ended.key) / "log.txt").read_text()


def test_a_step_that_left_no_checkpoint_does_not_resume(workshop):
    """A step that failed before it kept anything starts anew, and the plan says so."""
    workshop.spec("steps:\n  my-step: {run: 'exit 1', placement: {resume: true}}\n")
    workshop.build()
    assert states(workshop.plan()) == {"my-step": "run"}


# --- the twin ---


def test_a_twin_is_small_and_kept_apart(workshop):
    """A rehearsal runs the same scripts on less, under keys of its own, and the real graph knows nothing of it."""
    workshop.write("data/words.txt", "\n".join(WORDS * 3))
    workshop.card("data/card.json", words=len(WORDS) * 3)
    spec = SCORE.replace("seed: 7}", "seed: 7}, gates: [rows > 400], twin: [rows < 40]")
    workshop.spec(spec + "steps: {my-page: date > out/page.html}\n")
    real, twin = workshop.plan(), workshop.plan(twin=True)
    assert all(real.decisions[name].key != each.key for name, each in twin.decisions.items() if each.key)
    rehearsed = workshop.build(twin=True)
    assert set(fates(rehearsed).values()) == {"ran"}
    assert rehearsed["my-words"].measures["words"] == 40
    assert [str(each.gate) for each in rehearsed["my-count"].gates] == ["rows < 40"]
    assert (workshop.tree("my-score", twin=True) / "report.json").exists()
    assert not workshop.tree("my-score").exists()
    assert set(states(workshop.plan()).values()) == {"run"}
    assert set(states(workshop.plan(twin=True)).values()) == {"keep"}


def test_a_twin_has_bounds_of_its_own(workshop):
    """What a kind asks of a rehearsal may differ from what it asks of the real thing; what is written for twins comes first."""
    pruned = f"{COUNT}pruners:\n  my-small: {{base: my-count, keep: 90%}}\n"
    workshop.spec(pruned)
    assert [str(each.gate) for each in workshop.plan().decisions["my-small.proof"].gates] == ["divergence <= 0.001"]
    assert [str(each.gate) for each in workshop.plan(twin=True).decisions["my-small.proof"].gates] == ["divergence <= 0.01"]
    workshop.spec(pruned.replace("keep: 90%", "keep: 90%, twin: divergence <= 0.5"))
    assert [str(each.gate) for each in workshop.plan().decisions["my-small.proof"].gates] == ["divergence <= 0.001"]
    assert [str(each.gate) for each in workshop.plan(twin=True).decisions["my-small.proof"].gates] == ["divergence <= 0.5"]


def test_a_twin_is_checked_at_its_real_size(workshop):
    """What is impossible in the real graph is told before the rehearsal makes it possible."""
    workshop.card("data/card.json", alphabet="abcdefghijklmnopqrstuvwxyz")
    workshop.spec(COUNT.replace("order: 2", "order: 5"))
    assert [code for _, code, _ in workshop.problems(twin=True)] == ["objection"]


# --- secrets ---


def test_a_secret_reaches_the_script_by_its_name_alone(workshop, monkeypatch):
    """The value of a secret is in no file that zyc writes, its name is in the recipe, and a new value changes no key."""
    workshop.spec(SCORE.replace("model: my-count", "model: my-count, token: $(env.LETTER_TOKEN)"))
    monkeypatch.setenv("LETTER_TOKEN", "correct horse battery")
    told = workshop.build()["my-score"]
    assert json.loads((workshop.tree("my-score") / "report.json").read_text())["signed"]
    step = workshop.project.step(told.key)
    assert 'TOKEN = os.environ["LETTER_TOKEN"]' in (step / "recipe/report.py").read_text()
    assert "signed with ***" in (step / "log.txt").read_text()
    leaks = [path for path in workshop.root.rglob("*") if path.is_file() and b"correct horse battery" in path.read_bytes()]
    assert leaks == []
    monkeypatch.setenv("LETTER_TOKEN", "another one")
    assert workshop.plan().decisions["my-score"].state is State.KEEP


def test_a_secret_that_is_not_there_stops_the_build_before_it_starts(workshop, monkeypatch):
    """A plan needs no secret; a build says which variable is missing and starts nothing."""
    monkeypatch.delenv("LETTER_TOKEN", raising=False)
    workshop.spec(SCORE.replace("model: my-count", "model: my-count, token: $(env.LETTER_TOKEN)"))
    assert states(workshop.plan())["my-score"] == "run"
    with pytest.raises(ZycError) as error:
        workshop.build()
    (told,) = error.value.problems
    assert (told.code, dict(told.facts)["name"], dict(told.facts)["field"]) == ("missing-variable", "LETTER_TOKEN", "token")
    assert not (workshop.root / "artifacts" / "steps").exists()


def test_every_vertex_of_the_example_is_a_node_of_a_known_kind(workshop):
    """Inserted nodes are ordinary ones: planned, keyed and owned by the node that they were inserted for."""
    workshop.spec(SCORE)
    graph = workshop.front().graph
    owners = {name: vertex.owner for name, vertex in graph.vertices.items() if isinstance(vertex, Node) and vertex.inserted}
    assert owners == {"my-count.dense": "my-count", "my-count.dense.proof": "my-count", "my-score.short": "my-score"}
