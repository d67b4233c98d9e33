"""The kind `alignment`: what its scripts look like, what it refuses, and real runs at toy size."""

import hashlib
import importlib
import json
import random
import signal
import sys
from dataclasses import replace

import pytest
import trainee

from zyc import kinds
from zyc.kind import Case, Found
from zyc.types import Adapter, Dataset, Model, Scorer, model_of

BASE = trainee.facts()
LARGE = trainee.facts(context=4096)
DATA = Dataset(format="preference", rows=220, test=0.1)
UNPAIRED = Dataset(format="unpaired", rows=220, test=0.1)
CHATS = Dataset(format="messages", rows=220, test=0.1, turns="single")
ON_CPU = {"gpus": "0", "checkpoint_every": "4"}
QUICK = {"steps": "8", "batch": "8", "learning_rate": "1e-2", "seed": "7", "tests": "2"}
REWARD = '''"""What an answer is worth."""


def reward(completions, answer, **_):
    """More for the right colour, less for each character too many."""
    said = [each[-1]["content"] for each in completions]
    return [float(right in text) - 0.02 * len(text) for text, right in zip(said, answer, strict=True)]
'''
FILE = "specs/data/reward.py"
FILES = {FILE: Found(FILE, "0" * 64, len(REWARD), text=REWARD)}
DRAWN = {"rewards": [{"file": FILE}], "rollout": {"generations": "4", "max_tokens": "8"}}
DATASETS = {"kto": UNPAIRED, "grpo": CHATS, "rloo": CHATS}


def spec(method, **more):
    """The fields of a small one."""
    drawn = DRAWN if method in ("grpo", "rloo") else {}
    train = QUICK if not drawn else {name: value for name, value in QUICK.items() if name != "tests"}
    told = {"base": "b", "data": "d", "method": method, "context": "96", "train": train, "placement": ON_CPU}
    return {**told, **drawn, **more}


def rendered(told, base=LARGE, data=None, **more):
    """What is rendered."""
    data = data or DATASETS.get(told["method"], DATA)
    scorers = {f"rewards.{at}.node": Scorer() for at, each in enumerate(told.get("rewards", ())) if "node" in each}
    return trainee.rendered("alignment", told, {"base": base, "data": data, **scorers}, files=FILES, **more)


def files_of(told, *, whole=False, **more):
    """Of the recipe only what this kind's own templates and the user's files give, unless all is asked for."""
    files = rendered(told, **more).files()
    keep = ("recipe/", "placement/") if whole else ("recipe/train.py", "recipe/reward_", "placement/")
    others = {f"recipe/{name}" for name in kinds.load("alignment").shares}  # golden where they are told first
    return {path: text for path, text in files.items() if path.startswith(keep) and path not in others}


# --- scripts ---


def test_dpo(golden):
    """The better answer against the worse one, with everything that its recipe needs beside it."""
    golden(files_of({"base": "b", "data": "d", "method": "dpo"}, whole=True))


def test_dpo_everything(golden):
    """Two losses that are added up, four bits, early stop, a schedule and settings of the engine of its own."""
    train = {"epochs": "2", "batch": "32", "schedule": "wsd", "early_stop": {"patience": "2"}}
    told = {"adapter": "qlora", "loss": {"sigmoid": "1", "sft": "0.1"}, "beta": "0.3", "engine": {"label_smoothing": "0.1"}}
    golden(files_of(spec("dpo", train=train, **told)))


def test_dpo_full(golden):
    """All weights, with an optimizer of eight bits; the base is read a second time to be held against."""
    golden(files_of(spec("dpo", adapter="none", train={**QUICK, "optimizer": "adamw-8bit"})))


def test_kto(golden):
    """Answers with verdicts; the rows that go through at once are part of the recipe."""
    golden(files_of(spec("kto", group="4", loss="kto")))


def test_orpo(golden):
    """Without a reference, from trl's experimental part."""
    golden(files_of(spec("orpo", lora={"init": "pissa"})))


def test_grpo(golden):
    """Answers of its own, valued by a function of the user's and by a scorer; the function is in the recipe."""
    told = {"rewards": [{"file": FILE}, {"node": "judge", "weight": "0.5"}], "rollout": {"steps": "2", "iterations": "2"}}
    golden(files_of(spec("grpo", context="1024", beta="0.04", loss="dr_grpo", **told)))


def test_rloo(golden):
    """Answers of its own, each against the others."""
    golden(files_of(spec("rloo")))


def test_reward(golden):
    """A model that gives a conversation a number; its head is trained whole."""
    golden(files_of(spec("reward")))


