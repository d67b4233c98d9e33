# /// script
# requires-python = ">=3.11"
# dependencies = [{% if spec.few_shot.node %}"pyarrow"{% endif %}]
# ///
"""Writes down a persona: what stands before a question, and how answers are drawn."""

import json
{% if spec.retrieval %}
import shutil
{% endif %}
from pathlib import Path

import examples

{% if spec.few_shot.node %}
turns = examples.of_dataset("in/few_shot", most={{ spec.few_shot.most }})
{% else %}
turns = {{ turns }}
{% endif %}

prompt = {
    "system": {{ spec.system }},
    "few_shot": examples.as_messages(turns),
    "sampling": {{ sampling }},
    "arguments": {{ arguments }},
    "retrieval": {{ retrieves }},
}
{% if spec.retrieval %}

# the passages travel with it
shutil.copytree("in/retrieval", "out/retrieval")
{% endif %}
Path("out/prompt.json").write_text(json.dumps(prompt, indent=2, ensure_ascii=False) + "\n")
