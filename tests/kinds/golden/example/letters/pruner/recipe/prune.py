# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Drops the rarest contexts of a table."""

import json
from pathlib import Path

KEEP = 0.75

table = json.loads(Path("in/base/table.json").read_text())
often = sorted(table["rows"], key=lambda context: (-sum(table["rows"][context].values()), context))
kept = set(often[: max(1, round(KEEP * len(often)))])
table["rows"] = {context: row for context, row in table["rows"].items() if context in kept}
Path("out/table.json").write_text(json.dumps(table))
Path("measures.json").write_text(json.dumps({"contexts": len(kept)}))
