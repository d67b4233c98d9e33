"""`zyc report`: what the runs of training nodes looked like, as pages."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from zyc.errors import ZycError, problem
from zyc.front import Call, Front
from zyc.graph import Node
from zyc.project import slug
from zyc.report.training import Entry, filled, index
from zyc.traces import Trace
from zyc.verbs import App, nodes, on_a_graph

_LARGEST = 50_000_000  # bytes of a page or picture


@click.command("report")
@nodes()
@on_a_graph
def command(app: App, call: Call) -> int:
    """Collect the reports that training nodes left: a page each, a picture of the loss, and an index that lists them.

    They are written to artifacts/report/. A page needs nothing else: no server, no network; it prints well.

    \b
    zyc report
    zyc report --twin
    """
    front = app.open(call)
    app.acted = True
    top = front.project.artifacts / "report" / ("twin" if call.twin else "")
    written = [_written(front, node, trace) for node, trace in _kept(front)]
    entries = [each for each in written if each is not None]
    if not entries and call.select:
        raise ZycError(problem("no-report", nodes=" ".join(call.select)))
    front.world.make_folder(top)
    front.world.write(top / "index.html", index(entries, twin=call.twin))
    shown = os.path.relpath(top, front.project.root)
    if app.json:
        told = [{"node": each.node, "page": f"{shown}/{each.place}/index.html", "picture": each.drawn} for each in entries]
        app.console.json({"index": f"{shown}/index.html", "reports": told})
    else:
        for each in entries:
            app.console.print(f"  {each.node}  {shown}/{each.place}/index.html")
        app.console.print(f"{len(entries)} report{'' if len(entries) == 1 else 's'}: {shown}/index.html")
    app.close()
    return 0


def _kept(front: Front) -> Iterator[tuple[Node, Trace]]:
    """The nodes of the call that are kept."""
    for node in front.plan.graph.nodes():
        key = front.plan.decisions[node.name].key
        trace = front.read_trace(key) if node.name in front.selection.names and key else None
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
