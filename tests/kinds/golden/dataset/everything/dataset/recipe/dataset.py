# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "numpy==2.4.6",
#   "pyarrow==26.0.1",
#   "ftfy==6.3.1",
#   "lingua-language-detector==2.1.1",
# ]
# ///
"""Makes a dataset: reads rows, brings them into one form, cleans and splits them, and writes shards and a card."""

import json
from pathlib import Path

import card
import making
import passes
from flaws import BadRows, Unusable, stop

# Where rows come from.
SOURCES = [
    {"type": "files", "at": "from/0", "kind": "jsonl", "weight": 0.7},
    {"type": "dataset", "at": "from/1", "weight": 0.3},
    {"type": "grammar", "count": 60, "balance": {"form": {"add_todo": 50.0, "open_app": 10.0}}, "holdout": {"slots": ["open", "app"], "share": 0.2, "combinations": [], "seed": 1}, "side": "both", "copies": None, "seed": 2},
]
FORMAT = "messages"
PER = "document"
MAP = {"kind": {"value": "it's \"so\""}, "topic": {"column": "meta.topic"}}
MAX_BAD = 3
SEED = 0

# What is done to them, in this order.
CLEAN = [
    ("unicode", "nfc"),
    ("mojibake", True),
    ("html", True),
    ("length", {"min": 10, "max": 4000}),
    ("language", {"keep": ["fr", "en"], "among": ["fr", "en", "de"], "sure": 0.0}),
    ("quality", {"words": 2, "letters": 0.5, "word_length": 20.0, "repeated_lines": 0.5, "repeated_words": 0.6}),
    ("redact", [{"what": "email"}, {"what": "phone"}, {"what": "iban"}, {"pattern": "\\d{16}", "instead": "<CARD>"}]),
    ("duplicates", {"by": "exact", "similarity": 0.8}),
    ("duplicates", {"by": "minhash", "similarity": 0.9}),
    ("decontaminate", {"at": "clean/9"}),
]

# How they are split, and how many are kept.
SPLIT = {"test": 0.1, "stratify": ["topic"], "group": ["topic", "kind"], "seed": 7}
CAP = 10000
TOKENIZER = ""
LICENCE = "cc-by-4.0"


def main():
    workers = json.loads(Path("placement/settings.json").read_text())["cpus"]
    bad = BadRows(MAX_BAD)

    # 1. Read every source, row by row, and bring each row into one form.
    sources = making.opened(SOURCES, given=FORMAT, per=PER, changes=MAP)
    form = making.common_form(sources)

    # 2. Clean: each operation in turn, each with its count and an example.
    stage = passes.Stage(
        form, [each.form for each in sources], MAP, group=SPLIT["group"], stratify=SPLIT["stratify"], tokenizer=TOKENIZER
    )
    operations, size = making.prepared(CLEAN, SOURCES, SEED), sum(each.size for each in sources)
    clean = passes.run(making.records(sources), operations, stage, bad=bad, workers=workers, size=size)

    # 3. Split: groups stay whole, strata keep their share; then cut down to the cap.
    sides = making.sides(clean, SPLIT)
    kept = making.capped(clean, sides, CAP, SPLIT["seed"])

    # 4. Write the shards, then what is known of them.
    made = making.written(clean, sides, kept, sources=sources, form=form, stratify=SPLIT["stratify"], tokenizer=TOKENIZER)
    card.measure(made.measures(bad))
    card.write(made.card(bad, split=SPLIT, licence=LICENCE))
    print(made.sentence())


if __name__ == "__main__":
    try:
        main()
    except Unusable as error:
        stop(str(error))
