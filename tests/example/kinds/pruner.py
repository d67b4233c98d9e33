"""The kind `pruner`: a smaller table, which is proven to be nearly the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from example.facts import Table
from pydantic import Field

from zyc import fields
from zyc.kind import Case, Kind, Measure, Spec


class PrunerSpec(Spec):
    """The fields of a pruner."""

    base: fields.Ref[Table]
    """The table to make smaller."""
    keep: fields.Share = Field(0.5, gt=0, le=1)
    """The share of contexts to keep, the most frequent ones."""


class Pruner(Kind[PrunerSpec]):
    """Drops the rarest contexts of a table."""

    name = "pruner"
    section = "pruners"
    Spec = PrunerSpec
    gives = Table
    measures = {"contexts": Measure("contexts kept")}
    proof = "likeness"

    def proves(self, spec: PrunerSpec) -> Mapping[str, Any]:
        """What is left is nearly the table that it was."""
        return {"against": spec.base}

    def facts(self, case: Case[PrunerSpec]) -> Table:
        """Those of the table."""
        return Table(case.inputs["base"].order, case.inputs["base"].alphabet)
