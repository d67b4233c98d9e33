"""`zyc ls`: the nodes, by name, kind, file, tag or state."""

from __future__ import annotations

import click

from zyc.front import Call
from zyc.graph import Node
from zyc.report import plan as report
from zyc.verbs import App, nodes, on_a_graph


@click.command("ls")
@nodes()
@click.option("--all", "every", is_flag=True, help="Show what the compiler inserted, too.")
@click.option("--long", "-l", "long", is_flag=True, help="Show kind, state and place of each.")
@on_a_graph
def command(app: App, call: Call, *, every: bool, long: bool) -> int:
    """List nodes: a table on a terminal, one name a line in a pipe.

    \b
    zyc ls
    zyc ls kind:step,state:changed
    zyc ls +page                     page and all that it needs
    zyc ls 'train@*' --exclude tag:draft
    """
    front = app.open(call)
    names = front.selection.names
    found = [
        node
        for node in front.compiled.graph.nodes()
        if node.name in names and (every or not node.inserted or node.name in front.selection.explicit)
    ]
    if app.json:
        plan = front.plan
        app.console.json([{**_data(node), "plan": plan.decisions[node.name].state.value} for node in found])
    elif long or app.console.live:
        plan = front.plan
        console = app.console
        rows = [
            _row(node, console.paint(plan.decisions[node.name].state.value, report.COLOURS[plan.decisions[node.name].state]))
            for node in found
        ]
        console.table(rows, indent=0, flexible=4, spare=(4, 1))
    else:
        for node in found:
            app.console.print(node.name)
    app.close()
    return 0


def _row(node: Node, state: str) -> tuple[str, ...]:
    return (node.name, node.kind, state, str(node.span.file) + f":{node.span.line}", node.shape.about)


def _data(node: Node) -> dict[str, object]:
    return {
        "name": node.name, "kind": node.kind, "file": node.span.file, "line": node.span.line, "about": node.shape.about,
        "tags": list(node.shape.tags), "family": node.family, "coordinates": dict(node.coordinates), "owner": node.owner,
    }  # fmt: skip
