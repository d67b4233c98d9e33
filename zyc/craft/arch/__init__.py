"""What an architecture is made of: matrices, parameters and bytes, from a few facts of its configuration; pure arithmetic.

A question about a model whose facts are not all known, or of a family that is not listed here, is answered with None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from zyc.types import Model

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gemma3_text", "phi3")
SPLIT = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FUSED = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
ATTENTION = ("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj")
NORMS = {"gemma2": 4, "gemma3": 4, "gemma3_text": 4}  # of the width, a layer; 2 elsewhere
QUERY_NORMS = ("qwen3", "gemma3", "gemma3_text")  # q and k have norms of a head's size
BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0, "fp8": 1.0}
NF4 = 0.516  # bytes a weight, with double quantization: 4 bits, 8 bits for each 64, 32 bits for each 256 of those
NF4_SINGLE = 0.5625


class Linear(NamedTuple):
    """One matrix of a layer, by the name that adapters target it with."""

    name: str
    into: int
    out: int
    biased: bool = False

    @property
    def parameters(self) -> int:
        """Its weights and biases."""
        return self.into * self.out + (self.out if self.biased else 0)


class Shape(NamedTuple):
    """The facts that decide every size, all of them known."""

    family: str
    layers: int
    width: int
    mlp: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    biased: bool
    window: int | None


def shape(model: Model) -> Shape | None:
    """The shape of a model of a family that is known here; None while a fact is missing."""
    sizes = (model.layers, model.width, model.mlp, model.heads, model.vocabulary)
    if model.family not in FAMILIES or any(each is None or each < 1 for each in sizes):
        return None
    layers, width, mlp, heads, vocabulary = (each for each in sizes if each is not None)
    tied = model.tied if model.tied is not None else model.family.startswith("gemma")
    biased = model.biased if model.biased is not None else model.family == "qwen2"
    head_size = model.head_size or width // heads
    kv_heads = model.kv_heads or heads
    return Shape(model.family, layers, width, mlp, heads, kv_heads, head_size, vocabulary, tied, biased, model.window)


def flaw(model: Model) -> tuple[str, str] | None:
    """The fact that cannot be and why, of a shape that somebody wrote: `heads`, `12 heads do not share 5 pairs...`."""
    if model.heads and model.kv_heads and model.heads % model.kv_heads:
        return "kv_heads", f"{model.heads} heads cannot be shared out over {model.kv_heads} pairs of keys and values"
    if model.heads and model.width and not model.head_size and model.width % model.heads:
        return "heads", f"a width of {model.width} cannot be cut into {model.heads} heads"
    size = model.head_size or (model.width // model.heads if model.width and model.heads else None)
    if size is not None and size % 2:
        return "head_size" if model.head_size else "heads", f"heads of {size} are odd: positions are turned in pairs"
    return None


def linears(model: Model) -> tuple[Linear, ...]:
    """The matrices of one layer, in the order of the computation; empty when the shape is not known."""
    told = shape(model)
    if told is None:
        return ()
    query, pair = told.heads * told.head_size, told.kv_heads * told.head_size
    out = Linear("o_proj", query, told.width)
    down = Linear("down_proj", told.mlp, told.width)
    if told.family == "phi3":
        fused = Linear("qkv_proj", told.width, query + 2 * pair, told.biased)
        return (fused, out, Linear("gate_up_proj", told.width, 2 * told.mlp), down)
    return (
        Linear("q_proj", told.width, query, told.biased),
        Linear("k_proj", told.width, pair, told.biased),
        Linear("v_proj", told.width, pair, told.biased),
        out,
        Linear("gate_proj", told.width, told.mlp),
        Linear("up_proj", told.width, told.mlp),
        down,
    )


def norm_values(told: Shape) -> int:
    """The values of the norms of one layer."""
    return NORMS.get(told.family, 2) * told.width + (2 * told.head_size if told.family in QUERY_NORMS else 0)


def parameters(model: Model) -> int | None:
    """How many there are, exactly; a tied output counts once."""
    told = shape(model)
    if told is None:
        return None
    layer = sum(each.parameters for each in linears(model)) + norm_values(told)
    return told.layers * layer + told.width + embedding_values(told)


def embedding_values(told: Shape) -> int:
    """The values of the embedding, and of the output where it is a matrix of its own."""
    return told.vocabulary * told.width * (1 if told.tied else 2)


def linear_values(model: Model) -> int:
    """The weights of all matrices of all layers: what 4-bit quantization makes smaller."""
    return (model.layers or 0) * sum(each.into * each.out for each in linears(model))


# --- adapters ---


def targeted(model: Model, targets: str | Iterable[str]) -> tuple[Linear, ...]:
    """The matrices of a layer that an adapter changes: `all-linear`, `attention`, `mlp`, or their names."""
    every = linears(model)
    if targets == "all-linear":
        return every
    if targets == "attention":
        return tuple(each for each in every if each.name in ATTENTION)
    if targets == "mlp":
        return tuple(each for each in every if each.name not in ATTENTION)
    names = {targets} if isinstance(targets, str) else set(targets)
    return tuple(each for each in every if each.name in names)


def adapter_parameters(model: Model, rank: int, targets: str | Iterable[str], *, dora: bool = False) -> int | None:
    """The parameters of a low-rank adapter; DoRA adds a length for each output."""
    if not linears(model):
        return None
    layer = sum(rank * (each.into + each.out) + (each.out if dora else 0) for each in targeted(model, targets))
    return (model.layers or 0) * layer


# --- bytes ---


def weight_bytes(model: Model, dtype: str | None = None) -> int | None:
    """The bytes of the weights, as they lie on disk unless a type is given."""
    count, size = parameters(model), BYTES.get(dtype or model.dtype or "bf16")
    return None if count is None or size is None else round(count * size)


def four_bit_bytes(model: Model, *, double: bool = True) -> int | None:
    """The bytes in memory when the matrices are NF4 and the rest is bf16."""
    count = parameters(model)
    if count is None:
        return None
    matrices = linear_values(model)
    return round(matrices * (NF4 if double else NF4_SINGLE) + 2 * (count - matrices))


def sliding_layers(told: Shape) -> int:
    """How many layers look back only as far as the window."""
    if not told.window:
        return 0
    if told.family == "gemma2":
        return (told.layers + 1) // 2
    if told.family in {"gemma3", "gemma3_text"}:
        return told.layers - told.layers // 6
    return told.layers


def cache_bytes(model: Model, tokens: int, *, value_bytes: float = 2.0) -> int | None:
    """The keys and values of a conversation of so many tokens; `34 / 32` bytes a value in q8_0."""
    told = shape(model)
    if told is None:
        return None
    sliding = sliding_layers(told)
    spans = (told.layers - sliding) * tokens + sliding * min(tokens, told.window or tokens)
    return math.ceil(2 * spans * told.kv_heads * told.head_size * value_bytes)


def compute_buffer_bytes(model: Model, *, batch: int = 512) -> int | None:
    """What llama.cpp sets aside for the values between its layers."""
    told = shape(model)
    return None if told is None else batch * (4 * told.vocabulary + 4 * (2 * told.mlp + 4 * told.width))


def longer(model: Model, rows: int) -> Model:
    """The same model with so many more rows in its embedding."""
    return model if model.vocabulary is None else replace(model, vocabulary=model.vocabulary + rows)
