"""The content-addressed store: a key is absent or whole, never half."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zyc.errors import Problem, ZycError, problem
from zyc.world import AnyPath, Lock, Stat, World, frozen

FORMAT = "zyc-store 1\n"
_HEX = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(r"\.\./\.\./([0-9a-f]{2})/(\1[0-9a-f]{62})")
_SAYS = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "disk-full",
    errno.EROFS: "not-allowed",
    errno.EACCES: "not-allowed",
    errno.EPERM: "not-allowed",
    errno.EIO: "disk-failed",
    errno.EXDEV: "other-disk",
}


@dataclass(frozen=True, slots=True)
class Tree:
    """What a published folder is: its digest, and how much it holds."""

    digest: str
    bytes: int
    files: int


class Store:
    """Immutable trees below `trees/`; what else the store's folder holds belongs to traces, journal and runner."""

    def __init__(self, world: World, root: AnyPath) -> None:
        self.world = world
        self.root = Path(root)
        self._trees = f"{world.real(root)}/trees"  # text: a path is made for each node of a plan

    @classmethod
    def open(cls, world: World, root: AnyPath, *, create: bool = True) -> Store:
        """The store in a folder, made when missing; without `create` a missing store reads as an empty one."""
        store = cls(world, root)
        file = store.root / "FORMAT"
        with plainly(file):
            if world.exists(file):
                found = world.read(file).decode("utf-8", "replace")
                if found != FORMAT:
                    raise ZycError(problem("store-format", store=root, found=found[:40].strip(), known=FORMAT.strip()))
            elif create:
                store._create()
        return store

    def _create(self) -> None:
        for part in ("trees", "traces", "roots", "locks", "tmp"):
            self.world.make_folder(self.root / part, durable=True)
        self.world.write(self.root / "FORMAT", FORMAT, durable=True)  # last: what has it is complete

    def path(self, digest: str) -> Path:
        """Where a tree is, or would be."""
        return Path(self._at(digest))

    def has(self, digest: str) -> bool:
        """Whether a tree is here."""
        return self.world.stat(self._at(digest)) is not None

    def present(self) -> frozenset[str]:
        """The digests of all trees that are here."""
        listed = (self.world.list(f"{self._trees}/{shard}") for shard in self.world.list(self._trees))
        return frozenset(name for names in listed for name in names if len(name) == 64)

    def publish(self, folder: AnyPath, *, told: Callable[[Tree], None] = lambda _: None) -> Tree:
        """Make a folder a tree of the store, in place: the folder is gone from where it was; `told` hears what it will be.

        When this returns, the tree outlives a power cut; when it does not, the tree is absent or whole.
        """
        top = Path(folder)
        with plainly(top):
            entries = _look(self.world, top)
            if refused := [*_refused(entries), *_shared(entries)]:
                raise ZycError(refused)
            tree = _tree(entries, self.world.each(self._sealer(top), entries))
            told(tree)
            self._place(top, tree.digest)
        return tree

    def group(self, members: Mapping[str, str]) -> str:
        """Publish the tree that leads from labels to other trees, which must be here; nothing is copied."""
        digest = group_digest(members)
        if absent := [label for label, member in members.items() if not self.has(member)]:
            raise ValueError(f"a group of trees that are not here: {absent}")
        with plainly(self.root):
            if not self.has(digest):
                folder = Path(self.world.fresh(self.root / "tmp"))
                self.world.make_folder(folder)
                for label, member in sorted(members.items()):
                    self.world.symlink(folder / label, target=f"../../{member[:2]}/{member}")
                self.world.sync(folder)
                self._place(folder, digest)
        return digest

    def expose(self, link_path: AnyPath, digest: str) -> None:
        """Let a path lead to a tree, by one relative symbolic link; what was there is replaced."""
        with plainly(link_path):
            folder = Path(link_path).parent
            self.world.make_folder(folder)
            target = os.path.relpath(self._at(digest), self.world.real(folder))  # `..` of a linked folder leads elsewhere
            seen = self.world.stat(link_path)
            if seen is None or seen.kind != "link" or self.world.read_link(link_path) != target:
                self.world.symlink(link_path, target=target)

    def recheck(self, digest: str) -> bool:
        """Whether a tree is here and its bytes are what its name says; mode bits prove nothing."""
        top = self.path(digest)
        if not self.has(digest):
            return False
        try:
            entries = _look(self.world, top)
            if any(entry.seen.kind == "other" for entry in entries):
                return False
            digests = self.world.each(lambda entry: _file_digest(self.world, top, entry), entries)
        except OSError as error:
            if error.errno != errno.EIO:  # a sector that cannot be read is not whole either
                raise
            return False
        return _tree(entries, digests).digest == digest

    def quarantine(self, digest: str) -> Path:
        """Move a tree out of the way, so that its digest is absent; says where it is now."""
        top, aside = self.path(digest), self.root / "quarantine"
        with plainly(top):
            self.world.make_folder(aside)
            self._unlock(top)
            place = next(place for n in range(1, 10_000) if not self.world.exists(place := aside / f"{digest}.{n}"))
            self.world.rename(top, to=place)
            self.world.sync(top.parent)
        return place

    def lock(self, key: str, *, wait: bool = True, told: Callable[[str], None] | None = None) -> Lock:
        """The one lock of a key; hand its descriptor to the step."""
        with plainly(self.root):
            return self.world.lock(self.root / "locks" / hex_digest(key), wait=wait, told=told)

    def _at(self, digest: str) -> str:
        return f"{self._trees}/{hex_digest(digest)[:2]}/{digest}"

    def _sealer(self, top: Path) -> Callable[[_Entry], str]:
        """What is done to each file and folder before the rename: hash, make read-only, sync."""

        def seal(entry: _Entry) -> str:
            path = top / entry.path
            digest = _file_digest(self.world, top, entry)
            if entry.seen.kind != "link":
                # a folder that is to move must stay writable: its `..` changes
                if entry.path and entry.seen.mode != frozen(entry.seen):
                    self.world.chmod(path, mode=frozen(entry.seen))
                self.world.sync(path)
            after = self.world.stat(path)
            if after is None or (after.size, after.mtime_ns, after.inode) != (
                entry.seen.size,
                entry.seen.mtime_ns,
                entry.seen.inode,
            ):
                raise ZycError(problem("tree-changed", path=_shown(entry.path)))
            return digest

        return seal

    def _place(self, top: Path, digest: str) -> None:
        target = self.path(digest)
        self._unlock(top)
        if not self.has(digest):
            self.world.make_folder(target.parent, durable=True)
            try:
                self.world.rename(top, to=target)  # last: a reader may look at any moment
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # another process published the same one
                    raise
        if self.world.stat(top) is not None:
            gone = self.world.fresh(self.root / "tmp")
            self.world.rename(top, to=gone)  # in one piece: what a crash leaves must not look like a smaller output
            self.world.remove_tree(gone)
        seen = self.world.stat(target)
        if seen is not None and seen.mode != frozen(seen):
            self.world.chmod(target, mode=frozen(seen))
        self.world.sync(target.parent)

    def _unlock(self, top: Path) -> None:
        seen = self.world.stat(top)
        if seen is not None and not seen.mode & 0o200:
            self.world.chmod(top, mode=seen.mode | 0o200)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One path of a tree, relative to its top; a link's target."""

    path: str
    seen: Stat
    target: str = ""


