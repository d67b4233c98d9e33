"""`zyc check`: the specs only; what CI runs when a spec changes."""

from __future__ import annotations

import os

import click

from zyc.errors import ZycError
from zyc.front import Call, Front
from zyc.report import problems
from zyc.verbs import App, nodes, on_a_graph


@click.command("check")
@nodes()
@click.option(
    "--format", "form", type=click.Choice(["text", "github", "json"]), default="text", help="`github` annotates a pull request."
)
@on_a_graph
def command(app: App, call: Call, *, form: str) -> int:
    """Check the specs: every field, reference, type, licence and input file. Nothing is built, no store is read.

    \b
    zyc check
    zyc check specs/hello.yml
    zyc check --format github        in a workflow: marks the lines of a pull request
    """
    form = "json" if app.json else form
    app.json = form == "json"
    front = app.open(call)
    front.glance = True
    below = _below(front)
    try:
        count = sum(1 for node in front.settlement.graph.nodes() if not node.inserted)
    except ZycError as error:
        if form != "github":
            raise
        # workflow commands are read from either stream; people read the same problems below them
        for each in error.problems:
            app.console.print(problems.as_annotation(each, below=below))
        return problems.tell(app.console, app.files(), error.problems)
    files = len({node.span.file for node in front.graph.nodes()})
    if form == "json":
        app.console.json(
            {"errors": [], "warnings": [problems.as_data(each) for each in front.warnings], "nodes": count, "files": files}
        )
    else:
        if form == "github":
            for each in front.warnings:
                app.console.print(problems.as_annotation(each, "warning", below=below))
        counted = f"{count:,} node{'' if count == 1 else 's'} in {files:,} file{'' if files == 1 else 's'}"
        app.console.print(f"{app.console.paint('✓', 'green')} {counted}: nothing wrong{_warned(front)}")
    app.close()
    return os.EX_OK


_OWN = ("objection", "licence-conditions")  # what is better known of these specs themselves


def _warned(front: Front) -> str:
    own = sum(each.code in _OWN for each in front.warnings)
    count = len(front.warnings) - own
    told = f"; {own:,} warning{'' if own == 1 else 's'}" if own else ""
    return f"{told} here; {count:,} warning{'' if count == 1 else 's'} of other specs" if count else told


def _below(front: Front) -> str:
    """The way from the top of the repository to the project, as annotations want it."""
    root = front.project.root
    top = next((folder for folder in (root, *root.parents) if front.world.exists(folder / ".git")), root)
    return "".join(f"{part}/" for part in root.relative_to(top).parts)
