"""Outlines and shapes as plain values, so that an answer of the compiler can be kept from one call to the next."""

from __future__ import annotations

from typing import Any

from zyc.compile.outline import Entry, Outline
from zyc.gates import Gate
from zyc.graph import Link, Part, Shape
from zyc.kept import Kept
from zyc.kind import EnvironmentNeed, FileNeed, HubNeed, Need, PinNeed

_NEEDS: tuple[type[Need], ...] = (FileNeed, EnvironmentNeed, PinNeed, HubNeed)

Plain = tuple[Any, ...]


def kept_outline(kept: Kept, file: str, digest: str) -> Outline | None:
    """What a spec file declares, if an earlier call saw the same text."""
    found = kept.get("outline", (file, digest))
    return None if found is None else Outline(found[0], found[1], found[2], found[3], tuple(Entry(*entry) for entry in found[4]))


def keep_outline(kept: Kept, file: str, digest: str, told: Outline) -> None:
    """Only of a file without problems: a problem needs the text."""
    kept.keep("outline", (file, digest), (*told[:4], tuple(tuple(entry) for entry in told.entries)))


def kept_shape(kept: Kept, kind: str, digest: str) -> Shape | None:
    """What the spec of one node says by itself, if an earlier call saw the same text."""
    found = kept.get("shape", (kind, digest))
    return None if found is None else _shape(found)


def keep_shape(kept: Kept, kind: str, digest: str, shape: Shape) -> None:
    """Only of a node without problems."""
    kept.keep("shape", (kind, digest), _plain_shape(shape))


def _plain_shape(shape: Shape) -> Plain:
    return (
        tuple(tuple(link) for link in shape.links),
        tuple((_NEEDS.index(type(need)), tuple(getattr(need, name) for name in need.__slots__)) for need in shape.needs),
        shape.yields,
        tuple(plain_gate(gate) for gate in shape.gates),
        tuple(plain_gate(gate) for gate in shape.twin_gates),
        shape.tags,
        shape.about,
        shape.resumes,
        tuple((part.suffix, part.kind, dict(part.fields)) for part in shape.parts),
        (shape.proof.suffix, shape.proof.kind, dict(shape.proof.fields)) if shape.proof else None,
        shape.placement,
        shape.lineage,
    )


def _shape(plain: Plain) -> Shape:
    links, needs, yields, bounds, twin, tags, about, resumes, parts, proof, placement, lineage = plain
    return Shape(
        tuple(Link(*link) for link in links) if links else (),
        tuple(_NEEDS[kind](*values) for kind, values in needs) if needs else (),
        yields,
        tuple(Gate(*gate) for gate in bounds) if bounds else (),
        tuple(Gate(*gate) for gate in twin) if twin else (),
        tags,
        about,
        resumes,
        tuple(Part(*part) for part in parts) if parts else (),
        Part(*proof) if proof else None,
        placement,
        lineage,
    )


def plain_gate(gate: Gate) -> Plain:
    """A gate as plain values."""
    return tuple(getattr(gate, name) for name in gate.__slots__)
