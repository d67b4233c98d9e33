"""`zyc why`: what makes a node run again, or what keeps it."""

from __future__ import annotations

import shlex

import click

from zyc.front import Call, Front
from zyc.planning.plan import Decision, Plan, State, Why
from zyc.planning.why import Reason, overlooked, reasons
from zyc.report import plan as report
from zyc.report.console import Console, cells, moment, safe
from zyc.report.rows import elsewhere, gate_words
from zyc.verbs import App, on_a_graph, one_node

_ALL = 2_000  # letters of a value, for programs


@click.command("why")
@one_node()
@on_a_graph
def command(app: App, call: Call) -> int:
    """Tell why a node would run, field by field down to the root of the cause; or why not.

    \b
    zyc why page
    zyc why page --json
    zyc why page --set greeting.run='echo hi > out/x'     what if
    """
    front = app.open(call)
    plan = asked_plan(front)
    names = sorted(front.selection.names)
    told = [_explained(front, plan, name) for name in names]
    if app.json:
        app.console.json(told if len(told) > 1 else told[0])
    else:
        for at, name in enumerate(names):
            if at:
                app.console.print()
            _print(app.console, front, plan, name)
    app.close()
    return 0


def asked_plan(front: Front) -> Plan:
    """Who asks why wants no bytes: whether a tree that is gone is needed is said by the plan of the whole project."""
    plan = front.plan
    gone = any(plan.decisions[name].cause.why in (Why.MISSING, Why.FETCH) for name in front.selection.names)
    return front.whole if gone else plan


def _is_here(plan: Plan, decision: Decision) -> bool:
    return decision.tree is not None and decision.tree in plan.history.present


def chain(plan: Plan, name: str) -> list[str]:
    """The node and those behind it whose change is its cause, nearest first."""
    seen = [name]
    while True:
        decision = plan.decisions.get(seen[-1])
        root = decision.cause.root if decision is not None else ""
        vertex = plan.graph.vertices.get(root)
        if root and root not in plan.decisions and vertex is not None:
            root = next((edge.source for edge in vertex.edges if edge.source in plan.decisions), "")
        if not root or root in seen:
            return seen
        seen.append(root)


def _place(front: Front, reason: Reason) -> str:
    declared = front.compiled.declared.get(reason.node.split("@")[0].split(".")[0])
    if declared is not None and reason.field.startswith("ZYC_VARS_"):
        spans = front.graph.headers[declared.source.file].spans
        return next(
            (str(span) for name, span in spans if f"ZYC_{name.upper().replace('-', '_').replace('.', '_')}" == reason.field), ""
        )
    return str(declared.at(reason.field)) if declared is not None and reason.field else ""


def _explained(front: Front, plan: Plan, name: str) -> dict[str, object]:
    decision = plan.decisions[name]
    links = chain(plan, name)
    return {
        "node": name,
        "plan": decision.state.value,
        "why": decision.cause.why.value,
        "key": decision.key,
        "here": _is_here(plan, decision),
        "chain": links,
        "reasons": [
            {
                "node": each.node,
                "what": each.what.replace("`", ""),
                "before": each.before,
                "after": each.after,
                "field": each.field,
                "place": _place(front, each),
            }
            for link in links
            for each in reasons(plan, link, front.read_trace)
        ],
        "accepted": plan.accepted(name) or None,
        "although": [each.told(_ALL) for each in overlooked(plan, name, front.read_trace)],
        "stands_on_accepted": [each for each in plan.lineage[name] if each != name],
        "adopted": plan.adopted(name) or None,
        "stands_on_adopted": [each for each in plan.made_elsewhere[name] if each != name],
        "manifest": [{"label": label, "digest": digest} for label, digest in decision.manifest],
        "unknown": list(decision.unknown),
    }


