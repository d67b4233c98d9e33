"""Where things are in a remote, and the few words that its halves share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zyc.keeping.store import hex_digest

FORMAT = "zyc-remote 1\n"
PIECE = 4 << 20  # bytes that are in memory of each object that is on its way

Progress = Callable[[int, int], None]  # bytes that are done, bytes in all; from one thread at a time


@dataclass(frozen=True, slots=True)
class Pushed:
    """What sending a key came to: all noughts when everything was there."""

    key: str
    tree: str
    objects: int = 0  # that were sent
    bytes: int = 0
    is_new: bool = False  # the remote had no trace of the key


def object_path(digest: str) -> str:
    """Where an object is."""
    return f"objects/{hex_digest(digest)[:2]}/{digest}"


def tree_path(digest: str) -> str:
    """Where the record of a tree is."""
    return f"trees/{hex_digest(digest)[:2]}/{digest}.json"


def trace_path(key: str) -> str:
    """Where a trace is."""
    return f"traces/{hex_digest(key)[:2]}/{key}.json"
