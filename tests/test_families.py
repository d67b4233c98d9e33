"""Families: one node that is many, what stands on them, and what chooses among them."""

import time

import pytest

from zyc.errors import ZycError
from zyc.graph import Choice, Cluster
from zyc.planning.plan import State, Why
from zyc.runner import Fate

WORDS = """
corpuses:
  my-words: {files: data/words.txt, card: data/card.json}
"""
# the member with the largest number is the best; `x` 2 fails a gate
TRIES = """
steps:
  my-try:
    matrix: {x: [1, 3, 2]}
    run: 'echo $ZYC_MATRIX_X > out/x; echo "{\\"s\\": $ZYC_MATRIX_X, \\"even\\": $((ZYC_MATRIX_X % 2))}" > measures.json'
"""
BEST = TRIES + "  my-best: {inputs: {it: {select: {from: my-try, max: s}}}, run: 'cp in/it/x out/x'}\n"


@pytest.fixture
def graph(workshop):
    """The graph of a spec."""

    def read(text):
        workshop.spec(text)
        return workshop.front().graph

    return read


def names(graph, start=""):
    """The vertices whose names begin so, in order."""
    return [name for name in graph.vertices if name.startswith(start)]


def inputs(graph, name):
    """What a vertex takes, by field."""
    return {edge.field: edge.source for edge in graph.vertices[name].edges if not edge.order}


def fates(endings):
    """What happened, in words."""
    return {name: each.fate.value for name, each in endings.items()}


# --- what a matrix makes ---


def test_a_matrix_is_the_product_of_its_axes(graph):
    """Each combination is a node, named by its coordinates in the order of the axes."""
    told = graph("steps: {my-step: {matrix: {x: [1, 2], y: [a, b]}, run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Y > out/x'}}")
    assert names(told) == ["my-step@x=1@y=a", "my-step@x=1@y=b", "my-step@x=2@y=a", "my-step@x=2@y=b"]


def test_a_label_stands_for_its_value(workshop):
    """A mapping of label to value names the members by the labels and gives the fields the values."""
    matrix = "matrix: {train: {short: {epochs: 1}, long: {epochs: 3, seed: 9}}}"
    workshop.spec(f"{WORDS}counters: {{my-count: {{{matrix}, base: my-words, train: $(matrix.train)}}}}")
    nodes = {node.name: node.spec.train for node in workshop.front().graph.nodes() if node.kind == "counter"}
    assert {name: (train.epochs, train.seed) for name, train in nodes.items()} == {
        "my-count@train=short": (1, 0),
        "my-count@train=long": (3, 9),
    }


def test_a_list_of_rows_is_what_it_says(graph):
    """Rows name the members one by one, so a family need not be a product."""
    told = graph("steps: {my-step: {matrix: [{x: 1, y: a}, {x: 2, y: b}], run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Y > out/x'}}")
    assert names(told) == ["my-step@x=1@y=a", "my-step@x=2@y=b"]


def test_members_that_say_the_same_are_made_once(workshop):
    """Equal recipes have equal keys, whatever their coordinates are called: the second member is kept."""
    workshop.spec("steps: {my-step: {matrix: {x: {a: 7, b: 7}}, run: 'echo $ZYC_MATRIX_X > out/x'}}")
    assert fates(workshop.build()) == {"my-step@x=a": "ran", "my-step@x=b": "kept"}


# --- what stands on a family ---

COUNTS = f"{WORDS}counters: {{my-count: {{matrix: {{order: [1, 2]}}, base: my-words, order: $(matrix.order)}}}}\n"


def test_a_family_is_mapped_along_a_chain(graph):
    """What stands on a family is a family on the same axes, through parts, proofs and what is inserted."""
    text = "pruners: {my-small: {base: my-count}}\nscorers: {my-score: {model: my-small, tasks: {t: {words: ban}}}}"
    told = graph(COUNTS + text)
    assert inputs(told, "my-small@order=2") == {"base": "my-count@order=2"}
    assert inputs(told, "my-small@order=2.proof") == {"subject": "my-small@order=2", "against": "my-count@order=2"}
    assert inputs(told, "my-score@order=2") == {"model": "my-small@order=2.dense", "parts.t": "my-score@order=2.t"}
    assert inputs(told, "my-score@order=2.t") == {"model": "my-small@order=2.dense"}


