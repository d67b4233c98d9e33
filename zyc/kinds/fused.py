"""The kind `fused`: an adapter made part of its base; the compiler puts it where a model is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from zyc import fields
from zyc.craft import arch
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Kind, Measure, Objection, Spec
from zyc.quantity import in_bytes
from zyc.types import Adapter, Model, model_of

SHARD = 5e9  # bytes of one file of weights, as hubs have them


class FusedSpec(Spec):
    """The fields of a fused model."""

    source: fields.Ref[Adapter]
    """The adapter."""
    base: fields.Ref[Model]
    """The model that it was trained on, as it was before any four bits."""


class Fused(Kind[FusedSpec]):
    """Adds what an adapter changes to the weights of its base, in bf16 and shard by shard: never to four bits.

    Tokenizer and templates are those of the base, to the byte.
    """

    name = "fused"
    Spec = FusedSpec
    gives = Model
    coerces = (Adapter, Model)
    suffix = "fused"
    follows = {"base": ("base", "student")}
    proof = "fusion"
    measures = {
        "bytes": Measure("size of the weights", "bytes"),
        "layers": Measure("layers that the adapter changed", "count"),
    }
    only_real = ("layers",)
    harness = ("telling.py",)
    shares = ("bases.py",)

    def proves(self, spec: FusedSpec) -> Mapping[str, Any]:
        """It answers as the base with the adapter beside it."""
        return {"against": spec.source, "base": spec.base}

    def facts(self, case: Case[FusedSpec]) -> Model:
        """Those of the base."""
        return replace(_base(case), name=None, dtype="bf16", gated=None)

    def estimate(self, case: Case[FusedSpec]) -> Estimate:
        """Everything is read once and written once, a shard of it in memory."""
        size = arch.weight_bytes(_base(case), "bf16")
        if size is None:
            return Estimate()
        seconds = Interval(4 + size / 1e9, 10 + size / 1e8, "reading and writing")
        told = (("bytes", Interval(size, size * 1.001 + 100_000, "2 bytes a parameter")),)
        memory = round(0.7e9 + 1.3 * min(size, SHARD))
        return Estimate(seconds, memory, disk=size + 20_000_000, result=in_bytes(size), measures=told)

    def check(self, case: Case[FusedSpec]) -> Iterable[Objection]:
        """The base is the one that the adapter was trained on, and has all of its bits."""
        base, adapter = _base(case), case.inputs["source"]
        assert isinstance(adapter, Adapter)
        if base.quantized:
            says = f"the base is kept as {base.quantized}: what is added to it would be rounded away"
            yield Objection("base", says, "take the base in bf16")
        trained = model_of(adapter.base)
        for name in ("family", "layers", "width", "mlp", "heads", "kv_heads"):
            wanted, there = getattr(trained, name), getattr(base, name)
            if None not in (wanted, there) and wanted != there:
                says = f"the adapter was trained on a base whose {name} is {wanted}; this one's is {there}"
                yield Objection("base", says, "fuse it into the base that it was trained on")
                return


def _base(case: Case[FusedSpec]) -> Model:
    base = case.inputs["base"]
    assert isinstance(base, Model)
    return base
