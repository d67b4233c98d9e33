# /// script
# requires-python = ">=3.11"
# [tool.zyc]
# environment = "recipe/llmcompressor.txt"
# ///
"""Rounds the weights of a model for accelerators, with llmcompressor, whose environment is a list of its own beside this script."""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import bases
import calibrated
import telling
import torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import GPTQModifier as Modifier
from transformers import AutoModelForCausalLM

# How weights are rounded, and what flows between them, in the words of llmcompressor; the output stays as it is.
SCHEME = "W8A8"
# The class of machine that it is for, where the spec says so.
MACHINE = None
# How many texts it looks at, and how many tokens of each.
ROWS, LENGTH = 256, 1024

source = bases.folder("in/model")
model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
before = sum(each.numel() * each.element_size() for each in model.parameters())
way = [Modifier(targets=["Linear"], scheme=SCHEME, ignore=["lm_head"])]
rows = calibrated.rows(Path("in/calibration"), source, bases.tokenizer(source), most=ROWS, length=LENGTH)
print(f"{len(rows)} texts to calibrate on")
oneshot(
    model=model,
    recipe=way,
    dataset=Dataset.from_list(rows),
    max_seq_length=LENGTH,
    num_calibration_samples=len(rows),
    shuffle_calibration_samples=False,
)
model.save_pretrained("out", save_compressed=True)

Path("out/recipe.yaml").unlink(missing_ok=True)  # this script says it

# the tokenizer and its templates travel with it, as they are
bases.copy_tokenizer(source, "out")
Path("out/quantized.json").write_text(json.dumps({"scheme": SCHEME, "for": MACHINE}, indent=2) + "\n")
size = sum(path.stat().st_size for path in Path("out").glob("*.safetensors"))
print(f"{SCHEME}: {size:,} bytes; it was {before:,}")
telling.measure({"bytes": size, "size.reduction": 1 - size / before})
