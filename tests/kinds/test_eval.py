"""The kind `eval`: what a plan says of it, gates as people write them, and one report of many tasks."""

import json
from pathlib import Path

import pytest
import samples
from modules import modules_of

from zyc import catalogue, kinds
from zyc.craft.arch import gguf
from zyc.errors import ZycError
from zyc.gates import Outlook, foresee, parse
from zyc.kind import Case
from zyc.types import Adapter, Dataset, Gguf, Model, values_of

MISTRAL = catalogue.model("mistralai/Mistral-7B-Instruct-v0.3")
SPEC = samples.read("eval").spec.partition("\n")[2]
ROWS = '{"question": "one?", "answer": "1"}\n{"question": "two?", "answer": "2"}\n'


@pytest.fixture
def place(workshop):
    """A project that holds the sample, with something changed in it."""

    def placed(*changes):
        workshop.write("data/asked.jsonl", ROWS)
        spec = SPEC
        for old, new in changes:
            assert old in spec
            spec = spec.replace(old, new)
        workshop.spec(spec)
        return workshop

    return placed


def asked(model, tasks, **more):
    """The kind, asked about a model with these facts."""
    kind = kinds.load("eval")
    rivals = more.pop("rivals", ())
    spec = kind.Spec.model_validate({"model": "m", "tasks": tasks, "against": [f"r{at}" for at in range(len(rivals))], **more})
    inputs = {"model": model, **{f"against.{at}": each for at, each in enumerate(rivals)}}
    for name, task in spec.tasks.items():
        if task.kind in ("exam", "perplexity", "text", "compare"):
            inputs[f"tasks.{name}.{task.kind}"] = Dataset(format="text" if task.kind == "perplexity" else "questions", rows=180)
    return kind, Case(spec, inputs)


def quantized(kind):
    """The facts of Mistral 7B in a type of llama.cpp."""
    return Gguf(values_of(MISTRAL), kind, gguf.file_bytes(MISTRAL, kind), "apache-2.0")


def outlook(model, gate, task, **more):
    """What a plan says of one gate, and the sum."""
    kind, case = asked(model, {"speed": task}, on=more.pop("on", "hf-cpu-basic"), gates=[gate], **more)
    assert list(kind.check(case)) == []
    known = dict(kind.estimate(case).measures)
    return foresee(parse(gate), known), known.get(parse(gate).measure)


# --- the recipe ---


def test_report(place, golden):
    """The joining script names its tasks, other models and the class of machine, and nothing of where it stands."""
    golden(place().front(), "my-eval")


def test_each_task_is_a_node_of_its_own(place):
    """What did not change is not asked again: another window re-reads the text, and nothing else but the report."""

    def own(*changes):
        front = place(*changes).front()
        return {name: settled.own for name, settled in front.settlement.nodes.items()}

    before, after = own(), own(("told: {perplexity: my-text}", "told: {perplexity: my-text, window: 128}"))
    moved = {name for name, lines in before.items() if lines != after[name]}
    assert moved == {"my-eval.told"}


def test_the_form_of_speed_is_free(place):
    """`speed: {prompt_tokens: 40, ...}` and the same below a key `speed` are one task."""
    flat = place().front().settlement.nodes["my-eval.speed"].own
    below = "speed: {speed: {prompt_tokens: 40, new_tokens: 60}}"
    assert place(("speed: {prompt_tokens: 40, new_tokens: 60}", below)).front().settlement.nodes["my-eval.speed"].own == flat


# --- truths, through a planned evaluation ---


def test_four_gigabytes_do_not_hold_mistral_in_four_bits():
    """The sum is 4.7 GB; Q3_K_M and 5 GB could hold."""
    task = {"prompt_tokens": "40", "new_tokens": "60"}
    told, sum_ = outlook(quantized("Q4_K_M"), "speed.memory_peak <= 4 GB", task)
    assert told is Outlook.CANNOT
    assert round(sum_.low / 1e9, 1) == 4.7
    assert "4.37 GB of weights" in sum_.because
    assert "134 MB of cache at 1,024 tokens" in sum_.because
    assert outlook(quantized("Q4_K_M"), "speed.memory_peak <= 5 GB", task)[0] is Outlook.COULD
    assert outlook(quantized("Q3_K_M"), "speed.memory_peak <= 4 GB", task)[0] is Outlook.COULD


