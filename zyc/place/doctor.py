"""What this machine has and lacks, seen by looking: nothing is changed but a folder that is made and removed."""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from zyc import kinds
from zyc.errors import ZycError
from zyc.place import lock as locks
from zyc.place import project as projects
from zyc.place.toolchain import Probe
from zyc.quantity import in_bytes
from zyc.world import World


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    group: str
    name: str
    fine: bool
    says: str
    mend: str = ""  # the command that mends it
    needed: bool = False  # every build needs it


def examine(world: World, here: Path) -> list[Finding]:
    """Everything worth knowing, most needed first."""
    probe = Probe(world)
    return [
        *_core(probe),
        *_place(world, here),
        *_machine(world),
        *_extras(probe),
        *_toolchain(probe),
        *_llama_cpp(world),
        *_lock(world, probe, here),
    ]


def _core(probe: Probe) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "to plan and build", "python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer", needed=True
    )
    bash = probe.version("tool:bash")
    yield Finding(
        "to plan and build", "bash", bash is not None, bash or "missing: steps are run by it", _install("bash"), needed=True
    )
    git = probe.version("tool:git")
    yield Finding("to plan and build", "git", git is not None, git or "missing: `plan --against` needs it", _install("git"))
    fast = probe.version("package:ruamel.yaml.clibz")
    says = fast or "missing: specs are read by the pure parser, several times slower"
    yield Finding("to plan and build", "fast parser", fast is not None, says, "pip install 'zyc[fast]'")


def _install(name: str) -> str:
    return f"brew install {name}" if sys.platform == "darwin" else f"apt install {name}"


def _place(world: World, here: Path) -> Iterator[Finding]:
    """Whether artifacts/ can be what zyc asks of it."""
    try:
        project = projects.find(world, here)
    except ZycError:
        yield Finding("this project", "specs", fine=False, says="no project here", mend="zyc init")
        return
    yield Finding("this project", "specs", fine=True, says=f"{project.root.name}/specs")
    folder = project.artifacts / f".doctor-{world.now():.0f}"
    made = world.exists(project.artifacts)
    try:
        world.make_folder(folder)
        world.write(folder / "file", b"x", durable=True)
        world.symlink(folder / "link", target="file")
        world.lock(folder / "lock").release()
        yield Finding("this project", "file system", fine=True, says="writes, links, locks and renames", needed=True)
    except OSError as error:
        says = f"artifacts/ cannot be used: {error.strerror}"
        refused = error.errno in (errno.EACCES, errno.EPERM)
        place = project.artifacts if made else project.root
        mend = f"see who owns it and may write there: ls -ld {place}" if refused else "move the project to a local disk"
        yield Finding("this project", "file system", fine=False, says=says, mend=mend, needed=True)
    finally:
        world.remove_tree(folder if made else project.artifacts)
    free = world.disk_free(project.root)
    yield Finding(
        "this project", "disk", free > 2_000_000_000, f"{in_bytes(free)} free", "make room, or move artifacts/ and link it"
    )


def _machine(world: World) -> Iterator[Finding]:
    yield Finding("this machine", "cores", fine=True, says=str(world.cpu_count()))
    memory = world.memory_total()
    yield Finding("this machine", "memory", fine=True, says=in_bytes(memory) if memory else "unknown")
    try:
        code, text = world.output(
            ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader"], seconds=10
        )
    except (OSError, TimeoutError):
        code, text = 1, ""
    cards = [line.strip() for line in text.splitlines() if line.strip()] if code == 0 else []
    yield Finding("this machine", "GPU", bool(cards), "; ".join(cards) or "none: twins, small models and merges need none")
    for card in cards:
        yield from findings_of_card(card, _torch_cuda())


