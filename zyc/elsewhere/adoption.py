"""What was made elsewhere becomes the result of a node: all of it is checked first, and nothing that is wrong is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from zyc import kinds
from zyc.elsewhere import faces
from zyc.elsewhere.faces import ACCOUNT, FORMAT, NOTES
from zyc.elsewhere.parcel import Parcel
from zyc.errors import Problem, ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Edge, Node
from zyc.keeping.journal import Journal, Summary
from zyc.keeping.store import Store, tree_of
from zyc.keeping.traces import Roots, Trace, Traces
from zyc.kind import EnvironmentNeed
from zyc.planning import folder
from zyc.planning.digest import Manifest, key_of, of_text
from zyc.planning.known import History
from zyc.planning.plan import Forward, Plan
from zyc.planning.why import against, files_of, recipe_fields
from zyc.world import World

_LONGEST_ACCOUNT = 8_000_000  # bytes


class _Values(BaseModel):
    """What a file from elsewhere says: exactly these fields, of these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Fetched(_Values):
    """An input that was fetched where the node was made: its key gave this tree."""

    place: str
    key: str
    tree: str
    bytes: int
    measures: dict[str, float]


class Account(_Values):
    """What was made of what, where, and how long it took."""

    format: str
    face: str
    node: str
    kind: str
    twin: bool
    key: str
    manifest: list[tuple[str, str]]
    fields: list[tuple[str, str]]
    placement: dict[str, Any]
    tree: str
    measures: str  # the digest of measures.json, or nothing
    fetched: list[Fetched]
    environment: dict[str, str]
    started: str
    seconds: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """One key with what it gave elsewhere; its bytes are here, or only known by their name."""

    node: str
    trace: Trace
    held: bool = True


