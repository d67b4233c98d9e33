"""Reads what a GGUF file says of itself: its facts, and its tensors by name, type, shape and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, dequantize

CHUNK = 1 << 19  # numbers that are looked at together
INFINITE = 0x7C00  # the bits of an infinite 16-bit number, sign apart; those of what is no number are more


@dataclass(frozen=True)
class Tensor:
    """One tensor as it lies in the file."""

    name: str
    type: str  # F32, F16, Q4_K, ...
    shape: tuple[int, ...]  # as torch has it: rows first
    bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it stands for."""
        return int(np.prod(self.shape, dtype=np.int64))


class GgufFile:
    """A file, or all shards of one when it is given the first."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._readers = [GGUFReader(each) for each in shards_of(self.path)]

    @cached_property
    def facts(self) -> dict[str, object]:
        """`general.name`, `llama.block_count`, `tokenizer.ggml.tokens`, ...: plain values, lists where there are many."""
        return {name: field.contents() for name, field in self._readers[0].fields.items() if not name.startswith("GGUF.")}

    def fact(self, name: str, otherwise: object = None) -> object:
        """One of them; those of the architecture may be asked for without its name: `.block_count`."""
        if name.startswith("."):
            name = f"{self.facts.get('general.architecture')}{name}"
        return self.facts.get(name, otherwise)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the file."""
        return tuple(
            Tensor(each.name, GGMLQuantizationType(each.tensor_type).name, _shape(each.shape), int(each.n_bytes))
            for reader in self._readers
            for each in reader.tensors
        )

    def values(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each tensor's numbers as float32, one tensor in memory at a time."""
        for reader in self._readers:
            for each in reader.tensors:
                yield each.name, dequantize(each.data, each.tensor_type).reshape(_shape(each.shape))

    def not_finite(self) -> list[str]:
        """The tensors of 16-bit numbers that hold one that is none, or has become infinite."""
        found, room = [], np.empty(CHUNK, np.uint16)
        for path, reader in zip(shards_of(self.path), self._readers, strict=True):
            with path.open("rb") as file:  # read, not mapped: what is mapped counts as held
                for each in reader.tensors:
                    if each.tensor_type == GGMLQuantizationType.F16:
                        file.seek(each.data_offset)
                        if _largest(file, int(each.n_elements), room) >= INFINITE:
                            found.append(each.name)
        return found

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(each.stat().st_size for each in shards_of(self.path))


def _largest(file, count: int, room: np.ndarray) -> int:
    """The largest of so many 16-bit numbers without their signs, by their bits: infinity and what is no number come last."""
    most = 0
    while count:
        part = room[: min(count, len(room))]
        if file.readinto(memoryview(part).cast("B")) != part.nbytes:
            raise SystemExit("error: the file ends before its tensors do")
        np.bitwise_and(part, 0x7FFF, out=part)
        most, count = max(most, int(part.max())), count - len(part)
    return most


def shards_of(path: Path) -> list[Path]:
    """`model-00001-of-00003.gguf` and its fellows; a file that is not sharded is alone."""
    stem, _, count = path.stem.rpartition("-of-")
    if not count.isdecimal() or not stem.endswith("-00001"):
        return [path]
    return [path.with_name(f"{stem[:-5]}{at + 1:05d}-of-{count}.gguf") for at in range(int(count))]


def _shape(shape: np.ndarray) -> tuple[int, ...]:
    return tuple(int(each) for each in reversed(shape.tolist()))
