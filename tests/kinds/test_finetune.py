"""The kind `finetune`: what its scripts look like, what it refuses, and real runs at toy size."""

import hashlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import time
from dataclasses import replace

import pytest
import trainee

from zyc import kinds
from zyc.craft.engines import SETTINGS
from zyc.kind import Case
from zyc.types import Adapter, Dataset, Model, model_of

BASE = trainee.facts()
LARGE = trainee.facts(context=4096)
DATA = Dataset(format="messages", rows=220, test=0.1, turns="single")
ON_CPU = {"gpus": "0", "checkpoint_every": "5"}
QUICK = {"steps": "12", "batch": "8", "learning_rate": "3e-3", "seed": "7", "tests": "2"}


def spec(**more):
    """The fields of a small one."""
    return {"base": "b", "data": "d", "context": "96", "train": QUICK, "placement": ON_CPU, **more}


def files_of(told, *, whole=False, **more):
    """What is rendered; of the recipe only what this kind's own templates give, unless all is asked for."""
    files = trainee.rendered("finetune", told, {"base": LARGE, "data": DATA}, **more).files()
    keep = ("recipe/", "placement/") if whole else ("recipe/train.py", "placement/")
    return {path: text for path, text in files.items() if path.startswith(keep)}


# --- scripts ---


def test_lora(golden):
    """An adapter on a base in bf16, with everything that its recipe needs beside it."""
    golden(files_of({"base": "b", "data": "d"}, whole=True))


def test_qlora(golden):
    """The base is loaded in four bits, with the settings that its paper has."""
    told = spec(method="qlora", context="512", lora={"rank": "32", "alpha": "64", "dropout": "5%"})
    golden(files_of({**told, "train": {"epochs": "3", "batch": "32", "learning_rate": "2e-4", "warmup": "3%", "seed": "7"}}))


def test_dora(golden):
    """Magnitudes of its own, scaled for large ranks, on attention only."""
    golden(files_of(spec(method="dora", lora={"rslora": "true", "targets": "attention"})))


def test_pissa(golden):
    """An adapter that starts as a part of its layers is kept as what it adds to them."""
    golden(files_of(spec(lora={"init": "pissa", "modules_to_save": ["embed_tokens"]})))


def test_full(golden):
    """All weights, in single precision where they are added to, with a schedule that falls at the end."""
    golden(files_of(spec(method="full", train={**QUICK, "schedule": "wsd", "precision": "bf16", "optimizer": "adamw-8bit"})))


def test_everything_else(golden):
    """Packing, early stop, trackers, settings of the engine, a placement of its own."""
    train = {**QUICK, "early_stop": {"patience": "3", "least": "0.01"}, "precision": "fp16", "schedule": "linear"}
    place = {
        "gpus": "2", "sharding": "ddp", "micro_batch": "2", "compile": "true", "activation_checkpointing": "true",
        "trackers": {"wandb": "letters", "tensorboard": "true"},
    }  # fmt: skip
    golden(
        files_of(
            spec(
                packing="true",
                loss_on="all",
                train=train,
                placement=place,
                engine={"neftune_noise_alpha": "5", "loss_type": "dft"},
            )
        )
    )


@pytest.mark.parametrize(
    ("told", "package"),
    [
        ({"train": {**QUICK, "optimizer": "adamw-8bit"}}, "bitsandbytes"),
        ({"train": {**QUICK, "optimizer": "paged-adamw-8bit"}}, "bitsandbytes"),
        ({"method": "qlora"}, "bitsandbytes"),
        ({"engine": {"use_liger_kernel": "true"}, "placement": {}}, "liger-kernel"),
    ],
)
def test_a_package_that_is_asked_for_is_declared(told, package):
    """In the script's own list, with its version: so it is pinned, keyed and installed by a notebook."""
    head = files_of(spec(**told))["recipe/train.py"].split("# ///\n")[0]
    assert f'"{package}==' in head
    assert package not in files_of(spec())["recipe/train.py"]
    twin = {**told, "method": "lora"}
    assert package not in files_of(spec(**twin), twin=True)["recipe/train.py"], "a rehearsal needs none of them"


def test_a_batch_is_cut_for_its_longest_row_once():
    """The pieces are those of the longest row; of packed rows, those of the context."""
    script = "recipe/train.py"
    assert files_of(spec())[script].count("placed = placed.") == 1
    assert "placed = placed." not in files_of(spec(packing="true"))[script]


