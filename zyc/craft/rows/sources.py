"""Where rows come from, as a spec says it: files, other datasets, the hub, a grammar, a model."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.kind import Fields
from zyc.types import Artifact, Dataset, Model

TYPES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
    ".txt": "txt", ".text": "txt", ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".pdf": "pdf",
}  # fmt: skip
DOCUMENTS = ("txt", "md", "html", "pdf")
HEADED = ("jsonl", "json", "csv", "tsv")  # the first row tells what all are like
_BOUND = re.compile(r"\s*(\S+)\s*(>=|>)\s*(-?[0-9.]+)\s*")


def type_of(path: str) -> str:
    """What a file holds, by its ending; empty for a folder, or for what is not known."""
    name = path.lower().removesuffix(".gz").rsplit("/", 1)[-1]
    return TYPES.get(f".{name.rsplit('.', 1)[1]}", "") if "." in name else ""


def rows_are_lines(path: str, per: str) -> bool:
    """Whether the rows of a file can be counted as lines."""
    kind = type_of(path)
    return not path.lower().endswith(".gz") and (kind in ("jsonl", "csv", "tsv") or (kind in ("txt", "md") and per == "line"))


class Source(Fields):
    """One of several sources: a file of yours or another dataset, with its share of a mixture."""

    node: fields.Ref[Dataset] | None = None
    """Another dataset."""
    path: fields.FilePath | None = None
    """A file, a folder or a glob."""
    weight: fields.Share | None = Field(None, gt=0, le=1)
    """Its share of the rows, such as `30%`."""


def read_sources(value: object) -> object:
    """`a.jsonl`, `[a.jsonl, old]`, `{old: 30%, new: 70%}`: a plain word is a node, what has a dot or a slash is a path."""
    if isinstance(value, dict) and list(value) != ["select"]:
        rows = [{**_source(fields.Plain(name)), "weight": each} for name, each in value.items()]
        return sorted(rows, key=lambda row: fields.weight_of(row["weight"]), reverse=True)
    return [_source(each) for each in (value if isinstance(value, list | tuple) else [value])]


def _source(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return {"node": value} if list(value) == ["select"] else value
    text = fields.read_text(value)
    is_path = ("/" in text or "." in text) and "@" not in text
    return {"path" if is_path else "node": value}


def read_balance(value: object) -> object:
    """`even`, or a share or a number of items for each value."""
    return {} if isinstance(value, str) and value == "even" else value


Balance = Annotated[
    dict[fields.Text, Annotated[fields.Share, Field(gt=0)]], BeforeValidator(read_balance), fields.Shorter("string")
]


class Holdout(Fields):
    """Combinations of values of some slots that only the held-out side has; each value by itself is on both sides."""

    slots: fields.Texts = Field(min_length=1)
    """The slots whose combinations are held out, such as `[cause, effect]`; `form` is one, too."""
    share: fields.Share = Field(0.1, gt=0, lt=1)
    """The share of combinations, such as `10%`."""
    combinations: tuple[fields.Texts, ...] = ()
    """These combinations instead of a share: a list of lists of values."""
    seed: fields.Integer = 0
    """Which combinations are held out; datasets that share a grammar and a hold-out agree on them."""


class Generate(Fields):
    """Rows that a grammar writes."""

    grammar: fields.FilePath
    """The file of the grammar, such as `specs/data/chats.grammar.yml`."""
    count: fields.Amount = Field(ge=1)
    """How many items, copies included."""
    balance: dict[fields.Text, Balance] = Field(default_factory=dict)
    """How often each value of a slot occurs: `{voice: {one: 600, two: 300}, form: even}`, as shares or as numbers of items."""
    holdout: Holdout | None = None
    """Combinations that only the held-out side has: `{slots: [cause, effect], share: 10%}`."""
    side: Literal["both", "train", "test"] = "both"
    """Write both sides, or only what is held out (`test`) or is not (`train`): for an exam beside what is trained on."""
    copies: fields.Integer | None = Field(None, ge=0)
    """How many copies each item has, in place of what the grammar says: `0` for an exam."""
    seed: fields.Integer = 0
    """Which items are written."""


class Keep(Fields):
    """What a written row must be worth, and who says so."""

    judge: fields.Ref[Artifact]
    """A scorer, or a model that is asked for a number from 1 to 5."""
    least: fields.Number
    """What the judge must give at least."""


def read_keep(value: object) -> object:
    """`judge >= 4`."""
    if not isinstance(value, str):
        return value
    found = _BOUND.fullmatch(value)
    if found is None or found[2] != ">=":
        fields.wrong("a judge and a bound such as `judge >= 4`", value)
    return {"judge": fields.Plain(found[1]), "least": fields.Plain(found[3])}


class Written(Fields):
    """Rows that a model writes from the rows of another dataset."""

    by: fields.Ref[Model]
    """The model that writes."""
    source: fields.Ref[Dataset] = Field(alias="from")
    """The dataset whose rows it starts from."""
    prompt: fields.Text
    """What the model is asked, with the row's texts in it: `Translate into French: {question}`; `{row}` is all of it."""
    into: fields.Text
    """Where its answer goes: a column, or `user` and `assistant` for the last message of that role."""
    count: fields.Amount | None = Field(None, ge=1)
    """Start from so many rows only, the first ones."""
    times: fields.Integer = Field(1, ge=1)
    """How many rows are written from each."""
    keep: Annotated[Keep, BeforeValidator(read_keep), fields.Shorter("string")] | None = None
    """Keep what a judge finds good enough: `judge >= 4`."""
    temperature: fields.Number = Field(0.8, ge=0)
    """How freely the model draws; 0 always takes the likeliest token."""
    max_tokens: fields.Integer = Field(256, ge=1)
    """The longest answer."""
    seed: fields.Integer = 0
    """Which answers are drawn."""
