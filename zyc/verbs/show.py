"""`zyc show`: one node, with all that is known of it."""

from __future__ import annotations

import os

import click

from zyc.errors import ZycError, guess, problem
from zyc.front import Call, Front
from zyc.graph import Node
from zyc.keeping.traces import Trace
from zyc.planning import offers
from zyc.planning.plan import Decision
from zyc.planning.why import overlooked, recipe_fields
from zyc.quantity import in_bytes, in_number, in_time
from zyc.report import devices
from zyc.report import plan as report
from zyc.report.console import Console, moment, safe
from zyc.report.rows import briefly, elsewhere
from zyc.verbs import App, on_a_graph, one_node


@click.command("show")
@one_node()
@click.option("--file", "file", metavar="PATH", help="Print one rendered file, such as `recipe/command.sh`.")
@on_a_graph
def command(app: App, call: Call, *, file: str | None) -> int:
    """Show one node: fields, inputs, rendered files, measures, gates, where its artifact is.

    \b
    zyc show page
    zyc show page --file recipe/command.sh
    """
    front = app.open(call)
    plan = front.plan
    names = [each.name for each in plan.graph.nodes() if each.name in front.selection.names]
    told = []
    for at, name in enumerate(names):
        vertex = plan.graph.vertices[name]
        assert isinstance(vertex, Node)
        if file is not None:
            _file(app.console, front, vertex, file)
        elif app.json:
            told.append(_data(front, vertex, plan.decisions[name]))
        else:
            if at:
                app.console.print()
            _print(app.console, front, vertex, plan.decisions[name])
    if told:
        app.console.json(told if len(told) > 1 else told[0])
    app.close()
    return 0


def _file(console: Console, front: Front, node: Node, name: str) -> None:
    files = front.settlement.rendered(node).files()
    if name not in files:
        raise ZycError(problem("no-selection", text=name, hint=guess(name, files)))
    console.exact(files[name].rstrip("\n"))


def _print(console: Console, front: Front, node: Node, decision: Decision) -> None:
    state = console.paint(decision.state.value, report.COLOURS[decision.state])
    place = console.paint(f"{node.span.file}:{node.span.line}", "dim")
    console.say(f"{console.paint(node.name, 'bold')}  {node.kind}  {state}  {place}")
    if node.shape.about:
        console.say(safe(node.shape.about), indent=2)
    readers = front.compiled.graph.readers()[node.name]
    trace = front.read_trace(decision.key) if decision.key else None
    link = front.project.link(node.name, twin=front.call.twin)
    where = os.path.relpath(link, front.project.root) if decision.tree and front.world.exists(link) else ""
    sections: list[tuple[str, list[tuple[str, ...]]]] = [
        ("fields", [(path, _flat(text)) for path, text in recipe_fields(node, front.settlement.known).items()]),
        ("placement", [(name, _plain(value)) for name, value in node.shape.placement if value is not None]),
        ("inputs", [(edge.field, edge.source, "order" if edge.order else "") for edge in node.edges]),
        ("read by", [(name,) for name in dict.fromkeys(readers)]),
        ("files", [(name, in_bytes(len(text.encode()))) for name, text in front.settlement.rendered(node).files().items()]),
        ("expected", devices.beforehand(front.plan, decision) if trace is None else devices.beside(trace)),
        ("measures", [(name, in_number(value)) for name, value in sorted(trace.measures.items())] if trace else []),
        ("gates", [(str(each.gate), each.verdict.value, briefly(each)) for each in decision.gates]),
        ("built", _built(decision, trace, where)),
        ("accepted", _accepted(front, node.name)),
        ("adopted", _adopted(front, node.name)),
    ]
    for title, rows in sections:
        if rows:
            console.print(console.paint(f"  {title}", "cyan"))
            console.table(rows, indent=4, flexible=1)


def _built(decision: Decision, trace: Trace | None, where: str) -> list[tuple[str, ...]]:
    rows = [("key", (decision.key or "")[:24]), ("tree", (decision.tree or "")[:24]), ("at", where)]
    if trace is not None:
        rows += [("took", in_time(trace.seconds)), ("when", moment(trace.started))]
    return [row for row in rows if row[1]]


def _accepted(front: Front, name: str) -> list[tuple[str, ...]]:
    """What rests on somebody's word: that an older output will do."""
    told: list[tuple[str, ...]] = []
    for each in front.plan.lineage[name]:
        although = "; ".join(str(reason) for reason in overlooked(front.plan, each, front.read_trace))
        told.append((each, f"although {safe(although)}" if although else ""))
    return told


def _adopted(front: Front, name: str) -> list[tuple[str, ...]]:
    """What was not built here, but taken in: each with where it was made."""
    told: list[tuple[str, ...]] = []
    for each in front.plan.made_elsewhere[name]:
        trace = front.read_trace(front.plan.decisions[each].key or "")
        told.append((each, f"on {moment(trace.adopted)} · {elsewhere(trace)}" if trace is not None else ""))
    return told


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(text: str) -> str:
    return safe(text.strip().replace("\n", " ⏎ "))


def _data(front: Front, node: Node, decision: Decision) -> dict[str, object]:
    trace = front.read_trace(decision.key) if decision.key else None
    return {
        "name": node.name,
        "kind": node.kind,
        "plan": decision.state.value,
        "file": node.span.file,
        "line": node.span.line,
        "about": node.shape.about,
        "fields": recipe_fields(node, front.settlement.known),
        "placement": dict(node.shape.placement),
        "inputs": [{"field": edge.field, "from": edge.source, "order": edge.order} for edge in node.edges],
        "readers": list(dict.fromkeys(front.compiled.graph.readers()[node.name])),
        "files": sorted(front.settlement.rendered(node).files()),
        "measures": dict(trace.measures) if trace else {},
        "predicted": dict(trace.predicted) if trace else offers.predicted(decision.thought),
        "took": {"seconds": trace.seconds, "memory": trace.peak_memory, "bytes": trace.bytes} if trace else None,
        "gates": [{"gate": str(each.gate), "verdict": each.verdict.value, "text": each.text} for each in decision.gates],
        "key": decision.key,
        "tree": decision.tree,
        "accepted": front.plan.accepted(node.name) or None,
        "stands_on_accepted": [name for name in front.plan.lineage[node.name] if name != node.name],
        "elsewhere": dict(trace.environment) if trace and trace.adopted else None,
        "adopted": front.plan.adopted(node.name) or None,
        "stands_on_adopted": [name for name in front.plan.made_elsewhere[node.name] if name != node.name],
    }
