# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "protobuf==7.36.2", "pyarrow==26.0.1", "sentencepiece==0.2.3", "tokenizers==0.23.3", "transformers==5.23.0"]
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

SOURCES = [{"path": "in/corpus/0", "weight": 0.8, "suffix": ".txt"}, {"path": "in/corpus/1", "weight": 0.2, "suffix": ".jsonl"}]
TOKENS = {
    "bos": "<s>",
    "eos": "</s>",
    "controls": ["<|im_start|>", "<|im_end|>", "<|tool|>"],
    "begins": 1,
    "end_of_turn": "<|im_end|>",
}
FORM = "sentencepiece-bpe"
TEMPLATE = "chatml"

home, out, text = Path("tmp/tokenizer"), Path("out"), Path("tmp/corpus.txt")
shutil.rmtree(home, ignore_errors=True)
home.mkdir(parents=True)

# the text that it learns from
given = corpus.write(text, SOURCES, most=2000000000, seed=3)
for source, size in zip(SOURCES, given, strict=True):
    print(f"{source['path']}: {size:,} bytes")
if not sum(given):
    raise SystemExit("there is no text to learn from: every source is empty")

# the template of chats, with marks for training; what it writes itself becomes pieces, too
marked = chat_templates.marked(TEMPLATE, begins=TOKENS["begins"])
framing.add(text, chat_templates.unmarked(marked), TOKENS)

# the pieces
pieces.sentencepiece(
    text,
    home,
    tokens=TOKENS,
    seed=3,
    model_type="bpe",
    vocab_size=10000,
    character_coverage=0.9995,
    split_digits=True,
)
pieces.configure(home, form=FORM, tokens=TOKENS)

# with marks for training, without them for everybody else
tokenizer_files.write(home, out, marked, form=FORM, pre=None, template=TEMPLATE, tokens=TOKENS)

tokenizer_files.note(out, licence="cc0-1.0")

# what it is worth
measures = agreement.measure(out, text, form=FORM, begins=TOKENS["begins"])
for name, value in measures.items():
    print(f"{name}: {value:,.4g}")
Path("measures.json").write_text(json.dumps(measures))
