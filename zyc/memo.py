"""Nothing to do, in the standard library only: what a call printed, kept with everything that it looked at."""

from __future__ import annotations

import os
import sys
import time

from zyc.world import Stat, World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from zyc.world import AnyPath

_MAGIC = b"zyc-memo 3\n"
_RACY = 20_000_000  # ns: a file that moved this shortly before it was looked at may move again and look the same
_HERE = os.path.dirname(os.path.abspath(__file__))
# a link or folder in here is only asked whether it is there, and its parent tells that
_UNSEEN = tuple(os.path.join("artifacts", *each.split()) for each in ("memo kept.bin", "store tmp tick", "store journal.sqlite"))
_COUNTED = ("store/trees", "nodes", "twin")


class Variables(dict[str, str]):
    """The environment, which remembers what was asked of it."""

    def __init__(self, values: Mapping[str, str], asked: set[str]) -> None:
        super().__init__(values)
        self._asked = asked

    def __getitem__(self, name: str) -> str:
        self._asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._asked.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """A value, or the default."""
        self._asked.add(name)
        return super().get(name, default)


class Watching(World):
    """A world that remembers everything that was looked at, so that a later call can see that nothing moved."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, ...] | None] = {}
        top = project_root()
        self._counted = tuple(os.path.join(top, "artifacts", each, "") for each in _COUNTED) if top else ()
        self.machine: dict[str, int | None] = {}  # what it has to give, as far as it was asked
        self.asked: set[str] = set()
        self.ways: dict[str, str] = {}  # folders that may be links, and where they lead
        self.disks: dict[str, int] = {}
        self.rights: dict[str, bool] = {}  # where it was asked whether one may write
        self.volatile = False  # something was asked that cannot be watched
        self.latest = 0

    def _note(self, path: str) -> None:
        # what the kernel makes up has no time of its own; a machine's cores and memory do not move between two calls;
        # kept answers are found by their questions, so they make calls quick, never different; so does an index;
        # a tick is a clock
        if path not in self.seen and not path.startswith(("/proc/", "/sys/")) and not path.endswith(_UNSEEN):
            self.seen[path] = stamp(path)

    def read(self, path: AnyPath) -> bytes:
        """All bytes of a file."""
        self._note(os.fspath(path))
        return super().read(path)

    def real(self, path: AnyPath) -> str:
        """The absolute path without symbolic links."""
        found, here = super().real(path), os.fspath(path)
        folder = here if os.path.isdir(found) else os.path.dirname(here)
        if folder not in self.ways:
            self.ways[folder] = os.path.realpath(folder)  # a folder that was moved and linked holds the very same files
        return found

    def stat(self, path: AnyPath, *, follow: bool = False) -> Stat | None:
        """The facts of a path."""
        here = os.fspath(path)
        self._note(os.path.dirname(here) if here.startswith(self._counted) else here)
        return super().stat(path, follow=follow)

    def list(self, folder: AnyPath) -> tuple[str, ...]:
        """The names in a folder."""
        self._note(os.fspath(folder))
        return super().list(folder)

    def walk(self, folder: AnyPath) -> tuple[tuple[str, Stat], ...]:
        """Everything below a folder."""
        top = os.fspath(folder)
        self._note(top)
        found = super().walk(folder)
        for name, _ in found:
            self._note(os.path.join(top, name))
        return found

    def digest(self, path: AnyPath) -> str:
        """The digest of a file."""
        self._note(os.fspath(path))
        return super().digest(path)

    def output(self, *args: object, **kwargs: object) -> tuple[int, str]:
        """What another program says can change without a file that we know."""
        self.volatile = True
        return super().output(*args, **kwargs)  # type: ignore[arg-type]

    def born(self, pid: int) -> str:
        """When a process was started: it may end without a file that we know."""
        self.volatile = True
        return super().born(pid)

    def acting(self) -> World:
        """A plain one: a call that changes something is never answered from memory."""
        return World()

    def environ(self) -> Mapping[str, str]:
        """The environment."""
        return Variables(super().environ(), self.asked)

    def cpu_count(self) -> int:
        """How many processors this process may use."""
        count = self.machine["cpu_count"] = super().cpu_count()
        return count

    def memory_total(self) -> int:
        """How many bytes of memory this process may use."""
        size = self.machine["memory_total"] = super().memory_total()
        return size

    def disk_free(self, path: AnyPath) -> int:
        """The bytes that are free, as coarse as they are told."""
        free = coarse(super().disk_free(path))
        self.disks[os.fspath(path)] = free
        return free

    def may_write(self, path: AnyPath) -> bool:
        """Whether one may write at a path."""
        may = self.rights[os.fspath(path)] = super().may_write(path)
        return may


def stamp(path: str) -> tuple[int, ...] | None:
    """What the disk says of a path; equal ones say that nothing moved. A link counts by what it leads to as well."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_mode)


def coarse(count: int) -> int:
    """Two digits of a number: a disk never stands still."""
    scale = int("1" + "0" * max(0, len(str(count)) - 2))
    return count // scale * scale


