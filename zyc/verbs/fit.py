"""`zyc fit`: the changes that make every gate of a node hold, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from zyc.again import line
from zyc.fitting import Fit, Outcome, costs, fit, verdict_words
from zyc.front import Call, Front
from zyc.gates import Interval
from zyc.planning.plan import Cause, Why
from zyc.quantity import about, in_bytes, in_number, in_time
from zyc.report import devices
from zyc.report.console import Console
from zyc.report.rows import gate_words
from zyc.verbs import App, on_a_graph, one_node

_HEAD = ("change", "size", "memory", "answer", "expected KL", "time", "money", "what else changes")
_NAMED = 3
_SPARE = (1, 6, 5, 4, 7)  # size and money go first where there is no room
_ENOUGH = 14  # columns in which what else changes can be told


@click.command("fit")
@one_node()
@on_a_graph
def command(app: App, call: Call) -> int:
    """Tell which changes of a node, or of what it stands on, make every gate of it hold: type, base, context, tokens, machine.

    Of a family, such as make them hold for all of its members; a field of a member is set for its whole family.
    Each is planned as if it had been written, so nothing is run and nothing is fetched. What only a run can tell
    (an accuracy, a loss) stays open.

    \b
    zyc fit philo-exam
    zyc fit philo-q4 --json
    """
    front = app.open(call)
    told = [fit(front, name) for name in _asked(front)]
    if app.json:
        shown = [_data(each) for each in told]
        app.console.json(shown[0] if len(shown) == 1 else shown)
    else:
        for at, each in enumerate(told):
            if at:
                app.console.print()
            _print(app.console, front, each)
    app.close()
    return 0


def _asked(front: Front) -> list[str]:
    """The nodes that are selected; a family of which all members are is asked about as a whole."""
    names = front.selection.names
    nodes = [node for node in front.plan.graph.nodes() if node.name in names and not node.owner]
    parted = {node.family for node in front.compiled.graph.nodes() if node.family and node.name not in names}
    told = (node.family if node.family and node.family not in parted else node.name for node in nodes)
    return list(dict.fromkeys(told))


def _print(console: Console, front: Front, told: Fit) -> None:
    console.print(told.node)
    if told.behind and not told.bad:
        _blocked(console, front, told)
        return
    if not told.gates:
        console.print("  it has no gates: nothing has to fit")
        return
    if not told.bad:
        open_ = [str(gate.gate) for _, gate in told.gates if verdict_words(gate) == "by running"]
        console.print("  every gate holds or could hold" + (f"; by running: {', '.join(open_)}" if open_ else ""))
        return
    starts = [
        f"{console.paint('✗', 'red')} {verdict_words(gate)}  {f'{name}  ' if name != told.node else ''}{gate.gate}"
        for name, gate in told.bad
    ]
    console.beside([(start, gate.text, "") for start, (_, gate) in zip(starts, told.bad, strict=True)])
    console.print()
    if told.others:
        console.print(f"these members hold as they are: {', '.join(told.others)}\n")
    if not told.found:
        console.print(f"no change helps: {told.tried} were planned, alone and in pairs; move a bound, or write another graph")
        return
    rows = [("as it is", *_cells(told.now)), *((each.says, *_cells(each)) for each in told.found)]
    console.table(
        rows, head=_HEAD, flexible=7, right=(1, 2, 3, 4, 5, 6), spare=_SPARE, whole=(0,), enough=[_ENOUGH] * len(_SPARE)
    )
    console.print()
    then = replace(front.call, sets=(*front.call.sets, *told.found[0].sets))
    console.beside([(f"next   {line(then, 'plan')}", "the whole plan with the first of them", "")], indent=0)


def _blocked(console: Console, front: Front, told: Fit) -> None:
    """Nothing of it is in the way, but a gate of what it stands on."""
    plan = front.plan
    console.say(f"its own gates hold or could hold; it is blocked: {gate_words(plan, Cause(Why.GATE, told.behind))}", indent=2)
    vertex = plan.graph.vertices[told.behind]
    owner = getattr(vertex, "owner", "") or told.behind
    console.print()
    console.beside([(f"next   {line(front.call, 'fit', owner)}", "what would make that one hold", "")], indent=0)


def _cells(told: Outcome) -> tuple[str, ...]:
    assert told.front is not None
    time, money = _worth(told)
    return (
        in_bytes(told.size) if told.size else "-",
        _span(told.memory, in_bytes),
        _span(told.answer, in_time),
        "-" if told.divergence is None else f"{'' if told.measured else '<= '}{in_number(told.divergence)}",
        about(time) if time else "-",
        f"${money:.2f}" if money else "-",
        _else(told),
    )


def _span(told: Interval | None, words: Callable[[float], str]) -> str:
    if told is None:
        return "-"
    low, high = words(told.low), words(told.high)
    if low == high:
        return low
    one, other = low.rpartition(" "), high.rpartition(" ")
    return f"{one[0]}-{high}" if one[2] == other[2] and " " not in one[0] else f"{low} to {high}"


def _worth(told: Outcome) -> tuple[float | None, float | None]:
    """How long all of it takes and what that costs: on the cheapest device that holds it, or here where none is needed."""
    assert told.front is not None
    plan = told.front.plan
    fits = [(cost, seconds) for _, seconds, cost, misfits in devices.sums(plan) if seconds and not misfits]
    if fits:
        cost, seconds = min(fits)
        return seconds, cost
    return costs(plan.decisions), None


def _else(told: Outcome) -> str:
    if not told.sets:
        return ""
    named, more = told.changed[:_NAMED], len(told.changed) - _NAMED
    parts = [", ".join(named) + (f" and {more} more" if more > 0 else "")] if named else []
    if told.licence:
        parts.append(f"licence {told.licence}")
    return "; ".join(parts)


def _data(told: Fit) -> dict[str, Any]:
    return {
        "node": told.node,
        "gates": [
            {"node": name, "gate": str(gate.gate), "verdict": gate.verdict.value, "text": gate.text} for name, gate in told.gates
        ],
        "now": _outcome_data(told.now),
        "changes": [_outcome_data(each) for each in told.found],
        "members": list(told.others),
        "planned": told.tried,
        "behind": told.behind or None,
    }


def _outcome_data(told: Outcome) -> dict[str, Any]:
    seconds, cost = _worth(told)
    return {
        "set": list(told.sets),
        "bytes": told.size,
        "memory": _pair(told.memory),
        "answer": _pair(told.answer),
        "kl": told.divergence,
        "seconds": seconds,
        "cost": cost,
        "changes": list(told.changed),
        "licence": told.licence or None,
    }


def _pair(told: Interval | None) -> list[float] | None:
    return [told.low, told.high] if told is not None else None
