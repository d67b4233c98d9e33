# /// script
# requires-python = ">=3.11"
# dependencies = ["faiss-cpu", "numpy", "pyarrow"{% if not hashing %}, "torch", "transformers"{% endif %}]
# ///
"""Proves an index: every letter of every document is in a passage, and each passage is found by its own text."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import retrieving
import texts

ASKED = 1000  # passages that are looked up
ALIKE = 1e-5  # scores that differ by less are equal
SHOWN = 5

index = retrieving.Index("in/subject")
documents = Path("in/against")
examples = {"uncovered": [], "unfound": []}

# 1. The passages of each row, and whether they say what stands there.
held = {}
for each in index.passages:
    held.setdefault((each["file"], each["row"]), []).append(each)


def covered(text, passages):
    """Whether every letter of a text is in a passage, and every passage is a piece of the text."""
    seen = bytearray(len(text))
    for each in passages:
        if text[each["start"] : each["end"]] != each["text"]:
            return False
        seen[each["start"] : each["end"]] = b"\1" * len(each["text"])
    return all(there or letter.isspace() for there, letter in zip(seen, text, strict=True))


rows, whole = 0, 0
for path in sorted(documents.glob("*/*.parquet")):
    at = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=256):
        for row in batch.to_pylist():
            text, key = "\n".join(texts.of_row(row)), (path.relative_to(documents).as_posix(), at)
            rows, at = rows + 1, at + 1
            if covered(text, held.pop(key, ())):
                whole += 1
            elif len(examples["uncovered"]) < SHOWN:
                examples["uncovered"].append({"file": key[0], "row": key[1], "text": text[:200]})
strange = sum(len(each) for each in held.values())  # passages of rows that are not there

# 2. Each passage by its own text.
asked = index.passages[:: -(-len(index.passages) // ASKED)]
first = 0
for each, hits in zip(asked, index.find_each([each["text"] for each in asked], index.top), strict=True):
    best = [hit.text for hit in hits if hit.score >= hits[0].score - ALIKE]
    if each["text"] in best:
        first += 1
    elif len(examples["unfound"]) < SHOWN:
        examples["unfound"].append({"text": each["text"][:200], "found": hits[0].text[:200]})

covers = whole / rows if rows and not strange else 0.0
measures = {"rows": rows, "covered": covers, "found": first / len(asked) if asked else 0.0}
if strange:
    print(f"{strange:,} passages are of rows that are not there")
for flaw, them in examples.items():
    for each in them:
        print(flaw, json.dumps(each, ensure_ascii=False))
for name, value in measures.items():
    print(f"{name}: {value:,.4g}")
Path("out/coverage.json").write_text(json.dumps({**measures, **examples}, indent=2, ensure_ascii=False) + "\n")
Path("measures.json").write_text(json.dumps(measures))
