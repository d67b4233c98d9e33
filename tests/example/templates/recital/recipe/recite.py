# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Sorts the words of a corpus by how many bits a letter they take."""

import json
from math import log2
from pathlib import Path

from chances import read

ROOM = {{ inputs.base.words }}

table = json.loads(Path("in/source/table.json").read_text())
letters, order = table["letters"], table["order"]
rows, count = read(Path("in/source"))


def bits(word):
    """The mean of a word's letters and its end."""
    padded = letters[-1] * order + word + letters[-1]
    seen = [(rows.get(padded[at : at + order]), padded[at + order]) for at in range(len(word) + 1)]
    return sum(-log2(row[letters.index(letter)]) if row else log2(count) for row, letter in seen) / len(seen)


words = Path("in/base/words.txt").read_text().split()[:ROOM]
Path("out/words.txt").write_text("".join(f"{word}\n" for word in sorted(words, key=lambda word: (bits(word), word))))
Path("measures.json").write_text(json.dumps({"words": len(words)}))
