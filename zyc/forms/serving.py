"""What is kept here, started here: a bundle as a person starts it, or a talk with a model; the store keeps it meanwhile."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from zyc import kinds
from zyc.again import line
from zyc.craft import deploying, evaluating
from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.keeping.store import Store
from zyc.planning.plan import State
from zyc.types import Artifact, Bundle, Prompt

_TALKING = (
    *("chat/chat.py", "lib/llama_home.py"),
    *(
        f"shared/{name}.py"
        for name in ("answering", "asked", "asking", "chats", "embedding", "retrieving", "sampler", "onnx_session")
    ),
)
CONTEXT = 4096


@dataclass(frozen=True, slots=True)
class Kept:
    """The result of a node, in the store."""

    node: str
    folder: Path
    facts: Artifact


def kept(front: Front, node: str, *, verb: str) -> Kept:
    """What is kept of a node; one that is not built is told how to build it."""
    decision, settled = front.plan.decisions.get(node), front.plan.settlement.nodes.get(node)
    store = Store.open(front.world, front.project.store, create=False)
    if (
        decision is None
        or settled is None
        or decision.state is not State.KEEP
        or not decision.tree
        or not store.has(decision.tree)
    ):
        reason = f"`{node}` is not built: there is nothing here to {verb}"
        raise ZycError(problem("not-served", reason=reason, hint=f"`{line(front.call, 'build', node)}` builds it"))
    return Kept(node, Path(front.world.real(store.path(decision.tree))), settled.facts)


def foreground(front: Front, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run something that talks to the person itself; signals are for it, and nobody sweeps what it reads."""
    import signal
    import subprocess

    store = Store.open(front.world, front.project.store, create=False)
    with store.sharing():
        before = signal.signal(signal.SIGINT, _not_for_us)  # a terminal sends it to both
        process = subprocess.Popen([*command], cwd=cwd, env={**front.world.environ(), **env})  # noqa: S603  (a list, no shell)

        def hand_on(number: int, _: FrameType | None) -> None:
            process.send_signal(number)

        ended = signal.signal(signal.SIGTERM, hand_on)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, ended)
            if process.poll() is None:
                process.terminate()
                process.wait()


def _not_for_us(number: int, frame: FrameType | None) -> None:
    """The program in front hears it, too, and ends by itself."""


# --- a bundle ---


