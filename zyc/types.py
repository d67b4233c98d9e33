"""What edges carry: the types of artifacts and the facts that are known of them before they exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

TYPES: dict[str, type[Artifact]] = {}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A published tree of files; a fact that is None is not known yet."""

    says: ClassVar[str] = "any artifact"

    def __init_subclass__(cls) -> None:
        # a dataclass with slots is made twice; the second class is the one that people import
        TYPES[cls.__name__] = cls


TYPES["Artifact"] = Artifact


@dataclass(frozen=True, slots=True)
class Tree(Artifact):
    """What a generic step leaves: files that only their reader understands."""

    says: ClassVar[str] = "a folder of files"


@dataclass(frozen=True, slots=True)
class Numbers(Artifact):
    """What a proof leaves: measurements."""

    says: ClassVar[str] = "measurements"


def facts_of(artifact: Artifact) -> tuple[tuple[str, object], ...]:
    """The facts, in the order of their declaration."""
    return tuple((each.name, getattr(artifact, each.name)) for each in fields(artifact))


def meet(artifacts: Sequence[Artifact]) -> Artifact:
    """What is true of every one of these: facts that differ become unknown."""
    first = artifacts[0]
    common = next(kind for kind in type(first).__mro__ if all(isinstance(each, kind) for each in artifacts))
    values = {}
    for field in fields(common):
        seen = {getattr(each, field.name) for each in artifacts}
        values[field.name] = seen.pop() if len(seen) == 1 else None
    met = common(**values)
    assert isinstance(met, Artifact)
    return met
