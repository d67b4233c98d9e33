"""The kind `pretrain`: what its script looks like, what it refuses, and real runs at toy size."""

import hashlib
import importlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trainee
from test_finetune import cut_short

from zyc import kinds
from zyc.kind import Case
from zyc.types import Dataset

MODEL = trainee.facts(context=4096)
TEXT = Dataset(format="text", rows=300, test=0.1)
CHATS = Dataset(format="messages", rows=220, test=0.1, turns="single")
ON_CPU = {"gpus": "0", "checkpoint_every": "4"}
SMALL = {"model": "m", "data": "d", "steps": "12", "context": "32", "batch_tokens": "256", "learning_rate": "3e-3", "tests": "2"}


def files_of(told, *data, **more):
    """Script and placement of one."""
    inputs = {"model": MODEL, **{f"data.{at}.node": each for at, each in enumerate(data)}}
    files = trainee.rendered("pretrain", told, inputs, **more).files()
    return {path: text for path, text in files.items() if path.startswith(("recipe/", "placement/"))}


def test_mix(golden):
    """Two datasets with their shares, so many tokens, and all of its recipe."""
    told = {"model": "m", "data": {"corpus": "80%", "code": "20%"}, "tokens": "300M", "schedule": "wsd", "warmup": "2%"}
    golden(files_of(told, TEXT, TEXT))


def test_answers(golden):
    """Chats, each a row of its own, and only what the assistant says: what a twin's base is made by."""
    files = files_of({**SMALL, "packing": "false", "loss_on": "assistant", "optimizer": "adamw-8bit", "precision": "fp16"}, CHATS)
    golden({path: text for path, text in files.items() if path in ("recipe/pretrain.py", "placement/settings.json")})


def test_twin(golden):
    """A rehearsal sees less, in shorter rows, and learns faster."""
    files = files_of({"model": "m", "data": "d", "tokens": "300M", "placement": {"gpus": "8"}}, TEXT, twin=True)
    golden({path: text for path, text in files.items() if path in ("recipe/pretrain.py", "placement/settings.json")})


@pytest.mark.parametrize(
    ("field", "told", "data", "words"),
    [
        ("data.0.node", {}, Dataset(format="preference"), "dpo"),
        ("tokens", {"steps": None}, TEXT, "300M"),
        ("steps", {"tokens": "1M"}, TEXT, "keep one"),
        ("batch_tokens", {"batch_tokens": "1000"}, TEXT, "`batch_tokens: 992`"),
        ("batch_tokens", {"placement": {"gpus": "3"}}, TEXT, "`6` can be"),
        ("loss_on", {"loss_on": "assistant"}, TEXT, "`loss_on: all`"),
        ("context", {"context": "8192", "batch_tokens": "8192"}, TEXT, "`context: 4096`"),
    ],
)
def test_what_cannot_be_is_told_by_its_field(field, told, data, words):
    """Model, data and batch are held against each other at plan time, and each objection has a next step."""
    kind = kinds.load("pretrain")
    spec = {name: value for name, value in {**SMALL, **told}.items() if value is not None}
    case = Case(kind.Spec.model_validate(trainee.plain(spec)), {"model": MODEL, "data.0.node": data})
    found = {each.field: f"{each.says}; {each.help}" for each in kind.check(case)}
    assert list(found) == [field]
    assert words in found[field]


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ({"d": "60%", "e": "60%"}, ["the shares make 1.2"]),
        ({"d": "60%", "e": "40%"}, []),
        ({"d": "3", "e": "1"}, []),
        (["d", "e"], []),
    ],
)
def test_shares_make_a_whole(shares, says):
    """What is more or less than all of it is a slip; parts are taken of their sum."""
    kind = kinds.load("pretrain")
    spec = kind.Spec.model_validate(trainee.plain({**SMALL, "data": shares}))
    found = kind.check(Case(spec, {"model": MODEL, "data.0.node": TEXT, "data.1.node": TEXT}))
    assert [each.says for each in found] == says


