"""Which nodes a call is about: names, globs, files, `+n`, `n+`, `kind:`, `tag:`, `state:`; commas narrow, words add up."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zyc.compile import Compiled
from zyc.errors import Problem, ZycError, guess, listing, problem
from zyc.graph import Graph, Node

METHODS = ("kind", "tag", "state")
STATES = ("new", "changed", "missing", "keep", "run", "resume", "maybe", "blocked", "failed")


@dataclass(frozen=True, slots=True)
class Selection:
    """The nodes that a call is about: declared ones that could not be linked are named apart."""

    names: frozenset[str]
    explicit: frozenset[str] = frozenset()  # named one by one, so their bytes are wanted
    broken: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


@dataclass(slots=True)
class Selector:
    """Reads selectors against one compiled project; `states` is asked only by `state:`."""

    compiled: Compiled
    files: Sequence[str]  # the specs of the project
    here: str  # the folder that the caller stands in, relative to the project's root
    states: Callable[[], Mapping[str, set[str]]] = dict
    _explicit: set[str] = field(default_factory=set)
    _broken: set[str] = field(default_factory=set)
    _files: set[str] = field(default_factory=set)

    def select(self, words: Sequence[str], exclude: Sequence[str] = ()) -> Selection:
        """The union of the words, without what is excluded; no word is every spec."""
        # no word means the project, wherever in it one stands
        chosen, wrong = self._all(words) if words else (self._in_files("specs", "specs"), [])
        explicit, files, broken = self._explicit, self._files, frozenset(self._broken)
        out, also_wrong = self._all(exclude)
        if wrong or also_wrong:
            raise ZycError([*wrong, *also_wrong])
        chosen -= out
        return Selection(frozenset(chosen), frozenset(explicit & chosen), broken, frozenset(files))

    def rooted(self, words: Sequence[str]) -> tuple[str, ...]:
        """The same words, as they are typed in the project's root."""
        return tuple(",".join(self._rooted(part) for part in word.split(",")) for word in words)

    def _rooted(self, part: str) -> str:
        name = part.strip("+")
        path = self._path(name) if name and ":" not in name else None
        return part if path is None else part.replace(name, path)

    def _all(self, words: Sequence[str]) -> tuple[set[str], list[Problem]]:
        chosen: set[str] = set()
        problems: list[Problem] = []
        for word in words:
            try:
                chosen |= self._narrowed(word)
            except ZycError as error:
                problems += error.problems
        return chosen, problems

    def _narrowed(self, word: str) -> set[str]:
        parts = [self._one(part) for part in word.split(",") if part]
        if not parts:
            raise ZycError(
                problem("bad-selector", text=word, hint="for example `zyc plan philo-q4` or `zyc plan kind:quant,tag:nightly`")
            )
        both = set.intersection(*parts)
        if not both and all(parts) and "state:" not in word:
            raise ZycError(problem("empty-selection", text=word))
        return both

    def _one(self, part: str) -> set[str]:
        name = part.strip("+")
        if not name or part.count("+") > 2 or part.strip("+") != part.removeprefix("+").removesuffix("+"):
            raise ZycError(problem("bad-selector", text=part, hint="`+name` adds what it needs, `name+` what stands on it"))
        chosen = self._base(name)
        graph = self.compiled.graph
        wider = set(chosen)
        if part.startswith("+"):
            wider |= _nodes(graph, graph.upstream(chosen))
        if part.endswith("+"):
            wider |= _nodes(graph, graph.downstream(chosen))
        return wider

    def _base(self, name: str) -> set[str]:
        graph = self.compiled.graph
        method, colon, value = name.partition(":")
        if colon:
            return self._method(name, method, value)
        path = self._path(name)
        if path is not None:
            return self._in_files(name, path)
        if any(char in name for char in "*?["):
            found = {node.name for node in graph.nodes() if fnmatch.fnmatchcase(node.name, name)}
            if not found:
                raise ZycError(problem("empty-selection", text=name))
            return found
        return self._named(name)

    def _named(self, name: str) -> set[str]:
        graph, declared = self.compiled.graph, self.compiled.declared
        vertex = graph.vertices.get(name)
        if isinstance(vertex, Node):
            self._explicit.add(name)
            return {name}
        members = {node.name for node in graph.nodes() if node.family and f"{node.name}@".startswith(f"{name}@")}
        if members:
            self._explicit |= members
            return members
        if name in declared:
            self._broken.add(name)
            return set()
        names = [*declared, *(node.name for node in graph.nodes())]
        raise ZycError(problem("no-selection", text=name, hint=guess(name, names, otherwise="`zyc ls` shows what there is")))

    def _method(self, text: str, method: str, value: str) -> set[str]:
        nodes = list(self.compiled.graph.nodes())
        if method == "kind":
            known = {node.kind for node in nodes}
            found = {node.name for node in nodes if node.kind == value}
        elif method == "tag":
            known = {tag for node in nodes for tag in node.shape.tags}
            found = {node.name for node in nodes if value in node.shape.tags}
        elif method == "state":
            if value in STATES:
                return self.states().get(value, set())
            known, found = set(STATES), set()
        else:
            methods = [f"{each}:" for each in METHODS]
            raise ZycError(problem("bad-selector", text=text, hint=guess(f"{method}:", methods, listed="before a colon stands")))
        if not found:
            there = listing(sorted(f"{method}:{each}" for each in known), "there is") or f"no node has a {method}"
            hint = guess(text, (f"{method}:{each}" for each in known), otherwise=there)
            raise ZycError(problem("no-selection", text=text, hint=hint))
        return found

    def _path(self, name: str) -> str | None:
        """The word as a path below the root, when it looks like one or is one."""
        path = posixpath.normpath(posixpath.join(self.here, name))
        if self.here and not self._below(path) and self._below(posixpath.normpath(name)):
            path = posixpath.normpath(name)  # as our own messages name it
        if name in self.compiled.declared and "/" not in name:
            return None
        looks = "/" in name or name.endswith((".yml", ".yaml")) or name in (".", "specs")
        return path if looks or any(file.startswith(f"{path}/") for file in self.files) else None

    def _below(self, path: str) -> set[str]:
        return {file for file in self.files if file == path or file.startswith(f"{path}/")}

    def _in_files(self, word: str, path: str) -> set[str]:
        if path in (".", ""):
            path = "specs"
        files = self._below(path)
        if not self.files:
            raise ZycError(problem("no-specs"))
        if not files:
            wanted = guess(path, self.files, otherwise="specs are YAML files below specs/")
            raise ZycError(problem("no-selection", text=word, hint=wanted))
        self._files |= files
        names = {node.name for node in self.compiled.graph.nodes() if node.span.file in files and not node.inserted}
        linked = {node.family or node.name for node in self.compiled.graph.nodes()}
        self._broken |= {
            name for name, node in self.compiled.declared.items() if node.source.file in files and name not in linked
        }
        return names


def _nodes(graph: Graph, names: Iterable[str]) -> set[str]:
    return {name for name in names if isinstance(graph.vertices[name], Node)}


def closure(graph: Graph, names: Collection[str]) -> set[str]:
    """The nodes, all that they need, and the proofs of everything among them."""
    if all(node.inserted or node.name in names for node in graph.nodes()):
        return set(graph.vertices)  # nothing is inserted that nobody needs
    needed = graph.upstream(names)
    while True:
        proofs = {f"{name}.proof" for name in needed if f"{name}.proof" in graph.vertices} - needed
        if not proofs:
            return needed
        needed = graph.upstream(needed | proofs)
