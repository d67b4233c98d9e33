"""The user's files, of the disk or of a revision of git, and how a path that a spec names is found among them."""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from zyc.compile import Source
from zyc.errors import Span, ZycError, guess, listing, problem
from zyc.kept import Kept
from zyc.kind import Found
from zyc.planning.digest import of_text
from zyc.planning.known import Missing
from zyc.source import MOST_BYTES
from zyc.source.reading import Reading
from zyc.world import Stat, World

TEXT_LIMIT = 8_000_000
HEAD_BYTES = 64_000  # of a file, for whoever wants to know what it holds
T = TypeVar("T")

_RACY = 100_000_000  # ns: a file that changed this shortly before it was read may change again and look the same


class Files(Protocol):
    """The user's files, of the disk or of a revision in git: paths are relative to the project's root."""

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""

    def names(self, folder: str) -> Iterable[str]:
        """What a folder holds."""

    def below(self, folder: str) -> Iterable[str]:
        """Everything below a folder that is no folder itself, sorted, relative to it."""

    def size(self, path: str) -> int:
        """How many bytes a file has."""

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""

    def lines(self, path: str) -> int | None:
        """How many lines of a file hold something; None when that is not known."""

    def head(self, path: str, most: int) -> bytes:
        """The first bytes of a file."""

    def runs(self, path: str) -> bool:
        """Whether the file may be run as a program."""

    def read(self, path: str) -> bytes:
        """All of a file."""

    def leaves(self, path: str) -> bool:
        """Whether the path leads out of the project."""


class Disk:
    """The user's files as they are now; a digest is taken again only when the disk says that a file moved."""

    def __init__(self, world: World, root: Path, kept: Kept, *, reads: bool = True) -> None:
        self.world = world
        self._reads = reads  # without it data is looked at, not read: enough to check a spec, not to plan
        self.root = root
        self._real = world.real(root)
        self._top = str(root)  # joining paths is what ten thousand files would spend their time on
        self._kept = kept

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""
        seen = self.world.stat(self.root / path, follow=True)
        return None if seen is None else seen.kind

    def names(self, folder: str) -> tuple[str, ...]:
        """What a folder holds."""
        return self.world.list(self.root / folder)

    def below(self, folder: str) -> list[str]:
        """Everything below a folder that is no folder itself: links and what is no file, too."""
        return [name for name, seen in self.world.walk(self.root / folder) if seen.kind != "folder"]

    def _file(self, path: str) -> Stat:
        """The facts of a file, links followed; nothing else is opened: a pipe never ends, a folder of links may not either."""
        seen = self.world.stat(f"{self._top}/{path}", follow=True)
        if seen is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if seen.kind != "file":
            raise OSError(errno.EINVAL, "it is a link to a folder" if seen.kind == "folder" else _NO_FILE, path)
        return seen

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        return self._file(path).size

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""
        seen = self._file(path)
        return ("" if not self._reads else self._once("file", path, seen, self.world.digest)), seen.size

    def lines(self, path: str) -> int | None:
        """How many lines of a file hold something; None when data is not read."""
        return None if not self._reads else self._once("lines", path, self._file(path), self.world.lines)

    def _once(self, what: str, path: str, seen: Stat, read: Callable[[str], T]) -> T:
        """What a file says, read again only when the disk says that it moved."""
        full = f"{self._top}/{path}"
        question = (full, _stamp(seen))
        known: T | None = self._kept.get(what, question)
        if known is None:
            began = self.world.now()
            known = read(full)
            after = self.world.stat(full, follow=True)
            still = after is not None and _stamp(after) == _stamp(seen)
            if still and max(seen.mtime_ns, seen.ctime_ns) + _granularity(seen) < began * 1e9:
                self._kept.keep(what, question, known)
        return known

    def head(self, path: str, most: int) -> bytes:
        """The first bytes of a file: to look at them is not to read it."""
        self._file(path)
        return self.world.piece(self.root / path, start=0, most=most)

    def runs(self, path: str) -> bool:
        """Whether the file may be run as a program."""
        seen = self.world.stat(self.root / path, follow=True)
        return seen is not None and bool(seen.mode & 0o100)

    def read(self, path: str) -> bytes:
        """All of a file."""
        self._file(path)
        return self.world.read(self.root / path)

    def leaves(self, path: str) -> bool:
        """Whether a link on the way leads out of the project."""
        real = self.world.real(self.root / path)
        return real != self._real and not real.startswith(self._real + os.sep)