def face() -> tuple[object, ...]:
    """What the look of an output depends on."""
    environ = os.environ
    try:
        columns = os.get_terminal_size(1).columns
    except OSError:
        columns = 0
    names = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "LANG", "LC_ALL", "GITHUB_ACTIONS")
    streams = (sys.stdout, sys.stderr)
    told = (*(each.isatty() for each in streams), *(each.encoding for each in streams))
    return (columns, *told, *(environ.get(name, "") for name in names), sys.version, sys.executable)


def project_root() -> str | None:
    """The nearest folder upwards that holds specs/."""
    try:
        root = os.getcwd()
    except OSError:
        return None  # we stand in a folder that is gone
    while not os.path.isdir(os.path.join(root, "specs")):
        above = os.path.dirname(root)
        if above == root:
            return None
        root = above
    return root


def sealed(body: bytes) -> bytes:
    """A body with the sum of it in front, so that a torn file is none."""
    import zlib

    return b"%s%08x%s" % (_MAGIC, zlib.crc32(body), body)


def unsealed(path: str) -> bytes | None:
    """The body of a sealed file; None when there is none, or it is not whole."""
    import zlib

    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        return None
    body = text[len(_MAGIC) + 8 :]
    return body if text[: len(_MAGIC) + 8] == b"%s%08x" % (_MAGIC, zlib.crc32(body)) else None


def _place(argv: Sequence[str]) -> tuple[str, tuple[object, ...]] | None:
    """Where the memo of a call is, and the whole question that its name is short for."""
    import zlib

    root = project_root()
    if root is None:
        return None
    question = (os.getcwd(), tuple(argv), face())
    name = f"{zlib.crc32(repr(question).encode('utf-8', 'surrogateescape')):08x}"
    return os.path.join(root, "artifacts", "memo", "calls", name), question


def replay(argv: Sequence[str]) -> int | None:
    """Print what the same call printed when nothing that it looked at has moved; None when it must be done again."""
    import marshal

    placed = _place(argv)
    if placed is None:
        return None
    path, question = placed
    body = unsealed(path)
    if body is None:
        return None
    told: Any = marshal.loads(body)  # noqa: S302  (ours, and summed)
    if len(told) != 5:  # of another zyc
        return None
    asked, facts, out, err, code = told
    if asked != question or not _stands(*facts):
        return None
    try:
        for stream, text in ((sys.stdout, out), (sys.stderr, err)):
            text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return None  # this stream is told what it can show
    for stream, text in ((sys.stdout, out), (sys.stderr, err)):
        if text:
            stream.write(text)
            stream.flush()
    return int(code)


def _stands(seen: Any, ways: Any, variables: Any, disks: Any, rights: Any, machine: Any) -> bool:
    """Whether everything that was looked at is as it was."""
    return (
        all(stamp(each) == was for each, was in seen)
        and all(os.path.realpath(each) == was for each, was in ways)
        and all(_variable(name) == was for name, was in variables)
        and all(_free(each) == was for each, was in disks)
        and all(World().may_write(each) == was for each, was in rights)
        and all(getattr(World(), name)() == was for name, was in machine)
    )


def save(argv: Sequence[str], world: Watching, began: float, *, out: str, err: str, code: int) -> None:
    """Keep what a call printed, unless something that it looked at moved too recently to be sure."""
    import marshal

    placed = _place(argv)
    if placed is None or world.volatile:
        return
    for each in _own_files():
        world.seen.setdefault(each, stamp(each))
    limit = int(began * 1e9) - _RACY
    if any(was is not None and max(was[3], was[4]) > limit for was in world.seen.values()):
        return
    path, question = placed
    facts = (
        tuple(world.seen.items()),
        tuple(world.ways.items()),
        tuple((name, _variable(name)) for name in sorted(world.asked)),
        tuple(world.disks.items()),
        tuple(world.rights.items()),
        tuple(world.machine.items()),
    )
    whole: Any = (question, facts, out, err, code)
    body = marshal.dumps(whole)
    plain = World()
    try:
        plain.make_folder(os.path.dirname(path))
        plain.write(path, sealed(body))
    except OSError:
        return


def _variable(name: str) -> int:
    """A value as a sum: the memo holds no secret."""
    import zlib

    value = os.environ.get(name)
    return -1 if value is None else zlib.crc32(value.encode("utf-8", "surrogateescape"))


def _free(path: str) -> int:
    try:
        return coarse(World().disk_free(path))
    except OSError:
        return -1


def _own_files() -> Iterator[str]:
    """Zyc itself: its modules and its templates, here or beside the package."""
    for top in (_HERE, os.path.join(os.path.dirname(_HERE), "templates")):
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield folder
            yield from (os.path.join(folder, name) for name in files)


def source_digest() -> str:
    """What zyc's own files look like now: other code gives other answers."""
    import zlib

    total = 0
    for path in sorted(_own_files()):
        seen = stamp(path)
        if seen is not None and not path.endswith(os.sep) and not os.path.isdir(path):
            total = zlib.crc32(f"{path} {seen[2]} {seen[3]}\n".encode("utf-8", "surrogateescape"), total)
    return f"{total:08x} {sys.version}"


def clock() -> float:
    """Seconds since 1970, before anything is looked at."""
    return time.time()
