"""What a kind of quantized files is asked: one subclass and one module a format, and its own scripts in the templates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from zyc.craft.quantizing.spec import FidelitySpec, QuantSpec
from zyc.gates import Gate, parse
from zyc.kind import Case, Estimate, Objection
from zyc.types import Artifact, Model


@dataclass(frozen=True, slots=True)
class Preset:
    """A type by the purpose that it is for, and what goes with it."""

    type: str
    shards: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A type that a budget may choose: what its files take, and what answering with it takes; None is not known."""

    type: str
    size: int | None
    memory: int | None


class Format(ABC):
    """One format. Every question is a pure function of a case, and of the type that was chosen for it."""

    name: ClassVar[str]
    says: ClassVar[str]  # in a sentence: `a GGUF`
    wants: ClassVar[type[Artifact]] = Model  # what it is made of: the compiler inserts what lies between
    gives: ClassVar[type[Artifact]]
    types: ClassVar[tuple[str, ...]]  # the best first
    usual: ClassVar[str] = ""  # the type when none is given
    presets: ClassVar[Mapping[str, Preset]] = {}
    refused: ClassVar[Mapping[str, str]] = {}  # types that people ask for, and why there are none
    reads: ClassVar[frozenset[str]] = frozenset()  # the fields that mean something here, beside model, format, type
    scripts: ClassVar[frozenset[str]] = frozenset()  # of templates/quant/recipe, lib and of templates/shared
    # of templates/fidelity/recipe, lib and of templates/shared; modules that no format names are in every proof: held_out, chats
    proof_scripts: ClassVar[frozenset[str]] = frozenset()

    def candidates(self, case: Case[QuantSpec]) -> Iterable[Candidate]:
        """The types that a budget chooses from, the best first."""
        return ()

    def check(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """What makes this impossible; fields that the format does not read are refused already."""
        return ()

    def notes(self, case: Case[QuantSpec], kind: str) -> Iterable[Objection]:
        """What is better known before."""
        return ()

    @abstractmethod
    def facts(self, case: Case[QuantSpec], kind: str) -> Artifact:
        """What is known of the result."""

    @abstractmethod
    def estimate(self, case: Case[QuantSpec], kind: str) -> Estimate:
        """What it takes; `bytes` and `size.reduction` stand in its measures as far as arithmetic knows them."""

    @abstractmethod
    def values(self, case: Case[QuantSpec], kind: str) -> Mapping[str, object]:
        """The values for its scripts."""

    def spare(self, case: Case[QuantSpec]) -> frozenset[str]:
        """Modules of its own that this node has no use for."""
        return frozenset()

    # --- the proof ---

    @abstractmethod
    def bounds(self, case: Case[FidelitySpec]) -> Mapping[str, str]:
        """What it is held to: measure -> the rest of a gate, `<= 0.06`; a twin (`case.twin`) may be held to less or more."""

    def proof_estimate(self, case: Case[FidelitySpec]) -> Estimate:
        """What the proof takes."""
        return Estimate()

    @abstractmethod
    def proof_values(self, case: Case[FidelitySpec]) -> Mapping[str, object]:
        """The values for the scripts of the proof."""


def gates(bounds: Mapping[str, str]) -> tuple[Gate, ...]:
    """Bounds as gates."""
    told = (parse(f"{measure} {rest}") for measure, rest in bounds.items())
    return tuple(each for each in told if each is not None)
