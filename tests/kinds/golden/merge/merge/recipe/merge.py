# /// script
# requires-python = ">=3.11"
# dependencies = ["mergekit==0.1.5", "protobuf==7.36.2", "pyyaml==6.0.3", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Merges models tensor by tensor, as recipe/merge.yml says: in/ -> out/."""

from pathlib import Path

import inputs
import published
import telling
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge

MODELS = ["./in/base", "./in/models/0", "./in/models/1"]

# what mergekit would find out late, or never
telling.hush()
inputs.whole(MODELS)

# out of core: tensors are read when their turn comes, and written when a file of this many parameters is full
config = MergeConfiguration.model_validate(yaml.safe_load(Path("recipe/merge.yml").read_text(encoding="utf-8")))
options = MergeOptions(
    random_seed=7,
    lazy_unpickle=True,
    out_shard_size=1000000000,
    write_model_card=False,
    copy_tokenizer=False,
    quiet=True,
)
run_merge(config, "tmp/made", options)

# a tokenizer of all tokens; where that is the one of the base, its own files
measures = published.union("tmp/made", MODELS, base="./in/base", dtype="bfloat16")
telling.measure(measures)
