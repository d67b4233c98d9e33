"""A shared copy of objects and traces, in a folder or at a URL: a trace there is a promise that its bytes are whole there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Lock

from zyc.errors import Problem, ZycError, problem
from zyc.keeping.remote import record as records
from zyc.keeping.remote.fetch import fetch
from zyc.keeping.remote.layout import FORMAT, PIECE, Progress, Pushed, trace_path, tree_path
from zyc.keeping.remote.push import push
from zyc.keeping.remote.record import Record
from zyc.keeping.remote.shelf import Absent, Folder, Shelf, Steady
from zyc.keeping.store import Store, Tree
from zyc.keeping.traces import Trace, Traces, decode
from zyc.world import World

_LONGEST_TRACE = 64 << 20


class Remote:
    """What others built. It is only read, but for `push`."""

    def __init__(self, world: World, shelf: Shelf, name: str, *, told: Callable[[Problem], None] = lambda _: None) -> None:
        self.world = world
        self.name = name
        self.shelf = Steady(world, shelf, name)
        self.known: set[str] = set()  # objects that were seen or put there, so that nobody asks twice
        self._turns: dict[str, Lock] = {}
        self._damaged: set[str] = set()  # keys whose trace there is none
        self.sent_trees: set[str] = set()  # since it was listed
        self._sent_keys: set[str] = set()
        self._told = told

    @classmethod
    def open(
        cls, world: World, url: str, *, name: str = "", create: bool = False, told: Callable[[Problem], None] = lambda _: None
    ) -> Remote:
        """The remote at a URL or in a folder; `create` makes one of an empty place. People see its name."""
        from zyc.keeping.remote.url import Url, shown

        if hasattr(world, "volatile"):
            world.volatile = True  # others write there, and nobody tells us
        folder = url.removeprefix("file://") if url.startswith("file://") or "://" not in url else ""
        shelf: Shelf = Folder(world, folder) if folder else Url(url)
        remote = cls(world, shelf, name or (url if folder else shown(url)), told=told)
        remote._check(create=create)
        return remote

    def _check(self, *, create: bool) -> None:
        try:
            found = self.shelf.piece("FORMAT", start=0, most=80).decode("utf-8", "replace")
        except Absent:
            if not create:
                raise ZycError(problem("remote-missing", remote=self.name)) from None
            if not self.shelf.is_empty():
                self._check_made()
                return
            self.shelf.put("FORMAT", FORMAT.encode())  # first: an empty remote is whole
            return
        if found != FORMAT:
            raise ZycError(problem("remote-format", remote=self.name, found=found[:40].strip(), known=FORMAT.strip()))

    def _check_made(self) -> None:
        """Somebody else may have made it since we looked."""
        try:
            self.shelf.piece("FORMAT", start=0, most=80)
        except Absent:
            raise ZycError(problem("remote-not-empty", remote=self.name)) from None
        self._check(create=False)

    # --- what is there ---

    @cached_property
    def _keys(self) -> frozenset[str]:
        return self.shelf.stems("traces")

    @cached_property
    def _trees(self) -> frozenset[str]:
        return self.shelf.stems("trees")

    def keys(self) -> frozenset[str]:
        """The keys that have a trace there; listed once."""
        return (self._keys | self._sent_keys) - self._damaged

    def trees(self) -> frozenset[str]:
        """The trees that are there, each with all of its objects; listed once."""
        return self._trees | self.sent_trees

    def look(self) -> None:
        """List traces and trees side by side, for whoever needs both."""
        self.world.each(lambda part: part(), (self.keys, self.trees))

    def trace(self, key: str) -> Trace | None:
        """The trace of a key; nothing when there is none, and when it is damaged, which is told."""
        place = trace_path(key)
        try:
            data = self.whole(place, most=_LONGEST_TRACE)
        except Absent:
            return None
        try:
            return decode(data, key=key)
        except ValueError as error:
            self._damaged.add(key)
            self._told(problem("remote-unreadable", remote=self.name, place=place, reason=str(error)))
            return None

    def traces(self, keys: Iterable[str]) -> dict[str, Trace]:
        """The traces of those keys that have one there, side by side."""
        wanted = sorted(self.keys() & {*keys})
        found = self.world.each(self.trace, wanted)
        return {each.key: each for each in found if each is not None}

    def tree(self, digest: str) -> Record:
        """What a tree holds; an error when it is not there, or is nothing that may be written here."""
        place = tree_path(digest)
        try:
            data = self.whole(place, most=records.MOST)
        except Absent:
            raise ZycError(problem("remote-lacks", remote=self.name, place=place)) from None
        try:
            return records.decode(data, digest=digest)
        except ValueError as error:
            raise ZycError(problem("remote-damaged", remote=self.name, place=place, reason=str(error))) from None

    def turn(self, digest: str) -> Lock:
        """The lock of an object in this process: two trees that hold it do not send it twice."""
        return self._turns.setdefault(digest, Lock())

    def whole(self, place: str, *, most: int) -> bytes:
        """A whole small file; what is longer than that is cut, and then proves itself wrong."""
        told = bytearray()
        while len(told) < most:
            piece = self.shelf.piece(place, start=len(told), most=min(PIECE, most - len(told)))
            told += piece
            if len(piece) < PIECE:
                break
        return bytes(told)

    # --- there and back ---

    def fetch(self, digest: str, store: Store, *, told: Progress = lambda _, __: None) -> Tree:
        """Bring a tree, and of a group its members, into a store: it is there whole or not at all, and is what it was."""
        return fetch(self, digest, store, told)

    def keep(self, key: str, traces: Traces, *, trace: Trace | None = None) -> Trace | None:
        """Write the trace of a key into a store that has none; what it leads to need not be there."""
        here = traces.read(key)
        if here is not None:
            return here
        there = trace if trace is not None else self.trace(key)
        if there is not None:
            traces.write(there)
        return there

    def push(self, trace: Trace, store: Store, *, told: Progress = lambda _, __: None, again: bool = False) -> Pushed:
        """Send what is not there yet: objects, then the tree, then the trace; what is there is left as it is.

        `again` believes no tree and no trace there before it has looked at it and at each of its objects.
        """
        pushed = push(self, trace, store, told, again=again)
        self._damaged.discard(trace.key)
        self._sent_keys.add(trace.key)
        return pushed
