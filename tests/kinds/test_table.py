"""The kind `table`: what a plan says of it, paired tests on the same questions, and a verdict that its numbers decide."""

import json

import pytest
import samples
from modules import modules_of
from standing import run, stand

from zyc import kinds
from zyc.types import Report

SPEC = samples.read("table").spec.partition("\n")[2]


@pytest.fixture
def place(workshop):
    """A project that holds the sample, with something changed in it."""

    def placed(*changes):
        workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n{"question": "two?", "answer": "2"}\n')
        spec = SPEC
        for old, new in changes:
            assert old in spec
            spec = spec.replace(old, new)
        workshop.spec(spec)
        return workshop

    return placed


def report(folder, rights, *, seconds=1.0, start=0):
    """An evaluation's report: so many questions, each right or not, and how soon an answer began."""
    home = folder / "tasks" / "questions"
    home.mkdir(parents=True)
    rows = [{"id": str(at), "right": bool(right)} for at, right in enumerate(rights, start)]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    share = sum(rights) / len(rights)
    told = {"accuracy": share, "accuracy.low": share - 0.1, "accuracy.high": min(1.0, share + 0.1)}
    tasks = {"questions": {"measures": told}, "speed": {"measures": {"first_token": seconds, "prompt_tokens": 40.0}}}
    (folder / "report.json").write_text(json.dumps({"model": "m", "format": "llama.cpp", "on": None, "tasks": tasks}))
    return folder


@pytest.fixture
def two(tmp_path):
    """A good one and a poor one, asked the same forty questions."""
    good = report(tmp_path / "good", [1] * 36 + [0] * 4, seconds=0.5)
    return {"good": good, "poor": report(tmp_path / "poor", [1] * 10 + [0] * 30)}


def tabled(tmp_path, reports, **spec):
    """The folder of a table of these reports once it ran, and its measures."""
    told = {"reports": {label: label for label in reports}, **spec}
    inputs = {f"reports/{label}/0": path for label, path in reports.items()}
    facts = {f"reports.{label}.0": Report(("questions", "speed")) for label in reports}
    folder = stand(tmp_path / "table", "table", inputs, facts, told)
    return folder, run(folder)[1]


# --- what a plan says ---


def test_table(place, golden):
    """The script names who stands in the table by label, where each report lies, and what decides."""
    golden(place().front(), "my-table")


def test_members_of_a_family_are_labelled_with_their_coordinates(place):
    """A family stands for all of its members, whose labels go on with what they differ in."""
    text = place().front().settlement.rendered(place().front().graph.vertices["my-table"]).files()["recipe/table.py"]
    for label, path in (("tried-small", "tried/model=small"), ("tried-deep", "tried/model=deep"), ("alone", "alone")):
        assert f'"{label}": "{path}' in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("depth: [tried-deep, tried-small]", "depth: [tried-dep, tried-small]", "did you mean `tried-deep`?"),
        ("of: tried-deep", "of: nobody", "does not stand in the table"),
        ("reports: {tried: my-tried, alone", "reports: {pair: my-tried, tried: my-tried, alone", "begins measures of the table"),
        ("my-table:\n", "my-table:\n    exam: riddles\n", "no task `riddles`"),
        ("when: [questions.accuracy >= 50%]", "when: []", "answered by nothing"),
        ("when: [questions.accuracy >= 50%]", "when: [questions.acuracy >= 50%]", "did you mean `questions.accuracy`?"),
        (
            "when: [questions.accuracy >= 50%]",
            "when: [questions.accuracy > speed.first_tokn]",
            "does not measure `speed.first_tokn`",
        ),
        ("my-table:\n", "my-table:\n    columns: [questions.acuracy]\n", "did you mean `questions.accuracy`?"),
    ],
)
def test_a_table_that_cannot_be_is_refused(place, old, new, says):
    """Labels that nobody has, exams that were not taken, verdicts that nothing decides."""
    told = place((old, new)).problems()
    assert any(says in f"{facts}" for _, _, facts in told), told


# --- what comes out ---