def test_a_free_cpu_answers_sixty_tokens_in_time_and_not_a_hundred_and_fifty():
    """200 + 150 tokens take 18 s at best; 40 + 60 take 7 to 11."""
    long, short = {"prompt_tokens": "200", "new_tokens": "150"}, {"prompt_tokens": "40", "new_tokens": "60"}
    told, sum_ = outlook(quantized("Q4_K_M"), "speed.answer_p95 <= 15 s", long)
    assert (told, round(sum_.low), round(sum_.high)) == (Outlook.CANNOT, 18, 31)
    told, sum_ = outlook(quantized("Q4_K_M"), "speed.answer_p95 <= 15 s", short)
    assert (told, round(sum_.low), round(sum_.high)) == (Outlook.COULD, 7, 11)


@pytest.mark.parametrize(("model", "held", "rate"), [("bf16", False, 18.8), ("Q8_0", True, 35.4), ("Q4_K_M", True, 62.4)])
def test_a_spark_writes_thirty_tokens_a_second_in_eight_bits_and_not_in_sixteen(model, held, rate):
    """Every token reads every weight: 18.8 in bf16, 35 in q8_0, 62 in q4."""
    facts = MISTRAL if model == "bf16" else quantized(model)
    task = {"prompt_tokens": "40", "new_tokens": "60"}
    told, sum_ = outlook(facts, "speed.tokens_per_second >= 30", task, on="dgx-spark")
    assert (told is not Outlook.CANNOT, round(sum_.high, 1)) == (held, rate)


def test_a_plan_says_what_arithmetic_decides(workshop):
    """A spec of a 7B with such gates is told which cannot hold, with the sum, before a byte is there."""
    workshop.spec(
        "models: {mistral: mistralai/Mistral-7B-Instruct-v0.3}\n"
        "evals:\n  spark:\n    model: mistral\n    on: dgx-spark\n    tasks: {speed: {prompt_tokens: 40, new_tokens: 60}}\n"
        "    gates: [speed.tokens_per_second >= 30, speed.answer_p95 <= 15 s, speed.memory_peak <= 20 GB]\n"
    )
    told = {each.gate.measure: each for each in workshop.plan().decisions["spark"].gates}
    assert {name: each.verdict for name, each in told.items()} == {
        "speed.tokens_per_second": Outlook.CANNOT,
        "speed.answer_p95": Outlook.COULD,
        "speed.memory_peak": Outlook.COULD,
    }
    assert "every token reads 14.5 GB at 273 GB/s" in told["speed.tokens_per_second"].text


PHILO = """\
models: {mistral-7b: mistralai/Mistral-7B-Instruct-v0.3}
datasets:
  schemes: {from: data/schemes.jsonl, format: messages}
  exam: {from: data/exam.jsonl, format: questions}
prompts:
  spinoza: {system: "Tu es Spinoza.", sampling: {temperature: 0.4, max_tokens: 60}}
  kant: {system: "Tu es Kant.", sampling: {temperature: 0.4, max_tokens: 60}}
finetunes:
  philo-lora: {base: mistral-7b, data: schemes, method: qlora, context: 512, train: {epochs: 3}}
quants:
  philo-q4: {model: philo-lora, format: gguf, type: Q4_K_M}
evals:
  philo-exam:
    model: philo-q4
    prompts: [spinoza, kant]
    on: hf-cpu-basic
    tasks:
      questions: {exam: exam, match: exact, by: philosopher}
      speed: {prompt_tokens: 40, new_tokens: 60}
      longer: {prompt_tokens: 200, new_tokens: 150}
    gates:
      - questions.accuracy >= 75%
      - questions.kant.accuracy >= 60%
      - speed.answer_p95 <= 15 s
      - speed.memory_peak <= 5 GB
      - longer.answer_p95 <= 15 s
      - longer.memory_peak <= 4 GB
"""


