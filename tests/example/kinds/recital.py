"""The kind `recital`: the words that a table was counted in, by how well it knows them; it stands behind the table."""

from __future__ import annotations

from example.facts import Corpus, Reading, Table

from zyc import fields
from zyc.kind import Case, Kind, Measure, Spec


class RecitalSpec(Spec):
    """The fields of a recital."""

    source: fields.Ref[Table]
    """The table."""
    base: fields.Ref[Corpus]
    """The words that the table was counted in."""


class Recital(Kind[RecitalSpec]):
    """Sorts the words of a corpus by how many bits a letter they take."""

    name = "recital"
    Spec = RecitalSpec
    gives = Reading
    measures = {"words": Measure("words read")}
    shares = ("chances.py",)
    coerces = (Table, Reading)
    suffix = "recited"
    follows = {"base": ("base",)}

    def facts(self, case: Case[RecitalSpec]) -> Reading:
        """As many words as there are."""
        return Reading(case.inputs["base"].words)
