"""The kind `fusion`: the proof that a fused model answers as its base with the adapter beside it."""

from __future__ import annotations

from zyc import fields
from zyc.craft import arch
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Recipe, Spec
from zyc.types import Adapter, Artifact, Model, Numbers

KL, TOP1 = 1e-4, 0.99
LARGE = 3_000_000_000  # parameters: above, single precision would double what the proof holds


class FusionSpec(Spec):
    """The fields of a fusion."""

    subject: fields.Ref[Artifact]
    """The fused model."""
    against: fields.Ref[Adapter]
    """The adapter."""
    base: fields.Ref[Model]
    """The model that it was trained on."""


class Fusion(Kind[FusionSpec]):
    """Divergence and agreement of the fused model with base and adapter, on texts and on what those two say themselves.

    For an adapter that was trained on four bits, the distance to the base in four bits is measured too: that is what training
    saw, not what is kept.
    """

    name = "fusion"
    Spec = FusionSpec
    gives = Numbers
    measures = {
        "kl": Measure("mean divergence from base and adapter, in nats a token"),
        "top1": Measure("share of tokens whose likeliest one is the same", "share"),
        "tokens": Measure("tokens that were looked at", "count"),
        "nf4.kl": Measure("mean divergence from the adapter on the base in four bits"),
        "nf4.top1": Measure("agreement with the adapter on the base in four bits", "share"),
    }
    harness = ("telling.py",)
    shares = ("bases.py",)

    def bounds(self, spec: FusionSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Rounding to bf16 is allowed, nothing else."""
        told = [parse(f"kl <= {KL}"), parse(f"top1 >= {TOP1}")]
        return tuple(each for each in told if each is not None)

    def estimate(self, case: Case[FusionSpec]) -> Estimate:
        """Each model is read and asked once, one after the other."""
        base, adapter = case.inputs["base"], case.inputs["against"]
        count = arch.parameters(base) if isinstance(base, Model) else None
        if count is None or not isinstance(adapter, Adapter):
            return Estimate()
        size = (2 if count > LARGE else 4) * count
        times = 3 if adapter.method == "qlora" else 2
        seconds = Interval(8 + times * size / 2e9, 25 + times * (size / 2e8 + count / 1e8), "reading, and a few answers")
        return Estimate(seconds, memory=round(1.2e9 + 1.2 * size), disk=1_000)

    def recipe(self, case: Case[FusionSpec]) -> Recipe:
        """In single precision where that can be held; four bits are looked at where training saw them."""
        base, adapter = case.inputs["base"], case.inputs["against"]
        assert isinstance(base, Model)
        assert isinstance(adapter, Adapter)
        count = (base.layers or 0) * (base.width or 0) ** 2 * 12  # about: enough to tell small from large
        return Recipe(values={"large": count > LARGE, "quantized": adapter.method == "qlora"})
