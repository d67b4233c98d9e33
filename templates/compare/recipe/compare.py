# /// script
# requires-python = ">=3.11"
{% if onnx %}
# dependencies = ["gguf", "llama-cpp-python", "numpy", "onnxruntime", "pyarrow", "torch", "transformers"{% if finds %}, "faiss-cpu"{% endif %}]
{% else %}
# dependencies = ["gguf", "llama-cpp-python", "numpy", "pyarrow", "torch", "transformers"{% if finds %}, "faiss-cpu"{% endif %}]
{% endif %}
# ///
"""Two models answer the same questions, and a judge reads both answers in both orders."""

import judging
import tasks
from answering import opened
from asked import paired, prompts_of, rows_of

# What answers, and what judges: a scorer, or a model in this engine.
ENGINES = {{ engines }}
JUDGE = {{ judge }}
LLAMA_CPP = {{ llama_cpp }}
CONTEXT = {{ context }}
# What rows call the prompts, in their order.
PROMPTS = {{ labels }}

asked, _ = paired(rows_of("in/compare"), prompts_of(PROMPTS))
sheet = tasks.Sheet(3 * len(asked))

# one model is open at a time
for name, engine in ENGINES.items():
    model = opened(engine, f"in/{name}", context=CONTEXT, llama_cpp=LLAMA_CPP)
    for at, each in enumerate(asked):
        if f"{name}/{each.id}" not in sheet:
            sheet.add({"id": f"{name}/{each.id}", "answer": judging.answered(model, each, at)})
    model.close()

if JUDGE == "scorer":
    verdict = judging.by_scorer("in/judge")
else:
    verdict = judging.by_model(opened(JUDGE, "in/judge", context=CONTEXT, llama_cpp=LLAMA_CPP))
for each in asked:
    if each.id not in sheet:
        ours, theirs = (sheet.rows[f"{name}/{each.id}"]["answer"] for name in ("model", "rival"))
        said = each.messages[-1]["content"]
        row = {"id": each.id, "question": said, "expected": each.expected, "answer": ours, "rival": theirs}
        sheet.add({**row, **judging.judged(verdict, said, ours, theirs)})

rows = sheet.write([each.id for each in asked])
tasks.report("compare", judging.counts(rows), more={"judge": JUDGE})
