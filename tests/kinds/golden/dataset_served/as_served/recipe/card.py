"""What a dataset is, in numbers and in a few examples: its card, and its measures."""

import json
import re
from collections import Counter
from pathlib import Path

import forms
import numpy as np

MOST_VALUES = 50  # of a column whose balance is told
SAMPLES = 3


class Balance:
    """How often each value of a column occurs, for columns of few values."""

    def __init__(self, always=()):
        self.always, self.counts, self.closed = {*always}, {}, set()

    def add(self, row, own):
        """Count one row; `own` are the columns of its form."""
        for column, value in row.items():
            if column in own or column in self.closed:
                continue
            if not isinstance(value, str | int | bool) or (isinstance(value, str) and len(value) > 60):
                self._close(column)
                continue
            counts = self.counts.setdefault(column, Counter())
            counts[value] += 1
            if len(counts) > MOST_VALUES:
                self._close(column)

    def _close(self, column):
        if column not in self.always:
            self.closed.add(column)
            self.counts.pop(column, None)

    def measures(self):
        """`balance.COLUMN.VALUE`, in words that a gate can name."""
        told = {}
        for column, counts in sorted(self.counts.items()):
            for value, count in sorted(counts.items(), key=lambda each: str(each[0])):
                name = f"balance.{word(column)}.{word(value)}"
                told[name] = told.get(name, 0) + count
        return told


def word(value):
    """A value as a part of the name of a measure."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^\w-]+", "_", text).strip("_") or "_"


def lengths(values, *, exact):
    """How long rows are, in tokens."""
    if not len(values):
        return {"unit": "tokens", "counted": exact, "sum": 0}
    p50, p90, p99 = (int(each) for each in np.percentile(values, [50, 90, 99], method="higher"))
    told = {"sum": int(values.sum(dtype=np.int64)), "mean": round(float(values.mean()), 1)}
    how = "counted with the tokenizer" if exact else "a quarter of the bytes of the texts: an estimate"
    return {"unit": "tokens", "counted": exact, "how": how, **told, "p50": p50, "p90": p90, "p99": p99, "max": int(values.max())}


def places(rows, count=SAMPLES):
    """The numbers of rows to show: spread over all of them."""
    count = min(count, rows)
    return sorted({round(at * (rows - 1) / max(1, count - 1)) for at in range(count)})


def sample(row, form, tokenizer):
    """A row as text: as the trainer will see it where there is a tokenizer, what is trained between ⟦ and ⟧."""
    if tokenizer:
        from tokens import marked

        return marked(row, form, tokenizer)
    return forms.shown(row, form)


def write(told):
    """The card, readable and in one spelling."""
    Path("out/card.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def measure(told):
    """The numbers that gates are about."""
    Path("measures.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
