# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "numpy",
#   "pyarrow",
{% if uses.ftfy %}
#   "ftfy",
{% endif %}
{% if uses.lingua %}
#   "lingua-language-detector",
{% endif %}
{% if uses.pypdf %}
#   "pypdf",
{% endif %}
{% if uses.hub %}
#   "datasets",
#   "huggingface-hub",
{% endif %}
{% if uses.faiss %}
#   "faiss-cpu",
{% endif %}
{% if uses.transformers %}
#   "transformers",
{% endif %}
{% if uses.torch %}
#   "torch",
{% endif %}
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
{% for source in sources %}
    {{ source }},
{% endfor %}
]
FORMAT = {{ spec.format }}
PER = {{ spec.per }}
MAP = {{ changes }}
MAX_BAD = {{ spec.max_bad }}
SEED = {{ spec.seed }}

# What is done to them, in this order.
CLEAN = [
{% for name, setting in clean %}
    ({{ name }}, {{ setting }}),
{% endfor %}
]

{% if served %}
# The prompts that they are put under once they are clean, and the column that says which.
SERVED = {{ served }}

{% endif %}
# How they are split, and how many are kept.
SPLIT = {{ split }}
CAP = {{ spec.cap }}
TOKENIZER = {{ tokenizer }}
LICENCE = {{ spec.licence }}


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
    operations, size = making.prepared(CLEAN, SOURCES, SEED{% if served %}, SERVED{% endif %}), sum(each.size for each in sources)
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
