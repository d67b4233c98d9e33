"""One question of an exam -> one row; all rows -> shares with their intervals, for all and for each group."""

import re

import grading
import numpy as np
import sandbox
from asked import chat
from asking import question
from divergence import chances
from intervals import counted, slug
from sampler import answer

LABEL = "prompt"  # the group of an exam that asks every question under every prompt


def look(rows, match, by):
    """What makes an exam impossible, told before the model is opened."""
    for name in by:
        if name not in rows[0]:
            raise SystemExit(f"error: `by: {name}`: the exam has no such column; it has {', '.join(sorted(rows[0]))}")
        _alike(name, {str(row.get(name)) for row in rows})
    expected = [(question(row) or ("", ""))[1] for row in rows]
    empty = [at for at, told in enumerate(expected) if not told.strip()]
    if empty:
        raise SystemExit(f"error: {len(empty):,} of {len(rows):,} questions have no answer, row {empty[0]} first: give each one")
    for at, told in enumerate(expected) if match == "regex" else ():
        try:
            re.compile(told)
        except re.error as error:
            says = f"the answer of row {at} is no pattern: {error}"
            raise SystemExit(f"error: `match: regex`: {says}\n  {told}\n  `\\` before a character takes it as it is") from None
    if match == "choice":
        bare = [at for at, row in enumerate(rows) if not row.get("options")]
        if bare:
            says = f"{len(bare):,} of {len(rows):,} rows have no `options` to choose from, row {bare[0]} first"
            raise SystemExit(f"error: `match: choice`: {says}: give each a list of them, or ask another `match`")
        wrong = [at for at, row in enumerate(rows) if grading.correct(row, expected[at]) is None]
        if wrong:
            raise SystemExit(f"error: `match: choice`: the answer of row {wrong[0]} is none of its `options`")


def _alike(name, values):
    """Two groups whose measures would have one name are refused: one of them would be lost."""
    named = {}
    for value in sorted(values):
        other = named.setdefault(slug(value), value)
        if other != value:
            says = f"`{other}` and `{value}` would both be measured as `{slug(value)}`"
            raise SystemExit(f"error: `by: {name}`: {says}: write them alike, or call them by names that differ in a letter")


def columns(by, column, labels):
    """What makes groups: the columns that were asked for, and the prompt where every question meets every prompt."""
    return [*by, *([LABEL] if len(labels) > 1 and column is None else [])]


def examined(engine, asked, match, by, at):
    """Ask one question."""
    ids = engine.ids(engine.render(chat(asked), asked.prompt.get("arguments")))
    if len(ids) >= engine.context:
        raise SystemExit(f"error: question {asked.id} has {len(ids):,} tokens, and the model sees {engine.context:,}")
    if match == "choice":
        said = chosen(engine, ids, [str(each) for each in asked.row["options"]])
        wanted = grading.correct(asked.row, asked.expected)
        text, tokens, cut, right = str(asked.row["options"][said]), 0, False, said == wanted
        expected = str(asked.row["options"][wanted])
    else:
        made = answer(engine, ids, asked.prompt.get("sampling"), draw=at)
        text, tokens, cut, expected = made.text, made.tokens, made.cut, asked.expected
        right = grading.WAYS[match](text, expected)
    groups = {name: str(asked.label if name == LABEL and name not in asked.row else asked.row.get(name)) for name in by}
    said = asked.messages[-1]["content"]
    row = {"id": asked.id, "question": said, "expected": expected, "answer": text, "right": bool(right)}
    return {**row, "groups": groups, "tokens": tokens, "cut": cut}


def chosen(engine, ids, options):
    """The option whose text is likeliest behind the question, as a whole."""
    told = []
    for option in options:
        more = engine.plain(option)
        table = chances(engine.every([*ids, *more])[len(ids) - 1 : -1])
        told.append(float(np.sum(table[np.arange(len(more)), more])))
    return int(np.argmax(told))


def counts(rows, by):
    """Measures by name, and the groups that they are about."""
    measures = {**counted([row["right"] for row in rows]), "questions": len(rows)}
    measures["cut"] = sum(row["cut"] for row in rows) / len(rows)
    groups = {}
    for name in by:
        for value in sorted({row["groups"][name] for row in rows}):
            rights = [row["right"] for row in rows if row["groups"][name] == value]
            # one column: `kant.accuracy`; several: `philosopher.kant.accuracy`
            path = slug(value) if len(by) == 1 else f"{slug(name)}.{slug(value)}"
            told = counted(rights)
            groups[path] = {"column": name, "value": value, "questions": len(rights), **told}
            measures |= {f"{path}.{what}": number for what, number in told.items()}
    return measures, groups


def isolation(match):
    """How code was kept from the network; nothing where none was run."""
    if match != "function":
        return ""
    return "a network namespace of its own" if sandbox.isolation() else "Python's sockets are closed"
