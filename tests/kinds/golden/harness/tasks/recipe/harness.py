# /// script
# requires-python = ">=3.11"
# dependencies = ["lm-eval==0.4.13", "numpy==2.4.6", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Runs tasks of lm-evaluation-harness on a model, in the engine that will serve it."""

import bridge
import tasks
from answering import opened

# What answers.
ENGINE = "transformers"
LLAMA_CPP = "0.3.36"
# The tasks, where the project's own are, and how many questions of each.
TASKS = ["arc_easy"]
FOLDER = None
LIMIT = None

engine = opened(ENGINE, "in/model", context=2048, llama_cpp=LLAMA_CPP)
found = bridge.evaluated(engine, TASKS, FOLDER, LIMIT)
engine.close()
bridge.write(found)
tasks.report("harness", bridge.measures(found), more={"versions": found["versions"], "less": bridge.less_is_better(found)})
