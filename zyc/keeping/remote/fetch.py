"""From a remote into the store: every object is checked while it arrives, and nothing is visible before all of it is here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from zyc.errors import ZycError, problem
from zyc.keeping.remote.layout import PIECE, Progress, object_path
from zyc.keeping.remote.record import File, Record
from zyc.keeping.remote.shelf import Absent
from zyc.keeping.store import Store, Tree, plainly
from zyc.world import World

if TYPE_CHECKING:
    from zyc.keeping.remote import Remote

_ATTEMPTS = 3  # for an object that arrives as another one
_EMPTY = hashlib.sha256(b"").hexdigest()


class Count:
    """How much of a whole is done, told from one thread at a time."""

    def __init__(self, total: int, told: Progress) -> None:
        self._total = total
        self._told = told
        self._done = 0
        self._lock = Lock()

    def add(self, count: int) -> None:
        """So much more, or less, is done."""
        with self._lock:
            self._done += count
            self._told(self._done, self._total)


def fetch(remote: Remote, digest: str, store: Store, told: Progress) -> Tree:
    """Bring a tree into a store."""
    if store.has(digest):
        return _here(store, digest)
    record = remote.tree(digest)
    if record.members:
        for _, member in record.members:
            fetch(remote, member, store, told)
        return Tree(store.group(dict(record.members)), bytes=0, files=0)
    with plainly(store.root), store.lock(digest):  # whoever else fetches it waits, and finds it here
        if store.has(digest):
            return _here(store, digest)
        home = store.root / "tmp" / f"fetch-{digest}"
        store.world.make_folder(home)
        _take_back(store.world, record, home)
        _has_room(store, record, digest)
        _objects(remote, record, store, home, told)
        _lay_out(store.world, record, home)
        try:
            tree = store.publish(home / "tree", expected=digest)
        finally:
            store.world.remove_tree(home)  # what is not what it was on arrival is not kept for another try
        return tree


def _here(store: Store, digest: str) -> Tree:
    sizes = [seen.size for _, seen in store.world.walk(store.path(digest)) if seen.kind == "file"]
    return Tree(digest, bytes=sum(sizes), files=len(sizes))


def _has_room(store: Store, record: Record, digest: str) -> None:
    needed = sum(file.size for file in record.files)
    free = store.world.disk_free(store.root)
    if needed > free:
        raise ZycError(problem("remote-too-large", tree=digest, needed=needed, free=free))


# --- objects: each under its digest until all are here, so that what an interrupted fetch brought counts for the next ---


def _objects(remote: Remote, record: Record, store: Store, home: Path, told: Progress) -> None:
    wanted = {digest: size for digest, size in record.objects.items() if digest != _EMPTY}
    count = Count(sum(wanted.values()), told)

    def arrive(each: tuple[str, int]) -> None:
        digest, size = each
        place = home / digest
        if store.world.exists(place):
            if store.world.digest(place) == digest:
                count.add(size)
                return
            store.world.remove_tree(place)
        _object(remote, digest, size, place, count)

    store.world.each(arrive, sorted(wanted.items(), key=lambda each: (-each[1], each[0])))  # the longest first


def _object(remote: Remote, digest: str, size: int, place: Path, count: Count) -> None:
    reason = ""
    for _ in range(_ATTEMPTS):
        try:
            remote.world.save(place, _checked(remote, digest, size, count))
        except _OtherBytes as error:
            reason = str(error)
        except Absent:
            raise ZycError(problem("remote-lacks", remote=remote.name, place=object_path(digest))) from None
        else:
            return
    raise ZycError(problem("remote-damaged", remote=remote.name, place=object_path(digest), reason=reason))


class _OtherBytes(Exception):
    """What arrived is not what was asked for."""


def _checked(remote: Remote, digest: str, size: int, count: Count) -> Iterator[bytes]:
    """The pieces of an object, and an end only if they were right."""
    whole, at, counted, right = hashlib.sha256(), 0, 0, False
    try:
        while at < size:
            # one byte more than there should be, to see that there is none
            piece = remote.shelf.piece(object_path(digest), start=at, most=min(PIECE, size - at + 1))
            at += len(piece)
            whole.update(piece)
            if at > size or not piece:
                raise _OtherBytes(f"it has more than {size:,} bytes" if piece else f"it has {at:,} of {size:,} bytes")
            yield piece
            count.add(len(piece))
            counted = at
        if whole.hexdigest() != digest:
            raise _OtherBytes("its bytes are others")
        right = True
    finally:
        if not right:
            count.add(-counted)


# --- the tree ---


def _take_back(world: World, record: Record, home: Path) -> None:
    """What a fetch that was cut short had laid out already."""
    if world.exists(home / "tree"):
        for file in record.files:
            if world.exists(home / "tree" / file.path) and not world.exists(home / file.digest):
                world.rename(home / "tree" / file.path, to=home / file.digest)
        world.remove_tree(home / "tree")


def _lay_out(world: World, record: Record, home: Path) -> None:
    """The objects at their places; links last, so that nothing is written through one."""
    top = home / "tree"
    world.make_folder(top)
    above = {path.rpartition("/")[0] for path in (*(file.path for file in record.files), *(path for path, _ in record.links))}
    for folder in sorted({*record.folders, *above} - {""}):
        world.make_folder(top / folder)
    left: dict[str, list[File]] = {}
    for file in record.files:
        left.setdefault(file.digest, []).append(file)
    for digest, files in left.items():
        if digest == _EMPTY:
            world.write(home / digest, b"")
        for file in files[1:]:
            world.copy(home / digest, to=top / file.path)
        world.rename(home / digest, to=top / files[0].path)
        for file in files:
            if file.runs:
                world.chmod(top / file.path, mode=_runs(world, top / file.path))
    for path, target in record.links:
        world.symlink(top / path, target=target)


def _runs(world: World, path: Path) -> int:
    """Whoever may read it may run it."""
    seen = world.stat(path)
    assert seen is not None
    return seen.mode | (seen.mode & 0o444) >> 2
