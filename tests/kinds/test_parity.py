"""The kind `parity`: a file that is the same model passes, and every way in which one goes wrong is seen."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import samples
import tiny_models
from standing import module, run, stand

from zyc import kinds
from zyc.gates import Verdict, judge, parse
from zyc.kinds.parity import AMONG, BOUNDS
from zyc.types import Model

sayings, divergence = module("shared/sayings.py"), module("shared/divergence.py")


def convert(model, folder):
    """The artifact of a conversion."""
    run(stand(folder, "gguf", {"source": model}))
    return folder / "out"


LARGE = Model(family="llama", layers=32, width=4096, mlp=14336, heads=32, kv_heads=8, head_size=128, vocabulary=128256)


def prove(gguf, model, folder, thought=None):
    """The measures of a proof; of one that takes the model for another one where that is said."""
    facts = {"subject": Model(), "against": thought} if thought else None
    return run(stand(folder, "parity", {"subject": gguf, "against": model}, facts))[1]


def move(model):
    """Let all weights be a little off."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(model / "model.safetensors")
    torch.manual_seed(7)
    moved = {name: each + 0.02 * torch.randn_like(each) for name, each in weights.items()}
    save_file(moved, model / "model.safetensors", {"format": "pt"})


def broken(measures):
    """The bounds that do not hold."""
    gates = [parse(text) for text in BOUNDS]
    return {each.measure for each in gates if judge(each, measures) is not Verdict.HOLDS}


def test_from_scratch(workshop, golden):
    """The script shows what is compared, in the order in which it happens."""
    workshop.spec(samples.read("parity").spec.partition("\n")[2])
    golden(workshop.front(), "my-tiny.gguf.proof")


def test_bounds_are_the_same_for_a_twin():
    """Sixteen bits are as good in a small model as in a large one."""
    kind = kinds.load("parity")
    spec = kind.Spec.model_construct()
    assert kind.bounds(spec) == kind.bounds(spec, twin=True)
    assert len(kind.bounds(spec)) == len(BOUNDS)


def test_there_are_hundreds_of_texts_and_the_known_exceptions_are_not_among_them():
    """What is left out is left out by name: a literal U+2581, and `</s>` where it ends no turn."""
    texts = (*sayings.texts(), *sayings.texts_with(["<|im_end|>"]))
    assert len(set(texts)) == len(texts) > 300
    assert not any("\u2581" in each or "</s>" in each for each in texts)
    roles = [[message["role"] for message in chat] for chat in sayings.open_chats(["<|im_end|>"])]
    assert {each[-1] for each in roles} == {"user"}
    assert any(each[0] == "system" for each in roles)
    assert max(map(len, roles)) >= 7


def test_divergence_is_nought_for_equals_and_grows():
    """The same logits, shifted, are the same chances; others are told apart, and padding of the vocabulary does not count."""
    rows = np.random.default_rng(7).normal(size=(50, 30)).astype(np.float32) * 3
    same, other, padded = divergence.Distance(), divergence.Distance(), divergence.Distance()
    same.add(rows, rows + 5)
    other.add(rows, rows + np.random.default_rng(8).normal(size=rows.shape) * 0.3)
    padded.add(rows, np.concatenate([rows, np.full((50, 2), -1e9, np.float32)], axis=1))
    assert same.kl < 1e-12 > padded.kl
    assert same.top1 == padded.top1 == 1
    assert 1e-3 < other.kl < other.largest
    assert 0.5 < other.top1 < 1


def test_what_is_no_number_is_no_divergence_of_nought():
    """One NaN in a hundred rows is told in every measure, so that its gate fails; what is never expected does no harm."""
    rows = np.random.default_rng(7).normal(size=(100, 30)).astype(np.float32)
    broken, seen = rows.copy(), divergence.Distance()
    broken[50, 3] = np.nan
    seen.add(rows, broken)
    seen.add(rows, rows)
    assert np.isnan(seen.kl)
    assert np.isnan(seen.largest)
    never, masked = rows.copy(), divergence.Distance()
    never[:, 29] = -np.inf
    masked.add(never, never)
    assert masked.kl == 0


# --- real models ---

