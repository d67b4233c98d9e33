"""Merges in a graph: through the whole kernel, with the real engines: a merge of a merge, a search for a ratio, an adapter."""

import json

import numpy as np
import pytest
from blending import weights

from zyc import cli
from zyc.errors import ZycError
from zyc.graph import Node

pytestmark = pytest.mark.filterwarnings("ignore")
MODELS = """
tokenizers:
  tok: {corpus: data/words.txt, vocab: 400, chat_template: chatml}
models:
  a: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 128, context: 128}, tokenizer: tok, seed: 1}
  b: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 128, context: 128}, tokenizer: tok, seed: 2}
  c: {scratch: {family: llama, layers: 2, heads: 2, width: 64, mlp: 128, context: 128}, tokenizer: tok, seed: 3}
"""
STAGES = """
merges:
  half: {method: linear, models: {a: 50%, b: 50%}, dtype: fp32}
  whole: {method: slerp, models: [half, c], base: half, parameters: {t: 0.25}, dtype: fp32}
  thin: {method: extract, models: whole, base: c, extract: {rank: 64}}
  again: {method: linear, models: {thin: 50%, c: 50%}, dtype: fp32}
"""
SEARCH = """
merges:
  mix:
    search: {over: {weight: [0.2 .. 0.8]}, from: judge, max: score, runs: 4}
    method: linear
    models: {a: {weight: $(matrix.weight)}, b: {weight: 50%}}
    dtype: fp32
steps:
  judge:
    inputs: {mix: mix}
    scripts: {judge.py: scripts/judge.py}
    run: python3 recipe/judge.py
  best: {inputs: {mix: {select: {from: judge, max: score, take: mix}}}, run: cp in/mix/config.json out/config.json}
"""
JUDGE = """
import json, pathlib
home = pathlib.Path("in/mix")
size = sum(path.stat().st_size for path in home.glob("*.safetensors"))
text = json.dumps({"score": int.from_bytes((home / "model.safetensors").read_bytes()[-4:], "little") % 997, "bytes": size})
pathlib.Path("measures.json").write_text(text)
pathlib.Path("out/score").write_text(text)
"""


@pytest.mark.slow
def test_a_merge_of_merges_is_built(workshop):
    """Each stage is a node of its own, with its proof; an adapter that was extracted is fused where a model is wanted."""
    workshop.spec(MODELS + STAGES)
    endings = workshop.build("again")
    assert {str(each.fate) for each in endings.values()} == {"ran"}
    assert {"half.proof", "whole.proof", "thin.fused", "thin.fused.proof", "again.proof"} <= {*endings}
    assert "thin.proof" not in endings
    a, b, half, fused, whole = (weights(workshop.tree(name)) for name in ("a", "b", "half", "thin.fused", "whole"))
    name = "model.layers.1.mlp.up_proj.weight"
    np.testing.assert_allclose(half[name], (a[name] + b[name]) / 2, atol=1e-6)
    np.testing.assert_allclose(fused[name], whole[name], atol=0.01)
    for node in ("half", "whole", "again"):
        told = {path.name for path in workshop.tree(node).iterdir()}
        assert {"tokenizer.model", "training_template.jinja", "zyc.json", "generation_config.json"} <= told
        assert (workshop.tree(node) / "tokenizer.model").read_bytes() == (workshop.tree("a") / "tokenizer.model").read_bytes()
    again = {str(each.fate) for each in workshop.build("again").values()}
    assert again == {"kept"}
    for node in ("half", "again"):
        estimate = dict(workshop.plan(node).decisions[node].estimate.measures)["bytes"]
        size = sum(path.stat().st_size for path in workshop.tree(node).glob("*.safetensors"))
        assert estimate.low <= size <= estimate.high


@pytest.mark.slow
def test_a_search_tunes_a_ratio(workshop, monkeypatch, capsys):
    """Members are merges with weights that the search chose; a step judges them, and what stands on it takes the best one."""
    workshop.write("scripts/judge.py", JUDGE)
    workshop.spec(MODELS + SEARCH)
    front = workshop.front("best")
    members = [each for each in front.graph.vertices if each.startswith("mix@weight=") and not each.endswith(".proof")]
    assert len(members) == 3
    monkeypatch.chdir(workshop.root)
    assert cli.run(["build", "best", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ran = [each["node"] for each in events if each["event"] == "end" and each["fate"] == "ran"]
    built = [name for name in ran if name.startswith("mix@weight=") and not name.endswith(".proof")]
    assert len(built) == 4
    assert all(0.2 <= float(name.partition("=")[2]) <= 0.8 for name in built)
    assert ran[-1] == "best"


def test_a_model_of_another_shape_is_told_at_its_place(workshop):
    """The error of a spec has the line of the model, both models' facts, and YAML to paste."""
    wide = MODELS.replace(
        "width: 64, mlp: 128, context: 128}, tokenizer: tok, seed: 2", "width: 128, mlp: 256}, tokenizer: tok, seed: 2"
    )
    workshop.spec(wide + STAGES)
    with pytest.raises(ZycError) as error:
        workshop.front("half").settlement  # noqa: B018  (it is made when it is asked for)
    (told,) = [each for each in error.value.problems if "cannot be averaged" in each.message]
    assert "width 64" in told.help
    assert "width 128" in told.help
    assert "teachers: {a: {weight: 50%}, b: {weight: 50%}}" in told.help
    assert str(told.spans[0]).startswith("specs/letters.yml:11:34")  # `models` of `half`


ADAPTER = """
datasets:
  chats: {from: data/chats.jsonl, format: messages}
finetunes:
  tuned: {base: wide, data: chats, context: 64, train: {steps: 1}}
merges:
  both: {method: linear, models: {a: 50%, tuned: 50%}}
"""


def test_an_adapter_on_another_base_is_refused(workshop):
    """An adapter where a model is wanted is fused first; one whose base has another shape cannot be merged."""
    row = '{"messages": [{"role": "user", "content": "ban"}, {"role": "assistant", "content": "nab"}]}\n'
    workshop.write("data/chats.jsonl", row * 9)
    wide = (
        MODELS + "  wide: {scratch: {family: llama, layers: 2, heads: 2, width: 128, mlp: 256, context: 128}, tokenizer: tok}\n"
    )
    workshop.spec(wide + ADAPTER)
    with pytest.raises(ZycError) as error:
        workshop.front("both").settlement  # noqa: B018
    assert any("cannot be averaged" in each.message for each in error.value.problems)
    workshop.spec(wide + ADAPTER.replace("base: wide", "base: b"))
    graph = workshop.front("both").settlement.graph
    assert isinstance(graph.vertices["tuned.fused"], Node)
    assert (
        json.dumps(sorted(edge.source for edge in graph.vertices["both"].edges if edge.field.startswith("models")))
        == '["a", "tuned.fused"]'
    )
