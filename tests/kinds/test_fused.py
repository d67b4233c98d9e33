"""The kind `fused`: what its script looks like, what it refuses, and real adapters in real bases."""

import json
import shutil
from dataclasses import replace

import pytest
import trainee

from zyc import kinds
from zyc.kind import Case
from zyc.types import Adapter, values_of

BASE = trainee.facts()
ADAPTER = Adapter(base=values_of(BASE), method="lora", rank=8)


def fuse_step(home, base, adapter):
    """A step folder that fuses them."""
    files = trainee.rendered("fused", {"source": "a", "base": "b"}, {"source": ADAPTER, "base": BASE})
    return trainee.write_step(home, files, {"base": base, "source": adapter})


def test_fused(golden):
    """Its script and modules."""
    files = trainee.rendered("fused", {"source": "a", "base": "b"}, {"source": ADAPTER, "base": BASE}).files()
    golden({path: text for path, text in files.items() if path.startswith(("recipe/", "placement/"))})


def test_facts_are_those_of_the_base():
    """What a fused model is known to be is its base in bf16, tokenizer and licence with it."""
    kind = kinds.load("fused")
    case = Case(kind.Spec.model_validate({"source": "a", "base": "b"}), {"source": ADAPTER, "base": BASE})
    assert kind.facts(case) == replace(BASE, dtype="bf16")
    assert list(kind.check(case)) == []


@pytest.mark.parametrize(
    ("base", "words"), [(replace(BASE, quantized="bnb-4bit"), "rounded away"), (replace(BASE, width=128), "whose width is 64")]
)
def test_another_base_is_refused(base, words):
    """Four bits, or other shapes than the adapter was trained on, are told at plan time."""
    kind = kinds.load("fused")
    case = Case(kind.Spec.model_validate({"source": "a", "base": "b"}), {"source": ADAPTER, "base": base})
    ((field, says),) = [(each.field, each.says) for each in kind.check(case)]
    assert field == "base"
    assert words in says


# --- real ones ---


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tiny model."""
    home = tmp_path_factory.mktemp("base")
    trainee.make_model(home)
    (home / "tokenizer.model").write_bytes(b"pieces")
    return home


def make_adapter(base, home, **settings):
    """An adapter with some effect, as peft saves one."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(
            task_type="CAUSAL_LM", r=8, lora_alpha=16, init_lora_weights=False, **{"target_modules": "all-linear", **settings}
        ),
    )
    with torch.no_grad():
        for name, each in model.named_parameters():
            if "modules_to_save" in name:
                each.add_(torch.randn_like(each), alpha=0.01)
    model.save_pretrained(home)
    (home / "README.md").unlink(missing_ok=True)
    return model


WAYS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "ranks of their own": {"rank_pattern": {"q_proj": 4}, "alpha_pattern": {"model.layers.0.mlp.up_proj": 32}},
    "whole embedding": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    "whole head": {"modules_to_save": ["lm_head"]},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", WAYS)
def test_it_is_what_peft_makes_of_it(base, tmp_path, way):
    """Each way in which an adapter changes a layer ends in the weights that peft's own merge gives, rounded once."""
    import torch
    from transformers import AutoModelForCausalLM

    model = make_adapter(base, tmp_path / "adapter", **WAYS[way])
    home = fuse_step(tmp_path / "step", base, tmp_path / "adapter")
    code, log = trainee.run(home)
    assert code == 0, log[-3000:]
    fused = AutoModelForCausalLM.from_pretrained(home / "out", dtype=torch.float32)
    ids = torch.arange(5, 45).reshape(2, 20)
    with torch.no_grad():
        wanted, found = model.eval()(input_ids=ids).logits, fused(input_ids=ids).logits
    assert torch.allclose(wanted, found, atol=0.05)
    if way == "embedding":  # which is the output of this base too: peft's merge changes both, training changed one
        return
    merged, told = model.merge_and_unload().state_dict(), fused.state_dict()
    for name in told:
        assert torch.equal(told[name].to(torch.bfloat16), merged[name].to(torch.bfloat16)) or torch.allclose(
            told[name], merged[name].float(), rtol=0.01, atol=1e-5
        ), name
    assert {path.name for path in (home / "out").iterdir()} == {path.name for path in base.iterdir()}
    assert (home / "out/tokenizer.model").read_bytes() == b"pieces"
    assert json.loads((home / "out/config.json").read_text())["dtype"] == "bfloat16"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_base_in_shards_stays_in_shards(base, tmp_path):
    """Each shard is changed by itself, and the index names what is there."""
    import torch
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(base).save_pretrained(tmp_path / "base", max_shard_size="100KB")
    for path in base.iterdir():
        if not (tmp_path / "base" / path.name).exists() and path.suffix != ".safetensors":
            shutil.copy(path, tmp_path / "base")
    model = make_adapter(base, tmp_path / "adapter")
    home = fuse_step(tmp_path / "step", tmp_path / "base", tmp_path / "adapter")
    code, log = trainee.run(home)
    assert code == 0, log[-3000:]
    assert len(list((home / "out").glob("*.safetensors"))) > 1
    fused = AutoModelForCausalLM.from_pretrained(home / "out", dtype=torch.float32)
    ids = torch.arange(5, 25).reshape(1, 20)
    with torch.no_grad():
        assert torch.allclose(model.eval()(input_ids=ids).logits, fused(input_ids=ids).logits, atol=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_fused_is_told(base, tmp_path):
    """An adapter of another base, and a base in four bits: a sentence, and nothing is written."""
    make_adapter(base, tmp_path / "adapter")
    for name, change, words in (
        ("wide", {"intermediate_size": 256}, "it was trained on another base"),
        ("deep", {"num_hidden_layers": 1}, "which the base does not have"),
        ("four", {"quantization_config": {"load_in_4bit": True}}, "rounded away"),
    ):
        other = tmp_path / name
        if name == "four":
            shutil.copytree(base, other)
            config = json.loads((other / "config.json").read_text())
            (other / "config.json").write_text(json.dumps({**config, **change}))
        else:
            from transformers import AutoConfig, AutoModelForCausalLM

            AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base, **change)).save_pretrained(other)
        code, log = trainee.run(fuse_step(tmp_path / f"step-{name}", other, tmp_path / "adapter"))
        assert code == 1
        assert words in log
        assert "Traceback" not in log
