"""`zyc logs`: what the steps of a node said."""

from __future__ import annotations

import os

import click

from zyc.again import beside
from zyc.errors import ZycError, problem
from zyc.front import Call, Front
from zyc.hosts import LOG, earlier_logs, log_name
from zyc.keeping.store import Store
from zyc.verbs import App, on_a_graph, one_node


@click.command("logs")
@one_node()
@click.option("--follow", "-f", is_flag=True, help="Go on until the step ends.")
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="The log of an earlier attempt, 1 being the oldest kept.")
@on_a_graph
def command(app: App, call: Call, *, follow: bool, attempt: int | None) -> int:
    """Print the log of a node's step: of the key that it has now, else of the last one that it had.

    \b
    zyc logs page
    zyc logs page --follow           while it runs, from another terminal
    zyc logs page --attempt 1
    """
    front = app.open(call)
    app.acted = True  # a log grows
    names = [each.name for each in front.plan.graph.nodes() if each.name in front.selection.names]
    told = []
    for name in names:
        key, logs = _logs(front, name)
        home = front.project.step(key)
        if attempt is not None and attempt > len(logs):
            raise ZycError(problem("no-such-log", node=name, number=attempt, count=len(logs)))
        path = home / logs[-1 if attempt is None else attempt - 1]
        text = front.world.read(path)
        where = os.path.relpath(path, front.project.root)
        told.append({"node": name, "log": where, "attempts": len(logs), "text": text.decode("utf-8", "replace")})
        if app.json:
            continue
        if len(names) > 1:
            app.console.print(app.console.paint(f"{name}  {where}", "cyan"))
        _print(app, text)
        if not text.strip() and not follow:
            app.console.note(f"the step of `{name}` said nothing")
        if follow and path.name == LOG:
            _follow(app, front, key, len(text))
    if app.json:
        app.console.json(told if len(told) > 1 else told[0])
    app.close()
    return 0


def _print(app: App, text: bytes) -> None:
    if text.strip():
        app.console.exact(text.decode("utf-8", "replace").rstrip("\n"))


def _logs(front: Front, name: str) -> tuple[str, list[str]]:
    """The key of the newest step of a node that left a log, and its logs, oldest first."""
    keys = [front.plan.decisions[name].key, front.history.last.get(name)]
    for key in dict.fromkeys(each for each in keys if each):
        home = front.project.step(key)
        logs = [log_name(number) for number in earlier_logs(front.world, home)]
        seen = front.world.stat(home / LOG)
        logs += [LOG] if seen is not None and seen.kind == "file" else []  # a step may have made a pipe of it
        if logs:
            return key, logs
    raise ZycError(problem("no-log", node=name, changes=beside(front.call)))


def _follow(app: App, front: Front, key: str, at: int) -> None:
    """What is added, until nobody adds any more: whoever makes a step holds the lock of its key, and so does the step."""
    world, home = front.world.acting(), front.project.step(key)
    store = Store(world, front.project.store)
    living = True
    while living:
        living = store.is_locked(key)
        seen = world.stat(home / LOG)
        if seen is not None and seen.size > at:
            text = world.tail(home / LOG, most=seen.size - at)
            at = seen.size
            _print(app, text)
        elif living:
            world.sleep(0.2)
