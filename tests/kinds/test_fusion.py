"""The kind `fusion`: a fused model holds its promise, and one that lost its adapter does not."""

import json
import math

import pytest
import trainee
from modules import modules_of
from test_fused import BASE, base, fuse_step, make_adapter  # noqa: F401  # `base` is a fixture

from zyc import kinds
from zyc.types import Adapter, values_of

FIELDS = {"subject": "s", "against": "a", "base": "b"}


def proof(home, *, method="lora", **places):
    """A step folder that holds them against each other."""
    adapter = Adapter(base=values_of(BASE), method=method, rank=8)
    files = trainee.rendered("fusion", FIELDS, {"subject": BASE, "against": adapter, "base": BASE})
    return trainee.write_step(home, files, places)


def test_fusion(golden):
    """Its script and modules; for four bits it also looks at what training saw."""
    told = {"subject": BASE, "against": Adapter(base=values_of(BASE), method="qlora"), "base": BASE}
    files = trainee.rendered("fusion", FIELDS, told).files()
    golden({path: text for path, text in files.items() if path.startswith(("recipe/", "placement/"))})


def test_what_is_no_number_is_no_divergence_of_nought():
    """A fused model that says nothing fails its bound; `max` would give the other of two where one is no number."""
    import torch

    with modules_of("fusion", "likeness") as found:
        one = [torch.log_softmax(torch.arange(6.0).view(2, 3), dim=-1)]
        assert found.likeness.distance(one, one) == {"kl": 0.0, "top1": 1.0, "tokens": 2}
        told = found.likeness.distance(one, [torch.full((2, 3), float("nan"))])
    assert math.isnan(told["kl"])


def holds(measured):
    """Whether the bounds of the kind hold."""
    kind = kinds.load("fusion")
    gates = kind.bounds(kind.Spec.model_validate(FIELDS))
    assert [str(gate) for gate in gates] == ["kl <= 0.0001", "top1 >= 0.99"]
    return measured["kl"] <= 1e-4 and measured["top1"] >= 0.99


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_it_holds_for_what_was_fused_and_for_nothing_else(base, tmp_path, method):  # noqa: F811
    """The fused model is base and adapter; the base alone, an adapter lost on the way, is far from them."""
    make_adapter(base, tmp_path / "adapter")
    fused = fuse_step(tmp_path / "fuse", base, tmp_path / "adapter")
    assert trainee.run(fused)[0] == 0
    home = proof(tmp_path / "good", method=method, subject=fused / "out", against=tmp_path / "adapter", base=base)
    code, log = trainee.run(home)
    assert code == 0, log[-3000:]
    measured = trainee.measures(home)
    assert holds(measured)
    assert measured["tokens"] > 500
    assert json.loads((home / "out/fusion.json").read_text()) == measured
    if method == "qlora":
        assert measured["nf4.kl"] > measured["kl"]
        return
    lost = proof(tmp_path / "lost", subject=base, against=tmp_path / "adapter", base=base)
    assert trainee.run(lost)[0] == 0
    assert not holds(trainee.measures(lost))
