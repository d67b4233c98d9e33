# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Puts passages where their first word finds them."""

import json
from pathlib import Path

passages = [line for line in Path("in/passages").read_text().splitlines() if line]
Path("out/index.json").write_text(json.dumps({line.split()[0]: line for line in passages}))
