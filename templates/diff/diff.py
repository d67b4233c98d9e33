# /// script
# requires-python = ">=3.11"
# dependencies = ["gguf", "numpy", "safetensors", "torch"]
# ///
"""Holds two models against each other, tensor by tensor, and finds the hop at which each difference was made."""

import json
from pathlib import Path

import settings
import tensors

told = json.loads(Path("diff.json").read_text(encoding="utf-8"))
path = told["path"]  # from the first model to the second one, over what both were made of
sources = [tensors.opened(each["path"]) for each in path]
named = tensors.alike(sources)

rows = []
for at, name in enumerate(named.names):
    if at % 50 == 0:
        print(f"{at:,} of {len(named.names):,} tensors", flush=True)
    rows.append(tensors.row(named, name, [each["hop"] for each in path]))

first, last = path[0]["path"], path[-1]["path"]
made = {"tensors": rows, "settings": settings.differences(Path(first), Path(last))}
Path("differences.new").write_text(json.dumps(made, ensure_ascii=False, indent=1), encoding="utf-8")
Path("differences.new").rename("differences.json")  # last: it is there whole, or not at all
