# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface-hub==2.4.0", "jinja2==3.1.6", "pyyaml==6.0.3"]
# ///
"""Packs a bundle: the model's files, the personas, what runs them, and what there is to say of all of it."""

from pathlib import Path

import card
import lineage
import materials
import packing
import registry
import telling

# What the started application reads; the model's files, the personas and the index are filled in.
BUNDLE = {"target": "assistant", "engine": "llama.cpp", "llama_cpp": "0.3.36", "name": "words", "context": 256, "settings": {"tools": "tools.json", "steps": 4, "folder": "files", "confirm": [], "language": "fr", "voice": False}}
# What people who ask call the personas, in their order.
LABELS = ["one", "two"]
# The packages that run it, each with its version.
PACKAGES = {"faiss-cpu": "1.15.1", "jinja2": "3.1.6", "numpy": "2.4.6", "pyarrow": "26.0.1", "llama-cpp-python": "0.3.36"}
# Those whose last versions Python 3.10 cannot have, each with the last that it can.
OLDER = {"numpy": "2.2.6", "pyarrow": "25.0.1"}
# How it stands in a list of models.
REGISTRY = {"id": "words", "name": "Words", "capabilities": ["chat"], "groups": ["small"]}
# What stands on the card besides; a model of a twin is a rehearsal.
ABOUT = {"title": "Words", "licence": "mit", "on": "", "rehearsal": False}
# What stands in front of the card in place of a model's metadata, where the target has some of its own.
FRONT = {}
# The evaluations whose numbers are told.
RESULTS = ["0"]
# Which of the nodes behind it the model is.
MODEL = "164d53fc9d80b3c1"

out = Path("out")
packing.lay(Path("recipe/bundle"), out)
bundle = {**BUNDLE, "model": packing.model(Path("in/model"), out)}
bundle["prompts"] = packing.prompts(Path("in/prompts"), LABELS, out)
packing.requirements(PACKAGES, out, OLDER)
packing.write_json(out / "bundle.json", bundle)

# what it stands on
nodes = lineage.read()
made = lineage.behind(nodes, MODEL)
reports = packing.reports(Path("in/results"), RESULTS)
words = packing.words(out, bundle)
told = {**bundle, **ABOUT}
metadata = card.metadata(told, made, reports)
entry = registry.entry(REGISTRY, told, made)
packing.write_json(out / "models.json", {"models": [entry]})
packing.write_json(out / "bom.json", materials.bill(told, nodes, PACKAGES))
card.write(out / "README.md", FRONT or metadata, told, made, reports, words)

# the user's own files
facts = {"bundle": told, "card": metadata, "entry": entry, "model": dict(bundle["model"]), "prompts": words}
packing.fill(Path("recipe/files"), out, facts)

size, count = packing.size(out)
print(f"{size:,} bytes in {count:,} files")
telling.measure({"bytes": size, "files": count})