def _print(console: Console, front: Front, plan: Plan, name: str) -> None:
    decision = plan.decisions[name]
    console.say(f"{console.paint(name, 'bold')}  {console.paint(_verdict(decision), report.COLOURS[decision.state])}")
    if decision.state is State.KEEP:
        _print_kept(console, front, plan, decision)
        return
    if decision.cause.why in (Why.GATE, Why.UPSTREAM):
        before = "it stands behind a gate: " if decision.cause.why is Why.UPSTREAM else ""
        console.say(before + gate_words(plan, decision.cause), indent=2)
        return
    if decision.cause.why is Why.NO_WINNER:
        console.say(f"it stands on `{decision.cause.root}`: {decision.cause.text}", indent=2)
        return
    for depth, link in enumerate(chain(plan, name)):
        rows = [(safe(str(each)), _place(front, each)) for each in reasons(plan, link, front.read_trace)]
        if depth:
            console.say(f"because of {console.paint(link, 'bold')}  {plan.decisions[link].state.value}", indent=2)
        _reasons(console, rows, indent=2 + 2 * bool(depth))
    if decision.saved is not None:
        console.say("its state has come to step {:,} of {:,}".format(*decision.saved), indent=2)
    if decision.cannot:
        console.say(console.paint(f"and this machine cannot: {decision.cannot}", "red"), indent=2)
    if decision.resume:
        console.say(f"its unfinished state cannot go on: {decision.resume}", indent=2)


def _reasons(console: Console, rows: list[tuple[str, str]], *, indent: int) -> None:
    """Side by side with their places where there is room: nothing of a reason is left out."""
    if max((indent + cells(says) + 2 + len(place) for says, place in rows), default=0) <= console.width:
        console.table([(says, console.paint(place, "dim")) for says, place in rows], indent=indent)
        return
    for says, place in rows:
        console.say(says, indent=indent)
        if place:
            console.print(" " * (indent + 2) + console.paint(place, "dim"))


def _verdict(decision: Decision) -> str:
    return {
        State.KEEP: "is kept", State.RUN: "would run", State.RESUME: "would go on where it was cut short",
        State.MAYBE: "would run only if an input really changes", State.BLOCKED: "is blocked",
    }[decision.state]  # fmt: skip


def _print_kept(console: Console, front: Front, plan: Plan, decision: Decision) -> None:
    trace = front.read_trace(decision.key or "")
    when = f"built {moment(trace.started)}" if trace is not None and trace.started else "built before"
    if trace is not None and trace.adopted:
        when = f"made elsewhere ({elsewhere(trace)}) {moment(trace.started)}, and adopted {moment(trace.adopted)}"
    accepted = overlooked(plan, decision.name, front.read_trace)
    if accepted:
        console.say(f"{when}, and accepted: its output stands for this key, although", indent=2)
        _reasons(console, [(safe(str(each)), _place(front, each)) for each in accepted], indent=4)
    for name in plan.lineage[decision.name]:
        if name != decision.name:
            console.say(f"it stands on `{name}`, which was accepted: `zyc why {name}`", indent=2)
    for name in plan.made_elsewhere[decision.name]:
        if name != decision.name:
            console.say(f"it stands on `{name}`, which was adopted: `zyc why {name}`", indent=2)
    if not accepted:
        console.say(f"{when}: all {len(decision.manifest)} lines of its manifest are the same, so its key is", indent=2)
    console.print(f"  key   {(decision.key or '')[:24]}")
    rows = [(label, digest if len(digest) < 30 else digest[:24]) for label, digest in decision.manifest]
    console.table(rows, indent=4)
    _print_besides(console, plan, decision, twin=front.call.twin)


def _print_besides(console: Console, plan: Plan, decision: Decision, *, twin: bool) -> None:
    """What is to be said of a kept node besides its key: where its bytes are, and what its gates hold up."""
    if not _is_here(plan, decision):
        console.say(f"its bytes are not here{_where(decision, twin=twin)}", indent=2)
    for gate in decision.gates:
        if gate.bad:
            console.say(f"and what stands on it is blocked: {gate.text}", indent=2)


def _where(decision: Decision, *, twin: bool) -> str:
    """How bytes that are not here would come."""
    if decision.cause.why is Why.FETCH:
        return f", and would come {decision.cause.text}"
    return f", and nothing needs them: `zyc build {shlex.quote(decision.name)}{' --twin' * twin}` makes or fetches them"
