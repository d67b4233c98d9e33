"""Sources -> the typed graph, and everything that is wrong with them: all of it, not the first only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zyc.compile.declare import Declaration, Request, Trouble, declare
from zyc.compile.link import Linker
from zyc.compile.outline import Source
from zyc.graph import Graph
from zyc.kept import Kept

__all__ = ["Compiled", "Declaration", "Request", "Source", "Trouble", "compile_specs"]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The graph of all that could be linked, and the troubles of the rest."""

    graph: Graph
    troubles: tuple[Trouble, ...] = ()
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # family -> axes that no field reads


def compile_specs(sources: Sequence[Source], request: Request, kept: Kept) -> Compiled:
    """Compile every spec of a project; a pure function of their texts."""
    declared = declare(sources, request, kept)
    linker = Linker(declared)
    graph = linker.graph()
    return Compiled(graph, tuple(declared.troubles), declared.nodes, linker.unread)
