"""The kind `gguf`: what is refused before and during a conversion, and what the file says."""

import json
import shutil
import subprocess
import sys

import pytest
import samples
import tiny_models
from standing import Failed, module, run, stand

from zyc import kinds
from zyc.kind import Case
from zyc.kinds.gguf import FAMILIES, GgufSpec, metadata_of
from zyc.types import Gguf, Model, model_of

TINY = {"family": "llama", "form": "sentencepiece-bpe", "layers": 2, "width": 64, "mlp": 128, "heads": 4, "kv_heads": 2}
TINY |= {"head_size": 16, "vocabulary": 480, "ids": 480, "tied": False, "licence": "mit"}


def case(**facts):
    """The kind, asked about a model with these facts."""
    return Case(GgufSpec.model_construct(), {"source": Model(**{**TINY, **facts})})


def objections(**facts):
    """What it objects to, in words."""
    return [f"{each.says}: {each.help}" for each in kinds.load("gguf").check(case(**facts))]


# --- before anything runs ---


def test_from_scratch(workshop, golden):
    """The script names llama.cpp's version and what the file says of itself, and nothing of where it stands."""
    workshop.spec(samples.read("gguf").spec.partition("\n")[2])
    golden(workshop.front(), "my-tiny.gguf")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"form": "sentencepiece-unigram"}, ("unigram", "`algorithm: bpe`")),
        ({"family": "rwkv"}, ("does not take `rwkv` models",)),
        ({"quantized": "bnb-4bit"}, ("bnb-4bit", "unquantized")),
        ({"ids": 481}, ("481 ids", "480 rows", "`add_tokens`")),
        ({"family": "gemma", "form": "byte-bpe"}, ("sentencepiece tokenizer only",)),
        ({"family": "qwen2"}, ("byte-level", "`algorithm: byte-bpe`")),
    ],
)
def test_what_cannot_be_converted_is_refused_from_facts(facts, words):
    """Each is told before the first byte is spent, with what would work."""
    assert objections() == []
    (told,) = objections(**facts)
    assert all(word in told for word in words)


def test_nothing_is_refused_for_what_is_not_known():
    """A model of which nothing is known yet may turn out well."""
    assert list(kinds.load("gguf").check(Case(GgufSpec.model_construct(), {"source": Model()}))) == []


def test_a_refusal_stands_where_the_file_is_wanted(workshop):
    """The objection carets the node that the file would be made of."""
    spec = samples.read("gguf").spec.partition("\n")[2].replace("vocab: 400", "vocab: 400, algorithm: unigram")
    workshop.spec(spec)
    ((_, code, facts),) = workshop.problems()
    assert code == "objection"
    assert "unigram" in facts["says"]


def test_facts_are_those_of_the_model():
    """Type, licence and everything known of the model travel on, and the size is told before it is there."""
    facts = kinds.load("gguf").facts(case())
    assert isinstance(facts, Gguf)
    assert (facts.type, facts.licence, model_of(facts.base)) == ("F16", "mit", Model(**TINY))
    assert facts.bytes > 2 * 480 * 64


def test_a_public_model_is_named_and_a_private_one_is_not():
    """The file names the public model and its author; of a private one it tells the family only."""
    told = metadata_of(Model(name="mistralai/Mistral-7B-v0.3", family="mistral"))
    assert told == {
        "general.name": "Mistral-7B-v0.3",
        "general.author": "mistralai",
        "general.organization": "mistralai",
        "general.base_models": [{"name": "Mistral-7B-v0.3", "organization": "mistralai"}],
    }
    assert metadata_of(Model(family="llama")) == {"general.name": "llama"}


# --- before the converter runs ---

staging = module("gguf/lib/staging.py")


