"""What edges carry in the example world: statistics of letters."""

from dataclasses import dataclass
from typing import ClassVar

from zyc.types import Artifact


@dataclass(frozen=True, slots=True)
class Corpus(Artifact):
    """Words, one a line."""

    says: ClassVar[str] = "a corpus"
    words: int | None = None
    alphabet: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Table(Artifact):
    """How often each letter follows each context: only what was seen."""

    says: ClassVar[str] = "a table of counts"
    order: int | None = None
    alphabet: str | None = None


@dataclass(frozen=True, slots=True)
class Matrix(Artifact):
    """The chance of every letter after every context that was seen."""

    says: ClassVar[str] = "a matrix of chances"
    order: int | None = None
    alphabet: str | None = None


@dataclass(frozen=True, slots=True)
class Reading(Artifact):
    """The words of a corpus, by how well a table knows them."""

    says: ClassVar[str] = "a reading"
    words: int | None = None
