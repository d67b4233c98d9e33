"""`zyc deploy`: what a deployment would send, file by file, and where; `--yes` sends it."""

from __future__ import annotations

import click

from zyc.elsewhere import publishing
from zyc.elsewhere.publishing import Plan
from zyc.front import Call
from zyc.quantity import in_bytes
from zyc.verbs import App, on_a_graph, one_node
from zyc.verbs.ledger import the_one


@click.command("deploy")
@one_node()
@click.option("--to", "to", default="", metavar="OWNER/NAME", help="Where it goes, in place of what the spec says.")
@click.option(
    "--model", "model", default="", metavar="OWNER/NAME", help="Of a Space: a repository of its own for the weights, sent first."
)
@click.option("--yes", "yes", is_flag=True, help="Send it. Without, nothing leaves this machine.")
@on_a_graph
def command(app: App, call: Call, *, to: str, model: str, yes: bool) -> int:
    """Show every file that NODE would send, with its size and digest, and where it goes; `--yes` sends it.

    Only a bundle that is built, proven and passes its gates is sent. A token is read from HF_TOKEN and kept nowhere; Modal has
    a login of its own.

    \b
    zyc deploy page
    zyc deploy page --to me/page --model me/page-gguf
    zyc deploy page --yes
    """
    front = app.open(call)
    plan = publishing.planned(front, the_one(front), to=to, model=model)
    sent = []
    if not app.json:
        _show(app, plan)
    if yes:
        app.acted = True
        sent = publishing.send(front, plan)
    if app.json:
        app.console.json(_as_data(plan, sent))
    elif yes:
        for each in sent:
            app.console.print(f"sent: {each}")
    else:
        app.console.print("nothing was sent: `--yes` sends it")
    app.close()
    return 0


def _show(app: App, plan: Plan) -> None:
    for shipment in plan.shipments:
        what = {"model": "a model on the hub", "space": "a Space", "command": "runs here, with these files"}[shipment.kind]
        private = ", private" if shipment.private else ""
        app.console.print(f"{shipment.where}  ({what}{private}): {len(shipment.parts)} files, {in_bytes(shipment.bytes)}")
        rows = [(each.name, in_bytes(each.bytes), each.sha256[:16]) for each in shipment.parts]
        app.console.table(rows, indent=2, right=(1,))


def _as_data(plan: Plan, sent: list[str]) -> dict[str, object]:
    shipments = [
        {
            "where": each.where,
            "kind": each.kind,
            "private": each.private,
            "files": [{"name": part.name, "bytes": part.bytes, "sha256": part.sha256} for part in each.parts],
        }
        for each in plan.shipments
    ]
    return {"node": plan.node, "target": plan.target, "shipments": shipments, "sent": sent}
