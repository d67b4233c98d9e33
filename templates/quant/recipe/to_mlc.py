# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "transformers"]
# ///
"""Writes a model for MLC and its browsers: the configuration with its conversation here, the weights by the program of MLC."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import bases
import mlc_config
import mlc_conversation
import mlc_weights
import telling

# What MLC calls the type.
TYPE = {{ type }}

source, out = bases.folder("in/model"), Path("out")
tokenizer = bases.tokenizer(source)
card = json.loads((source / "zyc.json").read_text()) if (source / "zyc.json").exists() else {}

# the conversation: MLC knows no Jinja, and a template that it cannot say is refused before any weight is read
try:
    conversation, systems = mlc_conversation.derive(tokenizer, card.get("end_of_turn") or "")
except mlc_conversation.Unsayable as error:
    sys.exit(f"error: MLC cannot render chats as this model's template does: {error}")
print(f"a chat may begin with a system: {systems}")
bases.copy_tokenizer(source, out)
mlc_config.write(source, out, tokenizer, conversation, TYPE)
(out / "card.json").write_text(json.dumps({"systems": systems}, indent=2) + "\n")

# the weights
program = shutil.which("mlc_llm")
if program is None:
    sys.exit(
        "error: the program `mlc_llm` is not here: it converts the weights\n"
        "help: its makers publish it as wheels of their own; install it in an environment of its own, and put `mlc_llm` on PATH"
    )
done = subprocess.run([program, "convert_weight", str(source), "--quantization", TYPE, "--output", str(out)], check=False)
if done.returncode:
    sys.exit(f"error: `mlc_llm convert_weight` ended with {done.returncode}")
for flaw in mlc_weights.flaws(out):
    sys.exit(f"error: {flaw}")

size, before = mlc_weights.size(out), sum(path.stat().st_size for path in source.glob("*.safetensors"))
print(f"{TYPE}: {size:,} bytes; it was {before:,}")
telling.measure({"bytes": size, "size.reduction": 1 - size / before})
