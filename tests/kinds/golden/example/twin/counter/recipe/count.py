# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Counts which letter follows which context, epoch by epoch."""

import json
import random
from pathlib import Path

import checkpoints
from grams import EDGE, add, bits, merged

ALPHABET = "abcns"
ORDER = 2
SMOOTHING = 0.001
EPOCHS = 4
SEED = 7

words = Path("in/base/words.txt").read_text().split()
held_out, train = words[: len(words) // 10], words[len(words) // 10 :]
settings = checkpoints.settings()
shards = settings["shards"]

state = checkpoints.load({"epochs": 0, "tables": [{} for _ in range(shards)]})
print(f"from epoch {state['epochs']}")
for epoch in range(state["epochs"], EPOCHS):
    drawn = random.Random(f"{SEED} {epoch}").choices(train, k=len(train))
    for at, table in enumerate(state["tables"]):
        add(table, drawn[at::shards], ORDER)
    state["epochs"] = epoch + 1
    checkpoints.save(state)
    if state["epochs"] == settings["stop_after"] and state["epochs"] < EPOCHS:
        raise SystemExit("switched off")

table = merged(state["tables"])
told = {"order": ORDER, "letters": ALPHABET + EDGE, "smoothing": SMOOTHING, "rows": table}
loss = bits(table, held_out or train, ORDER, letters=len(ALPHABET) + 1, smoothing=SMOOTHING)
Path("out/table.json").write_text(json.dumps(told))
Path("measures.json").write_text(json.dumps({"rows": len(train) * EPOCHS, "loss": loss}))
