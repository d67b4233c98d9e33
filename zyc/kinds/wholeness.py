"""The kind `wholeness`: the proof that a model that was put together is all there, has the right shapes, loads and answers."""

from __future__ import annotations

from zyc import fields
from zyc.craft import arch
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Spec
from zyc.types import Model, Numbers

NOTHING = ("missing", "misshapen", "strange", "broken", "rowless")


class WholenessSpec(Spec):
    """The fields of a wholeness."""

    subject: fields.Ref[Model]
    """The model that is looked at."""


class Wholeness(Kind[WholenessSpec]):
    """Reads every tensor once, loads the model by its own architecture, and lets it answer.

    None may be missing, of another shape or of no use to the architecture; none may hold what is no number, and every token has
    its row.
    """

    name = "wholeness"
    Spec = WholenessSpec
    gives = Numbers
    measures = {
        "tensors": Measure("tensors that are there", "count"),
        "missing": Measure("tensors that the index or the architecture names and nothing holds", "count"),
        "misshapen": Measure("tensors of another shape than the architecture has", "count"),
        "strange": Measure("tensors that the architecture does not have", "count"),
        "broken": Measure("tensors with NaN or infinity in them", "count"),
        "rowless": Measure("token ids without a row in the embedding", "count"),
        "loads": Measure("1 when it can be loaded"),
        "answers": Measure("1 when it answers a question"),
    }
    shares = ("wholeness.py",)

    def bounds(self, spec: WholenessSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Nothing may be wrong, at any size."""
        told = [parse(f"{name} = 0") for name in NOTHING] + [parse("loads = 1"), parse("answers = 1")]
        return tuple(each for each in told if each is not None)

    def estimate(self, case: Case[WholenessSpec]) -> Estimate:
        """Everything is read twice; the model is in memory once."""
        subject = case.inputs["subject"]
        size = arch.weight_bytes(subject) if isinstance(subject, Model) else None
        if size is None:
            return Estimate()
        return Estimate(seconds=Interval(5 + size / 1e9, 12 + size / 1e8), memory=900_000_000 + round(1.3 * size), disk=10_000)
