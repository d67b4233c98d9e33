"""The gates that a change of the specs moved, and what arithmetic says of them now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from zyc.front import Front
from zyc.gates import Gate, Outlook, foresee
from zyc.graph import Node
from zyc.planning.plan import sum_words
from zyc.planning.settle import Settlement


@dataclass(frozen=True, slots=True)
class Moved:
    """One bound that is not what it was, or that cannot hold any more."""

    node: str
    before: str
    after: str
    outlook: str  # empty for one that is gone
    because: str
    family: str = ""

    @property
    def words(self) -> str:
        """What to think of it."""
        return f"{self.outlook}: {self.because}" if self.because else self.outlook or "gone"


def moved(front: Front, past_front: Front) -> list[Moved]:
    """Of the nodes that both have: gates that differ, and those that could hold before and cannot now."""
    now, past = front.settlement, past_front.settlement
    told: list[Moved] = []
    for node in front.graph.nodes():
        before = past_front.graph.vertices.get(node.name)
        told += _of_node(now, node, past, before if isinstance(before, Node) else None)
    return told


def _of_node(now: Settlement, node: Node, past: Settlement, before: Node | None) -> Iterator[Moved]:
    old = {gate.measure: gate for gate in past.gates(before)} if before is not None else {}
    new = {gate.measure: gate for gate in now.gates(node)}
    for measure, gate in new.items():
        outlook, because = _thought(now, node, gate)
        was = old.get(measure)
        same = was is not None and str(was) == str(gate)
        worse = outlook is Outlook.CANNOT and (before is None or was is None or _thought(past, before, was)[0] is not outlook)
        if worse or (not same and before is not None):
            yield Moved(node.name, str(was) if was is not None else "", str(gate), outlook.value, because, node.family)
    for measure, gate in old.items():
        if measure not in new:
            yield Moved(node.name, str(gate), "", "", "", node.family)


def _thought(settlement: Settlement, node: Node, gate: Gate) -> tuple[Outlook, str]:
    known = dict(settlement.nodes[node.name].estimate.measures)
    outlook = foresee(gate, known)
    return outlook, sum_words(known.get(gate.measure), gate) if outlook is not Outlook.RUNNING else ""
