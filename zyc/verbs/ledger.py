"""`zyc ledger`: the forms of a model up to a node, and what each hop changed."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc.errors import ZycError, listing, problem
from zyc.forms import ledger
from zyc.forms.asking import differences
from zyc.front import Call, Front
from zyc.report import ledger as report
from zyc.verbs import App, on_a_graph, one_node


@click.command("ledger")
@one_node()
@click.option("--format", "form", type=click.Choice(["table", "markdown"]), default="table", help="How it is told.")
@on_a_graph
def command(app: App, call: Call, *, form: str) -> int:
    """Show the forms that the model behind NODE goes through, and how far each one is from the one before.

    The numbers are those of the proofs that are kept: token ids, chat template, divergence (KL, in nats a token), and how
    often both expect the same next token. A hop whose proof is not built says how to build it.

    \b
    zyc ledger page
    zyc ledger page --twin --format markdown
    """
    front, node = with_proofs(app, call)
    hops = ledger.chain(front, node)
    said = differences(front, hops)
    if app.json:
        told = [report.as_data(hop, said) for hop in hops]
        app.console.json({"node": node, "twin": call.twin, "says": report.sentence(hops), "hops": told})
    elif not hops:
        app.console.print(f"no model stands behind `{node}`: there is nothing to keep account of")
    elif form == "markdown":
        app.console.print(report.markdown(hops, said))
    else:
        report.tell(app.console, hops, said)
    app.close()
    return 0


def with_proofs(app: App, call: Call) -> tuple[Front, str]:
    """The front half of a call about one node, with the forms behind it and every proof on the way."""
    front = app.open(call)
    node = the_one(front)
    return app.open(replace(call, select=ledger.wanted(front, node))), node


def the_one(front: Front) -> str:
    """The node that a call names; a family has members to choose from."""
    _ = front.graph  # what is wrong with it is told first
    names = sorted(front.selection.names)
    if len(names) != 1:
        text = " ".join(front.call.select)
        hint = listing(names, "name one of") or "`zyc ls` shows them"
        raise ZycError(problem("one-node", text=text, count=len(names), hint=hint))
    return names[0]
