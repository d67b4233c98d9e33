"""Answers along a chain: one below the other, with the first different token underlined."""

from __future__ import annotations

from collections.abc import Sequence

from zyc.forms.asking import Asked, Said
from zyc.forms.ledger import Hop
from zyc.report.console import Console, safe, wrapped

_REMARK = len("same first 100 tokens")


def tell(console: Console, asked: Asked, missing: Sequence[Hop]) -> None:
    """Each question with what every form says to it."""
    width = max((len(each) for each in (*asked.labels, *(hop.label for hop in missing))), default=0)
    for at, question in enumerate(asked.questions):
        if at:
            console.print()
        if asked.systems[at]:
            console.print(console.paint(f"  {safe(asked.systems[at])}", "dim"))
        console.say(console.paint(safe(question), "bold"))
        before: Said | None = None
        for label in asked.labels:
            if label in asked.answers:
                said = asked.answers[label][at]
                _answer(console, label.ljust(width), said, before)
                before = said
        if asked.wanted[at]:
            console.print(console.paint(f"  {'wanted'.ljust(width + 2 + _REMARK)}  {safe(asked.wanted[at])}", "dim"))
    for label, error in asked.errors.items():
        console.print(f"  {label.ljust(width)}  {console.paint('could not answer', 'red')}: {safe(error)}")
    for hop in missing:
        console.print(f"  {hop.label.ljust(width)}  {why(hop)}")


def why(hop: Hop) -> str:
    """Why a form was not asked."""
    return f"not built: {hop.command}" if not hop.here else f"no engine here answers as {hop.form}"


def _answer(console: Console, label: str, said: Said, before: Said | None) -> None:
    blank = not safe(said.text).strip()
    text, remark = "(nothing)" if blank else safe(said.text), ""
    if before is not None:
        same = said.same_first(before)
        remark = "the same" if said.is_that_of(before) else f"same first {same} token{'' if same == 1 else 's'}"
        if not blank and not said.is_that_of(before) and same < len(said.pieces):
            parts = [
                console.paint(safe(piece), "underline") if at == same else safe(piece) for at, piece in enumerate(said.pieces)
            ]
            text = "".join(parts).strip()
    text = text.replace("\n", " ⏎ ")
    beside = len(label) + _REMARK + 6
    lines = [text] if console.colour else wrapped(text, max(24, console.width - beside))
    for number, line in enumerate(lines):
        first = f"{label}  {console.paint(remark.ljust(_REMARK), 'dim')}"
        console.print(f"  {first if not number else ' ' * (beside - 4)}  {line.strip()}")


def as_data(asked: Asked, missing: Sequence[Hop]) -> dict[str, object]:
    """The same for programs."""
    told = []
    for at, question in enumerate(asked.questions):
        answers: list[dict[str, object]] = []
        before: Said | None = None
        for label in asked.labels:
            if label not in asked.answers:
                continue
            said = asked.answers[label][at]
            same: int | None = said.same_first(before) if before is not None else None
            equal: bool | None = said.is_that_of(before) if before is not None else None
            answers.append({"hop": label, "text": said.text, "tokens": len(said.ids), "same_first": same, "same": equal})
            before = said
        system, wanted = asked.systems[at] or None, asked.wanted[at] or None
        told.append({"question": question, "system": system, "wanted": wanted, "answers": answers})
    return {
        "questions": told,
        "errors": dict(asked.errors),
        "missing": [{"hop": hop.label, "why": why(hop), "command": hop.command or None} for hop in missing],
        "folder": asked.folder,
        "again": asked.again,
    }