def test_what_was_inserted_may_be_named_of_a_family(graph):
    """A suffix asks for what stands behind each member; a dot in a label is no suffix."""
    one = "it: my-count@s=v1.b.dense, raw: my-count@s=v1.b"
    told = graph(
        f"{WORDS}counters: {{my-count: {{matrix: {{s: [0.5, v1.b]}}, base: my-words, about: $(matrix.s)}}}}\n"
        f"steps:\n  my-all: {{inputs: {{it: my-count.dense}}, run: ls}}\n  my-one: {{inputs: {{{one}}}, run: ls}}"
    )
    assert inputs(told, "my-all@s=0.5") == {"inputs.it": "my-count@s=0.5.dense"}
    assert inputs(told, "my-one") == {"inputs.it": "my-count@s=v1.b.dense", "inputs.raw": "my-count@s=v1.b"}


def test_a_list_collects_a_family_as_one_edge(graph):
    """A field that takes a list takes the members as one group, by their coordinates; each is made dense first."""
    told = graph(COUNTS + "scorers: {my-score: {model: my-count@order=1, rivals: my-count, tasks: {t: {words: ban}}}}")
    assert inputs(told, "my-score")["rivals"] == "my-count@*.dense"
    assert inputs(told, "my-count@*.dense") == {"order=1": "my-count@order=1.dense", "order=2": "my-count@order=2.dense"}


def test_a_group_reaches_the_script_by_its_coordinates(workshop):
    """In a step's folder a collected family is a folder with a link for each member."""
    workshop.spec(TRIES + "  my-all: {inputs: {tries: [my-try]}, run: 'cat in/tries/*/x > out/all; ls in/tries >> out/all'}\n")
    workshop.build()
    assert (workshop.tree("my-all") / "all").read_text().split() == ["1", "2", "3", "x=1", "x=2", "x=3"]


def test_a_family_that_is_required_must_hold_as_a_whole(workshop):
    """One member whose gate fails holds back whoever requires the family, and is no part of its key."""
    text = TRIES.replace("matrix: {x: [1, 3, 2]}", "matrix: {x: [1, 3, 2]}\n    gates: [s <= 2]")
    score = "scorers: {my-score: {model: my-count, tasks: {t: {words: ban}}%s}}\n"
    score = f"{WORDS}counters: {{my-count: {{base: my-words}}}}\n" + score
    workshop.spec(score % "" + text)
    key = workshop.plan("my-score").settlement.nodes["my-score"].own_digest
    workshop.spec(score % ", requires: [my-try]" + text)
    assert workshop.plan("my-score").settlement.nodes["my-score"].own_digest == key
    ending = workshop.build()["my-score"]
    assert ending.fate is Fate.BLOCKED
    assert "`my-try@x=3`" in ending.reason


def test_a_failing_proof_of_a_member_blocks_whoever_collects_it(workshop):
    """A group is as good as its worst member: one proof that fails blocks its reader."""
    workshop.spec(COUNTS + "scorers: {my-score: {model: my-count@order=1, rivals: my-count, tasks: {t: {words: ban}}}}")
    template = (workshop.EXAMPLE / "templates/dense/recipe/dense.py").read_text()
    coarse = template.replace("DIGITS) for", '1 if table["order"] == 2 else DIGITS) for')
    workshop.write("templates/dense/recipe/dense.py", coarse)
    endings = workshop.build()
    assert endings["my-score.t"].fate is Fate.RAN
    assert endings["my-score"].fate is Fate.BLOCKED
    assert "`my-count@order=2.dense.proof`" in endings["my-score"].reason


TWO_AXES = "steps:\n  my-step: {matrix: {x: [1, 2], y: [a, b]}, run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Y > out/x'}\n"


def test_a_prefix_names_a_sub_family(graph):
    """`my-step@x=1` are the members that begin so; what stands on it varies only along the axes that are left."""
    told = graph(TWO_AXES + "  my-next: {inputs: {it: my-step@x=1}, run: 'cp in/it/x out/x'}\n")
    assert names(told, "my-next") == ["my-next@y=a", "my-next@y=b"]
    assert inputs(told, "my-next@y=b") == {"inputs.it": "my-step@x=1@y=b"}


