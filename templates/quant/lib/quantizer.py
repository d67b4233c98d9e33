"""llama.cpp's quantizer, called in this process: what it answers is checked, and so is the file that it leaves."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

MAGIC = b"GGUF"
LONGEST = 127  # bytes of a value that the quantizer writes into the file
# numbers of ggml's types, as a tensor's override names them
TYPES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13,
    "Q6_K": 14, "IQ2_XXS": 16, "IQ2_XS": 17, "IQ3_XXS": 18, "IQ1_S": 19, "IQ4_NL": 20, "IQ3_S": 21, "IQ2_S": 22, "IQ4_XS": 23,
    "IQ1_M": 29, "BF16": 30, "TQ1_0": 34, "TQ2_0": 35, "MXFP4": 39, "Q1_0": 41, "Q2_0": 42,
}  # fmt: skip
STEP = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")
INTEGER, TEXT = 0, 3  # tags of values
ADDED = ("general.file_type", "general.quantization_version")


class Trap(Exception):
    """Why no file came of it, or the wrong one."""


class Before(NamedTuple):
    """The file as it was."""

    bytes: int
    numbers: int


def check(source: Path) -> None:
    """A file that is no GGUF, or only a part of one, is refused before a minute is spent."""
    if not source.is_file():
        raise Trap(f"{source} is not there: a GGUF in 16 bits is quantized, in one file")
    with source.open("rb") as file:
        if file.read(4) != MAGIC:
            raise Trap(f"{source} is no GGUF")


@dataclass(frozen=True)
class Way:
    """How it is done."""

    number: int  # of the file's type, in llama.h
    overrides: Sequence[Sequence[str]] = ()  # (pattern, type)
    metadata: Mapping[str, object] = field(default_factory=dict)  # what is written over the facts of the source
    importance: Mapping[str, Any] = field(default_factory=dict)  # matrix -> what its columns are given
    threads: int = 1


def quantize(
    llama_cpp: ModuleType, source: Path, target: Path, way: Way, progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Write the file; an answer other than 0, or no file, is a trap with the quantizer's last words."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread, params.ftype = way.threads, way.number
    # arrays must live as long as the call
    patterns = _overrides(llama_cpp, way.overrides)
    facts = _metadata(llama_cpp, way.metadata)
    columns = _importance(llama_cpp, way.importance)
    for name, array in (("tt_overrides", patterns), ("kv_overrides", facts), ("imatrix", columns)):
        if array is not None:
            setattr(params, name, ctypes.cast(array, type(getattr(params, name))))
    said: list[str] = []

    @llama_cpp.llama_log_callback
    def hear(_level: int, text: bytes, _: object) -> None:
        line = text.decode(errors="replace")
        said.append(line)
        step = STEP.search(line)
        if step:
            progress(int(step[1]), int(step[2]))

    llama_cpp.llama_log_set(hear, None)
    try:
        code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    finally:
        llama_cpp.llama_log_set(_silent(llama_cpp), None)
    if code or not target.is_file():
        target.unlink(missing_ok=True)
        last = "".join(said)[-1500:].strip()
        raise Trap(f"llama.cpp's quantizer answered {code}:\n{last}")


_KEPT: list[object] = []


def _silent(llama_cpp: ModuleType) -> object:
    """A callback that outlives us: the library calls it whenever it has something to say."""
    if not _KEPT:
        _KEPT.append(llama_cpp.llama_log_callback(lambda *_: None))
    return _KEPT[0]


def _overrides(llama_cpp: ModuleType, overrides: Sequence[Sequence[str]]) -> object | None:
    if not overrides:
        return None
    array = (llama_cpp.llama_model_tensor_override * (len(overrides) + 1))()
    for at, (pattern, kind) in enumerate(overrides):
        array[at].pattern, array[at].type = pattern.encode(), TYPES[kind]
    return array


def _metadata(llama_cpp: ModuleType, metadata: Mapping[str, object]) -> object | None:
    if not metadata:
        return None
    array = (llama_cpp.llama_model_kv_override * (len(metadata) + 1))()
    for each, (name, value) in zip(array, metadata.items(), strict=False):
        each.key = name.encode()
        each.tag = INTEGER if isinstance(value, int) else TEXT
        if isinstance(value, int):
            each.value.val_i64 = value
            continue
        text = str(value).encode()
        if len(text) > LONGEST:
            raise Trap(f"`{name}` has {len(text)} bytes, and the quantizer writes {LONGEST} at most")
        each.value.val_str = text
    return array


def _importance(llama_cpp: ModuleType, columns: Mapping[str, Any]) -> object | None:
    if not columns:
        return None
    array = (llama_cpp.llama_model_imatrix_data * (len(columns) + 1))()
    for each, (name, numbers) in zip(array, columns.items(), strict=False):
        each.name, each.size = name.encode(), numbers.size
        each.data = numbers.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return array


def reader(home: Path) -> Any:
    """The reader of the version that wrote the file: one that is installed beside it does not know every type."""
    path = str(home / "gguf-py")
    if path not in sys.path:
        sys.path.insert(0, path)
    from gguf_file import GgufFile

    return GgufFile


def split(program: Path, home: Path, made: Path, most: int | None) -> Path:
    """Cut the file into shards of at most so many bytes; the first is given back. A file that is small enough stays one."""
    size = made.stat().st_size
    if most is None or size <= most:
        return made
    # the tool counts tensors, and the first shard has everything else besides
    header = size - sum(each.bytes for each in reader(home)(made).tensors)
    room = (most - header) // 1_000_000
    if room < 1:
        raise Trap(f"shards of {most:,} bytes are too small: the tokenizer and names alone take {header:,}")
    command = [str(program), "--split", "--split-max-size", f"{room}M", str(made), str(made.with_suffix(""))]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    shards = sorted(made.parent.glob(f"{made.stem}-*-of-*.gguf"))
    if done.returncode or not shards:
        raise Trap(f"llama-gguf-split failed with {done.returncode}:\n{done.stdout[-1500:]}")
    made.unlink()
    large = next((each for each in shards if each.stat().st_size > most), None)
    if large is not None:
        raise Trap(f"{large.name} takes {large.stat().st_size:,} bytes: one of its tensors is larger than a shard may be")
    return shards[0]


def compare(home: Path, source: Path, made: Path, told: Mapping[str, object]) -> tuple[Before, int]:
    """Every tensor is there in its shape, and every fact too but those that were told anew; how large both are."""
    before, after = reader(home)(source), reader(home)(made)
    shapes = {each.name: each.shape for each in before.tensors}
    if shapes != {each.name: each.shape for each in after.tensors}:
        raise Trap("the file does not hold the tensors of the one in 16 bits")
    changed = (*ADDED, *told)
    for name, value in before.facts.items():
        if name not in changed and not name.startswith("split.") and after.facts.get(name) != value:
            raise Trap(f"`{name}` of the file in 16 bits was lost on the way")
    for name, value in told.items():
        if after.facts.get(name) != value:
            raise Trap(f"`{name}` is {after.facts.get(name)!r} in the file, and was to be {value!r}")
    return Before(before.bytes, sum(each.numbers for each in before.tensors)), after.bytes
