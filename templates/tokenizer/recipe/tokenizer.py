# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "protobuf", "pyarrow", {% if sentencepiece %}"sentencepiece", {% endif %}"tokenizers", "transformers"]
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

SOURCES = {{ sources }}
TOKENS = {
    "bos": {{ bos }},
    "eos": {{ eos }},
    "controls": {{ controls }},
    "begins": {{ begins }},
    "end_of_turn": {{ end_of_turn }},
}
FORM = {{ form }}
TEMPLATE = {{ template }}

home, out, text = Path("tmp/tokenizer"), Path("out"), Path("tmp/corpus.txt")
shutil.rmtree(home, ignore_errors=True)
home.mkdir(parents=True)

# the text that it learns from
given = corpus.write(text, SOURCES, most={{ spec.sample }}, seed={{ spec.seed }})
for source, size in zip(SOURCES, given, strict=True):
    print(f"{source['path']}: {size:,} bytes")
if not sum(given):
    raise SystemExit("there is no text to learn from: every source is empty")

# the template of chats, with marks for training; what it writes itself becomes pieces, too
{% if own %}
marked = Path("recipe/own.jinja").read_text()
{% else %}
marked = chat_templates.marked(TEMPLATE, begins=TOKENS["begins"])
{% endif %}
framing.add(text, chat_templates.unmarked(marked), TOKENS)

# the pieces
{% if spec.algorithm == "byte-bpe" %}
pieces.of_bytes(text, home, pre={{ pre }}, vocab={{ spec.vocab }}, tokens=TOKENS)
{% else %}
pieces.sentencepiece(
    text,
    home,
    tokens=TOKENS,
    seed={{ spec.seed }},
    model_type={{ spec.algorithm }},
    vocab_size={{ spec.vocab }},
    character_coverage={{ spec.coverage }},
    split_digits={{ spec.digits }},
)
{% endif %}
pieces.configure(home, form=FORM, tokens=TOKENS)

# with marks for training, without them for everybody else
tokenizer_files.write(home, out, marked, form=FORM, pre={{ pre }}, template=TEMPLATE, tokens=TOKENS)

{% if spec.licence %}
tokenizer_files.note(out, licence={{ spec.licence }})
{% endif %}

# what it is worth
measures = agreement.measure(out, text, form=FORM, begins=TOKENS["begins"])
for name, value in measures.items():
    print(f"{name}: {value:,.4g}")
Path("measures.json").write_text(json.dumps(measures))
