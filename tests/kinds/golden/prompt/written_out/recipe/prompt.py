# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Writes down a persona: what stands before a question, and how answers are drawn."""

import json
import shutil
from pathlib import Path

import examples

turns = [["Bonjour", "Salut."], ["Qui ?", "Moi."]]

prompt = {
    "system": "Tu es Spinoza.\nRéponds à un lycéen.",
    "few_shot": examples.as_messages(turns),
    "sampling": {"temperature": 0.4, "top_p": 0.9, "max_tokens": 60, "stop": ["\n", "</s>"], "seed": 7},
    "arguments": {"date_string": "26 Jul 2024", "depth": 3, "enable_thinking": False, "share": 0.5, "word": "true"},
    "retrieval": True,
}

# the passages travel with it
shutil.copytree("in/retrieval", "out/retrieval")
Path("out/prompt.json").write_text(json.dumps(prompt, indent=2, ensure_ascii=False) + "\n")