def test_twin(golden):
    """A rehearsal is short: few steps, few and short answers; method, adapter, losses and rewards stay."""
    train = {"epochs": "1", "batch": "128"}
    golden(files_of(spec("grpo", context="4096", adapter="qlora", rollout={"max_tokens": "1024"}, train=train), twin=True))


# --- what is refused before a byte is spent ---


def objections(method, told, base=LARGE, data=None, files=FILES):
    """The fields that an alignment objects to."""
    kind = kinds.load("alignment")
    drawn = DRAWN if method in ("grpo", "rloo") else {}
    fields = {"base": "b", "data": "d", "method": method, **drawn, **told}
    inputs = {"base": base, "data": data or DATASETS.get(method, DATA)}
    return {
        each.field: f"{each.says}; {each.help}"
        for each in kind.check(Case(kind.Spec.model_validate(trainee.plain(fields)), inputs, files=files))
    }


BROKEN = {FILE: Found(FILE, "0" * 64, 4, text="def (")}


@pytest.mark.parametrize(
    ("field", "method", "told", "facts", "words"),
    [
        ("data", "dpo", {}, {"data": Dataset(format="messages")}, "a finetune"),
        ("data", "dpo", {}, {"data": UNPAIRED}, "`method: kto`"),
        ("data", "reward", {}, {"data": Dataset(format="questions")}, "`method: grpo`"),
        ("data", "grpo", {}, {"data": DATA}, "`method: dpo`"),
        ("data", "kto", {}, {"data": Dataset(format="text")}, "another `format`"),
        ("base", "grpo", {}, {"base": replace(LARGE, template="")}, "chat template"),
        ("base", "dpo", {}, {"base": replace(LARGE, quantized="awq")}, "bf16"),
        ("context", "dpo", {"context": "100"}, {"base": trainee.facts(context=64)}, "`context: 64`"),
        ("beta", "reward", {"beta": "0.1"}, {}, "no use"),
        ("group", "dpo", {"group": "4"}, {}, "no use"),
        ("rewards", "dpo", {"rewards": [{"file": FILE}]}, {}, "no use"),
        ("rollout", "orpo", {"rollout": {"generations": "4"}}, {}, "no use"),
        ("train.tests", "grpo", {"train": {"tests": "3"}}, {}, "no use"),
        ("train.early_stop", "rloo", {"train": {"early_stop": {}}}, {}, "no use"),
        ("train.early_stop", "dpo", {"train": {"early_stop": {}}}, {"data": Dataset(format="preference", test=0)}, "split"),
        ("train.steps", "dpo", {"train": {"steps": "3", "epochs": "2"}}, {}, "keep one"),
        ("loss.0.name", "dpo", {"loss": "sigmoyd"}, {}, "`sigmoid`"),
        ("loss", "orpo", {"loss": "sigmoid"}, {}, "one loss"),
        ("loss", "kto", {"loss": {"kto": "0.5"}}, {}, "only `dpo`"),
        ("adapter", "dpo", {"adapter": "qlora", "lora": {"init": "pissa"}}, {}, "adapter: lora"),
        ("train.batch", "kto", {"train": {"batch": "1"}}, {}, "at least 2"),
        ("group", "kto", {"group": "6"}, {}, "`group: 4`"),
        ("placement.micro_batch", "kto", {"placement": {"micro_batch": "4"}}, {}, "`group: 4`"),
        ("train.batch", "grpo", {"train": {"batch": "18"}}, {}, "`batch: 16`"),
        ("rollout.max_tokens", "grpo", {"context": "256", "rollout": {"max_tokens": "256"}}, {}, "`max_tokens: 128`"),
        ("", "rloo", {"rewards": []}, {}, "`rewards:"),
        ("rewards.0", "grpo", {"rewards": [{"weight": "2"}]}, {}, "one of `node` and `file`"),
        ("rewards.0.function", "grpo", {"rewards": [{"file": FILE, "function": "worth"}]}, {}, "def worth"),
        ("rewards.0.file", "grpo", {}, {"files": BROKEN}, "no Python file"),
        ("engine.label_smoothin", "dpo", {"engine": {"label_smoothin": "0.1"}}, {}, "`label_smoothing`"),
        ("engine.num_generations", "grpo", {"engine": {"num_generations": "4"}}, {}, "`rollout.generations`"),
        ("engine.beta", "dpo", {"engine": {"beta": "0.4"}}, {}, "`beta`"),
    ],
)
def test_what_cannot_be_is_told_by_its_field(field, method, told, facts, words):
    """Data, losses, rewards, batch and engine are held against the method at plan time; each objection has a next step."""
    found = objections(method, told, **facts)
    wanted = "lora.init" if field == "adapter" else field
    assert list(found) == [wanted]
    assert words in found[wanted]


