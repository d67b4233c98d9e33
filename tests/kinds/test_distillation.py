"""The kind `distillation`: what its scripts look like, what it refuses, and real runs at toy size."""

import hashlib
import importlib
import json
import signal
import sys
from dataclasses import replace

import pytest
import trainee

from zyc import kinds
from zyc.kind import Case
from zyc.types import Adapter, Dataset, Model

SMALL = trainee.facts(tokenizer="one", form="byte-bpe")
LARGE = replace(SMALL, context=4096)
OTHER = replace(LARGE, tokenizer="two")
PIECES = replace(LARGE, tokenizer="three", form="sentencepiece-bpe")
ASKED = Dataset(format="messages", rows=220, test=0.1, turns="single")
QUICK = {"steps": "8", "batch": "8", "learning_rate": "1e-2", "seed": "7", "tests": "2"}
TWO = {"a": {"weight": "60%"}, "b": {"weight": "40%", "prompts": "more"}}


def spec(**more):
    """The fields of a small one."""
    told = {"student": "s", "teachers": {"t": {"weight": "100%"}}, "prompts": "p", "context": "96", "train": QUICK}
    return {**told, "answers": {"max_tokens": "8"}, "placement": {"gpus": "0", "checkpoint_every": "4"}, **more}


def inputs_of(told, *, student=LARGE, teacher=LARGE, asked=ASKED):
    """The facts of what it takes."""
    made = {"student": student}
    for at, each in enumerate(told["teachers"].values()):
        made[f"teachers.{at}.node"] = teacher
        if "prompts" in each:
            made[f"teachers.{at}.prompts"] = asked
    return {**made, "prompts": asked} if told.get("prompts") else made


def files_of(told, *, whole=False, twin=False, **facts):
    """What is rendered; of the recipe only what this kind's own templates give, unless all is asked for."""
    files = trainee.rendered("distillation", told, inputs_of(told, **facts), twin=twin).files()
    keep = ("recipe/", "placement/") if whole else ("recipe/train.py", "placement/")
    others = {f"recipe/{name}" for name in kinds.load("distillation").shares}  # golden where they are told first
    return {path: text for path, text in files.items() if path.startswith(keep) and path not in others}


# --- scripts ---


def test_responses(golden):
    """Two teachers with their weights, one with prompts of its own, and everything that the recipe needs beside it."""
    told = {"student": "s", "teachers": TWO, "prompts": "p"}
    golden(files_of(told, whole=True))


def test_responses_drawn(golden):
    """Bold answers, learned by an adapter on a student in four bits, until the test loss falls no further."""
    train = {"epochs": "2", "early_stop": {"patience": "2"}, "schedule": "constant"}
    answers = {"temperature": "0.7", "top_p": "90%", "max_tokens": "64"}
    golden(files_of(spec(method="qlora", answers=answers, train=train, engine={"neftune_noise_alpha": "5"}, context="512")))


def test_logits(golden):
    """One tokenizer: the probabilities of all of it, half of the steps on answers of the student's own."""
    golden(
        files_of(spec(mode="logits", method="lora", on_policy="50%", beta="0.9", answers={"temperature": "0.8"}, context="1024"))
    )


def test_logits_crossing(golden):
    """Two tokenizers that cut bytes: laid side by side byte by byte, each model behind its own template."""
    golden(files_of(spec(mode="logits", train={**QUICK, "optimizer": "paged-adamw-8bit"}), teacher=OTHER))


def test_twin(golden):
    """A rehearsal is short; mode, method, teachers and weights stay."""
    train = {"epochs": "3", "batch": "128"}
    golden(files_of({"student": "s", "teachers": TWO, "prompts": "p", "method": "dora", "train": train}, twin=True))


# --- what is refused before a byte is spent ---


def objections(told, **facts):
    """The fields that a distillation objects to; what is None is not said."""
    kind = kinds.load("distillation")
    fields = {"student": "s", "teachers": {"t": {}}, "prompts": "p", **told}
    fields = {name: value for name, value in fields.items() if value is not None}
    case = Case(kind.Spec.model_validate(trainee.plain(fields)), inputs_of(fields, **facts))
    return {each.field: f"{each.says}; {each.help}" for each in kind.check(case)}


LOGITS = {"mode": "logits"}


