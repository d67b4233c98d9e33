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


@dataclass(frozen=True, slots=True)
class Tokenizer(Artifact):
    """Text <-> token ids, with the template that makes a prompt of a chat."""

    says: ClassVar[str] = "a tokenizer"
    identity: str | None = None  # equal when ids and template are: the repository of a public one, else a digest
    form: str | None = None  # `sentencepiece-bpe`, `sentencepiece-unigram`, `byte-bpe`
    vocabulary: int | None = None  # ids that it may give
    template: str | None = None  # the name of a chat template that zyc knows, `own`, or empty for none
    marked: bool | None = None  # whether it has a form that tells what an assistant says
    begins: int | None = None  # how many BOS stand before a rendered chat: 0 or 1
    end_of_turn: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Model(Artifact):
    """Weights, a configuration and a tokenizer."""

    says: ClassVar[str] = "a model"
    name: str | None = None  # of a public one: `mistralai/Mistral-7B-Instruct-v0.3`
    family: str | None = None  # the `model_type` of its configuration: llama, mistral, qwen2, qwen3, gemma, gemma2, phi3, ...
    layers: int | None = None
    width: int | None = None
    mlp: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_size: int | None = None
    vocabulary: int | None = None  # rows of the embedding
    context: int | None = None
    window: int | None = None  # of layers that look back only so far
    tied: bool | None = None  # the output is the embedding
    biased: bool | None = None  # q, k and v have biases
    dtype: str | None = None  # of the weights that lie on disk: bf16, fp16, fp32
    quantized: str | None = None  # empty, or how the weights were made smaller: `bnb-4bit`, `awq`, `gptq`, `fp8`
    licence: str | None = None
    gated: bool | None = None
    code: bool | None = None  # it brings Python of its own
    tokenizer: str | None = None  # see Tokenizer, for these and the next
    form: str | None = None
    ids: int | None = None  # that the tokenizer may give; never more than `vocabulary`
    template: str | None = None
    marked: bool | None = None
    begins: int | None = None
    end_of_turn: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset(Artifact):
    """Rows in parquet shards, split, with a card."""

    says: ClassVar[str] = "a dataset"
    format: str | None = None  # messages, prompt-completion, preference, unpaired, questions, text
    rows: int | None = None  # of all splits, as far as it is known before cleaning
    tokens: int | None = None  # of all splits, guessed from bytes
    test: float | None = None  # the share that is held out; 0 for none
    turns: str | None = None  # of chats: `single`, `multi`
    licence: str | None = None
    prompted: int | None = 0  # tokens that prompts put before each question, at most and guessed; 0 where none does
    columns: tuple[str, ...] | None = None  # that any of its rows has, where that is sure


@dataclass(frozen=True, slots=True)
class Prompt(Artifact):
    """A persona: what stands before a question, and how answers are drawn."""

    says: ClassVar[str] = "a prompt"
    system: str | None = None
    tokens: int | None = None  # of what stands before a question, guessed
    looks_up: str | None = None  # what finds passages for a question: `hashing`, `model`; empty for none


@dataclass(frozen=True, slots=True)
class Adapter(Artifact):
    """A small change of a model, kept apart from it."""

    says: ClassVar[str] = "an adapter"
    base: tuple[object, ...] | None = None  # the facts of the model that it changes, see `model_of`
    method: str | None = None  # lora, qlora, dora
    rank: int | None = None
    parameters: int | None = None
    dtype: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Scorer(Artifact):
    """A model that gives an answer a number."""

    says: ClassVar[str] = "a scorer"
    base: tuple[object, ...] | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Gguf(Artifact):
    """A model in the format of llama.cpp."""

    says: ClassVar[str] = "a GGUF"
    base: tuple[object, ...] | None = None  # the facts of the model that it was made of
    type: str | None = None  # F16, Q4_K_M, ...
    bytes: int | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Onnx(Artifact):
    """A model as a graph of ONNX, with its tokenizer beside it."""

    says: ClassVar[str] = "an ONNX model"
    base: tuple[object, ...] | None = None  # the facts of the model that it was made of, for this and the next two
    type: str | None = None  # fp32, fp16, int8, q4
    bytes: int | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Mlc(Artifact):
    """A model in the format of MLC: weights and configuration for a browser."""

    says: ClassVar[str] = "an MLC model"
    base: tuple[object, ...] | None = None
    type: str | None = None  # q4f16_1
    bytes: int | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class HfQuant(Artifact):
    """Weights made smaller for accelerators: awq, gptq, fp8, int8."""

    says: ClassVar[str] = "a quantized model for GPUs"
    base: tuple[object, ...] | None = None
    type: str | None = None
    bytes: int | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Report(Artifact):
    """What an evaluation found: numbers, the rows behind them, tables and pictures."""

    says: ClassVar[str] = "a report"
    tasks: tuple[str, ...] | None = None
    measures: tuple[str, ...] | None = None  # of its tasks, as patterns


@dataclass(frozen=True, slots=True)
class Bundle(Artifact):
    """All that serves a model: its files, what runs it, its card and what it is made of."""

    says: ClassVar[str] = "a bundle"
    target: str | None = None
    bytes: int | None = None  # of the model's files
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Index(Artifact):
    """Passages that can be found by what they say."""

    says: ClassVar[str] = "an index"
    licence: str | None = None
    tokens: int | None = None  # of the passages that stand before a question, at most
    embedder: str | None = None  # `hashing`, `model`


def values_of(artifact: Artifact) -> tuple[object, ...]:
    """The facts as a plain tuple, for another artifact to carry along."""
    return tuple(value for _, value in facts_of(artifact))


def model_of(values: tuple[object, ...] | None) -> Model:
    """The model whose facts were carried along."""
    return Model(*values) if values else Model()  # type: ignore[arg-type]


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
