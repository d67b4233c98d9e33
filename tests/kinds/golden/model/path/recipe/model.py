# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""A model from a folder: its weights, its configuration, its tokenizer, each of them checked."""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # a folder that is not there is no name on a hub

import chat_templates
import folder
import rows
import tokenizer_files

CODE = False  # Python of the model's own

home = Path("in/path")

# the weights: all of them, and whole
folder.take(home, "out", code=CODE)

# the tokenizer, with a template for training beside the published one
tokenizer_files.adopt(home, "out", code=CODE)
tokenizer_files.note("out", licence="mit")

# further tokens: their rows begin as the mean of the others
rows.add("out", ["<|tool|>"], code=False)

# another chat template, and the token that ends an answer
first = tokenizer_files.leads_of("out")
marked = chat_templates.marked("qwen", begins=first)
tokens = {"controls": ["<|im_start|>", "<|im_end|>"], "end_of_turn": "<|im_end|>"}
tokenizer_files.speak("out", marked, template="qwen", tokens=tokens)

# what there is now
rows.check_ids("out")
measures = rows.measure("out")
print(f"{measures['parameters']:,} parameters in {measures['bytes']:,} bytes")
Path("measures.json").write_text(json.dumps(measures))
