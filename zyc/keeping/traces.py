"""A trace says: this key gave this tree, how it was made, and what was measured."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from zyc.errors import Problem, problem
from zyc.keeping.store import Store, hex_digest, plainly
from zyc.world import AnyPath

CARD = "project.json"  # which project the roots beside it are of
_MOST_FORMER = 64
_KINDS_OF_NODES = {False: "real", True: "twin"}


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is kept about one key; nothing in it is secret."""

    key: str
    kind: str
    tree: str
    bytes: int
    manifest: tuple[tuple[str, str], ...] = ()  # what the key is the digest of: label, digest
    fields: tuple[tuple[str, str], ...] = ()  # the settings in words, for `why`: path, text
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # label in the manifest -> key of its trace or "", tree
    measures: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    placement: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0
    started: str = ""  # ISO 8601, UTC
    accepted: str = ""  # the key whose kept output a person let stand for this one
    predicted: Mapping[str, float] = field(default_factory=dict)  # what was thought before it ran: seconds, memory, bytes
    device: str = ""  # of what it ran on, where something was thought: runs on others teach nothing

    @property
    def adopted(self) -> str:
        """When it was taken in from where it was made, ISO 8601; empty for what was built."""
        return self.environment.get("adopted", "")


def digest_of(lines: Iterable[tuple[str, str]]) -> str:
    """The digest of lines of a manifest; that of all of them is the key."""
    return hashlib.sha256("".join([f"{label}\t{digest}\n" for label, digest in lines]).encode()).hexdigest()


class Traces:
    """The traces of a store, one file a key, which appear whole or not at all."""

    def __init__(self, store: Store, *, told: Callable[[Problem], None] = lambda _: None) -> None:
        self.store = store
        self.folder = store.root / "traces"
        self._told = told

    def path(self, key: str) -> Path:
        """Where the trace of a key is, or would be."""
        return self.folder / hex_digest(key)[:2] / f"{key}.json"

    def write(self, trace: Trace) -> None:
        """Keep a trace, in the place of an older one of its key; it outlives a power cut once this returns."""
        path = self.path(trace.key)
        with plainly(path):
            self.store.world.make_folder(path.parent, durable=True)
            self.store.world.write(path, encode(trace), durable=True)

    def read(self, key: str) -> Trace | None:
        """The trace of a key; nothing when there is none, and when its file is damaged, which is told."""
        path = self.path(key)
        with plainly(path):
            try:
                data = self.store.world.read(path)
            except FileNotFoundError:
                return None
        try:
            return decode(data, key=key)
        except ValueError as error:
            self._told(problem("unreadable-record", file=self.store.shown(path), reason=str(error)))
            return None

    def keys(self) -> frozenset[str]:
        """The keys that have a trace, read or not."""
        world = self.store.world
        listed = (world.list(self.folder / shard) for shard in world.list(self.folder))
        return frozenset(key for names in listed for name in names if (key := key_of(name)))


class Root(NamedTuple):
    """Which key a node last had, and those before it, the latest first."""

    node: str
    key: str
    former: tuple[str, ...] = ()


class Roots:
    """Which key each node of a project last had; twins apart."""

    def __init__(
        self, store: Store, project: AnyPath, *, twin: bool = False, told: Callable[[Problem], None] = lambda _: None
    ) -> None:
        self.store = store
        self.project = store.world.real(project)
        self.name = f"{project_id(self.project)}/{_KINDS_OF_NODES[twin]}"
        self.folder = store.root / "roots" / self.name
        self._told = told
        self._registered = False

    def set(self, node: str, key: str) -> None:
        """Remember the key of a node, and which it had before; the first one registers the project, for whoever cleans up."""
        path = self.folder / f"{slug(node)}.json"
        world = self.store.world
        with plainly(path):
            if not self._registered:
                self.register()
            before = read_root(self.store, path, told=self._told)
            former = [each for each in (before.key, *before.former) if each != key] if before is not None else []
            told = {"node": node, "key": hex_digest(key), "former": former[:_MOST_FORMER]}
            world.write(path, _sealed(told), durable=True)  # a sweep of another project goes by it

    def register(self) -> None:
        """Write the card that says whose roots these are, unless it is there."""
        self.store.world.make_folder(self.folder, durable=True)
        if read_card(self.store, self.folder.parent.name, told=self._told) != self.project:
            self.store.world.write(self.folder.parent / CARD, _sealed({"path": self.project}), durable=True)
        self._registered = True

    def get(self, node: str) -> str | None:
        """The key that a node last had."""
        found = read_root(self.store, self.folder / f"{slug(node)}.json", told=self._told)
        return found.key if found is not None and found.node == node else None

    def all(self) -> Mapping[str, str]:
        """The last key of each node."""
        names = (name for name in self.store.world.list(self.folder) if name.endswith(".json"))
        found = (read_root(self.store, self.folder / name, told=self._told) for name in names)
        return {each.node: each.key for each in found if each is not None}


