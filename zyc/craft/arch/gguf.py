"""The tensors of a GGUF and their bytes by type, as llama.cpp's converter and quantizer choose them; pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from zyc.craft import arch
from zyc.craft.arch.mixture import BLOCKS, FALLBACK, USUAL, Choice, Tensor, type_of
from zyc.types import Model

TYPES = tuple(USUAL)
ALIGNMENT = 32
NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "qkv_proj": "attn_qkv", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "gate_up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip


class Told(NamedTuple):
    """A tensor, the type that it gets, and its bytes."""

    name: str
    type: str
    bytes: int


def tensors(model: Model) -> tuple[Tensor, ...]:
    """The tensors of a model as its GGUF holds them; empty when the shape is not known."""
    told = arch.shape(model)
    if told is None:
        return ()
    found = [Tensor("token_embd.weight", told.width, told.vocabulary)]
    for at in range(told.layers):
        for each in arch.linears(model):
            name = f"blk.{at}.{NAMES[each.name]}"
            found.append(Tensor(f"{name}.weight", each.into, each.out, at))
            if each.biased:
                found.append(Tensor(f"{name}.bias", each.out, 1, at))
        found += [Tensor(f"blk.{at}.{name}.weight", size, 1, at) for name, size in _norms(told)]
    found.append(Tensor("output_norm.weight", told.width))
    if not told.tied:
        found.append(Tensor("output.weight", told.width, told.vocabulary))
    return tuple(found)


def _norms(told: arch.Shape) -> Iterator[tuple[str, int]]:
    yield from (("attn_norm", told.width), ("ffn_norm", told.width))
    if arch.NORMS.get(told.family, 2) == 4:
        yield from (("post_attention_norm", told.width), ("post_ffw_norm", told.width))
    if told.family in arch.QUERY_NORMS:
        yield from (("attn_q_norm", told.head_size), ("attn_k_norm", told.head_size))


def rows_bytes(kind: str, row: int, rows: int) -> int:
    """The bytes of so many rows of a type."""
    size, weights = BLOCKS[kind]
    return math.ceil(row / weights) * size * rows


def quantized(model: Model, choice: Choice | str) -> tuple[Told, ...]:
    """Every tensor with the type that a file of this type gives it."""
    told = arch.shape(model)
    if told is None:
        return ()
    choice = Choice(choice) if isinstance(choice, str) else choice
    chosen = []
    for each in tensors(model):
        name = type_of(each, told, choice) if each.is_matrix else "F32"
        size = rows_bytes(name, each.row, each.rows)
        chosen.append(Told(each.name, name, size + -size % ALIGNMENT))
    return tuple(chosen)


def tensor_bytes(model: Model, choice: Choice | str) -> int | None:
    """The bytes of all tensors of a file of this type; the header comes on top."""
    return sum(each.bytes for each in quantized(model, choice)) or None


def header_bytes(model: Model) -> int | None:
    """About what the header takes: names of tensors, and the tokenizer's pieces with scores or merges."""
    told = arch.shape(model)
    if told is None:
        return None
    piece = 8 + 7 + 4 + (4 if (model.form or "").startswith("sentencepiece") else 8 + 9)
    return 4096 + 64 * len(tensors(model)) + told.vocabulary * piece


def file_bytes(model: Model, choice: Choice | str) -> int | None:
    """About what a file of this type takes: its tensors exactly, its header nearly."""
    body, header = tensor_bytes(model, choice), header_bytes(model)
    return None if body is None or header is None else body + header


def uncut(model: Model, choice: Choice | str) -> tuple[str, ...]:
    """The matrices that a file of this type cannot hold at all: its blocks do not cut their rows, and no other type stands in."""
    choice = Choice(choice) if isinstance(choice, str) else choice
    usual = USUAL[choice.kind]
    if usual in FALLBACK or BLOCKS[usual][1] <= 32:
        return ()
    return tuple(each.name for each in tensors(model) if each.is_matrix and each.row % BLOCKS[usual][1])


def fallbacks(model: Model, block: int = 256) -> tuple[str, ...]:
    """The matrices of a layer whose rows are no multiple of a block, so that they are given another type."""
    return tuple(each.name for each in arch.linears(model) if each.into % block)
