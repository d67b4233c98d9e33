"""One question to kept forms of a model: a script of its own asks each of them, and what they say is kept."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from zyc import kinds
from zyc.errors import ZycError, problem
from zyc.forms.ledger import SERVED, Hop, Reading
from zyc.front import Front
from zyc.hosts import local
from zyc.keeping.store import Store
from zyc.types import Dataset

FORMS = frozenset({"folder", "adapter", "gguf"})  # that there is an engine for here
TOKENS, GOLDEN, CONTEXT = 96, 3, 4096
_MODULES = (
    "ask/ask.py",
    "ask/likeliest.py",
    "lib/llama_home.py",
    *(f"shared/{name}.py" for name in ("llama_server", "asked", "asking", "chats", "embedding", "retrieving")),
)
_LAST = 4_000  # bytes of a log that an error shows

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of one form."""

    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]

    def same_first(self, other: Said) -> int:
        """How many tokens at the beginning are those of another answer."""
        count = 0
        for one, two in zip(self.ids, other.ids, strict=False):
            if one != two:
                break
            count += 1
        return count

    def is_that_of(self, other: Said) -> bool:
        """Whether both are the same, to their ends."""
        return self.ids == other.ids


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions, and what each form said to them."""

    questions: tuple[str, ...]  # what is asked last
    systems: tuple[str, ...]
    wanted: tuple[str, ...]
    labels: tuple[str, ...]
    answers: Mapping[str, tuple[Said, ...]]  # by label
    errors: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    again: bool = False  # whether it was known already

    def compared(self) -> Iterator[tuple[str, str]]:
        """Each form that answered, and the one before it that did."""
        there = [label for label in self.labels if label in self.answers]
        yield from pairwise(there)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked; without texts the first rows of the data are."""

    texts: tuple[str, ...] = ()
    prompt: str = ""  # the tree of a persona
    data: str = ""  # the tree of a dataset
    tokens: int = 0


def ask(front: Front, hops: Sequence[Hop], question: Question, *, told: Tell) -> Asked:
    """What these forms answer; what was asked before is known."""
    world = front.world
    store = Store.open(world, front.project.store, create=False)
    body = _body(front, store, hops, question)
    texts = _scripts(front)
    digest = hashlib.sha256(json.dumps([body, texts], sort_keys=True).encode()).hexdigest()[:24]
    folder = _home(front) / digest
    kept = read(front, folder)
    if kept is not None and not kept.errors:
        return kept
    world.make_folder(folder)
    for name, text in texts.items():
        world.write(folder / Path(name).name, text)
    world.write(folder / "ask.json", json.dumps(_placed(front, store, body), indent=1, ensure_ascii=False))
    world.remove_tree(folder / "answers.json")
    with store.sharing():  # nobody sweeps what is being read
        run(front, folder, "ask.py", told=told)
    made = read(front, folder)
    if made is None:
        raise ZycError(problem("asked-nothing", log=_tail(front, folder)))
    return replace(made, again=False)


def run(front: Front, folder: Path, script: str, *, told: Tell) -> None:
    """A script in the environment of a step; a failure shows the end of what it said."""
    world = front.world
    log = folder / "log.txt"
    world.write(log, "")
    environ = {**local.environment(world, {}), "OMP_NUM_THREADS": str(_threads(front)), "TMPDIR": str(world.real(folder))}
    environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # transformers, too: weights are read in no time, and an answer is waited for
    process = world.launch((sys.executable, script), cwd=folder, env=environ, log_path=log)
    try:
        while (ended := process.wait(seconds=0.5)) is None:
            lines = world.tail(log, most=400).decode("utf-8", "replace").strip().splitlines()
            told(lines[-1] if lines else "starting")
    finally:
        process.close()
    if ended.code != 0:
        raise ZycError(problem("asked-nothing", log=_tail(front, folder)))


def _tail(front: Front, folder: Path) -> str:
    lines = front.world.tail(folder / "log.txt", most=_LAST).decode("utf-8", "replace").strip().splitlines()
    return "\n".join(lines[-12:])


def _home(front: Front) -> Path:
    return front.project.artifacts / "asked" / ("twin" if front.call.twin else "real")


def _scripts(front: Front) -> dict[str, str]:
    root = kinds.templates_of("step")[0]
    return {name: front.world.read_text(root / name) for name in _MODULES}


def _threads(front: Front) -> int:
    return len(front.world.cores()) or front.world.cpu_count()


def _body(front: Front, store: Store, hops: Sequence[Hop], question: Question) -> dict[str, object]:
    """The questions without any place on this machine: what is asked twice is the same."""
    prompt = _prompt(front, store, question.prompt)
    sampling = prompt.get("sampling")
    sampling = sampling if isinstance(sampling, dict) else {}
    return {
        "hops": [
            {
                "label": each.label,
                "node": each.node,
                "form": "served" if each.label == SERVED else each.form,
                "tree": each.tree,
                "base": each.base,
                "large": each.large,
            }
            for each in hops
        ],
        "questions": list(question.texts),
        "prompt": prompt,
        "persona": question.prompt,
        "data": "" if question.texts else question.data,
        "most": GOLDEN,
        "tokens": question.tokens or sampling.get("max_tokens") or TOKENS,
        "stop": sampling.get("stop") or [],
        "arguments": prompt.get("arguments") or {},
        "context": CONTEXT,
    }