def test_two_sub_families_of_one_family_can_be_compared(graph):
    """Each reference keeps the coordinates that it was given; the open ones are shared."""
    told = graph(TWO_AXES + "  my-next: {inputs: {a: my-step@x=1, b: my-step@x=2}, run: 'cat in/*/x > out/x'}\n")
    assert names(told, "my-next") == ["my-next@y=a", "my-next@y=b"]
    assert inputs(told, "my-next@y=a") == {"inputs.a": "my-step@x=1@y=a", "inputs.b": "my-step@x=2@y=a"}


def test_a_prefix_in_a_list_collects_the_members_that_begin_so(graph):
    """A sub-family in a list is a group of its own."""
    told = graph(TWO_AXES + "  my-next: {inputs: {all: [my-step@x=1, my-step@x=2@y=b]}, run: 'cat in/all/*/x > out/x'}\n")
    assert inputs(told, "my-next") == {"inputs.all.0": "my-step@x=1@*", "inputs.all.1": "my-step@x=2@y=b"}
    assert list(inputs(told, "my-step@x=1@*")) == ["x=1,y=a", "x=1,y=b"]


def test_families_are_joined_on_the_axes_that_they_share(graph):
    """Two families side by side agree on their common axis; the others make a product."""
    text = "  my-a: {matrix: {x: [1, 2], y: [p, q]}, run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Y > out/a'}\n"
    text += "  my-b: {matrix: {x: [1, 2], z: [r]}, run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Z > out/b'}\n"
    told = graph(f"steps:\n{text}  my-both: {{inputs: {{a: my-a, b: my-b}}, run: 'cat in/*/* > out/x'}}\n")
    assert names(told, "my-both") == [f"my-both@x={x}@y={y}@z=r" for x in "12" for y in "pq"]
    assert inputs(told, "my-both@x=2@y=p@z=r") == {"inputs.a": "my-a@x=2@y=p", "inputs.b": "my-b@x=2@z=r"}


@pytest.mark.parametrize("order", ["a: my-a, b: my-b", "b: my-b, a: my-a"])
def test_families_that_differ_along_an_axis_are_refused(workshop, order):
    """A member that has no partner is an error, whichever side it stands on: nothing is dropped in silence."""
    text = "steps:\n  my-a: {matrix: {x: [1, 2]}, run: 'echo $ZYC_MATRIX_X > out/a'}\n"
    text += "  my-b: {matrix: {x: [1, 2, 3]}, run: 'echo $ZYC_MATRIX_X > out/b'}\n"
    workshop.spec(f"{text}  my-both: {{inputs: {{{order}}}, run: 'cat in/*/* > out/x'}}\n")
    ((_, code, facts),) = workshop.problems()
    sides = {str(facts["one"]).strip("`"): facts["left"], str(facts["two"]).strip("`"): facts["right"]}
    assert (code, facts["name"], facts["axis"]) == ("axes-differ", "my-both", "x")
    assert sides == {"my-a": "1, 2", "my-b": "1, 2, 3"}


def test_a_matrix_may_take_a_part_of_a_family(workshop, graph):
    """The labels of a node's own matrix pick the members that it stands on, and that is a way to read its axis."""
    told = graph(TWO_AXES + "  my-next: {matrix: {x: [2]}, inputs: {it: my-step}, run: 'cp in/it/x out/x'}\n")
    assert workshop.problems() == []
    assert names(told, "my-next") == ["my-next@x=2@y=a", "my-next@x=2@y=b"]
    assert inputs(told, "my-next@x=2@y=a") == {"inputs.it": "my-step@x=2@y=a"}


def test_a_family_of_one_is_a_family(graph):
    """One value or many: names do not change when a second value is added."""
    told = graph(TWO_AXES.replace("[1, 2]", "[1]") + "  my-next: {inputs: {it: my-step}, run: 'cp in/it/x out/x'}\n")
    assert names(told, "my-next") == ["my-next@x=1@y=a", "my-next@x=1@y=b"]


