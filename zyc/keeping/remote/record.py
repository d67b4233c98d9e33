"""What a tree holds, as a remote keeps it: a file that proves itself, and that may come from anybody."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass

from zyc.keeping.store import TreeRecord, digest_of_records, stays_inside

MOST = 256 << 20  # bytes of one record: a tree of a million files
_HEX = re.compile(rb"[0-9a-f]{64}")
_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")
_LONGEST = 4095  # bytes of a path; of a name in it 255


@dataclass(frozen=True, slots=True)
class File:
    """One file of a tree."""

    path: str
    digest: str
    size: int
    runs: bool


@dataclass(frozen=True, slots=True)
class Record:
    """A tree: files and links, folders with nothing in them; or a group, which has members only."""

    files: tuple[File, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # path, target
    folders: tuple[str, ...] = ()
    members: tuple[tuple[str, str], ...] = ()  # label, tree

    @property
    def objects(self) -> dict[str, int]:
        """The size of each object that the tree is made of, by digest."""
        return {file.digest: file.size for file in self.files}


def encode(records: list[TreeRecord]) -> bytes:
    """The file of a tree: an entry a line, in the order of its paths."""
    lines = (json.dumps([os.fsdecode(part) for part in record], ensure_ascii=True) for record in sorted(records))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode("ascii")


def decode(data: bytes, *, digest: str) -> Record:
    """The tree of a digest from its file; a ValueError says why it is none, or none that may be written here."""
    try:
        told = json.loads(data)
        records = [tuple(os.fsencode(part) for part in entry) for entry in told]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("it does not hold what a tree holds") from error
    if digest_of_records(records) != digest:
        raise ValueError("its bytes are not those that were written")
    return read(records)


def read(records: list[TreeRecord]) -> Record:
    """The records of a tree, none of which leads anywhere else; a ValueError says which one does."""
    files, links, folders, members = [], [], [], []
    for record in records:
        match record:
            case (name, b"file", (b"x" | b"-") as runs, size, digest) if _SIZE.fullmatch(size) and _HEX.fullmatch(digest):
                files.append(File(_path(name), digest.decode(), int(size), runs == b"x"))
            case (name, b"member", digest) if _HEX.fullmatch(digest) and b"/" not in name:
                members.append((_path(name), digest.decode()))
            case (name, (b"link" | b"member") as what, target):
                links.append(_link(name, target, member=what == b"member"))
            case (name, b"folder"):
                folders.append(_path(name))
            case _:
                raise ValueError("an entry is neither a file, a folder nor a link")
    _hold_apart([*(file.path for file in files), *(path for path, _ in links), *folders, *(label for label, _ in members)])
    if len({(file.digest, file.size) for file in files}) > len({file.digest for file in files}):
        raise ValueError("one object has two sizes")
    if members and len(members) < len(records):
        raise ValueError("a group holds more than its members")
    return Record(tuple(files), tuple(links), tuple(folders), tuple(members))


def _link(name: bytes, target: bytes, *, member: bool) -> tuple[str, str]:
    """A link; one that only looks like a member, being no entry of a group, is a link like any other."""
    if member and not _HEX.fullmatch(target):
        raise ValueError("a member is no tree")
    path, leads = _path(name), os.fsdecode(b"../../%s/%s" % (target[:2], target) if member else target)
    if not target or b"\0" in target or len(target) > _LONGEST or not stays_inside(path, leads):
        raise ValueError(f"`{path[:80]}` leads out of the tree")
    return path, leads


def _path(name: bytes) -> str:
    parts = name.split(b"/")
    if b"\0" in name or any(part in (b"", b".", b"..") or len(part) > 255 for part in parts) or len(name) > _LONGEST:
        raise ValueError(f"`{os.fsdecode(name)[:80]}` cannot be a path in a tree")
    return os.fsdecode(name)


def _hold_apart(paths: list[str]) -> None:
    """No path twice, and none below another: so nothing is ever written through a link."""
    taken = set(paths)
    if len(taken) < len(paths):
        raise ValueError("a path is there twice")
    for path in paths:
        above = path.rpartition("/")[0]
        while above:
            if above in taken:
                raise ValueError(f"`{path}` stands below a file or link")
            above = above.rpartition("/")[0]
