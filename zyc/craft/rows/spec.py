"""The fields of a dataset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from zyc import fields
from zyc.craft.personas import Personas
from zyc.craft.rows.operations import Operation, read_operations, words_as
from zyc.craft.rows.sources import Generate, Source, Written, read_sources
from zyc.kind import Fields, Placement, Spec
from zyc.types import Tokenizer


class Split(Fields):
    """Which rows are held out."""

    test: fields.Share = Field(gt=0, lt=1)
    """The share that is held out, such as `10%`."""
    stratify: fields.Texts = ()
    """Columns whose values stand on both sides in the same proportions."""
    group: fields.Texts = ()
    """Columns that tell what belongs together: a group is never on both sides. Without it, equal rows are a group."""
    seed: fields.Integer = 0
    """Which rows are held out."""


class Change(Fields):
    """Where a column comes from."""

    column: fields.Text | None = None
    """The name that it has in the source, or a path to it: `meta.topic`."""
    value: fields.Text | None = None
    """A fixed value for every row."""

    @model_validator(mode="after")
    def _one(self) -> Change:
        if (self.column is None) == (self.value is None):
            raise ValueError("it takes the name of a column, or `{value: ...}` for every row")
        return self


class Served(Fields):
    """What stands before the questions of a chat in service, so that it is trained as it will be asked."""

    prompts: Personas = Field(min_length=1)
    """The prompts of the evals and deployments: one, several, or `{label: prompt}`."""
    by: fields.Text = ""
    """With several: the column whose values are their labels, such as `philosopher`."""


def read_served(value: object) -> object:
    """The name of a prompt, or all of it."""
    return {"prompts": value} if isinstance(value, str) and not fields.is_null(value) else value


class DatasetPlacement(Placement):
    """Where and how fast a dataset is made: rows are worked on by `cpus` processes, and the bytes do not depend on it."""


class DatasetSpec(Spec):
    """The fields of a dataset."""

    source: Annotated[tuple[Source, ...], BeforeValidator(read_sources), fields.Shorter("string", "array", "object")] = Field(
        (), alias="from"
    )
    """Files, folders, globs and other datasets: `a.jsonl`, `[a.jsonl, old]`, or a mixture by shares, `{old: 30%, new: 70%}`."""
    hub: fields.Text = ""
    """A dataset of the hub: `org/name`."""
    revision: fields.Text = ""
    """Its commit, branch or tag; pinned in `zyc.lock`."""
    subset: fields.Text = ""
    """Its configuration, where it has several."""
    part: fields.Text = "train"
    """Which of its splits."""
    files: fields.Texts = ()
    """Which of its files, as globs, where its card does not say it."""
    token: fields.Secret | None = None
    """What opens a gated one: `$(env.HF_TOKEN)`."""
    stand_in: fields.FilePaths = ()
    """Files of yours that stand for the hub in a twin, which is offline."""
    generate: Generate | None = None
    """Rows that a grammar writes: `{grammar: specs/data/chats.grammar.yml, count: 900}`."""
    written: Written | None = None
    """Rows that a model writes: `{by: MODEL, from: DATASET, prompt: ..., into: user, keep: JUDGE >= 4}`."""
    format: Literal[
        "auto", "messages", "sharegpt", "alpaca", "prompt-completion", "preference", "unpaired", "questions", "text"
    ] = "auto"
    """What a row is; by its columns when not given. sharegpt and alpaca become messages."""
    per: Literal["document", "paragraph", "line"] = "document"
    """What a row is in a text file: all of it, what stands between empty lines, or a line."""
    map: dict[fields.Text, Annotated[Change, words_as("column"), fields.Shorter("string")]] = Field(default_factory=dict)
    """Columns under other names, and fixed values: `{question: enonce, kind: {value: exam}}`."""
    max_bad: fields.Integer = Field(0, ge=0)
    """How many rows may be unusable; each is counted and shown with its file and line."""
    clean: Annotated[
        tuple[Annotated[Operation, fields.Shorter("string")], ...],
        BeforeValidator(read_operations),
        fields.Shorter("string", "object"),
    ] = ()
    """What is done to the rows, in this order: `[unicode: nfc, drop: duplicates, decontaminate: exam]`."""
    served: Annotated[Served, BeforeValidator(read_served), fields.Shorter("string")] | None = None
    """Put each chat, once it is clean, under the prompt that it will be served with, system, examples and passages: `helper`, or
    `{prompts: {kant: kant-read, spinoza: spinoza-read}, by: philosopher}`."""
    split: Split | None = None
    """Which rows are held out: `{test: 10%, stratify: topic, group: origin, seed: 7}`."""
    cap: fields.Amount | None = Field(None, ge=1)
    """Keep at most so many rows, in proportion; gates are about all of them."""
    seed: fields.Integer = 0
    """Which rows a mixture takes."""
    tokenizer: fields.Ref[Tokenizer] | None = None
    """Counts tokens and shows samples as the trainer will see them; without one, tokens are a quarter of the bytes."""
    licence: fields.Text = ""
    """The licence of the data, as SPDX or the hub calls it: held against `use:`."""
    placement: DatasetPlacement = DatasetPlacement()
    """Where and how fast: never part of the key."""
