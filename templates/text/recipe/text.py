# /// script
# requires-python = ">=3.11"
{% if engine == "llama.cpp" %}
# dependencies = ["gguf", "llama-cpp-python", "numpy", "pyarrow", "rouge-score", "sacrebleu"{% if finds %}, "faiss-cpu"{% endif %}{% if finds == "model" %}, "torch", "transformers"{% endif %}]
{% elif engine == "onnxruntime" %}
# dependencies = ["numpy", "onnxruntime", "pyarrow", "rouge-score", "sacrebleu", "transformers"{% if finds %}, "faiss-cpu"{% endif %}{% if finds == "model" %}, "torch"{% endif %}]
{% else %}
# dependencies = ["numpy", "pyarrow", "rouge-score", "sacrebleu", "torch", "transformers"{% if finds %}, "faiss-cpu"{% endif %}]
{% endif %}
# ///
"""Asks a model every question and holds its answers against reference texts."""

import nearness
import tasks
from answering import opened
from asked import paired, prompts_of, rows_of

# What answers: the engine that will serve the model, with the template that will.
ENGINE = {{ engine }}
LLAMA_CPP = {{ llama_cpp }}
CONTEXT = {{ context }}
# What rows call the prompts, in their order.
PROMPTS = {{ labels }}
# Which scores.
SCORES = {{ scores }}

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
