"""Merges that are run: their arithmetic against numpy, what they publish, what they refuse, and proofs that see each fault."""

import hashlib
import json

import blending
import numpy as np
import pytest
import tiny_models
import trainee
from blending import merged, proof, weights
from test_merge import FULL, full

from zyc.craft.merging.methods import METHODS, OTHERS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
GOOD = {"missing": 0, "misshapen": 0, "strange": 0, "broken": 0, "rowless": 0, "loads": 1, "answers": 1}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Three tiny models of one shape and tokenizer."""
    home = tmp_path_factory.mktemp("models")
    for at, name in enumerate("abc"):
        trainee.make_model(home / name, seed=at)
        (home / name / "tokenizer.model").write_bytes(b"pieces")
    return {name: home / name for name in "abc"}


def digests(folder):
    """Every file with what is in it."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def run(tmp_path, spec, places, name="step"):
    """A merge that works, and its result."""
    home, error, said = merged(tmp_path / name, spec, places)
    assert not error, f"{error}\n{said[-3000:]}"
    return home / "out"


# --- arithmetic ---


def linear(w, a, b):
    """The weighted mean."""
    return (w[0] * a + w[1] * b) / sum(w)


def slerp(t, a, b):
    """Along the arc between two directions; along the line when they are nearly the same."""
    one, two = a / (np.linalg.norm(a) + 1e-8), b / (np.linalg.norm(b) + 1e-8)
    dot = float(np.sum(one * two))
    if abs(dot) > 0.9995:
        return (1 - t) * a + t * b
    angle = np.arccos(dot)
    return np.sin((1 - t) * angle) / np.sin(angle) * a + np.sin(t * angle) / np.sin(angle) * b


def task_arithmetic(w, a, b, base, scale=1.0):
    """The base and its weighted changes."""
    return base + scale * (w[0] * (a - base) + w[1] * (b - base))


def ties(w, density, a, b, base):
    """Changes that are large enough, of the sign that the sum has, averaged by the weights that are left."""
    deltas = [_largest(each - base, density) for each in (a, b)]
    weighted = np.stack([weight * delta for weight, delta in zip(w, deltas, strict=True)])
    sign = np.where(weighted.sum(0) >= 0, 1, -1)
    kept = np.sign(weighted) == sign
    share = (np.array(w).reshape(2, *[1] * base.ndim) * kept).sum(0)
    return base + (weighted * kept).sum(0) / np.where(np.abs(share) < 1e-8, 1, share)


def _largest(delta, density):
    """The largest changes of a tensor."""
    flat = np.abs(delta).ravel()
    count = int(density * flat.size)
    kept = np.zeros(flat.size)
    kept[np.argsort(-flat, kind="stable")[:count]] = 1
    return delta * kept.reshape(delta.shape)


ORACLES = {
    "linear": (
        {"method": "linear", "models": {"a": 0.7, "b": 0.5}},
        lambda a, b, _: linear((0.7, 0.5), a, b),
    ),
    "slerp": (
        {"method": "slerp", "models": ["a", "b"], "base": "a", "parameters": {"t": 0.3}},
        lambda a, b, _: slerp(0.3, a, b),
    ),
    "task_arithmetic": (
        {"method": "task_arithmetic", "models": {"a": 0.7, "b": 0.5}, "base": "c", "parameters": {"lambda": 0.9}},
        lambda a, b, c: task_arithmetic((0.7, 0.5), a, b, c, 0.9),
    ),
    "ties": (
        {"method": "ties", "models": {"a": 0.7, "b": 0.5}, "base": "c", "parameters": {"density": 0.5}},
        lambda a, b, c: ties((0.7, 0.5), 0.5, a, b, c),
    ),
}


@pytest.mark.parametrize("method", ORACLES)
def test_it_is_the_arithmetic_of_the_method(places, tmp_path, method):
    """Every tensor of the result is what a few lines of numpy make of the same models."""
    spec, oracle = ORACLES[method]
    found = weights(run(tmp_path, {**spec, "dtype": "fp32"}, places))
    a, b, c = (weights(places[name]) for name in "abc")
    assert found.keys() == a.keys()
    for name, tensor in found.items():
        wanted = oracle(*(each[name].astype(np.float64) for each in (a, b, c)))
        if "norm" in name:  # ones in all of these models: their changes are nothing
            np.testing.assert_allclose(tensor, wanted, atol=1e-6)
        else:
            assert np.abs(a[name] - b[name]).max() > 0
            np.testing.assert_allclose(tensor, wanted, atol=2e-6, err_msg=name)