def test_tokens_in_billions_are_what_plans_print():
    """`140B`, as model cards have it, and `140G` are one number."""
    read = [
        kinds.load("pretrain").Spec.model_validate(trainee.plain({**SMALL, "tokens": each})).tokens for each in ("140B", "140G")
    ]
    assert read == [140_000_000_000] * 2


# --- which rows a step reads ---


@pytest.fixture
def module(monkeypatch):
    """A module of the recipe, as its script imports it."""
    (root,) = kinds.templates_of("pretrain")
    for folder in ("shared", "lib", "pretrain/lib"):
        monkeypatch.syspath_prepend(str(root / folder))

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture
def mixing(module):
    """The one that says it."""
    return module("mixing")


class Rows:
    """A dataset of so many rows."""

    def __init__(self, count):
        self.count = count

    def windows(self, _context):
        """How many there are."""
        return self.count


def test_every_step_keeps_the_shares_and_every_epoch_every_row(mixing):
    """Shares hold to within a row at each step, each dataset is read whole before it is read again, in another order."""
    mix = mixing.Mix([Rows(70), Rows(50)], [0.8, 0.2], rows=16, context=8, seed=7, packed=True)
    read = [place for step in range(40) for place in mix.places(step)]
    assert len(read) == 640
    for step in range(1, 40):
        assert abs(sum(source == 1 for source, _ in read[: 16 * step]) - 0.2 * 16 * step) <= 1
    first = [[at for source, at in read if source == 0][70 * epoch : 70 * epoch + 70] for epoch in (0, 1)]
    seen = [sum(at == each for source, each in read if source == 0) for at in range(70)]
    assert max(seen) - min(seen) <= 1
    assert first[0] != first[1]
    assert mix.epochs(40) == pytest.approx(512 / 70)
    assert mix.places(17) == mix.places(17)


@pytest.fixture
def held(module, tmp_path):
    """A dataset on the disk: examples of so many tokens, each token learned."""

    def made(*lengths, name="rows"):
        ends = np.cumsum(lengths, dtype=np.int64)
        np.arange(ends[-1], dtype=np.uint16).tofile(tmp_path / f"{name}.ids")
        np.ones(ends[-1], dtype=np.bool_).tofile(tmp_path / f"{name}.trained")
        ends.tofile(tmp_path / f"{name}.ends")
        told = {"tokens": int(ends[-1]), "trained": int(ends[-1]), "dtype": "uint16"}
        (tmp_path / f"{name}.json").write_text(json.dumps(told))
        return module("tokens").Tokens(tmp_path / name)

    return made


@pytest.mark.parametrize(("packing", "least"), [("true", 12 * 256), ("false", 0)])
def test_a_plan_knows_how_many_tokens_are_read_where_rows_are_full(packing, least):
    """Rows that are examples have any length up to the context."""
    kind = kinds.load("pretrain")
    spec = kind.Spec.model_validate(trainee.plain({**SMALL, "packing": packing}))
    told = dict(kind.estimate(Case(spec, {"model": MODEL, "data.0.node": CHATS})).measures)["tokens"]
    assert (told.low, told.high) == (least, 12 * 256)


@pytest.mark.parametrize("packed", [False, True])
def test_tokens_that_were_read_are_those_of_the_rows(mixing, held, packed):
    """At every step, over several epochs: the ids of all rows before it, however short, cut or alone they are."""
    sources = [held(3, 9, 1, 40, 7, name="one"), held(5, 4, name="short")]
    mix = mixing.Mix(sources, [0.7, 0.3], rows=4, context=16, seed=3, packed=packed)
    read = 0
    for step in range(20):
        assert mix.tokens(step) == read
        read += sum(len(mix.row(*each)[0]) for each in mix.places(step))


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 4, 5])
def test_processes_test_equally_many_rows(mixing, world, count):
    """Of a model that they share each answers only when all ask: what is filled up counts for nothing, and no row is lost."""
    rows = [(np.array([at]), np.array([at + 1])) for at in range(count)]
    each = [mixing.filled(rows, world)[rank::world] for rank in range(world)]
    assert len({len(part) for part in each}) == 1
    scored = [int(targets[0]) for part in each for _, targets in part if (targets != -100).any()]
    assert sorted(scored) == [at + 1 for at in range(count)]
    assert sum(len(part) for part in each) - count < world


