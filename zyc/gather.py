"""The only reader: everything outside the specs that a plan needs, into frozen values."""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from zyc import kinds
from zyc.compile import Source
from zyc.digest import of_text
from zyc.errors import Problem, Span, ZycError, guess, listing, problem
from zyc.graph import Graph
from zyc.journal import Journal
from zyc.kept import Kept
from zyc.kind import EnvironmentNeed, FileNeed, Found, PinNeed
from zyc.known import BLOCK, DEPENDENCY, History, Known, Machine, Missing, Template, Unfinished
from zyc.lock import Lock
from zyc.project import Project
from zyc.site import Site
from zyc.source import MOST_BYTES
from zyc.store import Store
from zyc.toolchain import Probe, shipped
from zyc.world import Stat, World

TEXT_LIMIT = 8_000_000
_RACY = 100_000_000  # ns: a file that changed this shortly before it was read may change again and look the same


class Files(Protocol):
    """The user's files, of the disk or of a revision in git: paths are relative to the project's root."""

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""

    def names(self, folder: str) -> Iterable[str]:
        """What a folder holds."""

    def below(self, folder: str) -> Iterable[str]:
        """Everything below a folder that is no folder itself, sorted, relative to it."""

    def size(self, path: str) -> int:
        """How many bytes a file has."""

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""

    def read(self, path: str) -> bytes:
        """All of a file."""

    def leaves(self, path: str) -> bool:
        """Whether the path leads out of the project."""


class Disk:
    """The user's files as they are now; a digest is taken again only when the disk says that a file moved."""

    def __init__(self, world: World, root: Path, kept: Kept, *, reads: bool = True) -> None:
        self.world = world
        self._reads = reads  # without it data is looked at, not read: enough to check a spec, not to plan
        self.root = root
        self._real = world.real(root)
        self._top = str(root)  # joining paths is what ten thousand files would spend their time on
        self._kept = kept

    def kind(self, path: str) -> str | None:
        """`file`, `folder`, or nothing."""
        seen = self.world.stat(self.root / path, follow=True)
        return None if seen is None else seen.kind

    def names(self, folder: str) -> tuple[str, ...]:
        """What a folder holds."""
        return self.world.list(self.root / folder)

    def below(self, folder: str) -> list[str]:
        """Everything below a folder that is no folder itself: links and what is no file, too."""
        return [name for name, seen in self.world.walk(self.root / folder) if seen.kind != "folder"]

    def _file(self, path: str) -> Stat:
        """The facts of a file, links followed; nothing else is opened: a pipe never ends, a folder of links may not either."""
        seen = self.world.stat(f"{self._top}/{path}", follow=True)
        if seen is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if seen.kind != "file":
            raise OSError(errno.EINVAL, "it is a link to a folder" if seen.kind == "folder" else _NO_FILE, path)
        return seen

    def size(self, path: str) -> int:
        """How many bytes a file has."""
        return self._file(path).size

    def digest(self, path: str) -> tuple[str, int]:
        """The sha256 and size of a file."""
        full = f"{self._top}/{path}"
        seen = self._file(path)
        question = (full, _stamp(seen))
        if not self._reads:
            return "", seen.size
        known = self._kept.get("file", question)
        if known is None:
            began = self.world.now()
            known = self.world.digest(full)
            after = self.world.stat(full, follow=True)
            still = after is not None and _stamp(after) == _stamp(seen)
            if still and max(seen.mtime_ns, seen.ctime_ns) + _granularity(seen) < began * 1e9:
                self._kept.keep("file", question, known)
        return known, seen.size

    def read(self, path: str) -> bytes:
        """All of a file."""
        self._file(path)
        return self.world.read(self.root / path)

    def leaves(self, path: str) -> bool:
        """Whether a link on the way leads out of the project."""
        real = self.world.real(self.root / path)
        return real != self._real and not real.startswith(self._real + os.sep)


def _stamp(seen: Stat) -> tuple[int, ...]:
    return (seen.device, seen.inode, seen.size, seen.mtime_ns, seen.ctime_ns)