SHAPES = {
    "llama": ("llama", "sentencepiece-bpe", {}),
    "llama3": ("llama", "byte-bpe", {"pre": "llama-bpe", "template": tiny_models.LLAMA3}),
    "qwen2": ("qwen2", "byte-bpe", {"pre": "qwen2"}),
    "gemma": ("gemma", "sentencepiece-bpe", {}),
    "mistral": ("mistral", "sentencepiece-bpe", {"sliding_window": 128}),
    "qwen3": ("qwen3", "sentencepiece-bpe", {"add": ["<|tool|>"]}),
    "gpt2-words": ("llama", "byte-bpe", {"pre": "gpt-2"}),
    "no-template": ("llama", "sentencepiece-bpe", {"template": None}),
}
RARE = ("mistral", "gpt2-words", "no-template")


@pytest.mark.parametrize("shape", [pytest.param(each, marks=[pytest.mark.torture] if each in RARE else []) for each in SHAPES])
@pytest.mark.slow
def test_a_model_and_its_file_are_the_same(shape, tmp_path):
    """Each family and form of tokenizer converts, and every bound holds, in all engines."""
    family, form, more = SHAPES[shape]
    model = tiny_models.make(tmp_path / "m", family, form, **more)
    measures = prove(convert(model, tmp_path / "gguf"), model, tmp_path / "proof")
    assert broken(measures) == set(), (tmp_path / "proof/out/parity.json").read_text()[:3000]
    assert measures["kl"] < 1e-5
    assert measures["bos"] == (1 if more.get("template", tiny_models.CHATML) == tiny_models.CHATML else 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny Llama with a sentencepiece tokenizer."""
    return tiny_models.make(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def gguf(model, tmp_path_factory):
    """Its file."""
    return convert(model, tmp_path_factory.mktemp("gguf") / "s")


@pytest.fixture
def changed(model, tmp_path):
    """A copy of the model, to be changed."""
    shutil.copytree(model, tmp_path / "changed")
    return tmp_path / "changed"


@pytest.mark.slow
def test_a_file_without_the_pieces_scores_is_seen(model, changed, tmp_path):
    """What the stock converter makes without `tokenizer.model`, ending with 0, cuts texts differently."""
    (changed / "tokenizer.model").unlink()
    stock = module("lib/llama_home.py").source() / "convert_hf_to_gguf.py"
    (tmp_path / "out").mkdir()
    command = [sys.executable, stock, changed, "--outfile", tmp_path / "out/model.gguf", "--outtype", "f16"]
    subprocess.run(command, check=True, capture_output=True)
    measures = prove(tmp_path / "out", model, tmp_path / "proof")
    assert "same_tokens" in broken(measures)
    report = json.loads((tmp_path / "proof/out/parity.json").read_text())
    assert report["texts"][0]["transformers"] != report["texts"][0]["here"]


@pytest.mark.slow
def test_a_template_that_drifted_is_seen(gguf, changed, tmp_path):
    """One space more in the model's template, and no chat is the same."""
    path = changed / "chat_template.jinja"
    path.write_text(path.read_text().replace("'<|im_start|>' +", "' <|im_start|>' +"))
    measures = prove(gguf, changed, tmp_path / "proof")
    assert broken(measures) == {"same_template"}
    assert measures["same_template"] < 0.1


@pytest.mark.slow
def test_a_doubled_bos_is_seen(model, changed, tmp_path):
    """A file that puts a BOS before a template's own is caught, by count and by ids."""
    path = changed / "chat_template.jinja"
    path.write_text("{{ bos_token }}" + path.read_text())
    measures = prove(convert(changed, tmp_path / "gguf"), model, tmp_path / "proof")
    assert {"bos", "same_template"} <= broken(measures)
    assert measures["bos"] == 2


@pytest.mark.slow
def test_a_bos_that_only_the_server_adds_is_seen(changed, tmp_path):
    """A template without a BOS and a file that adds one: what the server hands on differs, what the bindings hand on does not."""
    path = changed / "chat_template.jinja"
    path.write_text(path.read_text().replace("{{ bos_token }}", ""))
    measures = prove(convert(changed, tmp_path / "gguf"), changed, tmp_path / "proof")
    assert broken(measures) == {"same_template"}
    assert measures["same_template"] == 0.5


@pytest.mark.slow
def test_weights_that_moved_are_seen(gguf, changed, tmp_path):
    """Weights that are a little off are told by the chances alone."""
    move(changed)
    measures = prove(gguf, changed, tmp_path / "proof")
    assert broken(measures) <= {"kl", "top1"}
    assert measures["kl"] > 1e-3


def test_less_is_compared_of_a_large_model():
    """All chats of a small one or an unknown one; of the rest what can be waited for, and never too little."""
    assert AMONG.of(Model()) == 4000
    assert AMONG.of(LARGE) == 512
    half = Model(family="llama", layers=16, width=1024, mlp=4096, heads=16, kv_heads=16, head_size=64, vocabulary=32000)
    assert 512 < AMONG.of(half) < 4000


@pytest.mark.slow
def test_weights_that_moved_are_seen_by_the_few_tokens_of_a_large_model(gguf, model, changed, tmp_path):
    """Chats of every sort are among them, a right file passes, and a wrong one does not."""
    assert broken(prove(gguf, model, tmp_path / "same", LARGE)) == set()
    told = json.loads((tmp_path / "same/out/parity.json").read_text())["compared"]["positions"]
    assert 400 < told < 700
    move(changed)
    assert {"kl", "top1"} & broken(prove(gguf, changed, tmp_path / "other", LARGE))


@pytest.mark.slow
def test_an_end_of_turn_that_ends_nothing_is_seen(gguf, changed, tmp_path):
    """A model that is taught to end its turns with a token at which llama.cpp does not stop never stops."""
    told = json.loads((changed / "zyc.json").read_text())
    (changed / "zyc.json").write_text(json.dumps({**told, "end_of_turn": "<|im_start|>"}))
    assert broken(prove(gguf, changed, tmp_path / "proof")) == {"ends"}


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.slow
def test_layer_by_layer_is_the_whole_model(model, changed, shards):
    """One layer in memory at a time gives the logits of the whole model, text by text; shards are read as one file is."""
    import torch
    from transformers import AutoModelForCausalLM

    layerwise = module("shared/layerwise.py")
    whole = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    if shards:
        (changed / "model.safetensors").unlink()
        AutoModelForCausalLM.from_pretrained(model).save_pretrained(changed, max_shard_size="60KB")
        assert (changed / "model.safetensors.index.json").exists()
    texts = [[5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15], [3]]
    for text, found in zip(texts, layerwise.logits(changed, texts), strict=True):
        with torch.inference_mode():
            wanted = whole(torch.tensor([text])).logits[0]
        assert torch.allclose(found, wanted, atol=1e-5)
    streamed = layerwise._model(changed)
    assert {each.device.type for each in streamed.get_decoder().layers.parameters()} == {"meta"}


# --- the server ---


@pytest.mark.slow
def test_a_server_ends_with_what_it_was_for(gguf):
    """It answers while it is needed, on loopback only, for whoever started it, and is gone afterwards, whatever happened."""
    home, servers = module("lib/llama_home.py"), module("shared/llama_server.py")
    program = home.build() / "bin/llama-server"
    asked = []

    def use():
        with servers.serving(program, gguf / "model.gguf", "--ctx-size", "128") as ask:
            asked.append(ask("/tokenize", {"content": "a b"})["tokens"])
            pid = subprocess.check_output(["pgrep", "-f", str(gguf / "model.gguf")], text=True).strip()
            environ = dict(line.partition("=")[::2] for line in Path(f"/proc/{pid}/environ").read_text().split("\0"))
            assert len(environ["LLAMA_API_KEY"]) > 40
            assert environ["LLAMA_API_KEY"] not in Path(f"/proc/{pid}/cmdline").read_text()
            raise KeyError("no")

    with pytest.raises(KeyError):
        use()
    assert asked[0]
    left = subprocess.run(["pgrep", "-f", str(gguf / "model.gguf")], capture_output=True, text=True, check=False)
    assert left.stdout == ""


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(tmp_path):
    """A file that is no model is an error with the server's own last words, at once."""
    home, servers = module("lib/llama_home.py"), module("shared/llama_server.py")
    (tmp_path / "model.gguf").write_text("no model")
    program = home.build() / "bin/llama-server"
    with pytest.raises(RuntimeError, match="gguf"), servers.serving(program, tmp_path / "model.gguf"):
        pass
