"""Two kept models held against each other by a script of its own, along the lineage that joins them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zyc import kinds
from zyc.again import line
from zyc.errors import ZycError, problem
from zyc.forms.asking import Tell, first_file, run
from zyc.forms.ledger import Reading
from zyc.front import Front
from zyc.keeping.store import Store, TreeRecord
from zyc.planning.plan import State

_MODULES = ("diff/diff.py", "diff/tensors.py", "diff/settings.py", "shared/gguf_file.py")
_TREE = re.compile(r"[0-9a-f]{6,64}")
_FORMS = ("folder", "gguf")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a node or a tree of the store."""

    text: str
    tree: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """One kept model on the way from the first to the second one."""

    hop: str  # what changed since the one before; of the first nothing, and where no lineage is known the model itself
    tree: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found."""

    path: tuple[Stop, ...]
    ancestor: str  # the node that both were made of; empty when none is known
    open: tuple[str, ...]  # nodes on the way that are not kept: what they changed is told of the hop behind them
    tensors: tuple[Mapping[str, Any], ...] = ()
    settings: tuple[Mapping[str, Any], ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()  # of trees that are no models: path, what it is in each
    same_files: int = 0


def tree_like(front: Front, text: str) -> str:
    """The tree of the store that a text is the beginning of; nothing when it is none."""
    if not _TREE.fullmatch(text):
        return ""
    store = Store.open(front.world, front.project.store, create=False)
    found = [each for each in store.present() if each.startswith(text)]
    return found[0] if len(found) == 1 else ""


def side_of(front: Front, reading: Reading, text: str) -> Side:
    """What a word of the call means: a node that is kept, or a tree."""
    decision = front.plan.decisions.get(text)
    if decision is None:
        return Side(text, tree_like(front, text))
    if decision.state is not State.KEEP or not decision.tree or not reading.store.has(decision.tree):
        hint = f"`{line(front.call, 'build', text)}` builds it"
        raise ZycError(problem("not-asked", reason=f"`{text}` is not kept here", hint=hint))
    return Side(text, decision.tree, text)


def compare(front: Front, one: Side, two: Side, *, told: Tell) -> Compared:
    """Tensor by tensor where both are models, file by file where they are not."""
    reading = Reading(front)
    forms = [_form(front, reading.store, each.tree) for each in (one, two)]
    if "" in forms:
        return _files(reading.store, one, two)
    if (forms[0] == "adapter") != (forms[1] == "adapter"):
        raise ZycError(
            problem("not-asked", reason="an adapter and a model have no tensor in common", hint="compare with the fused model")
        )
    path, ancestor, open_ = _way(front, reading, one, two)
    folder, again = _prepared(front, reading.store, path)
    if not again:
        with reading.store.sharing():  # nobody sweeps what is being read
            run(front, folder, "diff.py", told=told)
    made = json.loads(front.world.read(folder / "differences.json"))
    return Compared(path, ancestor, open_, tuple(made["tensors"]), tuple(made["settings"]))


def _form(front: Front, store: Store, tree: str) -> str:
    names = front.world.list(store.path(tree))
    if any(name.endswith(".gguf") for name in names):
        return "gguf"
    if "adapter_model.safetensors" in names:
        return "adapter"
    return "folder" if any(name.endswith(".safetensors") for name in names) else ""


def _way(front: Front, reading: Reading, one: Side, two: Side) -> tuple[tuple[Stop, ...], str, tuple[str, ...]]:
    """The kept models from one to the other over their nearest common ancestor; each says what changed since the one before."""
    ends = Stop(one.text, one.tree), Stop(two.text, two.tree)
    if not one.node or not two.node:
        return ends, "", ()
    first, second = list(reading.lineage(one.node)), list(reading.lineage(two.node))
    ancestor = next((name for name in first if name in second), "")
    if not ancestor or one.node not in first or two.node not in second:
        return ends, "", ()
    up, down = first[: first.index(ancestor)], second[: second.index(ancestor)][::-1]  # towards the ancestor, and from there
    stops, open_, since = [Stop("", one.tree)], [], list[str]()
    for name in (*up[1:], ancestor, *down):
        # on the way up what is left behind made the difference, on the way down what is reached
        made = up[up.index(name) - 1] if name in up else up[-1] if name == ancestor and up else name
        since += [made] if made != ancestor else []
        decision = front.plan.decisions[name]
        there = decision.state is State.KEEP and bool(decision.tree) and reading.store.has(decision.tree or "")
        if not there:
            open_.append(name)
        elif name != one.node and _form(front, reading.store, decision.tree or "") in (
            *_FORMS,
            _form(front, reading.store, two.tree),
        ):
            stops.append(Stop(" → ".join(since if name not in up and name != ancestor else since[::-1]), decision.tree or ""))
            since = []
    return tuple(stops), ancestor, tuple(open_)


def _prepared(front: Front, store: Store, path: Sequence[Stop]) -> tuple[Path, bool]:
    """The folder of the comparison, and whether it was made before."""
    world, root = front.world, kinds.templates_of("step")[0]
    texts = {name: world.read_text(root / name) for name in _MODULES}
    body = [[each.hop, each.tree] for each in path]
    digest = hashlib.sha256(json.dumps([body, texts], sort_keys=True).encode()).hexdigest()[:24]
    folder = front.project.artifacts / "compared" / digest
    if world.exists(folder / "differences.json"):
        return folder, True
    world.make_folder(folder)
    for name, text in texts.items():
        world.write(folder / Path(name).name, text)
    placed = [{"hop": each.hop, "path": world.real(_file(front, store.path(each.tree)))} for each in path]
    world.write(folder / "diff.json", json.dumps({"path": placed}, indent=1))
    return folder, False


def _file(front: Front, folder: Path) -> Path:
    names = front.world.list(folder)
    return folder / first_file(names) if any(name.endswith(".gguf") for name in names) else folder


def _files(store: Store, one: Side, two: Side) -> Compared:
    """Which files two trees have, and which of them are not the same."""
    first, second = ({os.fsdecode(each[0]): each for each in store.records(side.tree)} for side in (one, two))
    names = sorted({*first, *second})
    told = [(name, _said(first.get(name)), _said(second.get(name))) for name in names if first.get(name) != second.get(name)]
    return Compared(
        (Stop(one.text, one.tree), Stop(two.text, two.tree)), "", (), files=tuple(told), same_files=len(names) - len(told)
    )


def _said(record: TreeRecord | None) -> str:
    """What is there, in a word: of a file the beginning of its digest."""
    return "" if record is None else os.fsdecode(record[-1])[:12]
