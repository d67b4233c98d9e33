# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface-hub", "jinja2", "pyyaml"]
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
BUNDLE = {{ bundle }}
# What people who ask call the personas, in their order.
LABELS = {{ labels }}
# The packages that run it, each with its version.
PACKAGES = {{ packages }}
{% if older %}
# Those whose last versions Python 3.10 cannot have, each with the last that it can.
OLDER = {{ older }}
{% endif %}
# How it stands in a list of models.
REGISTRY = {{ registry }}
# What stands on the card besides; a model of a twin is a rehearsal.
ABOUT = {{ about }}
# What stands in front of the card in place of a model's metadata, where the target has some of its own.
FRONT = {{ front }}
# The evaluations whose numbers are told.
RESULTS = {{ results }}
# Which of the nodes behind it the model is.
MODEL = {{ model }}

out = Path("out")
packing.lay(Path("recipe/bundle"), out)
bundle = {**BUNDLE, "model": packing.model(Path("in/model"), out)}
bundle["prompts"] = packing.prompts(Path("in/prompts"), LABELS, out)
{% if indexed %}
bundle["index"] = packing.index(Path("in/index"), out)
{% endif %}
{% if older %}
packing.requirements(PACKAGES, out, OLDER)
{% else %}
packing.requirements(PACKAGES, out)
{% endif %}
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
{% for script in finishing %}

packing.finish({{ script }}, out, bundle)
{% endfor %}

size, count = packing.size(out)
print(f"{size:,} bytes in {count:,} files")
telling.measure({"bytes": size, "files": count})
