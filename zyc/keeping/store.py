"""The content-addressed store: a key is absent or whole, never half."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zyc.errors import Problem, ZycError, problem
from zyc.world import AnyPath, Lock, Stat, World, frozen

FORMAT = "zyc-store 1\n"
_PORTION = 4_000_000  # bytes
_PARTS = ("trees", "traces", "roots", "locks", "tmp")
_ANY_FORMAT = re.compile(r"zyc-store [0-9]{1,6}\n")
Item = TypeVar("Item")
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


TreeRecord = tuple[bytes, ...]  # a path and what is there: file (runs, size, digest), link (target), member (digest), folder


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
        with plainly(store.root / "FORMAT"):
            made = store.made()
            if not made and create:
                store._create()
        return store

    def made(self) -> bool:
        """Whether there is a store that this zyc reads; one of another format, or of none, is an error."""
        self.refuse_foreign()
        found = self._says()
        # what holds results is no new store, whatever became of its name; a crash while it was made leaves none
        if found != FORMAT and (found or any(self.world.list(self.root / part) for part in ("trees", "traces", "roots"))):
            raise ZycError(problem("store-unnamed", store=self._named, known=FORMAT.strip()))
        return found == FORMAT

    def refuse_foreign(self) -> None:
        """An error when the store was made by a zyc with another format: nothing of it is known here."""
        found = self._says()
        if found != FORMAT and _ANY_FORMAT.fullmatch(found):
            raise ZycError(problem("store-format", store=self._named, found=found.strip(), known=FORMAT.strip()))

    def _says(self) -> str:
        file = self.root / "FORMAT"
        with plainly(file):
            return self.world.read(file).decode("utf-8", "replace") if self.world.exists(file) else ""

    @property
    def _named(self) -> str:
        return f"{self.root.parent.name}/{self.root.name}"

    def _create(self) -> None:
        for part in _PARTS:
            self.world.make_folder(self.root / part, durable=True)
        self.world.lock(self._whole, shared=True).release()  # its file is there for those who may only read
        self.world.write(self.root / "journal.sqlite", b"")  # an empty index: a store without one has lost it
        self.world.write(self.root / "FORMAT", FORMAT, durable=True)  # last: what has it is complete

    def writable(self) -> bool:
        """Whether something may be added, as far as modes and mounts tell; a store that is missing counts as its folder."""
        return all(self.world.may_write(self.root / part) for part in _PARTS)

    def path(self, digest: str) -> Path:
        """Where a tree is, or would be."""
        return Path(self._at(digest))

    def shown(self, path: AnyPath) -> str:
        """A path in the store, for people."""
        return f"{self.root.name}/{os.path.relpath(path, self.root)}"

    def has(self, digest: str) -> bool:
        """Whether a tree is here."""
        return self.world.stat(self._at(digest)) is not None

    def present(self) -> frozenset[str]:
        """The digests of all trees that are here."""
        listed = (self.world.list(f"{self._trees}/{shard}") for shard in self.world.list(self._trees))
        return frozenset(name for names in listed for name in names if len(name) == 64)

    def members(self, digest: str) -> tuple[str, ...]:
        """The trees that a group leads to; none for any other tree."""
        top = self._at(digest)
        try:
            names = self.world.list(top)
            links = [self.world.read_link(f"{top}/{name}") for name in names]
        except OSError:
            return ()  # the first that is no link ends it: a group holds nothing else
        found = [_MEMBER.fullmatch(link) for link in links]
        return tuple(each[2] for each in found if each is not None) if all(found) else ()

    def publish(
        self, folder: AnyPath, *, expected: str = "", told: Callable[[Tree], None] = lambda _: None, links: bool = False
    ) -> Tree:
        """Make a folder a tree of the store, in place: the folder is gone from where it was; `told` hears what it will be.

        When this returns, the tree outlives a power cut; when it does not, the tree is absent or whole. One that is
        not the expected one is refused. With `links` a file may share its bytes with one elsewhere that nobody ever writes.
        """
        top = Path(folder)
        with plainly(top):
            entries = _look(self.world, top)
            if refused := [*_refused(entries), *(() if links else _shared(entries))]:
                raise ZycError(refused)
            tree = _tree(entries, self.world.each(self._sealer(top), entries))
            if expected and tree.digest != expected:
                raise ZycError(problem("tree-differs", tree=expected, found=tree.digest))
            told(tree)
            try:
                self._place(top, tree.digest)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._carry_over(top, tree)
        return tree

    def group(self, members: Mapping[str, str]) -> str:
        """Publish the tree that leads from labels to other trees, which must be here; nothing is copied."""
        digest = group_digest(members)
        if absent := [label for label, member in members.items() if not self.has(member)]:
            raise ValueError(f"a group of trees that are not here: {absent}")
        with plainly(self.root):
            if not self.has(digest):
                folder = Path(self.world.fresh(self._own("tmp")))
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
        return self.has(digest) and not self.flaws([digest])

    def flaws(self, digests: Iterable[str], *, told: Callable[[int], None] = lambda _: None) -> dict[str, str]:
        """What is wrong with each of these trees that is not what its name says; `told` hears of bytes as they are read.

        All their files are read side by side, the largest first: a disk and all processors are busy to the end.
        """
        wrong: dict[str, str] = {}
        looks = dict(self._looks(digests, wrong))
        files = [(digest, each) for digest, inside in looks.items() for each in inside if each.seen.kind == "file"]
        files.sort(key=lambda each: -each[1].seen.size)
        parts = _portions(files, lambda each: each[1].seen.size)

        def one(digest: str, entry: _Entry) -> str:
            try:
                found = self.world.digest(f"{self._at(digest)}/{entry.path}")
            except OSError as error:
                if error.errno not in (errno.EIO, errno.ENOENT):  # a sector that cannot be read is not whole either
                    raise
                wrong[digest] = f"`{_shown(entry.path)}` cannot be read: {error.strerror}"
                return ""
            told(entry.seen.size)
            return found

        with plainly(self.root):
            read = self.world.each(lambda part: [one(*each) for each in part], parts)
        pairs = (pair for part, texts in zip(parts, read, strict=True) for pair in zip(part, texts, strict=True))
        found = {(digest, each.path): text for (digest, each), text in pairs}
        for digest, inside in looks.items():
            if digest not in wrong and _tree(inside, [found.get((digest, each.path), "") for each in inside]).digest != digest:
                wrong[digest] = "it is not what was published"
        return wrong

    def records(self, digest: str) -> list[TreeRecord]:
        """What a tree holds, its files read anew; an error when its bytes are not what its name says."""
        top = self.path(digest)
        with plainly(top):
            entries = _look(self.world, top)
            records = sorted(_records(entries, self.world.each(lambda entry: _file_digest(self.world, top, entry), entries)))
        if digest_of_records(records) != digest:
            raise ZycError(problem("tree-damaged", tree=digest))
        return records

    def _looks(self, digests: Iterable[str], wrong: dict[str, str]) -> Iterator[tuple[str, Sequence[_Entry]]]:
        for digest in digests:
            try:
                yield digest, _look(self.world, self.path(digest))
            except OSError as error:
                wrong[digest] = f"it cannot be read: {error.strerror}"

    def quarantine(self, digest: str) -> Path:
        """Move a tree out of the way, so that its digest is absent; says where it is now."""
        return self.put_aside(self.path(digest))

    def put_aside(self, path: Path) -> Path:
        """Move anything of the store's out of its way; says where it is now."""
        aside = self.root / "quarantine"
        with plainly(path):
            self.world.make_folder(aside)
            self._unlock(path)
            place = next(place for n in range(1, 10_000) if self.world.stat(place := aside / f"{path.name}.{n}") is None)
            self.world.rename(path, to=place)
            self.world.sync(path.parent)
        return place

    def lock(self, key: str, *, wait: bool = True, told: Callable[[str], None] | None = None) -> Lock:
        """The one lock of a key; hand its descriptor to the step."""
        with plainly(self.root):
            return self.world.lock(self._own("locks") / hex_digest(key), wait=wait, told=told)

    def is_locked(self, key: str) -> bool:
        """Whether somebody makes what a key gives, at this moment."""
        path = self.root / "locks" / hex_digest(key)
        return self.world.exists(path) and self.world.is_locked(path)

    def sharing(self, *, told: Callable[[str], None] | None = None) -> Lock:
        """The lock of the whole store that all who add to it hold at once; hand its descriptor to each step.

        A step that outlives its build holds it on, so nobody sweeps what it reads. Waits while somebody is `alone`.
        """
        with plainly(self.root):
            self._own("locks")
            return self.world.lock(self._whole, shared=True, told=told)

    def alone(self) -> Lock:
        """The lock of the whole store against everybody else, for whoever removes; an error while a build runs."""
        with plainly(self.root):
            self._own("locks")
            try:
                return self.world.lock(self._whole, wait=False)
            except BlockingIOError:
                raise ZycError(problem("store-busy", who=self.world.holder(self._whole))) from None

    @property
    def _whole(self) -> Path:
        return self.root / "locks" / "store"

    def _own(self, part: str) -> Path:
        """A folder of the store's that may hold nothing, and that a copy of the store may therefore lack."""
        self.world.make_folder(self.root / part)
        return self.root / part

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
            gone = self.world.fresh(top.parent)
            self.world.rename(top, to=gone)  # in one piece: what a crash leaves must not look like a smaller output
            self.world.remove_tree(gone)
        seen = self.world.stat(target)
        if seen is not None and seen.mode != frozen(seen):
            self.world.chmod(target, mode=frozen(seen))
        self.world.sync(target.parent)

    def _carry_over(self, top: Path, tree: Tree) -> None:
        """Publish a folder of another file system: the one case in which bytes are copied."""
        copy = Path(self.world.fresh(self._own("tmp")))
        try:
            self.world.copy_tree(top, to=copy)
            entries = _look(self.world, copy)
            if _tree(entries, self.world.each(self._sealer(copy), entries)).digest != tree.digest:
                raise ZycError(problem("tree-changed", path=_shown(top.name)))  # noqa: TRY301  # the copy goes, too
            self._place(copy, tree.digest)
        except BaseException:
            self._drop(copy)
            raise
        gone = self.world.fresh(top.parent)
        self.world.rename(top, to=gone)  # in one piece, as in `_place`
        self.world.remove_tree(gone)

    def _drop(self, path: Path) -> None:
        with suppress(OSError):  # `gc` finds it; what is being told already matters more
            self.world.remove_tree(path)

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
    return digest_of_records((os.fsencode(label), b"member", hex_digest(member).encode()) for label, member in members.items())


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
        elif entry.seen.kind == "link" and not stays_inside(entry.path, entry.target):
            yield problem("tree-link", path=_shown(entry.path), target=_shown(entry.target))