def test_an_axis_that_nothing_reads_is_refused(workshop):
    """A matrix whose members would all be the same says so."""
    workshop.spec("steps: {my-step: {matrix: {x: [1, 2]}, run: 'echo > out/x'}}")
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["name"]) == ("letters.yml:2:28", "unused-axis", "x")


# --- select ---


def test_select_takes_the_best_of_its_own_type(workshop):
    """The winner's tree is what the reader reads; a change of a loser reruns nobody else."""
    workshop.spec(BEST)
    workshop.build()
    assert (workshop.tree("my-best") / "x").read_text() == "3\n"
    workshop.spec(BEST.replace("[1, 3, 2]", "[0, 3, 2]"))
    told = fates(workshop.build())
    assert told == {"my-try@x=0": "ran", "my-try@x=3": "kept", "my-try@x=2": "kept", "my-best": "kept"}


def test_select_passes_over_members_that_fail_their_gates(workshop):
    """The best that passes wins; when nobody passes, the reader is blocked and told so."""
    gated = BEST.replace("matrix: {x: [1, 3, 2]}", "matrix: {x: [1, 3, 2]}\n    gates: [even = 0]")
    workshop.spec(gated)
    workshop.build()
    assert (workshop.tree("my-best") / "x").read_text() == "2\n"
    workshop.spec(gated.replace("even = 0", "even > 1"))
    assert workshop.build()["my-best"].fate is Fate.BLOCKED
    assert workshop.plan().decisions["my-best"].cause.why is Why.NO_WINNER


def test_select_passes_over_members_whose_inputs_fail(workshop):
    """A member whose judge cannot be built, because a gate stands before it, is no candidate and holds nobody up."""
    text = TRIES.replace("matrix: {x: [1, 3, 2]}", "matrix: {x: [1, 3, 2]}\n    gates: [s <= 2]")
    text += "  my-judge: {inputs: {it: my-try}, run: 'cp in/it/x out/x; echo {\\\"q\\\": $(cat in/it/x)} > measures.json'}\n"
    text += "  my-best: {inputs: {it: {select: {from: my-judge, max: q}}}, run: 'cp in/it/x out/x'}\n"
    workshop.spec(text)
    assert fates(workshop.build())["my-judge@x=3"] == "blocked"
    assert (workshop.tree("my-best") / "x").read_text() == "2\n"
    assert workshop.plan().decisions["my-best"].state is State.KEEP


def test_a_member_that_crashed_blocks_the_choice(workshop):
    """Nobody is chosen in silence while a member that may be the best has no number yet."""
    workshop.spec(BEST.replace("run: 'echo", "run: 'test $ZYC_MATRIX_X != 1; echo"))
    ending = workshop.build()["my-best"]
    assert ending.fate is Fate.BLOCKED
    assert "`my-try@x=1`" in ending.reason


def test_ties_go_to_the_first(workshop):
    """Of equals the first in order is taken."""
    workshop.spec(BEST.replace("max: s", "max: even"))
    workshop.build()
    assert (workshop.tree("my-best") / "x").read_text() == "1\n"


def test_select_goes_through_the_judge_to_what_was_judged(graph):
    """Where the judge is not of the wanted type, the one input of it that fits is taken, as the field wants it."""
    told = graph(
        COUNTS
        + "scorers:\n  my-score: {model: my-count, tasks: {t: {words: ban}}}\n"
        + "  my-best: {model: {select: {from: my-score, min: bits}}, tasks: {u: {words: can}}}\n"
    )
    choice = told.vertices["my-best.select"]
    assert choice.judges == (("order=1", "my-score@order=1"), ("order=2", "my-score@order=2"))
    assert choice.takes == (("order=1", "my-count@order=1.dense"), ("order=2", "my-count@order=2.dense"))
    assert inputs(told, "my-best.u") == {"model": "my-best.select"}


def test_select_takes_the_family_that_it_is_told_to(graph):
    """`take` names the family to take from; it is judged by the coordinates that both share."""
    told = graph(
        COUNTS
        + "pruners: {my-small: {base: my-count, gates: [divergence <= 1]}}\n"
        + "scorers:\n  my-score: {model: my-count, tasks: {t: {words: ban}}}\n"
        + "  my-best: {model: {select: {from: my-score, min: t.bits, take: my-small}}, tasks: {u: {words: can}}}\n"
    )
    assert told.vertices["my-best.select"].takes == (("order=1", "my-small@order=1.dense"), ("order=2", "my-small@order=2.dense"))


