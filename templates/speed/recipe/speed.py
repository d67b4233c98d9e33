# /// script
# requires-python = ">=3.11"
{% if engine == "llama.cpp" %}
# dependencies = ["gguf", "llama-cpp-python", "numpy", "pyarrow"]
{% elif engine == "onnxruntime" %}
# dependencies = ["numpy", "onnxruntime", "pyarrow", "transformers"]
{% else %}
# dependencies = ["numpy", "pyarrow", "torch", "transformers"]
{% endif %}
# ///
"""Takes the time of answers: questions of one length, answers of another, after a first one to warm up."""

import tasks
import timing
from asked import prompts_of

# What answers: the engine that will serve the model.
ENGINE = {{ engine }}
LLAMA_CPP = {{ llama_cpp }}
# Tokens of a question, of an answer, and that memory is held for.
PROMPT_TOKENS = {{ spec.prompt_tokens }}
NEW_TOKENS = {{ spec.new_tokens }}
CONTEXT = {{ spec.context }}
# How many ask at once, and how often each.
CLIENTS = {{ spec.clients }}
RUNS = {{ spec.runs }}
# The class of machine that the numbers are about; they are taken on this one.
ON = {{ spec.on }}

((_, prompt),) = prompts_of({{ prompted }}, looking=False)
work = timing.Work(PROMPT_TOKENS, NEW_TOKENS, CONTEXT, RUNS)
{% if server %}
runs, memory = timing.served(work, prompt, CLIENTS, LLAMA_CPP)
{% else %}
runs, memory = timing.alone(work, prompt, ENGINE, LLAMA_CPP)
{% endif %}

timing.write(runs)
measures = timing.measures(runs, memory, PROMPT_TOKENS)
more = {"on": ON, "engine": {% if server %}"llama-server"{% else %}ENGINE{% endif %}, "clients": CLIENTS, "machine": timing.machine()}
tasks.report("speed", measures, more=more)
