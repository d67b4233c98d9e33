"""`zyc graph`: the graph as a picture."""

from __future__ import annotations

import click

from zyc.report import graph as report
from zyc.verbs import App, call_of, graph_options, nodes


@click.command("graph")
@nodes()
@graph_options
@click.option("--format", "form", type=click.Choice(["tree", "mermaid", "dot", "json"]), default="tree", help="How to draw it.")
@click.option("--all", "every", is_flag=True, help="Draw proofs, too.")
@click.pass_obj
def command(app: App, select, exclude, profile, sets, twin, as_json, form, every) -> int:  # type: ignore[no-untyped-def]  # noqa: ANN001, PLR0913
    """Draw the graph: results at the top of the tree, what they need below.

    \b
    zyc graph page
    zyc graph specs/ --format mermaid
    zyc graph specs/ --format dot | dot -Tsvg > graph.svg
    """
    form = "json" if as_json else form
    front = app.open(call_of(select, exclude, profile, sets, twin=twin), json=form == "json")
    graph = report.shown(front.graph, list(front.graph.vertices), every=every)
    if form == "json":
        app.console.json(report.as_data(graph))
    else:
        draw = {
            "tree": lambda: report.tree(app.console, graph),
            "mermaid": lambda: report.mermaid(graph),
            "dot": lambda: report.dot(graph),
        }[form]
        app.console.print("\n".join(draw()))
    app.close()
    return 0
