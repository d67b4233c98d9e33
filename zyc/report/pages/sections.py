"""Sections of the page of a graph from what kept files hold: conversations, lines over steps, exams, cards of data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from zyc import kinds
from zyc.forms.asking import Asked
from zyc.gates import show

Facts = dict[str, Any]  # plain values for a template

_WRONG = 500  # wrong answers of a task that stand in the page


def conversation(asked: Asked, at: int) -> Facts:
    """One question with each answer: what is as before, the first token that is not, the rest."""
    answers, before = [], None
    for label in asked.labels:
        if label not in asked.answers:
            continue
        said = asked.answers[label][at]
        same = said.same_first(before) if before is not None else len(said.ids)
        parted = before is not None and not said.is_that_of(before)
        head, odd = "".join(said.pieces[:same]), "".join(said.pieces[same : same + 1])
        remark = "" if before is None else f"same first {same} tokens" if parted else "the same"
        rest = "".join(said.pieces[same + 1 :])
        answers.append({"label": label, "head": head.lstrip() if parted else said.text, "odd": odd if parted else "",
                        "rest": rest if parted else "", "remark": remark, "parted": parted})  # fmt: skip
        before = said
    return {"question": asked.questions[at], "system": asked.systems[at], "wanted": asked.wanted[at], "answers": answers}


def line(rows: Iterable[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """The points of one number: what is no number is left out."""
    found = ((row.get("step"), row.get(name)) for row in rows)
    return [
        (step, value) for step, value in found
        if isinstance(step, int) and isinstance(value, int | float) and math.isfinite(value)
    ]  # fmt: skip


def json_lines(text: bytes) -> Iterator[Mapping[str, Any]]:
    """Every whole line of a file of rows."""
    for line in text.decode("utf-8", "replace").splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            return  # torn: nothing behind it is whole
        if isinstance(told, dict):
            yield told


def exam(node: str, task: str, found: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Facts:
    """A task: its numbers, its groups with their intervals, its wrong answers."""
    measures = {str(name): value for name, value in (found.get("measures") or {}).items() if isinstance(value, int | float)}
    groups = []
    for path, each in sorted((found.get("groups") or {}).items()):
        if isinstance(each, dict) and isinstance(each.get("accuracy"), int | float):
            share, low, high = (float(each.get(name) or 0.0) for name in ("accuracy", "accuracy.low", "accuracy.high"))
            groups.append({"name": f"{each.get('column', '')}: {each.get('value', path)}", "of": each.get("questions", ""),
                           "share": share, "low": low, "high": high})  # fmt: skip
    if "accuracy" in measures:
        share = measures["accuracy"]
        low, high = measures.get("accuracy.low", share), measures.get("accuracy.high", share)
        groups.insert(0, {"name": "all", "of": len(rows) or "", "share": share, "low": low, "high": high})
    names = ("id", "question", "expected", "answer")
    wrong = [{name: _text(row.get(name)) for name in names} for row in rows if row.get("right") is False]
    plain = [name for name in sorted(measures) if not name.startswith("accuracy") and "." not in name]
    known = kinds.load(str(found.get("kind"))).measures if found.get("kind") in kinds.stems() else {}
    shown = {name: show(measures[name], known[name].dimension if name in known else "number") for name in plain}
    return {"node": node, "task": task or str(found.get("kind", "")), "measures": shown, "groups": groups,
            "rows": sum("right" in row for row in rows), "wrong": wrong[:_WRONG],
            "more": max(0, len(wrong) - _WRONG)}  # fmt: skip


def _text(value: object) -> str:
    """What was asked or said: a text, or the turns of a chat."""
    if isinstance(value, list):
        turns = [f"{each.get('role', '')}: {each.get('content', '')}" if isinstance(each, dict) else str(each) for each in value]
        return "\n".join(turns)
    return "" if value is None else str(value)


def data_card(name: str, card: Mapping[str, Any], learned: str) -> Facts:
    """A dataset: its counts, one row that each step dropped, its samples."""
    rows = card.get("rows") or {}
    balance: dict[str, list[tuple[str, float]]] = {}
    for path, count in (card.get("balance") or {}).items():
        column, _, value = path.removeprefix("balance.").partition(".")
        balance.setdefault(column, []).append((value, count))
    lengths = card.get("lengths") or {}
    told = [(each, lengths[each]) for each in ("p50", "p90", "p99", "max") if each in lengths]
    operations = [
        {**each, "example": _text_of(each.get("example"))} for each in card.get("operations") or () if isinstance(each, dict)
    ]
    samples = [each for each in card.get("samples") or () if isinstance(each, str)][:3]
    return {"node": name, "format": card.get("format") or "", "rows": dict(rows), "operations": operations,
            "balance": [{"column": column, "values": values, "most": max(count for _, count in values)}
                        for column, values in balance.items()],
            "lengths": told, "unit": lengths.get("unit", ""), "licence": card.get("licence"), "learned": learned,
            "samples": [list(spoken(each, learned)) for each in samples]}  # fmt: skip


def _text_of(example: object) -> str:
    if isinstance(example, dict | list):
        return json.dumps(example, ensure_ascii=False)
    return "" if example is None else str(example)


_TURN = re.compile(r"^(system|user|assistant|tool|prompt|completion|chosen|rejected|text|question|answer): ", re.MULTILINE)
_LEARNED = ("assistant", "completion", "chosen")


def spoken(sample: str, learned: str) -> Iterator[Facts]:
    """A sample in turns: who says what, and whether it is trained on."""
    starts = [*_TURN.finditer(sample)]
    if not starts:
        yield {"who": "", "text": sample, "trained": bool(learned)}
    for at, found in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(sample)
        trained = bool(learned) and (learned == "all" or found[1] in _LEARNED)
        yield {"who": found[1], "text": sample[found.end() : end].rstrip("\n"), "trained": trained}
