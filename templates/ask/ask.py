# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "llama-cpp-python", "peft", "pyarrow", "safetensors", "torch", "transformers"]
# ///
"""Puts the questions of ask.json to each form of a model, one form in memory at a time: always the likeliest token."""

import json
from pathlib import Path

import likeliest

asked = json.loads(Path("ask.json").read_text(encoding="utf-8"))
questions = likeliest.questions(asked)
told = []
for hop in asked["hops"]:
    print(f"{hop['label']} answers", flush=True)
    try:
        answers = likeliest.ANSWERS[hop["form"]](hop, questions, asked)
    except Exception as error:  # noqa: BLE001  # one form that cannot answer is told, and the others are asked
        told.append({"label": hop["label"], "error": f"{type(error).__name__}: {error}"})
        print(f"  {told[-1]['error']}", flush=True)
    else:
        told.append({"label": hop["label"], "answers": answers})

wanted = [{"messages": each["said"], "wanted": each["wanted"]} for each in questions]
Path("answers.new").write_text(json.dumps({"questions": wanted, "hops": told}, ensure_ascii=False, indent=1), encoding="utf-8")
Path("answers.new").rename("answers.json")  # last: it is there whole, or not at all
