"""What YAML becomes: scalars that keep their text and place, mappings and lists of them."""

from __future__ import annotations

from typing import Self, TypeAlias

from zyc.errors import Span

NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Scalar(str):
    """The source text of one scalar, unquoted and folded, and its place."""

    __slots__ = ("column", "line", "plain", "width")
    plain: bool  # written without quotes, so that a type may read a number from it
    line: int
    column: int
    width: int

    @classmethod
    def at(cls, text: str, line: int, column: int, width: int, *, plain: bool = True) -> Self:
        """A text as if it were written there."""
        value = cls(text)
        value.plain, value.line, value.column, value.width = plain, line, column, width
        return value

    def like(self, text: str) -> Scalar:
        """Another text in this one's place and style."""
        return Scalar.at(text, self.line, self.column, self.width, plain=self.plain)


class SecretName(Scalar):
    """A `$(env.NAME)`: the one expression that stays, since its value is never read here."""

    __slots__ = ()
    secret = True


class Map(dict[str, "Value"]):
    """A mapping and its place; its keys are Scalars, so they have places too."""

    __slots__ = ("column", "line", "width")
    line: int
    column: int
    width: int


class Seq(list["Value"]):
    """A list and its place."""

    __slots__ = ("column", "line", "width")
    line: int
    column: int
    width: int


Value: TypeAlias = Scalar | Map | Seq


def place(value: Value, file: str) -> Span:
    """Where a value is written; one that an alias repeats is where its anchor is."""
    return Span(file, value.line, value.column, value.width)


def is_null(value: Value) -> bool:
    """Whether a value is YAML's null: a plain scalar that holds nothing or a word for it."""
    return isinstance(value, Scalar) and value.plain and value in NULLS
