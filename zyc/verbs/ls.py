"""`zyc ls`: the nodes, by name, kind, file, tag or state."""

from __future__ import annotations

import click

from zyc.graph import Node
from zyc.report import plan as report
from zyc.verbs import App, call_of, graph_options, nodes


@click.command("ls")
@nodes()
@graph_options
@click.option("--all", "every", is_flag=True, help="Show what the compiler inserted, too.")
@click.option("--long", "-l", "long", is_flag=True, help="Show kind, state and place of each.")
@click.pass_obj
def command(app: App, select, exclude, profile, sets, twin, as_json, every, long) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001, PLR0913
    """List nodes: a table on a terminal, one name a line in a pipe.

    \b
    zyc ls
    zyc ls kind:step,state:changed
    zyc ls +page                     page and all that it needs
    zyc ls 'train@*' --exclude tag:draft
    """
    front = app.open(call_of(select, exclude, profile, sets, twin=twin), json=as_json)
    names = front.selection.names
    found = [
        node
        for node in front.compiled.graph.nodes()
        if node.name in names and (every or not node.inserted or node.name in front.selection.explicit)
    ]
    if as_json:
        plan = front.plan
        app.console.json([{**_data(node), "plan": plan.decisions[node.name].state.value} for node in found])
    elif long or app.console.live:
        plan = front.plan
        console = app.console
        rows = [
            _row(node, console.paint(plan.decisions[node.name].state.value, report.COLOURS[plan.decisions[node.name].state]))
            for node in found
        ]
        console.table(rows, indent=0, flexible=4)
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