def test_facts():
    """An adapter by default, a model when all weights are trained, a scorer of a reward run: each carries its base's facts."""
    kind = kinds.load("alignment")

    def facts(**more):
        told = kind.Spec.model_validate(trainee.plain({"base": "b", "data": "d", "method": "dpo", **more}))
        made = kind.facts(Case(told, {"base": LARGE, "data": DATA}))
        assert type(made) is kind.yields(told)
        return made

    assert isinstance(facts(), Adapter)
    assert model_of(facts().base) == LARGE
    assert isinstance(facts(adapter="none"), Model)
    assert model_of(facts(method="reward").base) == LARGE
    assert isinstance(facts(method="reward"), Scorer)


def test_longer_answers_of_its_own_take_longer():
    """They are written, and then learned from."""
    kind = kinds.load("alignment")

    def flops(most):
        told = spec("grpo", context="2048", rollout={"max_tokens": most})
        made = kind.Spec.model_validate(trainee.plain(told))
        inputs = {"base": LARGE, "data": Dataset(format="questions", rows=100, tokens=2000), "rewards.0.node": Scorer()}
        return kind.estimate(Case(made, inputs)).work.flops

    assert flops("1024") > 3 * flops("128")


def test_a_plan_shows_the_code_that_it_runs():
    """A function of the user's is named beside what comes out."""
    kind = kinds.load("alignment")
    told = kind.Spec.model_validate(trainee.plain(spec("grpo")))
    assert kind.estimate(Case(told, {"base": LARGE, "data": CHATS})).result.endswith(f"runs `reward` of {FILE}")


CHAIN = """
tokenizers:
  tok: {corpus: data/words.txt, vocab: 400, chat_template: chatml}
models:
  tiny: {scratch: {family: llama, layers: 2, heads: 4, width: 256, mlp: 512, context: 2048}, tokenizer: tok}
datasets:
  chats: {from: data/chats.jsonl, format: messages}
  asked: {from: data/asked.jsonl, format: questions}
  pairs: {from: data/pairs.jsonl, format: preference}
finetunes:
  tune: {base: tiny, data: chats}
alignments:
  polite: {base: tune, data: pairs, method: dpo}
  judge: {base: tune, data: pairs, method: reward}
  drawn: {base: polite, data: asked, method: grpo, rewards: {judge: 1, data/reward.py: 0.5}}
distillations:
  small: {student: tiny, teachers: {polite: 60%, tune: 40%}, prompts: asked, method: lora}
"""


def test_a_finetune_as_base_means_the_model_that_it_makes(workshop):
    """The reference is the finetuned model: what lies between is inserted, and an adapter on it is fused into it."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.write("data/pairs.jsonl", '{"prompt": "one?", "chosen": "1", "rejected": "2"}\n')
    chat = {"messages": [{"role": "user", "content": "one?"}, {"role": "assistant", "content": "1"}]}
    workshop.write("data/chats.jsonl", json.dumps(chat) + "\n")
    workshop.write("data/reward.py", REWARD)
    workshop.spec(CHAIN)
    graph = workshop.front().graph

    def edges(name):
        return {edge.field: edge.source for edge in graph.vertices[name].edges if not edge.order}

    assert edges("polite")["base"] == "tune.fused"
    assert edges("polite.fused") == {"source": "polite", "base": "tune.fused"}
    assert edges("drawn") == {"base": "polite.fused", "data": "asked", "rewards.0.node": "judge"}
    assert edges("small")["teachers.0.node"] == "polite.fused"
    assert edges("small")["teachers.1.node"] == "tune.fused"


# --- the modules of its recipe ---


@pytest.fixture
def modules(monkeypatch):
    """Those of the recipe, as a script imports them."""
    root = kinds.templates_of("alignment")[0]
    for folder in ("shared", "lib", "alignment/lib"):
        monkeypatch.syspath_prepend(str(root / folder))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_answers_behind_one_prompt_have_its_tokens_in_common(modules):
    """Where tokens join across the end of a prompt, the prompt ends before them, for both answers."""
    pairs = modules("pairs")
    good, bad = pairs.Answer([1, 2, 3], [4, 5]), pairs.Answer([1, 2, 9], [6])
    assert pairs.paired(good, bad) == ([1, 2], [3, 4, 5], [9, 6])


def test_how_much_good_answers_are_worth_more(modules):
    """A margin and a share, over all pairs."""
    told = modules("moving").of_pairs([(2.0, 1.0), (0.0, 1.0), (5.0, 1.0), (1.0, 1.0)])
    assert told == {"reward.margin": 1.0, "reward.accuracy": 0.5}


def test_steps_of_drawings_are_whole(modules):
    """A run over rows has as many steps as whole drawings can be made of them."""
    drawing = modules("drawing")
    assert drawing.steps_of(100, 8, 2, epochs=1) == 24
    assert drawing.steps_of(100, 8, 2, epochs=0.01) == 2
    assert drawing.steps_of(100, 8, 2, steps=5) == 5


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def f(completions, **_): return [1.0]", "gives 1 for 2 answers"),
        ("def f(completions, **_): return 1.0", "gives float for 2 answers"),
        ("def f(completions, **_): return [float('nan')] * 2", "gives `nan`"),
        ("def f(completions, **_): return ['good'] * 2", "gives `good`"),
        ("def g(completions, **_): return [1] * 2", "no function `f`"),
        ("async def f(completions, **_): return [1] * 2", "plain function"),
    ],
)
def test_what_a_function_of_the_user_does_wrong_is_told_by_its_name(modules, tmp_path, code, words):
    """A list of numbers, one for each answer: everything else ends the run with the function's name."""
    (tmp_path / "reward_0.py").write_text(code)
    rewarding = modules("rewarding")
    with pytest.raises(SystemExit, match="`f`") as caught:
        rewarding.Checked(tmp_path / "reward_0.py", "f")(prompts=["a", "b"], completions=["c", "d"])
    assert words in str(caught.value)