def test_fsdp(golden):
    """What accelerate reads stands in placement/."""
    golden(files_of(spec(placement={"gpus": "4", "nodes": "2", "sharding": "fsdp2"})))


def test_zero(golden):
    """What DeepSpeed reads stands beside what accelerate reads."""
    golden(files_of(spec(placement={"gpus": "8", "sharding": "zero3"})))


def test_twin(golden):
    """A rehearsal learns fast: its own rate, batch and steps; method, rank, targets, loss and packing stay."""
    told = spec(method="qlora", packing="true", lora={"rank": "64"}, train={"epochs": "3", "batch": "32", "precision": "fp16"})
    golden(files_of(told, twin=True))


# --- what is refused before a byte is spent ---


def objections(told, base=LARGE, data=DATA):
    """The fields that a finetune objects to."""
    kind = kinds.load("finetune")
    case = Case(kind.Spec.model_validate(trainee.plain(told)), {"base": base, "data": data})
    return {each.field: f"{each.says}; {each.help}" for each in kind.check(case)}


@pytest.mark.parametrize(
    ("field", "told", "facts", "words"),
    [
        ("data", {}, {"data": Dataset(format="preference")}, "dpo"),
        ("context", {"context": "100"}, {"base": trainee.facts(context=64)}, "`context: 64`"),
        ("base", {}, {"base": replace(LARGE, quantized="awq")}, "bf16"),
        ("base", {}, {"base": replace(LARGE, template="")}, "no chat template"),
        (
            "loss_on",
            {},
            {"base": replace(LARGE, template="own"), "data": Dataset(format="messages", turns="multi")},
            "`loss_on: all`",
        ),
        ("base", {}, {"base": replace(LARGE, template="own", end_of_turn="")}, "would learn to stop"),
        ("lora.targets.0", {"lora": {"targets": "q_prj"}}, {}, "q_proj"),
        ("lora.targets.0", {"lora": {"targets": "lm_head"}}, {}, "modules_to_save"),
        ("lora.targets.0", {"lora": {"targets": "embed_tokens"}}, {}, "trains both as one"),
        ("lora.rank", {"lora": {"rank": "1024"}}, {}, "plenty"),
        ("lora.init", {"method": "qlora", "lora": {"init": "pissa"}}, {}, "method: lora"),
        ("train.batch", {"placement": {"gpus": "3"}}, {}, "`15` can be"),
        ("placement.micro_batch", {"placement": {"micro_batch": "5"}}, {}, "`micro_batch: 4`"),
        ("placement.gpus", {"placement": {"gpus": "0"}, "train": {"precision": "fp16"}}, {}, "bf16"),
        ("train.steps", {"train": {"steps": "3", "epochs": "2"}}, {}, "keep one"),
        ("train.early_stop", {"train": {"early_stop": {}}}, {"data": Dataset(format="messages", test=0)}, "split"),
        ("engine.neftune_noise_alph", {"engine": {"neftune_noise_alph": "5"}}, {}, "`neftune_noise_alpha`"),
        ("engine.neftune_noise_alpha", {"engine": {"neftune_noise_alpha": "much"}}, {}, "float"),
        ("engine.learning_rate", {"engine": {"learning_rate": "1e-4"}}, {}, "`train.learning_rate`"),
        ("engine.output_dir", {"engine": {"output_dir": "out"}}, {}, "remove it"),
        ("engine.tf32", {"engine": {"tf32": "true"}, "placement": {"gpus": "0"}}, {}, "remove one"),
    ],
)
def test_what_cannot_be_is_told_by_its_field(field, told, facts, words):
    """Facts, batch, adapter and engine are held against each other at plan time, and each objection has a next step."""
    found = objections({"base": "b", "data": "d", **told}, **facts)
    assert list(found) == [field]
    assert words in found[field]


def test_a_template_with_marks_trains_many_turns():
    """Whose it is does not matter: the marks tell what an assistant says."""
    many = Dataset(format="messages", turns="multi")
    assert objections({"base": "b", "data": "d"}, base=replace(LARGE, template="own", marked=True), data=many) == {}


