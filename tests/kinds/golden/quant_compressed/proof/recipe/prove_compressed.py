# /// script
# requires-python = ">=3.11"
# [tool.zyc]
# environment = "recipe/llmcompressor.txt"
# ///
"""Holds a model that llmcompressor rounded, as transformers runs it, against the model that it was made of: token ids, chats, chances."""

import json
import sys
import tempfile
from pathlib import Path

import held_out
import layerwise
import numpy as np
import telling
import tokenizer_copies
import torch
from divergence import Distance
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

# The tokens that chances are compared on, and of one text at most.
POSITIONS, CONTEXT = 6000, 512
# A dataset that the model stands on, if there is one.
CHATS = None

telling.hush()
model, subject = Path("in/model"), Path("in/subject")
if not (model / "config.json").is_file():
    sys.exit("error: in/model is no model: it has no config.json")
if "quantization_config" not in json.loads((subject / "config.json").read_text()):
    sys.exit("error: in/subject is not quantized: its config.json says nothing of it")
tokenizer = AutoTokenizer.from_pretrained(model)
context = min(CONTEXT, getattr(AutoConfig.from_pretrained(model), "max_position_embeddings", CONTEXT))
texts = held_out.pick(CHATS, model, tokenizer, most=POSITIONS, context=context)
print(f"{len(texts.texts)} texts, {texts.positions:,} tokens: {texts.source}")

# What transformers expects of each next token, in 32 bits.
telling.event(step=0, of=3)
kept = tempfile.TemporaryDirectory()
for at, found in enumerate(layerwise.logits(model, [text.ids for text in texts.texts])):
    np.save(f"{kept.name}/{at}.npy", found.numpy())

# What it expects once it is rounded: all tokens, and those that the assistant says.
telling.event(step=1, of=3)
rounded, everything, assistant = AutoModelForCausalLM.from_pretrained(subject, dtype=torch.float32).eval(), Distance(), Distance()


def logits(ids):
    """Of every position of a text."""
    with torch.inference_mode():
        return rounded(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().numpy()


for at, text in enumerate(texts.texts):
    one, other = np.load(f"{kept.name}/{at}.npy"), logits(text.ids)
    everything.add(one, other)
    # the chances of a token stand at the one before it
    said = np.flatnonzero(text.said[1:])
    if len(said):
        assistant.add(one[said], other[said])
kept.cleanup()

# Texts and chats, by two readers of the files beside it.
telling.event(step=2, of=3)
tokens = tokenizer_copies.tokens(tokenizer, subject)
same, chats = tokenizer_copies.chats(tokenizer, subject)

measures = {
    "same_tokens": tokens.share,
    "same_template": same,
    "kl": everything.kl,
    "kl.assistant": assistant.kl if assistant.positions else None,
    "kl_max": everything.largest,
    "top1": everything.top1,
    "top1.assistant": assistant.top1 if assistant.positions else None,
}
report = {"texts": tokens.examples, "chats": chats, "on": texts.source}
report |= {"compared": {"positions": everything.positions, "assistant": assistant.positions}, **measures}
Path("out/fidelity.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}" if value is not None else f"{name}: nothing to measure")
