"""Faces of a recipe: one node as a notebook or as a batch job, with all that it needs far from its project."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from zyc.planning.digest import Manifest, of_text
from zyc.planning.render import Rendered, python_literal
from zyc.quantity import in_bytes

FORMAT = "zyc-parcel 1"
ACCOUNT = "adopt.json"
NOTES = ("log.txt", "events.jsonl", "history.jsonl", "answers.json", "report")  # for people; they come home beside the result
ALLOWED = (ACCOUNT, "measures.json", "out", "recipe", *NOTES)
CARRYING = "carrying.py"
_PINNED = re.compile(r'"([A-Za-z0-9._-]+(?:\[[A-Za-z0-9._,-]+\])?==[^"\s]+)"')
_BLOCK = re.compile(r"^# /// script\n(?:#.*\n)*?# ///$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a node, and how it comes to where the node runs."""

    place: str  # below in/
    giver: str  # a node, or a file of the user's
    how: str  # packed, file, made here
    tree: str = ""  # empty for files, and for what nobody has fetched yet
    bytes: int = 0
    trees: tuple[str, ...] = ()  # in the parcel; of a group more than one
    files: Mapping[str, str] = field(default_factory=dict)  # of the user's, in the parcel: path -> sha256
    key: str = ""  # of what is made here
    recipe: Rendered | None = None  # of what is made here


@dataclass(frozen=True, slots=True)
class Face:
    """All that is said of a node away from its project."""

    node: str
    name: str  # the node's, as a file is called
    kind: str
    about: str
    twin: bool
    key: str  # empty while something is to be fetched that nobody has seen
    manifest: tuple[tuple[str, str | None], ...]
    fields: tuple[tuple[str, str], ...]
    placement: Mapping[str, object]
    rendered: Rendered
    inputs: tuple[Input, ...]
    pins: tuple[str, ...]
    tools: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]  # name, digest of the value or nothing for a secret
    version: str
    accelerator: str = "T4"  # that Colab is asked for

    @property
    def parcel(self) -> str:
        """The file with the inputs."""
        return f"{self.name}.inputs.tar"

    @property
    def result(self) -> str:
        """The file that comes home."""
        return f"{self.name}.zyc.tar"

    @property
    def carried(self) -> tuple[Input, ...]:
        """The inputs that are in the parcel."""
        return tuple(each for each in self.inputs if each.how != "made here")

    def files(self, carrying: str, *, face: str) -> dict[str, str]:
        """Every file of the step's folder away from home."""
        told = self.rendered.files()
        for each in self.inputs:
            if each.recipe is not None:
                told |= {f"fetch/{each.place}/{name}": text for name, text in each.recipe.files().items()}
        return {**told, CARRYING: carrying, "face.json": self.card(face)}

    def card(self, face: str) -> str:
        """The face in words for programs."""
        told: dict[str, Any] = {
            "format": FORMAT,
            "zyc": self.version,
            "face": face,
            "node": self.node,
            "kind": self.kind,
            "twin": self.twin,
            "manifest": self.manifest,
            "fields": self.fields,
            "placement": dict(self.placement),
            "pins": self.pins,
            "variables": [{"name": name, "digest": digest} for name, digest in self.variables],
            "inputs": [{name: value for name, value in asdict(each).items() if name != "recipe"} for each in self.inputs],
            "parcel": self.parcel,
            "result": self.result,
        }
        return json.dumps(told, indent=1, sort_keys=True) + "\n"


def pins_of(renders: Iterable[Rendered]) -> tuple[str, ...]:
    """The exact packages that the scripts name."""
    texts = [text for each in renders for name, text in each.recipe.items() if name.endswith(".py")]
    return tuple(dict.fromkeys(pin for text in texts for block in _BLOCK.findall(text) for pin in _PINNED.findall(block)))


