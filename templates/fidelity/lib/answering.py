"""What a GGUF expects of each next token, and what it says: llama.cpp through its bindings, one file in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

LONG = 24  # tokens of an answer that both are asked for


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


def answer(llama: Any, ids: Sequence[int]) -> list[int]:
    """What it says, the likeliest token each time, until it ends."""
    said: list[int] = []
    llama.reset()
    llama.eval(list(ids))
    while len(said) < LONG and llama.n_tokens + 1 < llama.n_ctx():
        said.append(int(np.argmax(llama.scores[llama.n_tokens - 1])))
        if said[-1] == llama.token_eos():
            break
        llama.eval(said[-1:])
    return said


@dataclass
class Answers:
    """Answers of both, and where they part."""

    together: list[int] = field(default_factory=list)
    parted: list[dict[str, object]] = field(default_factory=list)

    def add(self, asked: str, wanted: Sequence[int], found: Sequence[int], piece: Any) -> None:
        """Count the tokens before the first that differs."""
        alike = next((at for at, (one, two) in enumerate(zip(wanted, found, strict=False)) if one != two), None)
        if alike is None and len(wanted) == len(found):
            self.together.append(len(wanted))
            return
        at = alike if alike is not None else min(len(wanted), len(found))
        self.together.append(at)
        here = [piece(each[at]) if at < len(each) else "" for each in (wanted, found)]
        self.parted.append({"asked": asked, "token": at + 1, "before": here[0], "after": here[1]})

    @property
    def mean(self) -> float | None:
        """Tokens that both say alike, on average."""
        return sum(self.together) / len(self.together) if self.together else None
