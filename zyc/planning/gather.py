"""The only reader: everything outside the specs that a plan needs, into frozen values."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path

from zyc import kinds
from zyc.catalogue import devices
from zyc.errors import Problem, Span, ZycError, problem
from zyc.graph import Graph
from zyc.hosts import FAILED, PLACEMENT, SAVED, has_state, note
from zyc.hosts.local import runs
from zyc.keeping.journal import Journal
from zyc.keeping.store import Store
from zyc.kind import EnvironmentNeed, FileNeed, Found, Hub, HubNeed, PinNeed
from zyc.place.hub import COMMIT, cache_of, is_offline, look
from zyc.place.lock import Lock
from zyc.place.project import Project
from zyc.place.site import Site
from zyc.place.toolchain import Probe, shipped
from zyc.planning.digest import of_text
from zyc.planning.files import Files, find, read_own
from zyc.planning.known import BLOCK, History, Known, Machine, Missing, Template, Unfinished, named
from zyc.world import World


def gather(  # noqa: PLR0913  (what a plan needs comes from many places)
    world: World,
    files: Files,
    graph: Graph,
    *,
    lock: Lock,
    site: Site,
    probe: Probe,
    project: Project,
    resolved: Mapping[str, str],
) -> Known:
    """Read what the nodes of a graph need."""
    needs = [need for node in graph.nodes() for need in node.shape.needs]
    texts = {need.path for need in needs if isinstance(need, FileNeed) and need.text}
    data = {need.path for need in needs if isinstance(need, FileNeed) and need.data}
    lines = {need.path for need in needs if isinstance(need, FileNeed) and need.lines}
    heads = {need.path for need in needs if isinstance(need, FileNeed) and need.head}
    found: dict[str, Found] = {}
    missing: dict[str, Missing] = {}
    wanted_at_all = {need.path for need in needs if isinstance(need, FileNeed) and not need.optional}
    for path in dict.fromkeys(need.path for need in needs if isinstance(need, FileNeed)):
        told = find(files, path, text=path in texts, data=path in data, lines=path in lines, head=path in heads)
        if isinstance(told, Found):
            found[path] = told
        elif path in wanted_at_all or told.code != "missing-input":
            missing[path] = told
    environ = world.environ()
    names = {need.name for need in needs if isinstance(need, EnvironmentNeed) and not need.secret}
    templates = _templates(world, files, {node.kind for node in graph.nodes()})
    wanted = {need.name for need in needs if isinstance(need, PinNeed)}
    scripted = {name for template in templates.values() for name in template.dependencies}
    pins, unpinned = _pins(
        sorted(wanted | {f"package:{name}" for name in scripted}), lock, probe, shipped(world) if scripted else {}
    )
    hubs: dict[str, Hub] = {}
    moving: set[str] = set()  # a commit is its own pin
    for need in (need for need in needs if isinstance(need, HubNeed)):
        if COMMIT.fullmatch(need.revision) is None:
            moving.add(need.name)
        hubs[need.name] = look(
            world, cache_of(environ), need, lock.pins.get(need.name) or resolved.get(need.name, ""), earlier=hubs.get(need.name)
        )
    pins |= {name: hub.commit for name, hub in hubs.items() if hub.commit}
    return Known(
        files=found,
        missing=missing,
        environment={name: of_text(environ[name]) for name in sorted(names) if name in environ},
        pins=pins,
        unpinned=unpinned | (moving - lock.pins.keys()),
        hubs=hubs,
        templates=templates,
        machine=_machine(world, project, site),
    )


def _pins(wanted: list[str], lock: Lock, probe: Probe, tested: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """The lock first; then what rendered scripts were tested with; then what is here."""
    pins, unpinned = {}, set()
    for name in wanted:
        if name in lock.pins:
            pins[name] = lock.pins[name]
            continue
        package = re.sub(r"[-_.]+", "-", name.removeprefix("package:")).lower()
        version = tested.get(package) if name.startswith("package:") else None
        version = version or probe.version(name)
        unpinned.add(name)
        if version is not None:
            pins[name] = version
    return pins, frozenset(unpinned)


def _templates(world: World, files: Files, names: set[str]) -> dict[str, Template]:
    """The template folders of the kinds in use; the project's own files shadow the built-in ones."""
    own: list[str] = []
    if files.kind("templates") == "folder":
        if files.leaves("templates"):
            raise ZycError(problem("escaping-file", Span("templates"), file="templates"))
        own = list(files.below("templates"))
    told = {}
    for name in sorted(names):
        texts: dict[str, str] = {}
        shadows: dict[str, str] = {}
        for root in kinds.templates_of(name):
            texts |= _built_in(world, root, name)
        for path in own:
            if path == "run.sh" or path.startswith((f"{name}/", "lib/", "shared/")):
                text = _own_template(files, f"templates/{path}")
                if text != texts.get(path):  # a copy of ours is ours
                    shadows[path] = text
        told[name] = _template(name, {**texts, **shadows}, shadows)
    return told


