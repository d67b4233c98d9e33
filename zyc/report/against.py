"""Two revisions of the specs side by side: which nodes change, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.gates import Interval, Outlook
from zyc.graph import Choice, Cluster, Graph, Node
from zyc.planning import offers
from zyc.planning.digest import changes, of_text
from zyc.planning.settle import Settlement
from zyc.planning.why import apart, card_words, reason_of, recipe_fields, tells_of_lineage
from zyc.quantity import about
from zyc.report.console import Console, safe
from zyc.report.forms import cell
from zyc.report.moved_gates import Moved, moved
from zyc.report.rows import span_of_time
from zyc.revision import at_revision

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
    owner: str = ""
    there: tuple[str, ...] = ()  # how long on each device, and what that costs


def tell(console: Console, front: Front, revision: str, *, form: str, every: bool = False) -> bool:
    """Print the differences; whether anything would run."""
    past_front = _past(front, revision)
    found, bounds = differences(front, past_front), moved(front, past_front)
    listed = found if every else _folded(found)
    if form == "json":
        gates = [{"node": each.node, "before": each.before, "after": each.after, "outlook": each.outlook} for each in bounds]
        console.json({"against": revision, "nodes": [_data(each) for each in found], "gates": gates})
    elif not found and not bounds:
        console.print(f"No node differs from `{revision}`." if form == "markdown" else f"no node differs from {revision}")
    elif form == "markdown":
        console.print("\n".join(_markdown(listed, bounds, _counted(found, listed))))
    else:
        _text(console, listed, bounds, _counted(found, listed))
    return any(each.after != "gone" for each in found)


_COLOURS = {"run": "green", "maybe": "yellow", "gone": "red"}
_MARKS = {Outlook.COULD.value: "✓", Outlook.CANNOT.value: "✗", Outlook.RUNNING.value: "?", "": "-"}


def _folded(found: list[Difference]) -> list[Difference]:
    """Without inserted nodes that only follow their owner."""
    names = {each.node: each.after for each in found}
    return [each for each in found if each.owner not in names or (each.after == "run" and names[each.owner] == "maybe")]


def _counted(found: list[Difference], listed: list[Difference]) -> str:
    counts = {after: sum(1 for each in listed if each.after == after) for after in _COLOURS}
    hidden = len(found) - len(listed)
    words = [f"{count:,} {after}" for after, count in counts.items() if count]
    return " · ".join([*words, *([f"{hidden:,} inserted (`--all` lists them)"] if hidden else [])])


def _text(console: Console, listed: list[Difference], bounds: list[Moved], counts: str) -> None:
    if listed:
        rows = [(*row[:2], console.paint(row[2], _COLOURS[row[2]]), *row[3:]) for row in _rows(listed)]
        console.table(rows, head=("node", "before", "after", "because", "time"), flexible=3, right=(4,))
        console.print()
    if bounds:
        console.print("gates")
        gates = [(_MARKS[each.outlook], each.node, each.before or "-", each.after or "-", each.words) for each in _alike(bounds)]
        console.table(gates, flexible=4)
        console.print()
    console.say(counts or "nothing runs for it")


def _alike(bounds: list[Moved]) -> list[Moved]:
    """Members of a family whose gate moved alike share a line."""
    groups: dict[tuple[str, ...], list[Moved]] = {}
    for each in bounds:
        groups.setdefault((each.family or each.node, each.before, each.after, each.words), []).append(each)
    return [
        replace(group[0], node=f"{group[0].family}[{len(group)}]") if len(group) > 1 else group[0] for group in groups.values()
    ]


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
        if not time and len(group) == 1:
            time = " · ".join(group[0].there)
        told.append((label, before or "-", after, because, time))
    return told


def _markdown(listed: list[Difference], bounds: list[Moved], counts: str) -> Iterator[str]:
    if listed:
        yield "| node | before | after | because |"
        yield "|---|---|---|---|"
        for node, before, after, because, time in _rows(listed):
            bold = f"**{after}**" if after == "run" else after
            yield f"| {cell(node)} | {before} | {f'{bold} {time}'.strip()} | {cell(because)} |"
        yield ""
    if bounds:
        yield "| gate of | before | after | |"
        yield "|---|---|---|---|"
        for each in _alike(bounds):
            words = [f"`{gate}`" if gate else "-" for gate in (each.before, each.after)]
            yield f"| {cell(each.node)} | {words[0]} | {words[1]} | {_MARKS[each.outlook]} {cell(each.words)} |"
        yield ""
    yield f"{counts or 'Nothing runs for it'}."


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


def _past(front: Front, revision: str) -> Front:
    """The same call on the specs of a revision, which have to be right, too."""
    _ = front.settlement  # what is wrong with today's specs is told first
    past_front = at_revision(front, revision)
    try:
        _ = past_front.settlement
    except ZycError as error:
        broken = [
            replace(each, spans=tuple(span._replace(file=f"{revision}:{span.file}") for span in each.spans))
            for each in error.problems
        ]
        raise ZycError([problem("broken-revision", revision=revision), *broken]) from None
    return past_front


def differences(front: Front, past_front: Front) -> list[Difference]:
    """What a build of today's specs would do after a build of the revision's."""
    now, past = front.settlement, past_front.settlement
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
        what = Difference(name, "keep", "run", "", vertex.family, now.nodes[name].estimate.seconds, vertex.owner)
        what = replace(what, there=_there(front, vertex))
        if not isinstance(before, Node):
            moved[name] = name
            told.append(replace(what, before="", because="new"))
        elif now.nodes[name].own != past.nodes[name].own or _edges(vertex) != _edges(before):
            moved[name] = name
            told.append(replace(what, because=_because(front, vertex, past_front, before)))
        else:
            root = front.graph.vertices[moved[name]]
            words = f"only if `{(root.family if isinstance(root, Node) else '') or root.name}` changes"
            told.append(replace(what, after="maybe", because=words))
    gone = [node for node in past_front.graph.nodes() if node.name not in front.compiled.graph.vertices]
    gone = [node for node in gone if known[node.name] not in here]
    return [
        *told,
        *(Difference(node.name, "keep", "gone", "no spec declares it any more", node.family, owner=node.owner) for node in gone),
    ]


def _there(front: Front, node: Node) -> tuple[str, ...]:
    """`A100 40 3 min ≈ $0.06`, for each device that holds it."""
    machine, estimate = front.settlement.known.machine, front.settlement.nodes[node.name].estimate
    devices = {each.name: each for each in (*offers.shown(machine), *offers.wanted(machine, dict(node.shape.placement)))}
    told = (offers.offer(estimate, device, machine) for device in devices.values())
    return tuple(
        f"{each.device.says} {about(each.seconds)}" + (f" ≈ ${each.cost:.2f}" if each.cost >= 0.005 else "")
        for each in told
        if each is not None and each.fits and each.seconds
    )


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
    found = changes(past_front.settlement.nodes[before.name].own, front.settlement.nodes[node.name].own)
    if any(tells_of_lineage(node, change.label) for change in found):
        words.append(card_words(front.graph, node, lambda name: _is_other(front, name, past_front)))
    for change in found:
        if not change.label.startswith("recipe/") or not words:
            words.append(str(reason_of(node, change)))
    for label, source in _edges(node):
        if (label, source) not in _edges(before):
            words.append(f"`{label}` is `{source}` now")
    return safe(", ".join(words[:3])) + (f" and {len(words) - 3} more" if len(words) > 3 else "") if words else "it changed"


def _is_other(front: Front, name: str, past_front: Front) -> bool:
    """Whether a node is not what it was, whatever it stands on."""
    now, past = front.settlement.nodes[name], past_front.settlement.nodes.get(name)
    return past is None or now.own != past.own


def _line(front: Front, node: Node, path: str) -> str:
    declared = front.compiled.declared.get(node.owner or node.family or node.name)
    if declared is None or node.inserted:
        return ""
    span = declared.at(path)
    return f"{span.file.rsplit('/', 1)[-1]}:{span.line}"
