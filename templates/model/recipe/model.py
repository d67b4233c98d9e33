# /// script
# requires-python = ">=3.11"
# dependencies = [{% if spec.hub %}"huggingface-hub", {% endif %}"jinja2", "protobuf", "safetensors", "sentencepiece", "torch", "transformers"]
# ///
{% if spec.scratch %}
"""A new model: its shape, its first weights, the tokenizer that it is given."""
{% elif spec.hub %}
"""A model of a hub at one commit: its weights, its configuration, its tokenizer, each of them checked."""
{% else %}
"""A model from a folder: its weights, its configuration, its tokenizer, each of them checked."""
{% endif %}

import json
{% if not spec.hub %}
import os
{% endif %}
from pathlib import Path

{% if not spec.hub %}
os.environ["HF_HUB_OFFLINE"] = "1"  # a folder that is not there is no name on a hub

{% endif %}
{% if spec.scratch %}
import first_weights
import rows
import tokenizer_files
import torch
from transformers import AutoTokenizer
{% if family == "Llama" %}
from transformers import LlamaConfig as Config
from transformers import LlamaForCausalLM as Causal
{% elif family == "Mistral" %}
from transformers import MistralConfig as Config
from transformers import MistralForCausalLM as Causal
{% elif family == "Qwen2" %}
from transformers import Qwen2Config as Config
from transformers import Qwen2ForCausalLM as Causal
{% elif family == "Qwen3" %}
from transformers import Qwen3Config as Config
from transformers import Qwen3ForCausalLM as Causal
{% else %}
from transformers import GemmaConfig as Config
from transformers import GemmaForCausalLM as Causal
{% endif %}

# the tokenizer: its special tokens belong into the configuration
tokenizer = AutoTokenizer.from_pretrained("in/tokenizer")
rows.check(tokenizer, {{ facts.vocabulary }})

# the shape
config = Config(
    vocab_size={{ facts.vocabulary }},
    num_hidden_layers={{ facts.layers }},
    hidden_size={{ facts.width }},
    intermediate_size={{ facts.mlp }},
    num_attention_heads={{ facts.heads }},
    num_key_value_heads={{ facts.kv_heads }},
{% if family != "Qwen2" %}
    head_dim={{ facts.head_size }},
{% endif %}
{% if family == "Mistral" %}
    sliding_window={{ facts.window }},
{% endif %}
{% if family == "Gemma" %}
    hidden_activation="gelu_pytorch_tanh",
{% endif %}
    max_position_embeddings={{ facts.context }},
    rope_parameters={"rope_type": "default", "rope_theta": {{ spec.scratch.rope }}},
    tie_word_embeddings={{ facts.tied }},
    initializer_range={{ spec.scratch.deviation }},
    bos_token_id=tokenizer.bos_token_id,
    eos_token_id=tokenizer.eos_token_id,
    pad_token_id=tokenizer.pad_token_id,
)

# the first weights
torch.manual_seed({{ spec.seed }})
model = Causal(config)
{% if spec.scratch.init == "copying" %}
first_weights.copying(model)
{% endif %}
{% if spec.scratch.dtype == "bf16" %}
model.to(torch.bfloat16)
{% elif spec.scratch.dtype == "fp16" %}
model.to(torch.float16)
{% endif %}
model.save_pretrained("out")
tokenizer_files.copy("in/tokenizer", "out")
{% else %}
{% if spec.chat_template %}
import chat_templates
{% endif %}
import folder
{% if spec.hub %}
import hub
{% endif %}
import rows
import tokenizer_files

CODE = {{ spec.trust_remote_code }}  # Python of the model's own
{% if spec.hub %}

# what is not in the hub cache yet
home = hub.fetch({{ need }}, {{ commit }}, folder.patterns(code=CODE), whole=folder.is_whole, token={{ token }})
{% else %}

home = Path("in/path")
{% endif %}

# the weights: all of them, and whole
{% if spec.hub %}
folder.take(home, "out", code=CODE, share=True)  # nobody ever writes a file of the hub cache again
{% else %}
folder.take(home, "out", code=CODE)
{% endif %}

# the tokenizer, with a template for training beside the published one
tokenizer_files.adopt(home, "out", code=CODE)
{% endif %}
{% if spec.licence %}
tokenizer_files.note("out", licence={{ spec.licence }})
{% endif %}
{% if spec.add_tokens %}

# further tokens: their rows begin as the mean of the others
rows.add("out", {{ spec.add_tokens }}, code={{ spec.trust_remote_code }})
{% endif %}
{% if spec.chat_template %}

# another chat template, and the token that ends an answer
first = tokenizer_files.leads_of("out")
{% if own %}
marked = Path("recipe/own.jinja").read_text()
{% else %}
marked = chat_templates.marked({{ spec.chat_template }}, begins=first)
{% endif %}
tokens = {"controls": {{ controls }}, "end_of_turn": {{ end_of_turn }}}
tokenizer_files.speak("out", marked, template={{ template }}, tokens=tokens)
{% endif %}

# what there is now
rows.check_ids("out")
measures = rows.measure("out")
print(f"{measures['parameters']:,} parameters in {measures['bytes']:,} bytes")
Path("measures.json").write_text(json.dumps(measures))