def test_select_may_name_a_measure_of_the_proof(workshop):
    """What a proof measures is a measure of the node that it proves."""
    keep = "matrix: {keep: {half: 50%, most: 90%}}, keep: $(matrix.keep), gates: [divergence <= 1]"
    workshop.spec(
        f"{WORDS}counters: {{my-count: {{base: my-words}}}}\n"
        f"pruners:\n  my-small: {{{keep}, base: my-count}}\n"
        "  my-best: {keep: 100%, base: {select: {from: my-small, min: divergence}}}\n"
    )
    endings = workshop.build()
    assert endings["my-small@keep=most.proof"].measures["divergence"] < endings["my-small@keep=half.proof"].measures["divergence"]
    assert endings["my-best"].fate is Fate.RAN
    assert workshop.plan().settlement.graph.vertices["my-best.select"].judges[0] == ("keep=half", "my-small@keep=half.proof")
    assert endings["my-best"].measures["contexts"] == endings["my-small@keep=most"].measures["contexts"]


def test_select_of_a_measure_that_nobody_has_is_refused(workshop):
    """A measure is checked where it is named."""
    workshop.spec(COUNTS + "pruners: {my-small: {base: {select: {from: my-count, min: lost}}}}")
    ((where, code, facts),) = workshop.problems()
    assert (where, code, facts["measure"]) == ("letters.yml:6:28", "unknown-measure", "lost")


def test_members_that_choose_alike_share_the_choice(graph):
    """A family of many that each choose from a family of many is one choice, not one a member."""
    told = graph(
        TRIES + "  my-next: {matrix: {y: [1, 2, 3]}, inputs: {it: {select: {from: my-try, max: s}}}, run: 'echo $ZYC_MATRIX_Y'}\n"
    )
    assert [name for name, vertex in told.vertices.items() if isinstance(vertex, Choice)] == ["my-next.select"]
    assert inputs(told, "my-next@y=3") == {"inputs.it": "my-next.select"}


def test_members_that_choose_differently_choose_apart(graph):
    """A choice may depend on the coordinates of who chooses."""
    best = "inputs: {it: {select: {from: my-try@x=$(matrix.x), max: s}}}"
    text = "  my-try: {matrix: {x: [1, 2], y: [p, q]}, run: 'echo $ZYC_MATRIX_X $ZYC_MATRIX_Y > out/x'}\n"
    text += f"  my-next: {{matrix: {{x: [1, 2]}}, {best}, run: 'cp in/it/x out/x'}}\n"
    told = graph(f"steps:\n{text}")
    choices = {name: dict(vertex.takes) for name, vertex in told.vertices.items() if isinstance(vertex, Choice)}
    assert choices["my-next@x=2.select"] == {"x=2,y=p": "my-try@x=2@y=p", "x=2,y=q": "my-try@x=2@y=q"}
    assert list(choices) == ["my-next@x=1.select", "my-next@x=2.select"]


def test_a_choice_may_stand_in_a_list(graph):
    """A list takes the winner of one family beside all of another."""
    rivals = "[my-count, {select: {from: my-count, min: loss}}]"
    told = graph(COUNTS + f"scorers: {{my-score: {{model: my-count@order=1, rivals: {rivals}, tasks: {{t: {{words: ban}}}}}}}}")
    assert inputs(told, "my-score")["rivals.0"] == "my-count@*.dense"
    assert inputs(told, "my-score")["rivals.1"] == "my-score.select"


# --- search ---

SEARCH = f"""{WORDS}
counters:
  my-count:
    search: {{over: {{s: [0.01 .. 4]}}, min: loss, runs: 6}}
    base: my-words
    smoothing: $(search.s)
pruners:
  my-small: {{keep: 100%, base: {{select: {{from: my-count, min: loss}}}}}}
"""


def to_its_end(workshop):
    """Build until nothing is left to do, as `zyc build` does; the losses, in the order of the runs."""
    for _ in range(8):
        endings = workshop.build()
        if not workshop.plan().changes:
            break
    return {name: each.measures["loss"] for name, each in endings.items() if "loss" in each.measures}