def group_digest(members: Mapping[str, str]) -> str:
    """The digest that `Store.group` gives, from labels and digests alone."""
    for label in members:
        if label in ("", ".", "..") or "/" in label or "\0" in label or len(os.fsencode(label)) > 255:
            raise ValueError(f"`{label}` cannot label a member of a group")
    return _digest((os.fsencode(label), b"member", hex_digest(member).encode()) for label, member in members.items())


def tree_of(world: World, folder: AnyPath) -> Tree:
    """The tree that a folder would be, which is only read."""
    top = Path(folder)
    with plainly(top):
        entries = _look(world, top)
        if refused := list(_refused(entries)):
            raise ZycError(refused)
        return _tree(entries, world.each(lambda entry: _file_digest(world, top, entry), entries))


def hex_digest(text: str) -> str:
    """The text, which must be a sha256 in hex: names from outside never become paths unseen."""
    if not _HEX.fullmatch(text):
        raise ValueError(f"`{text}` is not a sha256 in hex")
    return text


@contextmanager
def plainly(path: AnyPath) -> Iterator[None]:
    """Say what the machine refused in the user's words; what is a bug stays one."""
    try:
        yield
    except OSError as error:
        if error.errno not in _SAYS:
            raise
        place = error.filename if isinstance(error.filename, str) else os.fspath(path)
        raise ZycError(problem(_SAYS[error.errno], path=_shown(place), reason=error.strerror)) from error


