"""The kind `integrity`: the proof that a model is all there: every tensor, every number, a row for every token."""

from __future__ import annotations

from zyc import fields
from zyc.craft import arch
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Spec
from zyc.types import Model, Numbers


class IntegritySpec(Spec):
    """The fields of an integrity."""

    subject: fields.Ref[Model]
    """The model that is looked at."""


class Integrity(Kind[IntegritySpec]):
    """Reads every tensor of a model once: none may be missing or hold what is no number, and no token may lack its row."""

    name = "integrity"
    Spec = IntegritySpec
    gives = Numbers
    measures = {
        "tensors": Measure("tensors that are there", "count"),
        "missing": Measure("tensors that the index or the architecture names and nothing holds", "count"),
        "broken": Measure("tensors with NaN or infinity in them", "count"),
        "rowless": Measure("token ids without a row in the embedding", "count"),
    }
    shares = ("wholeness.py",)

    def bounds(self, spec: IntegritySpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Nothing may be missing, at any size."""
        told = [parse(f"{name} = 0") for name in ("missing", "broken", "rowless")]
        return tuple(each for each in told if each is not None)

    def estimate(self, case: Case[IntegritySpec]) -> Estimate:
        """Everything is read once."""
        subject = case.inputs["subject"]
        size = arch.weight_bytes(subject) if isinstance(subject, Model) else None
        if size is None:
            return Estimate()
        return Estimate(seconds=Interval(4 + size / 2e9, 10 + size / 2e8), memory=900_000_000 + size // 4, disk=1_000)
