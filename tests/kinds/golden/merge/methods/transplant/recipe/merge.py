# /// script
# requires-python = ">=3.11"
# dependencies = ["mergekit==0.1.5", "protobuf==7.36.2", "safetensors==0.8.0", "sentencepiece==0.2.3", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Gives a model the tokenizer of another one: in/models/0 and in/tokenizer/model -> out/."""

import inputs
import published
import telling
from mergekit.scripts.tokensurgeon import main as transplant

MODELS = ["./in/models/0", "./in/tokenizer/model"]

# what mergekit would find out late, or never
telling.hush()
inputs.whole(MODELS)

# each row of the new tokenizer from rows that the model has
model = inputs.wide("./in/models/0", "tmp/model")
donor = inputs.wide("./in/tokenizer/model", "tmp/donor")
arguments = {
    "approximation-method": "omp",
    "k": 8,
    "weight-scheme": "distance_proportional",
    "subword-method": "mean",
    "prefix-match": "no",
    "byte-match": "no",
    "new-vocab-noise": None,
    "new-vocab-scale": None,
    "random-seed": 0,
    "out-shard-size": 1000000000,
}
switches = {
    "cosine-similarity": False,
    "magikarp": False,
}
words = [model, donor, "tmp/made", *published.arguments(arguments, switches, {})]
transplant.main(words, standalone_mode=False)

# everything that belongs to the tokenizer, as it was: mergekit loses tokenizer.model
measures = published.model("tmp/made", "./in/tokenizer/model", base="./in/models/0", dtype="bfloat16")
telling.measure(measures)