# --- the bytes of what is tested ---


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A tokenizer of bytes, of which some characters take several."""
    home = tmp_path_factory.mktemp("words")
    return home, trainee.make_tokenizer(home)


TOLD = "Größe:  12 €, 🙂 \n"


@pytest.mark.slow
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("context", [10**9, 6])
@pytest.mark.parametrize("begins", [0, 1])
def test_bytes_are_those_of_what_is_foretold(module, words, tmp_path, monkeypatch, begins, context, packed):
    """Each byte of the text counts once, but for those that nothing foretells and those that the context cuts off."""
    from datasets import Dataset as Rows

    monkeypatch.chdir(tmp_path)
    home, tokenizer = words
    chats, rows = module("chats"), [{"text": TOLD}, {"text": "The door is red."}, {"text": TOLD}]
    encoder = chats.Encoder.of(home, tokenizer, context=context, loss_on="all")
    encoder.begins = begins
    told = module("tokens").write("test", Rows.from_list(rows), encoder, 512, packed=packed).told
    every = [encoder.encode([row])[0] for row in rows]
    chars = [max(end for _, end in made["offsets"]) for made in every]  # of the row, as far as it is read
    read = [
        made["rendered"].text[:end].removeprefix("<s>").removesuffix("<|im_end|>") for made, end in zip(every, chars, strict=True)
    ]
    unseen = [made["rendered"].text[: made["offsets"][0][1]] for made in every] if not begins else [""] * 3
    lost = unseen[:1] if packed else unseen
    assert told["bytes"] == len("".join(read).encode()) - len("".join(lost).encode())


@pytest.mark.slow
def test_bytes_of_chats_are_those_that_are_said(module, words, tmp_path, monkeypatch):
    """Of answers alone where only they are learned, of every message where all is; never of the template."""
    from datasets import Dataset as Rows

    monkeypatch.chdir(tmp_path)
    home, tokenizer = words
    chats, tokens = module("chats"), module("tokens")
    said = [[each["content"] for each in row["messages"]] for row in trainee.chats(5, turns=2)]
    for loss_on, part in (("all", said), ("assistant", [each[2::2] for each in said])):
        encoder = chats.Encoder.of(home, tokenizer, context=10**9, loss_on=loss_on)
        told = tokens.write(loss_on, Rows.from_list(trainee.chats(5, turns=2)), encoder, 512, packed=True).told
        assert told["bytes"] == len("".join(each for row in part for each in row).encode())


# --- what a checkpoint holds ---


@pytest.mark.slow
def test_a_scale_of_gradients_goes_on_with_its_run(module, tmp_path):
    """Of fp16 the scale and how long it has held are kept; a state without them loads, and of other precisions none is kept."""
    import torch

    states = module("states")

    def run(*, scaled=True):
        model = torch.nn.Linear(2, 2)
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3, enabled=scaled)
        return model, torch.optim.AdamW(model.parameters()), scaler

    def learned(model, optimizer, scaler):
        scaler.scale(model(torch.ones(1, 2)).sum()).backward()
        scaler.step(optimizer)
        scaler.update()

    first = run()
    for _ in range(5):
        learned(*first)
    states.save(tmp_path / "scaled", *first, 5, first=True)
    again = run()
    assert states.load(tmp_path / "scaled", *again) == 5
    assert again[2].state_dict() == first[2].state_dict()
    assert again[2].state_dict()["scale"] == 128

    plain = run(scaled=False)
    learned(*plain)
    states.save(tmp_path / "plain", *plain, 1, first=True)
    assert "scaler" not in torch.load(tmp_path / "plain/state.pt", weights_only=False)
    fresh = run()
    assert states.load(tmp_path / "plain", *fresh) == 1
    assert fresh[2].get_scale() == 64


# --- real runs ---


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A tiny model, texts and chats."""
    home = tmp_path_factory.mktemp("inputs")
    trainee.make_model(home / "model")
    trainee.make_dataset(home / "chats", trainee.chats(120), trainee.chats(20, seed=2))
    texts = [{"text": " ".join(each["content"] for each in row["messages"])} for row in trainee.chats(150)]
    trainee.make_dataset(home / "text", texts[:130], texts[130:])
    return home


