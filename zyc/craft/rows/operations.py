"""What may be done to rows, as a spec says it: one operation an item of `clean`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from zyc import fields
from zyc.kind import Fields
from zyc.types import Dataset


class Length(Fields):
    """How long the texts of a row may be together."""

    min: fields.Integer | None = Field(None, ge=0)
    """Characters at least."""
    max: fields.Integer | None = Field(None, ge=1)
    """Characters at most."""

    @model_validator(mode="after")
    def _ordered(self) -> Length:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is more than `max`")
        return self


LanguageCode = Annotated[fields.Text, Field(pattern=r"^[a-z]{2}$")]
LanguageCodes = Annotated[tuple[LanguageCode, ...], BeforeValidator(fields.read_list), fields.Shorter("string")]


class Language(Fields):
    """Which languages rows may be in."""

    keep: LanguageCodes
    """Two-letter codes: `fr`, or `[fr, en]`."""
    among: LanguageCodes = ()
    """The languages to tell apart; all that are known when not given, which is slower and less sure of short texts."""
    sure: fields.Share = Field(0.0, ge=0, le=1)
    """How sure it must be."""


class Quality(Fields):
    """What reads like something that a person wrote; each bound is a measure of the whole text of a row."""

    words: fields.Integer = Field(3, ge=0)
    """Words at least."""
    letters: fields.Share = Field(0.5, ge=0, le=1)
    """The share of letters among all that is no space, at least."""
    word_length: fields.Number = Field(20, gt=0)
    """The mean length of words, at most."""
    repeated_lines: fields.Share = Field(0.5, ge=0, le=1)
    """The share of lines that are there before, at most; of four lines or more."""
    repeated_words: fields.Share = Field(0.6, ge=0, le=1)
    """The share of runs of three words that are there before, at most; of twenty runs or more."""


class Redaction(Fields):
    """Something that must not be in the data: `email`, `phone`, `iban`, `card`, or a pattern of yours."""

    what: Literal["email", "phone", "iban", "card"] | None = None
    """What zyc knows to find; it is replaced by `<EMAIL>`, `<PHONE>`, `<IBAN>`, `<CARD>`."""
    pattern: fields.Text | None = None
    """A regular expression (Python's)."""
    instead: fields.Text = "<REDACTED>"
    """What stands in the place of what the pattern finds."""

    @model_validator(mode="after")
    def _one(self) -> Redaction:
        if (self.what is None) == (self.pattern is None):
            raise ValueError("it takes a word such as `email`, or `{pattern: ..., instead: ...}`")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"`pattern` is no regular expression: {error}") from None
        return self


class Drop(Fields):
    """What to drop among rows that say the same."""

    duplicates: Literal["exact", "minhash"] = "exact"
    """`exact`: every text is the same. `minhash`: they share most of their runs of three words."""
    similarity: fields.Share = Field(0.8, gt=0, le=1)
    """For `minhash`: the share of runs of words that two rows have in common."""


def words_as(name: str, words: Iterable[str] = ()) -> Any:
    """A plain text, or a list of them, in place of a mapping with one field; `words` stand for a mapping without any."""
    known = tuple(words)

    def reading(value: object) -> object:
        if isinstance(value, dict) or fields.is_null(value):
            return value
        return {} if isinstance(value, str) and value in known else {name: value}

    return BeforeValidator(reading)


Redactions = Annotated[
    tuple[Annotated[Redaction, words_as("what"), fields.Shorter("string")], ...],
    BeforeValidator(fields.read_list),
    fields.Shorter("string", "object"),
]


class Operation(Fields):
    """One operation on all rows: exactly one of these."""

    unicode: Literal["nfc", "nfkc"] | None = None
    """One spelling of each letter."""
    mojibake: fields.Flag | None = None
    """Repair text that was read in a wrong encoding (`Ã©` for `é`)."""
    html: fields.Flag | None = None
    """Make tags and entities text."""
    length: Length | None = None
    """Drop rows that are shorter or longer, in characters."""
    language: Annotated[Language, words_as("keep"), fields.Shorter("string", "array")] | None = None
    """Drop rows in other languages."""
    quality: Annotated[Quality, words_as("words", ("true",)), fields.Shorter("string", "boolean")] | None = None
    """Drop rows that do not read like something that a person wrote."""
    redact: Redactions | None = None
    """Replace personal data by what it was."""
    drop: Annotated[Drop, words_as("", ("duplicates",)), fields.Shorter("string")] | None = None
    """Drop rows that say the same as an earlier one: `duplicates`, or `{duplicates: minhash}`."""
    decontaminate: fields.Ref[Dataset] | None = None
    """Drop rows that hold what an exam asks, or a run of 13 words of it."""

    @model_validator(mode="after")
    def _one(self) -> Operation:
        given = [name for name in type(self).model_fields if getattr(self, name) not in (None, False)]
        if len(given) != 1:
            names = ", ".join(f"`{name}`" for name in type(self).model_fields)
            raise ValueError(f"an operation is exactly one of {names}; write one item of the list for each")
        return self

    @property
    def name(self) -> str:
        """Which one it is."""
        return next(name for name in type(self).model_fields if getattr(self, name) not in (None, False))


def read_operations(value: object) -> object:
    """`[unicode: nfc, mojibake, drop: duplicates]`: a plain word is an operation without settings."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [{str(each): fields.Plain("true")} if isinstance(each, str) else each for each in entries]