def _look(world: World, top: Path) -> Sequence[_Entry]:
    """All of a folder, itself first, under the empty path."""
    seen = world.stat(top)
    if seen is None or seen.kind != "folder":
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(top))
    inside = (_Entry(path, each, world.read_link(top / path) if each.kind == "link" else "") for path, each in world.walk(top))
    return [_Entry("", seen), *inside]


def _refused(entries: Iterable[_Entry]) -> Iterator[Problem]:
    for entry in entries:
        if entry.seen.kind == "other":
            yield problem("tree-special", path=_shown(entry.path))
        elif entry.seen.kind == "link" and not _stays_inside(entry):
            yield problem("tree-link", path=_shown(entry.path), target=_shown(entry.target))


def _shared(entries: Iterable[_Entry]) -> Iterator[Problem]:
    # made read-only here, it would be read-only there; written there, it would change here
    return (
        problem("tree-shared", path=_shown(each.path)) for each in entries if each.seen.kind == "file" and each.seen.links > 1
    )


def _stays_inside(link: _Entry) -> bool:
    """Leading `..` no more than there are folders above, then names: so it holds whatever the names lead to."""
    parts = [part for part in link.target.split("/") if part not in ("", ".")]
    rise = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return not link.target.startswith("/") and ".." not in parts[rise:] and rise <= link.path.count("/")


def _file_digest(world: World, top: Path, entry: _Entry) -> str:
    return world.digest(top / entry.path) if entry.seen.kind == "file" else ""


def _tree(entries: Sequence[_Entry], digests: Sequence[str]) -> Tree:
    sizes = [entry.seen.size for entry in entries if entry.seen.kind == "file"]
    return Tree(_digest(_records(entries, digests)), bytes=sum(sizes), files=len(sizes))


def _records(entries: Sequence[_Entry], digests: Sequence[str]) -> Iterator[tuple[bytes, ...]]:
    """What counts of a tree: no times, no owners, of the modes only whether it runs."""
    filled = {entry.path.rpartition("/")[0] for entry in entries}
    for entry, digest in zip(entries, digests, strict=True):
        name = os.fsencode(entry.path)
        if entry.seen.kind == "file":
            runs = b"x" if entry.seen.mode & 0o100 else b"-"
            yield name, b"file", runs, str(entry.seen.size).encode(), digest.encode()
        elif member := _MEMBER.fullmatch(entry.target):
            yield name, b"member", member[2].encode()
        elif entry.seen.kind == "link":
            yield name, b"link", os.fsencode(entry.target)
        elif entry.path and entry.path not in filled:
            yield name, b"folder"


def _digest(records: Iterable[tuple[bytes, ...]]) -> str:
    whole = hashlib.sha256(b"zyc-tree 1\0")
    for record in sorted(records):
        whole.update(b"\0".join(record) + b"\0")  # no name holds a NUL, so no two trees read alike
    return whole.hexdigest()


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
