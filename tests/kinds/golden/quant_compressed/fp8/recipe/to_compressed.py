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
import telling
import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier as Modifier
from transformers import AutoModelForCausalLM

# How weights are rounded, and what flows between them, in the words of llmcompressor; the output stays as it is.
SCHEME = "FP8_DYNAMIC"
# The class of machine that it is for, where the spec says so.
MACHINE = "h100"

source = bases.folder("in/model")
model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
before = sum(each.numel() * each.element_size() for each in model.parameters())
way = [Modifier(targets=["Linear"], scheme=SCHEME, ignore=["lm_head"])]
oneshot(model=model, recipe=way)
model.save_pretrained("out", save_compressed=True)

Path("out/recipe.yaml").unlink(missing_ok=True)  # this script says it

# the tokenizer and its templates travel with it, as they are
bases.copy_tokenizer(source, "out")
Path("out/quantized.json").write_text(json.dumps({"scheme": SCHEME, "for": MACHINE}, indent=2) + "\n")
size = sum(path.stat().st_size for path in Path("out").glob("*.safetensors"))
print(f"{SCHEME}: {size:,} bytes; it was {before:,}")
telling.measure({"bytes": size, "size.reduction": 1 - size / before})
