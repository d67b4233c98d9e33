"""Mixtures of experts as files: what was published is whole, converts, is proven and quantized, and so is what zyc merges."""

import json

import pytest
import tiny_models
import trainee
from blending import merged, weights
from modules import modules_of

pytestmark = pytest.mark.filterwarnings("ignore")
GRAPH = """
models: {mix: {path: mix}}
quants: {small: {model: mix, type: Q8_0}}
"""
MERGE = """
models: {a: {path: a}, b: {path: b}}
merges:
  mix:
    method: moe
    base: a
    models: [{node: a, prompts: [le chat]}, {node: b, prompts: [un mot]}]
    moe: {per_token: 2}
    dtype: bf16
quants: {small: {model: mix, type: Q8_0}}
"""


@pytest.mark.parametrize("family", tiny_models.EXPERTS)
def test_a_published_mixture_is_whole_and_a_lost_expert_is_seen(family, tmp_path):
    """Files name each expert, memory holds those of a layer as one tensor: both are all of it, and neither hides a hole."""
    home = tiny_models.make(tmp_path, family, "byte-bpe")
    with modules_of("integrity", "wholeness") as found:
        told = found.wholeness.tensors(home)
        assert found.wholeness.missing(home, told) == []
        lost = next(name for name in told if ".experts.3." in name)
        del told[lost]
        assert found.wholeness.missing(home, told) == [lost]


@pytest.mark.slow
def test_what_is_merged_has_the_names_of_what_is_published(tmp_path):
    """Each expert by itself, as every converter reads it; none of the names that transformers has in memory."""
    places = {name: tmp_path / name for name in "ab"}
    for at, home in enumerate(places.values()):
        trainee.make_model(home, seed=at)
    spec = {"method": "moe", "base": "a", "dtype": "bf16", "moe": {"per_token": 2}}
    spec["models"] = [{"node": "a", "prompts": ["le chat"]}, {"node": "b", "prompts": ["un mot"]}]
    home, error, said = merged(tmp_path / "step", spec, places)
    assert not error, said[-3000:]
    names = {name for name in weights(home / "out") if ".layers.0." in name and "experts" in name}
    assert names == {f"model.layers.0.block_sparse_moe.experts.{at}.w{part}.weight" for at in (0, 1) for part in (1, 2, 3)}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mixtral", pytest.param("qwen3_moe", marks=pytest.mark.torture)])
def test_a_mixture_becomes_a_file_that_is_proven(family, workshop, tmp_path):
    """From a folder to eight bits: whole, the same model as a GGUF, and still nearly the same."""
    tiny_models.make(tmp_path / "made", family, "byte-bpe").rename(workshop.root / "mix")
    workshop.spec(GRAPH)
    endings = workshop.build("small", "small.proof")
    assert {"mix.proof", "mix.gguf", "mix.gguf.proof", "small", "small.proof"} <= {*endings}
    assert {str(each.fate) for each in endings.values()} == {"ran"}


@pytest.mark.slow
def test_a_mixture_that_was_merged_becomes_a_file(workshop, tmp_path):
    """Two models side by side as experts, converted and quantized, each step with its proof."""
    for name in "ab":
        made = tiny_models.make(tmp_path / name, "llama", "byte-bpe", pre="llama-bpe", template=tiny_models.LLAMA3)
        made.rename(workshop.root / name)
    _stirred(workshop.root / "b")
    workshop.spec(MERGE)
    endings = workshop.build("small", "small.proof")
    assert {str(each.fate) for each in endings.values()} == {"ran"}
    assert json.loads((workshop.tree("mix") / "config.json").read_text())["model_type"] == "mixtral"


def _stirred(home):
    """The same model with its numbers in another order."""
    from safetensors.torch import load_file, save_file

    path = home / "model.safetensors"
    save_file({name: each.flip(-1).contiguous() for name, each in load_file(path).items()}, path, metadata={"format": "pt"})
