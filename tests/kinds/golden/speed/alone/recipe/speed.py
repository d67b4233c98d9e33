# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pyarrow==26.0.1", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Takes the time of answers: questions of one length, answers of another, after a first one to warm up."""

import tasks
import timing
from asked import prompts_of

# What answers: the engine that will serve the model.
ENGINE = "transformers"
LLAMA_CPP = "0.3.36"
# Tokens of a question, of an answer, and that memory is held for.
PROMPT_TOKENS = 40
NEW_TOKENS = 60
CONTEXT = 1024
# How many ask at once, and how often each.
CLIENTS = 1
RUNS = 5
# The class of machine that the numbers are about; they are taken on this one.
ON = None

((_, prompt),) = prompts_of(["one"], looking=False)
work = timing.Work(PROMPT_TOKENS, NEW_TOKENS, CONTEXT, RUNS)
runs, memory = timing.alone(work, prompt, ENGINE, LLAMA_CPP)

timing.write(runs)
measures = timing.measures(runs, memory, PROMPT_TOKENS)
more = {"on": ON, "engine": ENGINE, "clients": CLIENTS, "machine": timing.machine()}
tasks.report("speed", measures, more=more)
