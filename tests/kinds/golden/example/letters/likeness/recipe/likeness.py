# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Holds what was made of a table against the table."""

import json
from pathlib import Path

from chances import read

subject, letters = read(Path("in/subject"))
against, _ = read(Path("in/against"))
unknown = [1 / letters] * letters
pairs = [(one, two) for context, row in against.items() for one, two in zip(subject.get(context, unknown), row, strict=True)]
told = {"divergence": max(abs(one - two) for one, two in pairs)}
Path("out/likeness.json").write_text(json.dumps(told))
Path("measures.json").write_text(json.dumps(told))
