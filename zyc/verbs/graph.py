"""`zyc graph`: the graph as a picture."""

from __future__ import annotations

import click

from zyc.front import Call
from zyc.report import graph as report
from zyc.verbs import App, nodes, on_a_graph


@click.command("graph")
@nodes()
@click.option("--format", "form", type=click.Choice(["tree", "mermaid", "dot", "json"]), default="tree", help="How to draw it.")
@click.option("--all", "every", is_flag=True, help="Draw proofs, too.")
@on_a_graph
def command(app: App, call: Call, *, form: str, every: bool) -> int:
    """Draw the graph: results at the top of the tree, what they need below.

    \b
    zyc graph page
    zyc graph specs/ --format mermaid
    zyc graph specs/ --format dot | dot -Tsvg > graph.svg
    """
    form = "json" if app.json else form
    app.json = form == "json"
    front = app.open(call)
    graph = report.shown(front.graph, list(front.graph.vertices), every=every)
    if form == "json":
        app.console.json(report.as_data(graph))
    else:
        lines = (
            report.tree(app.console, graph)
            if form == "tree"
            else report.mermaid(graph)
            if form == "mermaid"
            else report.dot(graph)
        )
        app.console.print("\n".join(lines))
    app.close()
    return 0
