# /// script
# requires-python = ">=3.11"
# dependencies = ["gguf==0.19.0", "llama-cpp-python==0.3.36", "numpy==2.4.6"]
# ///
"""Proves a bundle: every file is the one that it names; what can be started is started and answers as the model does directly."""

import json
from pathlib import Path

import serving_it
import telling
import whole

bundle = json.loads(Path("in/subject/bundle.json").read_text(encoding="utf-8"))
measures, report = whole.looked_through(Path("in/subject"), bundle)

# The engine that answers directly, and how many tokens both hold memory for.
LLAMA_CPP = "0.3.36"
CONTEXT = 1024
# Whether its questions are those of a dataset.
CHATS = False
asked = serving_it.questions(Path("in/questions") if CHATS else None, bundle)
served = serving_it.answers(Path("in/subject"), asked)
compared = serving_it.compare(served, asked, bundle, Path("in/model"), context=CONTEXT, llama_cpp=LLAMA_CPP)
measures |= serving_it.measures(served, compared)
report |= {"answers": compared}

Path("out/report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
