"""All that a node stands on, as its card and its bill of materials tell it: no name of a node, no place, no time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from zyc.graph import Choice, Cluster, Graph, Node, reach
from zyc.kind import GATES, NOTES, PLACEMENT, Ancestor, FileNeed, HubNeed
from zyc.planning.digest import of_text
from zyc.planning.known import Known
from zyc.types import Artifact, facts_of

LENGTH = 16  # characters of an id


def lineage(
    graph: Graph, node: Node, facts: Mapping[str, Artifact], own: Mapping[str, str], known: Known
) -> tuple[tuple[Ancestor, ...], tuple[tuple[str, str], ...]]:
    """The nodes whose artifacts reach this one, inputs first, and which of them each field takes; `own` are digests."""
    cone = reach([node.name], lambda name: (edge.source for edge in graph.vertices[name].edges if not edge.order), None)
    told: dict[str, Ancestor] = {}
    for name, vertex in graph.vertices.items():
        if name in cone and isinstance(vertex, Node) and name != node.name:
            inputs = tuple((field, told[source].id) for field, source in _inputs(graph, vertex))
            id_ = of_text(json.dumps([own[name], inputs]))[:LENGTH]
            told[name] = Ancestor(id_, vertex.kind, _settings(vertex), _plain(facts[name]), _sources(vertex, known), inputs)
    return tuple(told.values()), tuple((field, told[source].id) for field, source in _inputs(graph, node))


def _inputs(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Field -> node, with families and choices opened."""
    for edge in node.edges:
        if not edge.order:
            yield from ((edge.field, each) for each in _nodes(graph, edge.source))


def _nodes(graph: Graph, name: str) -> Iterator[str]:
    vertex = graph.vertices[name]
    if isinstance(vertex, Node):
        yield name
    elif isinstance(vertex, Cluster):
        for edge in vertex.members:
            yield from _nodes(graph, edge.source)
    elif isinstance(vertex, Choice):
        for _, source in vertex.takes:
            yield from _nodes(graph, source)


def _settings(node: Node) -> str:
    """The fields that were written, as JSON; `inputs` tells what names another node, `sources` what names a file."""
    apart = {*NOTES, *GATES, *PLACEMENT}
    told = node.spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=apart)
    for field in (*(edge.field for edge in node.edges), *(need.field for need in node.shape.needs if isinstance(need, FileNeed))):
        _forget(told, field.split("."))
    return json.dumps(_pruned(told), ensure_ascii=False, sort_keys=True)


def _forget(value: Any, path: list[str]) -> None:
    """Take out what stands at a path, if anything does."""
    for part in path[:-1]:
        value = _at(value, part)
    if isinstance(value, dict):
        value.pop(path[-1], None)
    elif isinstance(value, list) and path[-1].isdigit() and int(path[-1]) < len(value):
        value[int(path[-1])] = None


def _at(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[int(part)] if isinstance(value, list) and part.isdigit() and int(part) < len(value) else None


def _pruned(value: Any) -> Any:
    """Without what is empty."""
    if isinstance(value, dict):
        told = {name: _pruned(each) for name, each in value.items()}
        return {name: each for name, each in told.items() if each not in (None, {}, [])}
    if isinstance(value, list):
        return [each for each in map(_pruned, value) if each not in (None, {}, [])]
    return value


def _plain(facts: Artifact) -> tuple[tuple[str, object], ...]:
    """The facts that are known and plain; a model that an artifact carries along is told by its own node."""
    return tuple((name, value) for name, value in facts_of(facts) if isinstance(value, str | int | float))


def _sources(node: Node, known: Known) -> tuple[tuple[str, str], ...]:
    told = []
    for need in node.shape.needs:
        if isinstance(need, HubNeed):
            told.append((need.name, known.hubs[need.name].commit))
        elif isinstance(need, FileNeed) and need.path in known.files:
            told.append((PurePosixPath(need.path).name, known.files[need.path].digest))
    return tuple(told)
