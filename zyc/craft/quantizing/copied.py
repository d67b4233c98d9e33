"""What formats share that copy a model's tokenizer beside its weights: the model that a proof is about."""

from __future__ import annotations

from zyc.craft.quantizing.spec import FidelitySpec
from zyc.kind import Case
from zyc.types import Model


def behind(case: Case[FidelitySpec]) -> Model:
    """The model that was quantized."""
    model = case.inputs["model"]
    assert isinstance(model, Model)
    return model
