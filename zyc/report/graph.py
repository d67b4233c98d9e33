"""The graph as a text tree, as mermaid, as dot, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zyc.graph import Cluster, Graph, Node
from zyc.report.console import Console

_MOST_LINES = 2_000


def shown(graph: Graph, names: Sequence[str], *, every: bool) -> Graph:
    """The vertices that a picture is of: without `every`, proofs are left out."""
    keep = {name for name in names if every or not name.endswith(".proof")}
    return Graph({name: vertex for name, vertex in graph.vertices.items() if name in keep}, graph.families, graph.headers)


def edges(graph: Graph) -> list[tuple[str, str, str, bool]]:
    """Every edge inside the graph: from, to, field, whether it is order only."""
    return [
        (edge.source, vertex.name, edge.field, edge.order)
        for vertex in graph.vertices.values()
        for edge in vertex.edges
        if edge.source in graph.vertices
    ]


def _drawn(graph: Graph) -> list[tuple[str, str, str, bool]]:
    """The edges of a picture: of several between the same two, the strongest."""
    told: dict[tuple[str, str], tuple[str, str, str, bool]] = {}
    for each in sorted(edges(graph), key=lambda edge: edge[3]):
        told.setdefault(each[:2], each)
    return list(told.values())


def tree(console: Console, graph: Graph) -> Iterator[str]:
    """What everything stands on, from the results down; a part that was shown is only named again."""
    readers = dict.fromkeys(graph.vertices, 0)
    for source, _, _, _ in edges(graph):
        readers[source] += 1
    seen: set[str] = set()
    count = 0
    waiting = [(name, "", "", "") for name in reversed([name for name, number in readers.items() if number == 0])]
    while waiting:
        name, before, branch, field = waiting.pop()
        again = name in seen and bool(graph.vertices[name].edges)
        beside = console.paint(f"  {field}", "dim") if field else ""
        above = console.paint("  (above)", "dim") if again else ""
        yield f"{before}{branch}{_label(console, graph, name)}{beside}{above}"
        count += 1
        if count == _MOST_LINES:
            yield f"… more than {_MOST_LINES:,} lines: name the nodes you are after, or use --format dot"
            return
        if again:
            continue
        seen.add(name)
        sources = {edge.source: edge.field for edge in reversed(graph.vertices[name].edges)}
        inner = [
            (source, sources[source])
            for source in dict.fromkeys(edge.source for edge in graph.vertices[name].edges)
            if source in graph.vertices
        ]
        deeper = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for at, (source, label) in reversed(list(enumerate(inner))):
            # of a member its name tells the coordinates
            beside = label if isinstance(graph.vertices[name], Node) else ""
            waiting.append((source, deeper, "└─ " if at == len(inner) - 1 else "├─ ", beside))


def _label(console: Console, graph: Graph, name: str) -> str:
    vertex = graph.vertices[name]
    if isinstance(vertex, Node):
        return f"{name} {console.paint(vertex.kind, 'cyan')}"
    if isinstance(vertex, Cluster):
        return f"{name} {console.paint(f'{len(vertex.members)} members', 'cyan')}"
    return f"{name} {console.paint('the best by ' + vertex.measure, 'cyan')}"


def mermaid(graph: Graph) -> Iterator[str]:
    """A flowchart that renders in a pull request."""
    ids = {name: f"n{at}" for at, name in enumerate(graph.vertices)}
    yield "flowchart LR"
    for name, vertex in graph.vertices.items():
        shape = f'["{name}"]' if isinstance(vertex, Node) else f'(["{name}"])'
        yield f"  {ids[name]}{shape}"
    for source, target, _, order in _drawn(graph):
        yield f"  {ids[source]} {'-.->' if order else '-->'} {ids[target]}"


def dot(graph: Graph) -> Iterator[str]:
    """For Graphviz."""
    yield "digraph zyc {"
    yield "  rankdir=LR; node [shape=box, fontname=sans];"
    for name, vertex in graph.vertices.items():
        kind = vertex.kind if isinstance(vertex, Node) else ""
        yield f'  "{name}" [label="{name}{chr(92) + "n" + kind if kind else ""}"{"" if kind else ", style=rounded"}];'
    for source, target, field, order in _drawn(graph):
        yield f'  "{source}" -> "{target}" [tooltip="{field}"{", style=dashed" if order else ""}];'
    yield "}"


def as_data(graph: Graph) -> dict[str, object]:
    """Nodes and edges."""
    nodes = [
        {
            "name": name,
            "kind": vertex.kind if isinstance(vertex, Node) else type(vertex).__name__.lower(),
            "file": vertex.span.file,
            "line": vertex.span.line,
        }
        for name, vertex in graph.vertices.items()
    ]
    return {
        "nodes": nodes,
        "edges": [
            {"from": source, "to": target, "field": field, "order": order} for source, target, field, order in edges(graph)
        ],
    }