def _prompt(front: Front, store: Store, tree: str) -> dict[str, object]:
    if not tree:
        return {}
    told = json.loads(front.world.read(store.path(tree) / "prompt.json"))
    assert isinstance(told, dict)
    return told


def _placed(front: Front, store: Store, body: Mapping[str, object]) -> dict[str, object]:
    """The same with the folders that the script reads."""
    hops = body["hops"]
    assert isinstance(hops, list)
    real = front.world.real
    placed = []
    for each in hops:
        path = store.path(each["tree"])
        if each["form"] in ("gguf", "served"):
            inside = path / "model"  # of a bundle
            path = inside if front.world.exists(path / "bundle.json") else path
            path = path / first_file(front.world.list(path))
        base = real(store.path(each["base"])) if each["base"] else ""
        placed.append({**each, "path": real(path), "base": base})
    return {
        **body,
        "hops": placed,
        **{name: real(store.path(str(body[name]))) if body[name] else "" for name in ("data", "persona")},
        "threads": _threads(front),
    }


def first_file(names: Sequence[str]) -> str:
    """The file of a GGUF that llama.cpp opens: the only one, or the first of its shards."""
    return next((name for name in sorted(names) if name.endswith(".gguf")), "model.gguf")


# --- what was asked ---


def read(front: Front, folder: Path) -> Asked | None:
    """What a folder holds of an earlier call; nothing when it is not whole."""
    reading = Reading.document_of(front, folder / "answers.json")
    if not isinstance(reading, dict):
        return None
    try:
        return _read(reading, os.path.relpath(folder, front.project.root))
    except (KeyError, TypeError, AttributeError, IndexError):
        return None


def _read(told: Mapping[str, list[dict[str, object]]], folder: str) -> Asked:
    hops, asked = told["hops"], told["questions"]
    answers, errors = {}, {}
    for hop in hops:
        label = str(hop["label"])
        if "error" in hop:
            errors[label] = str(hop["error"])
            continue
        rows = hop["answers"]
        assert isinstance(rows, list)
        answers[label] = tuple(Said(each["text"], tuple(each["ids"]), tuple(each["pieces"])) for each in rows)
    return Asked(
        tuple(_last(each, "user") for each in asked),
        tuple(_last(each, "system") for each in asked),
        tuple(str(each["wanted"]) for each in asked),
        tuple(str(hop["label"]) for hop in hops),
        answers,
        errors,
        folder,
        again=True,
    )


def _last(question: Mapping[str, object], role: str) -> str:
    messages = question["messages"]
    assert isinstance(messages, list)
    return next((str(each["content"]) for each in reversed(messages) if each["role"] == role), "")


def kept(front: Front, hops: Sequence[Hop]) -> list[Asked]:
    """What was asked of exactly these forms, the latest first."""
    world, home = front.world, _home(front)
    there = {(hop.label, hop.tree) for hop in hops if hop.tree}  # `served` is another file in another chain
    found = []
    for name in world.list(home):
        told = Reading.document_of(front, home / name / "ask.json")
        asked, seen = read(front, home / name), world.stat(home / name / "answers.json")
        if asked is None or seen is None or not isinstance(told, dict):
            continue
        forms = [each for each in told.get("hops", ()) if isinstance(each, dict)]
        labels = {str(each.get("label")) for each in forms if (each.get("label"), each.get("tree")) in there}
        answers = {label: said for label, said in asked.answers.items() if label in labels}
        if len(answers) > 1:
            labelled = tuple(label for label in asked.labels if label in answers)
            found.append((seen.mtime_ns, replace(asked, labels=labelled, answers=answers, errors={})))
    return [asked for _, asked in sorted(found, key=lambda each: -each[0])]


def differences(front: Front, hops: Sequence[Hop]) -> dict[str, str]:
    """By label: where its answers part from those of the form before, as far as they were asked."""
    told: dict[str, tuple[int, str]] = {}
    for asked in kept(front, hops):
        for before, label in asked.compared():
            for one, two in zip(asked.answers[before], asked.answers[label], strict=True):
                same = one.same_first(two)
                where = f"answers part after {same} tokens" if not one.is_that_of(two) else ""
                if label not in told or (where and (not told[label][1] or same < told[label][0])):
                    told[label] = (same, where)
    count = sum(len(asked.questions) for asked in kept(front, hops))
    alike = f"none in {count} answer{'' if count == 1 else 's'}"
    return {label: where or alike for label, (_, where) in told.items()}


def data_of(reading: Reading, node: str) -> str:
    """The tree of the dataset that a model was trained on last, where it is kept."""
    for name in reading.lineage(node):
        for edge in reading.graph.vertices[name].edges:
            decision = reading.plan.decisions.get(edge.source)
            tree = decision.tree if decision is not None and isinstance(reading.facts.get(edge.source), Dataset) else None
            if tree and reading.store.has(tree):
                return tree
    return ""
