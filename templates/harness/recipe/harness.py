# /// script
# requires-python = ">=3.11"
{% if engine == "llama.cpp" %}
# dependencies = ["gguf", "llama-cpp-python", "lm-eval", "numpy", "torch", "transformers"]
{% elif engine == "onnxruntime" %}
# dependencies = ["lm-eval", "numpy", "onnxruntime", "torch", "transformers"]
{% else %}
# dependencies = ["lm-eval", "numpy", "torch", "transformers"]
{% endif %}
# ///
"""Runs tasks of lm-evaluation-harness on a model, in the engine that will serve it."""

import bridge
import tasks
from answering import opened

# What answers.
ENGINE = {{ engine }}
LLAMA_CPP = {{ llama_cpp }}
# The tasks, where the project's own are, and how many questions of each.
TASKS = {{ names }}
FOLDER = {{ folder }}
LIMIT = {{ limit }}

engine = opened(ENGINE, "in/model", context=2048, llama_cpp=LLAMA_CPP)
found = bridge.evaluated(engine, TASKS, FOLDER, LIMIT)
engine.close()
bridge.write(found)
tasks.report("harness", bridge.measures(found), more={"versions": found["versions"], "less": bridge.less_is_better(found)})
