# /// script
# requires-python = ">=3.11"
# dependencies = ["mergekit", {% if way == "extract" %}"peft", {% endif %}"protobuf", {% if way in ("merge", "moe") %}"pyyaml", {% endif %}"safetensors", "sentencepiece", "torch", "transformers"]
# ///
{% if way == "merge" %}
"""Merges models tensor by tensor, as recipe/merge.yml says: in/ -> out/."""
{% elif way == "moe" %}
"""Puts models side by side as the experts of one, as recipe/mixture.yml says: in/ -> out/."""
{% elif way == "extract" %}
"""What a model has beyond its base, as an adapter: in/models/0 and in/base -> out/."""
{% else %}
"""Gives a model the tokenizer of another one: in/models/0 and in/tokenizer/model -> out/."""
{% endif %}

{% if way in ("merge", "moe") %}
from pathlib import Path

{% endif %}
import inputs
import published
import telling
{% if way in ("merge", "moe") %}
import yaml
{% endif %}
{% if way == "merge" %}
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
{% elif way == "moe" %}
from mergekit.moe.config import MoEMergeConfig
from mergekit.options import MergeOptions
from mergekit.scripts.moe import build
from transformers import set_seed
{% elif way == "extract" %}
from mergekit.scripts.extract_lora import main as extract
{% else %}
from mergekit.scripts.tokensurgeon import main as transplant
{% endif %}

MODELS = {{ models }}

# what mergekit would find out late, or never
telling.hush()
inputs.whole(MODELS)
{% if same %}
inputs.same_words(MODELS)
{% endif %}
{% if way == "merge" %}

# out of core: tensors are read when their turn comes, and written when a file of this many parameters is full
config = MergeConfiguration.model_validate(yaml.safe_load(Path("recipe/merge.yml").read_text(encoding="utf-8")))
options = MergeOptions(
    random_seed={{ seed }},
    lazy_unpickle=True,
    out_shard_size={{ shard }},
    write_model_card=False,
    copy_tokenizer=False,
    quiet=True,
)
run_merge(config, "tmp/made", options)
{% elif way == "moe" %}

# the base leads each token to the experts whose prompts it is like
config = MoEMergeConfig.model_validate(yaml.safe_load(Path("recipe/mixture.yml").read_text(encoding="utf-8")))
options = MergeOptions(
    random_seed={{ seed }},
    lazy_unpickle=True,
    out_shard_size={{ shard }},
    write_model_card=False,
    copy_tokenizer=False,
    quiet=True,
)
set_seed({{ seed }})
build(config, "tmp/made", options, device="cpu", allow_all_same=True)
published.apart("tmp/made")
{% elif way == "extract" %}

# the changes of each layer as two thin matrices
inputs.same_words(MODELS)
inputs.finite(MODELS)
arguments = {
    "model": {{ model }},
    "base-model": {{ base }},
    "out-path": "tmp/made",
    "max-rank": {{ extract.rank }},
    "sv-epsilon": {{ extract.epsilon }},
    "random-seed": {{ seed }},
    "out-shard-size": {{ shard }},
}
switches = {
    "distribute-scale": {{ extract.distribute }},
    "embed-lora": {{ extract.embedding }},
}
lists = {"save-module": {{ extract.keep }}, "include-regex": {{ extract.include }}, "exclude-regex": {{ extract.leave }}}
extract.main(published.arguments(arguments, switches, lists, skip_undecomposable={{ extract.pass_by }}), standalone_mode=False)
{% else %}

# each row of the new tokenizer from rows that the model has
model = inputs.wide({{ model }}, "tmp/model")
donor = inputs.wide({{ donor }}, "tmp/donor")
arguments = {
    "approximation-method": {{ transplant.approximation }},
    "k": {{ transplant.neighbours }},
    "weight-scheme": {{ transplant.weighting }},
    "subword-method": {{ transplant.subword }},
    "prefix-match": {{ transplant.prefixes }},
    "byte-match": {{ transplant.bytes }},
    "new-vocab-noise": {{ transplant.noise }},
    "new-vocab-scale": {{ transplant.factor }},
    "random-seed": {{ seed }},
    "out-shard-size": {{ shard }},
}
switches = {
    "cosine-similarity": {{ transplant.cosine }},
    "magikarp": {{ transplant.trained }},
}
words = [model, donor, "tmp/made", *published.arguments(arguments, switches, {})]
transplant.main(words, standalone_mode=False)
{% endif %}

{% if way == "extract" %}
measures = published.adapter("tmp/made", dtype={{ dtype }})
{% elif home %}
# everything that belongs to the tokenizer, as it was: mergekit loses tokenizer.model
measures = published.model("tmp/made", {{ home }}, base={{ base }}, dtype={{ kept }})
{% else %}
# a tokenizer of all tokens; where that is the one of the base, its own files
measures = published.union("tmp/made", MODELS, base={{ base }}, dtype={{ kept }})
{% endif %}
telling.measure(measures)
