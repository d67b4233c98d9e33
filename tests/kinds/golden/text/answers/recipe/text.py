# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pyarrow==26.0.1", "rouge-score==0.1.2", "sacrebleu==2.6.0", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Asks a model every question and holds its answers against reference texts."""

import nearness
import tasks
from answering import opened
from asked import paired, prompts_of, rows_of

# What answers: the engine that will serve the model, with the template that will.
ENGINE = "transformers"
LLAMA_CPP = "0.3.36"
CONTEXT = 4096
# What rows call the prompts, in their order.
PROMPTS = ["one"]
# Which scores.
SCORES = ["bleu", "chrf", "rouge"]

asked, _ = paired(rows_of("in/text"), prompts_of(PROMPTS))
nearness.look(asked)
sheet = tasks.Sheet(len(asked))
engine = opened(ENGINE, "in/model", context=CONTEXT, llama_cpp=LLAMA_CPP)
for at, each in enumerate(asked):
    if each.id not in sheet:
        sheet.add(nearness.answered(engine, each, at, SCORES))
engine.close()

rows = sheet.write([each.id for each in asked])
tasks.report("text", nearness.scored(rows, SCORES), more={"questions": len(rows)})
