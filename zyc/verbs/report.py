"""`zyc report`: the graph with all that was measured of it as one page, and what training looked like beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

import click

from zyc.front import Call, Front
from zyc.graph import Node
from zyc.keeping.traces import Trace
from zyc.place.project import slug
from zyc.report.training import Entry, filled
from zyc.verbs import App, nodes, on_a_graph

_LARGEST = 50_000_000  # bytes of a page or picture


@click.command("report")
@nodes()
@on_a_graph
def command(app: App, call: Call) -> int:
    """Write a page of the graph, and a page for each node of it that trained: artifacts/report/index.html leads to them.

    It says what the graph is and whether it may be shipped; draws it, with what each hop lost; shows the ledger, predicted
    beside measured, training, exams with every wrong answer, the data, and how to have exactly this again. Each page needs
    nothing else: no server, no network; it prints well.

    \b
    zyc report
    zyc report page
    zyc report --twin
    """
    front = app.open(call)
    graph = front.graph  # what is wrong with a node is told before its proofs are added to it
    if call.select:
        proofs = (f"{name}.proof" for name in graph.vertices)
        names = sorted({*front.selection.names, *(name for name in proofs if name in front.compiled.graph.vertices)})
        front = app.open(replace(call, select=tuple(names)))
    app.acted = True
    top = front.project.artifacts / "report" / ("twin" if call.twin else "")
    front.world.make_folder(top)
    written = [_written(front, node, trace) for node, trace in _kept(front)]
    entries = [each for each in written if each is not None]
    shown = os.path.relpath(top, front.project.root)
    pages = {each.node: f"{each.place}/index.html" for each in entries}
    front.world.write(top / "index.html", _page(front, call, pages))
    if app.json:
        told = [{"node": each.node, "page": f"{shown}/{each.place}/index.html", "picture": each.drawn} for each in entries]
        app.console.json({"index": f"{shown}/index.html", "reports": told})
    else:
        for each in entries:
            app.console.print(f"  {each.node}  {shown}/{each.place}/index.html")
        app.console.print(
            f"the graph, with {len(entries)} report{'' if len(entries) == 1 else 's'} of training: {shown}/index.html"
        )
    app.close()
    return 0


def _page(front: Front, call: Call, pages: Mapping[str, str]) -> str:
    from zyc.report.pages.facts import Page  # with what draws it: slow to import
    from zyc.report.pages.writing import page

    return page(Page(front, pages, call.select).facts())


def _kept(front: Front) -> Iterator[tuple[Node, Trace]]:
    """The nodes of the call that are kept."""
    for node in front.plan.graph.nodes():
        key = front.plan.decisions[node.name].key
        trace = front.read_trace(key) if key else None
        if trace is not None:
            yield node, trace


def _written(front: Front, node: Node, trace: Trace) -> Entry | None:
    """The report of one node, where its step left one; what was accepted has that of the key that was built."""
    world = front.world
    for key in (trace.key, trace.accepted):
        home = front.project.step(key) / "report"
        seen = world.stat(home / "index.html") if key else None
        if seen is None or seen.kind != "file" or seen.size > _LARGEST:
            continue
        place = slug(node.name)
        target = front.project.artifacts / "report" / ("twin" if front.call.twin else "") / place
        world.make_folder(target)
        page = world.read(home / "index.html").decode("utf-8", "replace")
        world.write(target / "index.html", filled(page, node.name, trace, twin=front.call.twin))
        picture = world.stat(home / "loss.png")
        drawn = picture is not None and picture.kind == "file" and picture.size <= _LARGEST
        if drawn:
            world.write(target / "loss.png", world.read(home / "loss.png"))
        return Entry(node.name, place, trace, drawn)
    return None
