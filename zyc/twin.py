"""The twin: the same graph at toy size, as a pure rewrite."""

from __future__ import annotations

from dataclasses import replace

from zyc import kinds
from zyc.compile.validate import shape_of
from zyc.graph import Graph, Node, Vertex
from zyc.kind import Kind, Spec


def rehearsal(graph: Graph) -> Graph:
    """Every node as its kind would have it in a rehearsal; edges stay as they are."""
    vertices: dict[str, Vertex] = {}
    for name, vertex in graph.vertices.items():
        vertices[name] = _small(vertex) if isinstance(vertex, Node) else vertex
    return replace(graph, vertices=vertices)


def _small(node: Node) -> Node:
    kind = kinds.load(node.kind)
    if type(kind).twin is Kind.twin:
        return node  # no rule of its own: the same at any size
    spec = node.spec
    small = kind.twin(spec)
    if small == spec:
        return node
    shape = shape_of(kind, small)
    kept = node.shape._replace(needs=shape.needs, resumes=shape.resumes, placement=shape.placement)
    return node._replace(shape=kept, load=_constant(small), digest="")


def _constant(spec: Spec):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return lambda: spec