def test_a_gradient_goes_from_the_first_layer_to_the_last(places, tmp_path):
    """`t: [0, 1]` takes the first layer of one model and the last of the other; a filter only what it names."""
    t = [{"filter": "mlp", "value": [0, 1]}, {"value": 0}]
    found = weights(run(tmp_path, {**full("slerp"), "parameters": {"t": t}, "dtype": "fp32"}, places))
    a, b = weights(places["a"]), weights(places["b"])
    for name, tensor in found.items():
        source = b if "layers.1.mlp" in name else a
        np.testing.assert_allclose(tensor, source[name], atol=1e-6, err_msg=name)


def test_slices_stand_behind_each_other(places, tmp_path):
    """Layers of two models, the second scaled: three layers, and a model that loads."""
    out = run(tmp_path, {**full("passthrough"), "dtype": "fp32"}, places)
    found, a, b = weights(out), weights(places["a"]), weights(places["b"])
    name = "model.layers.{}.mlp.up_proj.weight"
    np.testing.assert_array_equal(found[name.format(1)], a[name.format(1)])
    np.testing.assert_allclose(found[name.format(2)], b[name.format(1)] * 0.5)
    assert json.loads((out / "config.json").read_text())["num_hidden_layers"] == 3
    assert proof(tmp_path / "proof", out).items() >= GOOD.items()


# --- every method ---


@pytest.mark.parametrize("method", FULL)
def test_every_method_gives_the_same_bytes_twice(places, tmp_path, method):
    """Each method runs with all of its parameters, and a second time ends in the same bytes, in every file."""
    one, two = (run(tmp_path, {**full(method), "seed": 7}, places, name) for name in ("one", "two"))
    assert digests(one) == digests(two)
    if method == "extract":
        assert {path.name for path in one.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
        return
    assert (one / "tokenizer.model").read_bytes() == b"pieces"
    kept = {path.name for path in places["a"].iterdir()} - {"README.md"}
    assert {path.name for path in one.iterdir()} == kept
    assert proof(tmp_path / "proof", one).items() >= GOOD.items()


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if each.random])
def test_the_seed_decides_what_is_dropped(places, tmp_path, method):
    """Methods that draw give other weights for another seed."""
    spec = {**full(method), "parameters": {"density": 0.5}}
    one, two = (run(tmp_path, {**spec, "seed": seed}, places, str(seed)) for seed in (1, 2))
    assert digests(one)["model.safetensors"] != digests(two)["model.safetensors"]


def test_methods_without_chance_do_not_draw(places, tmp_path):
    """Another seed changes nothing where nothing is drawn."""
    one, two = (run(tmp_path, {**full("ties"), "seed": seed}, places, str(seed)) for seed in (1, 2))
    assert digests(one) == digests(two)
    assert {name for name, each in METHODS.items() if each.random} == {"dare_linear", "dare_ties", "della", "della_linear"}


# --- tokenizers ---


def other_words(home, **more):
    """A tiny model with another tokenizer."""
    from transformers import AutoTokenizer

    folder = tiny_models.make(
        home, "llama", "byte-bpe", hidden_size=64, head_dim=32, num_attention_heads=2, num_key_value_heads=1, **more
    )
    assert len(AutoTokenizer.from_pretrained(folder)) != 512
    return folder


def test_a_union_of_one_tokenizer_is_that_tokenizer(places, tmp_path):
    """Where every model has the same tokens, all files of the tokenizer are those of the base, tokenizer.model too."""
    spec = {"method": "linear", "models": {"a": 0.5, "b": 0.5}, "tokenizer": "union", "dtype": "fp32"}
    out = run(tmp_path, spec, places)
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "training_template.jinja", "zyc.json"):
        assert (out / name).read_bytes() == (places["a"] / name).read_bytes()
    found, a, b = weights(out), weights(places["a"]), weights(places["b"])
    name = "model.embed_tokens.weight"
    np.testing.assert_allclose(found[name], (a[name] + b[name]) / 2, atol=1e-6)


