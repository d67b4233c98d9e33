"""The kind `scorer`: a report on a matrix, made of one trial a task, beside its rivals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from example.facts import Matrix

from zyc import fields
from zyc.kind import Case, Fields, Kind, Measure, Objection, Spec
from zyc.types import Artifact, Numbers


class Task(Fields):
    """One thing to try."""

    words: fields.Texts
    """The words that the matrix is tried on."""


class ScorerSpec(Spec):
    """The fields of a scorer."""

    model: fields.Ref[Matrix]
    """What is scored; a table is made dense first."""
    tasks: dict[fields.Name, Task]
    """What it is tried on, by name."""
    rivals: fields.Refs[Matrix] = ()
    """Other matrices, to tell how far they lie; a family stands for all of its members."""
    title: fields.Text = "Scores"
    """What stands over the report."""
    token: fields.Secret | None = None
    """What signs the report: `$(env.NAME)`."""
    requires: fields.Requires[Artifact] = ()
    """Nodes whose gates must hold first."""


class Scorer(Kind[ScorerSpec]):
    """The mean of its tasks, and how far its rivals are from what it scores."""

    name = "scorer"
    section = "scorers"
    Spec = ScorerSpec
    gives = Numbers
    measures = {
        "bits": Measure("bits a letter, over all tasks"),
        "*.bits": Measure("bits a letter of one task"),
        "rivals": Measure("how many rivals there are"),
        "distance": Measure("how far the nearest rival is"),
    }

    def parts(self, spec: ScorerSpec) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """A trial for each task, so that a new task tries nothing twice."""
        return {name: ("trial", {"model": spec.model, "words": task.words}) for name, task in spec.tasks.items()}

    def check(self, case: Case[ScorerSpec]) -> Iterable[Objection]:
        """Only what is written in the same letters can be compared."""
        letters = case.inputs["model"].alphabet
        for place, rival in case.every("rivals"):
            if rival.alphabet != letters:
                says = f"the rival at `in/rivals/{place}` is written in `{rival.alphabet}`, what is scored in `{letters}`"
                yield Objection("rivals", says, "compare what was counted in words of one alphabet")
