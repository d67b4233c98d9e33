"""A plan for programs and for pull requests: as JSON, and as a table in markdown."""

from __future__ import annotations

from collections.abc import Sequence

from zyc.catalogue.devices import Device
from zyc.errors import Problem
from zyc.planning.offers import Offer
from zyc.planning.plan import Decision, Plan, State
from zyc.report import devices
from zyc.report.console import safe
from zyc.report.plan import weight
from zyc.report.rows import Read, is_quiet_keep, listing, node_of, rows_of, why_of


def as_data(plan: Plan, read: Read, lacks: Sequence[Problem]) -> dict[str, object]:
    """The plan as JSON."""
    running = [each for each in plan.decisions.values() if each.state in (State.RUN, State.RESUME)]
    known = [each.estimate.seconds for each in running if each.estimate.seconds is not None]
    there = devices.columns(plan)
    return {
        "nodes": [_decision_data(plan, each, read, there) for each in plan.decisions.values()],
        "counts": {state.value: plan.count(state) for state in State},
        "seconds": {
            "low": sum(each.low for each in known),
            "high": sum(each.high for each in known),
            "unknown": len(running) - len(known),
        },
        "searches": {
            each.family: {"chosen": len(plan.graph.families[each.family].rows), "runs": each.runs}
            for each in plan.graph.searches.values()
        },
        "fetch": {"remote": plan.history.remote_name, "nodes": len(plan.fetches), "bytes": weight(plan)},
        "devices": {
            device.name: {"seconds": seconds, "cost": cost, "misfits": misfits}
            for device, seconds, cost, misfits in devices.sums(plan)
        },
        "too_large": {
            decision.name: {
                "device": offer.device.name,
                "needs": offer.needs,
                "has": offer.device.memory,
                "remedies": [{"change": each.says, **_offer_data(each.offer)} for each in remedies],
            }
            for decision, offer, remedies in devices.misfits(plan)
        },
        "lacks": [each.message for each in lacks],
        "unpinned": sorted(plan.settlement.unpinned()),
        "twin": plan.settlement.twin,
    }


def _decision_data(plan: Plan, decision: Decision, read: Read, there: Sequence[Device]) -> dict[str, object]:
    node, estimate = node_of(plan, decision), decision.estimate
    seconds = estimate.seconds
    return {
        "name": decision.name,
        "kind": node.kind,
        "plan": decision.state.value,
        "why": decision.cause.why.value,
        "root": decision.cause.root,
        "because": "" if is_quiet_keep(decision) else why_of(plan, decision, read),
        "key": decision.key,
        "tree": decision.tree,
        "file": node.span.file,
        "line": node.span.line,
        "owner": node.owner,
        "seconds": None if seconds is None else {"low": seconds.low, "high": seconds.high, "from": seconds.because},
        "memory": estimate.memory,
        "result": estimate.result,
        "download": estimate.download,
        "devices": [_offer_data(each) for each in devices.offers_of(plan, decision, there)],
        "gpu_memory": estimate.gpu_memory,
        "disk": estimate.disk,
        "scratch": decision.thought.scratch,
        "accepted": plan.accepted(decision.name) or None,
        "stands_on_accepted": [name for name in plan.lineage[decision.name] if name != decision.name],
        "adopted": plan.adopted(decision.name) or None,
        "stands_on_adopted": [name for name in plan.made_elsewhere[decision.name] if name != decision.name],
        "cannot": decision.cannot,
        "gates": [{"gate": str(each.gate), "verdict": each.verdict.value, "text": each.text} for each in decision.gates],
    }


def _offer_data(offer: Offer) -> dict[str, object]:
    return {
        "device": offer.device.name,
        "seconds": offer.seconds,
        "memory": offer.needs,
        "fits": offer.fits,
        "precision": offer.precision,
        "cost": offer.cost,
    }


def markdown(plan: Plan, read: Read) -> str:
    """The plan as a table for a pull request."""
    told = listing(plan)
    rows = [each for each in told.shown if each.state is not State.KEEP]
    if not rows:
        return f"Nothing to do: {_kept(len(told.shown), 'node')}."
    there = devices.columns(plan)
    head = ["node", "plan", "result", "memory", "here" if there else "time", *(each.says for each in there), "because"]
    body = []
    for row in rows_of(plan, told, rows, read):
        name = row.label.strip() if len(row.nodes) > 1 else row.nodes[0]
        words = [name, f"**{row.state.value}**", row.result, row.memory, row.time, *row.there, row.because]
        body.append([cell(each) for each in words])
    used = [at for at, name in enumerate(head) if name not in ("result", "memory") or any(row[at] for row in body)]
    lines = [f"| {' | '.join(row[at] for at in used)} |" for row in (head, *body)]
    lines.insert(1, "|" + "---|" * len(used))
    kept = told.count(State.KEEP)
    return "\n".join([*lines, *([f"\n{_kept(kept, '')}."] if kept else [])])


def _kept(count: int, what: str) -> str:
    if not what:
        return f"{count:,} more {'is' if count == 1 else 'are'} kept"
    return f"{count:,} {what}{' is' if count == 1 else 's are'} kept"


def cell(text: str) -> str:
    """A text that cannot leave its cell."""
    return safe(text).replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
