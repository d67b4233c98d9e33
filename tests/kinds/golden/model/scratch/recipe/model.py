# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""A new model: its shape, its first weights, the tokenizer that it is given."""

import json
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # a folder that is not there is no name on a hub

import first_weights
import rows
import tokenizer_files
import torch
from transformers import AutoTokenizer
from transformers import GemmaConfig as Config
from transformers import GemmaForCausalLM as Causal

# the tokenizer: its special tokens belong into the configuration
tokenizer = AutoTokenizer.from_pretrained("in/tokenizer")
rows.check(tokenizer, 400)

# the shape
config = Config(
    vocab_size=400,
    num_hidden_layers=3,
    hidden_size=64,
    intermediate_size=256,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    hidden_activation="gelu_pytorch_tanh",
    max_position_embeddings=128,
    rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    tie_word_embeddings=True,
    initializer_range=0.02,
    bos_token_id=tokenizer.bos_token_id,
    eos_token_id=tokenizer.eos_token_id,
    pad_token_id=tokenizer.pad_token_id,
)

# the first weights
torch.manual_seed(3)
model = Causal(config)
first_weights.copying(model)
model.to(torch.bfloat16)
model.save_pretrained("out")
tokenizer_files.copy("in/tokenizer", "out")

# what there is now
rows.check_ids("out")
measures = rows.measure("out")
print(f"{measures['parameters']:,} parameters in {measures['bytes']:,} bytes")
Path("measures.json").write_text(json.dumps(measures))