@dataclass(frozen=True, slots=True)
class Service:
    """A bundle that can be started here."""

    kept: Kept
    module: str
    settings: Mapping[str, object]
    keys: Path

    @property
    def keyed(self) -> bool:
        """Whether who asks needs a key."""
        return self.module == "gateway" and not self.settings.get("open")

    @property
    def env(self) -> dict[str, str]:
        """What it is started with: the bundle itself stays as it is."""
        told = {"ZYC_KEYS": str(self.keys), "ASSISTANT_HOME": str(self.keys.parent)}
        return {**told, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    def command(self, *options: str) -> tuple[str, ...]:
        """As a person starts it, in its folder."""
        return (sys.executable, "-m", self.module, *options)


def service(front: Front, node: str) -> Service:
    """The bundle of a node, if something of it runs here."""
    found = kept(front, node, verb="serve")
    if not isinstance(found.facts, Bundle):
        reason = f"`{node}` is {found.facts.says}, and only a deployment is served"
        raise ZycError(problem("not-served", reason=reason, hint=f"`zyc chat {node}` talks with it; `zyc ls kind:deployment`"))
    target = deploying.of(found.facts.target or "")
    if not target.starts:
        reason = f"`{node}` is for {target.says}: nothing of it runs here"
        raise ZycError(problem("not-served", reason=reason, hint=f"`zyc chat {node}` talks with its model"))
    wanted = {line.partition("==")[0] for line in front.world.read_text(found.folder / "requirements.txt").splitlines()}
    lacks = [name for name in target.packages if name in wanted and not _is_here(name)]
    if lacks:
        reason = f"`{node}` needs {', '.join(lacks)}, which {'is' if len(lacks) == 1 else 'are'} not installed"
        raise ZycError(problem("not-served", reason=reason, hint="`pip install 'zyc[serve]'`"))
    told = json.loads(front.world.read(found.folder / "bundle.json"))
    place = front.project.artifacts / "serving" / ("twin" if front.call.twin else "real") / node
    front.world.make_folder(place)
    return Service(found, target.starts, told.get("settings") or {}, Path(front.world.real(place)) / "keys.json")


def _is_here(package: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(package.partition("[")[0])
    except metadata.PackageNotFoundError:
        return False
    return True


def first_key(front: Front, told: Service) -> str:
    """A key where there is none that is good, to be shown once; empty where there is one."""
    if not told.keyed:
        return ""
    environ = {**front.world.environ(), **told.env}
    call = told.command("keys", "list")
    code, listed = front.world.output(call, cwd=told.kept.folder, env=environ)
    if code != 0:
        raise ZycError(problem("not-served", reason=listed.strip(), hint=f"the keys are in `{told.keys}`"))
    if any(line.endswith("\tgood") for line in listed.splitlines()):
        return ""
    code, said = front.world.output(told.command("keys", "add", "first"), cwd=told.kept.folder, env=environ)
    key = next((line for line in said.splitlines() if line.startswith("zk-")), "")
    if code != 0 or not key:
        raise ZycError(problem("not-served", reason=said.strip(), hint=f"the keys are in `{told.keys}`"))
    return key


# --- a talk ---


@dataclass(frozen=True, slots=True)
class Talk:
    """Who answers, with which personas."""

    engine: str
    folder: Path
    context: int
    personas: Mapping[str, str]  # label -> its folder


def talk(front: Front, node: str, persona: str) -> Talk:
    """Who answers for a node: the model of a bundle with its personas, or a model itself, under a persona of the graph."""
    found = kept(front, node, verb="talk with")
    if isinstance(found.facts, Bundle):
        told = json.loads(front.world.read(found.folder / "bundle.json"))
        personas = {label: str(found.folder / place) for label, place in (told.get("prompts") or {}).items()}
        engine = told["engine"] if told["engine"] == "llama.cpp" else "transformers"
        return Talk(engine, (found.folder / told["model"]["first"]).parent, told["context"], _chosen(personas, persona))
    engine = evaluating.engine(found.facts)
    if not engine:
        wrong = next(iter(evaluating.unanswering("model", found.facts)))
        raise ZycError(problem("not-served", reason=f"`{node}` does not answer: {wrong.says}", hint=wrong.help))
    personas = {}
    if persona:
        prompt = kept(front, persona, verb="ask under")
        if not isinstance(prompt.facts, Prompt):
            raise ZycError(problem("not-served", reason=f"`{persona}` is no persona", hint="`zyc ls kind:prompt` shows them"))
        personas = {persona: str(prompt.folder)}
    return Talk(engine, found.folder, CONTEXT, personas)


def _chosen(personas: Mapping[str, str], wanted: str) -> dict[str, str]:
    """The wanted one first."""
    if wanted and wanted not in personas:
        every = ", ".join(f"`{each}`" for each in personas) or "none"
        raise ZycError(problem("not-served", reason=f"the bundle has no persona `{wanted}`", hint=f"there is {every}"))
    return {**({wanted: personas[wanted]} if wanted else {}), **personas}


def converse(front: Front, node: str, told: Talk) -> int:
    """A talk in the terminal, by a script of its own; how it ended."""
    world = front.world
    folder = front.project.artifacts / "talks" / node
    world.make_folder(folder)
    root = kinds.templates_of("step")[0]
    for name in _TALKING:
        world.write(folder / Path(name).name, world.read_text(root / name))
    said = {"engine": told.engine, "folder": str(told.folder), "context": told.context, "personas": dict(told.personas)}
    world.write(folder / "talk.json", json.dumps({"node": node, **said}, indent=1, ensure_ascii=False))
    threads = str(len(world.cores()) or world.cpu_count())
    home = Path(world.real(folder))
    env = {
        "OMP_NUM_THREADS": world.environ().get("OMP_NUM_THREADS", threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return foreground(front, (sys.executable, "chat.py"), cwd=home, env=env)