def known_manifest(manifest: Manifest, labels: Iterable[str], unknown: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """The lines of a manifest in their order; those of inputs that are fetched elsewhere have no digest yet."""
    known, waiting = dict(manifest), set(unknown)
    inputs = list(labels)
    own = [line for line in manifest if line[0] not in inputs]
    return (*own, *((label, None if label in waiting else known[label]) for label in inputs))


# --- the notebook ---


def notebook(face: Face, carrying: str) -> str:
    """The whole notebook, nbformat 4: what it is, its files, packages, inputs, the run, and last what brings it home."""
    cells = [
        _words("what", _opening(face)),
        _code("place", _PLACE.format(folder=python_literal(f"{face.name}-{_mark(face)}"))),
        *_file_cells(face.files(carrying, face="notebook")),
        _words("installs", _installs(face)),
        _code("install", "import carrying\n\ncarrying.install()"),
        _words("inputs", _inputs(face)),
        _code("bring", "carrying.bring()"),
        _words(
            "running",
            "## Run\n\nThe same cell goes on where a run was cut short, from `state/`. Interrupt it, and it keeps a state.",
        ),
        _code("run", "carrying.run()"),
        _words("home", f"## Bring it home\n\nThen, in the project: {_ticked(f'zyc adopt {face.result}')}"),
        _code("pack", "carrying.pack()\ncarrying.download()"),
    ]
    metadata: dict[str, Any] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "colab": {"name": f"{face.name}.ipynb", "provenance": []},
    }
    if face.placement.get("gpus") != 0 and _wants_gpu(face):
        metadata |= {"accelerator": "GPU"}
        metadata["colab"] |= {"gpuType": face.accelerator}
    told = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


_PLACE = """\
# Where the step is: a folder of its own. On Colab a session may end at any moment: mount a Drive and let `keep` be a folder
# of it, such as "/content/drive/MyDrive/zyc", and a new session goes on from the state that this one left there.
import os
import sys

keep = ""
start = globals().get("start") or os.getcwd()
os.chdir(start)
os.makedirs({folder}, exist_ok=True)
os.chdir({folder})
sys.path.insert(0, os.getcwd())
if keep and not os.path.islink("state"):
    kept = os.path.join(keep, {folder})
    os.makedirs(kept, exist_ok=True)
    os.symlink(kept, "state")


def put(name, text):
    \"\"\"Write a file byte for byte.\"\"\"
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        file.write(text.encode())"""


def _mark(face: Face) -> str:
    """What tells the folders of two keys of a node apart."""
    return of_text("".join(f"{label}\t{digest}\n" for label, digest in face.manifest))[:8]


def _wants_gpu(face: Face) -> bool:
    return any(pin.startswith("torch==") for pin in face.pins)


def _opening(face: Face) -> str:
    rows = [
        f"| {_ticked(f'in/{each.place}')} | {_ticked(each.giver)} | {_told_size(each)} | {_how(face, each)} |"
        for each in face.inputs
    ]
    table = ["| input | from | size | comes |", "|---|---|---|---|", *rows] if rows else []
    key = f"key `{face.key[:24]}`" if face.key else "its key is known once its inputs are fetched"
    about = [f"> {_plain(face.about)}", ""] if face.about else []
    rehearsal = ["This is a rehearsal: the twin, at toy size.", ""] if face.twin else []
    what = (
        f"A {face.kind}, rendered by zyc {face.version}; {key}. Run the cells in their order, on any machine with Python 3.11 or "
        f"newer. The files below are those of the recipe, byte for byte. The last cell packs what was made into "
        f"{_ticked(face.result)}, and `zyc adopt` takes that into the project, if its key is still the one that the specs have."
    )
    return "\n".join([f"# {_plain(face.node)}", "", *about, what, "", *rehearsal, *table])


def _told_size(each: Input) -> str:
    return in_bytes(each.bytes) if each.bytes else "?"


def _how(face: Face, each: Input) -> str:
    return "fetched here by its own recipe" if each.how == "made here" else f"in {_ticked(face.parcel)}"


def _installs(face: Face) -> str:
    pins = ", ".join(f"`{pin}`" for pin in face.pins) or "none: the standard library is enough"
    tools = (
        [f"\n\nPrograms that the step calls, at these versions: {', '.join(_ticked(each) for each in face.tools)}."]
        if face.tools
        else []
    )
    return "\n".join(
        [
            "## Packages",
            "",
            f"{pins}.",
            "",
            "What this machine has already stays as it is; `torch` with another build of the same version will do.",
            *tools,
        ]
    )


