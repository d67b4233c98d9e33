"""`zyc chat`: a talk in the terminal with a deployment, a quant or a model that is kept here."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc.errors import ZycError, guess, problem
from zyc.forms import serving
from zyc.front import Call
from zyc.types import Bundle
from zyc.verbs import App, on_a_graph, one_node
from zyc.verbs.ledger import the_one


@click.command("chat")
@one_node()
@click.option("--as", "persona", default="", metavar="PERSONA", help="Who answers: a persona of the bundle, or a prompt node.")
@on_a_graph
def command(app: App, call: Call, *, persona: str) -> int:
    """Talk with NODE, a deployment, a quant or a model; the answer is written as it is made, and drawn as its persona says.

    \b
    zyc chat philo-free --as kant
    zyc chat philo-q4 --as kant
    In the talk: /as PERSONA, /new, /quit. Ctrl-C ends an answer, and then the talk.
    """
    front = app.open(call)
    node = the_one(front)
    settled = front.plan.settlement.nodes.get(node)
    if persona and settled is not None and not isinstance(settled.facts, Bundle):
        if persona not in front.compiled.graph.vertices:
            raise ZycError(problem("no-selection", text=persona, hint=guess(persona, front.compiled.declared)))
        front = app.open(replace(call, select=(node, persona)))
    told = serving.talk(front, node, persona)
    app.acted = True
    app.close()
    return serving.converse(front, node, told)