def _granularity(seen: Stat) -> int:
    """How coarse the clock of the file's disk may be: whole seconds tell an old file system."""
    return 2_000_000_000 if seen.mtime_ns % 1_000_000_000 == 0 else _RACY


def spec_files(files: Files) -> list[str]:
    """The specs of a project: every YAML file below specs/, the folders `data` and `profiles` aside."""
    found = []
    for name in files.below("specs"):
        if {"data", "profiles"} & {*name.split("/")} or any(part.startswith(".") for part in name.split("/")):
            continue
        # a link to a folder would hide the specs in it
        if name.endswith((".yml", ".yaml")) or files.kind(f"specs/{name}") == "folder":
            found.append(f"specs/{name}")
    return found


def read_specs(files: Files) -> list[Source]:
    """The texts of all specs; what cannot be read is a source that says why."""
    try:
        return [_read_spec(files, path) for path in spec_files(files)]
    except OSError as error:
        raise ZycError(problem("unreadable-file", Span("specs"), file="specs", reason=_reason(error))) from None


def _read_spec(files: Files, path: str) -> Source:
    try:
        if files.leaves(path):
            return Source(path, b"", problem("escaping-file", Span(path), file=path))
        size = files.size(path)
        if size > MOST_BYTES:
            return Source(path, b"", problem("file-too-large", Span(path), file=path, size=size, limit=MOST_BYTES))
        return Source(path, files.read(path))
    except OSError as error:
        return Source(path, b"", problem("unreadable-file", Span(path), file=path, reason=_reason(error)))


def _reason(error: OSError) -> str:
    return error.strerror or "it cannot be opened"


def read_profile(files: Files, name: str) -> tuple[str, bytes]:
    """A profile's file and text."""
    known = {each.rsplit(".", 1)[0]: each for each in files.below("specs/profiles") if each.endswith((".yml", ".yaml"))}
    if name not in known:
        hint = guess(name, known, otherwise=listing(sorted(known), "there is") or "profiles are the files in specs/profiles/")
        raise ZycError(problem("unknown-profile", name=name, hint=hint))
    path = f"specs/profiles/{known[name]}"
    source = _read_spec(files, path)
    if source.refused is not None:
        raise ZycError(source.refused)
    return path, source.text