# --- real runs ---


def preferences(count, seed=3):
    """A question about a colour, the colour as the better answer, a thing as the worse one."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        thing, colour = draw.choice(trainee.THINGS), draw.choice(trainee.COLOURS)
        good, bad = ([{"role": "assistant", "content": each}] for each in (colour, thing))
        rows.append({"prompt": trainee.chat(thing, colour)[:-1], "chosen": good, "rejected": bad})
    return rows


def verdicts(count, seed=3):
    """The same with one answer a row, good or bad."""
    return [
        {"prompt": row["prompt"], "completion": row["chosen" if at % 3 else "rejected"], "label": bool(at % 3)}
        for at, row in enumerate(preferences(count, seed))
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A tiny model, and what it learns from."""
    home = tmp_path_factory.mktemp("inputs")
    trainee.make_model(home / "base")
    trainee.make_dataset(home / "preference", preferences(96), preferences(16, seed=4))
    trainee.make_dataset(home / "unpaired", verdicts(96), verdicts(16, seed=4))
    trainee.make_dataset(home / "messages", trainee.chats(64), trainee.chats(12, seed=2))
    return home


@pytest.fixture
def step(inputs, tmp_path):
    """A step folder that is ready to run."""

    def made(told, name="step", **places):
        data = DATASETS.get(told["method"], DATA)
        files = rendered(told, base=BASE, data=data)
        return trainee.write_step(tmp_path / name, files, {"base": inputs / "base", "data": inputs / data.format, **places})

    return made


def bytes_of(home):
    """What a run gave."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((home / "out").iterdir())}


def done(home):
    """Run it to its good end."""
    code, log = trainee.run(home)
    assert code == 0, log[-4000:]
    return log


ADAPTER = {"adapter_config.json", "adapter_model.safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("dpo", {}),
        ("dpo", {"adapter": "qlora", "loss": {"sigmoid": "1", "sft": "0.1"}, "train": {**QUICK, "steps": "16"}}),
        ("dpo", {"adapter": "none"}),
        ("kto", {"train": {**QUICK, "steps": "16", "learning_rate": "3e-2"}}),
        ("orpo", {}),
    ],
)
def test_what_learns_from_verdicts(step, inputs, method, more):
    """Good answers come to be worth more than bad ones, on rows that are held out; how far it moved is measured."""
    home = step(spec(method, **more))
    log = done(home)
    measured = trainee.measures(home)
    assert measured["reward.accuracy"] > 0.75
    assert measured["reward.margin"] > 0.02
    assert measured["kl"] > 0
    assert measured["test.loss"] > 0
    assert measured["tokens_per_second"] > 0
    assert measured["dropped"] == measured["truncated"] == 0
    assert "whole answers end" in log
    wanted = ADAPTER if more.get("adapter") != "none" else {path.name for path in (inputs / "base").iterdir()}
    assert set(bytes_of(home)) == wanted
    assert {"prompt", "wanted", "before", "after"} == set(json.loads((home / "answers.json").read_text())[0])


@pytest.mark.slow
def test_a_scorer_tells_good_from_bad_and_values_the_answers_of_another_run(step, tmp_path):
    """What a reward run leaves is one whole model that tells good from bad; a GRPO run reads it at its number."""
    judge = step(spec("reward"), "judge")
    done(judge)
    assert trainee.measures(judge)["reward.accuracy"] > 0.75
    config = json.loads((judge / "out/config.json").read_text())
    assert config["architectures"] == ["LlamaForSequenceClassification"]
    assert {"scorer.json", "tokenizer.json", "chat_template.jinja", "training_template.jinja"} <= set(bytes_of(judge))
    told = spec("grpo", rewards=[{"node": "judge"}, {"file": FILE, "weight": "0.5"}], train={"steps": "2", "batch": "8"})
    home = step(told, "drawn", **{"rewards/0": judge / "out"})
    done(home)
    assert set(bytes_of(home)) == ADAPTER


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_what_learns_from_answers_of_its_own(step, method):
    """Prompts are asked by the base's template, answers are valued, and what they are worth is measured before and after."""
    home = step(spec(method, train={"steps": "4", "batch": "8", "learning_rate": "1e-3"}))
    log = done(home)
    measured = trainee.measures(home)
    assert {"train.reward", "test.reward", "base.reward", "kl", "tokens_per_second"} <= set(measured)
    assert "1 BOS in 64" in log
    assert set(bytes_of(home)) == ADAPTER


