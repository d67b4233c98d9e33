"""`zyc diff`: two kept models tensor by tensor, and the hop at which they parted."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc.forms import comparing, ledger
from zyc.forms.ledger import Reading
from zyc.front import Call, Front
from zyc.report import compared as report
from zyc.verbs import App, on_a_graph


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--all", "every", is_flag=True, help="Every tensor that differs, not only those that differ most.")
@on_a_graph
def command(app: App, call: Call, *, first: str, second: str, every: bool) -> int:
    """Hold two kept models against each other: nodes, or trees of the store by the beginning of their digest.

    Names, shapes, types, largest and mean difference, cosine, share of equal values; configuration, tokenizer and template;
    and the hop of the lineage that changed each tensor. A GGUF is compared with a folder under llama.cpp's names. Anything
    else that is kept is compared file by file.

    \b
    zyc diff page count
    """
    front = _opened(app, call, (first, second))
    app.acted = True
    reading = Reading(front)
    one, two = (comparing.side_of(front, reading, each) for each in (first, second))
    found = comparing.compare(front, one, two, told=app.console.tick)
    app.console.tick("")
    names = (first, second)
    if app.json:
        app.console.json(report.as_data(names, found))
    else:
        report.tell(app.console, names, found, every=every)
    app.close()
    return 0


def _opened(app: App, call: Call, words: tuple[str, str]) -> Front:
    """The front half of a call about those of the two that are nodes, with what they were made of."""
    front = app.open(call)
    known = front.compiled.graph.vertices
    nodes = [each for each in words if each in known or not comparing.tree_like(front, each)]
    front = app.open(replace(call, select=tuple(nodes)))
    if not nodes:
        return front
    _ = front.graph  # a name that nobody has is told here
    wanted = {each for name in front.selection.names for each in ledger.wanted(front, name)}
    return app.open(replace(call, select=tuple(sorted(wanted))))
