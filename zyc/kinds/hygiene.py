"""The kind `hygiene`: the proof that a dataset is what training takes it for."""

from __future__ import annotations

from zyc import fields
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Spec
from zyc.types import Dataset, Numbers


class HygieneSpec(Spec):
    """The fields of a hygiene."""

    subject: fields.Ref[Dataset]
    """The dataset."""


class Hygiene(Kind[HygieneSpec]):
    """Reads every row of a dataset again: its columns, the order of its roles, that nothing is empty, that nothing leaks.

    A leak is a held-out row whose texts all stand in training, in a chat or a passage that one looks up, or a group with rows on
    both sides.
    """

    name = "hygiene"
    Spec = HygieneSpec
    gives = Numbers
    measures = {
        "rows": Measure("rows that were read"),
        "broken": Measure("rows whose columns are not those of their format"),
        "misordered": Measure("chats whose roles are in no order that a template takes"),
        "empty": Measure("rows that ask or answer nothing"),
        "leaks": Measure("held-out rows that stand in training, too, in its chats or its passages, or whose group does"),
        "overlap": Measure("held-out rows whose question is asked in training, too"),
    }
    shares = ("flaws.py", "forms.py")

    def bounds(self, spec: HygieneSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """None of these may be."""
        return tuple(gate for name in ("broken", "misordered", "empty", "leaks") if (gate := parse(f"{name} = 0")) is not None)

    def estimate(self, case: Case[HygieneSpec]) -> Estimate:
        """It reads everything once."""
        rows = getattr(case.inputs["subject"], "rows", None)
        return Estimate() if rows is None else Estimate(Interval(0.5 + rows / 40_000, 2 + rows / 10_000), memory=300_000_000)
