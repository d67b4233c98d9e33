"""Where a remote keeps its files: one small protocol, a plain folder behind it, and patience with either."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Protocol, TypeVar

from zyc.errors import ZycError, problem
from zyc.world import AnyPath, World

_ATTEMPTS = 4
_LONG = 5.0  # seconds after which the second attempt is the last: the libraries of URLs try again by themselves
_FIRST_PAUSE = 0.2  # seconds; each further one is three times as long
# what another attempt does not mend
_FINAL = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
_SHARD = re.compile(r"[0-9a-f]{2}")
_STEM = re.compile(r"([0-9a-f]{64})\.json")

Result = TypeVar("Result")


class Absent(Exception):
    """There is no such file."""


class Shelf(Protocol):
    """Files by relative paths. What is absent is a FileNotFoundError, any other trouble an OSError without secrets in it."""

    def stems(self, folder: str) -> frozenset[str]:
        """The digests that name the `.json` files below a folder, in folders of their first two letters."""

    def size(self, path: str) -> int | None:
        """The bytes of a file, or nothing when there is none."""

    def piece(self, path: str, *, start: int, most: int) -> bytes:
        """At most so many bytes of a file, from a place on."""

    def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all; it lasts once this returns."""

    def send(self, path: str, source: AnyPath) -> None:
        """A file of this machine, whole or not at all; it lasts once all is settled."""

    def drop(self, path: str) -> None:
        """Take back a file that was just sent."""

    def settle(self) -> None:
        """Wait until everything that was sent lasts."""

    def is_empty(self) -> bool:
        """Whether nothing at all is there."""


class Folder:
    """A shelf that is a folder of this machine, or one that it has mounted."""

    def __init__(self, world: World, root: AnyPath) -> None:
        self._world = world
        self._root = os.fspath(root)
        self._touched: set[str] = set()
        self._settling = Lock()

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def stems(self, folder: str) -> frozenset[str]:
        """The digests that name the files below a folder."""
        top = self._at(folder)
        shards = [name for name in self._world.list(top) if _SHARD.fullmatch(name)]
        return stems_of(f"{shard}/{name}" for shard in shards for name in self._world.list(f"{top}/{shard}"))

    def size(self, path: str) -> int | None:
        """The bytes of a file."""
        seen = self._world.stat(self._at(path), follow=True)
        return seen.size if seen is not None and seen.kind == "file" else None

    def piece(self, path: str, *, start: int, most: int) -> bytes:
        """At most so many bytes of a file."""
        return self._world.piece(self._at(path), start=start, most=most)

    def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all."""
        target = self._at(path)
        self._world.make_folder(os.path.dirname(target), durable=True)  # noqa: PTH120
        self._world.write(target, data, durable=True)

    def send(self, path: str, source: AnyPath) -> None:
        """A file of this machine, whole or not at all."""
        target = self._at(path)
        folder = os.path.dirname(target)  # noqa: PTH120
        self._world.make_folder(folder, durable=True)
        self._world.copy(source, to=target)
        self._touched.add(folder)

    def drop(self, path: str) -> None:
        """Take back a file that was just sent."""
        self._world.remove_tree(self._at(path))

    def settle(self) -> None:
        """Sync each folder that has a new name in it."""
        with self._settling:  # whoever comes second waits for what the first one took
            touched = []
            while self._touched:
                touched.append(self._touched.pop())
            self._world.each(self._world.sync, sorted(touched))

    def is_empty(self) -> bool:
        """Whether the folder is empty or missing, but for what a kill left of the first file."""
        return all(name.startswith(".zyc-") for name in self._world.list(self._root))


class Steady:
    """A shelf that tries again, and says in words what it cannot do."""

    def __init__(self, world: World, shelf: Shelf, name: str) -> None:
        self._world = world
        self._shelf = shelf
        self.name = name

    def stems(self, folder: str) -> frozenset[str]:
        """The digests that name the files below a folder."""
        return self._tried(folder, lambda: self._shelf.stems(folder))

    def size(self, path: str) -> int | None:
        """The bytes of a file, or nothing when there is none."""
        return self._tried(path, lambda: self._shelf.size(path))

    def piece(self, path: str, *, start: int, most: int) -> bytes:
        """At most so many bytes of a file, from a place on; `Absent` when there is none."""
        return self._tried(path, lambda: self._shelf.piece(path, start=start, most=most))

    def put(self, path: str, data: bytes) -> None:
        """A small file, whole or not at all; it lasts once this returns."""
        self._written(path, lambda: self._shelf.put(path, data))

    def send(self, path: str, source: AnyPath) -> None:
        """A file of this machine, whole or not at all; it lasts once all is settled."""
        self._written(path, lambda: self._shelf.send(path, source))

    def drop(self, path: str) -> None:
        """Take back a file that was just sent."""
        self._tried(path, lambda: self._shelf.drop(path))

    def settle(self) -> None:
        """Wait until everything that was sent lasts."""
        self._tried("objects", self._shelf.settle)

    def is_empty(self) -> bool:
        """Whether nothing at all is there."""
        return self._tried(".", self._shelf.is_empty)

    def _written(self, path: str, act: Callable[[], None]) -> None:
        try:
            self._tried(path, act)
        except Absent:
            raise ZycError(problem("remote-failed", remote=self.name, place=path, reason="there is no such place")) from None

    def _tried(self, path: str, act: Callable[[], Result]) -> Result:
        began = self._world.monotonic()
        for attempt in range(_ATTEMPTS):
            try:
                return act()
            except FileNotFoundError:
                raise Absent(path) from None
            except OSError as error:
                late = attempt > 0 and self._world.monotonic() - began > _LONG
                if error.errno in _FINAL or late or attempt == _ATTEMPTS - 1:
                    reason = error.strerror or str(error) or type(error).__name__
                    raise ZycError(problem("remote-failed", remote=self.name, place=path, reason=reason)) from error
            self._world.sleep(_FIRST_PAUSE * 3**attempt)
        raise AssertionError


def stems_of(paths: Iterable[str]) -> frozenset[str]:
    """The digests among paths like `ab/abcd….json`; whatever else is there is somebody else's."""
    told = (path.rsplit("/", 2) for path in paths)
    found = ((parts[-2], _STEM.fullmatch(parts[-1])) for parts in told if len(parts) >= 2)
    return frozenset(match[1] for shard, match in found if match and match[1][:2] == shard)
