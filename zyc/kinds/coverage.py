"""The kind `coverage`: the proof that an index holds every document, and finds each passage."""

from __future__ import annotations

from zyc import fields
from zyc.gates import Gate, Interval, parse
from zyc.kind import Case, Estimate, Kind, Measure, Recipe, Spec
from zyc.types import Dataset, Index, Numbers


class CoverageSpec(Spec):
    """The fields of a coverage."""

    subject: fields.Ref[Index]
    """The index."""
    against: fields.Ref[Dataset]
    """Its documents."""


class Coverage(Kind[CoverageSpec]):
    """Reads the documents again and looks for each letter of them in a passage; then looks each passage up by its own text.

    Passages are looked up with the module that puts them before questions: a thousand of them, evenly, where there are more.
    """

    name = "coverage"
    Spec = CoverageSpec
    gives = Numbers
    measures = {
        "rows": Measure("rows that were read"),
        "covered": Measure("the share of rows whose text is in passages, to the letter", "share"),
        "found": Measure("the share of passages that their own text finds first", "share"),
    }
    shares = ("embedding.py", "retrieving.py", "texts.py")

    def bounds(self, spec: CoverageSpec, *, twin: bool = False) -> tuple[Gate, ...]:
        """Nothing is lost."""
        return tuple(gate for text in ("covered = 100%", "found = 100%") if (gate := parse(text)) is not None)

    def estimate(self, case: Case[CoverageSpec]) -> Estimate:
        """It reads everything once, and embeds a thousand passages at most."""
        rows = getattr(case.inputs["against"], "rows", None)
        return Estimate() if rows is None else Estimate(Interval(2 + rows / 40_000, 20 + rows / 5_000), memory=800_000_000)

    def recipe(self, case: Case[CoverageSpec]) -> Recipe:
        """Whether a model embeds."""
        return Recipe({"hashing": getattr(case.inputs["subject"], "embedder", None) == "hashing"})
