# /// script
# requires-python = ">=3.11"
# dependencies = ["mergekit==0.1.5", "peft==0.21.2", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""What a model has beyond its base, as an adapter: in/models/0 and in/base -> out/."""

import inputs
import published
import telling
from mergekit.scripts.extract_lora import main as extract

MODELS = ["./in/base", "./in/models/0"]

# what mergekit would find out late, or never
telling.hush()
inputs.whole(MODELS)

# the changes of each layer as two thin matrices
inputs.same_words(MODELS)
inputs.finite(MODELS)
arguments = {
    "model": "./in/models/0",
    "base-model": "./in/base",
    "out-path": "tmp/made",
    "max-rank": 8,
    "sv-epsilon": 0.0,
    "random-seed": 0,
    "out-shard-size": 1000000000,
}
switches = {
    "distribute-scale": True,
    "embed-lora": False,
}
lists = {"save-module": [], "include-regex": [], "exclude-regex": []}
extract.main(published.arguments(arguments, switches, lists, skip_undecomposable=False), standalone_mode=False)

measures = published.adapter("tmp/made", dtype="bf16")
telling.measure(measures)
