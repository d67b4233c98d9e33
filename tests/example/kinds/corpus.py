"""The kind `corpus`: words from files, with a card that tells their facts before anybody reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from example.facts import Corpus
from pydantic import Field

from zyc import fields
from zyc.gates import Interval
from zyc.kind import Case, Estimate, FileNeed, Kind, Measure, Need, Objection, Recipe, Spec

FACTS = {"words": int, "alphabet": str, "licence": str}
TWIN_WORDS = 40


class CorpusSpec(Spec):
    """The fields of a corpus."""

    files: fields.FilePaths
    """Text files or globs, one word a line."""
    card: fields.FilePath
    """A JSON file that tells `words`, `alphabet` and `licence`, as the configuration of a model does."""
    lower: fields.Flag = True
    """Fold upper case into lower case."""
    words: fields.Amount | None = Field(None, ge=1)
    """Keep the first words only."""


class CorpusKind(Kind[CorpusSpec]):
    """Words from files, folded, and cut where that is asked for."""

    name = "corpus"
    section = "corpuses"
    Spec = CorpusSpec
    gives = Corpus
    measures = {"words": Measure("words kept"), "letters": Measure("letters kept")}

    def needs(self, spec: CorpusSpec) -> Iterable[Need]:
        """The card is read before anything is decided."""
        yield FileNeed(spec.card.path, "card", text=True)

    def twin(self, spec: CorpusSpec) -> CorpusSpec:
        """A few words are enough to rehearse."""
        return spec.model_copy(update={"words": min(spec.words or TWIN_WORDS, TWIN_WORDS)})

    def check(self, case: Case[CorpusSpec]) -> Iterable[Objection]:
        """The card tells what it should."""
        card = read_card(case)
        wrong = [name for name, kind in FACTS.items() if type(card.get(name)) is not kind]
        if wrong:
            says = f"`{case.spec.card.path}` does not tell its {' and '.join(f'`{name}`' for name in wrong)}"
            yield Objection("card", says, 'for example `{"words": 120, "alphabet": "abc", "licence": "cc0-1.0"}`')

    def facts(self, case: Case[CorpusSpec]) -> Corpus:
        """What the card says."""
        card = read_card(case)
        return Corpus(min(card["words"], case.spec.words or card["words"]), card["alphabet"], card["licence"])

    def estimate(self, case: Case[CorpusSpec]) -> Estimate:
        """The words are known from the card."""
        words = self.facts(case).words
        return Estimate(result=f"{words} words", measures=(("words", Interval(words, words, "its card")),))

    def recipe(self, case: Case[CorpusSpec]) -> Recipe:
        """The card goes into the result."""
        return Recipe(values={"spec": case.spec, "card": read_card(case)})


def read_card(case: Case[CorpusSpec]) -> dict[str, Any]:
    """What the card says, or nothing."""
    try:
        card = json.loads(case.files[case.spec.card.path].text or "")
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
