# /// script
# requires-python = ">=3.11"
# dependencies = ["pyarrow==26.0.1"]
# ///
"""Writes down a persona: what stands before a question, and how answers are drawn."""

import json
from pathlib import Path

import examples

turns = examples.of_dataset("in/few_shot", most=2)

prompt = {
    "system": "One.",
    "few_shot": examples.as_messages(turns),
    "sampling": {},
    "arguments": {},
    "retrieval": False,
}
Path("out/prompt.json").write_text(json.dumps(prompt, indent=2, ensure_ascii=False) + "\n")
