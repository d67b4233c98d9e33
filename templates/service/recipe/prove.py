# /// script
# requires-python = ">=3.11"
{% if starts %}
# dependencies = ["gguf", "llama-cpp-python", "numpy"{% if chats %}, "pyarrow"{% endif %}{% if finds %}, "faiss-cpu"{% endif %}{% if finds == "model" %}, "torch", "transformers"{% endif %}]
{% else %}
# dependencies = []
{% endif %}
# ///
"""Proves a bundle: every file is the one that it names; what can be started is started and answers as the model does directly."""

import json
from pathlib import Path

{% if starts == "assistant" %}
import asking_it
{% endif %}
{% if starts %}
import serving_it
{% endif %}
import telling
import whole

bundle = json.loads(Path("in/subject/bundle.json").read_text(encoding="utf-8"))
measures, report = whole.looked_through(Path("in/subject"), bundle)
{% if starts %}

# The engine that answers directly, and how many tokens both hold memory for.
LLAMA_CPP = {{ llama_cpp }}
CONTEXT = {{ context }}
# Whether its questions are those of a dataset.
CHATS = {{ chats }}
asked = serving_it.questions(Path("in/questions") if CHATS else None, bundle)
{% endif %}
{% if starts == "gateway" %}
served = serving_it.answers(Path("in/subject"), asked)
compared = serving_it.compare(served, asked, bundle, Path("in/model"), context=CONTEXT, llama_cpp=LLAMA_CPP)
measures |= serving_it.measures(served, compared)
report |= {"answers": compared}
{% elif starts == "assistant" %}
said = [each for _, each in asked][: asking_it.EACH]
compared = asking_it.answers(Path("in/subject"), Path("in/model"), said, context=CONTEXT, llama_cpp=LLAMA_CPP)
measures |= serving_it.measures([], compared)
report |= {"answers": compared}
{% endif %}

Path("out/report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