@dataclass
class Adoption:
    """One call of `zyc adopt`."""

    front: Front
    parcel: Parcel
    account: Account
    named: str = ""  # the node that the call names

    @property
    def _node(self) -> Node:
        """The node that this is for: the one that is named, else the one that it was made of."""
        name = self.named or self.account.node
        found = self.front.plan.graph.vertices.get(name)
        if not isinstance(found, Node):
            raise ZycError(problem("no-selection", text=name, hint="name the node that it is for: `zyc adopt FILE NODE`"))
        return found

    def find(self) -> list[Adopted]:
        """What would be adopted, inputs first; everything but the bytes of the result is checked."""
        plan, account = self.front.plan, self.account
        node = self._node
        self._check_kind(node)
        history = plan.history
        forward = Forward(plan.settlement, History(dict(history.traces), history.last, history.present, history.unfinished))
        fetched = list(self._fetched(plan, node))
        known = {each.node: each for each in fetched}
        for vertex in plan.graph.vertices.values():
            if isinstance(vertex, Cluster):
                forward.cluster(vertex)
            elif isinstance(vertex, Choice):
                forward.choice(vertex)
            elif vertex.name in known:
                trace = known[vertex.name].trace
                forward.learn(vertex.name, trace.key, Summary.of(trace))
            else:
                key = plan.decisions[vertex.name].key
                forward.learn(vertex.name, key, plan.history.traces.get(key or ""))
        manifest, unknown = forward.manifest(node)
        self._check_key(plan, node, manifest, unknown)
        self._check_recipe(manifest)
        return [*fetched, Adopted(node.name, self._trace(plan, node, forward, account, manifest))]

    def _check_kind(self, node: Node) -> None:
        account, twin = self.account, self.front.call.twin
        if account.twin != twin:
            made = "the twin, the rehearsal at toy size" if account.twin else "the real thing, not of its twin"
            hint = "say `--twin`" if account.twin else "leave `--twin` out"
            raise ZycError(problem("adopt-twin", file=self.parcel.shown, made=made, hint=hint))
        if account.kind != node.kind:
            raise ZycError(
                problem(
                    "adopt-other-kind", node.span, file=self.parcel.shown, node=node.name, before=account.kind, after=node.kind
                )
            )

    def _fetched(self, plan: Plan, node: Node) -> Iterator[Adopted]:
        """The inputs that were fetched there; those that this machine has made are as it made them."""
        kind = kinds.load(node.kind)
        sources = {kind.place(edge.field): edge.source for edge in _edges(node)}
        for each in self.account.fetched:
            source = plan.graph.vertices.get(sources.get(each.place, ""))
            if not isinstance(source, Node):
                self._refuse(f"`in/{each.place}` was fetched there, and the specs take nothing there")
                return
            decision = plan.decisions[source.name]
            if decision.key is None or decision.tree is not None or decision.key != each.key:
                continue  # then what is known here counts, and the manifests tell whether it is the same
            known = plan.settlement.known
            yield Adopted(
                source.name,
                Trace(
                    key=decision.key,
                    kind=source.kind,
                    tree=each.tree,
                    bytes=each.bytes,
                    manifest=decision.manifest,
                    fields=tuple(sorted({**recipe_fields(source, known), **files_of(source, known)}.items())),
                    measures=each.measures,
                    environment=self._environment(),
                    placement={name: str(value) for name, value in source.shape.placement},
                    started=self.account.started,
                ),
                held=False,
            )

    def _check_key(self, plan: Plan, node: Node, manifest: Manifest, unknown: tuple[str, ...]) -> None:
        """The key must be the one that the specs give today; else the lines that differ are told."""
        account = self.account
        made = tuple((label, digest) for label, digest in account.manifest)
        if key_of(made) != account.key:
            self._refuse("its key is not that of its manifest")
        if not unknown and key_of(manifest) == account.key:
            return
        decision = plan.decisions[node.name]._replace(manifest=manifest, unknown=unknown)
        seen = replace(plan, decisions={**plan.decisions, node.name: decision})
        before = Trace(account.key, account.kind, account.tree, 0, manifest=made, fields=tuple(account.fields))
        told = against(seen, node.name, before)
        if unknown and dict(manifest).items() <= dict(made).items():
            source = next(edge.source for edge in _edges(node) if kinds.label(node.kind, edge.field) == unknown[0])
            raise ZycError(problem("adopt-unknown-input", node.span, node=node.name, input=source))
        lines = "\n".join(f"  {each}" for each in told)
        help_ = f"what it was made of, and what is there now:\n{lines}\nundo that, or render the face again and run it"
        raise ZycError(problem("adopt-other-key", node.span, file=self.parcel.shown, node=node.name, help=help_))

    def _check_recipe(self, manifest: Manifest) -> None:
        """The recipe that came along is the one of the key, byte for byte."""
        wanted = {label.removeprefix("recipe/"): digest for label, digest in manifest if label.startswith("recipe/")}
        found = {name: of_text(data) for name, data in self.parcel.below("recipe").items()}
        for name in sorted({*wanted, *found}):
            if wanted.get(name) != found.get(name):
                word = (
                    "is missing" if name not in found else "is none of its key's" if name not in wanted else "was changed there"
                )
                self._refuse(f"its `recipe/{name}` {word}")

    def _trace(self, plan: Plan, node: Node, forward: Forward, account: Account, manifest: Manifest) -> Trace:
        known = plan.settlement.known
        return Trace(
            key=account.key,
            kind=node.kind,
            tree=account.tree,
            bytes=0,  # told by the bytes themselves
            manifest=manifest,
            fields=tuple(sorted({**recipe_fields(node, known), **files_of(node, known)}.items())),
            inputs={
                kinds.label(node.kind, edge.field): (forward.keys.get(edge.source) or "", forward.trees[edge.source] or "")
                for edge in _edges(node)
            },
            environment=self._environment(),
            placement={name: str(value) for name, value in account.placement.items()},
            seconds=max(0.0, account.seconds),
            peak_memory=max(0, account.peak_memory),
            started=account.started,
        )

    def _environment(self) -> dict[str, str]:
        """The environment that it was made in, and that it was adopted: whoever asks sees both."""
        now = datetime.fromtimestamp(self.front.world.now(), UTC).isoformat(timespec="seconds")
        own = {name: value for name, value in self.account.environment.items() if name != "adopted"}
        return {"host": self.account.face, **own, "adopted": now}

    def _refuse(self, reason: str) -> None:
        raise ZycError(problem("adopt-unreadable", file=self.parcel.shown, reason=reason))

    # --- taking it in ---

    def take_in(self, found: list[Adopted], *, dry_run: bool = False) -> list[Adopted]:
        """Check the bytes, publish them, and write the traces last; what was published when it ends early is nobody's."""
        front = self.front
        store = Store.open(front.world, front.project.store)
        told: Callable[[Problem], None] = front.warnings.append
        traces, roots = Traces(store, told=told), Roots(store, front.project.root, twin=front.call.twin, told=told)
        last = found[-1]
        with store.sharing(), self._alone(store, last):
            there = traces.read(last.trace.key)
            if there is not None and store.has(there.tree):
                raise ZycError(problem("adopt-nothing-new", self._node.span, node=last.node))
            return self._published(found, traces, roots, dry_run=dry_run)

    @contextmanager
    def _alone(self, store: Store, last: Adopted) -> Iterator[None]:
        """The lock of the key; whoever builds it at this moment goes first."""
        try:
            lock = store.lock(last.trace.key, wait=False)
        except BlockingIOError:
            raise ZycError(problem("adopt-runs", self._node.span, node=last.node)) from None
        with lock:
            yield

    def _published(self, found: list[Adopted], traces: Traces, roots: Roots, *, dry_run: bool) -> list[Adopted]:
        store, front = traces.store, self.front
        *others, last = found
        with self._staged(store) as home:
            whole = self._checked(home, last.trace)
            if dry_run:
                return [*others, replace(last, trace=whole)]
            store.publish(home / "out", expected=whole.tree)
            with Journal.open(store, told=front.warnings.append) as journal:
                for each in others:
                    if traces.read(each.trace.key) is None:
                        traces.write(each.trace)
                        journal.record(each.trace)
                    roots.set(each.node, each.trace.key)
                traces.write(whole)
                journal.record(whole)
            roots.set(last.node, whole.key)
            store.expose(front.project.link(last.node, twin=front.call.twin), whole.tree)
            with suppress(OSError):  # of a result that is kept, what people read of it may be missing
                self._keep_notes(home, whole)
        return [*others, replace(last, trace=whole)]

    @contextmanager
    def _staged(self, store: Store) -> Iterator[Path]:
        """All of the file in a folder of the store's that nobody reads; gone at the end, whatever happens."""
        world = self.front.world
        if world.disk_free(store.root) < self.parcel.size():
            raise ZycError(
                problem("adopt-too-large", file=self.parcel.shown, needed=self.parcel.size(), free=world.disk_free(store.root))
            )
        home = Path(world.fresh(store.root / "tmp"))
        try:
            self.parcel.unpack(home)
            yield home
        finally:
            with suppress(OSError):  # `gc` finds it; what is being told already matters more
                world.remove_tree(home)

    def _checked(self, home: Path, trace: Trace) -> Trace:
        """What came is what was packed; its measures are well-formed, and no secret is in it."""
        world = self.front.world
        if not world.list(home / "out"):
            self._refuse("it holds no result")
        tree = tree_of(world, home / "out")
        if tree.digest != trace.tree:
            self._refuse("its result is not what was packed: bytes were lost or changed on the way")
        measured = world.digest(home / "measures.json") if world.exists(home / "measures.json") else ""
        if measured != self.account.measures:
            self._refuse("its `measures.json` is not what was packed")
        leaked = folder.holds_secret(world, home, self._secrets())
        if leaked:
            self._refuse(f"{leaked} holds a secret of this machine's")
        return replace(trace, bytes=tree.bytes, measures=folder.read_measures(world, home))

    def _secrets(self) -> tuple[str, ...]:
        environ = self.front.world.environ()
        names = [need.name for need in self._node.shape.needs if isinstance(need, EnvironmentNeed) and need.secret]
        return tuple(environ[name] for name in names if environ.get(name))

    def _keep_notes(self, home: Path, trace: Trace) -> None:
        """What people read of a step, where the step of that key would have left it."""
        world, place = self.front.world, self.front.project.step(trace.key)
        world.make_folder(place)
        for name in ("state", "out", "in", *NOTES):
            world.remove_tree(place / name)
        for name in (*NOTES, "recipe", "measures.json"):
            if world.exists(home / name):
                world.remove_tree(place / name)
                world.rename(home / name, to=place / name)


def _edges(node: Node) -> list[Edge]:
    return [edge for edge in node.edges if not edge.order]


def read_account(parcel: Parcel) -> Account:
    """What a file says of itself."""
    try:
        told: Mapping[str, object] = json.loads(parcel.text(ACCOUNT, most=_LONGEST_ACCOUNT))
        if isinstance(told, dict) and told.get("format") != FORMAT:
            reason = f"it was packed as `{told.get('format')}`; this zyc reads `{FORMAT}`"
            raise ZycError(problem("adopt-unreadable", file=parcel.shown, reason=reason))
        account = Account.model_validate_json(json.dumps(told))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        reason = f"its account is not what a face writes: `{place}`: {first['msg'].lower()}"
        raise ZycError(problem("adopt-unreadable", file=parcel.shown, reason=reason)) from None
    except (ValueError, RecursionError):
        raise ZycError(problem("adopt-unreadable", file=parcel.shown, reason=f"its `{ACCOUNT}` is no JSON")) from None
    return account


def opened(world: World, file: Path, *, shown: str) -> Parcel:
    """The file that came from elsewhere."""
    return Parcel.open(world, file, shown=shown, allowed=faces.ALLOWED)