def _shared(entries: Iterable[_Entry]) -> Iterator[Problem]:
    # made read-only here, it would be read-only there; written there, it would change here
    return (
        problem("tree-shared", path=_shown(each.path)) for each in entries if each.seen.kind == "file" and each.seen.links > 1
    )


def stays_inside(path: str, target: str) -> bool:
    """Whether a link stays in the tree that it stands in, whatever the names in its target lead to.

    Leading `..` no more than there are folders above, then names.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    rise = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return not target.startswith("/") and ".." not in parts[rise:] and rise <= path.count("/")


def _portions(items: Sequence[Item], size: Callable[[Item], int]) -> list[list[Item]]:
    """Portions that are worth a thread's while: a large file, or many small ones."""
    parts: list[list[Item]] = []
    room = 0
    for each in items:
        if room <= 0:
            parts.append([])
            room = _PORTION
        parts[-1].append(each)
        room -= size(each) + _PORTION // 500
    return parts


def _file_digest(world: World, top: Path, entry: _Entry) -> str:
    return world.digest(top / entry.path) if entry.seen.kind == "file" else ""


def _tree(entries: Sequence[_Entry], digests: Sequence[str]) -> Tree:
    sizes = [entry.seen.size for entry in entries if entry.seen.kind == "file"]
    return Tree(digest_of_records(_records(entries, digests)), bytes=sum(sizes), files=len(sizes))


def _records(entries: Sequence[_Entry], digests: Sequence[str]) -> Iterator[TreeRecord]:
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


def digest_of_records(records: Iterable[TreeRecord]) -> str:
    """The digest of the tree that holds this, in any order."""
    whole = hashlib.sha256(b"zyc-tree 1\0")
    for record in sorted(records):
        whole.update(b"\0".join(record) + b"\0")  # no name holds a NUL, so no two trees read alike
    return whole.hexdigest()


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
