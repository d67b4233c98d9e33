# /// script
# requires-python = ">=3.11"
# dependencies = ["safetensors==0.8.0", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Makes an adapter part of its base, shard by shard: in/base and in/source -> out/."""

import json
from pathlib import Path

import bases
import telling
import torch
from deltas import EMBEDDING, HEAD, Adapter, refuse
from safetensors import safe_open
from safetensors.torch import save_file

base, out = bases.folder("in/base"), Path("out")
config = json.loads((base / "config.json").read_text(encoding="utf-8"))
if config.get("quantization_config"):
    refuse("the base is kept in few bits: what is added to it would be rounded away; fuse into the base in bf16")

adapter = Adapter("in/source")
index = base / "model.safetensors.index.json"
places = bases.places(base)
strangers = adapter.strangers(places)
tied = config.get("tie_word_embeddings", False)
head, untied = adapter.head(strangers, tied=tied), adapter.unties(tied=tied)
if strangers:
    refuse(f"the adapter changes `{strangers[0]}`, which the base does not have: it was trained on another base")

# One shard in memory at a time: each tensor is read, changed and rounded by itself.
shards = sorted(set(places.values()))
changed, size = 0, 0
for at, shard in enumerate(shards):
    made = {}
    with safe_open(base / shard, "pt") as file:
        for name in sorted(name for name, place in places.items() if place == shard):
            weight = file.get_tensor(name)
            told = adapter.changed(name, weight)
            changed += told is not weight
            if untied and name == EMBEDDING:
                head = weight.clone()
            made[name] = told.to(torch.bfloat16).contiguous() if told.is_floating_point() else told
    if head is not None and shard == shards[-1]:
        made[HEAD] = head.to(torch.bfloat16)
        places[HEAD] = shard
    save_file(made, out / shard, metadata={"format": "pt"})
    size += (out / shard).stat().st_size
    telling.event(step=at + 1, of=len(shards))
    print(f"{shard}: {len(made)} tensors")

if index.exists():
    told = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
    (out / index.name).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
config.pop("torch_dtype", None)
config |= {"dtype": "bfloat16", **({} if head is None else {"tie_word_embeddings": False})}
(out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
bases.copy_tokenizer(base, out)
telling.measure({"bytes": size, "layers": changed})
