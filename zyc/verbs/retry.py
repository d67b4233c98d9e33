"""`zyc retry`: go on with what the last build left undone."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc import past
from zyc.errors import ZycError, problem
from zyc.place.project import find
from zyc.report.console import data
from zyc.runner import Fate
from zyc.verbs import App
from zyc.verbs.build import Work, build, build_options


@click.command("retry")
@click.argument("select", nargs=-1, metavar="[NODES]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@build_options
@click.pass_obj
def command(app: App, *, select: tuple[str, ...], as_json: bool, work: Work) -> int:
    """Build again what failed, was interrupted or not started in the last build, with the same --set, --profile and --twin.

    A step goes on from its `state/` where it can; `--fresh` starts it from the beginning.

    \b
    zyc retry
    zyc retry page --fresh
    zyc retry --keep-going --retries 3
    """
    app.json = as_json
    project = find(app.world, app.here)
    app.acted = True  # what is left to do is not what the specs say alone
    last = past.last(app.world, project)
    if last is None:
        raise ZycError(problem("no-last-build"))
    undone = _declared(app, last) if last.undone else ()
    if not undone:
        if as_json:
            app.console.print(
                data({"event": "done", "counts": {each.value: 0 for each in Fate}, "left": 0, "seconds": 0, "saved": 0})
            )
        else:
            app.console.print("nothing to try again: the last build left nothing undone")
        return 0
    call = replace(last.call, select=select) if select else replace(last.call, select=undone, exclude=())
    return build(app, replace(call, frozen=False), replace(work, besides=undone), again="zyc retry")


def _declared(app: App, last: past.Past) -> tuple[str, ...]:
    """What was left undone and is still in the specs: a name may have gone since."""
    front = app.open(replace(last.call, select=(), exclude=(), remote=""))
    there = {node.name for node in front.compiled.graph.nodes()}
    return tuple(name for name in last.undone if name in there)
