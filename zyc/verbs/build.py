"""`zyc build`: do what the plan says; keep what is already right."""

from __future__ import annotations

import json

import click

from zyc.errors import ZycError
from zyc.front import Call, Front
from zyc.preflight import add_pins, hindrances
from zyc.report import build as report
from zyc.runner import Build, Ending, Fate, verdict_failed
from zyc.verbs import App, nodes, on_a_graph


@click.command("build")
@nodes()
@click.option("--frozen", is_flag=True, help="Add no pin to zyc.lock; one that is missing is an error.")
@click.option("--all", "every", is_flag=True, help="Tell of kept nodes, too.")
@on_a_graph
def command(app: App, call: Call, *, every: bool) -> int:
    """Build what is missing or changed, one step after the other; results stand in artifacts/nodes/.

    A step that fails blocks what stands on it, and nothing else. Ctrl-C stops; what is done is kept.

    \b
    zyc build specs/hello.yml
    zyc build page --set vars.name=moon
    zyc build specs/ --frozen        in CI: no pin may be missing
    """
    front = app.open(call)
    again = "zyc build" + "".join(f" {word}" for word in call.select) + (" --twin" if call.twin else "")
    endings: dict[str, Ending] = {}
    while True:
        new, waiting = _once(app, front, every=every)
        # what ran for a search's last member is kept by now, and ran all the same
        endings |= {name: each for name, each in new.items() if name not in endings or each.fate is not Fate.KEPT}
        app.acted = app.acted or any(each.fate is not Fate.KEPT for each in new.values())
        # a search may have chosen another member, now that it knows more
        if not front.compiled.graph.searches or any(each.fate is Fate.INTERRUPTED for each in new.values()):
            break
        before = set(front.graph.vertices)
        front.forget()
        if set(front.graph.vertices) == before and not (waiting and any(each.fate is not Fate.KEPT for each in new.values())):
            break
    if app.json:
        counts = {fate.value: sum(1 for each in endings.values() if each.fate is fate) for fate in Fate}
        app.console.print(json.dumps({"event": "done", "counts": counts}))
    else:
        report.summary(app.console, endings, again=again)
    app.close()
    if any(each.fate is Fate.INTERRUPTED for each in endings.values()):
        return 130
    return 1 if verdict_failed(endings) else 0


def _once(app: App, front: Front, *, every: bool) -> tuple[dict[str, Ending], bool]:
    """Build the graph as it is now; what happened, and whether something waits for the end of a search."""
    plan = front.plan
    flaws = hindrances(front, plan)
    if flaws:
        raise ZycError(flaws)
    for name in add_pins(front, plan):
        app.acted = True
        app.console.note(f"zyc.lock: pinned {name} {plan.settlement.known.pins[name]}")

    def log(path: str) -> str:
        return front.world.read(front.project.root / path).decode("utf-8", "replace")

    build = Build(front, plan, report.Lines(app.console, plan.graph, log, as_json=app.json, every=every))
    return build.run(), bool(build.held)
