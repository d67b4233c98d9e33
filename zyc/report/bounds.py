"""The gates of a plan on a screen: those that arithmetic decides a line each, the others in one line, the user's own first."""

from __future__ import annotations

from collections.abc import Sequence

from zyc.front import Front
from zyc.gates import Outlook, Verdict
from zyc.planning.check import field_place
from zyc.planning.plan import Decision, GateOutlook
from zyc.report.console import Console
from zyc.report.rows import briefly, node_of

_NAMED = 12  # gates of the user's that are named in one line
_QUIET = (Outlook.RUNNING, Verdict.HOLDS)

Told = tuple[Decision, GateOutlook]


def tell(console: Console, front: Front, *, every: bool) -> None:
    """All that hold something up, with their sums and places; of those that only a run decides the user's own by name."""
    told = [(each, gate) for each in front.plan.decisions.values() for gate in each.gates]
    if not told:
        return
    console.print()
    console.print(console.paint("gates", "bold"))
    lines = [each for each in told if every or each[1].verdict not in _QUIET]
    starts = console.laid([_start(console, *each) for each in lines], indent=0)
    places = [_place(front, *each) for each in lines]
    sums = [briefly(gate) for _, gate in lines]
    console.beside(list(zip(starts, sums, places, strict=True)))
    for verdict in _QUIET if not every else ():
        some = [each for each in told if each[1].verdict is verdict]
        if some:
            console.say(f"{_marked(console, verdict)}  {_named(some)}", indent=2)


def _named(told: Sequence[Told]) -> str:
    """`accuracy >= 75 %, train.loss < 0.5 and 20 bounds of proofs`: those of what is built last come first."""
    by_node: dict[str, list[str]] = {}
    for each, gate in told:
        if gate.gate.line:
            by_node.setdefault(each.name, []).append(str(gate.gate))
    own = list(dict.fromkeys(gate for name in reversed(by_node) for gate in by_node[name]))
    default = sum(1 for _, gate in told if not gate.gate.line)
    words = [", ".join(own[:_NAMED])] if own else []
    words += [f"{len(own) - _NAMED:,} more"] if len(own) > _NAMED else []
    words += [f"{default:,} bound{'s' * (default != 1)} of proofs"] if default else []
    return " and ".join(words)


def _start(console: Console, decision: Decision, gate: GateOutlook) -> tuple[str, ...]:
    return _marked(console, gate.verdict), decision.name, f"{gate.gate}"


def _place(front: Front, decision: Decision, gate: GateOutlook) -> str:
    """Where a gate is written that holds something up: in a spec, in a profile, or in the call."""
    if not gate.gate.line or not gate.bad:
        return ""
    file = field_place(front.compiled, node_of(front.plan, decision), "gates").file
    return "--set" if file.startswith("--set ") else f"{file}:{gate.gate.line}"


def _marked(console: Console, verdict: Verdict | Outlook) -> str:
    mark, colour = {
        Verdict.HOLDS: ("✓", "green"), Outlook.COULD: ("✓", "green"), Outlook.RUNNING: ("?", "yellow"),
        Verdict.FAILS: ("✗", "red"), Outlook.CANNOT: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow"),
    }[verdict]  # fmt: skip
    return f"{console.paint(mark, colour)} {verdict.value.ljust(11)}"