def test_a_union_has_a_row_for_every_token(places, tmp_path):
    """Tokens of both models, each with its row; the ids that end a text are those of the new tokenizer; no tokenizer.model."""
    from transformers import AutoTokenizer

    other = other_words(tmp_path / "made", tie_word_embeddings=True)
    spec = {"method": "linear", "models": {"a": 0.5, "o": 0.5}, "tokenizer": "union", "dtype": "fp32"}
    out = run(tmp_path, spec, {**places, "o": other})
    tokenizer = AutoTokenizer.from_pretrained(out)
    told = tokenizer.get_vocab()
    one, two = (AutoTokenizer.from_pretrained(each).get_vocab() for each in (places["a"], other))
    assert told.keys() >= one.keys() | two.keys()
    found, a, o = weights(out), weights(places["a"]), weights(other)
    name = "model.embed_tokens.weight"
    assert found[name].shape[0] == len(told)
    only = next(token for token in one if token not in two)
    np.testing.assert_allclose(found[name][told[only]], a[name][one[only]], atol=1e-5)
    both = next(token for token in one if token in two and token not in trainee.SPECIAL)
    np.testing.assert_allclose(found[name][told[both]], (a[name][one[both]] + o[name][two[both]]) / 2, atol=1e-5)
    config, generation = (json.loads((out / each).read_text()) for each in ("config.json", "generation_config.json"))
    assert config["eos_token_id"] == generation["eos_token_id"] == told["<|im_end|>"] == tokenizer.eos_token_id
    assert config["bos_token_id"] == told["<s>"]
    assert not (out / "tokenizer.model").exists()
    assert proof(tmp_path / "proof", out).items() >= GOOD.items()


@pytest.mark.parametrize("asked", ["o", "base"])
def test_the_tokenizer_of_a_model_keeps_all_of_its_files(places, tmp_path, asked):
    """To the byte, tokenizer.model too, with the ids that its own configuration has."""
    other = other_words(tmp_path / "made", tie_word_embeddings=True)
    (other / "tokenizer.model").write_bytes(b"other pieces")
    base = {"base": "a"} if asked == "base" else {}
    spec = {"method": "linear", "models": {"a": 0.5, "o": 0.5}, "tokenizer": asked, **base}
    out = run(tmp_path, spec, {**places, "o": other})
    home = places["a"] if asked == "base" else other
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "zyc.json", "chat_template.jinja"):
        assert (out / name).read_bytes() == (home / name).read_bytes()
    wanted, told = (json.loads((each / "config.json").read_text()) for each in (home, out))
    assert [told[name] for name in ("bos_token_id", "eos_token_id", "vocab_size")] == [
        wanted[name] for name in ("bos_token_id", "eos_token_id", "vocab_size")
    ]
    assert proof(tmp_path / "proof", out).items() >= GOOD.items()


@pytest.mark.parametrize("way", ["omp", "subword", "common_interpolation", "mean"])
def test_a_transplant_speaks_as_its_donor(places, tmp_path, way):
    """All files of the donor's tokenizer, a row for each of its tokens; those that both have keep their rows."""
    from transformers import AutoTokenizer

    other = other_words(tmp_path / "made", tie_word_embeddings=True)
    (other / "tokenizer.model").write_bytes(b"other pieces")
    spec = {
        "method": "transplant",
        "models": "a",
        "tokenizer": "o",
        "dtype": "fp32",
        "transplant": {"approximation": way, "neighbours": 8},
    }
    out = run(tmp_path, spec, {**places, "o": other})
    for name in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "zyc.json", "chat_template.jinja"):
        assert (out / name).read_bytes() == (other / name).read_bytes()
    one, two = (AutoTokenizer.from_pretrained(each).get_vocab() for each in (places["a"], other))
    found, a = weights(out), weights(places["a"])
    name = "model.embed_tokens.weight"
    both = [token for token in one if token in two][:20]
    for token in both:
        np.testing.assert_allclose(found[name][two[token]], a[name][one[token]], atol=1e-5)
    assert proof(tmp_path / "proof", out).items() >= GOOD.items()


# --- mixtures and adapters ---


def test_experts_stand_side_by_side(places, tmp_path):
    """Each expert has the matrices of its model, and the rest is that of the base."""
    out = run(tmp_path, {**full("moe"), "moe": {"per_token": 2}, "models": FULL["moe"]["models"], "dtype": "fp32"}, places)
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["num_local_experts"], config["num_experts_per_tok"]) == ("mixtral", 2, 2)
    found, a, c = weights(out), weights(places["a"]), weights(places["c"])
    for theirs, ours in (("w1", "gate_proj"), ("w3", "up_proj"), ("w2", "down_proj")):
        expert = found[f"model.layers.0.block_sparse_moe.experts.0.{theirs}.weight"]
        np.testing.assert_allclose(expert, a[f"model.layers.0.mlp.{ours}.weight"])
    np.testing.assert_allclose(found["model.layers.1.self_attn.q_proj.weight"], c["model.layers.1.self_attn.q_proj.weight"])