def projects(store: Store) -> Mapping[str, str]:
    """The registered projects of a store: id -> the folder that it was; nothing where its card is damaged: its roots count."""
    return {name: read_card(store, name) for name in store.world.list(store.root / "roots")}


def read_card(store: Store, name: str, *, told: Callable[[Problem], None] = lambda _: None) -> str:
    """The folder of a registered project; nothing when its card is missing, and when it is damaged, which is told."""
    path = store.root / "roots" / name / CARD
    with plainly(path):
        try:
            data = store.world.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return ""
    try:
        match json.loads(data):
            case {"path": str(project)} if _sealed({"path": project}) == data and project_id(project) == name:
                return project
    except (ValueError, RecursionError):
        pass
    told(problem("unreadable-record", file=store.shown(path), reason="its bytes are not those that were written"))
    return ""


def project_id(project: str) -> str:
    """The short name of a project: a digest of its real path."""
    return hashlib.sha256(project.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def slug(node: str) -> str:
    """A file name for a node: readable, and its own even where upper and lower case are the same."""
    own = hashlib.sha256(node.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9._=@-]', '-', node)[:80]}-{own}"


def key_of(name: str) -> str:
    """The key that a file of the traces is named for, or nothing when it is named otherwise."""
    return name[:64] if len(name) == 69 and name.endswith(".json") else ""


def read_root(store: Store, path: Path, *, told: Callable[[Problem], None]) -> Root | None:
    """What a file of the roots says; nothing when missing, and when damaged, which is told."""
    with plainly(path):
        try:
            data = store.world.read(path)
        except FileNotFoundError:
            return None
    try:
        return _root(data)
    except (ValueError, TypeError, RecursionError) as error:
        told(problem("unreadable-record", file=store.shown(path), reason=str(error)))
        return None


def encode(trace: Trace) -> bytes:
    """The canonical file of a trace."""
    told = {
        "key": hex_digest(trace.key),
        "kind": trace.kind,
        "tree": hex_digest(trace.tree),
        "bytes": int(trace.bytes),
        "manifest": trace.manifest,
        "fields": trace.fields,
        "inputs": dict(trace.inputs),
        "measures": {name: _number(value) for name, value in trace.measures.items()},
        "environment": dict(trace.environment),
        "placement": dict(trace.placement),
        "seconds": _number(trace.seconds),
        "peak_memory": int(trace.peak_memory),
        "started": trace.started,
        "accepted": hex_digest(trace.accepted) if trace.accepted else "",
    }
    if trace.predicted:  # a trace of one that was not estimated looks as it did before there were estimates
        told["predicted"] = {name: _number(value) for name, value in trace.predicted.items()}
        told["device"] = trace.device
    return _sealed(told)


def decode(data: bytes, *, key: str) -> Trace:
    """The trace of a key from its file; a ValueError says why it is none."""
    try:
        trace = _decoded(_loaded(data))
        whole = encode(trace) == data
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError("it does not hold what a trace holds") from error
    if not whole:
        raise ValueError("its bytes are not those that were written")
    if trace.key != key:
        raise ValueError("it is the trace of another key")
    return trace


def _loaded(data: bytes) -> Any:  # whatever JSON holds
    try:
        return json.loads(data)
    except ValueError as error:  # also of bytes that are no text
        raise ValueError("it was torn, or holds something else") from error


def _decoded(told: Any) -> Trace:  # whatever JSON holds
    return Trace(
        key=told["key"],
        kind=_text(told["kind"]),
        tree=told["tree"],
        bytes=int(told["bytes"]),
        manifest=tuple((_text(label), _text(digest)) for label, digest in told["manifest"]),
        fields=tuple((_text(path), _text(text)) for path, text in told["fields"]),
        inputs={name: (_text(key), hex_digest(tree)) for name, (key, tree) in told["inputs"].items()},
        measures={name: float(value) for name, value in told["measures"].items()},
        environment={name: _text(value) for name, value in told["environment"].items()},
        placement={name: _text(value) for name, value in told["placement"].items()},
        seconds=float(told["seconds"]),
        peak_memory=int(told["peak_memory"]),
        started=_text(told["started"]),
        accepted=_text(told["accepted"]),
        predicted={name: float(value) for name, value in told.get("predicted", {}).items()},
        device=_text(told.get("device", "")),
    )


def _root(data: bytes) -> Root:
    match _loaded(data):
        case {"node": str(node), "key": str(key), "former": list(former)}:
            root = Root(node, hex_digest(key), tuple(hex_digest(_text(each)) for each in former))
            if _sealed({"node": node, "key": key, "former": former}) == data:
                return root
    raise ValueError("its bytes are not those that were written")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))  # JSON has no word for a loss that is not a number


def _sealed(told: Mapping[str, object]) -> bytes:
    """A record and the digest of it, so that a flipped bit shows."""
    return _json({**told, "seal": hashlib.sha256(_json(told)).hexdigest()})


def _json(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, ensure_ascii=True, indent=1) + "\n").encode("ascii")
