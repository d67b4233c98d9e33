# /// script
# requires-python = ">=3.11"
# dependencies = ["mergekit==0.1.5", "protobuf==7.36.2", "pyyaml==6.0.3", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Puts models side by side as the experts of one, as recipe/mixture.yml says: in/ -> out/."""

from pathlib import Path

import inputs
import published
import telling
import yaml
from mergekit.moe.config import MoEMergeConfig
from mergekit.options import MergeOptions
from mergekit.scripts.moe import build
from transformers import set_seed

MODELS = ["./in/base", "./in/models/0", "./in/models/1"]

# what mergekit would find out late, or never
telling.hush()
inputs.whole(MODELS)
inputs.same_words(MODELS)

# the base leads each token to the experts whose prompts it is like
config = MoEMergeConfig.model_validate(yaml.safe_load(Path("recipe/mixture.yml").read_text(encoding="utf-8")))
options = MergeOptions(
    random_seed=0,
    lazy_unpickle=True,
    out_shard_size=1000000000,
    write_model_card=False,
    copy_tokenizer=False,
    quiet=True,
)
set_seed(0)
build(config, "tmp/made", options, device="cpu", allow_all_same=True)
published.apart("tmp/made")

# everything that belongs to the tokenizer, as it was: mergekit loses tokenizer.model
measures = published.model("tmp/made", "./in/base", base="./in/base", dtype="bfloat16")
telling.measure(measures)