def test_an_adapter_is_what_a_model_has_beyond_its_base(places, tmp_path):
    """At its full rank base and adapter are the model again, as peft reads it."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    spec = {"method": "extract", "models": "a", "base": "b", "dtype": "fp32", "extract": {"rank": 128}}
    out = run(tmp_path, spec, places)
    told = json.loads((out / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == ""
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(places["b"]), out).eval()
    wanted = AutoModelForCausalLM.from_pretrained(places["a"]).eval()
    ids = torch.arange(5, 45).reshape(2, 20)
    with torch.no_grad():
        assert torch.allclose(tuned(input_ids=ids).logits, wanted(input_ids=ids).logits, atol=1e-3)


# --- what is refused when it runs ---


def planted(places, tmp_path, change):
    """One of the models with a fault."""
    bad = blending.copy(places["b"], tmp_path / "bad")
    change(bad)
    return {**places, "b": bad}


def no_shard(folder):
    """An index that names a file that is not there."""
    index = {"metadata": {}, "weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def four_bits(folder):
    """Weights that were made smaller."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_4bit": True}}))


def swapped(folder):
    """A tokenizer in which two tokens have each other's ids."""
    text = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = text["model"]["vocab"]
    one, two = sorted(vocabulary, key=vocabulary.get)[100:102]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    (folder / "tokenizer.json").write_text(json.dumps(text))


def few_rows(folder):
    """Token ids beyond the rows of the embedding."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 200}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_shard, "lacks 1 of its files with weights"),
        (four_bits, "rounded away"),
        (swapped, "have different tokenizers"),
        (few_rows, "its embedding has 200 rows"),
    ],
)
def test_what_cannot_be_merged_is_told(places, tmp_path, change, words):
    """A missing shard, four bits, another tokenizer of one size, ids beyond the embedding: a sentence, and nothing is written."""
    home, error, _ = merged(tmp_path / "step", full("linear"), planted(places, tmp_path, change))
    assert words in error
    assert error.startswith("error: ")
    assert list((home / "out").iterdir()) == []


def test_no_adapter_comes_of_numbers_that_are_none(places, tmp_path):
    """NaN in the model that an adapter is extracted of ends the step with a sentence."""
    bad = planted(
        places, tmp_path, lambda folder: spoil(folder, "model.layers.0.mlp.up_proj.weight", lambda each: each * float("nan"))
    )
    home, error, _ = merged(tmp_path / "step", {**full("extract"), "models": "b", "base": "a"}, bad)
    assert "holds what is no number" in error
    assert not (home / "out/adapter_model.safetensors").exists()


# --- proofs see faults ---


def spoil(folder, name, how):
    """Change one tensor of a model; None takes it away."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    made = how(tensors.pop(name))
    if made is not None:
        tensors[name] = made.contiguous()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


UP = "model.layers.0.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("fault", "measure"),
    [
        (lambda folder: spoil(folder, UP, lambda each: each * float("nan")), "broken"),
        (lambda folder: spoil(folder, UP, lambda _: None), "missing"),
        (no_shard, "missing"),
        (lambda folder: spoil(folder, UP, lambda each: each[:100]), "misshapen"),
        (lambda folder: spoil(folder, "model.embed_tokens.weight", lambda each: each[:200]), "rowless"),
    ],
    ids=["NaN", "a tensor", "a shard", "a shape", "a row"],
)
def test_the_proof_sees_a_planted_fault(places, tmp_path, fault, measure):
    """NaN, a missing tensor, a missing shard, another shape, tokens without rows: each is counted, and its bound fails."""
    from zyc import kinds

    bad = blending.copy(places["a"], tmp_path / "bad")
    fault(bad)
    told = proof(tmp_path / "proof", bad)
    assert told[measure] > 0
    kind = kinds.load("wholeness")
    bounds = {each.measure: each for each in kind.bounds(kind.Spec.model_construct())}
    assert {*bounds} == {*GOOD}
    assert proof(tmp_path / "again", places["a"]).items() >= GOOD.items()


def test_weights_of_another_architecture_are_strange_to_it(places, tmp_path):
    """A tensor that the architecture does not have is told."""
    from safetensors.torch import load_file, save_file

    bad = blending.copy(places["a"], tmp_path / "bad")
    tensors = load_file(bad / "model.safetensors")
    save_file({**tensors, "model.layers.7.odd.weight": tensors[UP].clone()}, bad / "model.safetensors", metadata={"format": "pt"})
    assert proof(tmp_path / "proof", bad)["strange"] == 1
    assert OTHERS == ("moe", "extract", "transplant")
