"""The ledger of a model: one line a hop, as a table, as markdown, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zyc.forms.ledger import Hop
from zyc.quantity import in_number
from zyc.report.console import Console, safe
from zyc.report.forms import cell

HEAD = ("hop", "node", "token ids", "template", "KL", "top-1", "first difference")


def row(hop: Hop, said: Mapping[str, str]) -> tuple[str, ...]:
    """One hop in words; `said` has what a question along the chain found, by label."""
    measures = hop.measures
    kl = f"{in_number(measures['kl'])}{_bound(hop, 'kl')}" if "kl" in measures else ""
    top1 = _percent(measures["top1"]) if "top1" in measures else ""
    tokens, template = (_alike(measures, name) for name in ("same_tokens", "same_template"))
    difference = hop.difference or said.get(hop.label, "") or ("none found" if hop.proven and not hop.says else "")
    return (hop.label, hop.node, tokens, template, kl, top1, difference or _open(hop))


def _open(hop: Hop) -> str:
    """What there is to say of a hop without numbers."""
    if hop.command:
        return f"{hop.says or 'not built'}: {hop.command}"
    return hop.says


def _alike(measures: Mapping[str, float], name: str) -> str:
    if name not in measures:
        return ""
    return "same" if measures[name] == 1 else f"{_percent(measures[name])} same"


def _percent(share: float) -> str:
    return "100 %" if share == 1 else f"{min(99.99, 100 * share):.2f} %"  # all but one is not all


def _bound(hop: Hop, name: str) -> str:
    """The bound that it is held to, and whether that holds."""
    for each in hop.gates:
        if each.gate.measure == name:
            return f" {'>' if each.bad else each.gate.sign} {in_number(each.gate.bound)}"
    return ""


def sentence(hops: Sequence[Hop]) -> str:
    """All of it in one line."""
    hops = [hop for hop in hops if hop.proof]
    open_ = [hop for hop in hops if not hop.proven]
    broken = [hop for hop in hops if hop.holds is False]
    if broken:
        return f"the first hop that breaks its promise is {broken[0].label} ({broken[0].proof})"
    lost = sum(hop.measures.get("kl", 0.0) for hop in hops)
    told = f"{len(hops) - len(open_)} of {len(hops)} hops proven"
    return f"{told}; KL of all of them together {in_number(lost)}" if any("kl" in hop.measures for hop in hops) else told


def tell(console: Console, hops: Sequence[Hop], said: Mapping[str, str]) -> None:
    """As a table; a hop that breaks its promise is red."""
    rows = [tuple(safe(each) for each in row(hop, said)) for hop in hops]
    colours = {True: "green", False: "red", None: "dim"}
    painted = [(console.paint(line[0], colours[hop.holds]), *line[1:]) for line, hop in zip(rows, hops, strict=True)]
    console.table(painted, head=HEAD, flexible=6, right=(4, 5), spare=(1,))
    console.print()
    console.print(sentence(hops))


def markdown(hops: Sequence[Hop], said: Mapping[str, str]) -> str:
    """For a pull request."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cell(each) for each in row(hop, said)) + " |" for hop in hops]
    return "\n".join([*lines, "", sentence(hops)])


def as_data(hop: Hop, said: Mapping[str, str]) -> dict[str, object]:
    """One hop for programs."""
    names = ("same_tokens", "same_template", "kl", "top1")
    return {
        "hop": hop.label,
        "node": hop.node,
        "form": hop.form,
        "kept": hop.here,
        "tree": hop.tree or None,
        "proof": hop.proof or None,
        "proven": hop.proven,
        "holds": hop.holds,
        **{name: hop.measures.get(name) for name in names},
        "difference": hop.difference or said.get(hop.label) or None,
        "says": hop.says or None,
        "command": hop.command or None,
    }
