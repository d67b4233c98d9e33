"""Models as graphs of ONNX: what the scripts look like, what is refused, what onnxruntime computes, and what the proof sees."""

import json
import math
import shutil
from pathlib import Path

import here
import pytest
from modules import modules_of
from tiny_models import make

from zyc.types import Onnx

TINY = """
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400}}
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 4, width: 64, mlp: 128, context: 256}, tokenizer: my-pieces}}
quants: {my-graph: {model: my-tiny, format: onnx, TYPE}}
"""
MOST = {"fp32": 1e-6, "fp16": 1e-3, "int8": 0.02, "q4": 0.06}  # divergence
DATA = TINY + "datasets: {my-data: {from: data/words.txt, per: line, format: text, split: {test: 20%}}}\n"


@pytest.fixture(autouse=True)
def modules_of_onnxruntime(monkeypatch):
    """Its tools look for each other on the path, where they put themselves once: a step is a process of its own."""
    import onnxruntime

    monkeypatch.syspath_prepend(str(Path(onnxruntime.__file__).parent / "transformers"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A tiny model that expects something."""
    return make(tmp_path_factory.mktemp("tiny"), "llama")


@pytest.fixture(scope="module")
def graph(source, tmp_path_factory):
    """Its graph in 32 bits."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    with modules_of("quant", "onnx_export") as told:
        told.onnx_export.export(told.onnx_export.load(source), path, external=False)
    return path


def front(workshop, kind):
    """The project with a graph of a type."""
    workshop.spec(TINY.replace("TYPE", f"type: {kind}"))
    return workshop.front()


def test_graph(workshop, golden):
    """The script of a graph: export, comparison, rounding, and the tokenizer beside it; no module of another format."""
    golden(front(workshop, "q4"), "my-graph")


def test_proof(workshop, golden):
    """The script of its proof."""
    golden(front(workshop, "q4"), "my-graph.proof")


@pytest.mark.parametrize(("preset", "kind"), [("web-q4", "q4"), ("web-q8", "int8"), ("web-f16", "fp16"), ("web-f32", "fp32")])
def test_presets(workshop, preset, kind):
    """The presets of the web are types of this format, too."""
    facts = front(workshop, preset).settlement.nodes["my-graph"].facts
    assert isinstance(facts, Onnx)
    assert facts.type == kind


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("type: Q4_K_M", "an ONNX model has no type `Q4_K_M`"),
        ("type: bf16", "computes hardly anything in bf16"),
        ("type: q4, shards: 10 MB", "an ONNX model has no `shards`"),
        ("type: q4, overrides: {ffn: Q6_K}", "an ONNX model has no `overrides`"),
        ("", "an ONNX model needs a type"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(workshop, fields, says):
    """Types and fields of other formats are refused by name."""
    workshop.spec(TINY.replace(", TYPE", f", {fields}" if fields else ""))
    ((_, _, facts),) = workshop.problems()
    assert says in facts["says"]


def test_a_budget_chooses(workshop):
    """The best type that fits is taken."""
    workshop.spec(TINY.replace("TYPE", "budget: {size: 300 kB}"))
    assert workshop.front().settlement.nodes["my-graph"].facts.type == "fp16"


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOST)
def test_every_type_for_real(workshop, tmp_path, source, kind):
    """Each type is written, read by onnxruntime, and proven; its size is what arithmetic says, its bytes are always the same."""
    told = front(workshop, kind)
    ran = here.run(told, "my-graph", tmp_path / "step", {"model": source}, script="to_onnx")
    assert ran.error == ""
    assert {"model.onnx", "tokenizer.json", "tokenizer.model", "chat_template.jinja", "config.json", "zyc.json"} <= {
        path.name for path in ran.out.iterdir()
    }
    assert ran.measures["apart"] < 1e-4
    assert b"site-packages" not in (ran.out / "model.onnx").read_bytes()
    proof = here.run(
        told,
        "my-graph.proof",
        tmp_path / "proof",
        {"subject": ran.out, "against": source, "model": source},
        script="prove_onnx",
    )
    assert (proof.measures["same_tokens"], proof.measures["same_template"]) == (1.0, 1.0), proof.log
    assert proof.measures["kl"] <= MOST[kind]
    assert proof.measures["top1"] >= 0.8  # a model that nobody trained is sure of little: the likeliest token often is by a hair
    if kind == "q4":
        again = here.run(told, "my-graph", tmp_path / "again", {"model": source}, script="to_onnx")
        assert (again.out / "model.onnx").read_bytes() == (ran.out / "model.onnx").read_bytes()


@pytest.mark.slow
def test_sizes_are_those_of_the_files(source, graph, tmp_path):
    """What a plan says of a graph's bytes is what its weights take."""
    from zyc.craft.quantizing.onnx import file_bytes
    from zyc.types import Model

    config = json.loads((source / "config.json").read_text())
    facts = Model(
        family="llama", layers=2, width=64, mlp=128, heads=4, kv_heads=2, head_size=16, vocabulary=config["vocab_size"],
        tied=False, biased=False,
    )  # fmt: skip
    with modules_of("quant", "onnx_types") as told:
        for kind in ("int8", "q4", "fp16"):
            told.onnx_types.convert(graph, tmp_path / f"{kind}.onnx", kind, external=False)
            found = (tmp_path / f"{kind}.onnx").stat().st_size
            assert found == pytest.approx(file_bytes(facts, kind), abs=60_000), kind


@pytest.mark.slow
def test_answers_with_what_is_kept(source, graph):
    """Token by token with a cache it says what transformers says, and padding on either side changes nothing."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM

    with modules_of("quant", "onnx_session") as told:
        session = told.onnx_session.Session(graph)
        ids = [5, 9, 30, 77, 200]
        said = session.answer(ids, 12)
        alone = session.logits(ids)
        for left, right in ((3, 0), (0, 3)):
            padded = np.array([[3] * left + ids + [3] * right])
            mask = np.array([[0] * left + [1] * len(ids) + [0] * right])
            found = session.step(padded, mask)[0][0, left : left + len(ids)]
            assert np.abs(found - alone).max() < 1e-4
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    wanted = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, eos_token_id=None)
    assert said == wanted[0, len(ids) :].tolist()


@pytest.mark.slow
def test_weights_may_lie_beside_the_graph(source, tmp_path):
    """A model too large for one file has its weights beside it, in each type."""
    with modules_of("quant", "onnx_export", "onnx_types", "onnx_session") as told:
        model = told.onnx_export.load(source)
        for kind in ("int8", "q4", "fp16", "fp32"):
            (tmp_path / kind).mkdir()
            whole, out = tmp_path / "model.onnx", tmp_path / kind / "model.onnx"
            if not whole.exists():
                told.onnx_export.export(model, whole, external=True)
            told.onnx_types.convert(whole, out, kind, external=True)
            assert (tmp_path / kind / "model.onnx.data").stat().st_size > out.stat().st_size
            assert told.onnx_session.Session(out).logits([5, 6, 7]).shape == (3, model.config.vocab_size)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3", "gemma"])
def test_every_family(tmp_path, family):
    """The graphs of all families that are let through compute what transformers computes."""
    window = {"sliding_window": 6} if family == "mistral" else {}
    home = make(tmp_path, family, "byte-bpe" if family.startswith("qwen") else "sentencepiece-bpe", **window)
    with modules_of("quant", "onnx_export") as told:
        model = told.onnx_export.load(home)
        told.onnx_export.export(model, tmp_path / "model.onnx", external=False)
        assert told.onnx_export.farthest(model, tmp_path / "model.onnx") < told.onnx_export.ATOL


# --- planted faults ---


def spoil(graph, out, what):
    """A graph with one matrix turned, another template, or another tokenizer."""
    import onnx
    from onnx import numpy_helper

    told = onnx.load(str(graph))
    weight = max(told.graph.initializer, key=lambda each: math.prod(each.dims))
    weight.CopyFrom(numpy_helper.from_array(what(numpy_helper.to_array(weight)), weight.name))
    onnx.save(told, str(out))


@pytest.mark.slow
def test_the_script_sees_a_wrong_graph(source, graph, tmp_path):
    """A graph that computes something else, or no numbers, is seen before anything is rounded."""
    with modules_of("quant", "onnx_export") as told:
        model = told.onnx_export.load(source)
        spoil(graph, tmp_path / "turned.onnx", lambda weight: weight[::-1].copy())
        assert told.onnx_export.farthest(model, tmp_path / "turned.onnx") > told.onnx_export.ATOL
        spoil(graph, tmp_path / "nan.onnx", lambda weight: weight * float("nan"))
        with pytest.raises(SystemExit, match="numbers that are none"):
            told.onnx_export.farthest(model, tmp_path / "nan.onnx")


@pytest.mark.slow
def test_the_proof_sees_planted_faults(workshop, tmp_path, source, graph):
    """Weights of another model, a template that drifted, a token that moved: each has its measure."""
    told = front(workshop, "fp32")

    def prove(name, change):
        bad = shutil.copytree(source, tmp_path / name)
        (bad / "model.safetensors").unlink()
        shutil.copy(graph, bad / "model.onnx")
        change(bad)
        places = {"subject": bad, "against": source, "model": source}
        return here.run(told, "my-graph.proof", tmp_path / f"{name}-proof", places, script="prove_onnx")

    sound = prove("sound", lambda _: None).measures
    assert (sound["kl"] < 1e-6, sound["same_tokens"], sound["same_template"]) == (True, 1.0, 1.0)
    turned = prove("turned", lambda bad: spoil(graph, bad / "model.onnx", lambda weight: weight[::-1].copy()))
    assert turned.measures["kl"] > 1e-3

    def drift(bad):
        path = bad / "chat_template.jinja"
        path.write_text(path.read_text().replace("<|im_end|>\\n", "<|im_end|>"))

    assert prove("drifted", drift).measures["same_template"] < 1

    def move(bad):
        words = json.loads((bad / "tokenizer.json").read_text())
        vocab = words["model"]["vocab"]
        one, other = sorted(vocab, key=vocab.get)[300:302]
        vocab[one], vocab[other] = vocab[other], vocab[one]
        (bad / "tokenizer.json").write_text(json.dumps(words))

    assert prove("moved", move).measures["same_tokens"] < 1
    assert "no tokenizer.json" in prove("lost", lambda bad: (bad / "tokenizer.json").unlink()).error


def test_every_type_has_its_bounds():
    """What a type may drift is written down for each, and rises as bits go."""
    from zyc.craft.quantizing.onnx import BYTES, DRIFT

    assert list(DRIFT) == list(BYTES)
    assert [kl for kl, _ in DRIFT.values()] == sorted(kl for kl, _ in DRIFT.values())
