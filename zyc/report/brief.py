"""One screen about a model, as a person reads it: the question, the answer, a mark for each form, exams, what next."""

from __future__ import annotations

from zyc.forms.brief import Brief, Sat
from zyc.report.console import Console, safe, wrapped

_LEFT = 16  # columns of what stands at the left


def tell(console: Console, brief: Brief, *, persona: str, rehearsal: bool) -> None:
    """The screen."""
    if brief.system:
        _line(console, "told", brief.system)
    _line(console, "asked", brief.question)
    _line(console, persona or "answers", brief.answer or "(nothing)")
    _line(console, "", " · ".join(f"{label} {'✓' if right else '✗'}" for label, right in brief.marks))
    _line(console, "", _meaning(brief))
    if brief.exams:
        _line(console, "exam", _exams(brief, rehearsal=rehearsal))
    found = f"{brief.kept} kept" + (f", {brief.left} to do" if brief.left else "")
    _line(console, "again", f"{brief.again}    {found}")
    if brief.page:
        _line(console, "look", brief.page)
    _line(console, "then", f"{brief.change}    {brief.then}")


def _line(console: Console, left: str, text: str) -> None:
    for at, each in enumerate(wrapped(safe(text), max(30, console.width - _LEFT))):
        head = console.paint(safe(left).ljust(_LEFT), "dim") if not at else " " * _LEFT
        console.print(f"{head}{each}")


def _meaning(brief: Brief) -> str:
    if brief.alike_from == brief.alike_to:
        return f"✓ {brief.judged}"
    tokens = f"{brief.alike} token{'' if brief.alike == 1 else 's'}"
    return f"✓ {brief.judged}; the same first {tokens} from {brief.alike_from} to {brief.alike_to}"


def _exams(brief: Brief, *, rehearsal: bool) -> str:
    """`rehearsal 172/180 · untrained 5/180`, and what a rehearsal is made with."""
    told = []
    for trained, word in ((True, "rehearsal" if rehearsal else "trained"), (False, "untrained")):
        told += [f"{word} {_score(each)}" for each in brief.exams if each.trained is trained][:1]
    return " · ".join(told) + (f"    rehearsal: {brief.small}" if brief.small else "")


def _score(sat: Sat) -> str:
    return f"{sat.right}/{sat.of}"


def as_data(brief: Brief) -> dict[str, object]:
    """The same for programs."""
    return {
        "system": brief.system or None,
        "question": brief.question,
        "answer": brief.answer,
        "marks": [{"form": label, "right": right} for label, right in brief.marks],
        "judged": brief.judged,
        "same_first": brief.alike,
        "exams": [
            {"node": each.node, "model": each.name, "right": each.right, "of": each.of, "trained": each.trained}
            for each in brief.exams
        ],
        "kept": brief.kept,
        "left": brief.left,
        "again": brief.again,
        "page": brief.page or None,
    }
