"""A graph of ONNX in 32 bits -> one in fewer: 16-bit numbers, 8 bits a weight, or 4 bits a weight in blocks of 32."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import onnx

BLOCK = 32


def convert(source: Path, out: Path, kind: str, *, external: bool) -> None:
    """Write the graph as `fp32`, `fp16`, `int8` or `q4`."""
    logging.getLogger().setLevel(logging.WARNING)  # the converters tell of every node
    if kind == "fp32":
        for path in source.parent.glob(f"{source.name}*"):
            shutil.move(path, out.parent / path.name.replace(source.name, out.name))
        return
    {"fp16": to_fp16, "int8": to_int8, "q4": to_q4}[kind](source, out, external=external)


def to_fp16(source: Path, out: Path, *, external: bool) -> None:
    """Every number in 16 bits; logits and cache, too, as those who serve such files expect of the cache."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    told = convert_float_to_float16(onnx.load(str(source)), keep_io_types=["logits"], disable_shape_infer=True)
    _save(told, out, external=external)


def to_int8(source: Path, out: Path, *, external: bool) -> None:
    """Weights of 8 bits, one scale a column; what flows between them is rounded as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        out,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
        use_external_data_format=external,
    )


def to_q4(source: Path, out: Path, *, external: bool) -> None:
    """Weights of 4 bits, one scale a block of 32; what flows between them stays as it is."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    told = MatMulNBitsQuantizer(onnx.load(str(source)), bits=4, block_size=BLOCK, is_symmetric=True)
    told.process()
    _save(told.model.model, out, external=external)


def _save(told: onnx.ModelProto, out: Path, *, external: bool) -> None:
    beside = {"save_as_external_data": True, "location": f"{out.name}.data", "all_tensors_to_one_file": True} if external else {}
    onnx.save(told, str(out), **beside)


def bytes_of(out: Path) -> int:
    """The file and what lies beside it."""
    return sum(path.stat().st_size for path in out.parent.glob(f"{out.name}*"))
