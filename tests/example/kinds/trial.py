"""The kind `trial`: one task of a scorer, as a node of its own."""

from __future__ import annotations

from collections.abc import Iterable

from example.facts import Matrix

from zyc import fields
from zyc.kind import Case, Kind, Measure, Objection, Spec
from zyc.types import Numbers


class TrialSpec(Spec):
    """The fields of a trial."""

    model: fields.Ref[Matrix]
    """What is tried."""
    words: fields.Texts
    """The words that it is tried on."""


class Trial(Kind[TrialSpec]):
    """How many bits a letter of some words takes."""

    name = "trial"
    Spec = TrialSpec
    gives = Numbers
    measures = {"bits": Measure("bits a letter")}

    def check(self, case: Case[TrialSpec]) -> Iterable[Objection]:
        """A letter that the matrix does not know has no chance at all."""
        alphabet = case.inputs["model"].alphabet
        for at, word in enumerate(case.spec.words):
            strange = sorted(set(word) - set(alphabet or word))
            if strange:
                yield Objection(f"words.{at}", f"`{word}` has the letter `{strange[0]}`, which the matrix does not know", "")