@pytest.mark.parametrize(
    ("field", "told", "facts", "words"),
    [
        ("teachers.1", {"teachers": {"a": {"weight": "60%"}, "b": {}}}, {}, "give each a weight"),
        ("teachers.0.weight", {"teachers": {"a": {"weight": "60%"}, "b": {"weight": "60%"}}}, {}, "120%"),
        ("prompts", {"teachers": {"a": {"prompts": "more"}}}, {}, "remove `prompts`"),
        ("teachers.0", {"prompts": None}, {}, "prompts: DATASET"),
        ("prompts", {}, {"asked": Dataset(format="text")}, "another `format`"),
        ("student", {}, {"student": replace(LARGE, template="")}, "chat template"),
        ("teachers.0.node", {}, {"teacher": replace(LARGE, template="")}, "chat template"),
        ("student", {}, {"student": replace(LARGE, quantized="awq")}, "bf16"),
        ("context", {"answers": {"max_tokens": "8"}}, {"student": SMALL}, "`context: 256`"),
        ("on_policy", {"on_policy": "50%"}, {}, "`mode: logits`"),
        ("beta", {"beta": "0.5"}, {}, "`mode: logits`"),
        ("teachers.1", {**LOGITS, "teachers": {"a": {"weight": "50%"}, "b": {"weight": "50%"}}}, {}, "any number"),
        ("teachers.0.node", LOGITS, {"teacher": PIECES}, "`mode: responses`"),
        ("student", LOGITS, {"student": PIECES}, "`mode: responses`"),
        ("on_policy", {**LOGITS, "on_policy": "50%"}, {"teacher": OTHER}, "dataset's answers"),
        ("answers.top_p", {**LOGITS, "answers": {"top_p": "90%"}}, {}, "no use"),
        ("answers.max_tokens", {"context": "256"}, {}, "`max_tokens: 128`"),
        ("train.steps", {"train": {"steps": "3", "epochs": "2"}}, {}, "keep one"),
        ("lora.rank", {"method": "lora", "lora": {"rank": "1024"}}, {}, "plenty"),
        ("engine.lmbda", {**LOGITS, "engine": {"lmbda": "0.5"}}, {}, "`on_policy`"),
        ("engine.use_uld_loss", {**LOGITS, "engine": {"use_uld_loss": "false"}}, {"teacher": OTHER}, "remove it"),
        (
            "engine.uld_student_temp",
            {**LOGITS, "engine": {"uld_student_temp": "2"}},
            {"teacher": OTHER},
            "uld_student_temperature",
        ),
    ],
)
def test_what_cannot_be_is_told_by_its_field(field, told, facts, words):
    """Teachers, prompts and tokenizers are held against each other at plan time, and each objection has a next step."""
    found = objections(told, **facts)
    assert list(found) == [field]
    assert words in found[field]


def test_facts():
    """All of the student, or an adapter on it, with its facts."""
    kind = kinds.load("distillation")
    for method, wanted in (("full", Model), ("lora", Adapter)):
        told = kind.Spec.model_validate(trainee.plain(spec(method=method)))
        assert kind.yields(told) is wanted
        assert isinstance(kind.facts(Case(told, inputs_of(spec()))), wanted)


def test_the_names_of_nodes_reach_no_recipe():
    """Teachers are told by their numbers, the one with the largest weight first."""
    told = {"student": "zq9-s", "teachers": {"zq9-b": {"weight": "40%"}, "zq9-a": {"weight": "60%"}}, "prompts": "zq9-p"}
    text = "".join(files_of(told, whole=True).values())
    assert "zq9" not in text
    assert '{"model": "in/teachers/0", "prompts": "in/questions", "weight": 0.6}' in text


# --- the modules of its recipe ---


@pytest.fixture
def modules(monkeypatch):
    """Those of the recipe, as a script imports them."""
    root = kinds.templates_of("distillation")[0]
    for folder in ("shared", "lib", "distillation/lib"):
        monkeypatch.syspath_prepend(str(root / folder))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_shares_of_rows(modules):
    """As many rows as there are in the given proportions; none is repeated, and without weights none is left out."""
    shares = modules("writing").shares
    assert shares([100, 100], [0.6, 0.4]) == [100, 67]
    assert shares([1000, 10], [0.9, 0.1]) == [90, 10]
    assert shares([3, 5], [None, None]) == [3, 5]


def test_answers_that_are_kept_are_whole_batches(modules, tmp_path):
    """What was being written when the run was cut short is written again, with the batch that it belongs to."""
    writing, path = modules("writing"), tmp_path / "0-train.jsonl"
    line = json.dumps({"text": "blue", "ends": True}) + "\n"
    path.write_text(line * 20 + '{"text": "bl')
    assert len(writing.kept(path, 40)) == writing.AT_ONCE
    path.write_text(line * 20)
    assert len(writing.kept(path, 20)) == 20


def test_answers_that_say_nothing_or_never_end_are_left_out(modules):
    """They are counted, by what is wrong with them."""
    told = {"empty": 0, "endless": 0}
    answers = [{"text": " ", "ends": True}, {"text": "blue", "ends": False}, {"text": "red", "ends": True}]
    rows = modules("writing").rows_of([{"prompt": "which?"}] * 3, answers, told)
    assert rows == [{"prompt": "which?", "completion": "red"}]
    assert told == {"empty": 1, "endless": 1}