def test_facts_of_an_adapter():
    """Mistral 7B at rank 64 over all layers has the published number of parameters, and carries its base's facts."""
    mistral = Model(
        family="mistral", layers=32, width=4096, mlp=14336, heads=32, kv_heads=8, head_size=128, vocabulary=32768, context=32768,
        tied=False, template="mistral", licence="apache-2.0",
    )  # fmt: skip
    kind = kinds.load("finetune")
    told = kind.Spec.model_validate(trainee.plain({"base": "b", "data": "d", "method": "qlora", "lora": {"rank": "64"}}))
    facts = kind.facts(Case(told, {"base": mistral, "data": DATA}))
    assert isinstance(facts, Adapter)
    assert (facts.parameters, facts.dtype, facts.licence) == (167_772_160, "bf16", "apache-2.0")
    assert model_of(facts.base) == mistral


@pytest.mark.slow
def test_settings_of_the_engine_are_those_that_are_installed(monkeypatch):
    """The table that plans read says what the pinned trl takes, name by name and type by type."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    root = kinds.templates_of("finetune")[0].parent
    code = f"import sys; sys.path.insert(0, {str(root / '.ci')!r}); import engines, json; print(json.dumps(engines.table()))"
    done = subprocess.run(
        [os.sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, env=trainee.environ()
    )
    table = json.loads(done.stdout.splitlines()[-1])
    assert {name: {**table[""], **told} for name, told in table.items() if name} == {
        name: dict(each) for name, each in SETTINGS.items()
    }


# --- real runs ---


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A tiny model, and chats of one turn."""
    home = tmp_path_factory.mktemp("inputs")
    trainee.make_model(home / "base")
    trainee.make_dataset(home / "data", trainee.chats(120), trainee.chats(20, seed=2))
    return home


@pytest.fixture
def step(inputs, tmp_path):
    """A step folder that is ready to run."""

    def made(told, name="step", **places):
        files = trainee.rendered("finetune", told, {"base": BASE, "data": DATA})
        return trainee.write_step(tmp_path / name, files, {"base": inputs / "base", "data": inputs / "data", **places})

    return made


