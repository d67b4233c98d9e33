"""An index over traces and roots that may be deleted at any moment."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from zyc.errors import Problem, problem
from zyc.keeping.store import Store
from zyc.keeping.traces import Roots, Trace, Traces, digest_of, key_of, read_root
from zyc.world import AnyPath, Stat

if TYPE_CHECKING:
    import sqlite3

_TABLE = "folders_6"  # a new shape gets a new name: old rows are never read wrongly, only again
_HARMLESS = {3, 5, 6, 8, 13, 14, 23}  # SQLite: permission, busy, locked, read-only, full, cannot open, authorisation
_BATCH = 64

_Stamp = list[int]  # what the disk says about a folder or file; equal: nothing moved; empty: look again
_Row = list[Any]  # what a file says


class Summary(NamedTuple):
    """What a plan needs of a trace."""

    tree: str
    bytes: int
    seconds: float
    peak_memory: int
    measures: Mapping[str, float]
    own: str  # the digest of all of the manifest but its inputs
    inputs: Mapping[str, str]  # label in the manifest -> tree
    accepted: str = ""  # the key whose kept output stands for this one
    kind: str = ""
    started: str = ""
    device: str = ""  # on which it ran
    predicted: Mapping[str, float] = {}  # what was thought before it ran
    adopted: str = ""  # when what was made elsewhere was taken in

    @classmethod
    def of(cls, trace: Trace) -> Summary:
        """The summary of a trace."""
        return cls(*_summary(trace))


@dataclass(slots=True)
class _Folder:
    """One folder as it was read: what each of its files says, and how each looked then."""

    stamp: _Stamp = field(default_factory=list)
    rows: dict[str, _Row] = field(default_factory=dict)  # by file name without `.json`
    looks: str = "{}"  # JSON of file name -> stamp: most folders have not moved, and need none of it

    @classmethod
    def of(cls, stamp: _Stamp, files: Mapping[str, tuple[_Stamp, _Row]]) -> Self:
        """The folder that holds these files."""
        looks = {name: look for name, (look, _) in files.items()}
        return cls(stamp, {name: row for name, (_, row) in files.items()}, _json(looks))

    def files(self) -> dict[str, tuple[_Stamp, _Row]]:
        """Both halves of each file."""
        looks = json.loads(self.looks)
        return {name: (looks[name], row) for name, row in self.rows.items()}


class Journal:
    """What all traces and roots of a store say, without reading them again.

    A row a folder, with the stamp that the folder had: a folder whose stamp differs is listed, and of its files those
    are read whose stamps differ. So it is right whoever wrote, crashed or deleted in between; nothing in it is needed.
    """

    def __init__(self, store: Store, *, told: Callable[[Problem], None] = lambda _: None) -> None:
        self.store = store
        self.path = store.root / "journal.sqlite"
        self._told = told
        self._traces = Traces(store, told=told)
        self._folders: dict[str, _Folder] = {}  # by name below the store: traces/ab, roots/<project>/real
        self._loaded = False
        self._unsaved: set[str] = set()
        self._recorded = 0
        self._database: sqlite3.Connection | None = None

    @classmethod
    def open(cls, store: Store, *, told: Callable[[Problem], None] = lambda _: None) -> Self:
        """The journal of a store; `told` hears of a damaged index and of damaged records, both as good as absent."""
        return cls(store, told=told)

    def summaries(self) -> dict[str, Summary]:
        """What is known of each key that has a trace."""
        self._load()
        shards = [f"traces/{shard}" for shard in self.store.world.list(self.store.root / "traces")]
        self._follow(shards, self._read_trace)
        return {key: Summary._make(row) for shard in shards for key, row in self._folders[shard].rows.items()}

    def last_keys(self, project: AnyPath, *, twin: bool = False) -> dict[str, str]:
        """The key that each node of a project last had."""
        name = f"roots/{Roots(self.store, project, twin=twin).name}"
        self._load()
        self._follow([name], self._read_root)
        return dict(self._folders[name].rows.values())

    def record(self, trace: Trace) -> None:
        """Note a trace that was just written. Its folder keeps its old stamp, so it is listed once more, but not read."""
        self._load()
        path = self._traces.path(trace.key)
        seen = self.store.world.stat(path)
        if seen is None:
            return
        name = f"traces/{path.parent.name}"
        known = self._folders.get(name, _Folder())
        self._folders[name] = _Folder.of(known.stamp, {**known.files(), trace.key: (_stamp(seen), _summary(trace))})
        self._unsaved.add(name)
        self._recorded += 1
        if self._recorded % _BATCH == 0:  # what a crash takes is found again by the stamp
            self._save()

    def close(self) -> None:
        """Write what is not yet written, and let go of the file."""
        self._save()
        if self._database is not None:
            self._database.close()
            self._database = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- folders against the disk ---

    def _follow(self, names: Iterable[str], read: Callable[[Path], _Row | None]) -> None:
        """Bring the folders to what the disk holds now."""
        world, root = self.store.world, self.store.root
        stale = []
        for name in names:
            seen = world.stat(root / name)
            known = self._folders.setdefault(name, _Folder())
            if seen is None:
                self._folders[name] = _Folder()
            elif known.stamp != _stamp(seen):
                stale.append(name)
        if stale:
            tick = self._tick()
            for name in stale:
                self._list(name, read, tick)
            self._unsaved.update(stale)
            self._save()

    def _list(self, name: str, read: Callable[[Path], _Row | None], tick: int) -> None:
        world, path, known = self.store.world, self.store.root / name, self._folders[name].files()
        seen = world.stat(path)  # before the listing: what changes after it must show next time
        files, whole = {}, seen is not None
        for file, inside in world.walk(path):
            if not file.endswith(".json"):
                continue
            stem, look = file.removesuffix(".json"), _stamp(inside)
            old_look, row = known.get(stem, ([], None))
            if old_look != look:
                row = read(path / file)
            if row is None:
                whole = False  # told again next time, until somebody mends it
            else:
                files[stem] = look, row
        # git's racy-clean rule: a folder that changed in this very tick could change again and look the same
        settled = whole and seen is not None and max(seen.mtime_ns, seen.ctime_ns) < tick
        self._folders[name] = _Folder.of(_stamp(seen) if settled and seen is not None else [], files)

    def _tick(self) -> int:
        """What time it is on the clock of the store's disk, which may be coarse or another machine's; 0 if it cannot be told."""
        probe = self.store.root / "tmp" / "tick"
        try:
            self.store.world.write(probe, b"")
            seen = self.store.world.stat(probe)
        except OSError:
            return 0
        return seen.mtime_ns if seen is not None else 0

    def _read_trace(self, path: Path) -> _Row | None:
        key = key_of(path.name)
        try:
            trace = self._traces.read(key)
        except ValueError as error:
            self._told(problem("unreadable-record", file=self.store.shown(path), reason=str(error)))
            return None
        return _summary(trace) if trace is not None and path.parent.name == key[:2] else None

    def _read_root(self, path: Path) -> _Row | None:
        found = read_root(self.store, path, told=self._told)
        return None if found is None else [found.node, found.key]

    # --- the file ---

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        if not self.store.world.exists(self.path) and self.store.world.list(self.store.root / "traces"):
            self._told(problem("index-missing", file=self.store.shown(self.path)))
        # all rows at once, not a range of them: in a damaged file a range can lack what is there
        rows = self._ask(f"SELECT name, stamp, rows, looks, seal FROM {_TABLE}")  # noqa: S608  # our own name
        whole = [parts for *parts, seal in rows if seal == _seal(parts)]
        for name, stamp, files, looks in whole:
            self._folders[name] = _Folder(json.loads(stamp), json.loads(files), looks)
        if len({name for name, *_ in whole}) < len(rows):
            self._damaged("a row is not what was written")

    def _save(self) -> None:
        rows = []
        for name in sorted(self._unsaved):
            known = self._folders[name]
            parts = (name, _json(known.stamp), _json(known.rows), known.looks)
            rows.append((*parts, _seal(parts)))
        self._unsaved.clear()
        if rows:
            self._ask(f"REPLACE INTO {_TABLE} VALUES (?, ?, ?, ?, ?)", rows)  # noqa: S608  # our own name

    def _ask(self, query: str, values: list[tuple[Any, ...]] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query; none when the file cannot be used now, which costs time and nothing else."""
        import sqlite3

        try:
            database = self._connected()
            if values is None:
                return database.execute(query).fetchall()
            database.execute("BEGIN IMMEDIATE")
            database.executemany(query, values)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database is not None:
                self._database.close()
                self._database = None
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _HARMLESS:
                self._damaged(str(error))
        return []

    def _connected(self) -> sqlite3.Connection:
        import sqlite3

        if self._database is None:
            self._database = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = OFF")  # a power cut may spoil it: each row proves itself
            self._database.execute(
                f"CREATE TABLE IF NOT EXISTS {_TABLE} (name PRIMARY KEY, stamp, rows, looks, seal) WITHOUT ROWID"
            )
        return self._database

    def _damaged(self, reason: str) -> None:
        self._told(problem("index-rebuilt", file=self.store.shown(self.path), reason=reason))
        self._unsaved.update(self._folders)
        if self._database is not None:
            self._database.close()
            self._database = None
        try:
            for suffix in ("-journal", "-wal", "-shm", ""):
                self.store.world.remove_tree(f"{self.path}{suffix}")
        except OSError:
            pass  # then it is told, and read past, each time


def _stamp(seen: Stat) -> _Stamp:
    return [seen.mtime_ns, seen.ctime_ns, seen.inode, seen.size]


def _summary(trace: Trace) -> _Row:
    inputs = {label: tree for label, (_, tree) in trace.inputs.items()}
    own = digest_of((label, digest) for label, digest in trace.manifest if label not in inputs)
    told = [trace.tree, trace.bytes, trace.seconds, trace.peak_memory, dict(trace.measures), own, inputs, trace.accepted]
    return [*told, trace.kind, trace.started, trace.device, dict(trace.predicted), trace.adopted]


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _seal(parts: Iterable[object]) -> int:
    return zlib.crc32("\0".join(map(str, parts)).encode("utf-8", "surrogateescape"))