def _inputs(face: Face) -> str:
    told = ["## Inputs", ""]
    if face.carried:
        size = in_bytes(sum(each.bytes for each in face.carried))
        told.append(
            f"Put {_ticked(face.parcel)} ({size}) beside this notebook, or in the top folder of a mounted Drive; on Colab the "
            "cell asks for it where it is in neither."
        )
    if any(each.how == "made here" for each in face.inputs):
        told.append("What comes from a hub is fetched here; a gated model needs `HF_TOKEN` in the environment.")
    if face.variables:
        told.append(f"The step reads {', '.join(_ticked(name) for name, _ in face.variables)} of the environment.")
    if not face.inputs:
        told.append("It has none.")
    return "\n".join(told)


def _file_cells(files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each file in a cell; those of the recipe in sight, the others folded."""
    yield _words("files", "## The step\n\nThe recipe decides the result; the rest says how and where it runs.")
    ordered = sorted(files, key=lambda name: (not name.startswith("recipe/"), name))
    for at, name in enumerate(ordered):
        source = f"# {_one_line(name)}\n# written as it is\nput({python_literal(name)}, {file_literal(files[name])})"
        yield _code(f"file-{at}", source, folded=not name.startswith("recipe/"))


def file_literal(text: str) -> str:
    """A text as a Python literal that reads like the file where that is safe, and gives the same bytes always."""
    for quote in ("'''", '"""'):
        told = f"r{quote}{text}{quote}"
        if quote not in text and not text.endswith(("\\", quote[0])) and text.replace("\n", "").replace("\t", "").isprintable():
            try:
                if ast.literal_eval(told) == text:
                    return told
            except (ValueError, SyntaxError):
                continue
    return python_literal(text)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _plain(text: str) -> str:
    """A text of the user's that stays text in a page of markdown."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&$])", r"\\\1", _one_line(" ".join(text.split())))


def _ticked(text: str) -> str:
    """A name as code in a page of markdown, in tables too."""
    return "`" + _one_line(text).replace("`", "'").replace("|", "\\|") + "`"


def _split(text: str) -> list[str]:
    """Lines as notebooks have them: only a line feed ends one."""
    parts = text.split("\n")
    return [*(f"{part}\n" for part in parts[:-1]), *([parts[-1]] if parts[-1] else [])]


def _words(name: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": _split(text)}


def _code(name: str, text: str, *, folded: bool = False) -> dict[str, Any]:
    metadata = {"jupyter": {"source_hidden": True}, "cellView": "form"} if folded else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": metadata,
        "outputs": [],
        "source": _split(text),
    }


# --- the batch job ---


def batch(placement: Mapping[str, object], body: str, *, name: str) -> str:
    """The job: what it asks of the cluster, and a script that is the same for every node."""
    nodes, gpus = placement.get("nodes") or 1, placement.get("gpus", 0)
    memory, seconds = placement.get("memory"), placement.get("timeout") or placement.get("time")
    lines = [
        f"--job-name={re.sub(r'[^A-Za-z0-9._-]', '-', name)[:64]}",
        f"--nodes={_whole(nodes)}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={_whole(placement.get('cpus') or 1)}",
        # left open is one if there is any: a cluster that is not asked gives none
        *([f"--gpus-per-node={_whole(1 if gpus is None else gpus)}"] if gpus != 0 else []),
        *([f"--mem={-(-_whole(memory) // 1_000_000)}M"] if memory else []),
        *([f"--time={max(1, -(-_whole(seconds) // 60))}"] if seconds else []),
        "--signal=INT@120",
        "--requeue",
        "--open-mode=append",
        "--output=job.txt",
    ]
    return "#!/usr/bin/env bash\n" + "".join(f"#SBATCH {line}\n" for line in lines) + body


def _whole(value: object) -> int:
    assert isinstance(value, int | float)
    return int(value)
