# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate", "jinja2", "numpy", "onnxruntime"{% if chats %}, "pyarrow"{% endif %}, "safetensors", "tokenizers", "torch", "transformers"]
# ///
"""Holds an ONNX model, as onnxruntime runs it, against the model that it was made of: token ids, chats, chances."""

import json
import sys
import tempfile
from pathlib import Path

import held_out
import layerwise
import numpy as np
import telling
import tokenizer_copies
from divergence import Distance
from onnx_session import Session
from transformers import AutoConfig, AutoTokenizer

# The tokens that chances are compared on, and of one text at most.
POSITIONS, CONTEXT = {{ positions }}, 512
# A dataset that the model stands on, if there is one.
{% if chats %}
CHATS = Path("in/chats")
{% else %}
CHATS = None
{% endif %}

telling.hush()
model, subject = Path("in/model"), Path("in/subject")
if not (model / "config.json").is_file():
    sys.exit("error: in/model is no model: it has no config.json")
if not (subject / "model.onnx").is_file():
    sys.exit("error: in/subject is no ONNX model: it has no model.onnx")
tokenizer = AutoTokenizer.from_pretrained(model)
context = min(CONTEXT, getattr(AutoConfig.from_pretrained(model), "max_position_embeddings", CONTEXT))
texts = held_out.pick(CHATS, model, tokenizer, most=POSITIONS, context=context)
print(f"{len(texts.texts)} texts, {texts.positions:,} tokens: {texts.source}")

# What transformers expects of each next token, in 32 bits.
telling.event(step=0, of=3)
kept = tempfile.TemporaryDirectory()
for at, found in enumerate(layerwise.logits(model, [text.ids for text in texts.texts])):
    np.save(f"{kept.name}/{at}.npy", found.numpy())

# What onnxruntime expects: all tokens, and those that the assistant says.
telling.event(step=1, of=3)
session, everything, assistant = Session(subject / "model.onnx"), Distance(), Distance()
for at, text in enumerate(texts.texts):
    one, other = np.load(f"{kept.name}/{at}.npy"), session.logits(text.ids)
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
