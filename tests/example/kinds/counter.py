"""The kind `counter`: a table of which letter follows which; it goes on where it was cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from example.facts import Corpus, Table
from pydantic import Field

from zyc import fields
from zyc.gates import Interval
from zyc.kind import Case, Estimate, Fields, Kind, Measure, Objection, Placement, Recipe, Spec

MOST_CELLS = 500_000


class Training(Fields):
    """How a counter counts."""

    epochs: fields.Integer = Field(1, ge=1)
    """How often as many words are drawn as there are."""
    seed: fields.Integer = 0
    """Which words are drawn."""


class CounterPlacement(Placement):
    """Where and how fast a counter counts."""

    shards: fields.Integer = Field(1, ge=1)
    """In how many parts the words of an epoch are counted."""
    stop_after: fields.Integer | None = Field(None, ge=1)
    """Fail after so many epochs, as a machine that is switched off would."""


class CounterSpec(Spec):
    """The fields of a counter."""

    base: fields.Ref[Corpus]
    """The words to count in."""
    order: fields.Integer = Field(2, ge=1, le=6)
    """How many letters a context has."""
    smoothing: fields.Number = Field(1.0, gt=0)
    """What is added to each count, so that nothing is impossible."""
    train: Training = Training()
    """How it counts."""
    placement: CounterPlacement = CounterPlacement()
    """Where and how fast: never part of the key."""


class Counter(Kind[CounterSpec]):
    """Counts which letter follows which context, and measures how well that tells words that it did not count."""

    name = "counter"
    section = "counters"
    Spec = CounterSpec
    gives = Table
    measures = {"rows": Measure("words counted"), "loss": Measure("bits a letter, on words held out")}
    harness = ("checkpoints.py",)

    def twin(self, spec: CounterSpec) -> CounterSpec:
        """One epoch is enough to rehearse."""
        return spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 1})})

    def check(self, case: Case[CounterSpec]) -> Iterable[Objection]:
        """A table that cannot be held is told before it is counted."""
        letters, order = len(case.inputs["base"].alphabet or ""), case.spec.order
        if letters**order > MOST_CELLS:
            fits = max(each for each in range(1, order) if letters**each <= MOST_CELLS)
            says = f"{letters} letters to the power of {order} are {letters**order:,} contexts; a table holds {MOST_CELLS:,}"
            yield Objection("order", says, f"`order: {fits}` fits")

    def facts(self, case: Case[CounterSpec]) -> Table:
        """The alphabet is that of the words."""
        return Table(case.spec.order, case.inputs["base"].alphabet)

    def estimate(self, case: Case[CounterSpec]) -> Estimate:
        """The rows are arithmetic; the loss is only known by running."""
        words, epochs = case.inputs["base"].words, case.spec.train.epochs
        if words is None:
            return Estimate()
        train = words - words // 10
        rows = Interval(train * epochs, train * epochs, f"{train} words * {epochs} epochs")
        return Estimate(seconds=Interval(0.01, 0.1), memory=1_000_000, measures=(("rows", rows),))

    def arrangement(self, case: Case[CounterSpec]) -> Recipe:
        """Which shard counts which words, for whoever looks."""
        return Recipe(values={"shards": list(range(case.spec.placement.shards))})

    def resumes(self, spec: CounterSpec) -> bool:
        """After each epoch it leaves a state."""
        return True

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """A state holds the counts of each shard."""
        before, after = old.get("shards"), new.get("shards")
        return "" if before == after else f"its state is in {before} shards, and `placement.shards` is {after} now"
