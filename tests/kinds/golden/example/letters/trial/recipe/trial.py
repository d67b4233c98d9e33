# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Tries a matrix on some words."""

import json
from pathlib import Path

from spelling import bits

WORDS = ["ban", "can"]

matrix = json.loads(Path("in/model/matrix.json").read_text())
spent = [each for word in WORDS for each in bits(matrix, word)]
told = {"bits": sum(spent) / len(spent)}
Path("out/trial.json").write_text(json.dumps(told))
Path("measures.json").write_text(json.dumps(told))
