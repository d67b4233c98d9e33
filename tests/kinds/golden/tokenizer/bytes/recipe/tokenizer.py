# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "protobuf==7.36.2", "pyarrow==26.0.1", "tokenizers==0.23.3", "transformers==5.23.0"]
# ///
"""Learns a tokenizer from text, and shows that its readers agree."""

import json
import shutil
from pathlib import Path

import agreement
import chat_templates
import corpus
import framing
import pieces
import tokenizer_files

SOURCES = [{"path": "in/corpus/0", "weight": None, "suffix": ".txt"}]
TOKENS = {
    "bos": "<s>",
    "eos": "</s>",
    "controls": ["<|end|>"],
    "begins": 1,
    "end_of_turn": "<|end|>",
}
FORM = "byte-bpe"
TEMPLATE = "own"

home, out, text = Path("tmp/tokenizer"), Path("out"), Path("tmp/corpus.txt")
shutil.rmtree(home, ignore_errors=True)
home.mkdir(parents=True)

# the text that it learns from
given = corpus.write(text, SOURCES, most=None, seed=0)
for source, size in zip(SOURCES, given, strict=True):
    print(f"{source['path']}: {size:,} bytes")
if not sum(given):
    raise SystemExit("there is no text to learn from: every source is empty")

# the template of chats, with marks for training; what it writes itself becomes pieces, too
marked = Path("recipe/own.jinja").read_text()
framing.add(text, chat_templates.unmarked(marked), TOKENS)

# the pieces
pieces.of_bytes(text, home, pre="qwen2", vocab=600, tokens=TOKENS)
pieces.configure(home, form=FORM, tokens=TOKENS)

# with marks for training, without them for everybody else
tokenizer_files.write(home, out, marked, form=FORM, pre="qwen2", template=TEMPLATE, tokens=TOKENS)


# what it is worth
measures = agreement.measure(out, text, form=FORM, begins=TOKENS["begins"])
for name, value in measures.items():
    print(f"{name}: {value:,.4g}")
Path("measures.json").write_text(json.dumps(measures))