def _own_template(files: Files, path: str) -> str:
    try:
        text = read_own(files, path)
        if text is None:
            raise ZycError(problem("unreadable-file", Span(path), file=path, reason="No such file or directory"))
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise ZycError(
            problem("bad-template", Span(path), template=path, reason="is not UTF-8 text", help="save it as UTF-8")
        ) from None


def _built_in(world: World, root: Path, name: str) -> dict[str, str]:
    texts = {}
    base = root if world.exists(root / "run.sh") else Path(kinds.templates_of("step")[0])
    texts["run.sh"] = world.read_text(base / "run.sh")
    for folder in (name, "lib", "shared"):
        for path, seen in world.walk(root / folder):
            if seen.kind == "file" and not path.endswith((".pyc", ".pyo")) and "__pycache__" not in path:
                texts[f"{folder}/{path}"] = world.read_text(root / folder / path)
    return texts


def _template(name: str, texts: Mapping[str, str], own: Mapping[str, str]) -> Template:
    kind = kinds.load(name)

    def part(folder: str) -> dict[str, str]:
        start = f"{name}/{folder}/"
        return {path[len(start) :]: text for path, text in texts.items() if path.startswith(start)}

    harness = {path[4:]: text for path, text in texts.items() if path.startswith("lib/") and path[4:] in kind.harness}
    shared = {path[7:]: text for path, text in texts.items() if path.startswith("shared/") and path[7:] in kind.shares}
    modules = {path.partition("/")[2]: text for path, text in texts.items() if path.startswith(("lib/", "shared/"))}
    handed = {f"lib/{name}": modules[name] for name in kind.bundles if name in modules}
    digest = of_text("".join(f"{path}\0{of_text(text)}\n" for path, text in sorted(texts.items())))
    recipe = part("recipe")
    blocks = [found[0] for found in map(BLOCK.search, recipe.values()) if found]
    return Template(
        recipe,
        {**shared, **part("lib")},
        {**handed, **part("parts")},
        part("placement"),
        harness,
        texts.get("run.sh", ""),
        digest,
        own,
        len(blocks) > 1 or any("{%" in block for block in blocks),
        named(recipe.values()),
    )


def _machine(world: World, project: Project, site: Site) -> Machine:
    here = site.here
    try:
        disk = world.disk_free(project.root)
    except OSError:
        disk = None
    # what was left to us counts, whatever the site says of the whole machine
    gpus = len(world.accelerators())
    if here.gpus is not None:
        gpus = min(here.gpus, gpus) if "CUDA_VISIBLE_DEVICES" in world.environ() else here.gpus
    cpus, accelerator = here.cpus or world.cpu_count(), _accelerator(world) if gpus else ""
    return Machine(
        cpus=cpus,
        memory=here.memory or world.memory_total(),
        disk=min((each for each in (disk, here.disk) if each is not None), default=None),
        gpus=gpus,
        bf16=world.has_bf16() if here.bf16 is None else here.bf16,
        price=here.price,
        accelerator=accelerator,
        devices=site.devices,
        prices=tuple(sorted(site.prices.items())),
        label=f"{gpus} x {accelerator or 'GPU'}" if gpus else f"{platform.machine()}, {cpus} cores",
        offline=is_offline(world.environ()),
    )


def _accelerator(world: World) -> str:
    """The class of the first accelerator, as its driver calls it."""
    for name in world.list("/proc/driver/nvidia/gpus")[:1]:
        try:
            return devices.of_model(world.read_text(f"/proc/driver/nvidia/gpus/{name}/information"))
        except OSError:
            break
    return ""


def history(world: World, project: Project, *, twin: bool, told: Callable[[Problem], None]) -> History:
    """What was built before, as far as the store says."""
    store = Store.open(world, project.store, create=False)
    if not store.made():
        return History()
    journal = Journal.open(store, told=told)
    try:
        traces, last = journal.summaries(), journal.last_keys(project.root, twin=twin)
    finally:
        journal.close()
    present = store.present()
    done = {key[:24] for key, each in traces.items() if each.tree in present}
    return History(traces, last, present, dict(_unfinished(world, project, done)))


def _unfinished(world: World, project: Project, done: Container[str]) -> Iterator[tuple[str, Unfinished]]:
    """The steps that were cut short or failed, by the start of their keys; those that are done are not looked into."""
    steps = project.artifacts / "steps"
    for name in world.list(steps):
        if name in done:
            continue
        home = steps / name
        state, failed = has_state(world, home), note(world, home / FAILED).get("reason", "")
        alive = runs(world, home)
        if state or failed or alive:
            placement, saved = (note(world, home / "state" / each) for each in (PLACEMENT, SAVED))
            yield name, Unfinished(placement, state, _step_of(saved), str(failed), alive)


def _step_of(saved: Mapping[str, object]) -> tuple[int, int] | None:
    step, of = saved.get("step"), saved.get("of")
    return (step, of) if isinstance(step, int) and isinstance(of, int) else None
