"""`zyc ask`: one question to a kept model, or to each of the forms that it went through."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc.again import beside, line
from zyc.errors import ZycError, guess, problem
from zyc.forms import asking, ledger
from zyc.forms import brief as briefly
from zyc.forms.asking import Question
from zyc.forms.ledger import Hop, Reading
from zyc.front import Call, Front
from zyc.planning.plan import State
from zyc.report import asked as report
from zyc.report import brief as screen
from zyc.types import Prompt
from zyc.verbs import App, on_a_graph, one_node
from zyc.verbs.ledger import the_one


@click.command("ask")
@one_node()
@click.argument("texts", metavar="[QUESTION]...", nargs=-1)
@click.option("--along", is_flag=True, help="Ask every form on the way: base, adapter, fused, F16, Q4, served.")
@click.option("--brief", is_flag=True, help="One screen of the first question: who answers rightly, the exams, what next.")
@click.option("--prompt", "persona", default="", metavar="NODE", help="The persona that stands before the question.")
@click.option("--tokens", type=click.IntRange(1, 100_000), metavar="N", help="The longest answer; the persona's own, or 96.")
@on_a_graph
def command(  # one for each option
    app: App, call: Call, *, texts: tuple[str, ...], along: bool, brief: bool, persona: str, tokens: int | None
) -> int:
    """Put a QUESTION to the model NODE, which always says the likeliest token. Only what is kept is asked.

    Without a question it is asked three of the data that it was trained on: of the split that was held out, and of the
    others where that has fewer. Answers are kept: the same call again asks nobody.

    \b
    zyc ask philo-lora "Si tout a une cause, suis-je libre ?"
    zyc ask philo-lora --along --twin
    zyc ask philo-q4 --brief --twin
    """
    front, node = _opened(app, call, persona, exams=brief)
    app.acted = True
    reading = Reading(front)
    hops = reading.chain(node) if not along else ledger.chain(front, node)
    if not hops:
        raise ZycError(problem("not-asked", reason=f"`{node}` is no model, and stands on none", hint="name a model: `zyc ls`"))
    hops = hops if along or brief else (_own(hops, node),)
    there = [each for each in hops if each.here and each.form in asking.FORMS]
    missing = [each for each in hops if each not in there]
    if not there:
        reason = f"nothing of `{node}` is kept that could answer"
        twin = f"; its rehearsal is kept: `{line(replace(call, twin=True), 'ask', node)}`" if _has_twin(front, node) else ""
        raise ZycError(problem("not-asked", reason=reason, hint=f"`{_build(hops, call)}` makes it{twin}"))
    question = Question(texts, _persona(front, persona), "" if texts else asking.data_of(reading, there[-1].node), tokens or 0)
    if not question.texts and not question.data:
        hint = f'`zyc ask {node} "..."{beside(call)}`, or build the data that it was trained on'
        raise ZycError(problem("not-asked", reason="there is no question, and no kept data to take three from", hint=hint))
    asked = asking.ask(front, there, question, told=app.console.tick)
    app.console.tick("")
    if brief and asked.answers:
        _briefly(app, front, asked, tuple(there), persona)
    elif app.json:
        app.console.json({"node": node, "twin": call.twin, **report.as_data(asked, missing)})
    else:
        report.tell(app.console, asked, missing)
    app.close()
    return 0 if asked.answers else 1


def _has_twin(front: Front, node: str) -> bool:
    """Whether the rehearsal of a node could answer where the node itself cannot."""
    if front.call.twin:
        return False
    try:
        hops = Reading(front.as_twin()).chain(node)
    except ZycError:
        return False
    return bool(hops) and any(each.here and each.form in asking.FORMS for each in (_own(hops, node),))


def _own(hops: tuple[Hop, ...], node: str) -> Hop:
    """The form that is the node itself; of what is no model, the last one that it stands on."""
    return next((each for each in hops if each.node == node), hops[-1])


def _build(hops: tuple[Hop, ...], call: Call) -> str:
    names = dict.fromkeys(each.node for each in hops if not each.here)
    return line(call, "build", *names)


def _briefly(app: App, front: Front, asked: asking.Asked, hops: tuple[Hop, ...], persona: str) -> None:
    made = briefly.brief(front, asked, hops)
    if app.json:
        app.console.json({"twin": front.call.twin, **screen.as_data(made)})
    else:
        screen.tell(app.console, made, persona=persona, rehearsal=front.call.twin)


def _opened(app: App, call: Call, persona: str, *, exams: bool = False) -> tuple[Front, str]:
    front = app.open(call)
    node = the_one(front)
    names = ledger.wanted(front, node)
    if persona and persona not in {*front.compiled.graph.vertices, *front.compiled.declared}:
        raise ZycError(problem("no-selection", text=persona, hint=guess(persona, front.compiled.declared)))
    names = (*names, *([persona] if persona else ()))
    if exams:
        told = app.open(replace(call, select=names))
        names = (*names, *briefly.exams(told, ledger.chain(told, node)))
    return app.open(replace(call, select=names)), node


def _persona(front: Front, name: str) -> str:
    """The tree of a persona."""
    if not name:
        return ""
    decision, told = front.plan.decisions.get(name), front.plan.settlement.nodes.get(name)
    if decision is None or told is None or not isinstance(told.facts, Prompt):
        raise ZycError(problem("not-asked", reason=f"`{name}` is no persona", hint="`zyc ls kind:prompt` shows what there is"))
    reading = Reading(front)
    if decision.state is not State.KEEP or not decision.tree or not reading.store.has(decision.tree):
        hint = f"`{line(front.call, 'build', name)}` builds it"
        raise ZycError(problem("not-asked", reason=f"`{name}` is not built", hint=hint))
    return decision.tree
