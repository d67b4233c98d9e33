"""The project as git has it at a revision: the same questions as of the disk, answered from blobs."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field

from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.kept import Kept
from zyc.planning.digest import of_text
from zyc.planning.files import Disk
from zyc.world import World


@dataclass
class Revision:
    """The files of a revision; what git does not keep (large data, say) is as it is on the disk now."""

    world: World
    root: str
    revision: str
    disk: Disk
    _blobs: dict[str, str] = field(default_factory=dict)
    _links: set[str] = field(default_factory=set)
    _programs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        listed = self._git("ls-tree", "-r", "-z", self.revision)
        for entry in listed.split(b"\0"):
            if entry:
                facts, _, path = entry.partition(b"\t")
                mode, _, blob = facts.split()[:3]
                name = path.decode("utf-8", "surrogateescape")
                self._blobs[name] = blob.decode()
                if mode == b"100755":
                    self._programs.add(name)
                if mode == b"120000":
                    self._links.add(name)

    def _git(self, *words: str) -> bytes:
        import subprocess  # git's own words are bytes, and a probe's are text

        done = subprocess.run(["git", "-C", self.root, *words], capture_output=True, check=False)  # noqa: S603, S607
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            hint = (
                "this is no git repository"
                if any("not a git repository" in line for line in said)
                else "`git branch -a` lists the branches"
            )
            raise ZycError(problem("not-a-revision", text=self.revision, hint=hint))
        return done.stdout

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""
        path = posixpath.normpath(path)
        if path in self._blobs:
            return "file"
        if any(name.startswith(f"{path}/") for name in self._blobs):
            return "folder"
        return self.disk.kind(path) if self._ignored(path) else None

    def names(self, folder: str) -> list[str]:
        """What a folder holds."""
        return sorted({name.split("/")[0] for name in self.below(folder)})

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        return self.digest(path)[1]

    def below(self, folder: str) -> list[str]:
        """Every file below a folder."""
        start = "" if folder in (".", "") else f"{posixpath.normpath(folder)}/"
        found = [name[len(start) :] for name in self._blobs if name.startswith(start)]
        return sorted(found) if found or not self._ignored(folder) else self.disk.below(folder)

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""
        if path not in self._blobs:
            return self.disk.digest(path)
        text = self.read(path)
        return of_text(text), len(text)

    def lines(self, path: str) -> int | None:
        """How many lines of a file hold something."""
        if path not in self._blobs:
            return self.disk.lines(path)
        return sum(map(bool, self.read(path).replace(b"\r", b"").split(b"\n")))

    def head(self, path: str, most: int) -> bytes:
        """The first bytes of a file."""
        return self.read(path)[:most] if path in self._blobs else self.disk.head(path, most)

    def runs(self, path: str) -> bool:
        """Whether the file may be run as a program."""
        return path in self._programs if path in self._blobs else self.disk.runs(path)

    def read(self, path: str) -> bytes:
        """All of a file."""
        if path not in self._blobs:
            return self.disk.read(path)
        return self._git("cat-file", "blob", self._blobs[path])

    def leaves(self, path: str) -> bool:
        """A link of a revision is not followed."""
        return path in self._links or (path not in self._blobs and self.disk.leaves(path))

    def _ignored(self, path: str) -> bool:
        """Whether git was told not to keep it."""
        import subprocess

        asked = ["git", "-C", self.root, "check-ignore", "-q", "--", path]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0  # noqa: S603


def at_revision(front: Front, revision: str) -> Front:
    """The front half of the same call over the project as it was."""
    world, root = front.world, os.fspath(front.project.root)
    if hasattr(world, "volatile"):
        world.volatile = True  # a branch can move without a file that we look at
    if revision.startswith("-"):
        raise ZycError(problem("not-a-revision", text=revision, hint="a revision is a branch, a tag or a commit"))
    files = Revision(world, root, revision, Disk(world, front.project.root, Kept()))
    from dataclasses import replace

    call = replace(front.call, select=(), exclude=())
    return Front(world, front.project, call, front.here, Kept(), files)