@pytest.fixture
def folder(tmp_path):
    """The files of a model that matter to a conversion, without weights."""
    home = tmp_path / "model"
    home.mkdir()
    tokens = [{"id": 2, "content": "<|im_end|>", "special": True}]
    rules = {"normalizers": [{"type": "Prepend", "prepend": "▁"}]}
    put(home, "tokenizer.json", {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": tokens, "normalizer": rules})
    put(home, "config.json", {"vocab_size": 3, "_name_or_path": "/somewhere/else"})
    put(home, "tokenizer_config.json", {"chat_template": "an old one", "eos_token": "<|im_end|>"})
    put(home, "zyc.json", {"form": "byte-bpe", "pre": "qwen2", "template": "chatml", "begins": 1, "end_of_turn": "<|im_end|>"})
    for name in ("chat_template.jinja", "training_template.jinja", "model.safetensors", "chat_template.json"):
        (home / name).write_text("x")
    return home


def put(home, name, told):
    """A JSON file."""
    (home / name).write_text(json.dumps(told))


def notes(home, **told):
    """Change what zyc noted of the tokenizer."""
    put(home, "zyc.json", {**json.loads((home / "zyc.json").read_text()), **told})


def test_the_converter_is_told_what_it_would_guess(folder):
    """Pre-tokenizer, BOS, space and end of turn come from what was noted when the tokenizer was made."""
    assert staging.read(folder) == staging.Told("byte-bpe", "qwen2", bos=True, space=None, ends=2)
    notes(folder, form="sentencepiece-bpe", begins=0)
    (folder / "tokenizer.model").write_text("x")
    assert staging.read(folder) == staging.Told("sentencepiece-bpe", None, bos=False, space=True, ends=2)
    notes(folder, template="", begins=None, end_of_turn=None)
    assert staging.read(folder) == staging.Told("sentencepiece-bpe", None, bos=None, space=True, ends=None)


def test_a_lost_tokenizer_model_stops_before_the_converter(folder):
    """The converter would end with 0 and cut texts differently; the error names the file and who loses it."""
    notes(folder, form="sentencepiece-bpe")
    with pytest.raises(staging.Trap, match=r"`tokenizer\.model` is missing.*save_pretrained"):
        staging.read(folder)


@pytest.mark.parametrize(
    ("told", "words"), [({"form": "sentencepiece-unigram"}, "unigram"), ({"form": None}, "does not tell the tokenizer's `form`")]
)
def test_a_tokenizer_that_cannot_be_converted_stops_before_the_converter(folder, told, words):
    """What a plan could not know is refused when the files are there."""
    notes(folder, **told)
    with pytest.raises(staging.Trap, match=words):
        staging.read(folder)


def test_a_token_without_a_row_stops_before_the_converter(folder):
    """The error names the token, its id and the rows."""
    put(folder, "config.json", {"vocab_size": 2})
    with pytest.raises(staging.Trap, match=r"`<\|im_end\|>` has the id 2, and the embedding has 2 rows"):
        staging.read(folder)


def test_the_converter_sees_one_template_and_no_place(folder, tmp_path):
    """Of the templates that may stand in a folder it sees the published one; nothing tells it where the model was."""
    staged = staging.stage(folder, tmp_path / "staged")
    assert {each.name for each in staged.iterdir()} == {
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert json.loads((staged / "tokenizer_config.json").read_text()) == {"eos_token": "<|im_end|>"}
    assert json.loads((staged / "config.json").read_text()) == {"vocab_size": 3}


@pytest.mark.parametrize(
    ("card", "wanted"),
    [
        (None, '---\nlicense: "mit"\n---\n'),
        ("plain words\n", '---\nlicense: "mit"\n---\nplain words\n'),
        ("---\nlanguage: fr\nlicense: other\n---\nwords\n", '---\nlanguage: fr\nlicense: "mit"\n---\nwords\n'),
    ],
)
def test_the_licence_stands_where_the_converter_looks_for_it(folder, tmp_path, card, wanted):
    """It looks in the model's card only: the licence that the spec knows is written there, the rest of the card stays."""
    if card is not None:
        (folder / "README.md").write_text(card)
    assert (staging.stage(folder, tmp_path / "staged", "mit") / "README.md").read_text() == wanted
    assert (staging.stage(folder, tmp_path / "same") / "README.md").exists() is (card is not None)


# --- real conversions ---


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny Llama with a sentencepiece tokenizer."""
    return tiny_models.make(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """The step that converted it, and what it said."""
    facts = {"source": Model(name="someone/Tiny-1B", licence="mit", family="llama")}
    step = stand(tmp_path_factory.mktemp("step") / "s", "gguf", {"source": model}, facts)
    return step, run(step)


@pytest.mark.slow
def test_the_file_says_what_the_model_is(made, model):
    """Name, author, licence, shape, the published template, one BOS, no space before texts, the end of a turn."""
    file = module("shared/gguf_file.py").GgufFile(made[0] / "out/model.gguf")
    told = {name: file.fact(f"general.{name}") for name in ("name", "author", "license", "architecture", "base_model.0.name")}
    assert told == {
        "name": "Tiny-1B",
        "author": "someone",
        "license": "mit",
        "architecture": "llama",
        "base_model.0.name": "Tiny-1B",
    }
    assert (file.fact(".block_count"), file.fact(".embedding_length")) == (2, 64)
    assert file.fact("tokenizer.chat_template") == (model / "chat_template.jinja").read_text()
    assert file.fact("tokenizer.ggml.add_bos_token") is True
    assert file.fact("tokenizer.ggml.add_space_prefix") is False
    tokens = file.fact("tokenizer.ggml.tokens")
    assert tokens[file.fact("tokenizer.ggml.eos_token_id")] == "<|im_end|>"


@pytest.mark.slow
def test_the_size_was_known_before(made):
    """The estimate of a plan holds what was measured; matrices take two bytes a number."""
    file = module("shared/gguf_file.py").GgufFile(made[0] / "out/model.gguf")
    config = json.loads((made[0] / "in/source/config.json").read_text())
    estimate = kinds.load("gguf").estimate(case(vocabulary=config["vocab_size"]))
    (told,) = (each for name, each in estimate.measures if name == "bytes")
    assert made[1][1]["bytes"] == file.bytes
    assert told.low <= file.bytes <= told.high
    assert {each.type for each in file.tensors if len(each.shape) == 2} == {"F16"}
    assert next(each for each in file.tensors if each.name == "token_embd.weight").shape == (config["vocab_size"], 64)


@pytest.mark.slow
def test_weights_come_through(made, model):
    """Each number of the file is the number of the model: 16-bit floats hold those of a small model exactly."""
    from safetensors import safe_open

    values = dict(module("shared/gguf_file.py").GgufFile(made[0] / "out/model.gguf").values())
    with safe_open(model / "model.safetensors", "pt") as weights:
        wanted = weights.get_tensor("model.layers.1.mlp.down_proj.weight").float().numpy()
    assert abs(values["blk.1.ffn_down.weight"] - wanted).max() < 1e-6


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes_wherever_it_lies(made, model, tmp_path):
    """Neither place nor time is in the file."""
    shutil.copytree(model, tmp_path / "another name")
    facts = {"source": Model(name="someone/Tiny-1B", licence="mit", family="llama")}
    step = stand(tmp_path / "elsewhere", "gguf", {"source": tmp_path / "another name"}, facts)
    run(step)
    assert (step / "out/model.gguf").read_bytes() == (made[0] / "out/model.gguf").read_bytes()


@pytest.mark.slow
def test_what_we_tell_the_converter_is_what_it_would_find(made, tmp_path):
    """For the recommended tokenizer the stock converter, told nothing, writes the same tensors and facts, to the byte."""
    step = made[0]
    staged = staging.stage(step / "in/source", tmp_path / "source", "mit")
    metadata = tmp_path / "metadata.json"
    put(tmp_path, "metadata.json", metadata_of(Model(name="someone/Tiny-1B")))
    stock = llama_home().source() / "convert_hf_to_gguf.py"
    command = [sys.executable, stock, staged, "--outfile", tmp_path / "stock.gguf", "--outtype", "f16", "--metadata", metadata]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "stock.gguf").read_bytes() == (step / "out/model.gguf").read_bytes()


@pytest.mark.slow
def test_only_what_matters_is_in_the_log(made):
    """The converter's harmless warnings are left out; how far it is stands in the events."""
    assert "WARNING" not in made[1][0]
    assert "a sentencepiece-bpe tokenizer" in made[1][0]
    events = [json.loads(line) for line in (made[0] / "events.jsonl").read_text().splitlines()]
    assert events[-1] == {"step": 100, "of": 100}


@pytest.mark.slow
def test_an_unknown_split_of_words_is_explained(tmp_path):
    """A byte-level tokenizer whose way of splitting has no name stops with the field that names it."""
    model = tiny_models.make(tmp_path / "m", form="byte-bpe")
    notes(model, pre=None)
    with pytest.raises(Failed, match=r"name the way in the tokenizer's `pre`"):
        run(stand(tmp_path / "step", "gguf", {"source": model}))


@pytest.mark.slow
def test_a_weight_that_16_bits_cannot_hold_is_no_conversion(tmp_path):
    """A number that becomes infinite stops the conversion: the converter itself says nothing of it."""
    import torch
    from safetensors.torch import load_file, save_file

    model = tiny_models.make(tmp_path / "m")
    weights = load_file(model / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 1e6
    save_file({name: each.to(torch.bfloat16) for name, each in weights.items()}, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(Failed, match=r"blk\.0\.ffn_up\.weight, hold weights that are too large for 16 bits"):
        run(stand(tmp_path / "step", "gguf", {"source": model}))


@pytest.mark.slow
def test_the_families_are_those_that_the_converter_takes():
    """Every family that a plan lets through is registered in the pinned converter, by the architecture that transformers has."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    texts = "".join(path.read_text() for path in (llama_home().source() / "conversion").glob("*.py"))
    missing = [each for each in FAMILIES if each in CAUSAL and f'"{CAUSAL[each]}"' not in texts]
    assert missing == []


def llama_home():
    """The toolchain."""
    return module("lib/llama_home.py")
