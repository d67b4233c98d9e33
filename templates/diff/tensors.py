"""Tensors of two models under one name each: HF folders and GGUF files, one tensor of each in memory at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
from gguf_file import shards_of

CHUNK = 1 << 22  # numbers that are compared together
ROTATED = ("attn_q.weight", "attn_k.weight", "attn_q.bias", "attn_k.bias")
PERMUTED = ("llama",)  # architectures whose q and k llama.cpp keeps in another order of rows
RAISED = ("gemma", "gemma2", "gemma3")  # whose norms it keeps with one added


@dataclass(frozen=True)
class Entry:
    """What a file says of one tensor."""

    shape: tuple[int, ...]
    type: str


class Folder:
    """The safetensors files of a folder; an adapter's too."""

    is_gguf = False

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.config = _document(path / "config.json")
        self.entries: dict[str, Entry] = {}
        self._files: dict[str, Path] = {}
        for file in sorted(path.glob("*.safetensors")):
            with safe_open(file, "pt") as held:
                for name in held.keys():  # noqa: SIM118  # it is no mapping
                    part = held.get_slice(name)
                    self.entries[name] = Entry(tuple(part.get_shape()), part.get_dtype())
                    self._files[name] = file

    def values(self, name: str) -> np.ndarray:
        """The numbers of one tensor as float32."""
        from safetensors import safe_open

        with safe_open(self._files[name], "pt") as held:
            return held.get_tensor(name).float().numpy()


class Gguf:
    """A GGUF file, or the shards of one."""

    is_gguf = True

    def __init__(self, path: Path) -> None:
        readers = [gguf.GGUFReader(each) for each in shards_of(path)]
        self._tensors = {each.name: each for reader in readers for each in reader.tensors}
        self.facts = {name: each.contents() for name, each in readers[0].fields.items() if not name.startswith("GGUF.")}
        self.entries = {
            name: Entry(_shape(each.shape), gguf.GGMLQuantizationType(each.tensor_type).name)
            for name, each in self._tensors.items()
        }

    def values(self, name: str) -> np.ndarray:
        """The numbers of one tensor as float32, whatever they are kept as."""
        found = self._tensors[name]
        return gguf.dequantize(found.data, found.tensor_type).reshape(_shape(found.shape))

    def fact(self, name: str) -> object:
        """Of the architecture: `.block_count`."""
        return self.facts.get(f"{self.facts.get('general.architecture')}{name}")


def opened(path: str) -> Folder | Gguf:
    """What a model is kept as."""
    return Gguf(Path(path)) if path.endswith(".gguf") else Folder(Path(path))


# --- one name for both ---


@dataclass
class Named:
    """Models whose tensors go by one name; what each calls them itself."""

    sources: list
    own: list[dict[str, str]]
    reader: Gguf | None = None  # the file that says which architecture it is
    names: list[str] = field(default_factory=list)

    def entry(self, at: int, name: str) -> Entry | None:
        """What a model says of a tensor, if it has it."""
        return self.sources[at].entries[self.own[at][name]] if name in self.own[at] else None

    def values(self, at: int, name: str) -> np.ndarray:
        """The numbers in the order that all of them are compared in."""
        source = self.sources[at]
        found = source.values(self.own[at][name])
        if self.reader is None or source.is_gguf:
            return found
        return as_in_gguf(found, name, self.reader)


def alike(sources: list) -> Named:
    """Names of llama.cpp as soon as one of them is a GGUF, else their own."""
    reader = next((each for each in sources if each.is_gguf), None)
    own = [{name: name for name in each.entries} if each.is_gguf or reader is None else mapped(each, reader) for each in sources]
    names = dict.fromkeys([*own[0], *own[-1]])
    return Named(sources, own, reader, list(names))


def mapped(folder: Folder, reader: Gguf) -> dict[str, str]:
    """The names of a folder's tensors as llama.cpp has them; one that it does not know keeps its own."""
    arch = next((key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == reader.facts.get("general.architecture")), None)
    if arch is None:
        return {name: name for name in folder.entries}
    table = gguf.get_tensor_name_map(arch, int(reader.fact(".block_count") or 0))
    return {table.get_name(name, try_suffixes=(".weight", ".bias")) or name: name for name in folder.entries}


def as_in_gguf(values: np.ndarray, name: str, reader: Gguf) -> np.ndarray:
    """A tensor of a folder as the converter writes it: some architectures are kept in another order, or with one added."""
    arch = reader.facts.get("general.architecture")
    if arch in PERMUTED and name.endswith(ROTATED):
        heads = int(reader.fact(".attention.head_count_kv" if ".attn_k." in name else ".attention.head_count"))
        return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    if arch in RAISED and name.endswith("norm.weight"):
        return values + 1
    return values


# --- how far apart ---


def row(named: Named, name: str, hops: list[str]) -> dict[str, object]:
    """One tensor of the first and the last model, and what each hop between them changed."""
    first, last = named.entry(0, name), named.entry(len(hops) - 1, name)
    told: dict[str, object] = {"name": name, "a": _said(first), "b": _said(last)}
    if first is None or last is None:
        return told
    if first.shape != last.shape and first.shape[1:] != last.shape[1:]:
        return told
    told |= apart(named.values(0, name), named.values(len(hops) - 1, name))
    if told["equal"] == 1 or len(hops) == 2:
        return {**told, "made": [{"hop": hops[-1], "mean": told["mean"]}] if told["equal"] < 1 else []}
    return {**told, "made": made(named, name, hops)}


def made(named: Named, name: str, hops: list[str]) -> list[dict[str, object]]:
    """The hops at which a tensor changed, and by how much."""
    found, before = [], None
    for at, hop in enumerate(hops):
        if named.entry(at, name) is None:
            continue
        here = named.values(at, name)
        if before is not None and before.shape[1:] == here.shape[1:]:
            change = apart(before, here)
            if change["equal"] < 1:
                found.append({"hop": hop, "mean": change["mean"]})
        before = here
    return found


def apart(one: np.ndarray, two: np.ndarray) -> dict[str, float]:
    """The largest and the mean difference, the cosine, and the share of equal values; of rows that both have."""
    rows = min(len(one), len(two)) if one.ndim else 0
    one, two = (each[:rows].reshape(-1) if each.ndim else each.reshape(-1) for each in (one, two))
    largest = total = dot = first = second = 0.0
    equal = 0
    for at in range(0, len(one), CHUNK):
        a, b = (each[at : at + CHUNK].astype(np.float64) for each in (one, two))
        off = np.abs(a - b)
        largest, total = max(largest, float(off.max(initial=0.0))), total + float(off.sum())
        dot, first, second = dot + float(a @ b), first + float(a @ a), second + float(b @ b)
        equal += int(np.sum(a == b))
    norm = (first * second) ** 0.5
    count = max(1, len(one))
    return {"max": largest, "mean": total / count, "cosine": dot / norm if norm else 1.0, "equal": equal / count}


def _said(entry: Entry | None) -> dict[str, object] | None:
    return None if entry is None else {"shape": list(entry.shape), "type": entry.type}


def _shape(shape: np.ndarray) -> tuple[int, ...]:
    return tuple(int(each) for each in reversed(shape.tolist()))


def _document(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
