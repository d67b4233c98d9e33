"""What is carried between machines in one file: inputs on their way out, what was made on its way home; nothing escapes."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zyc.errors import ZycError, problem
from zyc.keeping.store import Store, plainly, stays_inside
from zyc.world import AnyPath, World

_PIECE = 1 << 20
_LONGEST_HEADER = 1 << 24  # bytes: a name that is longer is none
_LONGEST_PATH, _LONGEST_NAME = 4_000, 255
_MOST_MEMBERS = 1_000_000
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Packed:
    """A file or folder of this machine's, and where it stands in the parcel; trees keep their links."""

    name: str
    path: Path


# --- on its way out ---


def write(world: World, target: AnyPath, packed: Iterable[Packed]) -> int:
    """One file with all of this; how many bytes it has."""
    with plainly(target):
        world.save(target, _pieces(world, packed))
        seen = world.stat(target)
    return seen.size if seen is not None else 0


def trees_of(store: Store, digest: str) -> tuple[str, ...]:
    """A tree, and those that it leads to when it is a group."""
    return (digest, *(each for member in store.members(digest) for each in trees_of(store, member)))


def packed_tree(store: Store, digest: str) -> Packed:
    """A tree at the place where the store, too, would have it: links between trees lead on."""
    return Packed(f"trees/{digest[:2]}/{digest}", store.path(digest))


def _pieces(world: World, packed: Iterable[Packed]) -> Iterator[bytes]:
    for each in packed:
        seen = world.stat(each.path, follow=True)
        yield from _entry(world, each.name, each.path, follow=True)
        if seen is not None and seen.kind == "folder":
            for name, _ in world.walk(each.path):
                yield from _entry(world, f"{each.name}/{name}", each.path / name, follow=False)
    yield bytes(2 * _BLOCK)


def _entry(world: World, name: str, path: Path, *, follow: bool) -> Iterator[bytes]:
    seen = world.stat(path, follow=follow)
    if seen is None:
        raise ZycError(problem("tree-changed", path=name))
    entry = tarfile.TarInfo(name)
    entry.mode = 0o755 if seen.kind == "folder" or seen.mode & 0o100 else 0o644
    if seen.kind == "link":
        entry.type, entry.linkname = tarfile.SYMTYPE, world.read_link(path)
    elif seen.kind == "folder":
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = seen.size
    yield entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    yield from _padded(world, path, entry.size, name)


def _padded(world: World, path: Path, size: int, name: str) -> Iterator[bytes]:
    """The bytes of a file, to the end of a block."""
    at = 0
    while at < size:
        piece = world.piece(path, start=at, most=min(_PIECE, size - at))
        if not piece:
            raise ZycError(problem("tree-changed", path=name))
        yield piece
        at += len(piece)
    yield bytes(-size % _BLOCK)


# --- on its way home ---