def bytes_of(home):
    """What a run gave."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((home / "out").iterdir())}


def done(home, **more):
    """Run it to its good end."""
    code, log = trainee.run(home, **more)
    assert code == 0, log[-4000:]
    return log


METHODS = {
    "lora": {},
    "qlora": {"method": "qlora"},
    "dora": {"method": "dora", "lora": {"rank": "8", "rslora": "true"}},
    "pissa": {"lora": {"init": "pissa", "rank": "4"}},
    "whole layers": {"lora": {"modules_to_save": ["embed_tokens", "lm_head"]}},
    "full": {"method": "full", "train": {"optimizer": "adamw-8bit"}},
    "packed": {"packing": "true"},
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(step, method):
    """The loss falls, its numbers are measured, and what is kept holds no place, log or time."""
    train = {**QUICK, "steps": "6", "batch": "8"} if method != "packed" else {**QUICK, "batch": "2"}
    home = step({**spec(**METHODS[method]), "train": {**train, **METHODS[method].get("train", {})}})
    log = done(home)
    measured = trainee.measures(home)
    history = [json.loads(line) for line in (home / "history.jsonl").read_text().splitlines()]
    losses = [each["loss"] for each in history if "loss" in each]
    assert losses[-1] < losses[0]
    assert measured["test.loss"] == [each["test_loss"] for each in history if "test_loss" in each][-1]
    assert measured["trained_share.assistant"] == 1
    assert measured["trained_share.user"] == measured["trained_share.system"] == 0
    assert measured["tokens_per_second"] > 0
    assert "end of turn trained in" in log
    wanted = {"adapter_config.json", "adapter_model.safetensors"}
    if method == "full":
        wanted = {path.name for path in (home / "in/base").resolve().iterdir()}
    assert set(bytes_of(home)) == wanted
    assert str(home) not in "".join(path.read_text(errors="ignore") for path in (home / "out").iterdir())
    assert all({"prompt", "wanted", "before", "after"} == set(row) for row in json.loads((home / "answers.json").read_text()))


@pytest.mark.slow
def test_a_run_that_is_killed_ends_in_the_same_bytes(step):
    """Killed with -9 or asked to stop, at steps drawn at random and again and again: the adapter is that of a run in one go."""
    told = spec(lora={"dropout": "5%"}, train={**QUICK, "steps": "24", "early_stop": {"patience": "4"}, "tests": "6"})
    whole, cut = step(told, "whole"), step(told, "cut")
    done(whole)
    draw, kept = random.Random(4), []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        kept.append(cut_short(cut, draw.randint(4, 7) + (kept[-1] if kept else 0), number))
    log = done(cut)
    assert "goes on from state/checkpoint-" in log
    assert sorted(kept) == kept
    assert bytes_of(cut) == bytes_of(whole)
    loss = [trainee.measures(home)["train.loss"] for home in (cut, whole)]
    assert loss[0] == loss[1]


def cut_short(home, after, number):
    """End a run once it is so far, and how far it then says it is."""
    process = subprocess.Popen(
        ["bash", "run.sh"],
        cwd=home,
        env=trainee.environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    events = home / "events.jsonl"
    while process.poll() is None:
        time.sleep(0.01)
        lines = events.read_text().splitlines() if events.exists() else []
        if lines and json.loads(lines[-1])["step"] >= after:
            os.killpg(process.pid, number)
            break
    assert process.wait() == (130 if number == signal.SIGTERM else -number)
    return json.loads((home / "state/progress.json").read_text())["step"]


@pytest.mark.slow
def test_a_checkpoint_that_is_not_whole_is_passed_over(step):
    """A file that is cut off or missing costs the steps since the checkpoint before, and nothing else."""
    told = spec(train={**QUICK, "steps": "16"})
    whole, cut = step(told, "whole"), step(told, "cut")
    done(whole)
    cut_short(cut, 11, signal.SIGKILL)
    newest = cut / "state/checkpoint-10"
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:100])
    log = done(cut)
    assert "state/checkpoint-10 is not whole: passed over" in log
    assert "goes on from state/checkpoint-5" in log
    assert bytes_of(cut) == bytes_of(whole)


@pytest.mark.slow
def test_the_batch_is_what_the_spec_says_however_it_is_cut(step):
    """Rows of a batch one by one, in pieces or at once give the same adapter but for rounding."""
    import torch
    from safetensors.torch import load_file

    told, made = spec(train={**QUICK, "steps": "6", "precision": "fp32"}), []
    for micro in ("1", "4", "8"):
        home = step({**told, "placement": {"gpus": "0", "micro_batch": micro}}, f"micro-{micro}")
        assert f"batches of 8 = 1 x {8 // int(micro)} x {micro}" in done(home)
        made.append(load_file(home / "out/adapter_model.safetensors"))
    for name, tensor in made[0].items():
        for other in made[1:]:
            assert torch.allclose(tensor, other[name], atol=2e-4), name


def pair(home):
    """Two processes, each as on a machine of its own, which meet over loopback: what both said."""
    environ = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(20000 + (os.getpid() + len(home.name)) % 20000)}
    both = [
        subprocess.Popen(
            ["bash", "run.sh"], cwd=home, env=trainee.environ(**environ, NODE_RANK=rank), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    told = [each.communicate(timeout=900)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], told[0][-3000:] + told[1][-3000:]
    return "".join(told)


SHARED = {
    "ddp": ({"gpus": "0", "sharding": "ddp"}, {}),
    "fsdp2": ({"sharding": "fsdp2"}, {}),
    "fsdp2-full": ({"sharding": "fsdp2"}, {"method": "full"}),
    "zero2": ({"sharding": "zero2"}, {}),
    "zero3-full": ({"sharding": "zero3"}, {"method": "full"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("shared", SHARED)
def test_two_processes_share_the_batch(step, shared):
    """Two processes over gloo, each with all of the model or a part of it, train on the same rows as one, to the same result."""
    import torch
    from safetensors.torch import load_file

    if shared.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed: pip install deepspeed")
    place, more = SHARED[shared]
    told = spec(**more, train={**QUICK, "steps": "6", "precision": "fp32", "learning_rate": "1e-3"})
    one, two = step(told, "one"), step({**told, "placement": {**place, "nodes": "2", "checkpoint_every": "4"}}, shared)
    done(one)
    assert "2 x cpu: batches of 8 = 2 x 1 x 4" in pair(two)
    assert bytes_of(one).keys() == bytes_of(two).keys()
    losses = [[each["loss"] for each in history(home) if "loss" in each] for home in (one, two)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)
    tests = [trainee.measures(home)["test.loss"] for home in (one, two)]
    assert tests[1] == pytest.approx(tests[0], abs=1e-3)
    (name,) = [path.name for path in (one / "out").glob("*.safetensors")]
    left, right = (load_file(home / "out" / name) for home in (one, two))
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.allclose(tensor, right[name], atol=2e-4), name


def history(home):
    """What a run noted of its steps."""
    return [json.loads(line) for line in (home / "history.jsonl").read_text().splitlines()]


# --- the look before the first step ---


def refused(home):
    """Why a run ended before it began."""
    code, log = trainee.run(home)
    assert code == 1
    assert not (home / "events.jsonl").exists()
    return log.split("error: ", 1)[1]


@pytest.mark.slow
def test_a_template_that_trains_nothing_is_named(step, tmp_path):
    """0 % trained, an end of turn without a label, two BOS: each ends the node before its first step."""
    unmarked, endless, doubled = tmp_path / "unmarked", tmp_path / "endless", tmp_path / "doubled"
    for home, template in (
        (unmarked, trainee.MARKED.replace("message['content'] + '<|im_end|>' }}{% endgeneration", "'' }}{% endgeneration")),
        (endless, trainee.MARKED.replace("+ '<|im_end|>' }}{% endgeneration %}", "}}{% endgeneration %}<|im_end|>")),
        (doubled, "<s>" + trainee.MARKED),
    ):
        trainee.make_model(home)
        (home / "training_template.jinja").write_text(template)
    assert "0 %" in refused(step(spec(), "a", base=unmarked))
    assert "without their end of turn `<|im_end|>`" in refused(step(spec(), "b", base=endless))
    assert "begin with 2 BOS where 1 belong" in refused(step(spec(), "c", base=doubled))


@pytest.mark.slow
def test_rows_that_are_cut_or_have_nothing_to_train_are_counted(step, tmp_path):
    """A context that is too short for some rows is told as shares, and a row without an answer left is left out."""
    long = [{"messages": trainee.chat("door " * 40, "red")}] * 10
    trainee.make_dataset(tmp_path / "data", trainee.chats(30) + long)
    home = step(spec(train={**QUICK, "steps": "2"}), data=tmp_path / "data")
    done(home)
    measured = trainee.measures(home)
    assert (measured["truncated"], measured["dropped"]) == (0.25, 10)
    assert "test.loss" not in measured


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run(step):
    """The step is named, and the last good checkpoint is kept."""
    home = step(spec(train={**QUICK, "learning_rate": "1e30", "schedule": "constant", "warmup": "50%", "clip": "0"}))
    code, log = trainee.run(home)
    assert code == 1
    assert "error: the" in log
    assert "at step" in log
    assert "checkpoint" in log.split("error: the")[1]


@pytest.mark.slow
def test_weights_that_no_memory_holds_are_told_with_what_helps(step, tmp_path):
    """Before a trainer is there, too: the sum that was expected, and what takes less."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/sitecustomize.py").write_text(
        "import sys\n"
        "if sys.orig_argv[-1].endswith('train.py'):\n"
        "    import torch, transformers\n"
        "    def loaded(*_, **__):\n"
        "        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')\n"
        "    transformers.AutoModelForCausalLM.from_pretrained = loaded\n"
    )
    code, log = trainee.run(step(spec()), PYTHONPATH=str(tmp_path / "stub"))
    assert code == 1
    assert "Traceback" not in log
    assert "error: out of memory: CUDA out of memory" in log
    assert "it was expected to take: memory" in log


