"""Two revisions of the specs side by side: which nodes change, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zyc.digest import changes
from zyc.errors import ZycError, problem
from zyc.front import Front
from zyc.graph import Choice, Cluster, Node
from zyc.report.console import Console
from zyc.report.plan import cell
from zyc.revision import at_revision
from zyc.why import recipe_fields


@dataclass(frozen=True, slots=True)
class Difference:
    """One node that is not what it was."""

    node: str
    before: str
    after: str
    because: str


def tell(console: Console, front: Front, revision: str, *, form: str) -> bool:
    """Print the differences; whether there are any."""
    found = differences(front, revision)
    if form == "json":
        console.json({"against": revision, "nodes": [{name: getattr(each, name) for name in each.__slots__} for each in found]})
    elif form == "markdown":
        console.print(_markdown(found, revision))
    elif not found:
        console.print(f"no node differs from {revision}")
    else:
        colours = {"run": "green", "maybe": "yellow", "gone": "red"}
        rows = [(each.node, each.before, console.paint(each.after, colours[each.after]), each.because) for each in found]
        console.table(rows, head=("node", "before", "after", "because"), flexible=3)
    return bool(found)


def _markdown(found: list[Difference], revision: str) -> str:
    if not found:
        return f"No node differs from `{revision}`."
    lines = ["| node | before | after | because |", "|---|---|---|---|"]
    for each in found:
        after = f"**{each.after}**" if each.after == "run" else each.after
        lines.append(f"| {cell(each.node)} | {each.before or '-'} | {after} | {cell(each.because)} |")
    return "\n".join(lines)


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
    moved: dict[str, str] = {}  # vertex -> the node at whose change it moved
    told: list[Difference] = []
    for name, vertex in front.graph.vertices.items():
        through = next(
            (edge.source for edge in vertex.edges if edge.source in moved and not (edge.order and isinstance(vertex, Node))), None
        )
        if isinstance(vertex, Cluster | Choice):
            if through is not None or name not in past_front.graph.vertices:
                moved[name] = moved.get(through or "", name)
            continue
        before = past_front.graph.vertices.get(name)
        if not isinstance(before, Node):
            moved[name] = name
            told.append(Difference(name, "", "run", "new"))
        elif now.nodes[name].own != past.nodes[name].own or _edges(vertex) != _edges(before):
            moved[name] = name
            told.append(Difference(name, "keep", "run", _because(front, vertex, past_front, before)))
        elif through is not None:
            moved[name] = moved[through]
            told.append(Difference(name, "keep", "maybe", f"only if `{moved[through]}` changes its tree"))
    gone = [each.name for each in past_front.graph.nodes() if each.name not in front.compiled.graph.vertices]
    return [*told, *(Difference(name, "keep", "gone", "no spec declares it any more") for name in gone)]


def _edges(node: Node) -> list[tuple[str, str]]:
    return [(edge.field, edge.source) for edge in node.edges if not edge.order]


def _because(front: Front, node: Node, past_front: Front, before: Node) -> str:
    words = []
    old, new = recipe_fields(before, past_front.settlement.known), recipe_fields(node, front.settlement.known)
    for path in [*new, *(path for path in old if path not in new)]:
        if old.get(path) != new.get(path):
            line = _line(front, node, path)
            words.append(
                f"`{path}` {_short(old.get(path, '-'))} -> {_short(new.get(path, '-'))}" + (f" ({line})" if line else "")
            )
    lines = changes(past_front.settlement.nodes[before.name].own, front.settlement.nodes[node.name].own)
    for change in lines:
        if change.label.startswith("in/"):
            words.append(f"the file at `{change.label}` changed")
        elif change.label.startswith("pin/"):
            words.append(f"the pin of `{change.label[4:]}` {change.before or '-'} -> {change.after or '-'}")
        elif change.label.startswith("recipe/") and not words:
            words.append(f"`{change.label}` is written differently")
    for label, source in _edges(node):
        if (label, source) not in _edges(before):
            words.append(f"`{label}` is `{source}` now")
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "") if words else "it changed"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else flat[:39] + "…"


def _line(front: Front, node: Node, path: str) -> str:
    declared = front.compiled.declared.get(node.owner or node.family or node.name)
    if declared is None or node.inserted:
        return ""
    span = declared.at(path)
    return f"{span.file.rsplit('/', 1)[-1]}:{span.line}"