@pytest.mark.slow
def test_a_difference_is_tested_on_the_same_questions(tmp_path, two):
    """Twenty-six that only one got right are no chance; the page, the chart and the table are there and say so."""
    folder, measures = tabled(tmp_path, two, pairs={"worth": ["good", "poor"], "nothing": ["good", "good"]})
    assert measures["pair.worth.delta"] == pytest.approx(0.65)
    assert measures["pair.worth.p"] == pytest.approx(2 / 2**26)
    assert (measures["pair.nothing.delta"], measures["pair.nothing.p"]) == (0, 1)
    assert measures["good.questions.accuracy"] == 0.9
    assert "verdict" not in measures
    table = (folder / "out/table.md").read_text()
    assert "better: 26 that only good got right, 0 that only poor did" in table
    assert "no difference that is more than chance" in table
    lines = [line.split(" | ")[0] for line in table.splitlines()]
    assert lines.index("| poor") < lines.index("| good"), "the best one stands last"
    assert (folder / "out/chart.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png" in (folder / "out/index.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("label", "yes"), [("good", 1), ("poor", 0)])
def test_the_verdict_is_what_the_numbers_say(tmp_path, two, label, yes):
    """Yes when every bound holds; each stands there with its number and its mark, and one that was not measured fails."""
    when = ["questions.accuracy >= 75%", "speed.first_token <= 2 s", *(["speed.memory_peak <= 5 GB"] if label == "poor" else [])]
    folder, measures = tabled(tmp_path, two, verdict={"question": "Is it <b>enough</b>?", "of": label, "when": when})
    assert measures["verdict"] == yes
    page = (folder / "out/index.html").read_text()
    assert f'class="verdict {"yes" if yes else "no"}"' in page
    assert "Is it &lt;b&gt;enough&lt;/b&gt;?" in page
    assert ("not measured" in page) == (not yes)
    told = json.loads((folder / "out/report.json").read_text())["verdict"]
    assert [each["holds"] for each in told["bounds"]] == ([True, True] if yes else [False, True, None])


def test_what_was_not_measured_answers_nothing(tmp_path):
    """Neither yes nor no: the bound is open, the page says so, and there is no measure that a gate could hold."""
    with modules_of("table", "beside", "showing") as found:
        reports = {"one": found.beside.read("one", home=report(tmp_path / "one", [1, 1]).parent)}
        bounds = [{"says": each, "measure": each, "sign": ">=", "bound": 0.5} for each in ("questions.accuracy", "gone.away")]
        verdict = found.beside.answered("Enough?", "one", bounds, reports)
        assert [verdict["yes"], *(each["holds"] for each in verdict["bounds"])] == [None, True, None]
        told = {"reports": reports, "pairs": {}, "verdict": verdict, "columns": [], "rehearsal": False}
        assert "verdict" not in found.beside.measures_of(told)
        assert "Enough? No answer, by the numbers of one" in found.showing.markdown(told)
        assert found.beside.answered("Enough?", "one", [*bounds, {**bounds[0], "bound": 2}], reports)["yes"] is False


def test_the_ends_of_an_interval_are_in_its_unit():
    """Points beside a share, numbers beside a number."""
    with modules_of("table", "showing") as found:
        measures = {"acc": 0.95, "acc.low": 0.912, "acc.high": 0.973, "ppl": 31.0, "ppl.low": 30.0, "ppl.high": 32.0}
        assert found.showing.interval(measures, "acc") == "95.0 % (91 to 97)"
        assert found.showing.interval(measures, "ppl") == "31 (30 to 32)"


def test_who_was_asked_other_questions_is_not_paired(tmp_path):
    """A paired test on different questions is refused with how many only one was asked."""
    with modules_of("table", "beside") as found:
        reports = {
            "one": found.beside.read("one", home=report(tmp_path / "one", [1, 0]).parent),
            "two": found.beside.read("two", home=report(tmp_path / "two", [1, 0], start=1).parent),
        }
        with pytest.raises(SystemExit, match="2 have only one of them"):
            found.beside.paired(reports, "questions", "one", "two")


def test_exams_of_one_length_are_not_the_same_questions(tmp_path):
    """Rows have their places for names: what was asked there tells two exams apart."""
    for name in ("one", "two"):
        home = report(tmp_path / name, [1, 0])
        path = home / "tasks/questions/rows.jsonl"
        rows = [{**json.loads(line), "question": f"{name}, {at}?"} for at, line in enumerate(path.read_text().splitlines())]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with modules_of("table", "beside") as found:
        reports = {name: found.beside.read(name, home=tmp_path) for name in ("one", "two")}
        with pytest.raises(SystemExit, match="were not asked the same questions"):
            found.beside.paired(reports, "questions", "one", "two")


def test_every_measure_has_a_meaning():
    """What a table measures is told for its labels, its pairs and its verdict."""
    kind = kinds.load("table")
    spec = kind.Spec.model_validate({"reports": {"a": "a", "b": "b"}, "pairs": {"p": ["a", "b"]}})
    assert {"pair.p.delta", "pair.p.p"} <= set(kind.measured(spec))
    assert "verdict" not in kind.measured(spec)
