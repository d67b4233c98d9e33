"""The tensors of a GGUF and their bytes by type, as llama.cpp's converter and quantizer choose them; pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from zyc.craft import arch
from zyc.types import Model

# bytes of a block, and how many weights it holds
BLOCKS: Mapping[str, tuple[int, int]] = {
    "F32": (4, 1), "F16": (2, 1), "BF16": (2, 1),
    "Q4_0": (18, 32), "Q4_1": (20, 32), "Q5_0": (22, 32), "Q5_1": (24, 32), "Q8_0": (34, 32), "IQ4_NL": (18, 32),
    "Q2_K": (84, 256), "Q3_K": (110, 256), "Q4_K": (144, 256), "Q5_K": (176, 256), "Q6_K": (210, 256), "IQ4_XS": (136, 256),
}  # fmt: skip
PLAIN = ("F32", "F16", "BF16")
# what a matrix becomes whose rows are no multiple of 256
FALLBACK = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0", "IQ4_XS": "IQ4_NL"}
# what most matrices of a file become
USUAL = {
    "Q2_K": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_K_S": "Q4_K", "Q4_K_M": "Q4_K",
    "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q4_0": "Q4_0", "Q4_1": "Q4_1", "Q5_0": "Q5_0", "Q5_1": "Q5_1",
    "Q8_0": "Q8_0", "IQ4_NL": "IQ4_NL", "IQ4_XS": "IQ4_XS", "F16": "F16", "BF16": "BF16", "F32": "F32",
}  # fmt: skip
TYPES = tuple(USUAL)
ALIGNMENT = 32
NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "qkv_proj": "attn_qkv", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "gate_up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip


class Tensor(NamedTuple):
    """One tensor: its name, the length of a row, how many rows; one row for norms and biases."""

    name: str
    row: int
    rows: int = 1
    layer: int = 0

    @property
    def is_matrix(self) -> bool:
        """Whether it is stored in a smaller type; norms and biases stay F32."""
        return self.rows > 1


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


def quantized(model: Model, kind: str) -> tuple[Told, ...]:
    """Every tensor with the type that a file of this type gives it."""
    told = arch.shape(model)
    if told is None:
        return ()
    chosen = []
    for each in tensors(model):
        name = _type_of(each, told, kind) if each.is_matrix else "F32"
        size = rows_bytes(name, each.row, each.rows)
        chosen.append(Told(each.name, name, size + -size % ALIGNMENT))
    return tuple(chosen)


def tensor_bytes(model: Model, kind: str) -> int | None:
    """The bytes of all tensors of a file of this type; the header comes on top."""
    return sum(each.bytes for each in quantized(model, kind)) or None


def header_bytes(model: Model) -> int | None:
    """About what the header takes: names of tensors, and the tokenizer's pieces with scores or merges."""
    told = arch.shape(model)
    if told is None:
        return None
    piece = 8 + 7 + 4 + (4 if (model.form or "").startswith("sentencepiece") else 8 + 9)
    return 4096 + 64 * len(tensors(model)) + told.vocabulary * piece


def file_bytes(model: Model, kind: str) -> int | None:
    """About what a file of this type takes: its tensors exactly, its header nearly."""
    body, header = tensor_bytes(model, kind), header_bytes(model)
    return None if body is None or header is None else body + header


def fallbacks(model: Model) -> tuple[str, ...]:
    """The matrices of a layer whose rows are no multiple of 256, so that K-quants give them another type."""
    return tuple(each.name for each in arch.linears(model) if each.into % 256)


def _type_of(tensor: Tensor, told: arch.Shape, kind: str) -> str:
    if kind in PLAIN:
        return kind
    usual = USUAL[kind]
    if tensor.name == "output.weight" or (told.tied and tensor.name == "token_embd.weight"):
        if tensor.row % 256:
            return "Q8_0" if tensor.row % 32 == 0 else "F16"
        return usual if usual == "Q8_0" else "Q6_K"
    name = tensor.name.split(".")[-2] if tensor.name.startswith("blk.") else ""
    return _fitting(_wanted(name, tensor.layer, told, kind) or usual, tensor.row)


def _fitting(kind: str, row: int) -> str:
    """The type that a row of this length can have."""
    if BLOCKS[kind][1] == 256 and row % 256:
        kind = FALLBACK[kind]
    return "F16" if row % BLOCKS[kind][1] else kind


def _wanted(name: str, layer: int, told: arch.Shape, kind: str) -> str | None:
    """The larger type that the quantizer gives to what matters more; None for the usual one."""
    layers, shared = told.layers, told.heads // told.kv_heads
    more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    if name in {"attn_v", "attn_qkv"}:
        value = {
            "Q2_K": "Q4_K" if shared >= 4 else "Q3_K",
            "Q3_K_M": "Q5_K" if layer < 2 else "Q4_K",
            "Q3_K_L": "Q5_K",
            "Q4_K_S": "Q5_K" if layer < 4 else None,
            "Q4_K_M": "Q6_K" if more else None,
            "Q5_K_M": "Q6_K" if more else None,
            "IQ4_NL": "Q5_K" if shared >= 4 else None,
            "IQ4_XS": "Q5_K" if shared >= 4 else None,
        }.get(kind)
        # the 70B of Llama shares each value among eight heads: a little more costs nearly nothing there
        return "Q5_K" if layers == 80 and (value or USUAL[kind]) in {"Q3_K", "Q4_K"} else value
    larger: Mapping[str, Mapping[str, str | None]] = {
        "ffn_down": {
            "Q2_K": "Q3_K",
            "Q3_K_M": "Q5_K" if layer < layers // 16 else "Q4_K",
            "Q3_K_L": "Q5_K",
            "Q4_K_S": "Q5_K" if layer < layers // 8 else None,
            "Q4_K_M": "Q6_K" if more else None,
            "Q5_K_M": "Q6_K" if more else None,
            "IQ4_NL": "Q5_K" if layer < layers // 8 else None,
            "IQ4_XS": "Q5_K" if layer < layers // 8 else None,
        },
        "attn_output": {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"},
    }
    return larger.get(name, {}).get(kind)
