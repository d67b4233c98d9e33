# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface-hub==2.4.0", "jinja2==3.1.6", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""A model of a hub at one commit: its weights, its configuration, its tokenizer, each of them checked."""

import json
from pathlib import Path

import folder
import hub
import rows
import tokenizer_files

CODE = True  # Python of the model's own

# what is not in the hub cache yet
home = hub.fetch("me/model", "1111111111111111111111111111111111111111", folder.patterns(code=CODE), whole=folder.is_whole, token="LETTER_TOKEN")

# the weights: all of them, and whole
folder.take(home, "out", code=CODE, share=True)  # nobody ever writes a file of the hub cache again

# the tokenizer, with a template for training beside the published one
tokenizer_files.adopt(home, "out", code=CODE)

# what there is now
rows.check_ids("out")
measures = rows.measure("out")
print(f"{measures['parameters']:,} parameters in {measures['bytes']:,} bytes")
Path("measures.json").write_text(json.dumps(measures))
