"""The only module that touches disk, processes and clock; standard library only."""

# pathlib and contextlib cost more to import than this whole module
# ruff: noqa: PTH100, PTH101, PTH102, PTH104, PTH106, PTH108, PTH110, PTH112, PTH115, PTH116, PTH118, PTH120, PTH123, PTH208, PTH211
# ruff: noqa: SIM105

from __future__ import annotations

import errno
import os
import stat
import time

TYPE_CHECKING = False  # `typing` costs more to import than all of this module
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from subprocess import Popen
    from typing import Final, Literal, Self, TypeVar

    from zyc.world.process import Process

    Kind = Literal["file", "folder", "link", "other"]
    Subject = TypeVar("Subject")
    Result = TypeVar("Result")

AnyPath = os.PathLike[str] | str
LEFT = "a step that outlived its build"  # who holds a lock whose signers are gone
_SMALL, _LARGE = 1 << 16, 1 << 20  # bytes that are read at once
_KINDS: dict[int, Kind] = {0o100000: "file", 0o040000: "folder", 0o120000: "link"}


class Stat:
    """What the disk says about one path; equal ones say that nothing moved."""

    __slots__ = ("ctime_ns", "device", "inode", "kind", "links", "mode", "mtime_ns", "size")

    def __init__(  # noqa: PLR0913  # a record: `typing` and `dataclasses` are slow to import
        self, kind: Kind, *, size: int, mtime_ns: int, ctime_ns: int, inode: int, device: int, mode: int, links: int = 1
    ) -> None:
        self.kind: Final = kind
        self.size: Final = size
        self.mtime_ns: Final = mtime_ns
        self.ctime_ns: Final = ctime_ns
        self.inode: Final = inode
        self.device: Final = device
        self.mode: Final = mode
        self.links: Final = links

    @classmethod
    def of(cls, raw: os.stat_result) -> Stat:
        """The same facts in our words; `mode` keeps the permission bits only."""
        return cls(
            _KINDS.get(raw.st_mode & 0o170000, "other"),
            size=raw.st_size,
            mtime_ns=raw.st_mtime_ns,
            ctime_ns=raw.st_ctime_ns,
            inode=raw.st_ino,
            device=raw.st_dev,
            mode=raw.st_mode & 0o7777,
            links=raw.st_nlink,
        )

    def _facts(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return self._facts() == other._facts() if isinstance(other, Stat) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        return f"Stat({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


class Lock:
    """A lock of the operating system: held until `release`, and by each child that inherits `descriptor` until it ends."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str, descriptor: int) -> None:
        self.path: Final = path
        self.descriptor = descriptor

    def release(self) -> None:
        """Let go; harmless when done already."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)  # close, not unlock: an unlock would take the lock from a living child too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class World:
    """Disk, processes and clock: what goes wrong is a plain OSError, which callers put into words.

    Each change to the disk is announced to `effect` first, so a test can count, deny or crash at any of them.
    """

    def effect(self, verb: str, path: str, target: str = "") -> None:
        """Called before each change: create, write, sync, rename, folder, link, mode, unlink, rmdir, lock."""

    # --- looking ---

    def read(self, path: AnyPath) -> bytes:
        """All bytes of a file."""
        with open(path, "rb") as file:
            return file.read()

    def tail(self, path: AnyPath, *, most: int) -> bytes:
        """The end of a file, which may be growing."""
        with open(path, "rb", opener=_at_once) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            return file.read(most)

    def read_text(self, path: AnyPath) -> str:
        """All of a UTF-8 file, its line ends as they are."""
        return self.read(path).decode("utf-8")

    def read_link(self, path: AnyPath) -> str:
        """Where a symbolic link says it leads."""
        return os.readlink(path)

    def real(self, path: AnyPath) -> str:
        """The absolute path without symbolic links."""
        return os.path.realpath(path)

    def stat(self, path: AnyPath, *, follow: bool = False) -> Stat | None:
        """The facts of a path (of a link itself, unless followed), or nothing when there is none."""
        try:
            return Stat.of(os.stat(path, follow_symlinks=follow))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: AnyPath) -> bool:
        """Whether something is there, when links are followed."""
        return self.stat(path, follow=True) is not None

    def list(self, folder: AnyPath) -> tuple[str, ...]:
        """The sorted names in a folder; none in a missing one, or in a file."""
        try:
            return tuple(sorted(os.listdir(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def walk(self, folder: AnyPath) -> tuple[tuple[str, Stat], ...]:
        """Everything below a folder, folders too, as sorted relative paths; links are not followed; nothing in a missing one."""
        top = os.fspath(folder)
        found: dict[str, Stat] = {}
        pending = [""]
        while pending:
            inside = pending.pop()
            try:
                with os.scandir(os.path.join(top, inside)) as entries:
                    for entry in entries:
                        path = f"{inside}/{entry.name}" if inside else entry.name
                        seen = self.stat(entry.path)
                        if seen is not None:  # else it is gone already
                            found[path] = seen
                            if seen.kind == "folder":
                                pending.append(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return tuple(sorted(found.items(), key=lambda each: each[0]))

    def usage(self, path: AnyPath) -> int:
        """How many bytes of its disk a path takes, with all below it; links are not followed."""
        try:
            seen = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        whole, pending = seen.st_blocks * 512, [os.fspath(path)] if _KINDS.get(seen.st_mode & 0o170000) == "folder" else []
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    whole += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        return whole

    def digest(self, path: AnyPath) -> str:
        """The sha256 of a file, in hex."""
        import hashlib

        whole = hashlib.sha256()
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # most files are small: a large buffer costs more to get than they cost to read
            while chunk := os.read(descriptor, _SMALL):
                whole.update(chunk)
                if len(chunk) == _SMALL:
                    break
            buffer = bytearray(_LARGE) if chunk else bytearray()
            view = memoryview(buffer)
            while chunk and (count := os.readv(descriptor, [buffer])):
                whole.update(view[:count])
        finally:
            os.close(descriptor)
        return whole.hexdigest()

    def lines(self, path: AnyPath) -> int:
        """How many lines of a file hold something."""
        count, begun = 0, False
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_LARGE):
                parts = chunk.replace(b"\r", b"").split(b"\n")
                parts[0] = b"x" if begun else parts[0]  # the rest of a line that the chunk before began
                begun = bool(parts[-1])
                count += sum(map(bool, parts[:-1]))
        return count + begun

    def piece(self, path: AnyPath, *, start: int, most: int) -> bytes:
        """At most so many bytes of a file, from a place on."""
        with open(path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), most, start)

    # --- changing ---

    def fresh(self, folder: AnyPath) -> str:
        """A path in a folder that nothing has, for what is not to be seen yet."""
        return os.path.join(os.fspath(folder), f".zyc-{os.getpid()}-{os.urandom(6).hex()}")

    def private_folder(self) -> str:
        """A new folder with a short path, which only this user may enter; whoever asks removes it."""
        import tempfile

        return tempfile.mkdtemp(prefix="zyc-", dir="/tmp")  # short on macOS too; mkdtemp makes it safe

    def write(self, path: AnyPath, data: bytes | str, *, durable: bool = False) -> None:
        """A whole file or none, by rename; durable: it outlives a power cut once this returns."""
        self.save(path, (data.encode("utf-8") if isinstance(data, str) else data,), durable=durable)

    def save(self, path: AnyPath, pieces: Iterable[bytes], *, durable: bool = False) -> None:
        """A whole file or none, from pieces that need not fit into memory together."""

        def fill(descriptor: int, beside: str) -> None:
            for piece in pieces:
                self.effect("write", beside)
                _write_all(descriptor, piece)

        self._whole(os.fspath(path), fill, synced=durable)
        if durable:
            self.sync(os.path.dirname(os.fspath(path)) or ".")

    def copy(self, path: AnyPath, *, to: AnyPath) -> None:
        """A whole copy of a file or none; it outlives a power cut once the folder that it is in is synced."""

        def fill(descriptor: int, beside: str) -> None:
            self.effect("write", beside)
            _copy_all(os.fspath(path), descriptor)

        self._whole(os.fspath(to), fill, synced=True)

    def _whole(self, target: str, fill: Callable[[int, str], None], *, synced: bool) -> None:
        beside = self.fresh(os.path.dirname(target))
        try:
            self.effect("create", beside)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                fill(descriptor, beside)
                if synced:
                    self.effect("sync", beside)
                    self.flush(descriptor)
            finally:
                os.close(descriptor)
            self.rename(beside, to=target)
        except BaseException:
            self._drop(beside)
            raise

    def append(self, path: AnyPath, data: bytes) -> None:
        """Add to the end of a file, in one write."""
        self.effect("write", os.fspath(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def rename(self, path: AnyPath, *, to: AnyPath) -> None:
        """Move within one file system; a file or link that was there is replaced."""
        self.effect("rename", os.fspath(path), os.fspath(to))
        os.rename(path, to)

    def copy_tree(self, path: AnyPath, *, to: AnyPath) -> None:
        """A folder once more, with its modes and links, at a path that nothing has; not durable by itself."""
        top, target = os.fspath(path), os.fspath(to)
        self.make_folder(target)
        for name, seen in self.walk(top):
            old, new = f"{top}/{name}", f"{target}/{name}"
            if seen.kind == "folder":
                self.effect("folder", new)
                os.mkdir(new)
            elif seen.kind == "link":
                self.effect("link", new, os.readlink(old))
                os.symlink(os.readlink(old), new)
            else:
                self._copy(old, new, seen.mode)

    def _copy(self, path: str, to: str, mode: int) -> None:
        self.effect("create", to)
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self.effect("write", to)
            with open(path, "rb", buffering=0) as file:
                while chunk := file.read(1 << 22):
                    _write_all(descriptor, chunk)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def symlink(self, path: AnyPath, *, target: str) -> None:
        """A symbolic link, by rename: what was there leads to the old place or the new one at any moment."""
        beside = self.fresh(os.path.dirname(os.fspath(path)))
        try:
            self.effect("link", beside, target)
            os.symlink(target, beside)
            self.rename(beside, to=path)
        except BaseException:
            self._drop(beside)
            raise

    def make_folder(self, path: AnyPath, *, durable: bool = False) -> None:
        """A folder and those above it; harmless when there."""
        folder = os.path.abspath(path)
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(missing):
            self.effect("folder", each)
            try:
                os.mkdir(each)
            except FileExistsError:
                if not os.path.isdir(each):  # another process may make the same one
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), each) from None
            if durable:
                self.sync(os.path.dirname(each))

    def sync(self, path: AnyPath) -> None:
        """Wait until a file's bytes, or a folder's names, would outlive a power cut."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.effect("sync", os.fspath(path))
            self.flush(descriptor)
        finally:
            os.close(descriptor)

    def flush(self, descriptor: int) -> None:
        """Wait until what an open file or folder holds would outlive a power cut."""
        import fcntl

        full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: its fsync stops at the cache of the disk
        try:
            if full is None:
                os.fsync(descriptor)
            else:
                fcntl.fcntl(descriptor, full)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY):
                raise
            if full is not None:
                os.fsync(descriptor)  # not every file system knows it; some know nothing of the kind for folders

    def chmod(self, path: AnyPath, *, mode: int) -> None:
        """Set the permission bits of a file or folder."""
        self.effect("mode", os.fspath(path))
        os.chmod(path, mode)

    def freeze(self, path: AnyPath) -> None:
        """Make a file, or a folder and all in it, read-only."""
        for each, seen in self._with_top(path):
            if seen.kind != "link" and seen.mode != frozen(seen):
                self.chmod(each, mode=frozen(seen))

    def thaw(self, path: AnyPath) -> None:
        """Let the owner write a file, or a folder and all in it, again."""
        for each, seen in self._with_top(path):
            if seen.kind != "link" and not seen.mode & 0o200:
                self.chmod(each, mode=seen.mode | 0o200)

    def _with_top(self, path: AnyPath) -> Iterable[tuple[str, Stat]]:
        top, seen = os.fspath(path), self.stat(path)
        inside = self.walk(top) if seen is not None and seen.kind == "folder" else ()
        return [(top, seen), *((os.path.join(top, name), each) for name, each in inside)] if seen is not None else []

    def remove_tree(self, path: AnyPath) -> None:
        """Remove a file, a link, or a folder and all in it, read-only or not; harmless when missing."""
        seen = self.stat(path)
        if seen is None:
            return
        top = os.fspath(path)
        if seen.kind != "folder":
            self.effect("unlink", top)
            os.unlink(top)
            return
        folders, pending = [], [(top, seen.mode)]
        while pending:
            folder, mode = pending.pop()
            folders.append(folder)
            if mode & 0o700 != 0o700:
                self.chmod(folder, mode=0o700)
            with os.scandir(folder) as entries:
                for entry in tuple(entries):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, entry.stat(follow_symlinks=False).st_mode))
                    else:
                        self.effect("unlink", entry.path)
                        os.unlink(entry.path)
        for folder in reversed(folders):
            self.effect("rmdir", folder)
            os.rmdir(folder)

    def _drop(self, path: str) -> None:
        if os.path.lexists(path):
            self.effect("unlink", path)
            try:
                os.unlink(path)
            except OSError:
                pass  # what is being told already matters more

    def lock(self, path: AnyPath, *, wait: bool = True, shared: bool = False, told: Callable[[str], None] | None = None) -> Lock:
        """Take a lock that one process (and what inherits it) can hold; `told` hears, once, for whom one waits.

        Many may hold a `shared` one, and nobody the other while they do. Without `wait` a lock that is held is a
        BlockingIOError. Lock files are not removed when let go: a child may still hold one. Whoever sweeps them takes
        each without waiting first.
        """
        import fcntl

        wanted = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self.effect("lock", os.fspath(path))
        while True:
            descriptor = _opened(path, shared=shared)
            try:
                try:
                    fcntl.flock(descriptor, wanted | fcntl.LOCK_NB)
                except BlockingIOError:
                    if told is not None:
                        told(_signed(descriptor))
                        told = None
                    if not wait:
                        raise
                    fcntl.flock(descriptor, wanted)
                if _is_at(descriptor, path):  # not swept away while we waited
                    _sign(descriptor, beside=shared)
                    return Lock(os.fspath(path), descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def is_locked(self, path: AnyPath) -> bool:
        """Whether somebody holds a lock at this moment."""
        import fcntl

        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def holder(self, path: AnyPath) -> str:
        """Who holds a lock, in words."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _signed(descriptor)
        finally:
            os.close(descriptor)

    # --- processes ---

    def launch(  # what a step needs to run
        self,
        command: Sequence[str],
        *,
        cwd: AnyPath,
        env: Mapping[str, str],
        log_path: AnyPath,
        redact: Sequence[str] = (),
        pass_descriptors: Sequence[int] = (),
        cores: Sequence[int] = (),
    ) -> Process:
        """Start a command that writes its log itself, so that it outlives us; only secrets put a reader in between."""
        from zyc.world.process import Process

        self.effect("create", os.fspath(log_path))
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            output, reader = _redacted(log, redact) if any(redact) else (log, None)
            try:
                return Process(
                    command, output=output, cwd=cwd, env=env, pass_descriptors=pass_descriptors, cores=cores, reader=reader
                )
            except BaseException:
                if reader is not None:
                    reader.kill()
                    reader.wait()
                raise
            finally:
                if output != log:
                    os.close(output)
        finally:
            os.close(log)

    def output(
        self, command: Sequence[str], *, cwd: AnyPath | None = None, env: Mapping[str, str] | None = None, seconds: float = 10
    ) -> tuple[int, str]:
        """The exit code and the words of a short probe; TimeoutError when it takes longer."""
        import tempfile

        from zyc.world.process import Process

        with tempfile.TemporaryFile() as words:
            process = Process(command, output=words.fileno(), cwd=cwd, env=env)
            try:
                ended = process.wait(seconds=seconds)
                if ended is None:
                    raise TimeoutError(errno.ETIMEDOUT, "a command took too long", str(command))
            finally:
                process.close()
            words.seek(0)
            return ended.code, words.read(1 << 20).decode("utf-8", "replace")

    def born(self, pid: int) -> str:
        """When a process of this machine was started, as it is told; empty when there is none, or only what is left of one."""
        from zyc.world.machine import born

        return born(self, pid)

    def end(self, pid: int, *, hard: bool) -> None:
        """Ask a group of processes to stop, or end it; harmless when it is gone."""
        import signal

        try:
            os.killpg(pid, signal.SIGKILL if hard else signal.SIGINT)
        except (ProcessLookupError, PermissionError):
            pass

    def boot(self) -> str:
        """What tells one start of this machine from the next; empty where that cannot be told."""
        from zyc.world.machine import boot

        return boot(self)

    def pressed(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call `told` at each Ctrl-C and each polite request to end, from now on until what is given back is called."""
        import signal
        import threading

        if threading.current_thread() is not threading.main_thread():
            return lambda: None  # only a main thread hears signals
        before = {number: signal.signal(number, lambda *_: told()) for number in (signal.SIGINT, signal.SIGTERM)}

        def over() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return over

    def acting(self) -> World:
        """The world for what changes it: the same, but for one that remembers what it is asked."""
        return self

    def each(self, work: Callable[[Subject], Result], subjects: Sequence[Subject], *, width: int = 8) -> Sequence[Result]:
        """The results of `work` in order, side by side: hashing and waiting for the disk leave the interpreter free."""
        if len(subjects) < 2:
            return [work(each) for each in subjects]
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(min(width, len(subjects)))
        try:
            return tuple(pool.map(work, subjects))
        finally:
            pool.shutdown(cancel_futures=True)

    # --- clock and machine ---

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def environ(self) -> Mapping[str, str]:
        """The environment that zyc was started with."""
        return dict(os.environ)

    def cpu_count(self) -> int:
        """How many processors this process may use."""
        from zyc.world.machine import processors

        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min((usable, *processors(self))))

    def cores(self) -> tuple[int, ...]:
        """The numbers of the processors that this process may use; none where they have no numbers.

        Each process begins with another one: two builds side by side do not crowd the first.
        """
        numbers = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
        turn = os.getpid() % len(numbers)
        return tuple(numbers[turn:] + numbers[:turn]) if hasattr(os, "sched_getaffinity") else ()

    def memory_total(self) -> int:
        """How many bytes of memory this process may use."""
        from zyc.world.machine import memory

        pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return min((pages, *memory(self)))

    def has_bf16(self) -> bool:
        """Whether the processor has bf16 of its own."""
        from zyc.world.machine import has_bf16

        return has_bf16(self)

    def routed(self) -> bool:
        """Whether this machine has a way to any other; nobody is asked for it."""
        from zyc.world.machine import routed

        return routed(self)

    def accelerators(self) -> tuple[str, ...]:
        """The accelerators that this process may use, as CUDA names them: what a scheduler left to us, else all."""
        told = self.environ().get("CUDA_VISIBLE_DEVICES")
        if told is None:
            return tuple(map(str, range(len(self.list("/proc/driver/nvidia/gpus")))))
        names = [each.strip() for each in told.split(",")]
        return tuple(names[: next((at for at, each in enumerate(names) if each in ("", "-1")), len(names))])

    def may_write(self, path: AnyPath) -> bool:
        """Whether this user may write at a path, there already or not, as far as modes and mounts tell."""
        place = self.real(path)
        while not os.path.lexists(place):
            place = os.path.dirname(place)
        return os.access(place, os.W_OK)

    def disk_free(self, path: AnyPath) -> int:
        """How many bytes may be written at a path, there already or not."""
        folder = self.real(path)
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        free = os.statvfs(folder)
        return free.f_bavail * free.f_frsize


def _redacted(log: int, secrets: Sequence[str]) -> tuple[int, Popen[bytes]]:
    """Where a step may write so that its secrets stay out of its log: a pipe to a program that outlives us."""
    import subprocess
    import sys

    from zyc.world import redact

    reader, writer = os.pipe()
    try:
        command = (sys.executable, "-I", "-S", redact.__file__)
        program = subprocess.Popen(  # noqa: S603  (a list, no shell)
            command, stdin=reader, stdout=log, stderr=log, env=redact.variable(secrets), start_new_session=True
        )
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    return writer, program


def frozen(seen: Stat) -> int:
    """The permission bits of a file or folder without any to write; the owner may always read."""
    return seen.mode & 0o555 | (0o500 if seen.kind == "folder" else 0o400)


def _at_once(path: str, flags: int) -> int:
    """Opened without waiting for whoever might write into a pipe; what is no file is refused."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", path)
    return descriptor


def _opened(path: AnyPath, *, shared: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if not shared or error.errno not in (errno.EROFS, errno.EACCES):
            raise
        if not os.path.exists(path):
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # who may only read holds it as well, unsigned


_SIGNATURES = 1 << 12  # bytes of a shared lock's file: those who let go leave their names behind


def _sign(descriptor: int, *, beside: bool) -> None:
    """Say who holds a lock; beside the others, where there may be others."""
    name = f"process {os.getpid()} on {os.uname().nodename}"
    try:
        size = os.fstat(descriptor).st_size
        if not beside or size > _SIGNATURES:
            os.ftruncate(descriptor, 0)
            size = 0
        os.pwrite(descriptor, f"\n{name}".encode() if size else name.encode(), size)
    except OSError:
        pass  # a full disk must not keep anybody from a lock


def _signed(descriptor: int) -> str:
    """Who holds a lock, as far as the signatures of living processes tell."""
    lines = os.pread(descriptor, 2 * _SIGNATURES, 0).decode("utf-8", "replace").splitlines()
    there = [line for line in dict.fromkeys(lines) if _lives(line)]
    return ", ".join(there[-3:]) or LEFT


def _lives(signature: str) -> bool:
    words = signature.split()
    if len(words) != 4 or not words[1].isdigit() or words[3] != os.uname().nodename:
        return bool(words)  # of another machine: nobody here can tell
    return alive(int(words[1]))


def alive(process: int) -> bool:
    """Whether a process of this machine lives, as far as its number tells."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_at(descriptor: int, path: AnyPath) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _copy_all(path: str, descriptor: int) -> None:
    """All bytes of a file, by the kernel where it can; what it leaves over goes through memory."""
    with open(path, "rb", buffering=0) as file:
        if hasattr(os, "copy_file_range"):
            try:
                while os.copy_file_range(file.fileno(), descriptor, 1 << 30):
                    pass
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
                    raise
        while data := file.read(1 << 20):
            _write_all(descriptor, data)
