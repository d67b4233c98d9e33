"""What a GGUF expects of each next token, and what it says: llama.cpp through its bindings, one file in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


class Unreadable(Exception):
    """Why llama.cpp does not take a file."""


@contextmanager
def opened(llama_cpp: ModuleType, path: Path, *, context: int, threads: int) -> Iterator[Any]:
    """The model, for as long as a `with` lasts."""
    try:
        llama = llama_cpp.Llama(
            str(path), n_ctx=context, n_batch=context, n_threads=threads, n_threads_batch=threads, logits_all=True, verbose=False
        )
    except ValueError as error:
        size = path.stat().st_size if path.is_file() else 0
        raise Unreadable(f"llama.cpp cannot read {path.name} ({size:,} bytes): it is cut short, or no GGUF ({error})") from None
    try:
        yield llama
    finally:
        llama.close()


def file_of(folder: Path) -> Path:
    """The file of a folder, or the first of its shards."""
    shards = sorted(folder.glob("model-00001-of-*.gguf"))
    return shards[0] if shards else folder / "model.gguf"


def logits(llama: Any, ids: Sequence[int]) -> np.ndarray:
    """Of every position of a text."""
    llama.reset()
    llama.eval(list(ids))
    return llama.scores[: len(ids)]


def answer(llama: Any, ids: Sequence[int], most: int) -> list[int]:
    """What it says, the likeliest token each time, until it ends."""
    said: list[int] = []
    llama.reset()
    llama.eval(list(ids))
    while len(said) < most and llama.n_tokens + 1 < llama.n_ctx():
        said.append(int(np.argmax(llama.scores[llama.n_tokens - 1])))
        if said[-1] == llama.token_eos():
            break
        llama.eval(said[-1:])
    return said


def likeliest(llama: Any, ids: Sequence[int], said: Sequence[int]) -> list[int]:
    """What it would say at each place of somebody's answer, read in one go: up to the first difference that is its own answer."""
    scores = logits(llama, [*ids, *said[:-1]])[len(ids) - 1 :]
    return [int(each) for each in np.argmax(scores, axis=-1)]


@dataclass
class Answers:
    """Answers of one, and where the other would go on otherwise."""

    together: list[int] = field(default_factory=list)
    parted: list[dict[str, object]] = field(default_factory=list)

    def add(self, asked: str, wanted: Sequence[int], found: Sequence[int], piece: Any) -> None:
        """Count the tokens before the first that differs."""
        at = next((at for at, (one, two) in enumerate(zip(wanted, found, strict=True)) if one != two), len(wanted))
        self.together.append(at)
        if at < len(wanted):
            self.parted.append({"asked": asked, "token": at + 1, "before": piece(wanted[at]), "after": piece(found[at])})

    @property
    def mean(self) -> float | None:
        """Tokens that both say alike, on average."""
        return sum(self.together) / len(self.together) if self.together else None
