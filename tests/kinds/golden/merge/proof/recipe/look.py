# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Looks whether a model is all there, has the shape of its architecture, and says something."""

import json
from pathlib import Path

import answering
import wholeness

MODEL = "in/subject"

# every tensor of every file, one at a time
found = wholeness.tensors(MODEL)
broken = [name for name, each in found.items() if not each["finite"]]
gone = answering.unheld(MODEL, found)
rowless = wholeness.rowless(MODEL, found)

# as a whole, by its own architecture
model, told = (None, {"missing": gone, "misshapen": [], "strange": []}) if gone else answering.loaded(MODEL)
said = None if model is None or broken else answering.answers(MODEL, model)
print(f"it says: {said!r}")

report = {**told, "broken": broken, "rowless": rowless, "said": said}
for what in ("missing", "misshapen", "strange", "broken", "rowless"):
    for name in report[what][:20]:
        print(f"{what}: {name}")
measures = {what: len(report[what]) for what in ("missing", "misshapen", "strange", "broken", "rowless")}
measures |= {"tensors": len(found), "loads": int(model is not None), "answers": int(said is not None)}
Path("out/wholeness.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
Path("measures.json").write_text(json.dumps(measures))
