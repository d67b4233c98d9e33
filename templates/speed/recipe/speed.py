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
"""Takes the time of answers: questions of one length, answers of another, after a first one to warm up."""

import tasks
import timing
{% if real %}
import wondering
from asked import paired, prompts_of, rows_of
{% else %}
from asked import prompts_of
{% endif %}

# What answers: the engine that will serve the model.
ENGINE = {{ engine }}
LLAMA_CPP = {{ llama_cpp }}
{% if real %}
# Tokens of an answer, and that memory is held for.
{% else %}
# Tokens of a question, of an answer, and that memory is held for.
PROMPT_TOKENS = {{ spec.prompt_tokens }}
{% endif %}
NEW_TOKENS = {{ spec.new_tokens }}
CONTEXT = {{ spec.context }}
# How many ask at once, and how often each.
CLIENTS = {{ spec.clients }}
RUNS = {{ spec.runs }}
# The class of machine that the numbers are about; they are taken on this one.
ON = {{ spec.on }}

{% if real %}
asked, _ = paired(rows_of("in/questions"), prompts_of({{ prompted }}))
work = timing.Work(None, NEW_TOKENS, CONTEXT, RUNS)
{% else %}
((_, prompt),) = prompts_of({{ prompted }}, looking=False)
work = timing.Work(PROMPT_TOKENS, NEW_TOKENS, CONTEXT, RUNS)
{% endif %}
{% if real %}
runs, memory, length = wondering.alone(asked, work, ENGINE, LLAMA_CPP)
{% elif server %}
runs, memory = timing.served(work, prompt, CLIENTS, LLAMA_CPP)
{% else %}
runs, memory = timing.alone(work, prompt, ENGINE, LLAMA_CPP)
{% endif %}

timing.write(runs)
{% if real %}
measures = {**timing.measures(runs, memory, length), "prompt_tokens": length}
{% else %}
measures = timing.measures(runs, memory, PROMPT_TOKENS)
{% endif %}
more = {"on": ON, "engine": {% if server %}"llama-server"{% else %}ENGINE{% endif %}, "clients": CLIENTS, "machine": timing.machine()}
tasks.report("speed", measures, more=more)