def _stamp(seen: Stat) -> tuple[int, ...]:
    return (seen.device, seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns)


def _granularity(seen: Stat) -> int:
    """How coarse the clock of the file's disk may be: whole seconds tell an old file system."""
    return 2_000_000_000 if seen.mtime_ns % 1_000_000_000 == 0 else _RACY


def spec_files(files: Files) -> list[str]:
    """The specs of a project: every YAML file below specs/, the folders `data` and `profiles` aside."""
    found = []
    for name in files.below("specs"):
        if {"data", "profiles"} & {*name.split("/")} or any(part.startswith(".") for part in name.split("/")):
            continue
        # a link to a folder would hide the specs in it
        if name.endswith((".yml", ".yaml")) or _is_folder(files, f"specs/{name}"):
            found.append(f"specs/{name}")
    return found


def _is_folder(files: Files, path: str) -> bool:
    try:
        return files.kind(path) == "folder"
    except OSError:
        return True  # a loop of links, say: told where it is read


def read_specs(files: Files) -> list[Source]:
    """The texts of all specs; what cannot be read is a source that says why."""
    try:
        return [_read_spec(files, path) for path in spec_files(files)]
    except OSError as error:
        raise ZycError(problem("unreadable-file", Span("specs"), file="specs", reason=_reason(error))) from None


def _read_spec(files: Files, path: str, *, anywhere: bool = False) -> Source:
    try:
        if not path.isprintable():
            return Source(path, b"", problem("odd-name", Span(path), file=path))
        if not anywhere and files.leaves(path):
            return Source(path, b"", problem("escaping-file", Span(path), file=path))
        size = files.size(path)
        if size > MOST_BYTES:
            return Source(path, b"", problem("file-too-large", Span(path), file=path, size=size, limit=MOST_BYTES))
        return Source(path, files.read(path))
    except OSError as error:
        return Source(path, b"", problem("unreadable-file", Span(path), file=path, reason=_reason(error)))


def _reason(error: OSError) -> str:
    return error.strerror or "it cannot be opened"


def read_own(files: Files, path: str, *, anywhere: bool = False) -> bytes | None:
    """A file of fixed name, if it is there; it may be a link out of the project when `anywhere` says so."""
    try:
        there = files.kind(path) is not None
    except OSError:
        there = True
    source = _read_spec(files, path, anywhere=anywhere) if there else None
    if source is not None and source.refused is not None:
        raise ZycError(source.refused)
    return None if source is None else source.text


def read_profile(files: Files, name: str) -> tuple[str, bytes]:
    """A profile's file and text."""
    known = {each.rsplit(".", 1)[0]: each for each in files.below("specs/profiles") if each.endswith((".yml", ".yaml"))}
    if name not in known:
        hint = guess(name, known, otherwise=listing(sorted(known), "there is") or "profiles are the files in specs/profiles/")
        raise ZycError(problem("unknown-profile", name=name, hint=hint))
    path = f"specs/profiles/{known[name]}"
    source = _read_spec(files, path)
    if source.refused is not None:
        raise ZycError(source.refused)
    return path, source.text


def find(files: Files, path: str, *, text: bool, data: bool = False, lines: bool = False, head: bool = False) -> Found | Missing:
    """A file, folder or glob of the user's."""
    found = _find(files, path, text=text)
    if isinstance(found, Missing):
        return found
    if data:
        reading = Reading(path)
        root = reading.read((found.text or "").encode())
        if reading.problems:
            told = reading.problems[0]
            return _unreadable(f"line {told.spans[0].line}: {told.message}", told.help)
        found = replace(found, data=root)
    if lines:
        names = [name for name, _ in found.files] if found.files else [path]
        counts = [files.lines(name) for name in names]
        known = [each for each in counts if each is not None]
        found = replace(found, lines=sum(known) if len(known) == len(counts) else None)
    if head:
        first = next((name for name, _ in found.files), path)
        found = replace(found, head=files.head(first, HEAD_BYTES).decode("utf-8", "ignore"))
    return found