# --- real runs ---


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A student, two teachers that always say the same, each its own, and prompts."""
    home = tmp_path_factory.mktemp("inputs")
    trainee.make_model(home / "student", seed=5)
    for at, answer in enumerate(("blue", "red")):
        trainee.make_model(home / f"teacher-{at}", family=("llama", "qwen3")[at], seed=at)
        trainee.teach(home / f"teacher-{at}", answer)
    trainee.make_dataset(home / "asked", trainee.chats(48), trainee.chats(12, seed=2))
    return home


@pytest.fixture
def step(inputs, tmp_path):
    """A step folder that is ready to run."""

    def made(told, name="step", *, teacher=SMALL, **places):
        files = trainee.rendered("distillation", told, inputs_of(told, student=SMALL, teacher=teacher))
        links = {f"teachers/{at}": inputs / f"teacher-{at}" for at in range(len(told["teachers"]))}
        links |= {f"prompts/{at}": inputs / "asked" for at, each in enumerate(told["teachers"].values()) if "prompts" in each}
        return trainee.write_step(
            tmp_path / name, files, {"student": inputs / "student", "questions": inputs / "asked", **links, **places}
        )

    return made


def bytes_of(home):
    """What a run gave."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((home / "out").iterdir())}


def done(home):
    """Run it to its good end."""
    code, log = trainee.run(home)
    assert code == 0, log[-4000:]
    return log


@pytest.mark.slow
def test_a_student_learns_what_two_teachers_say(step):
    """Teachers of two families answer, the student learns their answers by their weights, and agrees with each."""
    home = step(spec(teachers=TWO, train={**QUICK, "steps": "16"}))
    log = done(home)
    measured = trainee.measures(home)
    assert measured["answers"] == 48 + 32
    assert measured["answers.empty"] == measured["answers.endless"] == 0
    assert measured["agreement.1"] >= 0.5  # every answer ends alike
    assert measured["agreement.2"] >= 0.5
    assert measured["agreement"] == pytest.approx(0.6 * measured["agreement.1"] + 0.4 * measured["agreement.2"])
    assert measured["test.loss"] < 1.5  # from 6: what is left is which of the two it asks
    assert "the first answer: blue" in log
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "zyc.json"} <= set(bytes_of(home))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"on_policy": "50%", "method": "lora"}])
def test_a_student_learns_the_probabilities_of_its_teacher(step, more):
    """With one tokenizer the loss falls and the student comes to say what the teacher says."""
    home = step(spec(mode="logits", **more))
    done(home)
    measured = trainee.measures(home)
    history = [json.loads(line) for line in (home / "history.jsonl").read_text().splitlines()]
    tests = [each["test_loss"] for each in history if "test_loss" in each]
    assert tests[-1] < tests[0]
    assert measured["agreement"] >= 0.5
    assert measured["tokens_per_second"] > 0
    assert len(bytes_of(home)) == (2 if more else len(list((home / "in/student").iterdir())))


@pytest.mark.slow
def test_a_student_learns_across_tokenizers_that_cut_bytes(step, tmp_path):
    """GOLD lays the tokens of both side by side; the answer ends for both, and the loss falls."""
    home = step(spec(mode="logits"), teacher=OTHER)
    log = done(home)
    history = [json.loads(line) for line in (home / "history.jsonl").read_text().splitlines()]
    tests = [each["test_loss"] for each in history if "test_loss" in each]
    assert tests[-1] < tests[0]
    assert "end of turn trained in" in log


@pytest.mark.slow
def test_two_vocabularies_are_never_compared_id_by_id(step, tmp_path):
    """What no trainer of trl says: the run ends before its first step, and names what works."""
    trainee.make_model(tmp_path / "other", seed=9)
    told = json.loads((tmp_path / "other/tokenizer.json").read_text())
    vocabulary = told["model"]["vocab"]
    one, two = list(vocabulary)[300:302]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    (tmp_path / "other/tokenizer.json").write_text(json.dumps(told))
    code, log = trainee.run(step(spec(mode="logits"), **{"teachers/0": tmp_path / "other"}))
    assert code == 1
    assert "`mode: responses` works" in log


@pytest.mark.slow
def test_a_run_that_is_killed_ends_in_the_same_bytes(step):
    """Killed while a teacher writes and again while the student learns: no answer is lost, and the bytes are the same."""
    told = spec(answers={"max_tokens": "8", "temperature": "1"}, method="lora", train={**QUICK, "steps": "12"})
    whole, cut = step(told, "whole"), step(told, "cut")
    done(whole)
    answers = cut / "state/answers/0-train.jsonl"
    (cut / "state/answers").mkdir(parents=True)
    lines = (whole / "state/answers/0-train.jsonl").read_text().splitlines(keepends=True)
    answers.write_text("".join(lines[:20]) + lines[20][:7])
    assert trainee.cut_short(cut, 7, signal.SIGKILL) >= 4
    log = done(cut)
    assert "goes on from state/checkpoint-" in log
    assert answers.read_text() == "".join(lines)
    assert bytes_of(cut) == bytes_of(whole)