def findings_of_card(card: str, torch: tuple[int, int] | None) -> Iterator[Finding]:
    """What has to be known of an accelerator, `Tesla T4, 15360 MiB, 7.5`, and the CUDA that the installed torch is built for."""
    found = re.search(r"(\d+)\.(\d+)$", card)
    if found is None:
        return
    capability = int(found[1]), int(found[2])
    if capability >= (12, 0):
        old = torch is not None and torch < (13, 0) and "GB10" in card
        says = "sm_121 needs CUDA 13" if old else "its CUDA version is new enough"
        yield Finding("this machine", "CUDA", not old, says, "pip install a torch that is built for CUDA 13")
    if capability < (8, 0):
        says = "none: `precision: fp16` trains here, and is another recipe, with a key of its own"
        yield Finding("this machine", "bf16", fine=False, says=says, mend="an A10G, A100 or newer has it")
    if capability < (7, 5):
        new = torch is not None and torch >= (12, 8)
        says = (
            f"the installed torch has no code for sm_{capability[0]}{capability[1]}" if new else "its CUDA version is old enough"
        )
        yield Finding("this machine", "CUDA", not new, says, "pip install a torch that is built for CUDA 12.6")


def _torch_cuda() -> tuple[int, int] | None:
    """The CUDA version of the installed torch, read from its name: importing it takes seconds."""
    try:
        found = re.search(r"\+cu(\d+)(\d)$", metadata.version("torch"))
    except metadata.PackageNotFoundError:
        return None
    return (int(found[1]), int(found[2])) if found else None


def _extras(probe: Probe) -> Iterator[Finding]:
    """The groups of packages that rendered scripts import."""
    wanted: dict[str, list[str]] = {}
    for each in metadata.requires("zyc") or []:
        name = re.match(r"[A-Za-z0-9._-]+", each)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", each)
        if name and extra and extra[1] not in ("all", "fast"):
            wanted.setdefault(extra[1], []).append(name[0])
    for group, names in wanted.items():
        missing = [each for each in names if probe.version(f"package:{each}") is None]
        says = (
            f"{len(names)} packages"
            if not missing
            else "not installed"
            if len(missing) == len(names)
            else "missing: " + ", ".join(missing)
        )
        yield Finding("for rendered scripts", group, not missing, says, f"pip install 'zyc[{group}]'")


def _toolchain(probe: Probe) -> Iterator[Finding]:
    for tool, what in (("cmake", "builds llama.cpp"), ("c++", "builds llama.cpp"), ("make", "builds the demo and the tests")):
        version = probe.version(f"tool:{tool}")
        yield Finding(
            "to build engines", tool, version is not None, version or f"missing: {what}", _install({"c++": "g++"}.get(tool, tool))
        )


def llama_home() -> Path:
    """The program that fetches and builds llama.cpp: the module that steps use, so both say the same."""
    return kinds.templates_of("gguf")[0] / "lib" / "llama_home.py"


def _llama_cpp(world: World) -> Iterator[Finding]:
    """Whether the engine that converts, quantizes and serves is here, and how long it would take."""
    try:
        code, text = world.output([sys.executable, str(llama_home()), "look"], seconds=20)
        told = json.loads(text) if code == 0 else None
    except (OSError, TimeoutError, ValueError):
        told = None
    if told is None:
        yield Finding("to build engines", "llama.cpp", fine=False, says="cannot be looked for: `zyc doctor --build` tells why")
        return
    minutes = max(1, round(told["seconds"] / 60))
    where = "its source is here" if told["source"] else "not here"
    says = f"{told['version']}, built for this machine" if told["build"] else f"{where}: about {minutes} min, once"
    yield Finding("to build engines", "llama.cpp", told["build"], says, "zyc doctor --build")


def _lock(world: World, probe: Probe, here: Path) -> Iterator[Finding]:
    """Whether this machine has what zyc.lock says."""
    try:
        root = projects.find(world, here).root
        lock = locks.read(world.read(root / locks.FILE)) if world.exists(root / locks.FILE) else locks.Lock()
    except ZycError:
        return
    for name, pinned in sorted(lock.pins.items()):
        version = probe.version(name)
        mend = f"install {pinned}, or `zyc lock --upgrade {name}`"
        yield Finding("pinned in zyc.lock", name, version == pinned, version or "missing", mend)