@pytest.mark.slow
def test_a_dataset_that_cannot_be_read_is_told(step, tmp_path):
    """Corrupt parquet ends the node with the split and the reason, no traceback."""
    (tmp_path / "data/train").mkdir(parents=True)
    (tmp_path / "data/train/00000.parquet").write_bytes(b"PAR1 nothing PAR1")
    code, log = trainee.run(step(spec(), data=tmp_path / "data"))
    assert code == 1
    assert "in/data/train cannot be read as parquet" in log
    assert "Traceback" not in log


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["false", "true"])
def test_a_rehearsal_tells_whether_it_learned(inputs, tmp_path, packing):
    """The same rows cost less after the last step than before the first one; a twin that cannot learn says so."""
    for rate, name in (("0.002", "learns"), ("0.0", "broken")):
        files = trainee.rendered("finetune", spec(packing=packing), {"base": BASE, "data": DATA}, twin=True)
        home = trainee.write_step(tmp_path / name, files, {"base": inputs / "base", "data": inputs / "data"})
        script = (home / "recipe/train.py").read_text()
        for old, new in (("STEPS = 200", "STEPS = 12"), ("learning_rate=0.002", f"learning_rate={rate}")):
            assert old in script
            script = script.replace(old, new)
        (home / "recipe/train.py").write_text(script)
        done(home)
        told = trainee.measures(home)
        assert told["untrained.test.loss"] > 1
        assert [told[f"untrained.{split}.p"] < 0.01 for split in ("train", "test")] == [rate != "0.0"] * 2
