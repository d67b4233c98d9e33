# /// script
# requires-python = ">=3.11"
# dependencies = ["pyarrow==26.0.1"]
# ///
"""Proves a dataset: every row has the columns of its format, roles in order, nothing empty, and nothing leaks."""

import json
import re
from pathlib import Path

import forms
import pyarrow.parquet as pq
from flaws import Bad

SHOWN = 5  # examples of each flaw
WORD = re.compile(r"\w+")
LOOKED_UP = re.compile(r"<passages>\n(.*?)\n</passages>\n\n", re.DOTALL)  # what a prompt put before a question

subject = Path("in/subject")
card = json.loads((subject / "card.json").read_text(encoding="utf-8"))
form, group = card["format"], card["split"]["group"]
counts = dict.fromkeys(("rows", "broken", "misordered", "empty", "leaks", "overlap"), 0)
examples = {}


def rows(side):
    """Every row of a side."""
    for path in sorted((subject / side).glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(batch_size=1_000):
            yield from batch.to_pylist()


def note(flaw, row, says):
    """Count a flaw; the first few are shown."""
    counts[flaw] += 1
    if counts[flaw] <= SHOWN:
        examples.setdefault(flaw, []).append({"row": json.dumps(row, ensure_ascii=False, default=str)[:400], "because": says})


def examine(row):
    """One row by itself; whether it can be compared with others."""
    counts["rows"] += 1
    try:
        forms.normal({name: value for name, value in row.items() if value is not None}, form)
    except Bad as flaw:
        note({"empty": "empty", "order": "misordered"}.get(flaw.kind, "broken"), row, flaw.says)
        return False
    return True


def key(row):
    """What tells the group of a row."""
    return json.dumps([row.get(column) for column in group], default=str)


def plain(text):
    """The words of a text, between spaces."""
    return " ".join(["", *WORD.findall(text.casefold()), ""])


def question(row):
    """What a row asks last, without the passages that were looked up for it."""
    return plain(LOOKED_UP.sub("", forms.asked(row, form)[-1]))


def answer(row):
    """What a row answers in the end."""
    said = next(row[column] for column in ("messages", "completion", "chosen", "answer") if row.get(column))
    return plain(said if isinstance(said, str) else said[-1]["content"])


# 1. The held-out side: what it says, what it asks, which groups it has.
texts, asked, groups = {}, set(), set()
for row in rows("test"):
    if examine(row):
        texts[forms.digest(row, form)] = texts.get(forms.digest(row, form), 0) + 1
        asked.add(tuple(forms.asked(row, form)))
        groups.add(key(row))

# 2. The other side against it.
told, shared, looked_up = set(), set(), set()
for row in rows("train"):
    if not examine(row):
        continue
    digest = forms.digest(row, form)
    if digest in texts and digest not in told:
        told.add(digest)
        note("leaks", row, "a held-out row says the same")
    if group and key(row) in groups:
        note("leaks", row, "its group is held out, too")
    if tuple(forms.asked(row, form)) in asked:
        shared.add(tuple(forms.asked(row, form)))
    looked_up |= {each for text in forms.asked(row, form) for each in LOOKED_UP.findall(text)}
counts["overlap"] = len(shared)

# 3. What was looked up for training: no passage tells a held-out question with its answer.
if looked_up and form != "text":
    held = {}
    for row in rows("test"):
        held.setdefault(tuple(question(row).split()[:3]), []).append(row)
    for passage in sorted(looked_up):
        words = plain(passage).split()
        begins = dict.fromkeys(tuple(words[at : at + 3]) for at in range(len(words)))
        for row in [each for begin in begins for each in held.get(begin, ())]:
            if question(row) in plain(passage) and answer(row) in plain(passage):
                held[tuple(question(row).split()[:3])].remove(row)
                note("leaks", row, "a passage that training looks up tells it: an index of documents without these chats does not")

for flaw, them in examples.items():
    print(f"{counts[flaw]:,} {flaw}:", *(json.dumps(each, ensure_ascii=False) for each in them), sep="\n  ")
Path("out/hygiene.json").write_text(json.dumps({"counts": counts, "examples": examples}, indent=2, ensure_ascii=False) + "\n")
Path("measures.json").write_text(json.dumps(counts))
