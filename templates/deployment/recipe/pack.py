# /// script
# requires-python = ">=3.11"
# dependencies = ["huggingface-hub", "jinja2"]
# ///
"""Packs a bundle: the model's files, the personas, what runs them, and what there is to say of all of it."""

from pathlib import Path

import card
import materials
import packing
import registry
import telling

# What the started application reads; the model's files, the personas and the index are filled in.
BUNDLE = {{ bundle }}
# What people who ask call the personas, in their order.
LABELS = {{ labels }}
INDEXED = {{ indexed }}
# The packages that run it, each with its version.
PACKAGES = {{ packages }}
# How it stands in a list of models.
REGISTRY = {{ registry }}
# What is known of where it comes from; a model of a twin is a rehearsal.
BASE = {{ base }}
LICENCE = {{ licence }}
ON = {{ spec.on }}
REHEARSAL = {{ rehearsal }}
# The evaluations whose numbers stand on the card.
RESULTS = {{ results }}

out = Path("out")
packing.lay(Path("recipe/bundle"), out)
bundle = {**BUNDLE, "model": packing.model(Path("in/model"), out)}
bundle["prompts"] = packing.prompts(Path("in/prompts"), LABELS, out)
if INDEXED:
    bundle["index"] = packing.index(Path("in/index"), out)
packing.requirements(PACKAGES, out)

known = {"base": BASE, "licence": LICENCE, "on": ON, "rehearsal": bool(REHEARSAL)}
reports = packing.reports(Path("in/results"), RESULTS)
entry = registry.entry(REGISTRY, bundle, known)
facts = {"bundle": bundle, "card": card.facts(bundle, known, reports), "entry": entry, "model": known}
packing.write_json(out / "bundle.json", bundle)
packing.write_json(out / "models.json", {"models": [entry]})
packing.write_json(out / "bom.json", materials.bill(bundle, known, PACKAGES))
card.write(out / "README.md", facts["card"])
packing.fill(Path("recipe/files"), out, {**facts, "prompts": packing.words(out, bundle)})

size, count = packing.size(out)
print(f"{size:,} bytes in {count:,} files")
telling.measure({"bytes": size, "files": count})
