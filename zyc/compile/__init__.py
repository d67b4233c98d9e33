"""Sources -> the typed graph, and everything that is wrong with them: all of it, not the first only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zyc.compile.declare import declare
from zyc.compile.declared import Declaration, Request, Trouble
from zyc.compile.link import Linker, names_of
from zyc.compile.outline import Source
from zyc.graph import Graph
from zyc.kept import Kept

__all__ = ["Compiled", "Declaration", "Request", "Source", "Trouble", "compile_specs"]


_NAMES = ("unknown-node", "set-node", "profile-node", "var-nowhere")  # problems that are about a name which nobody has


@dataclass(frozen=True, slots=True)
class Compiled:
    """The graph of all that could be linked, and the troubles of the rest."""

    graph: Graph
    troubles: tuple[Trouble, ...] = ()
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # family -> axes that no field reads
    overridden: bool = False  # a profile or `--set` may have taken what read a var or axis
    unread_files: tuple[bytes, ...] = ()  # the texts of the specs that are wrong themselves, not only their nodes

    def may_declare(self, name: str) -> bool:
        """Whether a file that is wrong seems to declare a name: then it is the file that is at fault, not the name."""
        declares = re.compile(rb"(?<![\w.@-])['\"]?" + re.escape(name.encode("utf-8", "replace")) + rb"['\"]?\s*:")
        return any(declares.search(text) for text in self.unread_files)

    def behind(self, names: Iterable[str]) -> tuple[Trouble, ...]:
        """What is wrong with nodes that were left out, or with those that they need."""
        seen, waiting, lost = set(names), list(names), False
        while waiting:
            node = self.declared.get(waiting.pop())
            lost = lost or node is None
            for name in names_of(node) if node is not None else ():
                base = name.partition("@")[0]
                if base not in seen:
                    seen.add(base)
                    waiting.append(base)
        told = tuple(each for each in self.troubles if each.node in seen or (lost and not each.node))
        return told or self.troubles


def compile_specs(sources: Sequence[Source], request: Request, kept: Kept) -> Compiled:
    """Compile every spec of a project; a pure function of their texts."""
    declared = declare(sources, request, kept)
    linker = Linker(declared)
    graph = linker.graph()
    overridden = request.profile is not None or bool(request.sets)
    flawed = {each.file for each in declared.troubles if not each.node}
    unread = tuple(source.text for source in sources if source.file in flawed)
    told = Compiled(graph, (), declared.nodes, linker.unread, overridden, unread)
    troubles = (each for each in declared.troubles if not (each.problem.code in _NAMES and _declared_elsewhere(told, each)))
    return replace(told, troubles=tuple(troubles))


def _declared_elsewhere(compiled: Compiled, trouble: Trouble) -> bool:
    return compiled.may_declare(str(dict(trouble.problem.facts)["name"]))
