"""The kind `drawing`: choices, bounds, a rule of its own, and nothing that it measures; only these pages know it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from zyc import fields
from zyc.kind import Fields, Kind, Spec
from zyc.types import Tree


class Pen(Fields):
    """What draws."""

    colour: Literal["black", "red", "blue"] = "black"
    """The colour of the pen."""
    width: fields.Number = Field(1.0, gt=0, le=20)
    """How many points it is wide."""


class DrawingSpec(Spec):
    """The fields of a drawing."""

    style: Literal["line", "fill"]
    """Lines, or areas."""
    pens: dict[fields.Name, Pen]
    """What it is drawn with."""
    points: tuple[fields.Integer, ...] = Field((), max_length=3)
    """Where."""

    @model_validator(mode="after")
    def _pens(self) -> Self:
        if self.style == "line" and not self.pens:
            raise ValueError("lines need a pen")
        return self


class Drawing(Kind[DrawingSpec]):
    """A drawing of nothing."""

    name = "drawing"
    section = "drawings"
    Spec = DrawingSpec
    gives = Tree
