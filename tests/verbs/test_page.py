"""The page of a graph: what a plan, its traces and small files say, drawn and written so that nothing of it can run."""

import re

import pytest

from zyc.report.pages import drawing
from zyc.report.pages.drawing import Card
from zyc.report.pages.sections import exam, spoken
from zyc.report.pages.writing import page

HOSTILE = "</style><script>x</script>\"'&"


def card(name, *inputs):
    """A node of a picture."""
    return Card(name, "step", "keep", ("1 kB",), "holds", inputs)


def test_inputs_stand_left_of_what_reads_them():
    """Each card stands in a column behind all of its inputs; what has one reader stands beside it."""
    cards = {each.name: each for each in (card("a"), card("b", "a"), card("lone"), card("c", "b", "lone"), card("d", "c", "a"))}
    assert drawing.columns(cards) == [["a"], ["b", "lone"], ["c"], ["d"]]


def test_an_edge_passes_no_card():
    """An edge over several columns has a lane of its own in each that it passes."""
    cards = {each.name: each for each in (card("a"), card("b", "a"), card("c", "b", "a"))}
    told, routes = drawing.routed(cards)
    (lane,) = [name for name in told[1] if name not in cards]
    assert routes["a", "c"] == ["a", lane, "c"]


@pytest.mark.parametrize(
    ("kl", "wanted"), [(None, 1.5), (0.0, 2.0), (1e-6, 2.0), (1e-5, 4.2), (1e-2, 10.8), (9.0, 14.0), (float("nan"), 14.0)]
)
def test_an_edge_is_as_thick_as_what_was_lost(kl, wanted):
    """Each ten times as much divergence is a step thicker, between a hair and a beam."""
    assert drawing.thickness(kl) == pytest.approx(wanted)


def test_a_text_stays_text_in_a_drawing():
    """Names in the picture of a graph, and of lines, cannot become markup."""
    drawn = drawing.graph({HOSTILE: card(HOSTILE)}, {}) + drawing.chart({HOSTILE: [(1, 2.0), (2, 1.0)]})
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_a_sample_shows_what_is_trained_on():
    """Of a chat it is what the assistant says, or all of it; of data that nobody trains on, nothing."""
    sample = "system: a\nuser: b\nc\nassistant: d\n"
    told = list(spoken(sample, "assistant"))
    assert [(each["who"], each["text"], each["trained"]) for each in told] == [
        ("system", "a", False),
        ("user", "b\nc", False),
        ("assistant", "d", True),
    ]
    assert all(each["trained"] for each in spoken(sample, "all"))
    assert not any(each["trained"] for each in spoken(sample, ""))


def facts(**more):
    """The facts of a page with little on it."""
    told = {
        "twin": True,
        "version": "0",
        "what": {
            "title": HOSTILE,
            "about": [HOSTILE],
            "files": ["specs/a.yml"],
            "use": [],
            "kept": 1,
            "nodes": 1,
            "when": "",
            "took": "1 s",
            "verdict": {"state": "ready", "says": "ready", "because": "x"},
            "gates": [],
        },
        "graph": {"svg": drawing.graph({"a": card("a")}, {}), "cards": [], "measured": False},
        "ledgers": [],
        "predicted": [],
        "trainings": [],
        "exams": [],
        "data": [],
        "again": {"commands": [], "pins": [], "packages": [], "licences": [], "keys": [], "money": [], "hours": "1 s"},
    }
    return {**told, **more}


def test_every_wrong_answer_of_an_exam_can_be_read():
    """An exam shows its groups with intervals, and what was asked, said and expected where it was wrong; text stays text."""
    groups = {"by.a": {"column": "by", "value": "a", "questions": 2, "accuracy": 0.5, "accuracy.low": 0.1, "accuracy.high": 0.9}}
    report = {"kind": "exam", "measures": {"accuracy": 0.5, "accuracy.low": 0.1, "accuracy.high": 0.9}, "groups": groups}
    chat = [{"role": "user", "content": HOSTILE}]
    rows = [{"id": 1, "question": chat, "expected": "yes", "answer": HOSTILE, "right": False}, {"id": 2, "right": True}]
    text = page(facts(exams=[exam("e", "questions", report, rows)]))
    assert "1 wrong answer of 2" in text
    assert "left:10.0%;width:80.0%" in text
    assert 'class="interval hatched"' in text
    assert "user: &lt;/style&gt;&lt;script&gt;" in text
    assert "<script" not in text


def test_measures_of_a_task_have_their_units():
    """Times and bytes are told as people tell them; what no row was judged by says nothing of wrong answers."""
    report = {"kind": "speed", "measures": {"answer_p95": 0.079, "memory_peak": 66_400_000, "tokens_per_second": 2136.0}}
    told = exam("e", "speed", report, [{"seconds": 0.1}])
    assert told["measures"] == {"answer_p95": "79 ms", "memory_peak": "66.4 MB", "tokens_per_second": "2,136"}
    assert "wrong" not in page(facts(exams=[told])).split("Exams")[1].split("<h2>")[0]


