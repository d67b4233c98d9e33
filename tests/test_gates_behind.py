"""Gates on what the compiler puts behind a node: written on the node, held by the proof that measures them."""

import pytest

from zyc.compile import Request, Source, compile_specs
from zyc.kept import Kept

MODELS = """zyc: 1
models: {a: me/a, b: me/b}
datasets: {chats: {from: data/chats.jsonl, format: messages}}
merges: {m: {method: linear, models: {a: 50%, b: 50%}, gates: [kl <= 0.01, bytes <= 9 GB], twin: [top1 >= 98%]}}
finetunes: {f: {base: a, data: chats, gates: [train.loss < 2, kl <= 0.02]}}
"""
QUANTS = "quants: {q: {model: m, type: Q8_0, gates: [kl <= 0.5]}, r: {model: f, type: Q8_0}}\n"


def compiled(text):
    """The graph of one file, and what is wrong with it."""
    made = compile_specs([Source("specs/x.yml", text.encode())], Request(), Kept())
    return made.graph.vertices, [each.problem.message for each in made.troubles]


def bounds(vertex, measure, *, twin=False):
    """What a node is held to in a measure."""
    return [str(each) for each in (vertex.shape.twin_gates if twin else vertex.shape.gates) if each.measure == measure]


def test_a_conversion_is_held_to_the_gate_of_what_it_converts():
    """In the place of its kind's own bound, and in no other proof; the others stay where they are written."""
    there, troubles = compiled(MODELS + QUANTS)
    assert troubles == []
    assert bounds(there["m.gguf.proof"], "kl") == ["kl <= 0.01"]
    assert bounds(there["m.gguf.proof"], "kl", twin=True) == ["kl <= 0.001"]
    assert bounds(there["m.gguf.proof"], "top1", twin=True) == ["top1 >= 98 %"]
    assert bounds(there["m.gguf.proof"], "same_tokens") == ["same_tokens = 100 %"]
    assert [str(each) for each in there["m"].shape.gates] == ["bytes <= 9 GB"]
    assert bounds(there["m.proof"], "kl") == []
    assert bounds(there["q.proof"], "kl") == ["kl <= 0.5"]
    assert bounds(there["q"], "kl") == []


def test_every_hop_behind_an_adapter_is_held_to_it():
    """Fused and converted: each of both proofs measures it."""
    there, _ = compiled(MODELS + QUANTS)
    assert [bounds(there[name], "kl") for name in ("f.fused.proof", "f.fused.gguf.proof", "f")] == [["kl <= 0.02"]] * 2 + [[]]


@pytest.mark.parametrize("measure", ["kl", "kll"])
def test_a_gate_that_nothing_measures_is_refused(measure):
    """Where nobody wants a GGUF of it, no proof measures it; what no proof could measure is no measure at all."""
    _, troubles = compiled(
        MODELS.replace("[kl <=", f"[{measure} <=").replace(", kl <= 0.02", "").replace("top1 >= 98%", "bytes > 0")
    )
    assert troubles == [f"merge `m` measures no `{measure}`"]