def _find(files: Files, path: str, *, text: bool) -> Found | Missing:
    start = glob_root(path) if _is_glob(path) else path
    try:
        if files.leaves(start):
            return Missing("escaping-link")
        if start == "artifacts" or start.startswith("artifacts/") or path == ".":
            return Missing("own-output")
        if _is_glob(path):
            return _many(files, path, _matching(files, path), Missing("empty-glob"))
        kind = files.kind(path)
        if kind is None:
            return Missing("missing-input", (("hint", _beside(files, path)),))
        if kind == "folder":
            return _folder(files, path, text=text)
        digest, size = files.digest(path)
        if text and size > TEXT_LIMIT:
            return _unreadable(f"it is larger than {TEXT_LIMIT // 1_000_000} MB", "give it as one of the `files`")
        if not text and files.runs(path):
            digest = f"{digest} x"  # what a step can call is not what it can only read
        return Found(path, digest, size, text=files.read(path).decode("utf-8") if text else None)
    except UnicodeDecodeError:
        return Missing("input-not-text")
    except OSError as error:
        hint = "files and folders of files can be read" if error.errno == errno.EINVAL else "check that you may read it"
        told = _unreadable(_reason(error), hint)
        # the one that is at fault, where it lies below what the field names
        inside = str(error.filename or path)
        at = inside.find(start) if start != "." else -1
        return Missing(told.code, (*told.facts, ("path", inside[at:]))) if at >= 0 else told


_NO_FILE = "it is neither a file nor a folder"


def _is_glob(path: str) -> bool:
    return any(char in path for char in "*?[")


def _folder(files: Files, path: str, *, text: bool) -> Found | Missing:
    if text:
        return _unreadable("it is a folder", "name the file itself")
    return _many(files, path, [posixpath.join(path, name) for name in files.below(path)], None)


def _unreadable(reason: str, hint: str) -> Missing:
    return Missing("unreadable-input", (("reason", reason), ("hint", hint)))


def _many(files: Files, path: str, names: list[str], empty: Missing | None) -> Found | Missing:
    if not names and empty is not None:
        return empty
    told, size = [], 0
    for name in sorted(names):
        if files.leaves(name):
            return Missing("escaping-link", (("path", name),))
        digest, length = files.digest(name)
        told.append((name, f"{digest} x" if files.runs(name) else digest))
        size += length
    start = f"{glob_root(path)}/" if _is_glob(path) else f"{path}/"
    # a name with a line end is one name
    lines = "".join(f"{digest} {name.removeprefix(start).replace(chr(10), chr(0))}\n" for name, digest in told)
    return Found(path, of_text(lines.encode("utf-8", "surrogateescape")), size, tuple(told))


def glob_root(pattern: str) -> str:
    """The folder that holds everything a glob can match."""
    parts = pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if any(char in part for char in "*?["))
    return "/".join(parts[:fixed]) or "."


def _matching(files: Files, pattern: str) -> list[str]:
    root, wanted = glob_root(pattern), pattern.split("/")
    starts = [root]
    if root == ".":  # what zyc writes is nobody's input
        starts = [name for name in files.names(".") if name != "artifacts" and _fits(name, wanted[0])]
    paths = []
    for start in starts:
        below = files.below(start) if files.kind(start) == "folder" and not files.leaves(start) else [""]
        paths += [posixpath.join(start, name) if name else start for name in below]
    return [path for path in paths if _matches(path.split("/"), wanted)]


def _fits(name: str, wanted: str) -> bool:
    """Whether one name fits one part of a glob; a hidden one must be asked for."""
    if name.startswith(".") and not wanted.startswith("."):
        return False
    return wanted == "**" or fnmatch.fnmatchcase(name, wanted)


def _matches(parts: list[str], wanted: list[str]) -> bool:
    """`**` stands for any folders, `*` stays inside one name."""
    reached = {0}  # how many parts the globs so far may have taken
    for each in wanted:
        further = {at + 1 for at in reached if at < len(parts) and _fits(parts[at], each)}
        if each == "**":
            while further - reached:
                reached |= further
                further = {at + 1 for at in reached if at < len(parts) and _fits(parts[at], each)}
        else:
            reached = further
    return len(parts) in reached


def _beside(files: Files, path: str) -> str:
    """What may have been meant by a path that is not there."""
    folder, name = posixpath.split(path)
    while folder and files.kind(folder) != "folder":
        folder, name = posixpath.split(folder)
    close = guess(name, files.names(folder or "."), otherwise="paths are relative to the project's root")
    return close.replace("`", f"`{folder}/", 1) if folder and close.startswith("did you mean") else close