@pytest.fixture
def step(inputs, tmp_path):
    """A step folder that is ready to run."""

    def made(told, *data, name="step"):
        facts = {"text": TEXT, "chats": CHATS}
        given = {"model": MODEL, **{f"data.{at}.node": facts[each] for at, each in enumerate(data)}}
        files = trainee.rendered("pretrain", {**SMALL, "placement": ON_CPU, **told}, given)
        places = {"model": inputs / "model", **{f"data/{at}": inputs / each for at, each in enumerate(data)}}
        return trainee.write_step(tmp_path / name, files, places)

    return made


def bytes_of(home):
    """What a run gave."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((home / "out").iterdir())}


def done(home, **more):
    """Run it to its good end."""
    code, log = trainee.run(home, **more)
    assert code == 0, log[-4000:]
    return log


@pytest.mark.slow
def test_a_mix_of_text_and_chats_is_learned(step, inputs):
    """The loss falls, bits a byte are those of the text as people wrote it, and all of the tokenizer comes along."""
    home = step(
        {"data": {"one": "75%", "two": "25%"}, "placement": {**ON_CPU, "workers": "1", "micro_batch": "2"}}, "text", "chats"
    )
    done(home)
    measured = trainee.measures(home)
    history = [json.loads(line) for line in (home / "history.jsonl").read_text().splitlines()]
    losses = [each["loss"] for each in history if "loss" in each]
    assert losses[-1] < losses[0]
    assert measured["tokens"] == 12 * 256
    assert 0 < measured["test.bits_per_byte"] < measured["test.loss"] / math.log(2)
    assert measured["trained_share"] == 1
    assert 0 < measured["mfu"] < 1
    assert set(bytes_of(home)) == {path.name for path in (inputs / "model").iterdir()}


@pytest.mark.slow
def test_bits_a_byte_are_those_of_all_that_is_held_out(step, inputs, tmp_path):
    """A text of a window and a half is tested to its end: as many tokens as are foretold, and their bytes."""
    from transformers import AutoTokenizer

    text, tokenizer = {"text": "The door is red. Größe: 12 €. " * 3}, AutoTokenizer.from_pretrained(inputs / "model")
    foretold = len(tokenizer(text["text"], add_special_tokens=False)["input_ids"]) + 1  # its end; its begin foretells it
    context = -(-foretold * 2 // 3 // 8) * 8
    assert context < foretold < 2 * context
    trainee.make_dataset(tmp_path / "long", [text] * 20, [text])
    home = step({"steps": "1", "tests": "1", "context": str(context), "batch_tokens": str(2 * context)}, "text")
    (home / "in/data/0").unlink()
    (home / "in/data/0").symlink_to(tmp_path / "long")
    done(home)
    measured = trainee.measures(home)
    bits = measured["test.loss"] * foretold / math.log(2) / len(text["text"].encode())
    assert measured["test.bits_per_byte"] == pytest.approx(bits, rel=1e-6)


@pytest.mark.slow
def test_only_answers_are_learned_where_that_is_asked(step):
    """Chats as rows of their own: the trained share is that of the answers, and the loss on them falls to nearly nothing."""
    home = step(
        {"packing": "false", "loss_on": "assistant", "steps": "60", "tests": "1", "context": "64", "batch_tokens": "512"}, "chats"
    )
    done(home)
    measured = trainee.measures(home)
    assert 0.02 < measured["trained_share"] < 0.1
    assert measured["train.loss"] < 2


@pytest.mark.slow
def test_a_run_that_is_killed_ends_in_the_same_bytes(step):
    """Killed with -9 and asked to stop: the weights are those of a run in one go."""
    whole, cut = step({}, "text", name="whole"), step({}, "text", name="cut")
    done(whole)
    assert cut_short(cut, 6, signal.SIGKILL) == 4
    assert cut_short(cut, 7, signal.SIGTERM) >= 7
    assert "goes on from state/checkpoint-" in done(cut)
    assert bytes_of(cut) == bytes_of(whole)


@pytest.mark.slow
def test_it_ends_when_it_knows_enough_also_when_it_was_killed(step):
    """Eight steps in a row of no more than that loss on average are the last ones; what was read is counted, and tested."""
    told = {"until": "4.5", "steps": "60", "packing": "false", "loss_on": "assistant", "context": "64", "batch_tokens": "512"}
    whole, cut = step(told, "chats", name="whole"), step(told, "chats", name="cut")
    assert "on average, which is enough" in done(whole)
    noted = [json.loads(line) for line in (whole / "history.jsonl").read_text().splitlines()]
    losses = [each["loss"] for each in noted if "loss" in each]
    assert 8 <= len(losses) < 60
    assert sum(losses[-8:]) / 8 <= 4.5 < min(sum(losses[at : at + 8]) / 8 for at in range(len(losses) - 8))
    measured = trainee.measures(whole)
    assert len(losses) * 8 < measured["tokens"] < len(losses) * 512
    assert [each["step"] for each in noted if "test_loss" in each][-1] == len(losses)
    cut_short(cut, len(losses) - 2, signal.SIGKILL)
    assert "goes on from state/checkpoint-" in done(cut)
    assert bytes_of(cut) == bytes_of(whole)
    assert trainee.measures(cut)["tokens"] == measured["tokens"]


@pytest.mark.slow
def test_what_knew_enough_learns_nothing_more_when_it_goes_on(step):
    """Killed between its last checkpoint and its result, it has nothing left to learn: the same bytes, and no step more."""
    told = {"until": "4.5", "steps": "60", "packing": "false", "loss_on": "assistant", "context": "64", "batch_tokens": "512"}
    home = step({**told, "placement": {**ON_CPU, "checkpoint_every": "1"}}, "chats")
    done(home)
    first, noted = bytes_of(home), (home / "history.jsonl").read_text()
    for each in (home / "out").iterdir():
        each.unlink()
    assert "goes on from state/checkpoint-" in done(home)
    assert bytes_of(home) == first
    assert (home / "history.jsonl").read_text() == noted


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["ddp", "fsdp2"])
def test_two_processes_share_the_batch(step, sharding):
    """Two processes over gloo, each with all of the model or a part of it, end where one does but for rounding."""
    import torch
    from safetensors.torch import load_file

    one = step({"precision": "fp32"}, "text", name="one")
    done(one)
    two = step(
        {"precision": "fp32", "placement": {"nodes": "2", "sharding": sharding, "checkpoint_every": "4"}}, "text", name="two"
    )
    environ = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(20000 + (os.getpid() + len(sharding)) % 20000)}
    pair = [
        subprocess.Popen(
            ["bash", "run.sh"], cwd=two, env=trainee.environ(**environ, NODE_RANK=rank), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    told = [each.communicate(timeout=300)[0] for each in pair]
    assert [each.returncode for each in pair] == [0, 0], told[0][-3000:] + told[1][-3000:]
    for name in ("test.loss", "test.bits_per_byte", "tokens"):
        assert trainee.measures(two)[name] == pytest.approx(trainee.measures(one)[name], abs=1e-3), name
    left, right = (load_file(home / "out/model.safetensors") for home in (one, two))
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.allclose(tensor, right[name], atol=1e-4), name


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run(step):
    """The step is named, and the last good checkpoint is kept."""
    home = step({"learning_rate": "1e30", "schedule": "constant", "clip": "0"}, "text")
    code, log = trainee.run(home)
    assert code == 1
    assert "error: the loss or gradient is" in log
    assert "at step" in log
    assert not (Path(home) / "out/model.safetensors").exists()
