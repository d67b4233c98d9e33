"""Worlds in which things go wrong: at one effect the process dies, the power is cut, or the disk refuses."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zyc.errors import ZycError
from zyc.world import World


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def refusal(act: Callable[..., object], *what: object) -> ZycError | None:
    """What zyc says when the machine refuses, or nothing when it does not."""
    try:
        act(*what)
    except ZycError as error:
        return error
    return None


class Quick(World):
    """A world that does not wait for the disk: tests look at the order of effects, not at the hardware."""

    def flush(self, descriptor):
        """Nothing."""

    def each(self, work, subjects, *, width=8):
        """One after the other, so that effects have numbers."""
        return [work(each) for each in subjects]


@dataclass
class Name:
    """A name in a folder that no fsync of the folder has made last yet."""

    inode: int
    folder: int
    name: str
    came_from: tuple[int, str] | None = None  # a rename can come undone; what was made anew can only be missing


class Crashing(Quick):
    """Dies at one effect; knows then what a power cut at this moment could take."""

    def __init__(self, at: int, *, unsynced: Path | None = None) -> None:
        self.at = at
        self.count = 0
        self.dead = False
        self._last: tuple[str, str, str] | None = None
        self.names: list[Name] = []
        self.dirty: set[int] = set()
        for path in sorted(unsynced.rglob("*")) if unsynced is not None else ():
            self._made(path)

    def effect(self, verb, path, target=""):
        """Count, and die at the chosen one and at any after it."""
        if self.dead or self.count == self.at:
            self.settle()
            self.dead = True
            raise Crash
        self.settle()
        self.count += 1
        self._last = (verb, path, target)

    def _made(self, path: Path, came_from: Path | None = None) -> None:
        before = (_inode(came_from.parent), came_from.name) if came_from is not None else None
        self.names.append(Name(_inode(path), _inode(path.parent), path.name, before))
        if came_from is None and path.is_file() and not path.is_symlink():
            self.dirty.add(_inode(path))

    def settle(self) -> None:
        """What the effect before this one has done."""
        verb, path, target = self._last or ("", "", "")
        self._last = None
        if verb in ("create", "folder", "link") and os.path.lexists(path):
            self._made(Path(path))
        elif verb == "rename" and os.path.lexists(target):
            self._made(Path(target), came_from=Path(path))
        elif verb == "sync" and os.path.lexists(path):
            inode = _inode(Path(path))
            self.dirty.discard(inode)
            self.names = [each for each in self.names if each.folder != inode]

    def cut_power(self, *folders: Path, loses: Callable[[int], bool]) -> None:
        """Drop the bytes of each file below that no fsync reached, and those of the unsynced names that `loses` picks."""
        for at, name in reversed(list(enumerate(self.names))):
            places = _places(folders)
            place = places.get(name.inode)
            if not loses(at) or place is None or (_inode(place.parent), place.name) != (name.folder, name.name):
                continue
            if name.came_from is None:
                World().remove_tree(place)
            elif name.came_from[0] in places:
                back = places[name.came_from[0]] / name.came_from[1]
                place.parent.chmod(0o700)
                if not os.path.lexists(back):
                    place.rename(back)
        for inode, place in _places(folders).items():
            if inode in self.dirty and place.is_file() and not place.is_symlink():
                place.chmod(0o600)
                os.truncate(place, 0)


def _places(folders: tuple[Path, ...]) -> dict[int, Path]:
    found = (path for folder in folders if folder.exists() for path in [folder, *folder.rglob("*")])
    return {_inode(path): path for path in found}


def _inode(path: Path) -> int:
    return path.lstat().st_ino


class Refusing(Quick):
    """A disk that refuses one effect, or all from there on that need room."""

    def __init__(self, at: int, *, number: int = errno.ENOSPC, once: bool = False) -> None:
        self.at = at
        self.number = number
        self.once = once
        self.count = 0
        self.refused = False

    def effect(self, verb, path, target=""):
        """Count, and refuse."""
        hit = self.count == self.at or (self.count > self.at and not self.once and verb in ("create", "write", "link", "folder"))
        self.count += 1
        if hit:
            self.refused = True
            raise OSError(self.number, os.strerror(self.number), path)