def test_the_makers_of_the_philosophers_are_told(workshop):
    """The spec of the language as it is written: sixty tokens could be in time, a hundred and fifty in 4 GB cannot."""
    workshop.write(
        "data/schemes.jsonl", '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    )
    workshop.write("data/exam.jsonl", '{"question": "one?", "answer": "1", "philosopher": "kant"}\n' * 180)
    workshop.spec(PHILO)
    told = {each.gate.measure: each for each in workshop.plan().decisions["philo-exam"].gates}
    assert {name: each.verdict for name, each in told.items()} == {
        "questions.accuracy": Outlook.RUNNING,
        "questions.kant.accuracy": Outlook.RUNNING,
        "speed.answer_p95": Outlook.COULD,
        "speed.memory_peak": Outlook.COULD,
        "longer.answer_p95": Outlook.CANNOT,
        "longer.memory_peak": Outlook.CANNOT,
    }
    assert told["longer.answer_p95"].text.startswith("18 s to 31 s")
    assert told["longer.memory_peak"].text.startswith("4.6")
    assert "4.37 GB of weights" in told["longer.memory_peak"].text


# --- gates ---


def test_the_gates_of_the_language_are_taken(place):
    """Percent, seconds, bytes, groups and the best of the others, as they are written in the docs."""
    gates = (
        "some.accuracy >= 75%", "some.kant.accuracy >= 60%", "some.accuracy.low >= 50%", "speed.answer_p95 <= 15 s",
        "speed.memory_peak <= 5 GB", "some.accuracy >= against.best - 2%", "delta.some.p < 0.01",
    )  # fmt: skip
    more = "some: {exam: my-exam, by: question}"
    front = place(
        ("some: {exam: my-exam}", more),
        ("tasks:\n      some", f"against: [my-other]\n    gates: [{', '.join(gates)}]\n    tasks:\n      some"),
    ).front()
    told = {gate.measure: gate for gate in front.graph.vertices["my-eval"].shape.gates}
    assert len({str(gate) for gate in front.graph.vertices["my-eval"].shape.gates}) == 7
    assert told["some.accuracy"].against == "against.best.some.accuracy"
    assert told["some.accuracy"].bound == pytest.approx(-0.02)


@pytest.mark.parametrize(
    ("gate", "near"),
    [
        ("some.acuracy >= 75%", "some.accuracy"),
        ("sume.accuracy >= 75%", "some.accuracy"),
        ("some.kant.accuracy >= 75%", ""),
        ("speed.answer_p99 <= 1 s", "speed.answer_p95"),
        ("some.accuracy >= against.best", ""),
    ],
)
def test_a_gate_on_what_is_not_measured_is_refused(place, gate, near):
    """A misspelt task or measure, a group without `by`, others where there are none: at plan time, with the nearest."""
    workshop = place(("tasks:\n      some", f"gates: [{gate}]\n    tasks:\n      some"))
    ((_, code, facts),) = workshop.problems()
    assert code == "unknown-measure"
    assert near in facts["hint"]


def test_a_family_of_others_stands_for_its_members(place):
    """Each member gets the tasks under a number of its own, one evaluation holds them all, and the best of them is the best."""
    gates = "[some.accuracy >= against.best - 2%, against.2.some.accuracy < 90%]"
    front = place(
        (
            "evals:",
            "quants:\n  others: {matrix: {type: [Q8_0, Q4_0]}, model: my-other, format: gguf, type: $(matrix.type)}\nevals:",
        ),
        ("tasks:\n      some", f"against: others\n    gates: {gates}\n    tasks:\n      some"),
    ).front()
    told = {edge.field: edge.source for edge in front.graph.vertices["my-eval"].edges}
    assert (told["against.0"], told["against.1"]) == ("others@type=Q8_0", "others@type=Q4_0")
    for at, name in ((1, "others@type=Q8_0"), (2, "others@type=Q4_0")):
        part = front.graph.vertices[told[f"parts.against-{at}-some"]]
        assert [edge.source for edge in part.edges if edge.field == "model"] == [name]
    assert not front.graph.vertices["my-eval"].family


def test_a_gate_on_more_others_than_there_are_is_refused(place):
    """The third of two, by its number."""
    workshop = place(
        ("tasks:\n      some", "against: [my-other]\n    gates: [against.2.some.accuracy < 90%]\n    tasks:\n      some")
    )
    with pytest.raises(ZycError, match=r"there is no `against\.2`"):
        workshop.front().settlement  # noqa: B018


# --- what is refused ---


@pytest.mark.parametrize(
    ("task", "field", "words"),
    [
        ({"exam": "d", "window": "64"}, "tasks.t.window", "a field of perplexity, and this task is exam"),
        ({"match": "exact"}, "tasks.t", "does not say what to find out"),
        ({"perplexity": "d", "window": "64", "stride": "65"}, "tasks.t.stride", "leave tokens between them unread"),
        ({"prompt_tokens": "40"}, "tasks.t", "`new_tokens`, and `prompt_tokens` or `questions`"),
        ({"prompt_tokens": "40", "new_tokens": "60", "context": "64"}, "tasks.t.context", "100 tokens, and `context` is 64"),
        ({"prompt_tokens": "40", "new_tokens": "60", "clients": "2"}, "tasks.t.clients", "only a GGUF"),
        ({"compare": "d", "judge": "j"}, "tasks.t", "nobody to compare with"),
    ],
)
def test_a_task_that_cannot_be_is_refused(task, field, words):
    """Each with its field and the next step."""
    kind, case = asked(MISTRAL, {"t": task})
    found = [each for each in kind.check(case) if each.field == field]
    assert [words in each.says for each in found] == [True]
    assert found[0].help


def test_an_unknown_way_to_match_is_refused_with_the_nearest(place):
    """`exacct` is no way to match."""
    ((_, _, facts),) = place(("some: {exam: my-exam}", "some: {exam: my-exam, match: exacct}")).problems()
    assert "did you mean `exact`?" in str(facts)


def test_rows_without_answers_are_no_exam():
    """Text and preferences have no question with its answer."""
    kind, case = asked(MISTRAL, {"t": {"exam": "d"}})
    case = Case(case.spec, {**case.inputs, "tasks.t.exam": Dataset(format="preference")})
    assert ["rows of `preference` have no question" in each.says for each in kind.check(case)] == [True]


def test_a_group_of_a_column_that_no_row_has_is_refused_before_anything_trains():
    """Where the files of the exam tell their columns; else the step does."""
    kind, case = asked(MISTRAL, {"t": {"exam": "d", "by": ["arae"]}})
    exam = Dataset(format="questions", rows=180, columns=("answer", "area", "question"))
    (told,) = kind.check(Case(case.spec, {**case.inputs, "tasks.t.exam": exam}))
    assert (told.field, told.help) == ("tasks.t.by", "did you mean `area`?")
    assert list(kind.check(case)) == []


def test_an_adapter_is_sent_to_its_fused_model():
    """It does not answer by itself; neither does a dataset."""
    kind, case = asked(Adapter(), {"t": {"exam": "d"}})
    assert ["`.fused`" in each.help for each in kind.check(case)] == [True]
    kind, case = asked(Dataset(), {"t": {"exam": "d"}})
    assert ["nothing here answers for a dataset" in each.says for each in kind.check(case)] == [True]


def test_what_is_better_known_is_told():
    """Twenty questions tell little; perplexities across tokenizers tell nothing, bits per byte do."""
    kind, case = asked(Model(tokenizer="a"), {"t": {"exam": "d"}, "p": {"perplexity": "d"}}, rivals=[Model(tokenizer="b")])
    (told,) = kind.notes(case)
    assert "different tokenizers" in told.says
    assert "`p.bits_per_byte`" in told.help
    case = Case(
        case.spec, {**case.inputs, "tasks.t.exam": Dataset(format="questions", rows=20), "against.0": Model(tokenizer="a")}
    )
    (told,) = kind.notes(case)
    assert "22 points either way" in told.says


@pytest.mark.parametrize(("rows", "told"), [(3, Outlook.CANNOT), (7, Outlook.CANNOT), (8, Outlook.COULD)])
def test_a_few_questions_cannot_tell_a_twin_from_luck(rows, told):
    """McNemar's test says so before anything runs: eight that turned from wrong to right are the fewest."""
    kind, case = asked(MISTRAL, {"t": {"exam": "d"}}, gates=["t.accuracy >= 60%"])
    case = Case(case.spec, {**case.inputs, "tasks.t.exam": Dataset(format="questions", rows=rows)})
    (gate,) = kind.rehearsed(case.spec)
    assert foresee(gate, dict(kind.estimate(case).measures)) is told


# --- joining ---


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The reports of two models, as tasks leave them."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    for name, rights in (("q", [1, 1, 1, 0]), ("against-1-q", [1, 0, 0, 0]), ("against-2-q", [1, 1, 0, 0])):
        home = Path("in/parts", name)
        home.mkdir(parents=True)
        low, high = sum(rights) / 4 - 0.2, sum(rights) / 4 + 0.2
        measures = {"accuracy": sum(rights) / 4, "accuracy.low": low, "accuracy.high": high, "kant.accuracy": 0.5, "cut": 0.25}
        (home / "report.json").write_text(json.dumps({"kind": "exam", "measures": measures, "groups": {}}))
        rows = [
            {"id": str(at), "question": "<b>?", "expected": "x", "answer": "y", "right": bool(each)}
            for at, each in enumerate(rights)
        ]
        (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_measures_are_repeated_under_their_task_and_held_against_the_best(parts):
    """The best of the others is the best in each measure; less cut is better; the test of the difference is McNemar's."""
    with modules_of("eval", "joining") as found:
        report, measures = found.joining.joined({"q": "exam"}, 2)
    assert measures["q.accuracy"] == 0.75
    assert measures["against.1.q.accuracy"] == 0.25
    assert measures["against.best.q.accuracy"] == 0.5
    assert measures["delta.q.accuracy"] == 0.25
    assert measures["delta.q.cut"] == 0
    assert measures["delta.q.p"] == 1.0
    assert report["tasks"]["q"]["intervals"] == {"accuracy": [0.55, 0.95]}


def test_numbers_stand_below_whom_they_are_of():
    """A model that lacks a measure leaves a gap; a score that others count from 0 to 100 is no share."""
    with modules_of("eval", "faces", "looks") as found:
        task = {"measures": {"wiki.bleu": 31.5, "arc.acc": 0.5}, "intervals": {}}
        report = {"tasks": {"h": task}, "against": {"h": {"1": {"arc.acc": 0.25}, "2": {"arc.acc": 0.75, "wiki.bleu": 30.0}}}}
        lines = [*found.faces.lines_of(report)]
        assert found.looks.shown("questions.accuracy", 1) == "100.0 %"
    assert lines == [("h", "wiki.bleu", "31.5", "", ["", "30"]), ("h", "arc.acc", "50.0 %", "", ["25.0 %", "75.0 %"])]


def test_less_is_better_where_the_harness_says_so():
    """A lower perplexity of a task of the harness is the best of the others, and its difference has the right sign."""
    with modules_of("eval", "joining") as found:
        ours = {"wiki.word_perplexity": 20.0, "wiki.word_perplexity.low": 19.0, "arc.acc": 0.5}
        others = {1: {**ours, "wiki.word_perplexity": 25.0}, 2: {**ours, "wiki.word_perplexity": 30.0}}
        told = found.joining.against("h", ours, others, ["wiki.word_perplexity"])
    assert told["against.best.h.wiki.word_perplexity"] == 25.0
    assert told["delta.h.wiki.word_perplexity"] == 5.0
    assert told["delta.h.arc.acc"] == 0


def test_an_answer_may_hold_any_line_end(parts):
    """Rows end with a line feed: a U+2028 or a U+0085 in an answer, as pages of the web have them, breaks none of them."""
    path = Path("in/parts/q/rows.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["answer"] = "one\u2028two\u2029three\x85four"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    with modules_of("eval", "joining", "faces") as found:
        report, _ = found.joining.joined({"q": "exam"}, 1)
        found.joining.write(report, {"q": "exam"})
        page = found.faces.page({**report, "model": "m", "format": "", "on": "", "rehearsal": False}, {})
    assert "4 of 4 answers" in page


def test_a_twin_is_held_against_what_it_knew_before_it_learned(parts):
    """All questions and each group, by the rows: the share before, the chance of so much more; what is no better has none."""
    Path("in/parts/q").rename("in/parts/untrained-q")
    rows = [{"right": at < 9, "groups": {"who": "kant" if at % 2 else "hume"}} for at in range(12)]
    for name, lines in (("q", rows), ("untrained-q", [{**row, "right": at == 11} for at, row in enumerate(rows)])):
        home = Path("in/parts", name)
        home.mkdir(exist_ok=True)
        groups = {"kant": {"column": "who", "value": "kant"}, "hume": {"column": "who", "value": "hume"}}
        (home / "report.json").write_text(json.dumps({"kind": "exam", "measures": {"accuracy": 0.75}, "groups": groups}))
        (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    with modules_of("eval", "joining") as found:
        _, measures = found.joining.joined({"q": "exam"}, 0)
        Path("in/parts/q/rows.jsonl").write_text(Path("in/parts/untrained-q/rows.jsonl").read_text())
        _, same = found.joining.joined({"q": "exam"}, 0)
    told = {name.removeprefix("untrained.q."): value for name, value in measures.items() if name.startswith("untrained.")}
    assert told == pytest.approx(
        {"accuracy": 1 / 12, "p": 22 / 1024, "kant.accuracy": 1 / 6, "kant.p": 0.375, "hume.accuracy": 0, "hume.p": 0.0625}
    )
    assert {same["untrained.q.p"], same["untrained.q.kant.p"], same["untrained.q.hume.p"]} == {1.0}


def twins(name, ours, theirs, now, before):
    """The rows and measures of a task of a twin, and of its model before it learned."""
    for where, rows, measures in ((name, ours, now), (f"untrained-{name}", theirs, before)):
        home = Path("in/parts", where)
        home.mkdir(parents=True, exist_ok=True)
        (home / "report.json").write_text(json.dumps({"kind": "any", "measures": measures, "groups": {}}))
        (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_texts_are_foretold_better_window_by_window(parts):
    """Of ten windows all are likelier: two ways of 1,024. The same or worse is no better, and other tokens are refused."""
    before = [{"nats": 50.0 + at, "tokens": 64} for at in range(10)]
    after = [{"nats": 40.0 + at * 0.5, "tokens": 64} for at in range(10)]
    twins(
        "told", after, before, {"perplexity": 2.0, "bits_per_byte": 0.5}, {"perplexity": 3.0, "bits_per_byte": 0.7, "tokens": 640}
    )
    with modules_of("eval", "joining") as found:
        _, measures = found.joining.joined({"told": "perplexity"}, 0)
        told = {name: value for name, value in measures.items() if name.startswith("untrained.")}
        assert told == {"untrained.told.perplexity": 3.0, "untrained.told.bits_per_byte": 0.7, "untrained.told.p": 2 / 1024}
        for worse in (before, [{**row, "nats": row["nats"] + 1} for row in before]):
            twins("told", worse, before, {"perplexity": 3.0}, {"perplexity": 3.0})
            assert found.joining.joined({"told": "perplexity"}, 0)[1]["untrained.told.p"] == 1.0
        twins("told", [{**row, "tokens": 65} for row in after], before, {"perplexity": 3.0}, {"perplexity": 3.0})
        with pytest.raises(SystemExit, match="`told` was read in other tokens"):
            found.joining.joined({"told": "perplexity"}, 0)


def test_answers_are_nearer_to_their_texts_score_by_score(parts):
    """A score that rose on all ten rows is better; one that did not move is not, whatever the other one did."""
    before = [{"scores": {"chrf": 0.1 + at / 100, "bleu": 0.0}} for at in range(10)]
    after = [{"scores": {"chrf": 0.5 + at / 50, "bleu": 0.0}} for at in range(10)]
    twins("near", after, before, {"chrf": 0.6, "bleu": 0.0}, {"chrf": 0.1, "bleu": 0.0})
    with modules_of("eval", "joining") as found:
        _, measures = found.joining.joined({"near": "text"}, 0)
        twins("near", before, after, {"chrf": 0.1, "bleu": 0.0}, {"chrf": 0.6, "bleu": 0.0})
        _, worse = found.joining.joined({"near": "text"}, 0)
    told = {name: value for name, value in measures.items() if name.startswith("untrained.")}
    assert told == {
        "untrained.near.chrf": 0.1, "untrained.near.chrf.p": 2 / 1024, "untrained.near.bleu": 0.0, "untrained.near.bleu.p": 1.0,
    }  # fmt: skip
    assert worse["untrained.near.chrf.p"] == 1.0


def test_signed_ranks_are_those_of_the_books():
    """Wilcoxon's own pairs; ties share a rank, pairs alike do not count, many are as good as normal, no number is no proof."""
    with modules_of("eval", "signed_ranks") as found:
        told = found.signed_ranks
    apart = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]  # Darwin's maize: 24 against 96
    assert told.wilcoxon(apart, [0] * 15) == pytest.approx(0.0413, abs=1e-4)
    assert told.wilcoxon([1, 1, 1, 1, 0], [0, 0, 0, 0, 0]) == pytest.approx(2 / 16)
    assert told.wilcoxon([3, 3], [3, 3]) == told.less([float("nan")] * 12, [1.0] * 12) == 1.0
    exact = told.wilcoxon(apart + apart[:10], [0] * 25)
    told.EXACT = 0
    assert told.wilcoxon(apart + apart[:10], [0] * 25) == pytest.approx(exact, rel=0.3)
    assert told.less([0] * 12, [1] * 12) < 0.01
    assert told.less([1] * 12, [0] * 12) == 1.0


@pytest.mark.slow
def test_a_person_sees_a_table_a_picture_and_a_page(parts):
    """The page needs no other file, says `rehearsal` of a twin, and shows what a model said as text."""
    with modules_of("eval", "joining", "faces") as found:
        report, _ = found.joining.joined({"q": "exam"}, 2)
        found.joining.write(
            {**report, "model": "tiny", "format": "llama.cpp", "on": "hf-cpu-basic", "rehearsal": True}, {"q": "exam"}
        )
        found.faces.write(json.loads(Path("out/report.json").read_text()))
        first = {path.name: path.read_bytes() for path in Path("out").iterdir() if path.is_file()}
        found.faces.write(json.loads(Path("out/report.json").read_text()))
    page = Path("out/index.html").read_text()
    assert "rehearsal</span>" in page
    assert "&lt;b&gt;?" in page
    assert "<b>?" not in page
    assert "http" not in page
    assert "| q | accuracy | 75.0 % | 55.0 % to 95.0 % | 25.0 % | 50.0 % |" in Path("out/table.md").read_text()
    assert Path("out/q.png").read_bytes().startswith(b"\x89PNG")
    assert first == {path.name: path.read_bytes() for path in Path("out").iterdir() if path.is_file()}
