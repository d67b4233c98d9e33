"""A kept bundle -> what goes where, to be looked at before anything is sent; and the sending itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zyc.again import beside
from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.graph import Node
from zyc.keeping.store import Store
from zyc.place import hub
from zyc.planning.plan import State

VARIABLE = "HF_TOKEN"
SENT = ("hub", "hf-space", "modal")
WEIGHTS = "model/"
BESIDE = ("README.md", "bom.json", "models.json")  # of weights that have a repository of their own


@dataclass(frozen=True, slots=True)
class Part:
    """One file, and what it is called where it goes."""

    path: str  # in the bundle
    name: str  # there
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """Files for one destination; a command in place of a repository."""

    where: str  # `me/philo`, on the hub or its Spaces; or what runs here
    kind: str  # model, space, command
    parts: tuple[Part, ...]
    private: bool = False

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(each.bytes for each in self.parts)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a deployment would send, in order."""

    node: str
    target: str
    folder: Path
    shipments: tuple[Shipment, ...]


def planned(front: Front, node: str, *, to: str = "", model: str = "") -> Plan:
    """What would be sent, with the size and digest of each file; nothing leaves this machine."""
    vertex = front.plan.graph.vertices[node]
    if not isinstance(vertex, Node) or vertex.kind != "deployment":
        raise ZycError(problem("deploy-what", node=node))
    target = str(vertex.spec.target)
    if target not in SENT:
        raise ZycError(problem("deploy-here", node=node, target=target))
    folder = _kept(front, vertex)
    parts = tuple(_parts(front, folder))
    if target == "modal":
        return Plan(node, target, folder, (Shipment("modal deploy modal_app.py", "command", parts),))
    if target == "hub":
        where, private = to or vertex.spec.hub.repository, bool(vertex.spec.hub.private)
        _named(node, where, "hub.repository")
        return Plan(node, target, folder, (Shipment(where, "model", tuple(map(_flat, _released(parts))), private),))
    where = to or vertex.spec.hf_space.space
    _named(node, where, "hf_space.space")
    apart = bool(model or vertex.spec.hf_space.repository)
    space = Shipment(where, "space", tuple(each for each in parts if not (apart and each.path.startswith(WEIGHTS))))
    if not model:
        return Plan(node, target, folder, (space,))
    weights = tuple(_flat(each) for each in parts if each.path.startswith(WEIGHTS) or each.path in BESIDE[1:])
    return Plan(node, target, folder, (Shipment(model, "model", weights), space))


def _kept(front: Front, node: Node) -> Path:
    """Where the bundle is kept; one that is not built, not proven or blocked is not sent."""
    store = Store.open(front.world, front.project.store, create=False)
    for name in (node.name, f"{node.name}.proof"):
        decision = front.plan.decisions.get(name)
        if decision is None:
            continue
        bad = [str(each.gate) for each in decision.gates if each.bad]
        if decision.state is not State.KEEP or not decision.tree or not store.has(decision.tree) or bad:
            reason = f"the gate `{bad[0]}` of `{name}` does not hold" if bad else f"`{name}` is not built as it is now"
            raise ZycError(problem("deploy-unproven", node=node.name, changes=beside(front.call), reason=reason))
    tree = front.plan.decisions[node.name].tree
    assert tree
    return store.path(tree)


def _parts(front: Front, folder: Path) -> Iterator[Part]:
    for name, seen in front.world.walk(folder):
        if seen.kind == "file":
            yield Part(name, name, seen.size, front.world.digest(folder / name))


def _released(parts: tuple[Part, ...]) -> Iterator[Part]:
    """Weights, personas and papers: what runs nothing on a hub stays here."""
    for each in parts:
        if each.path not in ("bundle.json", "requirements.txt"):
            yield each


def _flat(part: Part) -> Part:
    """Weights stand at the top of a repository of their own."""
    return replace(part, name=part.path.removeprefix(WEIGHTS))


def _named(node: str, where: str, field: str) -> None:
    if not where:
        raise ZycError(problem("deploy-nowhere", node=node, field=field))


def send(front: Front, plan: Plan) -> list[str]:
    """Send it, in order, and where each part of it is now; a Space gets the revision that its model has just become."""
    environ = front.world.environ()
    told, revision = [], ""
    for shipment in plan.shipments:
        if shipment.kind == "command":
            words = shipment.where.split()
            plain = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}  # the folder is the store's
            try:
                done = subprocess.run(words, cwd=plan.folder, env=plain, check=False)  # noqa: S603  # the command that was shown
            except FileNotFoundError:
                reason = f"there is no `{words[0]}` here: `pip install {words[0]}`"
                raise ZycError(problem("deploy-refused", where=shipment.where, reason=reason)) from None
            if done.returncode:
                raise ZycError(problem("deploy-refused", where=shipment.where, reason=f"it ended with {done.returncode}"))
            told.append(shipment.where)
            continue
        if not environ.get(VARIABLE):
            raise ZycError(problem("deploy-no-token", token=VARIABLE))
        files: dict[str, Path | bytes] = {each.name: plan.folder / each.path for each in shipment.parts}
        if shipment.kind == "space" and revision:
            files["bundle.json"] = _filled(plan, plan.shipments[0].where, revision)
        try:
            revision = hub.send(shipment.where, shipment.kind, files, token=environ[VARIABLE], private=shipment.private)
        except hub.Unreached as error:
            raise ZycError(problem("deploy-refused", where=shipment.where, reason=error.why)) from None
        told.append(f"{shipment.where} at {revision}")
    return told


def _filled(plan: Plan, repository: str, revision: str) -> bytes:
    """What the gateway reads: where the weights are, and at which commit."""
    told: Mapping[str, Any] = json.loads((plan.folder / "bundle.json").read_text(encoding="utf-8"))
    settings = {**told["settings"], "repository": repository, "revision": revision, "path": ""}
    return (json.dumps({**told, "settings": settings}, indent=2, ensure_ascii=False) + "\n").encode()
