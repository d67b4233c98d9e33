# /// script
# requires-python = ">=3.11"
{% if engine == "llama.cpp" %}
# dependencies = ["gguf", "llama-cpp-python", "numpy", "pyarrow"{% if finds %}, "faiss-cpu"{% endif %}{% if finds == "model" %}, "torch", "transformers"{% endif %}]
{% elif engine == "onnxruntime" %}
# dependencies = ["numpy", "onnxruntime", "pyarrow", "transformers"{% if finds %}, "faiss-cpu"{% endif %}{% if finds == "model" %}, "torch"{% endif %}]
{% else %}
# dependencies = ["numpy", "pyarrow", "torch", "transformers"{% if finds %}, "faiss-cpu"{% endif %}]
{% endif %}
# ///
"""Asks a model every question of an exam, keeps each answer, and counts how many are right."""

import examining
import tasks
from answering import opened
from asked import paired, prompts_of, rows_of

# What answers: the engine that will serve the model, with the template that will.
ENGINE = {{ engine }}
LLAMA_CPP = {{ llama_cpp }}
CONTEXT = {{ context }}
# What rows and measures call the prompts, in their order.
PROMPTS = {{ labels }}
# What is right, and the columns that make groups.
MATCH = {{ match }}
BY = {{ by }}

rows = rows_of("in/exam")
examining.look(rows, MATCH, BY)
asked, column = paired(rows, prompts_of(PROMPTS), BY)
by = examining.columns(BY, column, PROMPTS)

sheet = tasks.Sheet(len(asked))
engine = opened(ENGINE, "in/model", context=CONTEXT, llama_cpp=LLAMA_CPP)
for at, each in enumerate(asked):
    if each.id not in sheet:
        sheet.add(examining.examined(engine, each, MATCH, by, at))
engine.close()

told = sheet.write([each.id for each in asked])
measures, groups = examining.counts(told, by)
tasks.report("exam", measures, groups=groups, more={"match": MATCH, "isolation": examining.isolation(MATCH)})
