"""`zyc accept`: a kept output stands for a new key, visibly."""

from __future__ import annotations

import click

from zyc.acceptance import Acceptance, Accepted, write
from zyc.front import Call
from zyc.quantity import in_time
from zyc.report.console import Console, safe
from zyc.verbs import App, on_a_graph, some_nodes


@click.command("accept")
@some_nodes()
@click.option("--dry-run", is_flag=True, help="Only say what would be overlooked.")
@on_a_graph
def command(app: App, call: Call, *, dry_run: bool) -> int:
    """Let the last output of these nodes stand for the keys that they have now, although something of theirs changed.

    For a change that cannot matter: a comment in a script, a renamed variable. What is overlooked is said here, and from
    then on by `why`, `show` and `plan --json`, of each node and of all that stands on it. `zyc gc --intermediates`
    never drops it. To take it back, change the node, or undo the change.

    \b
    zyc accept page --dry-run
    zyc accept page
    """
    front = app.open(call)
    plan = front.plan
    found = Acceptance(front, plan, front.selection.names).find()
    app.acted = True
    if not dry_run:
        write(front, found)
    if app.json:
        app.console.json({"written": not dry_run, "accepted": [_data(each) for each in found]})
    else:
        for each in found:
            _tell(app.console, each)
        done = "would stand" if dry_run else "stand" if len(found) > 1 else "stands"
        count = f"{len(found):,} kept output{'' if len(found) == 1 else 's'}"
        saved = in_time(sum(each.trace.seconds for each in found))
        app.console.print(f"{count} {done} for {'a new key' if len(found) == 1 else 'new keys'} · {saved} saved")
    app.close()
    return 0


def _tell(console: Console, each: Accepted) -> None:
    console.say(f"{console.paint(each.node, 'bold')}  overlooks", indent=2)
    for reason in each.overlooked:
        console.say(safe(str(reason)), indent=4)


def _data(each: Accepted) -> dict[str, object]:
    trace = each.trace
    reasons = [
        {"what": one.what.replace("`", ""), "before": one.before, "after": one.after, "field": one.field}
        for one in each.overlooked
    ]
    return {"node": each.node, "key": trace.key, "stands": trace.accepted, "tree": trace.tree, "overlooked": reasons}
