"""New models: the fields of a shape, what cannot be multiplied in it, and its facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from pydantic import Field

from zyc import fields
from zyc.craft import arch
from zyc.kind import Fields, Objection
from zyc.types import Artifact, Model, Tokenizer

Family = Literal["llama", "mistral", "qwen2", "qwen3", "gemma"]
LARGE = 40_000_000  # parameters from which on a rehearsal has a small one in its place: more cannot learn in minutes on a CPU
USUAL = 32_000  # pieces of a tokenizer that is not known
BLOCK = 256  # weights that K-quants keep together


class Scratch(Fields):
    """A new model: its shape, and how its weights begin."""

    family: Family
    """The architecture, as transformers has it."""
    layers: fields.Integer = Field(ge=1, le=1000)
    """How many layers it has."""
    heads: fields.Integer = Field(ge=1, le=1024)
    """How many heads a layer has."""
    kv_heads: fields.Integer | None = Field(None, ge=1, le=1024)
    """How many heads have keys and values of their own; all of them when not given."""
    head_size: fields.Integer | None = Field(None, ge=2, le=1024)
    """The width of a head; the model's shared out when not given."""
    width: fields.Integer = Field(ge=8, le=65536)
    """The width of the model."""
    mlp: fields.Integer = Field(ge=8, le=262144)
    """The width between the two halves of a layer's second part; multiples of 256 can be quantized well."""
    context: fields.Integer = Field(2048, ge=8, le=10_000_000)
    """How many tokens it can look back on."""
    window: fields.Integer | None = Field(None, ge=8)
    """How far each layer looks back, for `mistral`; all of the context when not given."""
    vocabulary: fields.Integer | None = Field(None, ge=256)
    """Rows of the embedding; as many as the tokenizer has when not given."""
    tied: fields.Flag = True
    """The output is the embedding: fewer parameters, better in small models."""
    rope: fields.Number = Field(10_000.0, gt=0)
    """The base of the rotary positions; larger for longer contexts."""
    init: Literal["standard", "copying"] = "standard"
    """`copying` lets a tiny model learn to copy words within seconds: what twins begin with."""
    deviation: fields.Number = Field(0.02, gt=0, le=1)
    """How far the first weights lie from nought."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """How the weights are written."""


def check(shape: Scratch, tokenizer: Artifact | None) -> Iterable[Objection]:
    """What cannot be multiplied, and what a family does not have."""
    facts = model(shape, tokenizer)
    flaw = arch.flaw(replace(facts, head_size=shape.head_size))  # what was not said cannot be at fault
    if flaw is not None:
        yield Objection(f"scratch.{flaw[0]}", flaw[1], "")
    if shape.window is not None and shape.family != "mistral":
        yield Objection(
            "scratch.window", f"the layers of {shape.family} look back on all of the context", "remove it, or `family: mistral`"
        )
    if shape.family == "gemma" and not shape.tied:
        yield Objection("scratch.tied", "the output of gemma is its embedding, always", "remove `tied: false`")
    if shape.family == "qwen2" and shape.head_size not in (None, shape.width // shape.heads):
        says = f"heads of qwen2 are as wide as the model shared out: {shape.width // shape.heads}, not {shape.head_size}"
        yield Objection("scratch.head_size", says, "remove it, or `family: qwen3`")
    ids = facts.ids or 0
    if shape.vocabulary is not None and shape.vocabulary < ids:
        says = f"the tokenizer gives ids up to {ids - 1:,}, and an embedding of {shape.vocabulary:,} rows ends before"
        yield Objection("scratch.vocabulary", says, f"`vocabulary: {ids}`, or leave it out")


def model(shape: Scratch, tokenizer: Artifact | None) -> Model:
    """The facts of a shape and of the tokenizer that it is given."""
    told = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer()
    return Model(
        family=shape.family,
        layers=shape.layers,
        width=shape.width,
        mlp=shape.mlp,
        heads=shape.heads,
        kv_heads=shape.kv_heads or shape.heads,
        head_size=shape.head_size or shape.width // shape.heads,
        vocabulary=shape.vocabulary or told.vocabulary,
        context=shape.context,
        window=shape.window,
        tied=shape.tied,
        biased=shape.family == "qwen2",
        dtype=shape.dtype,
        quantized="",
        licence=told.licence,
        gated=False,
        code=False,
        tokenizer=told.identity,
        form=told.form,
        ids=told.vocabulary,
        template=told.template,
        marked=told.marked,
        begins=told.begins,
        end_of_turn=told.end_of_turn,
    )


def notes(shape: Scratch) -> Iterable[Objection]:
    """Rows that are no multiple of 256 get another, larger type from K-quants."""
    for name in ("width", "mlp"):
        size = getattr(shape, name)
        if size % BLOCK:
            near = -(-size // BLOCK) * BLOCK
            says = f"{size} is no multiple of {BLOCK}: K-quants fall back to larger or worse types for such rows"
            yield Objection(f"scratch.{name}", says, f"`{name}: {near}` is the next one that is")


def small(shape: Scratch) -> Scratch:
    """The same family at toy size, which learns to copy within seconds; one that is small enough stays as it is."""
    count = arch.parameters(model(shape, Tokenizer(vocabulary=shape.vocabulary or USUAL)))
    if count is not None and count <= LARGE:
        return shape
    toy = {"layers": 4, "width": 256, "mlp": 512, "heads": 4, "kv_heads": 2, "head_size": 64, "tied": True, "init": "copying"}
    return shape.model_copy(
        update={**toy, "context": min(shape.context, 1024), "window": None, "vocabulary": None, "dtype": "fp32"}
    )