def test_a_search_goes_to_its_end_and_improves(workshop):
    """Members are added one by one, as many as `runs`, each beside the best so far; the best is what readers get."""
    workshop.spec(SEARCH)
    losses = to_its_end(workshop)
    assert len(losses) == 6
    values = list(losses.values())
    assert min(values) < min(values[:3])
    choice = workshop.plan().settlement.graph.vertices["my-small.select"]
    best = min(losses, key=losses.get)
    assert dict(choice.takes)[f"s={best.split('=')[1]}"] == best
    link = workshop.project.step(workshop.plan().decisions["my-small"].key)
    assert (workshop.tree("my-small") / "table.json").read_bytes() == (workshop.tree(best) / "table.json").read_bytes(), link


def test_a_search_that_is_over_is_kept(workshop):
    """The members that a search chose follow from kept numbers: a second call chooses the same and runs nothing."""
    workshop.spec(SEARCH.replace("runs: 6", "runs: 4"))
    first = to_its_end(workshop)
    assert set(fates(workshop.build()).values()) == {"kept"}
    assert to_its_end(workshop) == first


def test_a_search_may_be_judged_by_what_stands_on_it(workshop):
    """`from` names a family on the same axes, and its numbers lead the search; one run is enough to be judged."""
    judged = SEARCH.replace("min: loss, runs: 6", "from: my-score, min: bits, runs: 4")
    judged = judged.replace("from: my-count, min: loss", "from: my-score, min: bits")
    judged += "scorers: {my-score: {model: my-count, tasks: {t: {words: ban}}}}"
    workshop.spec(judged)
    assert len(to_its_end(workshop)) == 4
    workshop.spec(judged.replace("runs: 4", "runs: 1"))
    assert workshop.problems() == []


@pytest.mark.parametrize(
    ("search", "told"),  # what is written, what is wrong with it
    [
        ("min: lost, runs: 6", "unknown-measure"),
        ("from: my-words, min: loss, runs: 6", "bad-search"),
        ("from: nobody, min: loss, runs: 1", "bad-search"),
    ],
)
def test_a_search_that_nothing_can_lead_is_refused(workshop, search, told):
    """What would never come to an end is an error at plan time."""
    workshop.spec(SEARCH.replace("min: loss, runs: 6", search))
    assert told in [code for _, code, _ in workshop.problems()]


# --- size ---


def test_all_to_all_is_linear(workshop):
    """A thousand nodes that each collect a thousand others are planned with thousands of edges, not a million."""
    workshop.spec(
        f"steps:\n  my-a: {{matrix: {{x: {list(range(1000))}}}, run: 'echo $ZYC_MATRIX_X > out/x'}}\n"
        f"  my-b: {{matrix: {{y: {list(range(1000))}}}, inputs: {{all: [my-a]}}, run: 'echo $ZYC_MATRIX_Y > out/x'}}\n"
    )
    began = time.monotonic()
    plan = workshop.plan()
    assert sum(len(vertex.edges) for vertex in plan.graph.vertices.values()) < 10_000
    assert len(plan.decisions) == 2000
    assert sum(isinstance(vertex, Cluster) for vertex in plan.graph.vertices.values()) == 1
    assert time.monotonic() - began < 20


def test_a_matrix_that_is_too_large_is_refused_before_it_is_made(workshop):
    """A product of a million members is an error, not a long wait."""
    axes = ", ".join(f"{axis}: {list(range(100))}" for axis in "xyz")
    workshop.spec(f"steps: {{my-a: {{matrix: {{{axes}}}, run: 'echo > out/x'}}}}")
    ((_, code, facts),) = workshop.problems()
    assert (code, facts["count"], facts["limit"]) == ("family-too-large", 1_000_000, 100_000)


def test_a_choice_is_no_step(workshop):
    """A choice takes no step and no time: it has no decision, and its reader's input is the winner's own tree."""
    workshop.spec(BEST)
    endings = workshop.build()
    graph = workshop.plan().graph
    assert isinstance(graph.vertices["my-best.select"], Choice)
    assert "my-best.select" not in endings
    with pytest.raises(ZycError):
        workshop.plan("my-best.select")
