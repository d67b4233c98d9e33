"""The kind `likeness`: the proof that what was made of a table still says what the table says."""

from __future__ import annotations

from example.facts import Table

from zyc import fields
from zyc.gates import Gate, parse
from zyc.kind import Kind, Measure, Spec
from zyc.types import Artifact, Numbers


class LikenessSpec(Spec):
    """The fields of a likeness."""

    subject: fields.Ref[Artifact]
    """What was made of the table."""
    against: fields.Ref[Table]
    """The table."""


class Likeness(Kind[LikenessSpec]):
    """The largest difference between two chances, over every context of the table."""

    name = "likeness"
    Spec = LikenessSpec
    gives = Numbers
    shares = ("chances.py",)
    measures = {"divergence": Measure("the largest difference of a chance")}

    def bounds(self, spec: LikenessSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Rounding is allowed, nothing else; a twin has seen so little that all may move more."""
        bound = parse(f"divergence <= {0.01 if twin else 0.001}")
        assert bound is not None
        return (bound,)
