# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Writes out every chance that a table of counts stands for."""

import json
from pathlib import Path

DIGITS = 6

table = json.loads(Path("in/source/table.json").read_text())
letters, smoothing = table["letters"], table["smoothing"]


def chances(row):
    """One chance a letter."""
    total = sum(row.values()) + smoothing * len(letters)
    return [round((row.get(letter, 0) + smoothing) / total, DIGITS) for letter in letters]


rows = {context: chances(row) for context, row in table["rows"].items()}
Path("out/matrix.json").write_text(json.dumps({"order": table["order"], "letters": letters, "rows": rows}))