@pytest.mark.slow
def test_a_run_that_is_killed_ends_in_the_same_bytes(step):
    """Killed with -9 and asked to stop: the adapter is that of a run in one go."""
    told = spec("dpo", train={**QUICK, "steps": "16"})
    whole, cut = step(told, "whole"), step(told, "cut")
    done(whole)
    trainee.cut_short(cut, 6, signal.SIGKILL)
    trainee.cut_short(cut, 11, signal.SIGTERM)
    assert "goes on from state/checkpoint-" in done(cut)
    assert bytes_of(cut) == bytes_of(whole)


@pytest.mark.slow
def test_a_run_on_answers_of_its_own_goes_on_between_two_drawings(step):
    """Checkpoints stand where a drawing ends, also when it is asked to stop: what follows is the same to the byte."""
    told = spec("grpo", rollout={"generations": "4", "max_tokens": "6", "steps": "2"})
    told |= {"train": {"steps": "8", "batch": "4", "learning_rate": "1e-3"}, "placement": {"gpus": "0", "checkpoint_every": "1"}}
    whole, cut = step(told, "whole"), step(told, "cut")
    done(whole)
    assert trainee.cut_short(cut, 3, signal.SIGTERM) % 2 == 0
    done(cut)
    assert bytes_of(cut) == bytes_of(whole)


# --- the look before the first step ---


def refused(home):
    """Why a run ended before it began."""
    code, log = trainee.run(home)
    assert code == 1, log[-3000:]
    assert not (home / "events.jsonl").exists()
    return log.split("error: ", 1)[1]


@pytest.mark.slow
def test_rows_that_teach_nothing_are_told(step, tmp_path):
    """Equal answers, a context that no prompt leaves room in, verdicts of one kind: each ends the node before its first step."""
    same = [{**row, "rejected": row["chosen"]} for row in preferences(10)]
    trainee.make_dataset(tmp_path / "same", same + preferences(30))
    trainee.make_dataset(tmp_path / "good", [row for row in verdicts(60) if row["label"]])
    assert "10 of 40 rows have two equal answers" in refused(step(spec("dpo"), "a", data=tmp_path / "same"))
    assert "every prompt fills the context" in refused(step(spec("dpo", context="8"), "b"))
    assert "answers are of one kind" in refused(step(spec("kto"), "c", data=tmp_path / "good"))


@pytest.mark.slow
def test_an_answer_without_an_end_is_told(step, tmp_path):
    """A template that never writes the end of a turn would train a model that never stops."""
    trainee.make_model(tmp_path / "endless")
    template = trainee.MARKED.replace(
        "message['content'] + '<|im_end|>' }}{% endgeneration", "message['content'] }}{% endgeneration"
    )
    (tmp_path / "endless/training_template.jinja").write_text(template)
    assert "no end of turn `<|im_end|>`" in refused(step(spec("dpo"), base=tmp_path / "endless"))


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run(step):
    """The step is named, and the last good checkpoint is kept."""
    home = step(spec("dpo", train={**QUICK, "learning_rate": "1e30", "schedule": "constant", "warmup": "50%", "clip": "0"}))
    code, log = trainee.run(home)
    assert code == 1
    assert "at step" in log.split("error: the")[1]
