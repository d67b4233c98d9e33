"""Every key of mergekit's YAML and what becomes of it, in a file of one merge or in one of several documents."""

from __future__ import annotations

from zyc.importers.rules import Rows, nothing, refused, table, together

_STORE = "results are kept in the store under the key of what made them"


def _rules() -> Rows:
    """The rules of one document."""
    yield from together("there is nothing to merge", "merge_method models[].model models slices[].sources[].model slices")
    yield from together(
        "there is no slice that it could be of", "slices[].sources[].layer_range slices[].base_model slices[].sources"
    )
    yield from together(
        "the method has no such parameter",
        "parameters.* models[].parameters.* slices[].parameters.* slices[].sources[].parameters.*",
    )
    yield from together("there are none", "parameters models[].parameters slices[].parameters slices[].sources[].parameters")
    yield from together("the method has no base", "base_model")
    yield from together("what the models have", "dtype out_dtype")
    yield from together(
        "all models have the same tokenizer",
        "tokenizer_source tokenizer.source tokenizer.pad_to_multiple_of tokenizer.tokens.* tokenizer.tokens tokenizer",
    )
    yield from together("the name of the node", "name")
    yield from nothing(_STORE, "out_path")
    yield from nothing("mergekit 0.1.5 reads no such weight", "slices[].residual_weight")
    yield from refused(
        "another chat template than that of the tokenizer",
        "`chat_template: NAME` in the model that gives the tokenizer",
        "chat_template",
        off="auto",
    )
    yield from refused(
        "parts of a model that are merged each in its own way",
        "write a merge of language models: `models` or `slices`",
        "modules.* modules",
    )
    yield from together(
        "there are no experts",
        """
        experts[].source_model experts[].positive_prompts experts[].negative_prompts experts[].noise_scale
        experts[].residual_scale experts shared_experts[].source_model shared_experts[].positive_prompts
        shared_experts[].negative_prompts shared_experts[].noise_scale shared_experts[].residual_scale shared_experts
        gate_mode experts_per_token architecture
        """,
    )


def _each() -> Rows:
    """The same keys, in one of several documents."""
    for key, rule in _rules():
        yield f"documents[].{key}", rule


KEYS = table(_rules(), _each(), together("there is none", "documents"))
