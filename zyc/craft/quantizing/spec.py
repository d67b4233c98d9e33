"""The fields of a quant and of its proof, whatever the format; which of them a format reads, it says itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from zyc import fields
from zyc.kind import Fields, Placement, Spec
from zyc.types import Artifact, Dataset, Model

Name = Literal["gguf", "onnx", "awq", "gptq", "fp8", "int8", "mlc"]


class Budget(Fields):
    """What the result may take, in place of a type: the best type that fits is chosen."""

    size: fields.Bytes | None = None
    """The most that the files may take, such as `512 MB`."""
    memory: fields.Bytes | None = None
    """The most memory that answering may take: weights, cache and buffers."""
    context: fields.Integer = Field(4096, ge=8)
    """Tokens that the cache must hold, for `memory`."""


class Metadata(Fields):
    """What the file says of itself, beside what it tells of its base."""

    name: fields.Text = ""
    """What the model is called."""
    author: fields.Text = ""
    """Who made it."""
    version: fields.Text = ""
    """Which of its versions this is."""
    description: fields.Text = ""
    """What it is for, in a sentence."""
    licence: fields.Text = ""
    """The licence by its short name, where the base's is not known."""
    url: fields.Text = ""
    """Where it is told about."""


class QuantSpec(Spec):
    """The fields of a quant."""

    model: fields.Ref[Model]
    """The model, in all of its bits."""
    format: Name = "gguf"
    """What it becomes: a `gguf` for llama.cpp, an `onnx` graph; `awq`, `gptq`, `fp8` or `int8` for accelerators; `mlc`."""
    type: fields.Text = ""
    """How many bits, in the words of the format: `Q4_K_M`; or one of the presets `web-q4`, `web-q8`, `web-f16`, `web-f32`."""
    budget: Budget | None = None
    """What it may take, in place of `type`: the best type that fits is chosen."""
    imatrix: fields.Ref[Dataset] | None = None
    """Texts that show which weights matter; types of less than 3 bits need them."""
    calibration: fields.Ref[Dataset] | None = None
    """Texts that `awq`, `gptq` and `int8` look at before they round: a few hundred such as the model will see."""
    on: fields.Device | None = None
    """The class of machine that it is for, such as `h100`: a format that has no kernels there is refused."""
    shards: fields.Bytes | None = None
    """The most that one file may take, such as `200 MB`; one file when not given."""
    overrides: dict[fields.Text, fields.Text] = Field(default_factory=dict)
    """Types of single tensors by a pattern of their names: `{ffn_down: Q6_K}`; the first that is found in a name counts."""
    metadata: Metadata = Metadata()
    """What the file says of itself."""
    placement: Placement = Placement()
    """Where and how fast it is made: never part of the key."""


class FidelitySpec(Spec):
    """The fields of a fidelity."""

    subject: fields.Ref[Artifact]
    """The quantized model."""
    against: fields.Ref[Artifact]
    """The model as it was before, in the form that the format is made of."""
    model: fields.Ref[Model]
    """The model with its tokenizer, as transformers reads it."""
    format: Name = "gguf"
    """What it became."""
    chats: fields.Ref[Dataset] | None = None
    """Chats that nobody trained on: those of the nearest dataset that the model stands on."""