class _Window(io.RawIOBase):
    """A file as the tar reader wants it; a header that asks for more memory than a name can need is refused."""

    def __init__(self, world: World, path: Path, size: int) -> None:
        self._world, self._path, self._size, self._at = world, path, size, 0

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""
        if size < 0 or size > _LONGEST_HEADER:
            raise tarfile.ReadError("a header is too long")
        data = self._world.piece(self._path, start=self._at, most=size)
        self._at += len(data)
        return data

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + place
        return self._at

    def tell(self) -> int:
        """The place where reading goes on."""
        return self._at

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True, slots=True)
class Member:
    """One path of a parcel: a file with its place in it, a folder, or a link."""

    name: str
    kind: str  # file, folder, link
    size: int = 0
    start: int = 0
    runs: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file that came from elsewhere, looked at and found harmless: no path of it leads out."""

    world: World
    path: Path
    shown: str
    members: tuple[Member, ...]

    @classmethod
    def open(cls, world: World, path: Path, *, shown: str, allowed: Iterable[str]) -> Parcel:
        """Look at all that is in it; whatever is not below one of the allowed names is refused."""
        with plainly(path):
            seen = world.stat(path, follow=True)
            if seen is None or seen.kind != "file":
                raise ZycError(problem("adopt-no-file", file=shown))
            try:
                with tarfile.open(fileobj=_Window(world, path, seen.size), mode="r:") as tar:
                    members = tuple(_members(tar, shown))
            except (tarfile.TarError, ValueError, OverflowError, UnicodeError) as error:
                raise ZycError(problem("adopt-unreadable", file=shown, reason=_plainly(error))) from None
        parcel = cls(world, path, shown, members)
        parcel._look(seen.size, frozenset(allowed))
        return parcel

    def _look(self, size: int, allowed: frozenset[str]) -> None:
        places: dict[str, str] = {}
        for each in self.members:
            self._look_at(each, allowed)
            if each.name in places and not places[each.name] == each.kind == "folder":
                self._refuse(f"it holds `{each.name}` twice")
            if each.start + each.size > size:
                self._refuse(f"it ends within `{each.name}`: bring it here again")
            places[each.name] = each.kind
        for name in places:
            above = name
            while "/" in above:
                above = above.rpartition("/")[0]
                if places.get(above, "folder") != "folder":
                    self._refuse(f"`{name}` stands below `{above}`, which is no folder")

    def _look_at(self, each: Member, allowed: frozenset[str]) -> None:
        """One path by itself: where it stands, and where it leads."""
        parts = each.name.split("/")
        if each.name.startswith("/") or {"", ".", ".."} & {*parts} or "\0" in each.name:
            self._refuse(f"`{each.name}` leads out of it")
        if len(each.name) > _LONGEST_PATH or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
            self._refuse(f"the name `{each.name[:60]}…` is too long")
        if parts[0] not in allowed:
            self._refuse(f"no step makes `{each.name}`")
        inside = parts[0] == "out" and len(parts) > 1
        if each.kind == "link" and not (inside and stays_inside(each.name.removeprefix("out/"), each.target)):
            self._refuse(f"the link `{each.name}` leads out of the result, to `{each.target}`")

    def _refuse(self, reason: str) -> None:
        raise ZycError(problem("adopt-unreadable", file=self.shown, reason=reason))

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return any(each.name == name and each.kind == "file" for each in self.members)

    def text(self, name: str, *, most: int) -> bytes:
        """The bytes of a small file of it."""
        found = next((each for each in self.members if each.name == name and each.kind == "file"), None)
        if found is None:
            self._refuse(f"it has no `{name}`")
            return b""
        if found.size > most:
            self._refuse(f"its `{name}` is too large")
        with plainly(self.path):
            return b"".join(self._bytes(found))

    def below(self, folder: str) -> dict[str, bytes]:
        """The small files of a folder of it, by their paths below that."""
        names = [each.name for each in self.members if each.kind == "file" and each.name.startswith(f"{folder}/")]
        return {name.removeprefix(f"{folder}/"): self.text(name, most=_LONGEST_HEADER) for name in names}

    def size(self) -> int:
        """How many bytes its files have."""
        return sum(each.size for each in self.members)

    def unpack(self, folder: Path) -> None:
        """Write all of it below a folder that nobody reads yet."""
        world = self.world
        with plainly(folder):
            world.make_folder(folder)
            for each in self.members:
                path = folder / each.name
                if each.kind == "folder":
                    world.make_folder(path)
                    continue
                world.make_folder(path.parent)
                if each.kind == "link":
                    world.symlink(path, target=each.target)
                else:
                    world.save(path, self._bytes(each))
                    if each.runs:
                        world.chmod(path, mode=0o755)

    def _bytes(self, member: Member) -> Iterator[bytes]:
        at = 0
        while at < member.size:
            piece = self.world.piece(self.path, start=member.start + at, most=min(_PIECE, member.size - at))
            if not piece:
                self._refuse(f"it ends within `{member.name}`: bring it here again")
            yield piece
            at += len(piece)


def _members(tar: tarfile.TarFile, shown: str) -> Iterator[Member]:
    for count, each in enumerate(tar):
        name = each.name.rstrip("/") if each.isdir() else each.name
        if count >= _MOST_MEMBERS:
            raise ZycError(problem("adopt-unreadable", file=shown, reason=f"it holds more than {_MOST_MEMBERS:,} files"))
        if each.isdir():
            yield Member(name, "folder")
        elif each.issym():
            yield Member(name, "link", target=each.linkname)
        elif each.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not each.issparse():
            yield Member(name, "file", each.size, each.offset_data, bool(each.mode & 0o100))
        else:
            raise ZycError(
                problem("adopt-unreadable", file=shown, reason=f"`{each.name}` is neither a file, a folder nor a link")
            )


def _plainly(error: Exception) -> str:
    return f"it is no tar file ({error})" if str(error) else "it is no tar file"
