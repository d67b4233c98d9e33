# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "protobuf", "safetensors", "sentencepiece", "torch", "transformers"]
# ///
"""Looks whether a model is all there: every tensor, every number, a row for every token."""

import json
from pathlib import Path

import wholeness

MODEL = "in/subject"

found = wholeness.tensors(MODEL)
missing = wholeness.missing(MODEL, found)
broken = [name for name, each in found.items() if not each["finite"]]
rowless = wholeness.rowless(MODEL, found)

for what, names in (("missing", missing), ("not finite", broken), ("without a row", rowless)):
    for name in names[:20]:
        print(f"{what}: {name}")

measures = {"tensors": len(found), "missing": len(missing), "broken": len(broken), "rowless": len(rowless)}
Path("out/integrity.json").write_text(json.dumps({"missing": missing, "broken": broken, "rowless": rowless}, indent=2) + "\n")
Path("measures.json").write_text(json.dumps(measures))
