# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "numpy==2.4.6",
#   "pyarrow==26.0.1",
#   "faiss-cpu==1.15.1",
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
    {"type": "dataset", "at": "from/0", "weight": None},
]
FORMAT = "auto"
PER = "document"
MAP = {}
MAX_BAD = 0
SEED = 0

# What is done to them, in this order.
CLEAN = [
    ("decontaminate", {"at": "clean/0"}),
]

# The prompts that they are put under once they are clean, and the column that says which.
SERVED = {"labels": ["read", "talk"], "by": "kind"}

# How they are split, and how many are kept.
SPLIT = {"test": 0.0, "stratify": [], "group": [], "seed": 0}
CAP = None
TOKENIZER = ""
LICENCE = ""


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
    operations, size = making.prepared(CLEAN, SOURCES, SEED, SERVED), sum(each.size for each in sources)
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