def test_the_page_asks_nobody():
    """It has no link to anywhere but its own reports, and a policy that forbids scripts and the network."""
    text = page(facts())
    assert text.startswith('<!doctype html>\n<meta charset="utf-8"><meta http-equiv="Content-Security-Policy"')
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    assert "@import" not in text
    assert "url(" not in text


SPEC = """\
about: Wood & Sons <script>
steps:
  wood: echo oak > out/x
  plank:
    inputs: {wood: wood}
    run: echo '{"length":2}' > measures.json; cp in/wood/x out/x
    gates: [length >= 3]
  shelf: {inputs: {plank: plank}, run: cp in/plank/x out/x}
"""


def test_a_gate_that_fails_is_the_verdict(bare):
    """The page of a graph that must not be shipped says by which gate, and the graph is not whole behind it."""
    bare.spec(SPEC)
    bare.zyc("build")
    assert bare.zyc("report").code == 0
    text = bare.read("artifacts/report/index.html")
    assert '<p class="verdict blocked"><strong>blocked</strong> plank: length &gt;= 3 does not hold' in text
    assert "Wood &amp; Sons &lt;script&gt;" in text
    assert 'class="card blocked"' in text
    bare.edit("specs/mill.yml" if (bare.root / "specs/mill.yml").exists() else "specs/hello.yml", "length >= 3", "length >= 2")
    bare.zyc("build")
    bare.zyc("report")
    assert '<p class="verdict ready"><strong>ready to ship</strong>' in bare.read("artifacts/report/index.html")


def test_a_graph_that_is_not_built_is_not_whole(bare):
    """What is not kept is counted, and shown as cards all the same."""
    bare.spec(SPEC)
    assert bare.zyc("report", "wood").code == 0
    text = bare.read("artifacts/report/index.html")
    assert "1 of 1 nodes is not kept" in text
    assert 'class="card run"' in text


def test_measures_of_gates_are_told_as_a_plan_tells_them(bare):
    """A time, a share and bytes beside their bounds have units, as in `zyc plan --all`."""
    bare.spec("""
steps:
  told:
    run: echo '{"answer_p95":0.04828,"memory_peak":68870144,"same":1}' > measures.json; touch out/x
    gates: [answer_p95 <= 15 s, memory_peak <= 5 GB, same = 100%]
""")
    assert bare.zyc("build").code == 0
    bare.zyc("report")
    text = bare.read("artifacts/report/index.html")
    for gate, value in (("answer_p95 &lt;= 15 s", "48 ms"), ("memory_peak &lt;= 5 GB", "68.9 MB"), ("same = 100 %", "100 %")):
        assert f'<td>{gate}</td><td class="n">{value}</td>' in text


def test_sections_count_from_one():
    """What stands before a heading is its number, as in the line of links."""
    text = page(facts())
    assert re.findall(r"<h2><span>(\d)</span>", text) == [*"1234567"]
    assert re.findall(r'<a href="#\w+">(\d) \w+</a>', text) == [*"1234567"]


def test_a_wide_graph_is_scrolled_and_says_so():
    """A drawing shrinks as far as it can be read; in a narrower window a line says that there is more of it."""
    cards = {f"n{at}": card(f"n{at}", *([f"n{at - 1}"] if at else [])) for at in range(9)}
    drawn = drawing.graph(cards, {})
    least = int(re.search(r"min-width:(\d+)px", drawn)[1])
    assert f"@container drawing (width < {least}px) {{ .wider {{ display: block }} }}" in drawn
    assert 'class="note wider"' in drawn
    assert 'class="scroll"><svg' in drawn


def test_a_ledger_on_a_phone_names_its_numbers():
    """There each cell stands under the other, with the name of its column: none is cut."""
    row = {"cells": ("F16", "a.gguf", "same", "same", "1e-05 <= 0.001", "100 %", "none found"), "holds": True, "kl": 0.1}
    text = page(facts(ledgers=[{"node": "a", "rows": [row], "says": "x", "golden": [], "command": ""}]))
    assert '<td data-name="KL" class="n">1e-05 &lt;= 0.001' in text
    assert '<td data-name="top-1" class="n">100 %</td>' in text
    assert "content: attr(data-name)" in text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.000667, "6.7e-4"), (2e-4, "2e-4"), (0.0, "0"), (0.4521, "0.452"), (1234.0, "1,234"), (-1e-9, "-1e-9")],
)
def test_a_number_beside_an_axis_has_room(value, wanted):
    """A learning rate is told in so few letters that none is cut."""
    drawn = drawing.chart({"rate": [(1, value), (2, value)]})
    assert f'text-anchor="end">{wanted}</text>' in drawn
