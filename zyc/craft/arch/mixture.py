"""Which type llama.cpp's quantizer gives each tensor of a file, rule by rule as the pinned version has them; pure arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from zyc.craft import arch

# bytes of a block, and how many weights it holds
BLOCKS: Mapping[str, tuple[int, int]] = {
    "F32": (4, 1), "F16": (2, 1), "BF16": (2, 1),
    "Q4_0": (18, 32), "Q4_1": (20, 32), "Q5_0": (22, 32), "Q5_1": (24, 32), "Q8_0": (34, 32), "IQ4_NL": (18, 32),
    "MXFP4": (17, 32),
    "Q2_K": (84, 256), "Q3_K": (110, 256), "Q4_K": (144, 256), "Q5_K": (176, 256), "Q6_K": (210, 256), "IQ4_XS": (136, 256),
    "IQ1_S": (50, 256), "IQ1_M": (56, 256), "IQ2_XXS": (66, 256), "IQ2_XS": (74, 256), "IQ2_S": (82, 256),
    "IQ3_XXS": (98, 256), "IQ3_S": (110, 256), "TQ1_0": (54, 256), "TQ2_0": (66, 256), "Q1_0": (18, 128), "Q2_0": (18, 64),
}  # fmt: skip
PLAIN = ("F32", "F16", "BF16")
SMALL_I = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M")
# what a matrix becomes whose rows the blocks of a type cannot cut
FALLBACK = {
    "Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
    "TQ1_0": "Q4_0", "TQ2_0": "Q4_0", "Q2_0": "Q4_0", "IQ4_XS": "IQ4_NL", "IQ3_S": "IQ4_NL", "IQ3_XXS": "IQ4_NL",
    "IQ2_S": "IQ4_NL", "IQ2_XS": "IQ4_NL", "IQ2_XXS": "IQ4_NL", "IQ1_M": "IQ4_NL", "IQ1_S": "IQ4_NL",
}  # fmt: skip
# what most matrices of a file become
USUAL = {
    "Q2_K": "Q2_K", "Q2_K_S": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K", "Q4_K_S": "Q4_K", "Q4_K_M": "Q4_K",
    "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K", "Q4_0": "Q4_0", "Q4_1": "Q4_1", "Q5_0": "Q5_0", "Q5_1": "Q5_1",
    "Q8_0": "Q8_0", "IQ4_NL": "IQ4_NL", "IQ4_XS": "IQ4_XS", "IQ3_M": "IQ3_S", "IQ3_S": "IQ3_S", "IQ3_XS": "IQ3_S",
    "IQ3_XXS": "IQ3_XXS", "IQ2_M": "IQ2_S", "IQ2_S": "IQ2_XS", "IQ2_XS": "IQ2_XS", "IQ2_XXS": "IQ2_XXS", "IQ1_M": "IQ1_M",
    "IQ1_S": "IQ1_S", "TQ1_0": "TQ1_0", "TQ2_0": "TQ2_0", "MXFP4_MOE": "MXFP4", "Q1_0": "Q1_0", "Q2_0": "Q2_0",
    "F16": "F16", "BF16": "BF16", "F32": "F32",
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

    @property
    def part(self) -> str:
        """Which matrix of a layer it is: `attn_v`; nothing for the others."""
        return self.name.split(".")[-2] if self.name.startswith("blk.") else ""


class Choice(NamedTuple):
    """A file type, and what else decides the types of its tensors."""

    kind: str
    imatrix: bool = False
    overrides: tuple[tuple[str, str], ...] = ()  # (pattern, type): the first that is found in a name counts


def type_of(tensor: Tensor, told: arch.Shape, choice: Choice) -> str:
    """The type of a matrix."""
    if choice.kind in PLAIN:
        return choice.kind
    named = _named(tensor.name, choice.overrides)
    return fitting(named or _chosen(tensor, told, choice), tensor.row)


def _named(name: str, overrides: Iterable[tuple[str, str]]) -> str:
    return next((kind for pattern, kind in overrides if re.search(pattern, name)), "")


def _chosen(tensor: Tensor, told: arch.Shape, choice: Choice) -> str:
    kind, usual = choice.kind, USUAL[choice.kind]
    if tensor.name == "output.weight" or (told.tied and tensor.name == "token_embd.weight"):
        if kind == "MXFP4_MOE" or tensor.row % BLOCKS[usual][1]:
            return "Q8_0"
        if kind in (*SMALL_I, "IQ3_XXS"):
            return "Q5_K"
        return usual if usual == "Q8_0" else "Q6_K"
    if kind == "MXFP4_MOE":  # only experts are stored in that type
        return "Q8_0"
    if tensor.name == "token_embd.weight":
        return _EMBEDDING.get(kind, usual)
    wanted = _of_small_types(tensor, told, kind) if kind in SMALL_I else _wanted(tensor, told, choice)
    return wanted or usual


_EMBEDDING = {
    "IQ2_XXS": "Q2_K", "IQ2_XS": "Q2_K", "IQ1_S": "Q2_K", "IQ1_M": "Q2_K", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S", "IQ3_XXS": "IQ3_S",
    "TQ1_0": "Q4_K", "TQ2_0": "Q4_K", "Q2_0": "Q4_K",
}  # fmt: skip


def fitting(kind: str, row: int) -> str:
    """The type that a row of this length can have."""
    if row % BLOCKS[kind][1]:
        kind = FALLBACK.get(kind, kind)
    return "F16" if row % BLOCKS[kind][1] else kind


def _of_small_types(tensor: Tensor, told: arch.Shape, kind: str) -> str | None:
    larger = "IQ3_S" if kind in ("IQ2_S", "IQ2_M") else "Q2_K"
    if tensor.part in {"attn_v", "attn_qkv"}:
        return "Q4_K" if told.heads // told.kv_heads >= 4 else larger
    if tensor.part == "ffn_down":
        return larger if tensor.layer < told.layers // 8 else None
    if tensor.part == "attn_output":
        return "IQ2_XXS" if kind in ("IQ1_S", "IQ1_M") else "IQ3_S" if kind in ("IQ2_S", "IQ2_M") else None
    return None


def _wanted(tensor: Tensor, told: arch.Shape, choice: Choice) -> str | None:
    """The type that the quantizer gives to what matters more, or less; None for the usual one."""
    kind, layer, layers, part = choice.kind, tensor.layer, told.layers, tensor.part
    more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    if part in {"attn_v", "attn_qkv"}:
        value = _of_values(kind, layer, more=more, shared=told.heads // told.kv_heads >= 4, imatrix=choice.imatrix)
        # the 70B of Llama shares each value among eight heads: a little more costs nearly nothing there
        return "Q5_K" if layers == 80 and (value or USUAL[kind]) in {"Q3_K", "Q4_K"} else value
    if part == "ffn_down":
        return _of_down(kind, layer, layers, more=more, imatrix=choice.imatrix)
    if part == "attn_output":
        return {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}.get(kind)
    if part in {"attn_k", "attn_q"}:
        return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(kind)
    if part in {"ffn_gate", "ffn_up"} and kind == "IQ3_XS" and layers // 8 <= layer < 7 * layers // 8:
        return "IQ3_XXS"
    return None


def _of_values(kind: str, layer: int, *, more: bool, shared: bool, imatrix: bool) -> str | None:
    return {
        "Q2_K": "Q4_K" if shared else "Q3_K",
        "Q2_K_S": "Q4_K" if shared else None,
        "IQ3_XXS": "Q4_K" if shared else "IQ3_XXS" if imatrix else "IQ3_S",
        "IQ3_XS": "Q4_K" if shared else None,
        "IQ3_S": "Q4_K" if shared else None,
        "IQ3_M": "Q4_K",
        "Q3_K_M": "Q5_K" if layer < 2 else "Q4_K",
        "Q3_K_L": "Q5_K",
        "Q4_K_S": "Q5_K" if layer < 4 else None,
        "Q4_K_M": "Q6_K" if more else None,
        "Q5_K_M": "Q6_K" if more else None,
        "IQ4_NL": "Q5_K" if shared else None,
        "IQ4_XS": "Q5_K" if shared else None,
    }.get(kind)


def _of_down(kind: str, layer: int, layers: int, *, more: bool, imatrix: bool) -> str | None:
    first = layer < layers // 8
    return {
        "Q2_K": "Q3_K",
        "Q2_K_S": "Q4_K" if first else None,
        "IQ3_XXS": None if imatrix else "Q4_K" if first else "Q3_K",
        "Q3_K_M": "Q5_K" if layer < layers // 16 else "Q4_K",
        "IQ3_M": "Q4_K" if first else None,
        "Q3_K_L": "Q5_K",
        "Q4_K_S": "Q5_K" if first else None,
        "Q4_K_M": "Q6_K" if more else None,
        "Q5_K_M": "Q6_K" if more else None,
        "IQ4_NL": "Q5_K" if first and not imatrix else None,
        "IQ4_XS": "Q5_K" if first and not imatrix else None,
        "Q4_0": "Q4_1" if first and imatrix else None,
        "Q5_0": "Q5_1" if first and imatrix else None,
    }.get(kind)
