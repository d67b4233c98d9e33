# /// script
# requires-python = ">=3.11"
# dependencies = ["pyarrow==26.0.1"]
# ///
"""Proves a dataset: every row has the columns of its format, roles in order, nothing empty, and nothing leaks."""

import json
from pathlib import Path

import forms
import pyarrow.parquet as pq
from flaws import Bad

SHOWN = 5  # examples of each flaw

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


# 1. The held-out side: what it says, what it asks, which groups it has.
texts, asked, groups = {}, set(), set()
for row in rows("test"):
    if examine(row):
        texts[forms.digest(row, form)] = texts.get(forms.digest(row, form), 0) + 1
        asked.add(tuple(forms.asked(row, form)))
        groups.add(key(row))

# 2. The other side against it.
told, shared = set(), set()
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
counts["overlap"] = len(shared)

for flaw, them in examples.items():
    print(f"{counts[flaw]:,} {flaw}:", *(json.dumps(each, ensure_ascii=False) for each in them), sep="\n  ")
Path("out/hygiene.json").write_text(json.dumps({"counts": counts, "examples": examples}, indent=2, ensure_ascii=False) + "\n")
Path("measures.json").write_text(json.dumps(counts))
