"""Two revisions of the specs side by side: which nodes change, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zyc.digest import changes, of_text
from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.gates import Interval
from zyc.graph import Choice, Cluster, Graph, Node
from zyc.report.console import Console, safe
from zyc.report.forms import cell
from zyc.report.rows import span_of_time
from zyc.revision import at_revision
from zyc.settle import Settlement
from zyc.why import apart, reason_of, recipe_fields

_BRIEF = 22  # letters of a value: with its place it fits into a line


@dataclass(frozen=True, slots=True)
class Difference:
    """One node that is not what it was."""

    node: str
    before: str
    after: str
    because: str
    family: str = ""
    seconds: Interval | None = None


def tell(console: Console, front: Front, revision: str, *, form: str) -> bool:
    """Print the differences; whether anything would run."""
    found = differences(front, revision)
    if form == "json":
        console.json({"against": revision, "nodes": [_data(each) for each in found]})
    elif not found:
        console.print(f"No node differs from `{revision}`." if form == "markdown" else f"no node differs from {revision}")
    elif form == "markdown":
        console.print("\n".join(_markdown(_rows(found))))
    else:
        colours = {"run": "green", "maybe": "yellow", "gone": "red"}
        rows = [(*row[:2], console.paint(row[2], colours[row[2]]), *row[3:]) for row in _rows(found)]
        console.table(rows, head=("node", "before", "after", "because", "time"), flexible=3, right=(4,))
        counts = {after: sum(1 for each in found if each.after == after) for after in colours}
        console.print()
        console.say(" · ".join(f"{count:,} {after}" for after, count in counts.items() if count))
    return any(each.after != "gone" for each in found)


def _data(each: Difference) -> dict[str, object]:
    seconds = None if each.seconds is None else {"low": each.seconds.low, "high": each.seconds.high}
    return {"node": each.node, "before": each.before, "after": each.after, "because": each.because, "seconds": seconds}


def _rows(found: list[Difference]) -> list[tuple[str, ...]]:
    """Members of a family that moved alike share a line."""
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for each in found:
        groups.setdefault((each.family or each.node, each.before, each.after, each.because), []).append(each)
    told: list[tuple[str, ...]] = []
    for (name, before, after, because), group in groups.items():
        label = group[0].node if len(group) == 1 else f"{name}[{len(group)}]"
        known = [each.seconds for each in group if each.seconds is not None]
        time = span_of_time(Interval(sum(each.low for each in known), sum(each.high for each in known))) if known else ""
        told.append((label, before or "-", after, because, time))
    return told


def _markdown(rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield "| node | before | after | because |"
    yield "|---|---|---|---|"
    for node, before, after, because, time in rows:
        bold = f"**{after}**" if after == "run" else after
        yield f"| {cell(node)} | {before} | {f'{bold} {time}'.strip()} | {cell(because)} |"


def _identities(graph: Graph, settlement: Settlement) -> dict[str, str]:
    """A digest of each vertex with all that it stands on; names are in none, so what is only renamed keeps its own."""
    told: dict[str, str] = {}
    for name, vertex in graph.vertices.items():
        sources = sorted((edge.field, told[edge.source]) for edge in vertex.edges if not edge.order or isinstance(vertex, Choice))
        if isinstance(vertex, Node):
            own: object = (settlement.nodes[name].own, vertex.kind)
        else:
            own = (vertex.measure, vertex.largest) if isinstance(vertex, Choice) else ()
        told[name] = of_text(repr((own, sources)))
    return told


def differences(front: Front, revision: str) -> list[Difference]:
    """What a build of today's specs would do after a build of the revision's."""
    now = front.settlement
    past_front = at_revision(front, revision)
    try:
        past = past_front.settlement
    except ZycError as error:
        broken = [
            replace(each, spans=tuple(span._replace(file=f"{revision}:{span.file}") for span in each.spans))
            for each in error.problems
        ]
        raise ZycError([problem("broken-revision", revision=revision), *broken]) from None
    identities = _identities(front.graph, now)
    known = _identities(past_front.graph, past)
    there, here = {*known.values()}, {*identities.values()}
    moved: dict[str, str] = {}  # vertex -> the node at whose change it moved
    told: list[Difference] = []
    for name, vertex in front.graph.vertices.items():
        if identities[name] in there:
            continue
        through = next((edge.source for edge in vertex.edges if edge.source in moved), "")
        moved[name] = moved.get(through, name)
        if isinstance(vertex, Cluster | Choice):
            continue
        before = past_front.graph.vertices.get(name)
        seconds = now.nodes[name].estimate.seconds
        if not isinstance(before, Node):
            moved[name] = name
            told.append(Difference(name, "", "run", "new", vertex.family, seconds))
        elif now.nodes[name].own != past.nodes[name].own or _edges(vertex) != _edges(before):
            moved[name] = name
            told.append(Difference(name, "keep", "run", _because(front, vertex, past_front, before), vertex.family, seconds))
        else:
            root = front.graph.vertices[moved[name]]
            words = f"only if `{(root.family if isinstance(root, Node) else '') or root.name}` changes"
            told.append(Difference(name, "keep", "maybe", words, vertex.family, seconds))
    gone = [node for node in past_front.graph.nodes() if node.name not in front.compiled.graph.vertices]
    gone = [node for node in gone if known[node.name] not in here]
    return [*told, *(Difference(node.name, "keep", "gone", "no spec declares it any more", node.family) for node in gone)]


def _edges(node: Node) -> list[tuple[str, str]]:
    return [(edge.field, edge.source) for edge in node.edges if not edge.order]


def _because(front: Front, node: Node, past_front: Front, before: Node) -> str:
    words = []
    old, new = recipe_fields(before, past_front.settlement.known), recipe_fields(node, front.settlement.known)
    for path in [*new, *(path for path in old if path not in new)]:
        if old.get(path) != new.get(path):
            line = _line(front, node, path)
            one, other = apart(old.get(path, "-"), new.get(path, "-"), _BRIEF)
            words.append(f"`{path}` {one} -> {other}" + (f" ({line})" if line else ""))
    for change in changes(past_front.settlement.nodes[before.name].own, front.settlement.nodes[node.name].own):
        if not change.label.startswith("recipe/") or not words:
            words.append(str(reason_of(node, change)))
    for label, source in _edges(node):
        if (label, source) not in _edges(before):
            words.append(f"`{label}` is `{source}` now")
    return safe(", ".join(words[:3])) + (f" and {len(words) - 3} more" if len(words) > 3 else "") if words else "it changed"


def _line(front: Front, node: Node, path: str) -> str:
    declared = front.compiled.declared.get(node.owner or node.family or node.name)
    if declared is None or node.inserted:
        return ""
    span = declared.at(path)
    return f"{span.file.rsplit('/', 1)[-1]}:{span.line}"
