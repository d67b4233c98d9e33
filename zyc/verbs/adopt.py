"""`zyc adopt`: what a notebook or a job made elsewhere becomes the result of its node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from zyc.elsewhere.adoption import Adopted, Adoption, opened, read_account
from zyc.errors import ZycError, problem
from zyc.front import Call, Front
from zyc.quantity import in_bytes, in_number, in_time
from zyc.report.console import Console, safe
from zyc.verbs import App, on_a_graph


@click.command("adopt")
@click.argument("file", metavar="FILE")
@click.argument("select", metavar="[NODE]", nargs=1, required=False, default="")
@click.option("--dry-run", is_flag=True, help="Check all of it, and take nothing in.")
@on_a_graph
def command(app: App, call: Call, *, file: str, dry_run: bool) -> int:
    """Take in what was made elsewhere: FILE is what the last cell of a rendered notebook packed, or the end of a job.

    Its key must be the one that the node has now, its recipe the same bytes, its inputs the same trees; else it is told by
    what they differ, and nothing is changed. From then on it is kept like anything that was built here; `why` and `show`
    say where it was made. Its proofs run with the next build.

    \b
    zyc render page --as notebook
    zyc adopt page.zyc.tar
    """
    node = "".join(call.select)
    parcel = opened(app.world, Path(app.here, file), shown=file)
    account = read_account(parcel)
    front = app.open(replace(call, select=(node or account.node,)))
    adoption = Adoption(front, parcel, account, _named(front, node))
    found = adoption.take_in(adoption.find(), dry_run=dry_run)
    app.acted = True
    if app.json:
        app.console.json({"written": not dry_run, "adopted": [_data(each) for each in found]})
    else:
        for each in found:
            _tell(app.console, each)
        would = "would be" if dry_run else "is"
        app.console.print(f"`{found[-1].node}` {would} kept as if it were built here: `zyc build` goes on from it")
    app.close()
    return 0


def _named(front: Front, node: str) -> str:
    """The one node that the word means, or nothing when the file says it."""
    names = sorted(front.selection.names)
    if node and len(names) != 1:
        raise ZycError(problem("adopt-one-node", text=node, count=len(names)))
    return names[0] if node else ""


def _tell(console: Console, each: Adopted) -> None:
    trace = each.trace
    there = [trace.environment.get(name, "") for name in ("host", "accelerator", "platform")]
    facts = [in_bytes(trace.bytes), *(f"{name} {in_number(value)}" for name, value in sorted(trace.measures.items()))]
    console.say(
        f"{console.paint(each.node, 'bold')}  adopted · made elsewhere: {safe(', '.join(word for word in there if word))}",
        indent=2,
    )
    held = [in_time(trace.seconds), *facts] if each.held else ["fetched there; its bytes come when something here needs them"]
    console.say(safe(" · ".join(held)), indent=4)
    others = trace.environment.get("not as pinned", "").split()
    if others:
        had = [f"{pin.partition('==')[0]} {trace.environment.get(f'package:{_plain(pin)}', 'none')}" for pin in others]
        console.say(safe(f"with {', '.join(had)} in place of {', '.join(others)}"), indent=4)


def _plain(pin: str) -> str:
    """The name of a package without what its pin says of it: `datasets[audio]==5.2.0`."""
    return pin.partition("==")[0].partition("[")[0]


def _data(each: Adopted) -> dict[str, object]:
    trace = each.trace
    return {
        "node": each.node,
        "key": trace.key,
        "tree": trace.tree,
        "bytes": trace.bytes,
        "held": each.held,
        "measures": dict(trace.measures),
        "environment": dict(trace.environment),
    }