def gather(world: World, files: Files, graph: Graph, *, lock: Lock, site: Site, probe: Probe, project: Project) -> Known:
    """Read what the nodes of a graph need."""
    needs = [need for node in graph.nodes() for need in node.shape.needs]
    texts = {need.path for need in needs if isinstance(need, FileNeed) and need.text}
    found: dict[str, Found] = {}
    missing: dict[str, Missing] = {}
    for path in dict.fromkeys(need.path for need in needs if isinstance(need, FileNeed)):
        told = _find(files, path, text=path in texts)
        if isinstance(told, Found):
            found[path] = told
        else:
            missing[path] = told
    environ = world.environ()
    names = {need.name for need in needs if isinstance(need, EnvironmentNeed) and not need.secret}
    templates = _templates(world, files, {node.kind for node in graph.nodes()})
    wanted = {need.name for need in needs if isinstance(need, PinNeed)}
    scripted = {name for template in templates.values() for name in template.dependencies}
    pins, unpinned = _pins(
        sorted(wanted | {f"package:{name}" for name in scripted}), lock, probe, shipped(world) if scripted else {}
    )
    return Known(
        files=found,
        missing=missing,
        environment={name: of_text(environ[name]) for name in sorted(names) if name in environ},
        pins=pins,
        unpinned=unpinned,
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


def _find(files: Files, path: str, *, text: bool) -> Found | Missing:
    """A file, folder or glob of the user's."""
    start = glob_root(path) if _is_glob(path) else path
    try:
        if files.leaves(start):
            return Missing("escaping-link")
        if start == "artifacts" or start.startswith("artifacts/") or path == ".":
            return Missing("own-output")
        if _is_glob(path):
            return _many(files, path, _matching(files, path), Missing("empty-glob"))
        kind = files.kind(path)
        if kind is None:
            return Missing("missing-input", (("hint", _beside(files, path)),))
        if kind == "folder":
            return _folder(files, path, text=text)
        digest, size = files.digest(path)
        if text and size > TEXT_LIMIT:
            return _unreadable(f"it is larger than {TEXT_LIMIT // 1_000_000} MB", "give it as one of the `files`")
        return Found(path, digest, size, text=files.read(path).decode("utf-8") if text else None)
    except UnicodeDecodeError:
        return Missing("input-not-text")
    except OSError as error:
        hint = "files and folders of files can be read" if error.errno == errno.EINVAL else "check that you may read it"
        told = _unreadable(_reason(error), hint)
        # the one that is at fault, where it lies below what the field names
        inside = str(error.filename or path)
        at = inside.find(start) if start != "." else -1
        return Missing(told.code, (*told.facts, ("path", inside[at:]))) if at >= 0 else told


_NO_FILE = "it is neither a file nor a folder"


def _is_glob(path: str) -> bool:
    return any(char in path for char in "*?[")


def _folder(files: Files, path: str, *, text: bool) -> Found | Missing:
    if text:
        return _unreadable("it is a folder", "name the file itself")
    return _many(files, path, [posixpath.join(path, name) for name in files.below(path)], None)


def _unreadable(reason: str, hint: str) -> Missing:
    return Missing("unreadable-input", (("reason", reason), ("hint", hint)))


def _many(files: Files, path: str, names: list[str], empty: Missing | None) -> Found | Missing:
    if not names and empty is not None:
        return empty
    told, size = [], 0
    for name in sorted(names):
        if files.leaves(name):
            return Missing("escaping-link", (("path", name),))
        digest, length = files.digest(name)
        told.append((name, digest))
        size += length
    start = f"{glob_root(path)}/" if _is_glob(path) else f"{path}/"
    # a name with a line end is one name
    lines = "".join(f"{digest} {name.removeprefix(start).replace(chr(10), chr(0))}\n" for name, digest in told)
    return Found(path, of_text(lines), size, tuple(told))


def glob_root(pattern: str) -> str:
    """The folder that holds everything a glob can match."""
    parts = pattern.split("/")
    fixed = next(at for at, part in enumerate(parts) if any(char in part for char in "*?["))
    return "/".join(parts[:fixed]) or "."


def _matching(files: Files, pattern: str) -> list[str]:
    root, wanted = glob_root(pattern), pattern.split("/")
    starts = [root]
    if root == ".":  # what zyc writes is nobody's input
        starts = [name for name in files.names(".") if name != "artifacts" and _fits(name, wanted[0])]
    paths = []
    for start in starts:
        below = files.below(start) if files.kind(start) == "folder" and not files.leaves(start) else [""]
        paths += [posixpath.join(start, name) if name else start for name in below]
    return [path for path in paths if _matches(path.split("/"), wanted)]


def _fits(name: str, wanted: str) -> bool:
    """Whether one name fits one part of a glob; a hidden one must be asked for."""
    if name.startswith(".") and not wanted.startswith("."):
        return False
    return wanted == "**" or fnmatch.fnmatchcase(name, wanted)


def _matches(parts: list[str], wanted: list[str]) -> bool:
    """`**` stands for any folders, `*` stays inside one name."""
    reached = {0}  # how many parts the globs so far may have taken
    for each in wanted:
        further = {at + 1 for at in reached if at < len(parts) and _fits(parts[at], each)}
        if each == "**":
            while further - reached:
                reached |= further
                further = {at + 1 for at in reached if at < len(parts) and _fits(parts[at], each)}
        else:
            reached = further
    return len(parts) in reached


def _beside(files: Files, path: str) -> str:
    """What may have been meant by a path that is not there."""
    folder, name = posixpath.split(path)
    while folder and files.kind(folder) != "folder":
        folder, name = posixpath.split(folder)
    close = guess(name, files.names(folder or "."), otherwise="paths are relative to the project's root")
    return close.replace("`", f"`{folder}/", 1) if folder and close.startswith("did you mean") else close


def _templates(world: World, files: Files, names: set[str]) -> dict[str, Template]:
    """The template folders of the kinds in use; the project's own files shadow the built-in ones."""
    own = list(files.below("templates")) if files.kind("templates") == "folder" else []
    told = {}
    for name in sorted(names):
        texts: dict[str, str] = {}
        shadows: dict[str, str] = {}
        for root in kinds.templates_of(name):
            texts |= _built_in(world, root, name)
        for path in own:
            if path == "run.sh" or path.startswith((f"{name}/", "lib/")):
                shadows[path] = _own_template(files, f"templates/{path}")
        told[name] = _template(name, {**texts, **shadows}, shadows)
    return told


def _own_template(files: Files, path: str) -> str:
    if files.leaves(path):
        raise ZycError(problem("escaping-file", Span(path), file=path))
    try:
        return files.read(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ZycError(
            problem("bad-template", Span(path), template=path, reason="is not UTF-8 text", help="save it as UTF-8")
        ) from None


def _built_in(world: World, root: Path, name: str) -> dict[str, str]:
    texts = {}
    base = root if world.exists(root / "run.sh") else Path(kinds.templates_of("step")[0])
    texts["run.sh"] = world.read_text(base / "run.sh")
    for folder in (name, "lib"):
        for path, seen in world.walk(root / folder):
            if seen.kind == "file" and not path.endswith((".pyc", ".pyo")) and "__pycache__" not in path:
                texts[f"{folder}/{path}"] = world.read_text(root / folder / path)
    return texts


def _template(name: str, texts: Mapping[str, str], own: Mapping[str, str]) -> Template:
    wanted = kinds.load(name).harness

    def part(folder: str) -> dict[str, str]:
        start = f"{name}/{folder}/"
        return {path[len(start) :]: text for path, text in texts.items() if path.startswith(start)}

    harness = {path[4:]: text for path, text in texts.items() if path.startswith("lib/") and path[4:] in wanted}
    digest = of_text("".join(f"{path}\0{of_text(text)}\n" for path, text in sorted(texts.items())))
    recipe = part("recipe")
    blocks = (BLOCK.search(text) for text in recipe.values())
    named = sorted({found[1] for block in blocks if block for found in DEPENDENCY.finditer(block[0])})
    return Template(recipe, part("lib"), part("placement"), harness, texts.get("run.sh", ""), digest, own, tuple(named))


def _machine(world: World, project: Project, site: Site) -> Machine:
    here = site.here
    try:
        disk = world.disk_free(project.root)
    except OSError:
        disk = None
    return Machine(
        cpus=here.cpus or world.cpu_count(),
        memory=here.memory or world.memory_total(),
        disk=disk,
        gpus=here.gpus if here.gpus is not None else len(world.list("/proc/driver/nvidia/gpus")),
        price=here.price,
    )


def history(world: World, project: Project, *, twin: bool, told: Callable[[Problem], None]) -> History:
    """What was built before, as far as the store says."""
    if not world.exists(project.store / "FORMAT"):
        return History()
    store = Store.open(world, project.store)
    journal = Journal.open(store, told=told)
    try:
        traces, last = journal.summaries(), journal.last_keys(project.root, twin=twin)
    finally:
        journal.close()
    return History(traces, last, store.present(), dict(_unfinished(world, project)))


def _unfinished(world: World, project: Project) -> Iterator[tuple[str, Unfinished]]:
    """The steps that were cut short with something in `state/`, by the start of their keys."""
    import json

    for name in world.list(project.artifacts / "steps"):
        folder = project.artifacts / "steps" / name
        if set(world.list(folder / "state")) - {".placement.json"}:
            try:
                placement = json.loads(world.read(folder / "state" / ".placement.json"))
            except (OSError, ValueError):
                placement = {}
            yield name, Unfinished(placement if isinstance(placement, dict) else {})
