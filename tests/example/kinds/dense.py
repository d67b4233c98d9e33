"""The kind `dense`: a table as the matrix that it stands for; the compiler puts it where a matrix is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from example.facts import Matrix, Table

from zyc import fields
from zyc.kind import Case, Kind, Spec


class DenseSpec(Spec):
    """The fields of a dense matrix."""

    source: fields.Ref[Table]
    """The table."""


class Dense(Kind[DenseSpec]):
    """Every chance that a table of counts stands for, written out."""

    name = "dense"
    Spec = DenseSpec
    gives = Matrix
    coerces = (Table, Matrix)
    suffix = "dense"
    proof = "likeness"

    def proves(self, spec: DenseSpec) -> Mapping[str, Any]:
        """Each chance is that of the table."""
        return {"against": spec.source}

    def facts(self, case: Case[DenseSpec]) -> Matrix:
        """Those of the table."""
        return Matrix(case.inputs["source"].order, case.inputs["source"].alphabet)
